/* Whatever lies in Redis under our keys: a read is right, a write invalidates or is refused,
 * nothing crashes, and the cache mends itself. Only who can write well-formed entries with a right
 * checksum can make us believe them. */
#include "integration/api_support.h"

#include "base/buf.h"
#include "core/entry.h"
#include "core/result.h"

enum { HUGE_BYTES = 8 << 20, MENDS_MS = 20000 };

/* A client with item 1 in the cache, and its keys. */
typedef struct scene {
    tt_client *c;
    redisContext *redis;
    char entry[128], tag[128], term[128];
    char *good; /* the entry */
    size_t good_n;
    int64_t v;
} scene;

static redisReply *say(scene *s, const char *format, const char *key, const char *p, size_t n)
{
    redisReply *r = redisCommand(s->redis, format, key, p, n);

    ck_assert_msg(r && r->type != REDIS_REPLY_ERROR, "%s: %s", format, r ? r->str : "lost");
    return r;
}

static void put_bytes(scene *s, const char *key, const char *p, size_t n)
{
    freeReplyObject(say(s, "SET %s %b", key, p, n));
}

static void take_entry(scene *s)
{
    redisReply *r = say(s, "GET %s", s->entry, NULL, 0);

    ck_assert_int_eq(r->type, REDIS_REPLY_STRING);
    free(s->good);
    s->good = malloc(r->len);
    memcpy(s->good, r->str, r->len);
    s->good_n = r->len;
    freeReplyObject(r);
}

static void find_entry(scene *s, const char *name_space)
{
    char pattern[128];
    redisReply *r;

    (void)snprintf(pattern, sizeof(pattern), "%s:e:*", name_space);
    r = say(s, "KEYS %s", pattern, NULL, 0);
    ck_assert_uint_eq(r->elements, 1);
    (void)snprintf(s->entry, sizeof(s->entry), "%s", r->element[0]->str);
    freeReplyObject(r);
    (void)snprintf(s->tag, sizeof(s->tag), "%s:t:item:1", name_space);
    (void)snprintf(s->term, sizeof(s->term), "%s:term", name_space);
}

static void scene_new(scene *s)
{
    tt_config *cfg = config_new();
    char name_space[64];

    memset(s, 0, sizeof(*s));
    config_namespace(cfg, name_space, sizeof(name_space));
    config_put(cfg, "cache.lease_timeout", "100ms");
    s->c = client_of(cfg);
    s->redis = redis_raw();
    s->v = 10;
    ck_assert(item_hits(s->c, 1, 10, MENDS_MS));
    find_entry(s, name_space);
    take_entry(s);
}

static void scene_free(scene *s)
{
    tt_client_close(s->c);
    redisFree(s->redis);
    free(s->good);
}

/* Reads are right, and the cache is in use again soon. */
static void expect_mends(scene *s, const char *what)
{
    for (int i = 0; i < 3; i++)
        ck_assert_msg(item(s->c, NULL, 1, NULL) == s->v, "%s: wrong data", what);
    ck_assert_msg(item_hits(s->c, 1, s->v, MENDS_MS), "%s: no hit any more", what);
}

/* The same, after a write that has invalidated what there is. */
static void expect_writes(scene *s, const char *what)
{
    ck_assert_msg(item_put(s->c, NULL, 1, ++s->v) == TT_INVALIDATED_DONE, "%s", what);
    expect_mends(s, what);
}

/* ---- entries -----------------------------------------------------------------------------------
 */

static void noise(char *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245 + 12345;
        p[i] = (char)(seed >> 16);
    }
}

START_TEST(entries_of_noise)
{
    char bytes[400];
    scene s;

    scene_new(&s);
    for (unsigned i = 0; i < 12; i++) {
        noise(bytes, sizeof(bytes), i);
        if (i >= 4)
            memcpy(bytes, "E1 ", 3);
        if (i >= 8)
            memcpy(bytes, "E1 02 ", 6);
        put_bytes(&s, s.entry, bytes, i % 4 * 130);
        expect_mends(&s, "noise");
    }
    expect_writes(&s, "noise");
    scene_free(&s);
}
END_TEST

