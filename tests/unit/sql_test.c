#include "unit/suite.h"

#include <ctype.h>
#include <stdio.h>
#include <twotier/error.h>

#include "base/rng.h"
#include "core/sql.h"
#include "core/sql_words.h"
#include "unit/oom.h"

#define SEED UINT64_C(20260730)
#define READ TT_SQL_READ
#define VOLATILE TT_SQL_READ_VOLATILE
#define PRIMARY TT_SQL_READ_PRIMARY
#define SESSION TT_SQL_SESSION
#define TRANSACTION TT_SQL_TRANSACTION
#define DDL TT_SQL_DDL
#define WRITE TT_SQL_WRITE
#define MULTIPLE TT_SQL_MULTIPLE
#define UNPROVABLE TT_SQL_UNPROVABLE

static tt_sql_info inspect(const char *sql)
{
    tt_sql_info info;

    tt_sql_inspect(tt_str_c(sql), TT_FAMILY_UNKNOWN, &info);
    ck_assert_ptr_nonnull(info.why);
    ck_assert_uint_le(info.n_tables, TT_SQL_TABLES_MAX);
    return info;
}

/* ---- classes ---- */

static const struct row {
    const char *sql;
    tt_sql_class class;
} rows[] = {
    /* plain reads */
    {"SELECT 1", READ},
    {"select * from t", READ},
    {"SELECT * FROM t;", READ},
    {" \n\tSELECT * FROM t ; \n", READ},
    {"SELECT a, b FROM t WHERE id = ? AND x IN (?, ?) LIMIT ?", READ},
    {"(SELECT 1)", READ},
    {"((SELECT 1) UNION (SELECT 2)) ORDER BY 1", READ},
    {"SELECT 1 UNION ALL SELECT 2", READ},
    {"SELECT a FROM t EXCEPT (SELECT a FROM u)", READ},
    {"VALUES (1), (2)", READ},
    {"TABLE t ORDER BY a LIMIT 3", READ},
    {"WITH a AS (SELECT 1) SELECT * FROM a", READ},
    {"WITH a (x, y) AS (SELECT 1, 2), b (z) AS (SELECT 3) SELECT * FROM a, b", READ},
    {"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<9) SELECT i FROM n",
     READ},
    {"WITH a AS (SELECT 1) (SELECT * FROM a) ORDER BY 1", READ},
    {"WITH a AS (SELECT 1) TABLE a", READ},
    {"SELECT COUNT(*), MAX(a), SUM(b) FROM t GROUP BY c HAVING COUNT(*) > 1", READ},
    {"SELECT COUNT(DISTINCT a) FROM t", READ},
    {"SELECT IF(a, COALESCE(b, 'x'), IFNULL(c, \"y\")) FROM t", READ},
    {"SELECT CASE WHEN (a) THEN (b) ELSE (c) END FROM t", READ},
    {"SELECT CAST(a AS CHAR(10)), CONVERT(b, DECIMAL(10,2)), CONVERT(c USING utf8mb4) FROM t",
     READ},
    {"SELECT EXTRACT(YEAR FROM d), SUBSTRING(a FROM 2 FOR 3), TRIM(BOTH 'x' FROM a) FROM t", READ},
    {"SELECT DATE_ADD(d, INTERVAL 1 DAY), UNIX_TIMESTAMP(d) FROM t", READ},
    {"SELECT * FROM t WHERE MATCH (a, b) AGAINST ('x' IN BOOLEAN MODE)", READ},
    {"SELECT ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) FROM t", READ},
    {"SELECT SUM(a) OVER w FROM t WINDOW w AS (ORDER BY b)", READ},
    {"SELECT * FROM t WHERE a = ANY (SELECT b FROM u) AND EXISTS (SELECT 1 FROM v)", READ},
    {"SELECT * FROM t, LATERAL (SELECT * FROM u WHERE u.a = t.a) x", READ},
    {"SELECT * FROM (t JOIN u USING (id)) LEFT JOIN (v, w) ON (t.a = v.a)", READ},
    {"SELECT * FROM t USE INDEX FOR ORDER BY (i) PARTITION (p0)", READ},
    {"SELECT * FROM t AS x (a, b)", READ},
    {"SELECT jt.id FROM t, JSON_TABLE(t.doc, '$[*]' COLUMNS (id INT PATH '$.id', "
     "n VARCHAR(40) PATH '$.n', NESTED PATH '$.x' COLUMNS (y INT PATH '$'))) AS jt",
     READ},
    {"SELECT doc->'$.a', doc->>'$.b' FROM t", READ},
    {"SELECT 'it''s', \"a\"\"b\", `a``b`, 'c:\\\\x', '\\n' FROM t", READ},
    {"SELECT 0x1F, 0b01, x'4D', b'1', N'a', _utf8mb4'b', 1.5e-3, .5, 1., 1.e5, -1", READ},
    {"SELECT DATE '2020-01-01', TIMESTAMP'2020-01-01 00:00:00'", READ},
    {"SELECT t.update, t.delete, t.lock FROM t", READ},
    {"SELECT t.* FROM db.t WHERE db.t.a = 1", READ},
    {"SELECT `into`, `for update` FROM `select`", READ},
    {"SELECT 'INSERT INTO t; DROP TABLE t -- @x' FROM t", READ},
    {"SELECT /* a */ 1 -- b\n + 1 # c\n", READ},
    {"SELECT 1 --", READ},
    {"SELECT 5--1", READ},
    {"/* trace=1 */ SELECT 1", READ},
    {"-- x\nSELECT 1", READ},
    {"SELECT /*+ MAX_EXECUTION_TIME(100) */ * FROM t", READ},
    {"SELECT INSERT(a, 1, 2, 'x'), REPLACE(a, 'x', 'y') FROM t", READ},
    {"SELECT TRUNCATE(a, 2), LEFT(a, 1), RIGHT(a, 1), MOD(a, 2), REPEAT(a, 2) FROM t", READ},
    {"SELECT abs (a) FROM t", READ},
    {"SELECT DISTINCT(a) FROM t", READ},
    {"SELECT NOT(a), a AND(b), a OR(b), a XOR(b), a DIV(b) FROM t", READ},
    {"SELECT * FROM t WHERE a LIKE 'x' ESCAPE '!' AND b REGEXP('^a') COLLATE utf8mb4_bin", READ},
    {"SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP'2020-01-01 00:00:00'", READ},
    {"SELECT @", PRIMARY},

    /* reads whose result is more than the rows */
    {"SELECT NOW()", VOLATILE},
    {"SELECT NOW(6), CURDATE(), sysdate() FROM t", VOLATILE},
    {"SELECT CURRENT_TIMESTAMP", VOLATILE},
    {"SELECT current_date FROM t", VOLATILE},
    {"SELECT * FROM t WHERE d > UTC_TIMESTAMP(3)", VOLATILE},
    {"SELECT UNIX_TIMESTAMP()", VOLATILE},
    {"SELECT UNIX_TIMESTAMP( ) FROM t", VOLATILE},
    {"SELECT RAND()", VOLATILE},
    {"SELECT * FROM t ORDER BY RAND(5)", VOLATILE},
    {"SELECT UUID()", VOLATILE},
    {"SELECT CURRENT_USER", VOLATILE},
    {"SELECT USER(), CONNECTION_ID(), VERSION(), DATABASE()", VOLATILE},
    {"SELECT SLEEP(1)", VOLATILE},
    {"SELECT BENCHMARK(10, SHA2('x', 256))", VOLATILE},
    {"SELECT * FROM t LIMIT ROWS EXAMINED 10", VOLATILE},
    {"SELECT * FROM information_schema.tables", VOLATILE},
    {"SELECT * FROM `MySQL`.user", VOLATILE},
    {"EXPLAIN SELECT * FROM t", VOLATILE},
    {"EXPLAIN FORMAT=JSON SELECT 1", VOLATILE},
    {"DESCRIBE t", VOLATILE},
    {"desc t a", VOLATILE},

    /* reads for the primary */
    {"SELECT * FROM t FOR UPDATE", PRIMARY},
    {"SELECT * FROM t FOR/**/UPDATE", PRIMARY},
    {"SELECT * FROM t for update skip locked", PRIMARY},
    {"SELECT * FROM t FOR SHARE OF t NOWAIT", PRIMARY},
    {"SELECT * FROM t LOCK IN SHARE MODE", PRIMARY},
    {"(SELECT * FROM t FOR UPDATE)", PRIMARY},
    {"SELECT * FROM (SELECT * FROM t FOR UPDATE) x", PRIMARY},
    {"WITH a AS (SELECT * FROM t FOR UPDATE) SELECT * FROM a", PRIMARY},
    {"SELECT @x", PRIMARY},
    {"SELECT @`x y`", PRIMARY},
    {"SELECT @'x'", PRIMARY},
    {"SELECT @x := a FROM t", PRIMARY},
    {"SELECT @@version", PRIMARY},
    {"SELECT @@session.sql_mode", PRIMARY},
    {"SELECT LAST_INSERT_ID()", PRIMARY},
    {"SELECT ROW_COUNT(), FOUND_ROWS()", PRIMARY},
    {"SELECT GET_LOCK('a', 1)", PRIMARY},
    {"SELECT RELEASE_LOCK('a')", PRIMARY},
    {"SELECT RELEASE_ALL_LOCKS()", PRIMARY},
    {"SELECT MASTER_POS_WAIT('a', 1)", PRIMARY},
    {"SELECT LOAD_FILE('/etc/passwd')", PRIMARY},
    {"SELECT SQL_CALC_FOUND_ROWS * FROM t", PRIMARY},
    {"SELECT my_function(a) FROM t", PRIMARY},
    {"SELECT my_function (a) FROM t", PRIMARY},
    {"SELECT `abs`(a) FROM t", PRIMARY},
    {"SELECT db.abs(a) FROM t", PRIMARY},
    {"SELECT db . abs(a) FROM t", PRIMARY},
    {"SELECT `db`.`f`(a) FROM t", PRIMARY},
    {"SELECT * FROM t WHERE f(a)", PRIMARY},
    {"SELECT * FROM db.f(1)", PRIMARY},
    {"SELECT COUNT (a) FROM t", PRIMARY}, /* not the built-in one, with a blank */
    {"SELECT NOW ()", PRIMARY},
    {"SELECT COUNT/**/(a) FROM t", PRIMARY},
    {"SELECT any(1)", PRIMARY},
    {"SELECT some((SELECT 1))", PRIMARY},
    {"SELECT lateral((SELECT 1))", PRIMARY},
    {"SELECT against(1)", PRIMARY},
    {"SELECT over(1)", PRIMARY},
    {"SELECT columns(1)", PRIMARY},
    {"SELECT json_table(1)", PRIMARY},
    {"SELECT a, json_table(1) FROM t", PRIMARY},
    {"SELECT * FROM t WHERE json_table(a, '$' COLUMNS (b INT PATH '$'))", PRIMARY},
    {"SELECT POINT(1), POLYGON()", PRIMARY}, /* built in with other arguments only */
    {"SELECT a, columns(1)", PRIMARY},
    {"SELECT BIN_TO_UUID(a) FROM t", PRIMARY}, /* of one family only */
    {"WITH a AS (SELECT f(1)) SELECT * FROM a", PRIMARY},
    {"WITH a AS (SELECT 1) (SELECT 1) ORDER BY f(1)", PRIMARY},
    {"WITH a (x) AS (SELECT 1), b AS (SELECT f(x) FROM a) SELECT * FROM b", PRIMARY},
    {"SELECT PREVIOUS VALUE FOR s", PRIMARY},
    {"SELECT LASTVAL(s)", PRIMARY},
    {"SHOW TABLES", PRIMARY},
    {"SHOW WARNINGS", PRIMARY},
    {"HELP 'x'", PRIMARY},
    {"EXPLAIN SELECT f(1)", PRIMARY},

    /* sessions and transactions */
    {"SET @x = 1", SESSION},
    {"SET NAMES utf8mb4", SESSION},
    {"SET sql_mode = ''", SESSION},
    {"USE db", SESSION},
    {"LOCK TABLES t READ", SESSION},
    {"UNLOCK TABLES", SESSION},
    {"PREPARE p FROM 'DELETE FROM t'", SESSION},
    {"DEALLOCATE PREPARE p", SESSION},
    {"DROP PREPARE p", SESSION},
    {"HANDLER t OPEN", SESSION},
    {"GET DIAGNOSTICS @n = NUMBER", SESSION},
    {"SELECT 1 INTO @x", SESSION},
    {"SELECT a FROM t INTO @x", SESSION},
    {"SELECT a INTO @x FROM t", SESSION},
    {"CREATE TEMPORARY TABLE t (a INT)", SESSION},
    {"DROP TEMPORARY TABLE t", SESSION},
    {"BEGIN", TRANSACTION},
    {"BEGIN WORK;", TRANSACTION},
    {"START TRANSACTION READ ONLY", TRANSACTION},
    {"COMMIT", TRANSACTION},
    {"commit and chain", TRANSACTION},
    {"ROLLBACK TO s", TRANSACTION},
    {"SAVEPOINT s", TRANSACTION},
    {"RELEASE SAVEPOINT s", TRANSACTION},
    {"XA START 'x'", TRANSACTION},
    {"SET TRANSACTION READ ONLY", TRANSACTION},
    {"SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", TRANSACTION},
    {"SET autocommit = 0", TRANSACTION},
    {"SET @@autocommit = 0", TRANSACTION},
    {"SET @@session.autocommit = 0", TRANSACTION},
    {"SET NAMES utf8mb4, autocommit = 0", TRANSACTION},

    /* the schema and the server */
    {"CREATE TABLE t (a INT)", DDL},
    {"CREATE TABLE t AS SELECT 1", DDL},
    {"create or replace view v as select 1", DDL},
    {"ALTER TABLE t ADD b INT", DDL},
    {"DROP TABLE t", DDL},
    {"RENAME TABLE a TO b", DDL},
    {"GRANT ALL ON *.* TO a@b", DDL},
    {"ANALYZE TABLE t", DDL},
    {"OPTIMIZE TABLE t", DDL},
    {"FLUSH TABLES", DDL},
    {"RESET MASTER", DDL},
    {"START SLAVE", DDL},
    {"STOP REPLICA", DDL},
    {"CHANGE MASTER TO MASTER_HOST='x'", DDL},
    {"KILL 5", DDL},
    {"SET GLOBAL max_connections = 5", DDL},
    {"SET PASSWORD = 'x'", DDL},

    /* writes */
    {"INSERT INTO t VALUES (1)", WRITE},
    {"INSERT t SET a = 1", WRITE},
    {"INSERT INTO t SELECT * FROM u", WRITE},
    {"INSERT INTO t (a) VALUES (?) ON DUPLICATE KEY UPDATE a = VALUES(a)", WRITE},
    {"INSERT INTO t (a) VALUES (1) RETURNING a", WRITE},
    {"REPLACE INTO t VALUES (1)", WRITE},
    {"replace t values (1)", WRITE},
    {"UPDATE t SET a = 1 WHERE id = ?", WRITE},
    {"UPDATE t, u SET t.a = u.a", WRITE},
    {"DELETE FROM t", WRITE},
    {"DELETE t FROM t JOIN u USING (id)", WRITE},
    {"DELETE FROM t USING t JOIN u", WRITE},
    {"TRUNCATE t", DDL}, /* commits, and counts no rows */
    {"TRUNCATE TABLE t", DDL},
    {"LOAD DATA INFILE 'x' INTO TABLE t", WRITE},
    {"CALL p()", WRITE},
    {"DO f()", WRITE},
    {"DO RELEASE_LOCK('x')", WRITE},
    {"WITH a AS (SELECT 1) UPDATE t JOIN a SET t.x = 1", WRITE},
    {"WITH a AS (SELECT 1) DELETE FROM t WHERE id IN (SELECT * FROM a)", WRITE},
    {"WITH a (x) AS (SELECT 1), b AS (SELECT 2) DELETE FROM t", WRITE},
    {"WITH RECURSIVE a AS (SELECT 1) DELETE FROM t", WRITE},
    {"WITH recursive AS (SELECT 1) DELETE FROM t", WRITE},
    {"SELECT * FROM t INTO OUTFILE '/tmp/x'", WRITE},
    {"SELECT * INTO DUMPFILE '/tmp/x' FROM t", WRITE},
    {"SELECT 1.INTO OUTFILE '/tmp/x'", UNPROVABLE},
    {"SELECT 1e5INTO OUTFILE '/tmp/x'", UNPROVABLE},
    {"SELECT .5INTO OUTFILE '/tmp/x'", UNPROVABLE},
    {"SELECT 0x41INTO OUTFILE '/tmp/x'", UNPROVABLE},
    {"SELECT 'a'INTO OUTFILE '/tmp/x'", WRITE},
    {"SELECT`a`INTO OUTFILE '/tmp/x'FROM t", WRITE},
    {"SELECT`a`.5INTO OUTFILE '/tmp/x'FROM t", UNPROVABLE},
    {"SELECT NEXTVAL(s)", WRITE},
    {"SELECT nextval (s)", WRITE},
    {"SELECT NEXT VALUE FOR s", WRITE},
    {"SELECT s.nextval", WRITE},
    {"SELECT SETVAL(s, 5)", WRITE},

    /* several */
    {"SELECT 1; DELETE FROM t", MULTIPLE},
    {"SELECT 1;;", MULTIPLE},
    {"SELECT 1; SELECT 2;", MULTIPLE},
    {"INSERT INTO t VALUES (1); COMMIT", MULTIPLE},
    {"BEGIN; DELETE FROM t; COMMIT", MULTIPLE},
    {"SELECT 1 /* ; */; -- ;\n DELETE FROM t", MULTIPLE},

    /* not to be shown */
    {"", UNPROVABLE},
    {"  -- nothing\n", UNPROVABLE},
    {";", UNPROVABLE},
    {"()", UNPROVABLE},
    {"garbage", UNPROVABLE},
    {"(DELETE FROM t)", UNPROVABLE},
    {"select.x", UNPROVABLE},
    {"/*! DELETE FROM t */", UNPROVABLE},
    {"SELECT 1 /*!50000 INTO OUTFILE '/tmp/x' */", UNPROVABLE},
    {"SELECT 1 /*M! FOR UPDATE */", UNPROVABLE},
    {"SELECT /*+ SET_VAR(sql_mode='') */ 1", UNPROVABLE},
    {"SELECT /*+ BKA(`*/`) */ 1", UNPROVABLE},
    {"SELECT 1 /* open", UNPROVABLE},
    {"SELECT 1 /*/", UNPROVABLE},
    {"SELECT 'open", UNPROVABLE},
    {"SELECT \"open", UNPROVABLE},
    {"SELECT `open", UNPROVABLE},
    {"SELECT 'a\\", UNPROVABLE},
    {"SELECT '\\', sleep(1), '\\'", UNPROVABLE}, /* NO_BACKSLASH_ESCAPES */
    {"SELECT \"\\\" INTO OUTFILE '/tmp/x' -- \"", UNPROVABLE},
    {"SELECT \"f\"(1)", UNPROVABLE}, /* ANSI_QUOTES */
    {"SELECT $$ ' $$, 1 -- '", UNPROVABLE},
    {"SELECT [a] FROM t", UNPROVABLE},
    {"SELECT {fn NOW()}", UNPROVABLE},
    {"SELECT \\N", UNPROVABLE},
    {"SELECT :x", UNPROVABLE},
    {"SELECT caf\xc3\xa9 FROM t", UNPROVABLE},
    {"SELECT\xa0"
     "1",
     UNPROVABLE},
    {"SELECT 1abc FROM t", UNPROVABLE},
    {"SELECT (1", UNPROVABLE},
    {"SELECT 1)", UNPROVABLE},
    {"SELECT 1) FROM (t", UNPROVABLE},
    {"(WITH a AS (SELECT 1))", UNPROVABLE},
    {"WITH a AS (SELECT 1)", UNPROVABLE},
    {"WITH a AS (SELECT 1) CREATE TABLE t (a INT)", UNPROVABLE},
    {"WITH a AS (DELETE FROM t) SELECT * FROM a", UNPROVABLE},
    {"WITH a DELETE FROM t", UNPROVABLE},
    {"SELECT * FROM t PROCEDURE ANALYSE()", UNPROVABLE},
    {"SELECT 1 INTO x", UNPROVABLE},
    {"SELECT 1 UNION DELETE FROM t", UNPROVABLE},
    {"SELECT (INSERT INTO t VALUES (1))", UNPROVABLE},
    {"EXPLAIN UPDATE t SET a = 1", UNPROVABLE},
    {"EXPLAIN ANALYZE DELETE FROM t", UNPROVABLE},
    {"ANALYZE SELECT 1", UNPROVABLE},
    {"ANALYZE UPDATE t SET a = 1", UNPROVABLE},
    {"EXECUTE p", UNPROVABLE},
    {"EXECUTE IMMEDIATE 'DELETE FROM t'", UNPROVABLE},
    {"SET STATEMENT max_statement_time=1 FOR DELETE FROM t", UNPROVABLE},
    {"BEGIN NOT ATOMIC DELETE FROM t", UNPROVABLE},
    {"IF 1 THEN DELETE FROM t", UNPROVABLE},
    {"l: LOOP", UNPROVABLE},
};

