/* Handles and structs of the public API: NULL and foreign handles, structs of other sizes, getters
 * of the wrong type, tokens that nobody gave, and handles in the child of a fork. */
#include "integration/api_support.h"

#include <stddef.h>

/* ---- getters -----------------------------------------------------------------------------------
 */

enum { COL_INT, COL_UINT, COL_DOUBLE, COL_DECIMAL, COL_TEXT, COL_DATE, COL_NULL, COLS };

static tt_result *one_of_each(tt_client *c)
{
    tt_error e = TT_ERROR_INIT;
    tt_result *r = NULL;

    ck_assert_msg(tt_query_read(c, NULL,
                                "SELECT -1 AS i, CAST(18446744073709551615 AS UNSIGNED) AS u, "
                                "1.5e0 AS d, CAST(2.50 AS DECIMAL(5,2)) AS m, 'text' AS t, "
                                "DATE '2024-02-29' AS day, NULL AS n",
                                NULL, 0, NULL, &r, NULL, &e) == 0,
                  "%s", e.message);
    ck_assert_uint_eq(tt_result_rows(r), 1);
    ck_assert_uint_eq(tt_result_columns(r), COLS);
    return r;
}

START_TEST(getters)
{
    /* what each getter says to each column; 0 where it fits */
    static const struct {
        int as_int, as_uint, as_double, as_bytes, as_time;
    } expected[COLS] = {
        {0, TT_E_RANGE, 0, TT_E_TYPE, TT_E_TYPE},
        {TT_E_RANGE, 0, 0, TT_E_TYPE, TT_E_TYPE},
        {TT_E_TYPE, TT_E_TYPE, 0, TT_E_TYPE, TT_E_TYPE},
        {TT_E_TYPE, TT_E_TYPE, TT_E_TYPE, 0, TT_E_TYPE},
        {TT_E_TYPE, TT_E_TYPE, TT_E_TYPE, 0, TT_E_TYPE},
        {TT_E_TYPE, TT_E_TYPE, TT_E_TYPE, TT_E_TYPE, 0},
        {TT_E_NULL, TT_E_NULL, TT_E_NULL, TT_E_NULL, TT_E_NULL},
    };
    tt_client *c = client_new();
    tt_result *r = one_of_each(c);

    tt_client_close(c); /* results live on */
    for (size_t col = 0; col <= COLS; col++) {
        size_t row = col == COLS; /* one more: no such row, and no such column */
        int64_t i = 77;
        uint64_t u = 77;
        double d = 77;
        const char *p = "77";
        size_t n = 77;
        tt_time t = {.year = 77};
        int want = col == COLS ? TT_E_RANGE : 0;
        int rc = tt_result_int(r, row, col, &i);

        ck_assert_int_eq(rc, want ? want : expected[col].as_int);
        ck_assert(rc == 0 || i == 77);
        rc = tt_result_uint(r, row, col, &u);
        ck_assert_int_eq(rc, want ? want : expected[col].as_uint);
        ck_assert(rc == 0 || u == 77);
        rc = tt_result_double(r, row, col, &d);
        ck_assert_int_eq(rc, want ? want : expected[col].as_double);
        ck_assert(rc == 0 || (d > 76 && d < 78));
        rc = tt_result_bytes(r, row, col, &p, &n);
        ck_assert_int_eq(rc, want ? want : expected[col].as_bytes);
        ck_assert(rc == 0 || (n == 77 && strcmp(p, "77") == 0));
        rc = tt_result_time(r, row, col, &t);
        ck_assert_int_eq(rc, want ? want : expected[col].as_time);
        ck_assert(rc == 0 || t.year == 77);
        ck_assert_int_eq(tt_result_is_null(r, row, col), col >= COL_NULL);
    }
    ck_assert_ptr_null(tt_result_name(r, COLS));
    ck_assert_int_eq(tt_result_type(r, COLS), TT_TYPE_NULL);
    ck_assert_int_eq(tt_result_find(r, "M"), COL_DECIMAL);
    ck_assert_int_eq(tt_result_find(r, "x"), -1);
    tt_result_free(r);
    tt_result_free(NULL);
}
END_TEST

