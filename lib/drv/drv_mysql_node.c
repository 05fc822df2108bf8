#include "drv/drv_mysql.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"

/* Questions to a node that are not the caller's: role, position, replication, and killing. */

/* ---- answers of one row ---- */

/* Run `sql`, which gives one row, and open it; the row lives in c->scratch until the next one. */
static tt_db_status ask(tt_db_conn *c, tt_str sql, const tt_value *params, size_t n, size_t columns,
                        tt_columns *row, tt_error *err)
{
    static const tt_db_limits small = {1 << 22, 1};
    tt_db_status status;

    tt_buf_clear(&c->scratch);
    status = tt_mysql_do_read(c, sql, params, n, &small, &c->scratch, err);
    if (status != TT_DB_OK)
        return status;
    if (tt_columns_open(tt_buf_str(&c->scratch), row) != 0 || row->rows != 1 ||
        row->columns < columns)
        return tt_mysql_nonsense(c, "otherwise than with one row of the columns asked for", err);
    return TT_DB_OK;
}

/* A value as text: servers do not agree which variables are numbers. */
static tt_str as_text(const tt_columns *row, size_t column, char digits[24])
{
    tt_value v = tt_columns_value(row, 0, column);
    int n;

    switch (v.type) {
    case TT_TYPE_INT:
        n = snprintf(digits, 24, "%lld", (long long)v.as.i);
        return (tt_str){digits, (size_t)n};
    case TT_TYPE_UINT:
        n = snprintf(digits, 24, "%llu", (unsigned long long)v.as.u);
        return (tt_str){digits, (size_t)n};
    case TT_TYPE_TEXT:
    case TT_TYPE_BLOB:
    case TT_TYPE_DECIMAL:
        return tt_str_n(v.as.bytes.p, v.as.bytes.n);
    default:
        return (tt_str){NULL, 0};
    }
}

/* MariaDB 12 says ON, OFF, or how read-only it is. */
static bool is_on(tt_str s)
{
    return s.n > 0 && !tt_str_eq(s, TT_STR("0")) && !tt_str_eq_nocase(s, TT_STR("OFF"));
}

/* ---- sample ---- */

static const char sample_mariadb[] = "SELECT @@global.server_id, @@global.read_only, "
                                     "@@global.gtid_binlog_pos, @@global.gtid_slave_pos, "
                                     "@@session.max_allowed_packet";
static const char sample_mysql[] = "SELECT @@global.server_uuid, @@global.read_only, "
                                   "@@global.gtid_executed, @@session.max_allowed_packet";

static tt_db_status do_sample(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    bool mariadb = c->peer.family == TT_FAMILY_MARIADB;
    char digits[24];
    tt_columns row;
    tt_str id;
    tt_db_status status = ask(c, tt_str_c(mariadb ? sample_mariadb : sample_mysql), NULL, 0,
                              mariadb ? 5 : 4, &row, err);

    if (status != TT_DB_OK)
        return status;
    id = as_text(&row, 0, digits);
    (void)snprintf(out->identity, sizeof(out->identity), "%s%.*s", mariadb ? "id-" : "", (int)id.n,
                   id.p ? id.p : "");
    out->read_only = is_on(as_text(&row, 1, digits));
    if (!tt_str_u64(as_text(&row, mariadb ? 4 : 3, digits), &c->max_packet))
        c->max_packet = 0;
    tt_buf_clear(&out->applied);
    tt_buf_put_str(&out->applied, as_text(&row, mariadb && out->read_only ? 3 : 2, digits));
    return out->applied.failed ? tt_mysql_local(c, TT_E_NOMEM, err) : TT_DB_OK;
}

tt_db_status tt_mysql_sample(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    return status == TT_DB_OK ? tt_mysql_end(c, do_sample(c, out, err)) : status;
}

/* ---- inspect ---- */

/* A row of SHOW REPLICA STATUS; columns are found by name, for every server has its own. */
typedef struct status_row {
    const MYSQL_FIELD *field;
    unsigned fields;
    MYSQL_ROW value;
    const unsigned long *size;
} status_row;

static tt_str status_field(const status_row *row, const char *name, const char *old_name)
{
    for (unsigned i = 0; i < row->fields; i++) {
        tt_str have = tt_str_c(row->field[i].name);

        if (tt_str_eq_nocase(have, tt_str_c(name)) || tt_str_eq_nocase(have, tt_str_c(old_name)))
            return (tt_str){row->value[i], row->value[i] ? row->size[i] : 0};
    }
    return (tt_str){NULL, 0};
}