START_TEST(statements_have_their_class)
{
    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_sql_info info = inspect(rows[i].sql);

        ck_assert_msg(info.class == rows[i].class, "%s: %s, %s", rows[i].sql,
                      tt_sql_class_name(info.class), info.why);
    }
}
END_TEST

START_TEST(zero_bytes_are_refused_outside_of_strings)
{
    static const char comment[] = "SELECT 1 # \0 INTO OUTFILE 'x'";
    static const char bare[] = "SELECT 1 \0";
    static const char name[] = "SELECT `a\0`";
    static const char string[] = "SELECT 'a\0b'";
    tt_sql_info info;

    tt_sql_inspect(tt_str_n(comment, sizeof(comment) - 1), TT_FAMILY_UNKNOWN, &info);
    ck_assert_int_eq(info.class, UNPROVABLE);
    tt_sql_inspect(tt_str_n(bare, sizeof(bare) - 1), TT_FAMILY_UNKNOWN, &info);
    ck_assert_int_eq(info.class, UNPROVABLE);
    tt_sql_inspect(tt_str_n(name, sizeof(name) - 1), TT_FAMILY_UNKNOWN, &info);
    ck_assert_int_eq(info.class, UNPROVABLE);
    tt_sql_inspect(tt_str_n(string, sizeof(string) - 1), TT_FAMILY_UNKNOWN, &info);
    ck_assert_int_eq(info.class, READ);
    tt_sql_inspect(tt_str_n(NULL, 0), TT_FAMILY_UNKNOWN, &info);
    ck_assert_int_eq(info.class, UNPROVABLE);
}
END_TEST

