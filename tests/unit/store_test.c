#include "unit/suite.h"

#include <malloc.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "core/store_table.h"
#include "unit/oom.h"
#include "unit/store_support.h"

#define EPOCH "epoch-epoch-1234"

static tt_store store;
static tt_answers answers;

static void begin(size_t max_bytes)
{
    tt_store_init(&store, &tt_allocator_libc, test_epoch(), max_bytes);
    answers = (tt_answers){.bytes = tt_buf_init(&tt_allocator_libc)};
}

static void end(void)
{
    tt_store_free(&store);
    tt_buf_free(&answers.bytes);
}

static const tt_reply *run(uint64_t now_ms, tt_cmd cmd)
{
    tt_batch batch = {&cmd, 1};

    store_run(&store, &batch, now_ms, &answers);
    ck_assert(answers.ok && answers.n == 1);
    ck_assert_uint_le(store.count.bytes, store.max_bytes);
    return &answers.replies[0];
}

static void expect(const tt_reply *reply, const char *text)
{
    ck_assert_int_eq(reply->kind, TT_REPLY_TEXT);
    ck_assert_msg(tt_str_eq(reply->text, tt_str_c(text)), "%.*s, not %s", (int)reply->text.n,
                  reply->text.p, text);
}

static bool there(const char *key)
{
    const tt_store_node *node = tt_store_find(&store, tt_str_c(key));

    return node != NULL;
}

/* An entry of 40 bytes, all at `now_ms` = 1. */
static void fill(const char *key)
{
    run(1, ask(key, "lease", "token", "a stamp of a length that is quite ok", "1000", NULL));
    expect(
        run(1, ask(key, "store", "token", "E1 a stamp of a length that is quite ok", "1000", NULL)),
        "stored");
}

static void open_tag(const char *key)
{
    ck_assert_int_eq(run(1, ask(key, "open", "v", "P", "1000", NULL))->kind, TT_REPLY_TEXT);
}

/* ---- expiry ---- */

START_TEST(lives_to_its_last_millisecond)
{
    begin(SIZE_MAX);
    run(100, ask("k", "lease", "token", "s", "50", NULL));
    expect(run(150, ask("k", NULL)), "L1 token s");
    ck_assert_int_eq(run(151, ask("k", NULL))->kind, TT_REPLY_NIL);
    ck_assert_uint_eq(store.count.entries, 0);
    ck_assert_uint_eq(store.count.expirations, 1);
    end();
}
END_TEST

START_TEST(what_expired_goes_without_being_asked_for)
{
    char key[32];

    begin(SIZE_MAX);
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        run(1, ask(key, "lease", "token", "s", "50", NULL));
    }
    for (int i = 0; i < 1024; i++)
        run(100, ask("other", "withdraw", "n", "1", NULL));
    ck_assert_uint_eq(store.count.entries, 0);
    ck_assert_uint_eq(store.count.expirations, 1000);
    end();
}
END_TEST

START_TEST(a_mark_ends_expiry_and_a_bump_begins_it)
{
    begin(SIZE_MAX);
    run(1, ask("t", "open", "v1", "P", "10", NULL));
    expect(run(5, ask("t", "mark", "v", "nonce", "30", "server", "7", "10", NULL)),
           "T1 v1 " EPOCH " P nonce,35,server,7\n5");
    expect(run(1000, ask("t", "bump", "v2", "nonce", "P", "10", NULL)), "bumped");
    expect(run(1000, ask("t", NULL)), "T1 v2 " EPOCH " P");
    ck_assert_int_eq(run(1010, ask("t", NULL))->kind, TT_REPLY_TEXT);
    ck_assert_int_eq(run(1011, ask("t", NULL))->kind, TT_REPLY_NIL);
    end();
}
END_TEST

/* What a mark leaves where there was no tag: absent, but its marks count. */
START_TEST(a_plain_mark_needs_no_tag)
{
    begin(SIZE_MAX);
    expect(run(5, ask_mark("t", "nonce", "30")), " nonce,35,server,7");
    ck_assert_uint_eq(answers.now_ms, 5);
    ck_assert_int_eq(run(100000, ask("t", NULL))->kind, TT_REPLY_TEXT);
    expect(run(5, ask_mark("t", "other", "30")), " nonce,35,server,7 other,100030,server,7");
    expect(run(6, ask("t", "withdraw", "other", "10", NULL)), "withdrawn");
    expect(run(6, ask("t", NULL)), " nonce,35,server,7");
    expect(run(6, ask("t", "open", "v", "P", "10", NULL)),
           "T1 v " EPOCH " P nonce,35,server,7\n100000");
    expect(run(6, ask("t", "bump", "w", "nonce", "P", "10", NULL)), "bumped");
    expect(run(6, ask("t", NULL)), "T1 w " EPOCH " P");
    expect(run(6, ask_mark("t", "nonce", "30")), "T1 w " EPOCH " P nonce,100030,server,7");
    ck_assert_int_eq(run(200000, ask("t", NULL))->kind, TT_REPLY_TEXT);
    run(6, ask_mark("u", "nonce", "30"));
    expect(run(6, ask("u", "withdraw", "nonce", "10", NULL)), "withdrawn");
    ck_assert(!there("u"));
    end();
}
END_TEST

