#include "unit/suite.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "core/tag.h"
#include "svc/local.h"
#include "unit/oom.h"
#include "unit/store_support.h"

enum { THREADS = 8, ROUNDS = 400, TAGS = 20 };

static tt_local *local;
static tt_cache cache;

static void begin(size_t max_bytes)
{
    ck_assert_int_eq(
        tt_local_new(&tt_allocator_libc, &tt_clock_system, &tt_rng_kernel, max_bytes, &local), 0);
    cache = tt_local_cache(local);
}

static void call(const tt_batch *batch, tt_answers *out)
{
    ck_assert_int_eq(cache.call(cache.ctx, batch, 0, out), 0);
    ck_assert(out->ok && out->n == batch->n);
}

/* The reply to one command, as text that the caller frees; NULL: nil. */
static char *one(tt_cmd cmd)
{
    tt_answers out = tt_answers_init(&tt_allocator_libc);
    tt_batch batch = {&cmd, 1};
    char *text = NULL;

    call(&batch, &out);
    ck_assert_int_ne(out.replies[0].kind, TT_REPLY_ERROR);
    if (out.replies[0].kind == TT_REPLY_TEXT)
        text = tt_strndup(&tt_allocator_libc, out.replies[0].text.p, out.replies[0].text.n);
    tt_buf_free(&out.bytes);
    return text;
}

static void together(void *(*work)(void *))
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
}

/* ---- writers and readers of the same tags ---- */

static char tag_keys[TAGS][32];

static int tag_batch(tt_cmd *cmds, tt_cmd like)
{
    for (int i = 0; i < TAGS; i++) {
        cmds[i] = like;
        cmds[i].key = tt_str_c(tag_keys[i]);
    }
    return TAGS;
}

static bool names_mark(tt_str text, tt_str nonce)
{
    return text.n && memmem(text.p, text.n, nonce.p, nonce.n) != NULL;
}

/* Mark, see the own mark, bump, see it gone. */
static void *write_tags(void *arg)
{
    tt_answers out = tt_answers_init(&tt_allocator_libc);
    tt_cmd cmds[TAGS];

    (void)arg;
    for (int round = 0; round < ROUNDS; round++) {
        tt_nonce nonce = tt_nonce_new(&tt_rng_kernel), version = tt_nonce_new(&tt_rng_kernel);
        tt_cmd mark = round % 2 ? ask("", "mark", "v", "", "30000", "server", "17", "60000", NULL)
                                : ask_mark("", "", "30000");
        tt_cmd bump = ask("", "bump", "", "", "P", "60000", NULL);
        tt_batch batch = {cmds, 0};
        tt_tag tag;

        bump.args[1] = tt_str_n(version.c, TT_NONCE_BYTES);
        bump.args[2] = tt_str_n(nonce.c, TT_NONCE_BYTES);
        if (mark.kind == TT_CMD_SCRIPT)
            mark.args[1] = bump.args[1];
        mark.args[round % 2 ? 2 : 0] = bump.args[2];
        batch.n = tag_batch(cmds, mark);
        call(&batch, &out);
        for (int i = 0; i < out.n; i++)
            ck_assert(names_mark(out.replies[i].text, bump.args[2]));
        batch.n = tag_batch(cmds, bump);
        call(&batch, &out);
        for (int i = 0; i < out.n; i++)
            ck_assert(tt_str_eq(out.replies[i].text, TT_STR("bumped")));
        batch.n = tag_batch(cmds, ask("", NULL));
        call(&batch, &out);
        for (int i = 0; i < out.n; i++) {
            ck_assert_int_eq(tt_tag_parse(out.replies[i].text, &tag), TT_TAG_VALID);
            ck_assert(tt_tag_of_epoch(&tag, out.epoch));
            ck_assert(!names_mark(tag.marks, bump.args[2]));
        }
    }
    tt_buf_free(&out.bytes);
    return NULL;
}

START_TEST(threads_share_tags)
{
    begin((size_t)1024 * 1024);
    for (int i = 0; i < TAGS; i++)
        (void)snprintf(tag_keys[i], sizeof(tag_keys[i]), "tag%d", i);
    together(write_tags);
    for (int i = 0; i < TAGS; i++) {
        char *text = one(ask(tag_keys[i], NULL));
        tt_tag tag;

        ck_assert_int_eq(tt_tag_parse(tt_str_c(text), &tag), TT_TAG_VALID);
        ck_assert_uint_eq(tag.marks.n, 0);
        free(text);
    }
    ck_assert_uint_eq(tt_local_count(local).entries, TAGS);
    tt_local_free(local, false);
}
END_TEST

/* ---- one of many gets the lease, under eviction ---- */

static atomic_int granted[ROUNDS], stored;

