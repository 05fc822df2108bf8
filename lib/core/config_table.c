#include "core/config_value.h"

#include <inttypes.h>
#include <stdio.h>

/* Words of enums are stored by their index. */
_Static_assert(TT_FAMILY_UNKNOWN == 0 && TT_FAMILY_MARIADB == 1 && TT_FAMILY_MYSQL == 2,
               "the words of database.family are in the order of tt_family");

#define AT(member) offsetof(struct tt_settings, member)
#define IN_NODE(member) offsetof(struct tt_conf_node, member)
#define LENGTH(size) .max = (size)-1

#define MS INT64_C(1)
#define SECONDS (1000 * MS)
#define MINUTES (60 * SECONDS)
#define HOURS (60 * MINUTES)
#define DAYS (24 * HOURS)
#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

/* clang-format off */
static const struct tt_key keys[] = {
    {"database.family", AT(database.family), TT_SETTING_ENUM, .words = "auto|mariadb|mysql",
     .help = "Which kind of server this is. `auto` asks the server."},
    {"database.schema", AT(database.schema), TT_SETTING_TEXT, LENGTH(TT_CONF_IDENT_MAX),
     .help = "The schema of every connection, and part of every cache key."},
    {"database.user", AT(database.user), TT_SETTING_TEXT, LENGTH(TT_CONF_USER_MAX),
     .help = "The account on all servers."},
    {"database.password_env", AT(database.password.env), TT_SETTING_SECRET, TT_FORM_ENV,
     LENGTH(TT_CONF_NAME_MAX),
     .help = "The environment variable that holds the account's password."},
    {"database.password_file", AT(database.password.file), TT_SETTING_SECRET,
     LENGTH(TT_CONF_FILE_MAX),
     .help = "The file that holds the account's password: at most 4 KiB, one newline at the end "
             "is not part of it."},
    {"database.charset", AT(database.charset), TT_SETTING_TEXT, TT_FORM_NAME,
     .preset_text = "utf8mb4", .min = 1, LENGTH(TT_CONF_NAME_MAX),
     .help = "The character set of every connection; none in which a quote or a backslash may be "
             "half of a character (big5, cp932, gb18030, gbk, sjis)."},
    {"database.time_zone", AT(database.time_zone), TT_SETTING_TEXT, TT_FORM_ZONE,
     LENGTH(TT_CONF_NAME_MAX),
     .help = "The time zone of every connection, `+00:00` or `Europe/Berlin`, and part of every cache "
             "key. Without one it is the servers': then all of them must have the same, as they must "
             "have the same `sql_mode` (of which ORACLE and MSSQL are taken off)."},
    {"database.connect_timeout", AT(database.connect_timeout_ms), TT_SETTING_DURATION,
     .preset = 2 * SECONDS, .min = 10 * MS, .max = 1 * MINUTES,
     .help = "How long opening a connection may take, TLS and login included."},
    {"database.query_timeout", AT(database.query_timeout_ms), TT_SETTING_DURATION,
     .preset = 5 * SECONDS, .min = 1 * MS, .max = 1 * HOURS, .running = true,
     .help = "The deadline of a call that brings none. It covers the waits for a connection, for a "
             "position and for Redis as well as the statement."},
    {"database.replica_wait", AT(database.replica_wait_ms), TT_SETTING_DURATION,
     .preset = 50 * MS, .min = 0, .max = 10 * SECONDS, .running = true,
     .help = "How long a read waits for a replica to apply the position it needs before it goes "
             "to the primary; `0` does not wait."},
    {"database.primary_read_limit", AT(database.primary_read_limit), TT_SETTING_INTEGER,
     .preset = 32, .min = 0, .max = 10000, .running = true,
     .help = "How many reads at the same time may move to the primary because no replica can "
             "serve them; further ones wait for their turn. With `0` none moves."},

    {"database.primary.host", AT(database.primary.host), TT_SETTING_TEXT, TT_FORM_HOST,
     LENGTH(TT_CONF_HOST_MAX),
     .help = "Name or address of the primary. This or the socket is required."},
    {"database.primary.port", AT(database.primary.port), TT_SETTING_INTEGER,
     .preset = TT_CONF_DB_PORT, .min = 1, .max = 65535, .help = "Its port."},
    {"database.primary.socket", AT(database.primary.socket), TT_SETTING_TEXT, TT_FORM_SOCKET,
     LENGTH(TT_CONF_SOCKET_MAX),
     .help = "Its Unix socket, in place of host and port."},

    {"database.replicas", AT(database.replicas), TT_SETTING_NODES, .max = TT_CONF_REPLICAS_MAX,
     .help = "The replicas. Without any, all reads go to the primary. As one text: "
             "`10.0.0.2, 10.0.0.3:3307*2, /run/db.sock` (host, port, weight)."},
    {"database.replicas[].host", IN_NODE(host), TT_SETTING_TEXT, TT_FORM_HOST,
     LENGTH(TT_CONF_HOST_MAX),
     .help = "Name or address of the replica. This or the socket is required."},
    {"database.replicas[].port", IN_NODE(port), TT_SETTING_INTEGER,
     .preset = TT_CONF_DB_PORT, .min = 1, .max = 65535, .help = "Its port."},
    {"database.replicas[].weight", IN_NODE(weight), TT_SETTING_INTEGER,
     .preset = 1, .min = 1, .max = TT_CONF_WEIGHT_MAX,
     .help = "Its share of the reads: a replica of weight 2 gets twice as many as one of weight "
             "1 that answers as fast."},
    {"database.replicas[].socket", IN_NODE(socket), TT_SETTING_TEXT, TT_FORM_SOCKET,
     LENGTH(TT_CONF_SOCKET_MAX),
     .help = "Its Unix socket, in place of host and port."},

    {"database.tls.mode", AT(database.tls.mode), TT_SETTING_ENUM,
     .words = "auto|off|require|verify_ca|verify",
     .help = "`require` refuses a connection without TLS, `verify_ca` checks the certificate too, "
             "`verify` also the server's name. `auto` is what the client library does by "
             "itself, which may be no TLS. Only to a server whose certificate is checked is a "
             "password said in clear (PAM)."},
    {"database.tls.ca", AT(database.tls.ca), TT_SETTING_TEXT, LENGTH(TT_CONF_FILE_MAX),
     .help = "File with the certificates (PEM) that a server's certificate is checked against. "
             "Required by the modes that check it."},

    {"database.pool.min", AT(database.pool.min), TT_SETTING_INTEGER,
     .preset = 0, .min = 0, .max = 1000, .running = true,
     .help = "Connections to each server that are kept open when idle. No more than "
             "`database.pool.max`."},
    {"database.pool.max", AT(database.pool.max), TT_SETTING_INTEGER,
     .preset = 16, .min = 1, .max = 1000, .running = true,
     .help = "Connections to each server, at most."},
    {"database.pool.wait_timeout", AT(database.pool.wait_timeout_ms), TT_SETTING_DURATION,
     .preset = 250 * MS, .min = 0, .max = 1 * MINUTES, .running = true,
     .help = "How long a call waits for a free connection; `0` does not wait."},
    {"database.pool.max_waiters", AT(database.pool.max_waiters), TT_SETTING_INTEGER,
     .preset = 256, .min = 0, .max = 100000, .running = true,
     .help = "Calls that may wait for a connection to the same server at the same time; one more "
             "fails at once with `TT_E_BUSY`."},
    {"database.pool.max_lifetime", AT(database.pool.max_lifetime_ms), TT_SETTING_DURATION,
     .preset = 30 * MINUTES, .min = 1 * SECONDS, .max = 7 * DAYS, .running = true,
     .help = "A connection older than this is closed when it is given back."},
    {"database.pool.idle_check", AT(database.pool.idle_check_ms), TT_SETTING_DURATION,
     .preset = 10 * SECONDS, .min = 0, .max = 1 * HOURS, .running = true,
     .help = "A connection that was idle for longer is tried with a ping before it is used; `0` "
             "tries it every time."},
    {"database.pool.statements", AT(database.pool.statements), TT_SETTING_INTEGER,
     .preset = 64, .min = 1, .max = 1024,
     .help = "Prepared statements kept on each connection; the least used goes first."},

    {"database.health.interval", AT(database.health.interval_ms), TT_SETTING_DURATION,
     .preset = 250 * MS, .min = 10 * MS, .max = 1 * MINUTES, .running = true,
     .help = "How often each server is asked for its role, replication and position."},
    {"database.health.max_lag", AT(database.health.max_lag_ms), TT_SETTING_DURATION,
     .preset = 1 * SECONDS, .min = 10 * MS, .max = 1 * HOURS, .running = true,
     .help = "A replica further behind than this gets no reads."},
    {"database.health.stale_after", AT(database.health.stale_after_ms), TT_SETTING_DURATION,
     .preset = 2 * SECONDS, .min = 20 * MS, .max = 10 * MINUTES, .running = true,
     .help = "An answer older than this counts as none: the server's state is then unknown. More "
             "than `database.health.interval`."},

    {"cache.redis", AT(cache.redis), TT_SETTING_URL, LENGTH(TT_CONF_URL_MAX),
     .help = "The Redis: `redis://[user@]host[:port][/db]`, port 6379 and database 0 unless it "
             "says so. `rediss://`, `sentinel://` and `cluster://` are known, and not supported "
             "by this version. A password in it is refused."},
    {"cache.password_env", AT(cache.password.env), TT_SETTING_SECRET, TT_FORM_ENV,
     LENGTH(TT_CONF_NAME_MAX),
     .help = "The environment variable that holds the password of the Redis."},
    {"cache.password_file", AT(cache.password.file), TT_SETTING_SECRET, LENGTH(TT_CONF_FILE_MAX),
     .help = "The file that holds the password of the Redis, likewise."},
    {"cache.scope", AT(cache.scope), TT_SETTING_ENUM, .words = "auto|none|shared|process",
     .help = "Who shares the cache. `shared`: every process with this Redis and namespace. "
             "`process`: this process alone, without a Redis; right only where one process "
             "writes. `none`: no cache. `auto`: `shared` with a Redis, `none` without."},
    {"cache.namespace", AT(cache.name_space), TT_SETTING_TEXT, TT_FORM_NAME,
     .preset_text = "twotier", .min = 1, LENGTH(TT_CONF_NAME_MAX),
     .help = "Processes that share a database and a Redis use the same one; the start of every "
             "key in Redis, without a `:`."},
    {"cache.default_ttl", AT(cache.default_ttl_ms), TT_SETTING_DURATION,
     .preset = 5 * MINUTES, .min = 1 * MS, .max = 30 * DAYS, .running = true,
     .help = "How long an entry lives when the read names no class."},
    {"cache.classes", AT(cache.classes), TT_SETTING_CLASSES, .max = TT_CONF_CLASSES_MAX,
     .running = true,
     .help = "Names for times to live, so that reads say what they are. As one text: "
             "`static=24h, user=1h`."},
    {"cache.classes.*", 0, TT_SETTING_DURATION, .preset = -1, .min = 1 * MS, .max = 30 * DAYS,
     .running = true,
     .help = "How long an entry of this class lives. The name has 1 to 32 letters, digits, `_` "
             "and `-`."},
    {"cache.write_policy", AT(cache.write_policy), TT_SETTING_ENUM, .words = "intent|after_commit",
     .running = true,
     .help = "`intent` marks the tags of a write before its commit, so that a process that dies "
             "in between leaves nothing stale. `after_commit` saves that round trip and accepts "
             "stale entries, until they expire, in that case."},
    {"cache.when_unavailable", AT(cache.when_unavailable), TT_SETTING_ENUM, .words = "fail|defer",
     .running = true,
     .help = "A write whose tags cannot be marked because Redis is away: `fail` sends nothing to "
             "the database; `defer` writes, and keeps the invalidation in the table below until "
             "Redis has it (statements that commit by themselves, DDL and CALL, fail all the same)."},
    {"cache.deferred_table", AT(cache.deferred_table), TT_SETTING_TEXT, TT_FORM_TABLE,
     .preset_text = "twotier_deferred", .min = 1, LENGTH(2 * TT_CONF_NAME_MAX),
     .help = "The table, `name` or `schema.name`, that holds deferred invalidations."},
    {"cache.mark_timeout", AT(cache.mark_timeout_ms), TT_SETTING_DURATION,
     .preset = 30 * SECONDS, .min = 1 * SECONDS, .max = 1 * HOURS, .running = true,
     .help = "After this, the mark of a write that never came back may be cleared by others, who "
             "first end its connection. More than `database.query_timeout`."},
    {"cache.lease_timeout", AT(cache.lease_timeout_ms), TT_SETTING_DURATION,
     .preset = 5 * SECONDS, .min = 10 * MS, .max = 1 * HOURS, .running = true,
     .help = "How long one reader has the right to fill an entry, at most."},
    {"cache.entry_max_bytes", AT(cache.entry_max_bytes), TT_SETTING_SIZE,
     .preset = 1 * MIB, .min = 1 * KIB, .max = 256 * MIB, .running = true,
     .help = "A larger result is not cached."},
    {"cache.tag_ttl", AT(cache.tag_ttl_ms), TT_SETTING_DURATION,
     .preset = 2 * DAYS, .min = 1 * MINUTES, .max = 365 * DAYS, .running = true,
     .help = "How long an unused tag is kept. No less than any time to live of entries, which are "
             "worth nothing without their tags."},
    {"cache.timeout", AT(cache.timeout_ms), TT_SETTING_DURATION,
     .preset = 100 * MS, .min = 1 * MS, .max = 10 * SECONDS, .running = true,
     .help = "How long one round trip to Redis may take before it counts as failed."},
    {"cache.connections", AT(cache.connections), TT_SETTING_INTEGER,
     .preset = 2, .min = 2, .max = 64,
     .help = "Connections to Redis, shared by all threads. The last is for large values, so that "
             "they do not hold up small ones."},
    {"cache.breaker.failures", AT(cache.breaker.failures), TT_SETTING_INTEGER,
     .preset = 5, .min = 1, .max = 1000,
     .help = "After so many failures in a row, Redis is left alone for a while."},
    {"cache.breaker.open_min", AT(cache.breaker.open_min_ms), TT_SETTING_DURATION,
     .preset = 100 * MS, .min = 1 * MS, .max = 1 * MINUTES,
     .help = "How long the first time; it doubles each time that Redis is still away."},
    {"cache.breaker.open_max", AT(cache.breaker.open_max_ms), TT_SETTING_DURATION,
     .preset = 5 * SECONDS, .min = 1 * MS, .max = 10 * MINUTES,
     .help = "And how long at most."},

    {"cache.local.mode", AT(cache.local.mode), TT_SETTING_ENUM, .words = "off|validate|bounded",
     .help = "Results kept in the process. `validate` asks Redis for the tags before each use, "
             "and is never stale. `bounded` asks nothing, and may be stale for up to "
             "`cache.local.bound`. With the scope `process` entries are kept here "
             "without it. In this version only `off`."},
    {"cache.local.max_bytes", AT(cache.local.max_bytes), TT_SETTING_SIZE,
     .preset = 64 * MIB, .min = 1 * MIB, .max = 64 * GIB,
     .help = "Memory for them. No less than `cache.entry_max_bytes`."},
    {"cache.local.bound", AT(cache.local.bound_ms), TT_SETTING_DURATION,
     .preset = 1 * SECONDS, .min = 1 * MS, .max = 1 * HOURS, .running = true,
     .help = "In the mode `bounded`: how old the last proof that invalidations arrive may be. "
             "Without effect in this version."},

    {"limits.result_bytes", AT(limits.result_bytes), TT_SETTING_SIZE,
     .preset = 64 * MIB, .min = 1 * KIB, .max = 1 * GIB, .running = true,
     .help = "A larger result is refused with `TT_E_LIMIT`."},
    {"limits.result_rows", AT(limits.result_rows), TT_SETTING_INTEGER,
     .preset = 1000000, .min = 1, .max = 100000000, .running = true,
     .help = "A result of more rows is refused likewise."},

    {"read.unproven", AT(read.unproven), TT_SETTING_ENUM, .words = "refuse|primary",
     .running = true,
     .help = "What becomes of a statement given to a read call that cannot be proved a plain read "
             "(a stored function, say): `refuse` it, or run it on the `primary`, uncached. What "
             "is known to write is always refused."},
};
/* clang-format on */