START_TEST(of_a_later_protocol_only_the_mark_is_taken_away)
{
    begin(SIZE_MAX);
    run(1, ask("t", "lease", "token", "", "1000", NULL));
    run(1, ask("t", "store", "token", "T2 later", "1000", NULL));
    expect(run(2, ask_mark("t", "nonce", "30")), "T2 later nonce,32,server,7");
    expect(run(3, ask("t", "bump", "v", "nonce", "P", "10", NULL)), "T2 later nonce,32,server,7");
    expect(run(3, ask("t", "withdraw", "n", "10", NULL)), "withdrawn");
    expect(run(3, ask("t", "withdraw", "nonce", "10", NULL)), "withdrawn");
    expect(run(3, ask("t", NULL)), "T2 later");
    end();
}
END_TEST

/* ---- arguments beyond what is compared with the script ---- */

START_TEST(odd_commands_are_errors_and_do_nothing)
{
    tt_cmd odd[] = {ask("k", "lease", "token", "stamp", NULL),
                    ask("k", "open", NULL),
                    ask("k", "mark", "v", "n", "0x10", "s", "1", "10", NULL),
                    ask("k", "mark", "v", "n", "1e3", "s", "1", "10", NULL),
                    ask("k", "mark", "v", "n", " 5", "s", "1", "10", NULL),
                    ask("k", "mark", "v", "n", "-5", "s", "1", "10", NULL),
                    ask("k", "open", "v", "P", "10x", NULL),
                    ask("k", "nonsense", NULL),
                    ask_mark("k", "n", "1x"),
                    ask_mark("k", "n", ""),
                    {.kind = TT_CMD_MARK, .key = TT_STR("k"), .n_args = 3},
                    {.kind = TT_CMD_SCRIPT, .key = TT_STR("k")}};

    begin(SIZE_MAX);
    for (size_t i = 0; i < TT_COUNT(odd); i++) {
        ck_assert_int_eq(run(1, odd[i])->kind, TT_REPLY_ERROR);
        ck_assert_uint_gt(answers.replies[0].text.n, 0);
    }
    ck_assert_uint_eq(store.count.entries, 0);
    end();
}
END_TEST

START_TEST(a_batch_reads_first_and_answers_in_order)
{
    tt_cmd cmds[] = {ask("a", "lease", "token", "s", "9", NULL), ask("a", NULL), ask("b", NULL),
                     ask("b", "release", "token", NULL)};
    tt_batch batch = {cmds, TT_COUNT(cmds)};

    begin(SIZE_MAX);
    run(1, ask("b", "lease", "token", "s", "9", NULL));
    store_run(&store, &batch, 1, &answers);
    ck_assert(answers.ok);
    ck_assert_int_eq(answers.n, 4);
    ck_assert_mem_eq(answers.epoch.c, EPOCH, TT_EPOCH_BYTES);
    expect(&answers.replies[0], "L1 token s");
    ck_assert_int_eq(answers.replies[1].kind, TT_REPLY_NIL);
    expect(&answers.replies[2], "L1 token s");
    expect(&answers.replies[3], "released");
    end();
}
END_TEST

/* ---- eviction ---- */

START_TEST(sieve_spares_what_was_used)
{
    /* The hand clears the bits of a and c on its way. */
    static const char *const gone[] = {"b", "d", "e", "a", "c"};
    static const char *const fresh[] = {"f", "g", "h", "i", "j"};

    begin(SIZE_MAX);
    for (const char *key = "a\0b\0c\0d\0e\0"; *key; key += 2)
        fill(key);
    run(1, ask("a", NULL));
    run(1, ask("c", NULL));
    store.max_bytes = store.count.bytes;
    for (size_t i = 0; i < TT_COUNT(gone); i++) {
        ck_assert_msg(there(gone[i]), "%s", gone[i]);
        fill(fresh[i]);
        ck_assert_msg(!there(gone[i]), "%s", gone[i]);
        ck_assert_uint_eq(store.count.evictions, i + 1);
        ck_assert_uint_eq(store.count.entries, 5);
        run(1, ask(fresh[i], NULL));
    }
    end();
}
END_TEST