START_TEST(columns_of_other_sizes)
{
    tt_client *c = client_new();
    tt_result *r = one_of_each(c);
    struct {
        tt_column known;
        char newer[16];
    } col;

    memset(&col, 0x5a, sizeof(col));
    col.known.size = 0;
    ck_assert_int_ne(tt_result_column(r, 0, &col.known), 0);
    col.known.size = sizeof(col);
    ck_assert_int_eq(tt_result_column(r, COL_TEXT, &col.known), 0);
    ck_assert_uint_eq(col.known.rows, 1);
    ck_assert_ptr_nonnull(col.known.offsets);
    ck_assert_int_eq(col.newer[0], 0x5a);
    memset(&col, 0x5a, sizeof(col));
    col.known.size = offsetof(tt_column, rows);
    ck_assert_int_eq(tt_result_column(r, COL_TEXT, &col.known), 0);
    ck_assert_str_eq(col.known.name, "t");
    ck_assert_uint_eq(col.known.rows, (size_t)0x5a5a5a5a5a5a5a5a);
    ck_assert_int_eq(tt_result_column(r, COLS, &col.known), TT_E_RANGE);
    tt_result_free(r);
    tt_client_close(c);
}
END_TEST

/* ---- sizes of options and outputs --------------------------------------------------------------
 */

/* A struct as a newer program has it. */
#define NEWER(type)                                                                                \
    struct {                                                                                       \
        type known;                                                                                \
        char newer[16];                                                                            \
    }

static int read_with(tt_client *c, const tt_read_options *o, tt_read_info *info, tt_error *err)
{
    tt_result *r = NULL;
    int rc = tt_query_read(c, NULL, "SELECT id FROM items WHERE id = 1", NULL, 0, o, &r, info, err);

    tt_result_free(r);
    return rc;
}

START_TEST(sizes_of_read)
{
    tt_client *c = client_new();
    NEWER(tt_read_options) o = {TT_READ_OPTIONS_INIT, ""};
    NEWER(tt_read_info) info = {TT_READ_INFO_INIT, ""};

    o.known.size = 0;
    EXPECT(read_with(c, &o.known, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_warm(c, "SELECT 1", NULL, 0, &o.known, &err), TT_E_ARGUMENT);
    o.known.size = sizeof(o);
    EXPECT(read_with(c, &o.known, NULL, &err), 0);
    o.newer[3] = 1;
    EXPECT(read_with(c, &o.known, NULL, &err), TT_E_UNSUPPORTED);
    o.known.size = offsetof(tt_read_options, consistency);
    o.known.consistency = 99; /* an older program has no such member */
    EXPECT(read_with(c, &o.known, NULL, &err), 0);
    info.known.size = 0;
    EXPECT(read_with(c, NULL, &info.known, &err), TT_E_ARGUMENT);
    memset(info.newer, 0x5a, sizeof(info.newer));
    info.known.size = sizeof(info);
    EXPECT(read_with(c, NULL, &info.known, &err), 0);
    ck_assert_int_ne(info.known.source, TT_SOURCE_NONE);
    ck_assert_int_eq(info.newer[0], 0x5a);
    info.known.size = offsetof(tt_read_info, node);
    memset(info.known.node, 0x5a, sizeof(info.known.node));
    EXPECT(read_with(c, NULL, &info.known, &err), 0);
    ck_assert_int_eq(info.known.node[0], 0x5a);
    tt_client_close(c);
}
END_TEST

static int write_with(tt_client *c, const tt_write_options *o, tt_write_info *info, tt_error *err)
{
    return tt_query_write(c, NULL, "UPDATE items SET v = v + 1 WHERE id = 1", NULL, 0, o, info,
                          err);
}

START_TEST(sizes_of_write)
{
    tt_client *c = client_new();
    NEWER(tt_write_options) o = {TT_WRITE_OPTIONS_INIT, ""};
    NEWER(tt_write_info) info = {TT_WRITE_INFO_INIT, ""};

    o.known.size = 0;
    EXPECT(write_with(c, &o.known, NULL, &err), TT_E_ARGUMENT);
    o.known.size = sizeof(o);
    o.newer[15] = 1;
    EXPECT(write_with(c, &o.known, NULL, &err), TT_E_UNSUPPORTED);
    info.known.size = 0;
    EXPECT(write_with(c, NULL, &info.known, &err), TT_E_ARGUMENT);
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10); /* none of them was carried out */
    o.newer[15] = 0;
    EXPECT(write_with(c, &o.known, NULL, &err), 0);
    o.known.size = offsetof(tt_write_options, flags);
    o.known.flags = 0xffff;
    EXPECT(write_with(c, &o.known, NULL, &err), 0);
    info.known.size = sizeof(info);
    memset(info.newer, 0x5a, sizeof(info.newer));
    EXPECT(write_with(c, NULL, &info.known, &err), 0);
    ck_assert_uint_eq(info.known.affected_rows, 1);
    ck_assert_int_eq(info.known.invalidated, TT_INVALIDATED_DONE);
    ck_assert_str_ne(info.known.position, "");
    ck_assert_int_eq(info.newer[0], 0x5a);
    info.known.size = offsetof(tt_write_info, position);
    memset(info.known.position, 0x5a, sizeof(info.known.position));
    EXPECT(write_with(c, NULL, &info.known, &err), 0);
    ck_assert_int_eq(info.known.position[0], 0x5a);
    tt_client_close(c);
}
END_TEST

