/* Any bytes as SQL. The normal form is a fixed point and says the same as the original: class,
 * placeholders, tables; and what it is safe to call a read has no sign of a write in it. */
#include "fuzz/fuzz.h"

#include "core/sql.h"
#include "core/sql_lex.h"

static void check_same(const tt_sql_info *a, const tt_sql_info *b)
{
    FUZZ_CHECK(a->class == b->class);
    FUZZ_CHECK(a->n_params == b->n_params);
    FUZZ_CHECK(a->tables_complete == b->tables_complete);
    FUZZ_CHECK(a->n_tables == b->n_tables);
    for (size_t i = 0; i < a->n_tables; i++) {
        FUZZ_CHECK(tt_str_eq(a->tables[i].schema, b->tables[i].schema));
        FUZZ_CHECK(tt_str_eq(a->tables[i].name, b->tables[i].name));
        FUZZ_CHECK(a->tables[i].written == b->tables[i].written);
    }
}

/* A second opinion, from the tokens alone and cruder than the classifier. */
static void check_read(tt_str sql)
{
    tt_sql_lexer lexer = tt_sql_lex(sql);
    tt_sql_token t = {TT_SQL_END, '\0', false, false, {NULL, 0}, NULL}, before = t;

    for (t = tt_sql_next(&lexer); t.kind != TT_SQL_END; before = t, t = tt_sql_next(&lexer)) {
        FUZZ_CHECK(t.kind != TT_SQL_BAD && t.kind != TT_SQL_VARIABLE);
        FUZZ_CHECK(!tt_sql_is_op(&t, ':') && !tt_sql_is_op(&before, ';'));
        FUZZ_CHECK(!tt_sql_is_word(&t, "INTO"));
        if (!tt_sql_is_op(&before, '.')) {
            FUZZ_CHECK(!tt_sql_is_word(&t, "UPDATE") && !tt_sql_is_word(&t, "DELETE"));
            FUZZ_CHECK(!tt_sql_is_word(&t, "CALL") && !tt_sql_is_word(&t, "LOCK"));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tt_family family = size % 2 ? TT_FAMILY_MYSQL : TT_FAMILY_MARIADB;
    tt_str sql = {(const char *)data, size};
    tt_buf once = tt_buf_init(&tt_allocator_libc), twice = tt_buf_init(&tt_allocator_libc);
    tt_sql_info info, again;

    tt_sql_inspect(sql, family, &info);
    FUZZ_CHECK(info.why && info.n_tables <= TT_SQL_TABLES_MAX && info.n_params <= size);
    for (size_t i = 0; i < info.n_tables; i++) {
        tt_str name = info.tables[i].name;

        FUZZ_CHECK(name.n > 0 && name.p >= sql.p && name.p + name.n <= sql.p + sql.n);
    }
    if (info.class <= TT_SQL_READ_VOLATILE)
        check_read(sql);
    if (tt_sql_normalize(sql, &once) == 0) {
        tt_sql_inspect(tt_buf_str(&once), family, &again);
        check_same(&info, &again);
        FUZZ_CHECK(tt_sql_normalize(tt_buf_str(&once), &twice) == 0);
        FUZZ_CHECK(tt_str_eq(tt_buf_str(&once), tt_buf_str(&twice)));
    } else {
        FUZZ_CHECK(info.class == TT_SQL_UNPROVABLE && once.n == 0);
    }
    tt_buf_free(&once);
    tt_buf_free(&twice);
    return 0;
}