START_TEST(the_expired_go_before_the_used)
{
    begin(SIZE_MAX);
    fill("a");
    fill("b");
    run(1, ask("a", NULL));
    run(1, ask("b", NULL));
    store.max_bytes = store.count.bytes;
    run(1, ask("b", "lease", "token", "another stamp, as long as the other", "2000", NULL));
    run(1, ask("b", NULL));
    run(1002, ask("c", "lease", "token", "a third stamp", "1000", NULL));
    ck_assert(!there("a"));
    ck_assert(there("b") && there("c"));
    end();
}
END_TEST

START_TEST(entries_go_before_tags_and_marks_never)
{
    char key[32];

    begin(SIZE_MAX);
    run(1, ask("term", "open", "v", "?", "0", NULL));
    open_tag("tag-1");
    open_tag("tag-2");
    run(1, ask("marked", "mark", "v", "n", "9", "s", "1", "1000", NULL));
    for (int i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof(key), "e%d", i);
        fill(key);
    }
    store.max_bytes = store.count.bytes;
    for (int i = 0; i < 15; i++) {
        (void)snprintf(key, sizeof(key), "m%d", i);
        ck_assert_int_eq(run(1, ask(key, "mark", "v", "n", "9", "s", "1", "1000", NULL))->kind,
                         TT_REPLY_TEXT);
        ck_assert(there("tag-1") && there("tag-2"));
    }
    for (int i = 15; i < 40; i++) {
        (void)snprintf(key, sizeof(key), "m%d", i);
        if (run(1, ask(key, "mark", "v", "n", "9", "s", "1", "1000", NULL))->kind == TT_REPLY_ERROR)
            break;
    }
    ck_assert_int_eq(answers.replies[0].kind, TT_REPLY_ERROR);
    ck_assert(!there("tag-1") && !there("tag-2") && !there(key));
    ck_assert(there("term") && there("marked"));
    /* A full store can still be bumped: that frees. */
    expect(run(1, ask("marked", "bump", "w", "n", "P", "1000", NULL)), "bumped");
    ck_assert_int_eq(run(1, ask(key, "mark", "v", "n", "9", "s", "1", "1", NULL))->kind,
                     TT_REPLY_TEXT);
    ck_assert(!there("marked"));
    end();
}
END_TEST

START_TEST(tags_that_nobody_reads_do_not_crowd_out_entries)
{
    char key[32];

    begin((size_t)64 * 1024);
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(key, sizeof(key), "t%d", i);
        open_tag(key);
        if (i % 100 == 0 && !there("entry"))
            fill("entry");
        run(1, ask("entry", NULL));
    }
    ck_assert(there("entry"));
    ck_assert_uint_gt(store.tags.bytes, store.max_bytes / 4);
    end();
}
END_TEST

/* ---- the bound ---- */

static size_t sum_of_bytes(void)
{
    size_t sum = store.n_buckets * sizeof(*store.buckets);

    for (size_t i = 0; i < store.n_buckets; i++)
        for (const tt_store_node *n = store.buckets[i]; n; n = n->next)
            sum += offsetof(tt_store_node, bytes) + n->key_bytes + n->value_max + 16;
    return sum;
}

START_TEST(never_more_than_allowed)
{
    static const size_t limits[] = {0, 1, 100, 600, 700, 3000, 50000};
    static char big[8192];
    size_t limit = limits[_i];
    uint64_t random = 7;

    begin(limit);
    memset(big, 'x', sizeof(big) - 1);
    for (int i = 0; i < 20000; i++) {
        uint64_t dice = tt_splitmix64(&random);
        const char *value = big + dice % sizeof(big);
        char key[32];
        const tt_reply *reply;

        (void)snprintf(key, sizeof(key), "k%d", (int)(dice >> 32) % 300);
        if (dice >> 50 & 1)
            run((uint64_t)i, ask(key, "lease", "token", "stamp", "500", NULL));
        if (dice >> 51 & 1)
            run((uint64_t)i, ask(key, "store", "token", value, "5000", NULL));
        if (dice >> 52 & 1)
            run((uint64_t)i, ask(key, "bump", "v", "n", "P", "5000", NULL));
        reply = run((uint64_t)i, ask(key, NULL));
        ck_assert_int_ne(reply->kind, TT_REPLY_ERROR);
        if (i % 64 == 0)
            ck_assert_uint_eq(store.count.bytes, sum_of_bytes());
    }
    ck_assert((limit < 600) == (store.count.entries == 0));
    end();
}
END_TEST