START_TEST(built_in_functions_depend_on_the_family)
{
    static const struct {
        const char *sql;
        tt_sql_class unknown, mariadb, mysql;
    } cases[] = {
        {"SELECT BIN_TO_UUID(a), ANY_VALUE(b) FROM t", PRIMARY, PRIMARY, READ},
        {"VALUES ROW(1), ROW(2)", PRIMARY, PRIMARY, READ},
        {"SELECT a MEMBER OF('[1]') FROM t", PRIMARY, PRIMARY, READ},
        {"SELECT NVL(a, b) FROM t", PRIMARY, READ, PRIMARY},
        {"SELECT MD5(a) FROM t", PRIMARY, READ, PRIMARY},
        {"SELECT RANDOM_BYTES(4)", PRIMARY, PRIMARY, VOLATILE},
        {"SELECT ABS(a) FROM t", READ, READ, READ},
    };

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_str sql = tt_str_c(cases[i].sql);
        tt_sql_info info;

        tt_sql_inspect(sql, TT_FAMILY_UNKNOWN, &info);
        ck_assert_msg(info.class == cases[i].unknown, "%s", cases[i].sql);
        tt_sql_inspect(sql, TT_FAMILY_MARIADB, &info);
        ck_assert_msg(info.class == cases[i].mariadb, "%s", cases[i].sql);
        tt_sql_inspect(sql, TT_FAMILY_MYSQL, &info);
        ck_assert_msg(info.class == cases[i].mysql, "%s", cases[i].sql);
    }
}
END_TEST