static void mix(uint64_t *mark, tt_str text)
{
    *mark = (*mark ^ tt_hash64(text)) * UINT64_C(0x9e3779b97f4a7c15);
}

/* Whom it replicates from, in the form of an identity. */
static void read_source(const status_row *row, tt_db_sample *out)
{
    tt_str uuid = status_field(row, "Source_UUID", "Master_UUID");
    tt_str id = status_field(row, "Source_Server_Id", "Master_Server_Id");

    if (out->replica)
        out->source[0] = '\0'; /* several */
    else if (uuid.n && uuid.n <= TT_SOURCE_MAX)
        (void)snprintf(out->source, sizeof(out->source), "%.*s", (int)uuid.n, uuid.p);
    else if (!uuid.p && id.n && id.n <= 20)
        (void)snprintf(out->source, sizeof(out->source), "id-%.*s", (int)id.n, id.p);
}

static void read_status(const status_row *row, tt_db_sample *out)
{
    tt_str io = status_field(row, "Replica_IO_Running", "Slave_IO_Running");
    tt_str sql = status_field(row, "Replica_SQL_Running", "Slave_SQL_Running");
    tt_str behind = status_field(row, "Seconds_Behind_Source", "Seconds_Behind_Master");
    uint64_t lag_s = 0;

    read_source(row, out);
    out->threads_running = (!out->replica || out->threads_running) &&
                           tt_str_eq_nocase(io, TT_STR("Yes")) &&
                           tt_str_eq_nocase(sql, TT_STR("Yes"));
    if (!tt_str_u64(behind, &lag_s) || lag_s > INT32_MAX)
        out->lag_known = false;
    else
        out->lag_ms = TT_MAX(out->lag_ms, (int64_t)lag_s * 1000);
    mix(&out->received_mark, status_field(row, "Source_Log_File", "Master_Log_File"));
    mix(&out->received_mark, status_field(row, "Read_Source_Log_Pos", "Read_Master_Log_Pos"));
    mix(&out->received_mark, status_field(row, "Retrieved_Gtid_Set", "Gtid_IO_Pos"));
    out->replica = true;
}

static tt_db_status query(tt_db_conn *c, const char *sql, MYSQL_RES **out, tt_error *err)
{
    if (mysql_real_query(&c->mysql, sql, strlen(sql)) != 0)
        return tt_mysql_failed(c, NULL, PHASE_READ, err);
    *out = mysql_store_result(&c->mysql);
    return *out ? TT_DB_OK : tt_mysql_failed(c, NULL, PHASE_READ, err);
}

/* Servers before MySQL 8.0.22 and MariaDB 10.5.1 know the older words only. */
static tt_db_status replica_status(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    tt_error refusal = TT_ERROR_INIT;
    MYSQL_RES *result = NULL;
    tt_db_status status = query(c, "SHOW REPLICA STATUS", &result, &refusal);
    status_row row;

    if (status == TT_DB_REFUSED && refusal.server_errno == ER_PARSE_ERROR)
        status = query(c, "SHOW SLAVE STATUS", &result, &refusal);
    if (status != TT_DB_OK) {
        if (err)
            *err = refusal;
        return status;
    }
    out->replica = out->threads_running = false;
    out->source[0] = '\0';
    out->lag_known = true;
    out->lag_ms = 0;
    out->received_mark = 0;
    row.field = mysql_fetch_fields(result);
    row.fields = mysql_num_fields(result);
    while ((row.value = mysql_fetch_row(result))) {
        row.size = mysql_fetch_lengths(result);
        read_status(&row, out);
    }
    out->lag_known = out->lag_known && out->replica && out->threads_running;
    mysql_free_result(result);
    return TT_DB_OK;
}

/* Heartbeats received so far. What cannot be seen (privileges, performance_schema off) is unknown,
 * and no failure. */
