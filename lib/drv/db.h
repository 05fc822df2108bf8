/* db.h: what the library needs of a database client library. drv_mysql.c implements it once for
 * MariaDB Connector/C and for Oracle's libmysqlclient; the services above know only this header.
 *
 * A connection is used by one thread at a time. The calls block; they end early when another thread
 * calls `abort` on the connection, which shuts its socket down: that is how deadlines work, to the
 * millisecond, with client libraries whose own timeouts are in seconds.
 */
#ifndef TT_DRV_DB_H
#define TT_DRV_DB_H

#include <twotier/error.h>
#include <twotier/value.h>

#include "base/buf.h"
#include "core/db_status.h"
#include "core/position.h"

typedef struct tt_db_target {
    const char *host;
    const char *socket; /* path, or NULL for TCP */
    unsigned port;
    const char *user, *password, *schema, *charset;
    const char *time_zone;         /* NULL or "": the server's */
    const char *tls_mode, *tls_ca; /* NULL: as the client library does by default */
    int connect_timeout_ms;
    unsigned max_statements; /* prepared statements kept on the connection */
} tt_db_target;

typedef struct tt_db_conn tt_db_conn;

/* Who is at the other end: read once, when the connection is made. */
typedef struct tt_db_peer {
    tt_family family;
    char
        identity[TT_SOURCE_MAX + 1]; /* MySQL: server_uuid; MariaDB: "id-<server_id>". No blanks. */
    char version[64];
    uint64_t connection_id;
} tt_db_peer;

/* What a write left behind. */
typedef struct tt_db_effect {
    uint64_t affected_rows, insert_id;
    bool position_known;
    bool sent_write; /* with TT_DB_LOCAL: the statement had gone out, and may have had its effect */
    tt_buf position; /* points (core/position.h) of the transaction just committed, or "";
                        initialised by the caller, cleared by each call */
} tt_db_effect;

/* A look at a node, all from one statement where the protocol asks for it. */
typedef struct tt_db_sample {
    char identity[TT_SOURCE_MAX + 1];
    bool read_only;
    tt_buf applied; /* server's text: gtid_executed / MariaDB: gtid_binlog_pos on a writable server,
                       gtid_slave_pos on a read-only one */
    /* filled by `inspect` only */
    bool replica;                   /* has a row of replica status */
    bool threads_running;           /* both */
    char source[TT_SOURCE_MAX + 1]; /* identity of the server it replicates from; "" unknown, or
                                       several */
    bool lag_known;
    int64_t lag_ms; /* seconds behind, as the server says: see health for what it hides */
    /* Changes whenever an event or a heartbeat was received from the source: the time since it last
     * changed is how long the source has been silent. The servers' own ages have whole seconds at
     * best, and count only heartbeats. `received_known` false: heartbeats cannot be seen here. */
    uint64_t received_mark;
    bool received_known;
} tt_db_sample;

/* Bounds of what a read may bring. */
typedef struct tt_db_limits {
    size_t max_bytes;
    uint64_t max_rows;
} tt_db_limits;

typedef struct tt_db_driver {
    const char *name; /* "mariadb" or "mysql", and the library's version */

    /* Connect and log in, within the target's connect timeout (the libraries count in seconds, and
     * from each packet anew). What follows until `ready` are only abort and close. */
    tt_db_status (*connect)(const tt_allocator *a, const tt_db_target *target, tt_db_conn **out,
                            tt_error *err);
    /* Arm session tracking of positions and of session state, learn the peer. Once, and first. */
    tt_db_status (*ready)(tt_db_conn *c, tt_error *err);
    void (*close)(tt_db_conn *c);
    const tt_db_peer *(*peer)(const tt_db_conn *c);

    /* Any thread, at any time between connect and close: end the call in progress, as lost; those
     * that follow are refused, as unsent. */
    void (*abort)(tt_db_conn *c);
    /* False when the link is unusable, as far as the socket shows. */
    bool (*usable)(const tt_db_conn *c);
    /* Is the link known to be lost? The part of `usable` that does not look at the socket. */
    bool (*broken)(const tt_db_conn *c);
    /* Has the session state worth resetting (tracked by the server, or an open transaction)? */
    bool (*dirty)(const tt_db_conn *c);
    tt_db_status (*reset)(tt_db_conn *c, tt_error *err);
    tt_db_status (*ping)(tt_db_conn *c, tt_error *err);

    /* Prepare (or reuse), bind, execute; the rows in the encoding of core/columns.h, appended to
     * `out`. A statement that gives no rows at all is an error. */
    tt_db_status (*read)(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n_params,
                         const tt_db_limits *limits, tt_buf *out, tt_error *err);
    /* The same for a statement that changes something. */
    tt_db_status (*write)(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n_params,
                          tt_db_effect *effect, tt_error *err);
    /* BEGIN, COMMIT, ROLLBACK, ...: text protocol; effect may be NULL. */
    tt_db_status (*command)(tt_db_conn *c, const char *sql, tt_db_effect *effect, tt_error *err);

    /* One statement: identity, read_only and position. */
    tt_db_status (*sample)(tt_db_conn *c, tt_db_sample *out, tt_error *err);
    /* `sample`, and the state of replication. Needs the monitoring privilege. */
    tt_db_status (*inspect)(tt_db_conn *c, tt_db_sample *out, tt_error *err);
    /* Wait until the node has applied `points`; *reached tells. timeout_ms 0 = look only. */
    tt_db_status (*wait)(tt_db_conn *c, tt_str points, int timeout_ms, bool *reached,
                         tt_error *err);
    /* Kill a connection of the same server and see it gone within timeout_ms; *gone tells. A
     * connection that does not exist is gone. */
    tt_db_status (*kill)(tt_db_conn *c, uint64_t connection_id, int timeout_ms, bool *gone,
                         tt_error *err);
} tt_db_driver;

/* The client library this build links. */
extern const tt_db_driver tt_db_driver_linked;
/* Initialise the client library once in the process; restores the SIGPIPE disposition that it
 * changes. Any thread. */
TT_MUST int tt_db_driver_start(tt_error *err);

#endif