START_TEST(the_table_of_functions_is_sorted)
{
    const tt_sql_function *f, *before = NULL;
    size_t n = 0;

    for (; (f = tt_sql_function_at(n)) != NULL; n++, before = f) {
        char lower[64];
        size_t k = 0;

        for (; f->name[k]; k++)
            lower[k] = (char)tolower((unsigned char)f->name[k]);
        ck_assert_ptr_eq(tt_sql_function_find((tt_str){lower, k}), f);
        ck_assert(!before || strcmp(before->name, f->name) < 0);
    }
    ck_assert_uint_gt(n, 300);
    ck_assert_ptr_null(tt_sql_function_find(TT_STR("")));
    ck_assert_ptr_null(tt_sql_function_find(TT_STR("ABSX")));
    ck_assert_ptr_null(tt_sql_function_find(TT_STR("ZZZ")));
    ck_assert_uint_eq(tt_sql_keyword(TT_STR("selec")), 0);
    ck_assert(tt_sql_keyword(TT_STR("Select")) & TT_SQL_KW_FOLD);
}
END_TEST

START_TEST(parameters_are_counted)
{
    static const struct {
        const char *sql;
        unsigned n;
    } cases[] = {
        {"SELECT 1", 0},
        {"SELECT ?", 1},
        {"SELECT ?,? FROM t WHERE a = ? -- ?\n AND b IN (?,?)", 5},
        {"SELECT '?', \"?\", `?`, /* ? */ ? # ?", 1},
        {"INSERT INTO t VALUES (?, ?)", 2},
        {"CALL p(?)", 1},
    };

    for (size_t i = 0; i < TT_COUNT(cases); i++)
        ck_assert_msg(inspect(cases[i].sql).n_params == cases[i].n, "%s", cases[i].sql);
}
END_TEST

