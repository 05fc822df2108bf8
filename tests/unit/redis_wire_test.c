#include "unit/suite.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drv/cache.h"

#define SHA "0123456789abcdef0123456789abcdef01234567"
#define MAX_BYTES 1000

static tt_cmd get(const char *key)
{
    return (tt_cmd){.kind = TT_CMD_GET, .key = tt_str_c(key)};
}

static tt_cmd script(const char *key, const char *verb, const char *arg)
{
    tt_cmd c = {.kind = TT_CMD_SCRIPT, .key = tt_str_c(key), .n_args = arg ? 2 : 1};

    c.args[0] = tt_str_c(verb);
    if (arg)
        c.args[1] = tt_str_c(arg);
    return c;
}

static tt_cmd mark(const char *key, const char *timeout_ms)
{
    return (tt_cmd){.kind = TT_CMD_MARK,
                    .key = tt_str_c(key),
                    .n_args = 4,
                    .args = {TT_STR("nonce"), tt_str_c(timeout_ms), TT_STR("server"), TT_STR("7")}};
}

static const tt_cache_dress dress = {
    {SHA, sizeof(SHA) - 1},
    {{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'}},
    UINT64_C(1700000000000)};

/* ---- bytes out ------------------------------------------------------------------------------ */

START_TEST(gets_become_one_mget_before_the_scripts)
{
    tt_cmd cmds[] = {script("t", "bump", "v1"), get("k1"), script("u", "see", NULL), get("")};
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_cache_shape shape;

    ck_assert(tt_cache_format(&(tt_batch){cmds, 4}, &dress, &out, &shape));
    ck_assert_str_eq(
        tt_buf_cstr(&out),
        "*3\r\n$4\r\nMGET\r\n$2\r\nk1\r\n$0\r\n\r\n"
        "*7\r\n$7\r\nEVALSHA\r\n$40\r\n" SHA
        "\r\n$1\r\n1\r\n$1\r\nt\r\n$4\r\nbump\r\n$16\r\n0123456789abcdef\r\n$2\r\nv1\r\n"
        "*6\r\n$7\r\nEVALSHA\r\n$40\r\n" SHA
        "\r\n$1\r\n1\r\n$1\r\nu\r\n$3\r\nsee\r\n$16\r\n0123456789abcdef\r\n");
    ck_assert_uint_eq(shape.n, 4);
    ck_assert_uint_eq(shape.n_gets, 2);
    ck_assert(!shape.load);
    ck_assert_mem_eq(shape.place, "\x01\x03\x00\x02", 4);
    tt_buf_free(&out);
}
END_TEST

START_TEST(a_mark_is_appended_then_kept_then_looked_at)
{
    tt_cmd cmds[] = {script("u", "see", NULL), mark("t", "30000"), get("k")};
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_cache_shape shape;

    ck_assert(tt_cache_format(&(tt_batch){cmds, 3}, &dress, &out, &shape));
    ck_assert_str_eq(tt_buf_cstr(&out),
                     "*2\r\n$4\r\nMGET\r\n$1\r\nk\r\n"
                     "*3\r\n$6\r\nAPPEND\r\n$1\r\nt\r\n"
                     "$29\r\n nonce,1700000030000,server,7\r\n"
                     "*2\r\n$7\r\nPERSIST\r\n$1\r\nt\r\n"
                     "*2\r\n$3\r\nGET\r\n$1\r\nt\r\n"
                     "*6\r\n$7\r\nEVALSHA\r\n$40\r\n" SHA
                     "\r\n$1\r\n1\r\n$1\r\nu\r\n$3\r\nsee\r\n$16\r\n0123456789abcdef\r\n");
    ck_assert_uint_eq(shape.n, 3);
    ck_assert_uint_eq(shape.n_gets, 1);
    ck_assert_uint_eq(shape.n_marks, 1);
    ck_assert(!shape.load && !shape.time);
    ck_assert_mem_eq(shape.place, "\x02\x01\x00", 3);
    tt_buf_free(&out);
}
END_TEST

START_TEST(the_largest_batch_fits_its_bound)
{
    static tt_cmd cmds[TT_BATCH_MAX];
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_cache_shape shape;

    for (int i = 0; i < TT_BATCH_MAX; i++) {
        cmds[i] = script("k", "v", NULL);
        cmds[i].n_args = TT_BATCH_ARGS_MAX;
        for (int j = 0; j < TT_BATCH_ARGS_MAX; j++)
            cmds[i].args[j] = tt_str_n(NULL, 0);
    }
    ck_assert(tt_cache_format(&(tt_batch){cmds, TT_BATCH_MAX}, &dress, &out, &shape));
    ck_assert_uint_eq(shape.n, TT_BATCH_MAX);
    for (int i = 0; i < TT_BATCH_MAX; i++) {
        cmds[i] = mark("", "18446744073709551615");
        cmds[i].args[0] = cmds[i].args[2] = cmds[i].args[3] = tt_str_n(NULL, 0);
    }
    tt_buf_free(&out);
    ck_assert(tt_cache_format(&(tt_batch){cmds, TT_BATCH_MAX}, &(tt_cache_dress){.now_ms = 0}, &out,
                              &shape));
    ck_assert_uint_eq(shape.n_marks, TT_BATCH_MAX);
    tt_buf_free(&out);
}
END_TEST

START_TEST(invalid_batches_write_nothing)
{
    static tt_cmd cmds[TT_BATCH_MAX + 1];
    tt_buf out = tt_buf_init(&tt_allocator_libc);
    tt_cache_shape shape;

    for (int i = 0; i <= TT_BATCH_MAX; i++)
        cmds[i] = get("k");
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 0}, &dress, &out, &shape));
    ck_assert(!tt_cache_format(&(tt_batch){cmds, TT_BATCH_MAX + 1}, &dress, &out, &shape));
    cmds[0] = script("k", "v", NULL);
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 1}, &(tt_cache_dress){.now_ms = 1}, &out, &shape));
    cmds[0].n_args = TT_BATCH_ARGS_MAX + 1;
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 1}, &dress, &out, &shape));
    cmds[0].n_args = 0; /* no verb */
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 1}, &dress, &out, &shape));
    cmds[0].n_args = -1;
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 1}, &dress, &out, &shape));
    cmds[0] = mark("k", "1x");
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 1}, &dress, &out, &shape));
    cmds[0] = mark("k", "1");
    cmds[0].n_args = 3;
    ck_assert(!tt_cache_format(&(tt_batch){cmds, 1}, &dress, &out, &shape));
    ck_assert_uint_eq(out.n, 0);
    ck_assert(!out.failed);
    tt_buf_free(&out);
}
END_TEST

