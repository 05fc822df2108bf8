/* drv_mysql.h: what the files of the MySQL driver share. Nothing else may include it: it brings in
 * mysql.h, of MariaDB Connector/C or of Oracle's libmysqlclient, as the build was told.
 *
 * Which library is linked matters in this header and in drv_mysql_link.c only. Which family of
 * server is at the other end is a matter of run time: each library talks to both.
 *
 *   drv_mysql.c            the driver's table; read, write, command
 *   drv_mysql_link.c       start of the library, threads, SIGPIPE, connect, close
 *   drv_mysql_call.c       begin and end of a call, abort, errors
 *   drv_mysql_session.c    positions and dirtiness from session tracking; reset
 *   drv_mysql_statement.c  prepared statements: cache, parameters
 *   drv_mysql_rows.c       rows into the encoding
 *   drv_mysql_node.c       sample, inspect, wait, kill
 */
#ifndef TT_DRV_MYSQL_H
#define TT_DRV_MYSQL_H

#include <mysql.h>
#include <errmsg.h>
#include <mysqld_error.h>

#include <signal.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/list.h"
#include "core/columns.h"
#include "drv/db.h"

#ifdef MARIADB_PACKAGE_VERSION
#define TT_LINKS_MARIADB 1
typedef my_bool tt_flag;
#else
#define TT_LINKS_MARIADB 0
typedef bool tt_flag;
#endif

/* Bytes of a value that are kept in place with a statement: a parameter up to this size is copied
 * there, so that its address stays and nothing is bound again; a column's value up to this size is
 * fetched there, a longer one straight into the result. */
#define TT_MYSQL_PARAM_BYTES 64
#define TT_MYSQL_COLUMN_BYTES 256

/* ---- statements ---- */

typedef struct tt_mysql_param {
    enum enum_field_types type; /* as bound */
    tt_flag is_unsigned;
    tt_flag is_null;
    unsigned long size_bytes;
    const void *where; /* as bound: `fixed`, `bytes` or the caller's memory */
    union {
        uint64_t u;
        double d;
        MYSQL_TIME time;
        char bytes[TT_MYSQL_PARAM_BYTES];
    } fixed;
} tt_mysql_param;

typedef struct tt_mysql_column {
    tt_type type;
    enum enum_field_types field_type;
    tt_flag is_null, error;
    unsigned long size_bytes; /* of the whole value, however much of it was fetched */
    unsigned long room;
    union {
        uint64_t u;
        double d;
        MYSQL_TIME time;
    } fixed;
    char *bytes; /* in tt_mysql_statement.bytes */
} tt_mysql_column;

typedef struct tt_mysql_statement {
    tt_link by_use;                   /* in tt_db_conn.by_use; the least recently used first */
    struct tt_mysql_statement *chain; /* in its bucket */
    uint64_t hash;
    tt_str sql; /* a copy, behind the struct */
    MYSQL_STMT *handle;
    bool stale; /* the server or the library has lost it, or it shows an old table */

    tt_mysql_param *param;
    MYSQL_BIND *param_bind;
    size_t params;
    bool bound;

    tt_mysql_column *column;
    MYSQL_BIND *column_bind;
    char *bytes;
    size_t columns;
    tt_columns_builder rows;
} tt_mysql_statement;

/* ---- connections ---- */

/* Who may shut the socket down. An abort is for good, whether a call is in progress or not. */
typedef enum tt_mysql_call_state {
    CALL_NONE,
    CALL_RUNS,
    CALL_ABORTING,
    CALL_ABORTED
} tt_mysql_call_state;

struct tt_db_conn {
    const tt_allocator *a;
    /* immutable once connected */
    tt_db_peer peer;
    char node[TT_ERROR_NODE_MAX];
    char *arm; /* the statement that sets the session up, again after each reset */
    int fd;
    bool guard_sigpipe;
    unsigned max_statements;
    uint64_t max_packet; /* the server's max_allowed_packet; 0: not known */
    /* atomic */
    atomic_int call; /* tt_mysql_call_state */
    /* of the thread that uses the connection */
    MYSQL mysql;
    bool broken;
    bool dirty;
    sigset_t signals_before;
    tt_link by_use;
    tt_mysql_statement **bucket;
    size_t buckets; /* a power of two */
    unsigned statements;
    tt_buf scratch;
};

/* What was under way when something failed. */
typedef enum tt_mysql_phase {
    PHASE_PREPARE, /* nothing that has an effect was sent */
    PHASE_READ,
    PHASE_WRITE
} tt_mysql_phase;

/* ---- drv_mysql_link.c ---- */

/* Ready the calling thread for the client library. Oracle's wants mysql_thread_init in each thread
 * that uses it and mysql_thread_end before the thread ends: both are seen to here, the latter by
 * the destructor of a thread-specific key, so that callers need no rule. */
