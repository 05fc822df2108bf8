/* Transactions: a money-like transfer of seats between two subjects, run by two threads in opposite
 * orders so that they deadlock now and then. Shows what to do after each class of error, that
 * nobody sees half a transaction, and how the session's token carries what was written to another
 * client. Usage: transaction twotier.yaml */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <twotier/twotier.h>

enum { TRANSFERS = 100, ATTEMPTS = 50, SEATS = 1000 };

typedef struct worker {
    tt_client *client;
    int64_t from, to;
    int committed, retried;
    int rc;
    tt_error err;
    char token[TT_TOKEN_MAX];
} worker;

static void must(int rc, const tt_error *err)
{
    if (rc == 0)
        return;
    fprintf(stderr, "transaction: %s: %s\n", tt_error_name(rc),
            rc == err->code ? err->message : "");
    exit(1);
}

/* ---- one transfer ------------------------------------------------------------------------------
 */

static int add_seats(tt_session *session, tt_client *client, int64_t subject, int64_t seats,
                     tt_error *err)
{
    const char *tags[] = {"seats:{2}"};
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_value values[] = {tt_int(seats), tt_int(subject)};

    options.tags = tags;
    options.n_tags = 1;
    return tt_query_write(client, session, "UPDATE tx_subjects SET seats = seats + ? WHERE id = ?",
                          values, 2, &options, NULL, err);
}

/* The tags of both writes are invalidated when the commit succeeds, and not before. */
static int transfer(tt_client *client, tt_session *session, int64_t from, int64_t to, tt_error *err)
{
    int rc = tt_begin(session, NULL, err);

    if (rc == 0)
        rc = add_seats(session, client, from, -1, err);
    if (rc == 0)
        rc = add_seats(session, client, to, 1, err);
    if (rc == 0)
        rc = tt_commit(session, NULL, NULL, err);
    return rc;
}

/* Nothing of a failed transaction remains when the class is one of these: run it again, all of it.
 * TT_CLASS_UNKNOWN is not among them: it may have happened. */
static int may_run_again(int rc)
{
    switch (tt_error_class(rc)) {
    case TT_CLASS_CONFLICT:
    case TT_CLASS_RETRY:
    case TT_CLASS_UNAVAILABLE:
        return 1;
    default:
        return 0;
    }
}

static int transfer_surely(worker *w, tt_session *session)
{
    tt_error ignored;
    int rc = 0;

    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        rc = transfer(w->client, session, w->from, w->to, &w->err);
        if (rc == 0)
            return 0;
        /* A failed statement has doomed the transaction: it is rolled back already, and the session
         * refuses every statement until it is told that the program knows. */
        (void)tt_rollback(session, &ignored);
        if (!may_run_again(rc))
            return rc;
        w->retried++;
    }
    return rc;
}

static void *work(void *arg)
{
    worker *w = arg;
    tt_session *session = NULL;

    w->rc = tt_session_new(w->client, &session, &w->err);
    for (int i = 0; i < TRANSFERS && w->rc == 0; i++) {
        w->rc = transfer_surely(w, session);
        w->committed += w->rc == 0;
    }
    if (w->rc == 0)
        w->rc = tt_session_token(session, w->token, sizeof(w->token), &w->err);
    tt_session_free(session);
    return NULL;
}

/* ---- a doomed transaction ----------------------------------------------------------------------
 */