/* ---- bytes in ------------------------------------------------------------------------------- */

/* A batch of `gets` GETs followed by scripts. */
static tt_cache_shape shape_of(int gets, int scripts, bool load)
{
    tt_cache_shape s = {
        .n = (unsigned char)(gets + scripts), .n_gets = (unsigned char)gets, .load = load};

    for (int i = 0; i < s.n; i++)
        s.place[i] = (unsigned char)i;
    return s;
}

static void render(const tt_answers *a, tt_buf *out)
{
    for (int i = 0; i < a->n; i++) {
        const tt_reply *r = &a->replies[i];

        tt_buf_puts(out, r->kind == TT_REPLY_NIL    ? "nil"
                         : r->kind == TT_REPLY_TEXT ? "="
                         : r->kind == TT_REPLY_NONE ? "none"
                                                    : "!");
        tt_buf_put_str(out, r->text);
        tt_buf_puts(out, ";");
    }
}

/* Feed `n` bytes in two pieces, the first of `cut`; the outcome of the last call. */
static int read_cut(tt_cache_reader *r, const tt_cache_shape *shape, tt_answers *a,
                    const char *bytes, size_t n, size_t cut)
{
    int got;

    tt_cache_feed(r, bytes, cut);
    got = tt_cache_next(r, shape, a);
    if (got != 0)
        return got;
    tt_cache_feed(r, bytes + cut, n - cut);
    return tt_cache_next(r, shape, a);
}