START_TEST(entries_cut_short)
{
    scene s;

    scene_new(&s);
    for (size_t n = 0; n < s.good_n; n += 1 + n / 4) {
        put_bytes(&s, s.entry, s.good, n);
        expect_mends(&s, "cut short");
        take_entry(&s);
    }
    put_bytes(&s, s.entry, s.good, s.good_n - 1);
    expect_mends(&s, "cut short by one");
    scene_free(&s);
}
END_TEST

START_TEST(entries_with_a_flipped_bit)
{
    scene s;

    scene_new(&s);
    for (size_t at = 0; at < s.good_n; at += 11) {
        s.good[at] = (char)(s.good[at] ^ 4);
        put_bytes(&s, s.entry, s.good, s.good_n);
        expect_mends(&s, "a flipped bit");
        take_entry(&s);
    }
    scene_free(&s);
}
END_TEST

/* An entry with another payload or key, and a right checksum. */
static void put_forged(scene *s, const tt_str *payload, const tt_str *key)
{
    tt_buf out = tt_buf_init(libc);
    tt_entry e;

    ck_assert(tt_entry_parse(tt_str_n(s->good, s->good_n), &e));
    if (payload)
        e.payload = *payload;
    if (key)
        e.key = *key;
    tt_entry_write(&e, &out);
    put_bytes(s, s->entry, out.p, out.n);
    tt_buf_free(&out);
}

START_TEST(forged_payloads)
{
    char bytes[300];
    tt_str payload;
    tt_entry e;
    scene s;

    scene_new(&s);
    for (unsigned i = 0; i < 6; i++) {
        noise(bytes, sizeof(bytes), i);
        payload = tt_str_n(bytes, i * 60);
        put_forged(&s, &payload, NULL);
        expect_mends(&s, "a payload of noise");
        take_entry(&s);
    }
    ck_assert(tt_entry_parse(tt_str_n(s.good, s.good_n), &e));
    ck_assert_uint_lt(e.payload.n, sizeof(bytes));
    memcpy(bytes, e.payload.p, e.payload.n);
    for (size_t n = 0; n < e.payload.n; n += 8) {
        payload = tt_str_n(bytes, n);
        put_forged(&s, &payload, NULL);
        expect_mends(&s, "a payload cut short");
    }
    scene_free(&s);
}
END_TEST

/* Does [p, p + n) lie within the bytes of the result? NULL for nothing does. */
static bool is_inside(const tt_result *r, const void *p, size_t n)
{
    tt_str all = tt_result_encoded(r);
    const char *at = p;

    return !p || (at >= all.p && n <= all.n && (size_t)(at - all.p) <= all.n - n);
}

/* Every getter, on every value: what it gives lies within the result, and a zero follows bytes. */
static void walk_value(const tt_result *r, size_t row, size_t column)
{
    const char *p;
    tt_time t;
    int64_t i;
    uint64_t u;
    double f;
    size_t n;

    (void)tt_result_is_null(r, row, column);
    (void)tt_result_int(r, row, column, &i);
    (void)tt_result_uint(r, row, column, &u);
    (void)tt_result_double(r, row, column, &f);
    (void)tt_result_time(r, row, column, &t);
    if (tt_result_bytes(r, row, column, &p, &n) == 0) {
        ck_assert(is_inside(r, p, n + 1));
        ck_assert_int_eq(p[n], '\0');
    }
}