void tt_mysql_thread(void);
void tt_mysql_guard(tt_db_conn *c);
void tt_mysql_unguard(tt_db_conn *c, bool failed);
tt_db_status tt_mysql_connect(const tt_allocator *a, const tt_db_target *target, tt_db_conn **out,
                              tt_error *err);
tt_db_status tt_mysql_ready(tt_db_conn *c, tt_error *err);
void tt_mysql_close(tt_db_conn *c);
extern const char tt_mysql_library[];

/* ---- drv_mysql_call.c ---- */

/* Every call to the client library stands between these two. `begin` refuses a link that is
 * broken, or was aborted since. */
tt_db_status tt_mysql_begin(tt_db_conn *c, tt_error *err);
tt_db_status tt_mysql_end(tt_db_conn *c, tt_db_status status);
bool tt_mysql_aborted(const tt_db_conn *c);
void tt_mysql_abort(tt_db_conn *c);
bool tt_mysql_usable(const tt_db_conn *c);
bool tt_mysql_broken(const tt_db_conn *c);
/* What an error of the library or the server means; `handle` NULL: the connection's error. */
tt_db_status tt_mysql_failed(tt_db_conn *c, MYSQL_STMT *handle, tt_mysql_phase phase,
                             tt_error *err);
/* The same before there is a connection. */
tt_db_status tt_mysql_not_connected(MYSQL *mysql, const char *node, tt_error *err);
/* A failure of our own, with what tt_fail has written. */
tt_db_status tt_mysql_local(tt_db_conn *c, int code, tt_error *err);
/* The server has answered what no server answers: the link is not to be used again. */
tt_db_status tt_mysql_nonsense(tt_db_conn *c, const char *what, tt_error *err);

/* ---- drv_mysql_session.c ---- */

/* Look at what the server said about the session with its last answer; `effect` may be NULL. */
void tt_mysql_note(tt_db_conn *c, tt_db_effect *effect);
/* Send c->arm and forget what it changed. */
tt_db_status tt_mysql_arm(tt_db_conn *c, tt_error *err);
/* May `s` stand in a statement as the name of a character set? */
bool tt_mysql_is_word(const char *s);
/* Make c->arm. 0, TT_E_NOMEM. */
TT_MUST int tt_mysql_make_arm(tt_db_conn *c, const char *charset, const char *time_zone,
                              tt_error *err);
tt_db_status tt_mysql_reset(tt_db_conn *c, tt_error *err);
bool tt_mysql_dirty(const tt_db_conn *c);
void tt_mysql_effect_clear(tt_db_effect *effect);

/* ---- drv_mysql_statement.c ---- */

/* The statement for `sql`, prepared, with these parameters bound. */
tt_db_status tt_mysql_prepare(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                              tt_mysql_statement **out, tt_error *err);
/* Prepare, bind, execute; once more with a fresh statement where the old one had been lost. */
tt_db_status tt_mysql_execute(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                              tt_mysql_phase phase, tt_mysql_statement **out, tt_error *err);
/* Done with it: kept, or closed when stale. */
void tt_mysql_release(tt_db_conn *c, tt_mysql_statement *s);
void tt_mysql_drop_all(tt_db_conn *c);

/* ---- drv_mysql_rows.c ---- */

/* All rows of an executed statement, appended to `out`. */
tt_db_status tt_mysql_rows(tt_db_conn *c, tt_mysql_statement *s, const tt_db_limits *limits,
                           tt_buf *out, tt_error *err);
/* Does the answer name its columns otherwise than the one before? Then its rows are not to be used,
 * and the statement is stale. */
bool tt_mysql_renamed(tt_db_conn *c, const tt_mysql_statement *s);
/* Read and drop what is left on the link of rows and further results; `status` if that works. */
tt_db_status tt_mysql_drain(tt_db_conn *c, tt_mysql_statement *s, tt_db_status status,
                            tt_error *err);
void tt_mysql_rows_free(tt_db_conn *c, tt_mysql_statement *s);

/* ---- drv_mysql.c: the calls without their begin and end ---- */

tt_db_status tt_mysql_do_read(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n,
                              const tt_db_limits *limits, tt_buf *out, tt_error *err);
tt_db_status tt_mysql_do_command(tt_db_conn *c, tt_str sql, tt_mysql_phase phase,
                                 tt_db_effect *effect, tt_error *err);

/* ---- drv_mysql_node.c ---- */

tt_db_status tt_mysql_sample(tt_db_conn *c, tt_db_sample *out, tt_error *err);
tt_db_status tt_mysql_inspect(tt_db_conn *c, tt_db_sample *out, tt_error *err);
tt_db_status tt_mysql_wait(tt_db_conn *c, tt_str points, int timeout_ms, bool *reached,
                           tt_error *err);
tt_db_status tt_mysql_kill(tt_db_conn *c, uint64_t connection_id, int timeout_ms, bool *gone,
                           tt_error *err);

#endif