START_TEST(depth_is_limited)
{
    char sql[512];

    for (int depth = 60; depth < 70; depth++) {
        int n = snprintf(sql, sizeof(sql), "SELECT ");

        for (int i = 0; i < depth; i++)
            sql[n++] = '(';
        sql[n++] = '1';
        for (int i = 0; i < depth; i++)
            sql[n++] = ')';
        sql[n] = '\0';
        ck_assert_int_eq(inspect(sql).class, depth <= TT_SQL_DEPTH_MAX ? READ : UNPROVABLE);
    }
    memset(sql, '(', sizeof(sql) - 1);
    sql[sizeof(sql) - 1] = '\0';
    ck_assert_int_eq(inspect(sql).class, UNPROVABLE);
}
END_TEST

/* ---- tables ---- */

/* "db.a b* !": written ones with a star, '!' when the list is not complete. */
static void describe_tables(const tt_sql_info *info, tt_buf *out)
{
    for (size_t i = 0; i < info->n_tables; i++) {
        if (i > 0)
            tt_buf_put_char(out, ' ');
        if (info->tables[i].schema.n > 0) {
            tt_buf_put_str(out, info->tables[i].schema);
            tt_buf_put_char(out, '.');
        }
        tt_buf_put_str(out, info->tables[i].name);
        if (info->tables[i].written)
            tt_buf_put_char(out, '*');
    }
    if (!info->tables_complete)
        tt_buf_puts(out, " !");
}

START_TEST(what_may_commit_is_told)
{
    static const struct {
        const char *sql;
        bool may;
    } cases[] = {{"CALL p()", true},
                 {"TRUNCATE t", true},
                 {"ALTER TABLE t ADD x INT", true},
                 {"UPDATE t SET a = 1", false},
                 {"INSERT INTO t VALUES (f())", false},
                 {"SELECT 1", false},
                 {"DO f()", false}};

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_sql_info info;

        tt_sql_inspect(tt_str_c(cases[i].sql), TT_FAMILY_UNKNOWN, &info);
        ck_assert_msg(info.may_commit == cases[i].may, "%s", cases[i].sql);
    }
}
END_TEST

