#include "drv/drv_mysql.h"

#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

/* ---- calls and aborts ---- */

/* An abort is at work, perhaps between its two steps: the socket must not be closed, and its number
 * given to another, before it is through. */
static void await_abort(tt_db_conn *c)
{
    while (atomic_load(&c->call) != CALL_ABORTED)
        sched_yield();
    c->broken = true;
}

tt_db_status tt_mysql_begin(tt_db_conn *c, tt_error *err)
{
    int none = CALL_NONE;

    tt_mysql_thread();
    if (!c->broken && !atomic_compare_exchange_strong(&c->call, &none, CALL_RUNS))
        await_abort(c);
    if (c->broken) {
        (void)tt_fail(err, TT_E_LOST, "the connection was lost in an earlier call");
        tt_error_set_node(err, c->node);
        return TT_DB_UNSENT;
    }
    if (c->guard_sigpipe)
        tt_mysql_guard(c);
    return TT_DB_OK;
}

tt_db_status tt_mysql_end(tt_db_conn *c, tt_db_status status)
{
    int runs = CALL_RUNS;

    if (!atomic_compare_exchange_strong(&c->call, &runs, CALL_NONE))
        await_abort(c);
    if (c->guard_sigpipe)
        tt_mysql_unguard(c, status != TT_DB_OK);
    return status;
}

bool tt_mysql_aborted(const tt_db_conn *c)
{
    return atomic_load_explicit(&c->call, memory_order_relaxed) > CALL_RUNS;
}

/* Between two calls it counts too: whoever uses the connection is late, and the next call would
 * have no end. */
void tt_mysql_abort(tt_db_conn *c)
{
    int state = atomic_load(&c->call);

    do
        if (state > CALL_RUNS)
            return;
    while (!atomic_compare_exchange_weak(&c->call, &state, CALL_ABORTING));
    (void)shutdown(c->fd, SHUT_RDWR);
    atomic_store(&c->call, CALL_ABORTED);
}

bool tt_mysql_broken(const tt_db_conn *c)
{
    return c->broken || tt_mysql_aborted(c);
}

/* A server that closes an idle connection is seen here, before a write is sent into the void. Under
 * TLS unread bytes are no such sign: they may be session tickets. */
bool tt_mysql_usable(const tt_db_conn *c)
{
    struct pollfd p = {c->fd, POLLIN | POLLRDHUP, 0};
    char byte;

    if (tt_mysql_broken(c))
        return false;
    if (poll(&p, 1, 0) <= 0)
        return true;
    if (p.revents & (POLLRDHUP | POLLERR | POLLHUP | POLLNVAL))
        return false;
    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0 &&
           mysql_get_ssl_cipher((MYSQL *)(uintptr_t)&c->mysql) != NULL;
}

/* ---- errors ---- */

/* Numbers that the headers of one of the two libraries lack. */
enum {
    MARIADB_CONNECTION_KILLED = 1927,
    MARIADB_MAX_STATEMENT_TIME = 1969,
    MARIADB_CONSTRAINT_FAILED = 4025,
    MYSQL_MAX_EXECUTION_TIME = 3024,
    MYSQL_LOCK_NOWAIT = 3572,
    MYSQL_CHECK_CONSTRAINT = 3819,
    MYSQL_CLIENT_INTERACTION_TIMEOUT = 4031
};

/* Errors that the server sends and then hangs up. Whether a write before it had an effect is as
 * unknown as if the link had broken. */
static bool hangs_up(unsigned number)
{
    switch (number) {
    case ER_SERVER_SHUTDOWN:
    case ER_ABORTING_CONNECTION:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
    case ER_NET_ERROR_ON_WRITE:
    case ER_NET_WRITE_INTERRUPTED:
    case MARIADB_CONNECTION_KILLED:
    case MYSQL_CLIENT_INTERACTION_TIMEOUT:
        return true;
    default:
        return false;
    }
}