static const struct {
    int gets, scripts;
    bool load;
    const char *bytes, *expected;
} good[] = {
    {2, 0, false, "*2\r\n$3\r\nabc\r\n$-1\r\n", "=abc;nil;"},
    {1, 0, false, "*1\r\n$0\r\n\r\n", "=;"},
    {1, 2, false, "*1\r\n$4\r\na\r\nb\r\n$2\r\nxy\r\n-ERR no\r\n", "=a\r\nb;=xy;!ERR no;"},
    {3, 1, false, "-LOADING soon\r\n$1\r\nz\r\n", "!LOADING soon;!LOADING soon;!LOADING soon;=z;"},
    {0, 3, false, "+OK\r\n:-12\r\n$-1\r\n", "=OK;=-12;nil;"},
    {0, 1, false, "*-1\r\n", "nil;"},
    {0, 2, false, ":9223372036854775807\r\n:0\r\n", "=9223372036854775807;=0;"},
    {1, 1, true, "$40\r\n" SHA "\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n", "=a;=b;"},
    {0, 1, true, "-ERR script\r\n-NOSCRIPT none\r\n", "!NOSCRIPT none;"},
};

START_TEST(replies_survive_every_cut)
{
    size_t n = strlen(good[_i].bytes);
    tt_cache_shape shape = shape_of(good[_i].gets, good[_i].scripts, good[_i].load);
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
    tt_buf text = tt_buf_init(&tt_allocator_libc);

    for (size_t cut = 0; cut <= n; cut++) {
        ck_assert_int_eq(read_cut(r, &shape, &a, good[_i].bytes, n, cut), 1);
        ck_assert(a.ok);
        ck_assert(tt_cache_at_rest(r));
        ck_assert_int_eq(tt_cache_noscript(r), strstr(good[_i].bytes, "-NOSCRIPT") != NULL);
        tt_buf_clear(&text);
        render(&a, &text);
        ck_assert_str_eq(tt_buf_cstr(&text), good[_i].expected);
    }
    tt_buf_free(&text);
    tt_buf_free(&a.bytes);
    tt_cache_reader_free(r);
}
END_TEST

/* A GET, two marks, a script, the time. */
static const struct {
    const char *bytes, *expected;
    uint64_t time_ms;
} marked[] = {
    {"*1\r\n$1\r\nx\r\n:9\r\n:1\r\n$3\r\nT n\r\n:3\r\n:0\r\n$2\r\n m\r\n$2\r\nok\r\n"
     "*2\r\n$10\r\n1700000000\r\n$6\r\n123999\r\n",
     "=x;=T n;= m;=ok;", UINT64_C(1700000000123)},
    /* of another type; dropped on the way; then of a short time */
    {"*1\r\n$-1\r\n-WRONGTYPE a\r\n:0\r\n-WRONGTYPE b\r\n:3\r\n:0\r\n$-1\r\n$2\r\nok\r\n"
     "*2\r\n$1\r\n0\r\n$1\r\n7\r\n",
     "nil;!WRONGTYPE a;nil;=ok;", 0},
    /* an error at each step */
    {"-LOADING\r\n-OOM\r\n:1\r\n$3\r\nT n\r\n:1\r\n-ERR p\r\n$2\r\n m\r\n-NOSCRIPT\r\n-ERR t\r\n",
     "!LOADING;!OOM;!ERR p;!NOSCRIPT;", 0},
    {"*1\r\n$1\r\nx\r\n:1\r\n:1\r\n-ERR g\r\n-A\r\n-B\r\n-C\r\n+ok\r\n"
     "*2\r\n$1\r\n1\r\n$7\r\n1000000\r\n",
     "=x;!ERR g;!A;=ok;", 0},
};