static tt_db_status heartbeats(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    static const char mariadb[] = "SHOW GLOBAL STATUS LIKE 'Slave_received_heartbeats'";
    static const char mysql[] = "SELECT CHANNEL_NAME, COUNT_RECEIVED_HEARTBEATS "
                                "FROM performance_schema.replication_connection_status";
    MYSQL_RES *result = NULL;
    MYSQL_ROW row;
    tt_db_status status =
        query(c, c->peer.family == TT_FAMILY_MARIADB ? mariadb : mysql, &result, NULL);

    out->received_known = false;
    if (status != TT_DB_OK)
        return status == TT_DB_REFUSED ? TT_DB_OK : status;
    if (mysql_num_fields(result) != 2) {
        mysql_free_result(result);
        return tt_mysql_nonsense(c, "with other columns than were asked for", err);
    }
    while ((row = mysql_fetch_row(result))) {
        mix(&out->received_mark, tt_str_c(row[1] ? row[1] : ""));
        out->received_known = true;
    }
    mysql_free_result(result);
    return TT_DB_OK;
}

static tt_db_status do_inspect(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    /* The source first: what the node had applied from an earlier one is in the position then. */
    tt_db_status status = replica_status(c, out, err);

    if (status == TT_DB_OK)
        status = do_sample(c, out, err);
    if (status == TT_DB_OK)
        status = heartbeats(c, out, err);
    return status;
}

tt_db_status tt_mysql_inspect(tt_db_conn *c, tt_db_sample *out, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    return status == TT_DB_OK ? tt_mysql_end(c, do_inspect(c, out, err)) : status;
}

/* ---- wait ---- */

/* "uuid:n" -> "uuid:1-n" for each point. */
static int mysql_set(tt_str points, tt_buf *out)
{
    tt_point p;
    int got;

    while ((got = tt_points_next(&points, &p)) == 1) {
        if (out->n)
            tt_buf_put_char(out, ',');
        tt_buf_put_str(out, p.source);
        tt_buf_puts(out, ":1-");
        tt_buf_put_u64(out, p.n);
    }
    return got < 0 ? TT_E_ARGUMENT : out->failed ? TT_E_NOMEM : 0;
}

static tt_str domain_of(tt_str source)
{
    return tt_str_cut(&source, '-');
}

/* The highest number of this domain in `points`, whatever the server: 0 for none. */
static uint64_t highest(tt_str points, tt_str domain, tt_str *source)
{
    uint64_t n = 0;
    tt_point p;

    while (tt_points_next(&points, &p) == 1)
        if (tt_str_eq(domain_of(p.source), domain) && p.n > n) {
            n = p.n;
            *source = p.source;
        }
    return n;
}

/* "domain-server:n" -> "domain-server-n", one item a domain: more are an error there. */
static int mariadb_list(tt_str points, tt_buf *out)
{
    tt_str rest = points, source = {NULL, 0};
    tt_point p;
    int got;

    while ((got = tt_points_next(&rest, &p)) == 1) {
        uint64_t n = highest(points, domain_of(p.source), &source);

        if (!tt_str_eq(source, p.source))
            continue;
        if (out->n)
            tt_buf_put_char(out, ',');
        tt_buf_put_str(out, source);
        tt_buf_put_char(out, '-');
        tt_buf_put_u64(out, n);
    }
    return got < 0 ? TT_E_ARGUMENT : out->failed ? TT_E_NOMEM : 0;
}

/* 0 seconds mean "do not wait" to MariaDB and "for ever" to MySQL. MySQL also waits on a replica
 * that does not apply. Both give NULL for what they cannot answer. */
static tt_db_status wait_on_server(tt_db_conn *c, tt_str list, int timeout_ms, bool *reached,
                                   tt_error *err)
{
    bool mariadb = c->peer.family == TT_FAMILY_MARIADB;
    tt_value params[2] = {tt_text_n(list.p, list.n), tt_double(timeout_ms / 1000.0)};
    bool look = !mariadb && timeout_ms <= 0;
    tt_columns row;
    tt_db_status status;
    tt_value v;

    if (look)
        status = ask(c, TT_STR("SELECT GTID_SUBSET(?, @@global.gtid_executed)"), params, 1, 1, &row,
                     err);
    else if (mariadb)
        status = ask(c, TT_STR("SELECT MASTER_GTID_WAIT(?, ?)"), params, 2, 1, &row, err);
    else
        status = ask(c, TT_STR("SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?)"), params, 2, 1, &row, err);
    if (status != TT_DB_OK)
        return status;
    v = tt_columns_value(&row, 0, 0);
    *reached = (v.type == TT_TYPE_INT || v.type == TT_TYPE_UINT) && v.as.i == (look ? 1 : 0);
    return TT_DB_OK;
}

/* MariaDB waits for numbers and ignores which server gave them; after a failover the same number
 * may stand for another transaction. So look whether the node has those very points: in the state
 * of its binary log, which remembers every server, or in its position, where it keeps no log. */