START_TEST(sizes_of_call_and_begin)
{
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    tt_statement *st = NULL;
    tt_value param = tt_int(1);
    tt_result *r = NULL;
    NEWER(tt_call_options) call = {TT_CALL_OPTIONS_INIT, ""};
    NEWER(tt_begin_options) b = {TT_BEGIN_OPTIONS_INIT, ""};

    EXPECT(tt_statement_new_read(c, SELECT_ITEM, NULL, &st, &err), 0);
    call.known.size = 0;
    EXPECT(tt_statement_read(st, s, &param, 1, &call.known, &r, NULL, &err), TT_E_ARGUMENT);
    call.known.size = sizeof(call);
    call.newer[0] = 1;
    EXPECT(tt_statement_read(st, s, &param, 1, &call.known, &r, NULL, &err), TT_E_UNSUPPORTED);
    call.known.size = offsetof(tt_call_options, consistency);
    call.known.consistency = 99;
    EXPECT(tt_statement_read(st, s, &param, 1, &call.known, &r, NULL, &err), 0);
    tt_result_free(r);
    call.known = (tt_call_options)TT_CALL_OPTIONS_INIT;
    call.known.timeout_ms = -1;
    EXPECT(tt_statement_read(st, s, &param, 1, &call.known, &r, NULL, &err), TT_E_ARGUMENT);
    call.known.timeout_ms = 0;
    call.known.consistency = TT_BOUNDED;
    EXPECT(tt_statement_read(st, s, &param, 1, &call.known, &r, NULL, &err), TT_E_UNSUPPORTED);
    b.known.size = 0;
    EXPECT(tt_begin(s, &b.known, &err), TT_E_ARGUMENT);
    b.known.size = sizeof(b);
    b.newer[1] = 1;
    EXPECT(tt_begin(s, &b.known, &err), TT_E_UNSUPPORTED);
    b.newer[1] = 0;
    b.known.timeout_ms = TT_TIMEOUT_MS_MAX + 1;
    EXPECT(tt_begin(s, &b.known, &err), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_session_in_transaction(s), 0);
    b.known.timeout_ms = 5000;
    EXPECT(tt_begin(s, &b.known, &err), 0);
    EXPECT(tt_rollback(s, &err), 0);
    tt_statement_free(st);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

/* ---- NULL, and handles of others ---------------------------------------------------------------
 */

START_TEST(null_handles)
{
    tt_client *c = client_new();
    tt_config *cfg = config_new();
    tt_session *s = NULL;
    tt_document *d = NULL;
    tt_result *r = NULL;
    char token[TT_TOKEN_MAX];

    EXPECT(tt_client_open(NULL, &c, &err), TT_E_ARGUMENT);
    EXPECT(tt_client_open(cfg, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_client_reload(NULL, cfg, &err), TT_E_ARGUMENT);
    EXPECT(tt_client_reload(c, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_client_ready(NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_session_new(NULL, &s, &err), TT_E_ARGUMENT);
    EXPECT(tt_session_new(c, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_session_token(NULL, token, sizeof(token), &err), TT_E_ARGUMENT);
    EXPECT(tt_session_adopt(NULL, "", &err), TT_E_ARGUMENT);
    EXPECT(tt_begin(NULL, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_commit(NULL, 0, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_rollback(NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_query_read(NULL, NULL, "SELECT 1", NULL, 0, NULL, &r, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_query_read(c, NULL, "SELECT 1", NULL, 0, NULL, NULL, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_query_write(NULL, NULL, UPDATE_ITEM, NULL, 0, NULL, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_client_status(c, TT_FORMAT_JSON, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_client_status(c, (tt_format)9, &d, &err), TT_E_ARGUMENT);
    EXPECT(tt_metrics_render(NULL, &d, &err), TT_E_ARGUMENT);
    EXPECT(tt_metrics_render(c, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_explain(c, NULL, "SELECT 1", NULL, 0, NULL, TT_FORMAT_TEXT, NULL, &err),
           TT_E_ARGUMENT);
    EXPECT(tt_cache_clear(NULL, 0, &err), TT_E_ARGUMENT);
    EXPECT(tt_query_stream(c, NULL, "SELECT 1", NULL, 0, NULL, NULL, NULL, NULL, &err),
           TT_E_UNSUPPORTED);
    ck_assert_int_eq(tt_query_read(c, NULL, "SELEC", NULL, 0, NULL, &r, NULL, NULL),
                     TT_E_STATEMENT); /* without an err */
    ck_assert_int_eq(tt_session_in_transaction(NULL), 0);
    tt_session_free(NULL);
    tt_document_free(NULL);
    tt_client_close(NULL);
    tt_config_free(cfg);
    tt_client_close(c);
}
END_TEST

/* What is wrong with a statement is part of the explanation. */
START_TEST(explaining_what_is_wrong)
{
    static const char *const texts[] = {"SELEC 1", "DELETE FROM items", "", "SELECT 1; SELECT 2",
                                        SELECT_ITEM};
    tt_client *c = client_new();

    for (size_t i = 0; i < TT_COUNT(texts); i++)
        for (int format = TT_FORMAT_TEXT; format <= TT_FORMAT_JSON; format++) {
            tt_document *d = NULL;

            EXPECT(tt_explain(c, NULL, texts[i], NULL, 0, NULL, (tt_format)format, &d, &err), 0);
            ck_assert_uint_gt(tt_document_size(d), 10);
            ck_assert_uint_eq(strlen(tt_document_text(d)), tt_document_size(d));
            tt_document_free(d);
        }
    ck_assert_int_eq(item(c, NULL, 1, NULL), 10);
    tt_client_close(c);
}
END_TEST

START_TEST(session_of_another_client)
{
    tt_client *a = client_new(), *b = client_new();
    tt_session *s = session_of(a);
    tt_statement *st = NULL;
    tt_value param = tt_int(1);
    tt_result *r = NULL;
    tt_document *d = NULL;
    int64_t v;

    EXPECT(item_read(b, s, 1, "", &v, NULL, &err), TT_E_ARGUMENT);
    EXPECT(item_write(b, s, 1, 5, 0, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_statement_new_read(b, SELECT_ITEM, NULL, &st, &err), 0);
    EXPECT(tt_statement_read(st, s, &param, 1, NULL, &r, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_explain(b, s, "SELECT 1", NULL, 0, NULL, TT_FORMAT_TEXT, &d, &err), TT_E_ARGUMENT);
    tt_statement_free(st);
    ck_assert_int_eq(item(a, s, 1, NULL), 10);
    tt_session_free(s);
    tt_client_close(a);
    tt_client_close(b);
}
END_TEST

/* ---- tokens ------------------------------------------------------------------------------------
 */

static void token_of(tt_session *s, char *out)
{
    EXPECT(tt_session_token(s, out, TT_TOKEN_MAX, &err), 0);
}

/* Adopt it, and see that the session is as it was if it is refused, and reads right if not. */
static void try_token(tt_client *c, const char *token)
{
    tt_session *s = session_of(c);
    tt_error e = TT_ERROR_INIT;
    char now[TT_TOKEN_MAX];
    int rc = tt_session_adopt(s, token, &e);

    if (rc == 0) {
        ck_assert_int_eq(item(c, s, 1, NULL), 11);
    } else {
        expect_code(rc, &e, TT_E_TOKEN, token);
        token_of(s, now);
        ck_assert_str_eq(now, "");
    }
    tt_session_free(s);
}

START_TEST(damaged_tokens)
{
    static const char replacements[] = ".~P9z-";
    tt_client *c = client_new();
    tt_session *s = session_of(c);
    char token[TT_TOKEN_MAX], bad[TT_TOKEN_MAX + 8], small[4] = "x";
    size_t n;

    ck_assert_int_eq(item_put(c, s, 1, 11), TT_INVALIDATED_DONE);
    EXPECT(tt_session_token(s, small, sizeof(small), &err), TT_E_RANGE);
    EXPECT(tt_session_token(s, small, 0, &err), TT_E_RANGE);
    ck_assert_str_eq(small, "x");
    token_of(s, token);
    n = strlen(token);
    ck_assert_uint_gt(n, 20);
    ck_assert_uint_eq(strspn(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789._~-"),
                      n);
    for (size_t cut = 1; cut < n; cut++) {
        (void)snprintf(bad, sizeof(bad), "%.*s", (int)cut, token);
        try_token(c, bad);
    }
    for (size_t at = 0; at < n; at++) {
        (void)snprintf(bad, sizeof(bad), "%s", token);
        bad[at] = replacements[at % (sizeof(replacements) - 1)];
        try_token(c, bad);
    }
    memset(bad, 'x', sizeof(bad));
    bad[sizeof(bad) - 1] = '\0';
    EXPECT(tt_session_adopt(s, bad, &err), TT_E_TOKEN);
    EXPECT(tt_session_adopt(s, "1.P", &err), TT_E_TOKEN);
    EXPECT(tt_session_adopt(s, "2.P..P", &err), TT_E_TOKEN);
    EXPECT(tt_session_adopt(s, "1.P..P\n", &err), TT_E_TOKEN);
    EXPECT(tt_session_adopt(s, NULL, &err), TT_E_ARGUMENT);
    EXPECT(tt_session_adopt(s, "", &err), 0);
    token_of(s, bad);
    ck_assert_str_eq(bad, token);
    tt_session_free(s);
    tt_client_close(c);
}
END_TEST

START_TEST(forged_tokens)
{
    static const char *const forged[] = {
        "1.P..P",
        "1.P..",
        "1...P",
        "1.0123456789abcdef0-1-99999999..",
        "1.0123456789abcdef0-1-99999999..0123456789abcdef0-1-99999999",
        "1.0123456789abcdef0-1-18446744073709551615.4294967295-4294967295-18446744073709551615..",
    };
    tt_client *c = client_new();

    ck_assert_int_eq(item_put(c, NULL, 1, 11), TT_INVALIDATED_DONE);
    for (size_t i = 0; i < TT_COUNT(forged); i++)
        try_token(c, forged[i]);
    ck_assert(item_hits(c, 1, 11, 5000)); /* others are served by the cache as before */
    tt_client_close(c);
}
END_TEST

/* ---- fork --------------------------------------------------------------------------------------
 */

typedef struct handles {
    tt_client *c;
    tt_session *s;
    tt_statement *r, *w;
    tt_result *result;
    tt_document *document;
} handles;

/* What the child found: told by a pipe, since under memcheck its exit status is that of the leaks
 * which it has by right (what threads of the parent held). */
static int verdict[2];

static void leave(int code)
{
    ck_assert_int_eq(write(verdict[1], &code, sizeof(code)), sizeof(code));
    _exit(0);
}

static int verdict_of(pid_t child)
{
    int code = -1, status = -1;

    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status), "status %#x", (unsigned)status);
    (void)close(verdict[1]);
    ck_assert_int_eq(read(verdict[0], &code, sizeof(code)), sizeof(code));
    (void)close(verdict[0]);
    return code;
}

#define IN_CHILD(call)                                                                             \
    do {                                                                                           \
        if ((call) != TT_E_FORKED)                                                                 \
            leave(__LINE__);                                                                       \
    } while (0)

static void use_in_child(const handles *h)
{
    static const char *const tags[] = {"item:1"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_config *cfg = config_new();
    tt_value params[] = {tt_int(1), tt_int(1)};
    char token[TT_TOKEN_MAX];
    tt_document *d = NULL;
    tt_session *s = NULL;
    tt_statement *st = NULL;
    tt_result *r = NULL;

    o.cache_class = "";
    IN_CHILD(tt_query_read(h->c, NULL, "SELECT 1", NULL, 0, NULL, &r, NULL, NULL));
    IN_CHILD(tt_query_read(h->c, h->s, "SELECT 1", NULL, 0, NULL, &r, NULL, NULL));
    IN_CHILD(tt_query_write(h->c, h->s, UPDATE_ITEM, params, 2, NULL, NULL, NULL));
    IN_CHILD(tt_statement_new_read(h->c, "SELECT 1", NULL, &st, NULL));
    IN_CHILD(tt_statement_read(h->r, h->s, params, 1, NULL, &r, NULL, NULL));
    IN_CHILD(tt_statement_write(h->w, NULL, params, 2, NULL, NULL, NULL));
    IN_CHILD(tt_warm(h->c, "SELECT 1", NULL, 0, &o, NULL));
    IN_CHILD(tt_invalidate_tags(h->c, tags, 1, 0, NULL));
    IN_CHILD(tt_cache_clear(h->c, 0, NULL));
    IN_CHILD(tt_client_ready(h->c, NULL));
    IN_CHILD(tt_client_reload(h->c, cfg, NULL));
    IN_CHILD(tt_client_status(h->c, TT_FORMAT_TEXT, &d, NULL));
    IN_CHILD(tt_metrics_render(h->c, &d, NULL));
    IN_CHILD(tt_explain(h->c, NULL, "SELECT 1", NULL, 0, NULL, TT_FORMAT_TEXT, &d, NULL));
    IN_CHILD(tt_session_new(h->c, &s, NULL));
    IN_CHILD(tt_session_token(h->s, token, sizeof(token), NULL));
    IN_CHILD(tt_session_adopt(h->s, "", NULL));
    IN_CHILD(tt_begin(h->s, NULL, NULL));
    IN_CHILD(tt_commit(h->s, 0, NULL, NULL));
    IN_CHILD(tt_rollback(h->s, NULL));
    IN_CHILD(tt_savepoint(h->s, "a", NULL));
    IN_CHILD(tt_savepoint_rollback(h->s, "a", NULL));
    IN_CHILD(tt_savepoint_release(h->s, "a", NULL));
    IN_CHILD(tt_transaction(h->s, NULL, NULL, NULL, NULL, NULL));
    IN_CHILD(tt_query_stream(h->c, NULL, "SELECT 1", NULL, 0, NULL, NULL, NULL, NULL, NULL));
    IN_CHILD(tt_query_read_many(h->r, NULL, params, 1, 1, NULL, &r, NULL, NULL));
    tt_config_free(cfg);
}

START_TEST(fork_child)
{
    handles h = {.c = client_new()};
    pid_t child;
    int code;

    h.s = session_of(h.c);
    h.result = one_of_each(h.c);
    EXPECT(tt_statement_new_read(h.c, SELECT_ITEM, NULL, &h.r, &err), 0);
    EXPECT(tt_statement_new_write(h.c, UPDATE_ITEM, NULL, &h.w, &err), 0);
    EXPECT(tt_client_status(h.c, TT_FORMAT_TEXT, &h.document, &err), 0);
    EXPECT(tt_begin(h.s, NULL, &err), 0);
    ck_assert_int_eq(item_put(h.c, h.s, 1, 111), TT_INVALIDATED_AT_COMMIT);
    ck_assert_int_eq(pipe(verdict), 0);
    child = fork();
    if (child == 0) {
        int64_t i = 0;
        tt_client *own;

        use_in_child(&h);
        if (tt_result_int(h.result, 0, COL_INT, &i) != 0 || i != -1)
            leave(__LINE__);
        tt_result_free(h.result);
        tt_document_free(h.document);
        tt_statement_free(h.r);
        tt_statement_free(h.w);
        tt_session_free(h.s);
        tt_client_close(h.c);
#ifndef __SANITIZE_THREAD__ /* which cannot start threads in the child of a program with threads   \
                             */
        own = client_new(); /* one of its own works */
        (void)item(own, NULL, 2, NULL);
        tt_client_close(own);
#else
        (void)own;
#endif
        leave(0);
    }
    code = verdict_of(child);
    ck_assert_msg(code == 0, "wrong in the child: line %d", code);
    /* The parent's transaction is what it was, and goes on. */
    ck_assert_int_eq(tt_session_in_transaction(h.s), 1);
    ck_assert_int_eq(item(h.c, h.s, 1, NULL), 111);
    ck_assert_int_eq(item(h.c, NULL, 1, NULL), 10);
    EXPECT(tt_commit(h.s, 0, NULL, &err), 0);
    ck_assert(item_hits(h.c, 1, 111, 5000));
    tt_result_free(h.result);
    tt_document_free(h.document);
    tt_statement_free(h.r);
    tt_statement_free(h.w);
    tt_session_free(h.s);
    tt_client_close(h.c);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("api_handles");
    int rc;

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, items_new, NULL);
    tcase_add_test(t, getters);
    tcase_add_test(t, columns_of_other_sizes);
    tcase_add_test(t, sizes_of_read);
    tcase_add_test(t, sizes_of_write);
    tcase_add_test(t, sizes_of_call_and_begin);
    tcase_add_test(t, null_handles);
    tcase_add_test(t, explaining_what_is_wrong);
    tcase_add_test(t, session_of_another_client);
    tcase_add_test(t, damaged_tokens);
    tcase_add_test(t, forged_tokens);
    tcase_add_test(t, fork_child);
    servers_up("");
    rc = suite_run("api_handles", t);
    servers_down();
    return rc;
}