START_TEST(marks_keep_in_step)
{
    static const tt_cache_shape shape = {
        .n = 4, .n_gets = 1, .n_marks = 2, .time = true, .place = {0, 1, 2, 3}};
    size_t n = strlen(marked[_i].bytes);
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
    tt_buf text = tt_buf_init(&tt_allocator_libc);

    for (size_t cut = 0; cut <= n; cut++) {
        ck_assert_int_eq(read_cut(r, &shape, &a, marked[_i].bytes, n, cut), 1);
        ck_assert(a.ok && tt_cache_at_rest(r));
        ck_assert_uint_eq(tt_cache_time_ms(r), marked[_i].time_ms);
        tt_buf_clear(&text);
        render(&a, &text);
        ck_assert_str_eq(tt_buf_cstr(&text), marked[_i].expected);
    }
    tt_buf_free(&text);
    tt_buf_free(&a.bytes);
    tt_cache_reader_free(r);
}
END_TEST

static const char *const hostile_marks[] = {
    "*1\r\n", /* not a number at first */
    "$1\r\na\r\n",
    "$-1\r\n",
    "+QUEUED\r\n",
    ":1\r\n$1\r\n1\r\n",             /* nor then */
    ":1\r\n:1\r\n*1\r\n$1\r\na\r\n", /* no text at last */
    ":1\r\n:1\r\n$1\r\na\r\n*3\r\n", /* odd times */
    ":1\r\n:1\r\n$1\r\na\r\n$1\r\n1\r\n",
    ":1\r\n:1\r\n$1\r\na\r\n:1\r\n",
    ":1\r\n:1\r\n$1\r\na\r\n*2\r\n$1\r\nx\r\n",
    ":1\r\n:1\r\n$1\r\na\r\n*2\r\n$1\r\n1\r\n$-1\r\n",
    ":1\r\n:1\r\n$1\r\na\r\n*2\r\n-ERR\r\n",
    ":1\r\n:1\r\n$1\r\na\r\n*2\r\n*1\r\n",
};

START_TEST(hostile_marks_break_the_link)
{
    static const tt_cache_shape shape = {.n = 1, .n_marks = 1, .time = true};
    size_t n = strlen(hostile_marks[_i]);

    for (size_t cut = 0; cut <= n; cut++) {
        tt_answers a = tt_answers_init(&tt_allocator_libc);
        tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);

        ck_assert_int_eq(read_cut(r, &shape, &a, hostile_marks[_i], n, cut), -1);
        ck_assert(!a.ok);
        ck_assert_uint_eq(tt_cache_time_ms(r), 0);
        tt_buf_free(&a.bytes);
        tt_cache_reader_free(r);
    }
}
END_TEST

START_TEST(places_are_those_of_the_batch)
{
    static const char bytes[] = "*2\r\n$1\r\nb\r\n$1\r\nd\r\n$1\r\na\r\n$1\r\nc\r\n";
    tt_cache_shape shape = {.n = 4, .n_gets = 2, .place = {1, 3, 0, 2}};
    tt_answers a = tt_answers_init(&tt_allocator_libc);
    tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);

    ck_assert_int_eq(read_cut(r, &shape, &a, bytes, sizeof(bytes) - 1, 5), 1);
    for (int i = 0; i < 4; i++)
        ck_assert_mem_eq(a.replies[i].text.p, "abcd" + i, 1);
    tt_buf_free(&a.bytes);
    tt_cache_reader_free(r);
}
END_TEST

/* A caller that leaves at any byte: the rest is dropped, and the next batch gets its own. */
START_TEST(an_abandoned_batch_is_read_and_dropped)
{
    static const char first[] = "*2\r\n$3\r\nabc\r\n$3\r\ndef\r\n$2\r\nxy\r\n";
    static const char second[] = "*1\r\n$4\r\nmine\r\n";
    tt_cache_shape shape = shape_of(2, 1, false), next = shape_of(1, 0, false);

    for (size_t cut = 0; cut < sizeof(first) - 1; cut++) {
        tt_answers *gone = malloc(sizeof(*gone));
        tt_answers a = tt_answers_init(&tt_allocator_libc);
        tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
        char rest[sizeof(first) + sizeof(second)];
        size_t n = sizeof(first) - 1 - cut;

        *gone = tt_answers_init(&tt_allocator_libc);
        tt_cache_feed(r, first, cut);
        ck_assert_int_eq(tt_cache_next(r, &shape, gone), 0);
        tt_buf_free(&gone->bytes);
        free(gone);
        memcpy(rest, first + cut, n);
        memcpy(rest + n, second, sizeof(second) - 1);
        tt_cache_feed(r, rest, n + sizeof(second) - 1);
        ck_assert_int_eq(tt_cache_next(r, &shape, NULL), 1);
        ck_assert(!tt_cache_at_rest(r));
        ck_assert_int_eq(tt_cache_next(r, &next, &a), 1);
        ck_assert_mem_eq(a.replies[0].text.p, "mine", 4);
        ck_assert(tt_cache_at_rest(r));
        tt_buf_free(&a.bytes);
        tt_cache_reader_free(r);
    }
}
END_TEST