/* ---- memory out ---- */

static const char *const oom_keys[] = {"new-tag",  "marked", "new-mark", "to-mark",
                                       "unmarked", "leased", "entry",    "gone"};

static void oom_setup(void)
{
    run(1, ask("marked", "mark", "v", "n", "9", "s", "1", "1000", NULL));
    run(1, ask("to-mark", "open", "v", "term@a:1,b:2", "1000", NULL));
    run(1, ask("unmarked", "open", "v", "term@a:1,b:2", "1000", NULL));
    run(1, ask("leased", "lease", "token", "s", "1000", NULL));
    run(1, ask("gone", "lease", "token", "s", "1000", NULL));
    run(1, ask("entry", "lease", "token", "s", "1000", NULL));
    run(1, ask("entry", "store", "token",
               "E1 s and a text of some length, so that it is "
               "longer than what is put in its place",
               "1000", NULL));
}

static void oom_batch(void)
{
    char big[500] = {0};
    const char *filler = memset(big, 'x', sizeof(big) - 1);
    tt_cmd cmds[] = {ask("entry", NULL),
                     ask("new-tag", "open", "v", "P", "1000", NULL),
                     ask("marked", "bump", "w", "n", "P", "1000", NULL),
                     ask_mark("new-mark", "n", "1000"),
                     ask_mark("to-mark", "n", "1000"),
                     ask("unmarked", "bump", "v", "n", "term@b:3,c:1", "1000", NULL),
                     ask("leased", "store", "token", filler, "1000", NULL),
                     ask("entry", "lease", "token", "another", "1000", NULL),
                     ask("gone", "release", "token", NULL)};
    tt_batch batch = {cmds, TT_COUNT(cmds)};

    store_run(&store, &batch, 2, &answers);
}

static void copy_values(tt_buf *out)
{
    for (size_t i = 0; i < TT_COUNT(oom_keys); i++) {
        tt_store_node *node = tt_store_find(&store, tt_str_c(oom_keys[i]));

        tt_buf_clear(&out[i]);
        tt_buf_puts(&out[i], node ? "=" : "none");
        if (node)
            tt_buf_put_str(&out[i], tt_store_value(node));
    }
}

static const tt_reply *reply_of(size_t key)
{
    return &answers.replies[key + 1];
}

/* Room for so many allocations: who was refused did nothing, who was answered did it. */
static bool oom_run(long allocations, const tt_buf *before, const tt_buf *after)
{
    tt_buf now[TT_COUNT(oom_keys)];
    bool whole;
    struct oom o;

    oom_arm(&o, 1000);
    tt_store_init(&store, &o.a, test_epoch(), SIZE_MAX);
    answers = (tt_answers){.bytes = tt_buf_init(&o.a)};
    oom_setup();
    tt_buf_free(&answers.bytes);
    tt_buf_free(&store.text);
    o.left = allocations;
    oom_batch();
    whole = answers.ok;
    for (size_t i = 0; i < TT_COUNT(oom_keys); i++)
        now[i] = tt_buf_init(&tt_allocator_libc);
    copy_values(now);
    for (size_t i = 0; i < TT_COUNT(oom_keys); i++) {
        bool done = answers.ok && reply_of(i)->kind == TT_REPLY_TEXT;

        ck_assert_msg(tt_str_eq(tt_buf_str(&now[i]), tt_buf_str(done ? &after[i] : &before[i])),
                      "%s: %s after %ld allocations", oom_keys[i], tt_buf_cstr(&now[i]),
                      allocations);
        whole = whole && done;
        tt_buf_free(&now[i]);
    }
    if (answers.ok && answers.replies[0].kind == TT_REPLY_TEXT)
        ck_assert(tt_str_has_prefix(answers.replies[0].text, TT_STR("E1 s and")));
    ck_assert_int_eq(answers.n, answers.ok ? 9 : 0);
    tt_store_free(&store);
    tt_buf_free(&answers.bytes);
    ck_assert_int_eq(o.live, 0);
    return whole;
}

START_TEST(without_memory_nothing_is_half_done)
{
    tt_buf before[TT_COUNT(oom_keys)], after[TT_COUNT(oom_keys)];
    long allocations = 0;

    for (size_t i = 0; i < TT_COUNT(oom_keys); i++)
        before[i] = after[i] = tt_buf_init(&tt_allocator_libc);
    begin(SIZE_MAX);
    oom_setup();
    copy_values(before);
    oom_batch();
    copy_values(after);
    end();
    while (!oom_run(allocations, before, after))
        allocations++;
    ck_assert_int_gt(allocations, 5);
    for (size_t i = 0; i < TT_COUNT(oom_keys); i++) {
        tt_buf_free(&before[i]);
        tt_buf_free(&after[i]);
    }
}
END_TEST