/* The link itself. 2056 is not among them: its text says so, but only the statement was lost. */
static bool is_link_error(unsigned number)
{
    return number == CR_SERVER_GONE_ERROR || number == CR_SERVER_LOST ||
           number == CR_SERVER_LOST_EXTENDED || hangs_up(number);
}

static const struct {
    unsigned number;
    int code;
} codes[] = {
    {ER_ACCESS_DENIED_ERROR, TT_E_DENIED},
    {ER_DBACCESS_DENIED_ERROR, TT_E_DENIED},
    {ER_TABLEACCESS_DENIED_ERROR, TT_E_DENIED},
    {ER_COLUMNACCESS_DENIED_ERROR, TT_E_DENIED},
    {ER_SPECIFIC_ACCESS_DENIED_ERROR, TT_E_DENIED},
    {ER_PROCACCESS_DENIED_ERROR, TT_E_DENIED},
    {ER_KILL_DENIED_ERROR, TT_E_DENIED},
    {ER_ACCESS_DENIED_NO_PASSWORD_ERROR, TT_E_DENIED},
    {ER_BAD_DB_ERROR, TT_E_SCHEMA},
    {ER_NO_DB_ERROR, TT_E_SCHEMA},
    /* A deadlock rolls the transaction back, a lock wait timeout only the statement: in both cases
     * the transaction is to be run again, after a ROLLBACK. */
    {ER_LOCK_DEADLOCK, TT_E_CONFLICT},
    {ER_LOCK_WAIT_TIMEOUT, TT_E_CONFLICT},
    {ER_CHECKREAD, TT_E_CONFLICT}, /* MariaDB: the row changed since the snapshot */
    {MYSQL_LOCK_NOWAIT, TT_E_CONFLICT},
    {ER_DUP_ENTRY, TT_E_CONSTRAINT},
    {ER_DUP_ENTRY_WITH_KEY_NAME, TT_E_CONSTRAINT},
    {ER_DUP_KEY, TT_E_CONSTRAINT},
    {ER_BAD_NULL_ERROR, TT_E_CONSTRAINT},
    {ER_NO_DEFAULT_FOR_FIELD, TT_E_CONSTRAINT},
    {ER_ROW_IS_REFERENCED, TT_E_CONSTRAINT},
    {ER_NO_REFERENCED_ROW, TT_E_CONSTRAINT},
    {ER_ROW_IS_REFERENCED_2, TT_E_CONSTRAINT},
    {ER_NO_REFERENCED_ROW_2, TT_E_CONSTRAINT},
    {ER_WARN_DATA_OUT_OF_RANGE, TT_E_CONSTRAINT},
    {ER_DATA_TOO_LONG, TT_E_CONSTRAINT},
    {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, TT_E_CONSTRAINT},
    {WARN_DATA_TRUNCATED, TT_E_CONSTRAINT},
    {MARIADB_CONSTRAINT_FAILED, TT_E_CONSTRAINT},
    {MYSQL_CHECK_CONSTRAINT, TT_E_CONSTRAINT},
    {ER_QUERY_INTERRUPTED, TT_E_TIMEOUT},
    {MARIADB_MAX_STATEMENT_TIME, TT_E_TIMEOUT},
    {MYSQL_MAX_EXECUTION_TIME, TT_E_TIMEOUT},
    {ER_CON_COUNT_ERROR, TT_E_UNAVAILABLE},
    {ER_TOO_MANY_USER_CONNECTIONS, TT_E_UNAVAILABLE},
    {ER_USER_LIMIT_REACHED, TT_E_UNAVAILABLE},
    {ER_MAX_PREPARED_STMT_COUNT_REACHED, TT_E_BUSY},
    {ER_PS_MANY_PARAM, TT_E_LIMIT},
    {ER_NET_PACKET_TOO_LARGE, TT_E_LIMIT},
    {CR_NET_PACKET_TOO_LARGE, TT_E_LIMIT},
    {CR_OUT_OF_MEMORY, TT_E_NOMEM},
};