static const struct {
    int gets, scripts;
    const char *bytes;
} hostile[] = {
    {2, 0, "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"}, /* wrong counts */
    {2, 0, "*1\r\n$1\r\na\r\n"},
    {2, 0, "*0\r\n"},
    {2, 0, "*-1\r\n"},
    {2, 0, "*-2\r\n"},
    {2, 0, "*2147483647\r\n"},
    {2, 0, "*9223372036854775807\r\n"},
    {2, 0, "*99999999999999999999999999\r\n"},
    {2, 0, "$1\r\na\r\n"}, /* unexpected types */
    {2, 0, "+OK\r\n"},
    {2, 0, ":1\r\n"},
    {2, 0, "$-1\r\n"},
    {2, 0, "*2\r\n-ERR inside\r\n$1\r\na\r\n"},
    {2, 0, "*2\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n"}, /* nested */
    {2, 0, "*2\r\n*0\r\n$1\r\nb\r\n"},
    {0, 1, "*1\r\n$1\r\na\r\n"},
    {0, 1, "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"},
    {0, 1, ">2\r\n$1\r\na\r\n$1\r\nb\r\n"}, /* RESP3 */
    {0, 1, "%1\r\n$1\r\na\r\n$1\r\nb\r\n"},
    {0, 1, "#t\r\n"},
    {0, 1, ",1.5\r\n"},
    {0, 1, "(123\r\n"},
    {0, 1, "=5\r\ntxt:a\r\n"},
    {0, 1, "$-2\r\n"}, /* lengths and numbers */
    {0, 1, "$x\r\nabc\r\n"},
    {0, 1, "$99999999999999999999\r\n"},
    {0, 1, ":12x\r\n"},
    {0, 1, ":\r\n"},
    {0, 1, "\r\n"},
    {0, 1, "hello"},
    {0, 1, "\xff\xfe"},
};

START_TEST(hostile_bytes_break_the_link_and_nothing_else)
{
    size_t n = strlen(hostile[_i].bytes);
    tt_cache_shape shape = shape_of(hostile[_i].gets, hostile[_i].scripts, false);

    for (size_t cut = 0; cut <= n; cut++) {
        tt_answers a = tt_answers_init(&tt_allocator_libc);
        tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);

        ck_assert_int_eq(read_cut(r, &shape, &a, hostile[_i].bytes, n, cut), -1);
        ck_assert(!a.ok);
        ck_assert_int_eq(a.n, 0);
        ck_assert_str_ne(tt_cache_reason(r), "");
        tt_cache_feed(r, "*2\r\n$1\r\na\r\n$1\r\nb\r\n", 18); /* broken for good */
        ck_assert_int_eq(tt_cache_next(r, &shape, &a), -1);
        tt_buf_free(&a.bytes);
        tt_cache_reader_free(r);
    }
}
END_TEST

/* A length that is announced costs nothing until the bytes come, and a line is cut off at the cap.
 */
START_TEST(a_reply_without_an_end_is_refused)
{
    static const char *const heads[] = {"$9223372036854775807\r\n", "+", "-", ":",
                                        "*1\r\n$536870913\r\n"};
    char block[100];

    memset(block, '1', sizeof(block));
    for (size_t i = 0; i < TT_COUNT(heads); i++) {
        tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
        tt_cache_shape shape = shape_of(heads[i][0] == '*', heads[i][0] != '*', false);
        int got, blocks = 0;

        tt_cache_feed(r, heads[i], strlen(heads[i]));
        got = tt_cache_next(r, &shape, NULL);
        for (; got == 0; blocks++) {
            tt_cache_feed(r, block, sizeof(block));
            got = tt_cache_next(r, &shape, NULL);
        }
        ck_assert_int_eq(got, -1);
        ck_assert_int_le(blocks, MAX_BYTES / (int)sizeof(block) + 2);
        tt_cache_reader_free(r);
    }
}
END_TEST

