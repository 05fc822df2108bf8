/* Schema and rows, through the library: many rows a statement, many statements a transaction, no
 * tags, and at the end one invalidation of everything. */
#include "demo/demo.h"

#include <stdlib.h>
#include <string.h>

#include "demo/schema.h"

enum { ROWS_MAX = 500, STATEMENTS = 8, SQL_MAX = 16384, ROWS_CLAIMED = 200000 };

/* Room for one statement. */
typedef struct load {
    demo *d;
    tt_session *session;
    uint32_t done, total;
    teach_row rows[ROWS_MAX];
    tt_value values[ROWS_MAX * TEACH_COLUMNS_MAX];
    char sql[SQL_MAX];
} load;

static void write_untagged(tt_client *client, tt_session *session, const char *sql,
                           const tt_value *values, size_t n)
{
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;

    options.flags = TT_WRITE_NO_TAGS;
    demo_must(tt_query_write(client, session, sql, values, n, &options, NULL, &err), "loading",
              &err);
}

/* Statements of schema.sql: each ends with a semicolon at the end of a line. */
static void create_tables(tt_client *client)
{
    char *text = malloc(demo_schema_size + 1), *at, *end;

    if (!text)
        demo_must(TT_E_NOMEM, "loading", &(tt_error)TT_ERROR_INIT);
    memcpy(text, demo_schema, demo_schema_size + 1);
    for (at = text; (end = strstr(at, ";\n")) != NULL; at = end + 2) {
        *end = 0;
        write_untagged(client, NULL, at, NULL, 0);
    }
    free(text);
}

/* ---- rows --------------------------------------------------------------------------------------
 */

static void make_sql(load *l, const teach_table_info *table, uint32_t n)
{
    size_t used = (size_t)snprintf(l->sql, SQL_MAX, "INSERT INTO %s (%s) VALUES", table->name,
                                   table->columns);

    for (uint32_t r = 0; r < n; r++)
        for (size_t c = 0; c < table->n_columns; c++)
            used += (size_t)snprintf(l->sql + used, SQL_MAX - used, "%s?%s",
                                     c   ? ","
                                     : r ? ",("
                                         : " (",
                                     c + 1 < table->n_columns ? "" : ")");
}

static void insert_rows(load *l, enum teach_table table, uint32_t first, uint32_t n)
{
    const teach_table_info *info = &teach_tables[table];

    make_sql(l, info, n);
    for (uint32_t r = 0; r < n; r++) {
        teach_row_make(&teach_small, table, first + r, &l->rows[r]);
        memcpy(l->values + r * info->n_columns, l->rows[r].values,
               info->n_columns * sizeof(l->values[0]));
    }
    write_untagged(l->d->client, l->session, l->sql, l->values, n * info->n_columns);
    l->done += n;
}

static void show_progress(const load *l, const char *name)
{
    if (!l->d->terminal)
        return;
    printf("\r   %3u %%  %-10s", (unsigned)(100ull * l->done / l->total), name);
    (void)fflush(stdout);
}

static void load_table(load *l, enum teach_table table)
{
    uint32_t all = teach_small.rows[table], id = 1;
    tt_error err = TT_ERROR_INIT;

    while (id <= all) {
        demo_must(tt_begin(l->session, NULL, &err), "loading", &err);
        for (int i = 0; i < STATEMENTS && id <= all; i++) {
            uint32_t n = all - id + 1 < ROWS_MAX ? all - id + 1 : ROWS_MAX;

            insert_rows(l, table, id, n);
            id += n;
        }
        demo_must(tt_commit(l->session, NULL, NULL, &err), "loading", &err);
        show_progress(l, teach_tables[table].name);
    }
}

/* ---- replicas ----------------------------------------------------------------------------------
 */

/* What was waited for did not happen: the library knows why. */
static void explain_refusal(demo *d, tt_session *session)
{
    tt_document *text = NULL;

    if (tt_explain(d->client, session, "SELECT 1", NULL, 0, NULL, TT_FORMAT_TEXT, &text, NULL) == 0)
        (void)fputs(tt_document_text(text), stdout);
    tt_document_free(text);
}

bool demo_wait_replicas(demo *d, tt_session *session, int timeout_ms)
{
    int64_t until = demo_now_ns() + (int64_t)timeout_ms * 1000000;
    bool served[DEMO_SERVERS] = {false};

    while (!served[DEMO_REPLICA1] || !served[DEMO_REPLICA2]) {
        tt_read_info info = TT_READ_INFO_INIT;
        demo_answer a = {.read = info};
        tt_result *result = NULL;

        if (demo_now_ns() >= until) {
            explain_refusal(d, session);
            return false;
        }
        a.rc =
            tt_query_read(d->client, session, "SELECT 1", NULL, 0, NULL, &result, &a.read, &a.err);
        tt_result_free(a.rc == 0 ? result : NULL);
        if (a.rc == 0)
            served[demo_server_of(d, &a)] = true;
        demo_sleep_ms(10);
    }
    return true;
}

/* What is there, asked past the library. */
static int64_t count_rows(const demo *d, const char *server)
{
    char sql[1024] = "SELECT 0";
    size_t used = strlen(sql);

    for (int t = 0; t < TEACH_TABLES; t++)
        used += (size_t)snprintf(sql + used, sizeof(sql) - used, " + (SELECT COUNT(*) FROM %s)",
                                 teach_tables[t].name);
    return demo_ask_server(d, server, sql);
}

static void check_rows(demo *d, uint32_t loaded)
{
    int64_t primary = count_rows(d, "primary");
    bool same = count_rows(d, "replica1") == primary && count_rows(d, "replica2") == primary;

    demo_check(d, primary == loaded && primary >= ROWS_CLAIMED && same,
               "counted on each of the three servers: %lld rows", (long long)primary);
}

void demo_load(demo *d)
{
    load *l = calloc(1, sizeof(*l));
    int64_t began = demo_now_ns(), loaded;
    tt_error err = TT_ERROR_INIT;

    if (!l)
        demo_must(TT_E_NOMEM, "loading", &err);
    l->d = d;
    l->session = demo_session(d->client);
    for (int t = 0; t < TEACH_TABLES; t++)
        l->total += teach_small.rows[t];
    printf("%sLoading TeachTrack%s, made-up data of a school backend: %u schools, %u teachers, "
           "%u learners, %u subjects, %u lessons\n",
           d->style.bold, d->style.plain, teach_small.rows[0], teach_small.rows[1],
           teach_small.rows[2], teach_small.rows[3], teach_small.rows[4]);
    (void)fflush(stdout);
    create_tables(d->client);
    for (int t = 0; t < TEACH_TABLES; t++)
        load_table(l, (enum teach_table)t);
    demo_must(tt_cache_clear(d->client, 0, &err), "clearing the cache", &err);
    loaded = demo_now_ns();
    if (d->terminal)
        printf("\r%30s\r", "");
    printf("   %u rows in %.1f s", l->done, (double)(loaded - began) / 1e9);
    (void)fflush(stdout);
    if (!demo_wait_replicas(d, l->session, 60000)) {
        (void)puts("");
        demo_must(TT_E_TIMEOUT, "waiting for the replicas to have them too", &err);
    }
    printf(", and in both replicas %.1f s later\n", (double)(demo_now_ns() - loaded) / 1e9);
    check_rows(d, l->total);
    tt_session_free(l->session);
    free(l);
}