/* Found by the client library; 0 is a failure that it has no number for. */
static bool is_of_client(unsigned number)
{
    return number == 0 || (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR);
}

static int code_of(unsigned number)
{
    for (size_t i = 0; i < TT_COUNT(codes); i++)
        if (codes[i].number == number)
            return codes[i].code;
    return is_of_client(number) ? TT_E_INTERNAL : TT_E_SQL;
}

/* 1290 has several reasons: the options named in its text, which no language translates. */
static bool is_demotion(const tt_db_conn *c, unsigned number, const char *text)
{
    if (number == ER_OPTION_PREVENTS_STATEMENT)
        return strstr(text, "read-only") || strstr(text, "read_only");
    if (number == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION)
        return !(c->mysql.server_status & SERVER_STATUS_IN_TRANS_READONLY);
    return number == ER_READ_ONLY_MODE;
}

static void describe(tt_error *err, int code, unsigned number, const char *sqlstate,
                     const char *text, const char *node)
{
    if (!err)
        return;
    (void)tt_fail(err, code, "%s", text);
    err->server_errno = number;
    memcpy(err->sqlstate, sqlstate, strnlen(sqlstate, sizeof(err->sqlstate) - 1));
    tt_error_set_node(err, node);
}

static tt_db_status lost(tt_db_conn *c, tt_mysql_phase phase, int *code)
{
    c->broken = true;
    *code = phase == PHASE_WRITE ? TT_E_COMMIT_UNKNOWN : TT_E_LOST;
    return phase == PHASE_PREPARE ? TT_DB_UNSENT : TT_DB_LOST;
}

tt_db_status tt_mysql_failed(tt_db_conn *c, MYSQL_STMT *handle, tt_mysql_phase phase, tt_error *err)
{
    unsigned number = handle ? mysql_stmt_errno(handle) : mysql_errno(&c->mysql);
    const char *text = handle ? mysql_stmt_error(handle) : mysql_error(&c->mysql);
    const char *sqlstate = handle ? mysql_stmt_sqlstate(handle) : mysql_sqlstate(&c->mysql);
    tt_db_status status = TT_DB_REFUSED;
    int code = code_of(number);

    if (is_link_error(number) || tt_mysql_aborted(c)) {
        status = lost(c, phase, &code);
    } else if (is_demotion(c, number, text)) {
        status = TT_DB_DEMOTED;
        code = TT_E_UNAVAILABLE;
    } else if (number == ER_NET_PACKET_TOO_LARGE) {
        c->broken = true; /* refused unread, and the server hangs up */
    } else if (is_of_client(number)) {
        status = TT_DB_LOCAL;
        c->broken = number != CR_STMT_CLOSED; /* out of step with the server, for all we know */
    }
    describe(err, code, number, sqlstate, text, c->node);
    return status;
}

tt_db_status tt_mysql_not_connected(MYSQL *mysql, const char *node, tt_error *err)
{
    unsigned number = mysql_errno(mysql);
    int code = code_of(number);

    if (code == TT_E_INTERNAL || code == TT_E_SQL)
        code = TT_E_UNAVAILABLE;
    describe(err, code, number, mysql_sqlstate(mysql), mysql_error(mysql), node);
    return TT_DB_UNSENT;
}

tt_db_status tt_mysql_nonsense(tt_db_conn *c, const char *what, tt_error *err)
{
    c->broken = true;
    return tt_mysql_local(c, tt_fail(err, TT_E_INTERNAL, "the server answered %s", what), err);
}

tt_db_status tt_mysql_local(tt_db_conn *c, int code, tt_error *err)
{
    if (code == TT_E_NOMEM)
        (void)tt_fail_nomem(err);
    tt_error_set_node(err, c->node);
    return TT_DB_LOCAL;
}