START_TEST(tables_are_found)
{
    static const struct {
        const char *sql, *tables;
    } cases[] = {
        {"SELECT 1", ""},
        {"SELECT 1 FROM DUAL", ""},
        {"SELECT * FROM t", "t"},
        {"SELECT * FROM Tt AS x, db.u y, `a b` z, `d`.`e`", "Tt db.u a b d.e"},
        {"SELECT * FROM t WHERE a IN (SELECT b FROM u) AND c = (SELECT d FROM v, w)", "t u v w"},
        {"SELECT (SELECT a FROM u LIMIT 1), b FROM t", "u t"},
        {"SELECT * FROM t JOIN u ON t.a = u.a LEFT JOIN v USING (b) NATURAL JOIN w", "t u v w"},
        {"SELECT * FROM t STRAIGHT_JOIN u", "t u"},
        {"SELECT STRAIGHT_JOIN a FROM t, u", "t u"},
        {"SELECT * FROM (t, u) JOIN (v JOIN w)", "t u v w"},
        {"SELECT * FROM (SELECT * FROM t) x, u", "t u"},
        {"SELECT * FROM (VALUES (1)) x, u", "u"},
        {"SELECT * FROM t PARTITION (p0, p1), u", "t u"},
        {"SELECT * FROM t USE INDEX (i, j), u", "t u"},
        {"SELECT * FROM t USE INDEX FOR ORDER BY (i), u", "t u"},
        {"SELECT * FROM t USE INDEX FOR JOIN (i), u", "t u"},
        {"SELECT * FROM t ORDER BY a, b LIMIT 1, 2", "t"},
        {"SELECT * FROM t GROUP BY a, b HAVING c, d", "t"},
        {"SELECT EXTRACT(YEAR FROM d), e FROM t", "t"},
        {"SELECT * FROM t WHERE TRIM(BOTH 'x' FROM a) = 'y'", "t"},
        {"SELECT a FROM t UNION SELECT b FROM u UNION TABLE v", "t u v"},
        {"(SELECT a FROM t) UNION (SELECT b FROM u)", "t u"},
        {"TABLE t ORDER BY a", "t"},
        {"SELECT * FROM t, LATERAL (SELECT * FROM u) x", "t u"},
        {"SELECT * FROM t, JSON_TABLE(t.a, '$' COLUMNS (b INT PATH '$')) j, u", "t u"},
        {"SELECT * FROM t a JOIN t b", "t"},
        {"SELECT * FROM T JOIN t", "T t"},
        {"SELECT * FROM . t", "t"},
        {"SELECT * FROM group.order", "group.order"},
        {"SELECT * FROM t, `a``b`", "t !"},
        {"SELECT * FROM \"t\"", "t"},
        {"SELECT * FROM 5", " !"},
        {"SELECT f(a) FROM t", "t !"},
        {"WITH x AS (SELECT * FROM t) SELECT * FROM x, u", "t u"},
        {"WITH t AS (SELECT * FROM t) SELECT * FROM t", "t"},
        {"WITH RECURSIVE x (a) AS (SELECT 1 UNION SELECT a FROM x, t) SELECT * FROM x", "t"},
        {"WITH x AS (SELECT 1), y AS (SELECT * FROM x, t) SELECT * FROM y JOIN x", "t"},
        {"WITH x AS (SELECT 1) SELECT * FROM db.x", "db.x"},
        {"(WITH x AS (SELECT id FROM y) SELECT id FROM x) UNION SELECT id FROM x", "y x"},
        {"((WITH x AS (SELECT id FROM y) SELECT id FROM x) UNION (SELECT id FROM x))", "y x"},
        {"(WITH x AS (SELECT id FROM y) (SELECT id FROM x) UNION (SELECT id FROM x))", "y"},
        {"SELECT * FROM (WITH x AS (SELECT * FROM t) SELECT * FROM x) y", "t x"},
        {"SELECT * FROM a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4,b5,b6,b7",
         "a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7"},
        {"SELECT * FROM a1,a2,a3,a4,a5,a6,a7,a8,a9,b1,b2,b3,b4,b5,b6,b7,b8",
         "a1 a2 a3 a4 a5 a6 a7 a8 a9 b1 b2 b3 b4 b5 b6 b7 !"},
        {"INSERT INTO t VALUES (1, 2)", "t*"},
        {"INSERT INTO t(a, b) VALUES (1, 2)", "t*"},
        {"INSERT INTO db.t (a, b) VALUES (1, 2)", "db.t*"},
        {"INSERT LOW_PRIORITY IGNORE `t` SET a = 1, b = 2", "t*"},
        {"INSERT INTO t (a) SELECT b FROM u, v", "t* u v"},
        {"INSERT INTO t SELECT * FROM t JOIN u", "t* u"},
        {"INSERT INTO t (a) VALUES ((SELECT MAX(b) FROM u)) ON DUPLICATE KEY UPDATE a = 1, c = 2",
         "t* u"},
        {"INSERT INTO t (a) VALUES (f(1))", "t* !"},
        {"REPLACE INTO t TABLE u", "t* u"},
        {"UPDATE t SET a = 1, b = 2 WHERE c IN (SELECT d FROM u)", "t* u"},
        {"UPDATE LOW_PRIORITY IGNORE t, db.u SET t.a = u.a", "t* db.u*"},
        {"UPDATE t JOIN (SELECT * FROM v) x ON t.a = x.a SET t.b = 1", "t* v"},
        {"UPDATE (t JOIN u USING (id)) SET a = 1", "t* u*"},
        {"DELETE FROM t WHERE a IN (SELECT b FROM u)", "t* u"},
        {"DELETE QUICK FROM t", "t*"},
        {"DELETE x FROM t AS x JOIN u", "t* u*"},
        {"DELETE FROM t, u USING t JOIN u JOIN v", "t* u* v*"},
        {"DELETE FROM t USING (t JOIN u)", "t* u* !"},
        {"WITH x AS (SELECT * FROM u) DELETE FROM t WHERE a IN (SELECT a FROM x)", "u t*"},
        {"WITH x AS (SELECT * FROM u) UPDATE t, x SET t.a = 1", "u t* x*"},
        {"TRUNCATE t", "t*"},
        {"TRUNCATE TABLE db.t", "db.t*"},
        {"LOAD DATA INFILE 'x' IGNORE INTO TABLE t (a, b)", "t*"},
        {"CALL p()", " !"},
        {"CREATE TABLE t (a INT)", " !"},
        {"SELECT 1; SELECT 2", " !"},
    };

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_sql_info info = inspect(cases[i].sql);
        tt_buf out = tt_buf_init(&tt_allocator_libc);

        describe_tables(&info, &out);
        ck_assert_msg(strcmp(tt_buf_cstr(&out), cases[i].tables) == 0, "%s: %s", cases[i].sql,
                      tt_buf_cstr(&out));
        tt_buf_free(&out);
    }
}
END_TEST