START_TEST(the_first_write_without_memory)
{
    tt_cmd cmd = ask("t", "open", "v", "P", "1000", NULL);
    tt_batch batch = {&cmd, 1};
    struct oom o;
    long allocations = 0;

    do {
        oom_arm(&o, allocations++);
        tt_store_init(&store, &o.a, test_epoch(), SIZE_MAX);
        answers = (tt_answers){.bytes = tt_buf_init(&o.a)};
        store_run(&store, &batch, 1, &answers);
        ck_assert_int_eq(answers.ok, there("t"));
        tt_store_free(&store);
        tt_buf_free(&answers.bytes);
        ck_assert_int_eq(o.live, 0);
    } while (!answers.ok);
    ck_assert_int_eq(allocations, 5); /* the text, the reply, the table, the block */
}
END_TEST

/* ---- what it costs ---- */

struct meter {
    size_t bytes;
};

static void *meter_alloc(void *ctx, size_t n)
{
    void *p = malloc(n);

    if (p)
        ((struct meter *)ctx)->bytes += malloc_usable_size(p) + sizeof(size_t);
    return p;
}

static void meter_release(void *ctx, void *p)
{
    ((struct meter *)ctx)->bytes -= malloc_usable_size(p) + sizeof(size_t);
    free(p);
}

static void *meter_resize(void *ctx, void *p, size_t n)
{
    size_t before = malloc_usable_size(p);
    void *q = realloc(p, n);

    if (q)
        ((struct meter *)ctx)->bytes += malloc_usable_size(q) - before;
    return q;
}

static const size_t value_sizes[] = {100, 1000, 4000};

/* Entries only; a key is a namespace and 128 bits as text. Both just before and just after the
 * table has grown. */
START_TEST(overhead)
{
    static const int counts[] = {16384, 16385};
    size_t size = value_sizes[_i / 2];
    int n = counts[_i % 2];
    struct meter meter = {0};
    tt_allocator a = {meter_alloc, meter_resize, meter_release, &meter};
    char *value = malloc(size + 1), key[64];
    size_t key_bytes = 0, text_bytes = (size_t)n * size;

    begin(SIZE_MAX);
    store.a = &a;
    ck_assert_ptr_nonnull(value);
    memset(value, 'x', size);
    value[size] = '\0';
    for (int i = 0; i < n; i++) {
        (void)snprintf(key, sizeof(key), "shop:e1:%032x", (unsigned)i);
        key_bytes += strlen(key);
        run(1, ask(key, "lease", "token", "stamp", "1000", NULL));
        run(1, ask(key, "store", "token", value, "1000", NULL));
    }
    (void)fprintf(
        stderr,
        "store: %d entries of %zu bytes: %.3f x their bytes, %.1f bytes more for each, of "
        "these %.1f the key; accounted %.3f of what was allocated\n",
        n, size, (double)meter.bytes / (double)text_bytes, (double)(meter.bytes - text_bytes) / n,
        (double)key_bytes / n, (double)store.count.bytes / (double)meter.bytes);
    ck_assert_uint_le(meter.bytes * 5, (key_bytes + text_bytes) * 6 + (size_t)n * 500);
    ck_assert_uint_le(meter.bytes, key_bytes + text_bytes + (size_t)n * 90);
    free(value);
    end();
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("store");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, lives_to_its_last_millisecond);
    tcase_add_test(t, what_expired_goes_without_being_asked_for);
    tcase_add_test(t, a_mark_ends_expiry_and_a_bump_begins_it);
    tcase_add_test(t, a_plain_mark_needs_no_tag);
    tcase_add_test(t, of_a_later_protocol_only_the_mark_is_taken_away);
    tcase_add_test(t, odd_commands_are_errors_and_do_nothing);
    tcase_add_test(t, a_batch_reads_first_and_answers_in_order);
    tcase_add_test(t, sieve_spares_what_was_used);
    tcase_add_test(t, the_expired_go_before_the_used);
    tcase_add_test(t, entries_go_before_tags_and_marks_never);
    tcase_add_test(t, tags_that_nobody_reads_do_not_crowd_out_entries);
    tcase_add_loop_test(t, never_more_than_allowed, 0, 7);
    tcase_add_test(t, without_memory_nothing_is_half_done);
    tcase_add_test(t, the_first_write_without_memory);
    tcase_add_loop_test(t, overhead, 0, (int)TT_COUNT(value_sizes) * 2);
    return suite_run("store", t);
}