START_TEST(the_cap_is_for_a_batch_as_a_whole)
{
    tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, 10);
    tt_cache_shape shape = shape_of(0, 2, false);
    tt_answers a = tt_answers_init(&tt_allocator_libc);

    tt_cache_feed(r, "$5\r\nabcde\r\n$5\r\nabcde\r\n", 22);
    ck_assert_int_eq(tt_cache_next(r, &shape, NULL), 1);
    tt_cache_feed(r, "$5\r\nabcde\r\n$6\r\nabcdef\r\n", 23);
    ck_assert_int_eq(tt_cache_next(r, &shape, &a), 1);
    ck_assert_int_eq(a.replies[0].kind, TT_REPLY_TEXT);
    ck_assert_int_eq(a.replies[1].kind, TT_REPLY_NONE);
    tt_cache_reader_limit(r, 11);
    tt_cache_feed(r, "$5\r\nabcde\r\n$6\r\nabcdef\r\n", 23);
    ck_assert_int_eq(tt_cache_next(r, &shape, &a), 1);
    ck_assert_mem_eq(a.replies[1].text.p, "abcdef", 6);
    tt_buf_free(&a.bytes);
    tt_cache_reader_free(r);
}
END_TEST

/* Of a text that is too large nothing is kept, and what stands beside and behind it is read. */
START_TEST(a_text_that_is_too_large_is_no_answer)
{
    static const size_t sizes[] = {MAX_BYTES - 1, MAX_BYTES, MAX_BYTES + 1, 20 * MAX_BYTES};
    tt_cache_shape shape = shape_of(3, 1, false), next = shape_of(1, 0, false);

    for (size_t k = 0; k < TT_COUNT(sizes); k++)
        for (size_t piece = 1; piece < 4000; piece = piece * 3 + 1) {
            tt_buf bytes = tt_buf_init(&tt_allocator_libc), text = bytes;
            tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
            tt_answers a = tt_answers_init(&tt_allocator_libc);
            int got = 0;

            tt_buf_printf(&bytes, "*3\r\n$1\r\na\r\n$%zu\r\n", sizes[k]);
            for (size_t i = 0; i < sizes[k]; i++)
                tt_buf_put_char(&bytes, '\n');
            tt_buf_puts(&bytes, "\r\n$-1\r\n$1\r\nb\r\n");
            for (size_t at = 0; at < bytes.n; at += piece) {
                ck_assert_int_eq(got, 0);
                tt_cache_feed(r, bytes.p + at, TT_MIN(piece, bytes.n - at));
                got = tt_cache_next(r, &shape, &a);
            }
            ck_assert_int_eq(got, 1);
            render(&a, &text);
            ck_assert(k > 0 ? strcmp(tt_buf_cstr(&text), "=a;none;nil;=b;") == 0 : text.n > 900);
            ck_assert(tt_cache_at_rest(r));
            tt_cache_feed(r, "*1\r\n$1\r\nc\r\n", 11);
            ck_assert_int_eq(tt_cache_next(r, &next, &a), 1);
            ck_assert_mem_eq(a.replies[0].text.p, "c", 1);
            tt_buf_free(&bytes);
            tt_buf_free(&text);
            tt_buf_free(&a.bytes);
            tt_cache_reader_free(r);
        }
}
END_TEST

static void *no_alloc(void *ctx, size_t n)
{
    (void)ctx, (void)n;
    return NULL;
}

static void *no_resize(void *ctx, void *p, size_t n)
{
    (void)ctx, (void)p, (void)n;
    return NULL;
}

static void no_release(void *ctx, void *p)
{
    (void)ctx, (void)p;
}