static void *fill_entries(void *arg)
{
    char token[32], key[32];
    static const char value[] = "E1 s, then some bytes that take the place of others' bytes";

    (void)snprintf(token, sizeof(token), "token%d", (int)(size_t)arg);
    for (int i = 0; i < ROUNDS; i++) {
        char *held, *outcome;

        (void)snprintf(key, sizeof(key), "entry%d", i);
        held = one(ask(key, "lease", token, "s", "60000", NULL));
        if (held && held[0] == 'L' && memcmp(held + 3, token, strlen(token)) == 0) {
            atomic_fetch_add(&granted[i], 1);
            outcome = one(ask(key, "store", token, value, "60000", NULL));
            atomic_fetch_add(&stored, strcmp(outcome, "stored") == 0);
            free(outcome);
        }
        free(held);
    }
    return NULL;
}

START_TEST(one_of_many_gets_the_lease)
{
    begin((size_t)16 * 1024 * 1024);
    together(fill_entries);
    for (int i = 0; i < ROUNDS; i++)
        ck_assert_int_eq(granted[i], 1);
    ck_assert_int_eq(stored, ROUNDS);
    ck_assert_uint_eq(tt_local_count(local).evictions, 0);
    tt_local_free(local, false);
}
END_TEST

START_TEST(the_bound_holds_for_all_together)
{
    const size_t max_bytes = (size_t)64 * 1024;

    begin(max_bytes);
    together(fill_entries);
    ck_assert_uint_gt(tt_local_count(local).evictions, 0);
    ck_assert_uint_le(tt_local_count(local).bytes, max_bytes);
    tt_local_free(local, true);
}
END_TEST

/* ---- the two functions ---- */

static void count_answers(void *ctx, const tt_answers *out)
{
    int *calls = ctx;

    ck_assert(out->ok && out->n == 2);
    ck_assert_int_eq(out->replies[0].kind, TT_REPLY_TEXT);
    (*calls)++;
    if (*calls == 1) { /* it may post */
        tt_cmd cmds[] = {ask("a", "open", "v", "P", "9", NULL), ask("z", NULL)};
        tt_batch batch = {cmds, 2};

        ck_assert_int_eq(cache.post(cache.ctx, &batch, count_answers, ctx), 0);
    }
}

START_TEST(a_post_is_done_when_it_returns)
{
    tt_cmd cmds[] = {ask("a", "open", "v", "P", "9", NULL), ask("b", NULL)};
    tt_batch batch = {cmds, 2};
    int calls = 0;

    begin((size_t)1024 * 1024);
    ck_assert_int_eq(cache.post(cache.ctx, &batch, count_answers, &calls), 0);
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(cache.post(cache.ctx, &batch, NULL, NULL), 0);
    batch.n = TT_BATCH_MAX + 1;
    ck_assert_int_eq(cache.post(cache.ctx, &batch, count_answers, &calls), TT_E_ARGUMENT);
    ck_assert_int_eq(calls, 2);
    tt_local_free(local, false);
    tt_local_free(NULL, false);
}
END_TEST

static void see_failure(void *ctx, const tt_answers *out)
{
    *(bool *)ctx = !out->ok;
}

START_TEST(without_memory_it_says_so)
{
    tt_cmd cmd = ask("a", "open", "v", "P", "9", NULL);
    tt_batch batch = {&cmd, 1};
    tt_answers out;
    bool failed = false;
    struct oom o;

    oom_arm(&o, 0);
    ck_assert_int_eq(tt_local_new(&o.a, &tt_clock_system, &tt_rng_kernel, 1 << 20, &local),
                     TT_E_NOMEM);
    oom_arm(&o, 1);
    ck_assert_int_eq(tt_local_new(&o.a, &tt_clock_system, &tt_rng_kernel, 1 << 20, &local), 0);
    out = tt_answers_init(&o.a);
    ck_assert_int_eq(tt_local_call(local, &batch, &out), TT_E_NOMEM);
    ck_assert(!out.ok);
    ck_assert_int_eq(tt_local_post(local, &batch, see_failure, &failed), 0);
    ck_assert(failed);
    tt_buf_free(&out.bytes);
    tt_local_free(local, false);
    ck_assert_int_eq(o.live, 0);
}
END_TEST

START_TEST(two_of_them_have_different_epochs)
{
    tt_cmd cmd = ask("a", NULL);
    tt_batch batch = {&cmd, 1};
    tt_answers one_of = tt_answers_init(&tt_allocator_libc), other = one_of;
    tt_local *first;

    begin(1 << 20);
    call(&batch, &one_of);
    first = local;
    begin(1 << 20);
    call(&batch, &other);
    ck_assert_mem_ne(one_of.epoch.c, other.epoch.c, TT_EPOCH_BYTES);
    tt_local_free(first, false);
    tt_local_free(local, false);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("local");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, threads_share_tags);
    tcase_add_test(t, one_of_many_gets_the_lease);
    tcase_add_test(t, the_bound_holds_for_all_together);
    tcase_add_test(t, a_post_is_done_when_it_returns);
    tcase_add_test(t, without_memory_it_says_so);
    tcase_add_test(t, two_of_them_have_different_epochs);
    return suite_run("local", t);
}