/* `second` holds the row; `first` waits for it no longer than its timeout, and is then lost. */
static void show_doom(tt_client *client)
{
    tt_write_options hasty = TT_WRITE_OPTIONS_INIT;
    tt_session *first = NULL, *second = NULL;
    tt_error err = TT_ERROR_INIT;
    int rc;

    must(tt_session_new(client, &first, &err), &err);
    must(tt_session_new(client, &second, &err), &err);
    must(tt_begin(second, NULL, &err), &err);
    must(add_seats(second, client, 1, 5, &err), &err);
    must(tt_begin(first, NULL, &err), &err);
    hasty.timeout_ms = 200;
    rc = tt_query_write(client, first, "UPDATE tx_subjects SET seats = 0 WHERE id = 1", NULL, 0,
                        &hasty, NULL, &err);
    printf("waiting for another's row: %s\n", tt_error_name(rc));
    rc = add_seats(first, client, 2, 1, &err);
    printf("the next statement: %s (state %d)\n", tt_error_name(rc),
           tt_session_in_transaction(first));
    must(tt_rollback(first, &err), &err);
    printf("after the rollback: state %d\n", tt_session_in_transaction(first));
    must(tt_rollback(second, &err), &err);
    tt_session_free(second);
    tt_session_free(first);
}

/* ---- around it ---------------------------------------------------------------------------------
 */

static tt_client *open_client(const char *path)
{
    tt_config *config = NULL;
    tt_client *client = NULL;
    tt_error err = TT_ERROR_INIT;

    must(tt_config_new(NULL, &config, &err), &err);
    must(tt_config_load_file(config, path, &err), &err);
    must(tt_client_open(config, &client, &err), &err);
    tt_config_free(config);
    return client;
}

static void prepare(tt_client *client)
{
    static const char *const sql[] = {
        "DROP TABLE IF EXISTS tx_subjects",
        "CREATE TABLE tx_subjects (id INT PRIMARY KEY, seats INT NOT NULL)",
        "INSERT INTO tx_subjects VALUES (1, 1000), (2, 1000)",
    };
    tt_write_options options = TT_WRITE_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;

    options.flags = TT_WRITE_NO_TAGS; /* of what nobody reads through the cache yet */
    for (size_t i = 0; i < sizeof(sql) / sizeof(sql[0]); i++)
        must(tt_query_write(client, NULL, sql[i], NULL, 0, &options, NULL, &err), &err);
}

static int64_t read_sum(tt_client *client, tt_session *session, int64_t *first)
{
    tt_error err = TT_ERROR_INIT;
    tt_result *result = NULL;
    int64_t a = 0, b = 0;

    must(tt_query_read(client, session, "SELECT seats FROM tx_subjects ORDER BY id", NULL, 0, NULL,
                       &result, NULL, &err),
         &err);
    must(tt_result_int(result, 0, 0, &a), &err);
    must(tt_result_int(result, 1, 0, &b), &err);
    tt_result_free(result);
    *first = a;
    return a + b;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "twotier.yaml";
    tt_client *client = open_client(path), *other;
    worker w[2] = {{.client = client, .from = 1, .to = 2}, {.client = client, .from = 2, .to = 1}};
    tt_session *session = NULL;
    tt_error err = TT_ERROR_INIT;
    pthread_t threads[2];
    int64_t sum, first;

    prepare(client);
    for (int i = 0; i < 2; i++)
        must(pthread_create(&threads[i], NULL, work, &w[i]) ? TT_E_LIMIT : 0, &err);
    for (int i = 0; i < 2; i++)
        (void)pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        must(w[i].rc, &w[i].err);
    printf("%d transfers committed; retried after a conflict: %s\n",
           w[0].committed + w[1].committed, w[0].retried + w[1].retried ? "yes" : "no");
    show_doom(client);

    /* Another process would be handed the tokens in a cookie or message. */
    other = open_client(path);
    must(tt_session_new(other, &session, &err), &err);
    must(tt_session_adopt(session, w[0].token, &err), &err);
    must(tt_session_adopt(session, w[1].token, &err), &err);
    sum = read_sum(other, session, &first);
    printf("another client, with the tokens, reads %" PRId64 " + %" PRId64 " seats\n", first,
           sum - first);
    tt_session_free(session);
    tt_client_close(other);
    tt_client_close(client);
    return sum == 2 * SEATS && first == SEATS ? 0 : 1;
}