START_TEST(a_caller_without_memory_harms_only_itself)
{
    static const tt_allocator none = {no_alloc, no_resize, no_release, NULL};
    static const char bytes[] = "*1\r\n$3\r\nabc\r\n*1\r\n$3\r\ndef\r\n";
    tt_cache_reader *r = tt_cache_reader_new(&tt_allocator_libc, MAX_BYTES);
    tt_cache_shape shape = shape_of(1, 0, false);
    tt_answers poor = tt_answers_init(&none), a = tt_answers_init(&tt_allocator_libc);

    tt_cache_feed(r, bytes, sizeof(bytes) - 1);
    ck_assert_int_eq(tt_cache_next(r, &shape, &poor), 1);
    ck_assert(!poor.ok);
    ck_assert_int_eq(poor.n, 0);
    ck_assert_int_eq(tt_cache_next(r, &shape, &a), 1);
    ck_assert(a.ok);
    ck_assert_mem_eq(a.replies[0].text.p, "def", 3);
    ck_assert_ptr_null(tt_cache_reader_new(&none, 1));
    tt_buf_free(&a.bytes);
    tt_cache_reader_free(r);
}
END_TEST

/* ---- introduction --------------------------------------------------------------------------- */

/* Quotes the whole of what it was told as AUTH, as some servers do. */
static void *refuse_all(void *listener)
{
    static const char answer[] =
        "-ERR unknown command `AUTH`, with args beginning with: `hunter2secret`\r\n"
        "$-1\r\n$-1\r\n$-1\r\n*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n";
    int fd = accept(*(int *)listener, NULL, NULL);
    char bytes[1024];

    (void)!recv(fd, bytes, sizeof(bytes), 0);
    (void)!send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL);
    (void)!recv(fd, bytes, sizeof(bytes), 0);
    (void)close(fd);
    return NULL;
}

START_TEST(the_password_is_not_passed_on)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tt_cache_target target = {.host = "127.0.0.1", .password = "hunter2secret"};
    int64_t deadline = tt_now_ns(&tt_clock_system) + 10 * TT_NS_PER_S;
    tt_cache_conn *c = NULL;
    tt_error e = TT_ERROR_INIT;
    socklen_t n = sizeof(a);
    pthread_t thread;

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&a, &n), 0);
    target.port = ntohs(a.sin_port);
    ck_assert_int_eq(pthread_create(&thread, NULL, refuse_all, &listener), 0);
    ck_assert_int_eq(
        tt_cache_connect(&tt_allocator_libc, &tt_clock_system, &target, deadline, &c, &e),
        TT_E_DENIED);
    ck_assert_ptr_null(c);
    ck_assert_ptr_null(strstr(e.message, "hunter2"));
    ck_assert_ptr_nonnull(strstr(e.message, "AUTH"));
    ck_assert_ptr_nonnull(strstr(e.message, "ERR"));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    (void)close(listener);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("redis_wire");

    tcase_add_test(t, gets_become_one_mget_before_the_scripts);
    tcase_add_test(t, a_mark_is_appended_then_kept_then_looked_at);
    tcase_add_test(t, the_largest_batch_fits_its_bound);
    tcase_add_test(t, invalid_batches_write_nothing);
    tcase_add_loop_test(t, replies_survive_every_cut, 0, (int)TT_COUNT(good));
    tcase_add_loop_test(t, marks_keep_in_step, 0, (int)TT_COUNT(marked));
    tcase_add_loop_test(t, hostile_marks_break_the_link, 0, (int)TT_COUNT(hostile_marks));
    tcase_add_test(t, places_are_those_of_the_batch);
    tcase_add_test(t, an_abandoned_batch_is_read_and_dropped);
    tcase_add_loop_test(t, hostile_bytes_break_the_link_and_nothing_else, 0,
                        (int)TT_COUNT(hostile));
    tcase_add_test(t, a_reply_without_an_end_is_refused);
    tcase_add_test(t, a_text_that_is_too_large_is_no_answer);
    tcase_add_test(t, the_cap_is_for_a_batch_as_a_whole);
    tcase_add_test(t, a_caller_without_memory_harms_only_itself);
    tcase_add_test(t, the_password_is_not_passed_on);
    return suite_run("redis_wire", t);
}