/* ---- the normal form ---- */

START_TEST(normal_forms)
{
    static const struct {
        const char *sql, *normal; /* NULL: none */
    } cases[] = {
        {"SELECT 1", "SELECT 1"},
        {"  select 1 ;\n", "SELECT 1"},
        {"select  a from\n\tt where  id=?", "SELECT a FROM t WHERE id=?"},
        {"select a+ 1,  b from t", "SELECT a+ 1, b FROM t"},
        {"select a  + 1 from t", "SELECT a  + 1 FROM t"}, /* the column is called "a  + 1" */
        {"select a and b from t where a  and b", "SELECT a and b FROM t WHERE a AND b"},
        {"select (select  max(a) from t) from u", "SELECT (select max(a) from t) FROM u"},
        {"select * from (select a  +1 from t)  x", "SELECT * FROM (SELECT a  +1 FROM t) x"},
        {"select a from t union  select b", "SELECT a FROM t UNION SELECT b"},
        {"SELECT /* x */ a FROM t -- y\n WHERE b # z\n", "SELECT a FROM t WHERE b"},
        {"/* trace */SELECT 1/* end */", "SELECT 1"},
        {"SELECT a/**/b FROM t", "SELECT a b FROM t"},
        {"SELECT 5--1", "SELECT 5- -1"},
        {"SELECT 5--/**/1", "SELECT 5- - 1"},
        {"SELECT 2*/**/3", "SELECT 2* 3"},
        {"SELECT '  a -- b', \"/* c */\", `d  e` FROM t",
         "SELECT '  a -- b', \"/* c */\", `d  e` FROM t"},
        {"SELECT t.select FROM Select.From", "SELECT t.select FROM Select.From"},
        {"select * from Users where Name = 'Bob'", "SELECT * FROM Users WHERE Name = 'Bob'"},
        {"select/*+ bka(t) */a from t", "SELECT/*+ bka(t) */a FROM t"},
        {"SELECT COUNT (*) FROM t", "SELECT COUNT (*) FROM t"},
        {"SELECT COUNT/**/(*) FROM t", "SELECT COUNT (*) FROM t"},
        {"SELECT 1; SELECT 2;", "SELECT 1; SELECT 2;"},
        {"", ""},
        {"SELECT /*! 1 */ 2", NULL},
        {"SELECT 'open", NULL},
    };

    for (size_t i = 0; i < TT_COUNT(cases); i++) {
        tt_buf out = tt_buf_init(&tt_allocator_libc);
        int rc;

        tt_buf_puts(&out, "k=");
        rc = tt_sql_normalize(tt_str_c(cases[i].sql), &out);
        ck_assert_int_eq(rc, cases[i].normal ? 0 : TT_E_STATEMENT);
        ck_assert_str_eq(tt_buf_cstr(&out) + 2, cases[i].normal ? cases[i].normal : "");
        tt_buf_free(&out);
    }
}
END_TEST

static bool same_tables(const tt_sql_info *a, const tt_sql_info *b)
{
    if (a->n_tables != b->n_tables || a->tables_complete != b->tables_complete)
        return false;
    for (size_t i = 0; i < a->n_tables; i++)
        if (!tt_str_eq(a->tables[i].schema, b->tables[i].schema) ||
            !tt_str_eq(a->tables[i].name, b->tables[i].name) ||
            a->tables[i].written != b->tables[i].written)
            return false;
    return true;
}

static void check_normal_form(tt_str sql)
{
    tt_buf once = tt_buf_init(&tt_allocator_libc), twice = tt_buf_init(&tt_allocator_libc);
    tt_sql_info before, after;

    tt_sql_inspect(sql, TT_FAMILY_MYSQL, &before);
    if (tt_sql_normalize(sql, &once) == 0) {
        tt_sql_inspect(tt_buf_str(&once), TT_FAMILY_MYSQL, &after);
        ck_assert_int_eq(tt_sql_normalize(tt_buf_str(&once), &twice), 0);
        ck_assert_msg(tt_str_eq(tt_buf_str(&once), tt_buf_str(&twice)), "%s", tt_buf_cstr(&once));
        ck_assert_msg(before.class == after.class, "%s", tt_buf_cstr(&once));
        ck_assert_uint_eq(before.n_params, after.n_params);
        ck_assert_msg(same_tables(&before, &after), "%.*s: %s", (int)sql.n, sql.p,
                      tt_buf_cstr(&once));
    } else {
        ck_assert_msg(before.class == UNPROVABLE, "%.*s", (int)sql.n, sql.p);
    }
    tt_buf_free(&once);
    tt_buf_free(&twice);
}

START_TEST(normal_forms_keep_what_matters)
{
    for (size_t i = 0; i < TT_COUNT(rows); i++)
        check_normal_form(tt_str_c(rows[i].sql));
}
END_TEST

/* ---- the safety property, under disguise ---- */

static uint64_t below(uint64_t *seed, uint64_t n)
{
    return tt_splitmix64(seed) % n;
}

/* The same statement to a server: other case of words, other blanks and comments for a blank. */
static void disguise(uint64_t *seed, const char *sql, tt_buf *out)
{
    static const char *const gaps[] = {" ",      "\n",         "/**/",        "\t/* SELECT */ ",
                                       "-- '\n", "--\n#\"\n ", " /*/ x */\f", "/* ; */"};
    char quote = '\0';

    if (below(seed, 2))
        tt_buf_puts(out, gaps[below(seed, TT_COUNT(gaps))]);
    for (; *sql; sql++) {
        if (quote ? *sql == quote : (*sql == '\'' || *sql == '"' || *sql == '`'))
            quote = quote ? '\0' : *sql;
        if (!quote && *sql == ' ')
            tt_buf_puts(out, gaps[below(seed, TT_COUNT(gaps))]);
        else if (!quote && below(seed, 2))
            tt_buf_put_char(out, (char)(below(seed, 2) ? tolower((unsigned char)*sql)
                                                       : toupper((unsigned char)*sql)));
        else
            tt_buf_put_char(out, *sql);
    }
    tt_buf_puts(out, below(seed, 2) ? " ; -- SELECT 1" : "");
}