static tt_db_status check_lineage(tt_db_conn *c, tt_str points, bool *reached, tt_error *err)
{
    tt_applied *log = NULL, *position = NULL;
    char digits[24];
    tt_columns row;
    tt_point p;
    int rc, got;
    tt_db_status status =
        ask(c, TT_STR("SELECT @@global.gtid_binlog_state, @@global.gtid_slave_pos"), NULL, 0, 2,
            &row, err);

    if (status != TT_DB_OK)
        return status;
    rc = tt_applied_parse(c->a, TT_FAMILY_MARIADB, as_text(&row, 0, digits), &log);
    if (rc == 0)
        rc = tt_applied_parse(c->a, TT_FAMILY_MARIADB, as_text(&row, 1, digits), &position);
    *reached = rc == 0;
    while (*reached && (got = tt_points_next(&points, &p)) == 1)
        *reached = tt_applied_has(log, &p) || tt_applied_has(position, &p);
    tt_applied_free(log);
    tt_applied_free(position);
    if (rc == TT_E_NOMEM)
        return tt_mysql_local(c, rc, err);
    return TT_DB_OK;
}

static tt_db_status do_wait(tt_db_conn *c, tt_str points, int timeout_ms, bool *reached,
                            tt_error *err)
{
    bool mariadb = c->peer.family == TT_FAMILY_MARIADB, there = false;
    tt_buf list = tt_buf_init(c->a);
    int rc = mariadb ? mariadb_list(points, &list) : mysql_set(points, &list);
    tt_db_status status;

    if (rc != 0) {
        tt_buf_free(&list);
        return tt_mysql_local(c, tt_fail(err, rc, "these are not points"), err);
    }
    status = wait_on_server(c, tt_buf_str(&list), timeout_ms, &there, err);
    if (status == TT_DB_OK && there && mariadb)
        status = check_lineage(c, points, &there, err);
    if (status == TT_DB_OK)
        *reached = there;
    tt_buf_free(&list);
    return status;
}

tt_db_status tt_mysql_wait(tt_db_conn *c, tt_str points, int timeout_ms, bool *reached,
                           tt_error *err)
{
    tt_db_status status;

    if (points.n == 0) {
        *reached = true;
        return TT_DB_OK;
    }
    status = tt_mysql_begin(c, err);
    return status == TT_DB_OK ? tt_mysql_end(c, do_wait(c, points, timeout_ms, reached, err))
                              : status;
}

/* ---- kill ---- */

static void sleep_ms(int ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    (void)nanosleep(&t, NULL);
}

/* Killing again is how to see that it is gone: the server knows a connection until its transaction
 * has ended, and then answers 1094. A list of processes would show only what the user may see, and
 * where performance_schema provides it, nothing at all when that is off. */
static tt_db_status kill_once(tt_db_conn *c, uint64_t id, bool *gone, tt_error *err)
{
    tt_error e = TT_ERROR_INIT;
    char sql[40];
    int n = snprintf(sql, sizeof(sql), "KILL %llu", (unsigned long long)id);
    tt_db_status status = tt_mysql_do_command(c, (tt_str){sql, (size_t)n}, PHASE_READ, NULL, &e);

    *gone = status == TT_DB_REFUSED && e.server_errno == ER_NO_SUCH_THREAD;
    if (*gone)
        return TT_DB_OK;
    if (status != TT_DB_OK && err)
        *err = e;
    return status;
}

tt_db_status tt_mysql_kill(tt_db_conn *c, uint64_t connection_id, int timeout_ms, bool *gone,
                           tt_error *err)
{
    int64_t until = tt_now_ns(&tt_clock_system) + timeout_ms * TT_NS_PER_MS;
    tt_db_status status = tt_mysql_begin(c, err);
    bool dead = false;

    if (status != TT_DB_OK)
        return status;
    for (int pause_ms = 1;; pause_ms = TT_MIN(2 * pause_ms, 16)) {
        int left_ms;

        status = kill_once(c, connection_id, &dead, err);
        left_ms = tt_until_ms(tt_now_ns(&tt_clock_system), until);
        if (status != TT_DB_OK || dead || left_ms == 0)
            break;
        sleep_ms(TT_MIN(pause_ms, left_ms));
    }
    status = tt_mysql_end(c, status);
    if (status == TT_DB_OK)
        *gone = dead;
    return status;
}