static void walk(const tt_result *r)
{
    size_t n_rows = tt_result_rows(r), columns = tt_result_columns(r);

    ck_assert_uint_le(columns, TT_COLUMNS_MAX);
    for (size_t column = 0; column < columns; column++) {
        const char *name = tt_result_name(r, column);
        tt_column whole = TT_COLUMN_INIT;

        ck_assert(is_inside(r, name, strlen(name) + 1));
        ck_assert_int_eq(tt_result_column(r, column, &whole), 0);
        ck_assert_uint_eq(whole.rows, n_rows);
        ck_assert(is_inside(r, whole.validity, (n_rows + 7) / 8));
        ck_assert(is_inside(r, whole.offsets, (n_rows + 1) * 4));
        for (size_t row = 0; row < n_rows; row++)
            walk_value(r, row, column);
    }
}

/* Every bit; where that takes long (under valgrind) some, spread over all. */
static size_t stride_of(size_t bits)
{
    return (bits / (size_t)suite_rounds((int)bits)) | 1;
}

/* The forged entry is read: it was taken for what it says, or it counts as none. */
static bool is_believed(scene *s)
{
    static const char *const tags[] = {"item:{1}"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_read_info info = TT_READ_INFO_INIT;
    tt_value param = tt_int(1);
    tt_result *r = NULL;
    bool hit, right;
    int64_t v = -1;

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 1;
    EXPECT(tt_query_read(s->c, NULL, SELECT_ITEM, &param, 1, &o, &r, &info, &err), 0);
    walk(r);
    hit = info.source == TT_SOURCE_REDIS;
    right = tt_result_rows(r) == 1 && tt_result_int(r, 0, 1, &v) == 0 && v == s->v;
    ck_assert_msg(hit || right, "wrong rows, though not from the cache");
    tt_result_free(r);
    return !right;
}

/* Bits of a payload under a right checksum, as only somebody can make it who may write to Redis:
 * the checksum is against accidents. Against attackers the structure is checked, no more: a flipped
 * bit of a value is believed. So what is asserted here is that a payload is either refused, and the
 * rows come from the database, or safe to read to its last byte. */
START_TEST(forged_bits)
{
    char bytes[300];
    int believed = 0, refused = 0;
    tt_entry e;
    scene s;

    scene_new(&s);
    ck_assert(tt_entry_parse(tt_str_n(s.good, s.good_n), &e));
    ck_assert_uint_lt(e.payload.n, sizeof(bytes));
    for (size_t at = 0; at < 8 * e.payload.n; at += stride_of(8 * e.payload.n)) {
        tt_str payload = tt_str_n(bytes, e.payload.n);

        memcpy(bytes, e.payload.p, e.payload.n);
        bytes[at / 8] = (char)(bytes[at / 8] ^ (1 << at % 8));
        put_forged(&s, &payload, NULL);
        if (is_believed(&s))
            believed++;
        else
            refused++;
    }
    if (stride_of(8 * e.payload.n) == 1) {
        ck_assert_int_gt(refused, 8 * 8); /* the first of the header at least */
        ck_assert_int_ge(believed, 64);   /* the 64 bits of the value */
    }
    expect_writes(&s, "forged bits");
    scene_free(&s);
}
END_TEST

/* The same accident without a right checksum: whatever the bit, the rows are right. */
START_TEST(flipped_bits)
{
    scene s;

    scene_new(&s);
    for (size_t at = 0; at < 8 * s.good_n; at += 3 * stride_of(8 * s.good_n)) {
        char bit = (char)(1 << at % 8);

        s.good[at / 8] = (char)(s.good[at / 8] ^ bit);
        put_bytes(&s, s.entry, s.good, s.good_n);
        s.good[at / 8] = (char)(s.good[at / 8] ^ bit);
        ck_assert_msg(!is_believed(&s), "bit %zu of byte %zu was believed", at % 8, at / 8);
    }
    expect_writes(&s, "flipped bits");
    scene_free(&s);
}
END_TEST

START_TEST(entry_of_another_read)
{
    scene s;
    tt_str other = TT_STR("the key of another read with the same hash");

    scene_new(&s);
    put_forged(&s, NULL, &other);
    expect_mends(&s, "another key");
    take_entry(&s);
    other = TT_STR("");
    put_forged(&s, NULL, &other);
    expect_mends(&s, "no key");
    scene_free(&s);
}
END_TEST

/* ---- any key -----------------------------------------------------------------------------------
 */

/* Which key, by number. */
static const char *key_of(const scene *s, int which)
{
    return which == 0 ? s->entry : which == 1 ? s->tag : s->term;
}

START_TEST(wrong_types)
{
    static const char *const made[] = {"LPUSH %s a", "SADD %s a", "HSET %s a b", "XADD %s * a b",
                                       "ZADD %s 1 a"};
    scene s;

    scene_new(&s);
    for (size_t i = 0; i < TT_COUNT(made); i++) {
        const char *key = key_of(&s, _i);

        freeReplyObject(say(&s, "DEL %s", key, NULL, 0));
        freeReplyObject(say(&s, made[i], key, NULL, 0));
        ck_assert_int_eq(item(s.c, NULL, 1, NULL), s.v);
        expect_mends(&s, made[i]);
        freeReplyObject(say(&s, "DEL %s", key, NULL, 0));
        freeReplyObject(say(&s, made[i], key, NULL, 0));
        expect_writes(&s, made[i]);
    }
    scene_free(&s);
}
END_TEST

/* Larger than any value of ours: whoever asks for it loses the connection. Reads go around it; with
 * the key gone all is well again. */
START_TEST(huge_values)
{
    char *bytes = malloc(HUGE_BYTES);
    tt_error e = TT_ERROR_INIT;
    scene s;

    scene_new(&s);
    noise(bytes, HUGE_BYTES, 7);
    for (int i = 0; i < 2; i++) {
        if (i == 1)
            memcpy(bytes, _i == 0 ? "E1 " : "T1 ", 3);
        put_bytes(&s, key_of(&s, _i), bytes, HUGE_BYTES);
        for (int j = 0; j < 5; j++)
            ck_assert_int_eq(item(s.c, NULL, 1, NULL), s.v);
        if (item_write(s.c, NULL, 1, s.v + 1, 0, NULL, &e) == 0)
            s.v++;
        else
            ck_assert_int_eq(e.code, TT_E_CACHE_UNAVAILABLE);
        ck_assert_int_eq(item(s.c, NULL, 1, NULL), s.v);
        freeReplyObject(say(&s, "DEL %s", key_of(&s, _i), NULL, 0));
        expect_mends(&s, "huge");
    }
    free(bytes);
    scene_free(&s);
}
END_TEST

START_TEST(garbage_in_tags)
{
    static const char *const garbage[] = {
        "",
        " ",
        "T",
        "T1",
        "T1 ",
        "T1 short",
        "T1 0123456789abcdef",
        "hello",
        "E1 x",
        "L1 0123456789abcdef 02 ",
        "T1 0123456789abcdef 0123456789abcdef0123456789abcdef P",
        "\x00\xff\n\r",
        " 0123456789abcdef,1,x,1", /* what a dead writer leaves where there was no tag */
        " 0123456789abcdef,1,x,1 fedcba9876543210,2,x,1",
        " 0123456789abcdef,1,x,1 junk",
        " 0123456789abcdef,1,x,",
    };
    scene s;

    scene_new(&s);
    for (size_t i = 0; i < TT_COUNT(garbage); i++) {
        put_bytes(&s, key_of(&s, _i), garbage[i], strlen(garbage[i]));
        expect_mends(&s, garbage[i]);
        put_bytes(&s, key_of(&s, _i), garbage[i], strlen(garbage[i]));
        expect_writes(&s, garbage[i]);
    }
    scene_free(&s);
}
END_TEST

/* What is right of the tag, and then something else in place of its barrier and marks. */
START_TEST(garbage_in_barriers)
{
    /* The last three are marks that nobody can settle: they stay, and no entry is made. */
    static const char *const tails[] = {
        "x",   "0123456789abcdef@", "0123456789abcdef@0-1-99999999999",
        "P x", "P x,1,y,z",         "P 0123456789abcdef,99999999999999999999,a,1"};
    char value[256];
    scene s;

    scene_new(&s);
    for (size_t i = 0; i < TT_COUNT(tails); i++) {
        redisReply *r = say(&s, "GET %s", s.tag, NULL, 0);
        const char *epoch = r->len > 21 ? strchr(r->str + 21, ' ') : NULL;

        ck_assert_ptr_nonnull(epoch);
        (void)snprintf(value, sizeof(value), "%.*s %s", (int)(epoch - r->str), r->str, tails[i]);
        freeReplyObject(r);
        put_bytes(&s, s.tag, value, strlen(value));
        ck_assert_int_eq(item(s.c, NULL, 1, NULL), s.v);
        if (i >= 3) {
            ck_assert_int_eq(item_put(s.c, NULL, 1, ++s.v), TT_INVALIDATED_DONE);
            ck_assert_int_eq(item(s.c, NULL, 1, NULL), s.v);
            freeReplyObject(say(&s, "DEL %s", s.tag, NULL, 0));
        }
        expect_writes(&s, tails[i]);
    }
    scene_free(&s);
}
END_TEST

/* Marks that were left at it may take a moment to be withdrawn. */
static void expect_left_alone(scene *s, const char *text)
{
    for (int i = 0;; i++) {
        redisReply *r = say(s, "GET %s", s->tag, NULL, 0);
        bool same = strcmp(r->str, text) == 0;

        ck_assert_msg(same || i < MENDS_MS / 10, "%s", r->str);
        freeReplyObject(r);
        if (same)
            return;
        pause_ms(10);
    }
}

/* A tag, or the term, of a later version of the protocol: reads go around the cache, writes are
 * refused before anything is sent; with the key gone all is well again. */
START_TEST(later_protocol)
{
    const char *text = "T2 what a later version keeps here";
    tt_read_info info = TT_READ_INFO_INIT;
    scene s;

    scene_new(&s);
    put_bytes(&s, key_of(&s, _i), text, strlen(text));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(item(s.c, NULL, 1, &info), s.v);
        ck_assert_int_ge(info.source, TT_SOURCE_REPLICA);
    }
    EXPECT(item_write(s.c, NULL, 1, 99, 0, NULL, &err), TT_E_CACHE_UNAVAILABLE);
    ck_assert_int_eq(item(s.c, NULL, 1, NULL), s.v);
    EXPECT(
        tt_query_write(s.c, NULL, "UPDATE items SET v = v WHERE id = 2", NULL, 0, NULL, NULL, &err),
        _i == 1 ? 0 : TT_E_CACHE_UNAVAILABLE);
    if (_i == 1)
        expect_left_alone(&s, text);
    freeReplyObject(say(&s, "DEL %s", key_of(&s, _i), NULL, 0));
    expect_mends(&s, "after the later protocol");
    expect_writes(&s, "after the later protocol");
    scene_free(&s);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_hostile");
    int rc;

    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_test(t, entries_of_noise);
    tcase_add_test(t, entries_cut_short);
    tcase_add_test(t, entries_with_a_flipped_bit);
    tcase_add_test(t, forged_payloads);
    tcase_add_test(t, forged_bits);
    tcase_add_test(t, flipped_bits);
    tcase_add_test(t, entry_of_another_read);
    tcase_add_loop_test(t, wrong_types, 0, 3);
    tcase_add_loop_test(t, huge_values, 0, 3);
    tcase_add_loop_test(t, garbage_in_tags, 1, 3);
    tcase_add_test(t, garbage_in_barriers);
    tcase_add_loop_test(t, later_protocol, 1, 3);
    servers_up("");
    rc = suite_run("api_hostile", t);
    servers_down();
    return rc;
}