START_TEST(a_write_is_never_a_read)
{
    uint64_t seed = SEED;
    tt_buf out = tt_buf_init(&tt_allocator_libc);

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        if (rows[i].class < SESSION || strpbrk(rows[i].sql, "#$\\") || strstr(rows[i].sql, "--") ||
            strstr(rows[i].sql, "/*"))
            continue;
        for (int round = 0; round < 40; round++) {
            tt_sql_info info;

            tt_buf_clear(&out);
            disguise(&seed, rows[i].sql, &out);
            info = inspect(tt_buf_cstr(&out));
            ck_assert_msg(!tt_sql_reads(info.class), "%s", tt_buf_cstr(&out));
            check_normal_form(tt_buf_str(&out));
        }
    }
    tt_buf_free(&out);
}
END_TEST

/* A class says at least as much after a token from anywhere was put in: nothing hides by company.
 */
START_TEST(danger_is_seen_anywhere_in_a_read)
{
    static const char *const dangers[] = {"INTO OUTFILE 'x'", "f(1)",      "@x := 1", "FOR UPDATE",
                                          "; DELETE FROM t",  "db.abs(1)", "DELETE",  "`abs` (1)"};
    uint64_t seed = SEED;
    tt_buf out = tt_buf_init(&tt_allocator_libc);

    for (size_t i = 0; i < TT_COUNT(rows) && rows[i].class <= VOLATILE; i++) {
        const char *sql = rows[i].sql;

        if (strpbrk(sql, "'\"`#/") || strstr(sql, "--") || strstr(sql, "WITH"))
            continue;
        for (int round = 0; round < 40; round++) {
            const char *danger = dangers[below(&seed, TT_COUNT(dangers))];
            const char *at = strchr(sql + below(&seed, strlen(sql)), ' ');

            if (!at || at == sql)
                continue;
            if (at - sql > 3 && (strncasecmp(at - 3, " AS", 3) == 0)) /* "AS f(1)" is an alias */
                continue;
            tt_buf_clear(&out);
            tt_buf_put(&out, sql, (size_t)(at - sql));
            tt_buf_printf(&out, " %s%s", danger, at);
            ck_assert_msg(inspect(tt_buf_cstr(&out)).class >= PRIMARY, "%s", tt_buf_cstr(&out));
        }
    }
    tt_buf_free(&out);
}
END_TEST

START_TEST(survives_hostile_bytes)
{
    static const char *const parts[] = {
        "SELECT ", "FROM ", "(",  ")",      ",",    ".",    "t",       "`a`",   "'s'", "\"", "'",
        "`",       "/*",    "*/", "/*!",    "--",   "-- ",  "#",       "\n",    " ",   "@",  "@@x",
        ":=",      ":",     "?",  "1",      ".5",   "1e5",  "0x",      "INTO ", "FOR", ";",  "\\",
        "WITH ",   "AS ",   "x",  "UPDATE", "abs(", "\xff", "DELETE ", "-",     "*",   "/",  "/*+",
    };
    uint64_t seed = SEED;
    tt_buf out = tt_buf_init(&tt_allocator_libc);

    for (int round = 0; round < suite_rounds(40000); round++) {
        tt_buf_clear(&out);
        if (below(&seed, 2))
            tt_buf_puts(&out, "SELECT ");
        for (size_t n = below(&seed, 24); n > 0; n--)
            tt_buf_puts(&out, parts[below(&seed, TT_COUNT(parts))]);
        check_normal_form(tt_buf_str(&out));
    }
    tt_buf_free(&out);
}
END_TEST

START_TEST(memory_may_run_out_anywhere)
{
    static const char sql[] = "select a, b from t where a = 'a text which is long enough to make "
                              "the buffer grow several times over, as statements do' and b = ? "
                              "and c in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10) order by d limit 10";
    int rc = TT_E_NOMEM;
    long n = 0;

    for (; rc == TT_E_NOMEM; n++) {
        struct oom memory;
        tt_buf out;

        oom_arm(&memory, n);
        out = tt_buf_init(&memory.a);
        rc = tt_sql_normalize(tt_str_c(sql), &out);
        ck_assert_int_eq(out.failed, rc != 0);
        tt_buf_free(&out);
        ck_assert_int_eq(memory.live, 0);
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_int_gt(n, 2);
}
END_TEST

START_TEST(classes_have_names)
{
    for (int c = TT_SQL_READ; c <= TT_SQL_UNPROVABLE; c++)
        ck_assert_str_ne(tt_sql_class_name((tt_sql_class)c), "?");
    ck_assert_str_eq(tt_sql_class_name((tt_sql_class)(TT_SQL_UNPROVABLE + 1)), "?");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("sql");

    tcase_set_timeout(t, 30);
    tcase_add_test(t, statements_have_their_class);
    tcase_add_test(t, zero_bytes_are_refused_outside_of_strings);
    tcase_add_test(t, built_in_functions_depend_on_the_family);
    tcase_add_test(t, the_table_of_functions_is_sorted);
    tcase_add_test(t, parameters_are_counted);
    tcase_add_test(t, depth_is_limited);
    tcase_add_test(t, what_may_commit_is_told);
    tcase_add_test(t, tables_are_found);
    tcase_add_test(t, normal_forms);
    tcase_add_test(t, normal_forms_keep_what_matters);
    tcase_add_test(t, a_write_is_never_a_read);
    tcase_add_test(t, danger_is_seen_anywhere_in_a_read);
    tcase_add_test(t, survives_hostile_bytes);
    tcase_add_test(t, memory_may_run_out_anywhere);
    tcase_add_test(t, classes_have_names);
    return suite_run("sql", t);
}