const struct tt_key *tt_settings_keys(size_t *n)
{
    *n = TT_COUNT(keys);
    return keys;
}

const void *tt_setting_value(const struct tt_key *key, const struct tt_settings *s)
{
    return strpbrk(key->path, "[*") ? NULL : (const char *)s + key->offset;
}

static const char *form_text(const struct tt_key *key)
{
    switch (key->form) {
    case TT_FORM_NAME:
        return "letters, digits, '_', '-', '.' and ':'";
    case TT_FORM_TABLE:
        return "a table as name or schema.name, of letters, digits, '_' and '$'";
    case TT_FORM_ZONE:
        return "a time zone (letters, digits, '_', '+', '-', ':', '/')";
    case TT_FORM_HOST:
        return "a host name or address";
    case TT_FORM_SOCKET:
        return "an absolute path without blanks, ',' and '*'";
    case TT_FORM_ENV:
        return "the name of an environment variable (letters, digits, '_')";
    case TT_FORM_ANY:
        break;
    }
    return key->type == TT_SETTING_SECRET ? "the path of a file" : "a text";
}

struct tt_phrase tt_key_expects(const struct tt_key *key)
{
    struct tt_phrase out = {""};
    char *c = out.c;
    size_t size = sizeof(out.c);

    switch (key->type) {
    case TT_SETTING_INTEGER:
        (void)snprintf(c, size, "an integer from %" PRId64 " to %" PRId64, key->min, key->max);
        break;
    case TT_SETTING_DURATION:
        (void)snprintf(c, size, "a duration from %s to %s", tt_duration_text(key->min).c,
                       tt_duration_text(key->max).c);
        break;
    case TT_SETTING_SIZE:
        (void)snprintf(c, size, "a size from %s to %s", tt_size_text(key->min).c,
                       tt_size_text(key->max).c);
        break;
    case TT_SETTING_ENUM:
        (void)snprintf(c, size, "one of %s", key->words);
        break;
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
        (void)snprintf(c, size, "%s, at %s %" PRId64 " bytes", form_text(key),
                       key->min ? "least 1 and at most" : "most", key->max);
        break;
    case TT_SETTING_URL:
        (void)snprintf(c, size, "a URL such as redis://10.0.0.9:6379/0");
        break;
    case TT_SETTING_NODES:
        (void)snprintf(c, size, "a list of at most %" PRId64 " servers", key->max);
        break;
    case TT_SETTING_CLASSES:
        (void)snprintf(c, size, "a map of at most %" PRId64 " names to durations", key->max);
        break;
    }
    return out;
}

struct tt_phrase tt_key_preset(const struct tt_key *key)
{
    struct tt_phrase out = {""};
    tt_str word;

    if (key->preset < 0)
        return out;
    switch (key->type) {
    case TT_SETTING_INTEGER:
        (void)snprintf(out.c, sizeof(out.c), "%" PRId64, key->preset);
        break;
    case TT_SETTING_DURATION:
        (void)snprintf(out.c, sizeof(out.c), "%s", tt_duration_text(key->preset).c);
        break;
    case TT_SETTING_SIZE:
        (void)snprintf(out.c, sizeof(out.c), "%s", tt_size_text(key->preset).c);
        break;
    case TT_SETTING_ENUM:
        word = tt_word_at(key->words, (int)key->preset);
        tt_text_store(out.c, sizeof(out.c), word);
        break;
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
    case TT_SETTING_URL:
    case TT_SETTING_NODES:
    case TT_SETTING_CLASSES:
        (void)snprintf(out.c, sizeof(out.c), "%s", key->preset_text ? key->preset_text : "");
        break;
    }
    return out;
}
