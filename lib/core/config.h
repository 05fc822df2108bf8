/* config.h: every setting of a client, and the one table of keys from which setting by text, the
 * checks and the reference page are made.
 *
 * struct tt_settings is plain memory of fixed size: it is copied by assignment, compared key by
 * key, and needs no free. Whatever is a text has a documented maximum; none is ever a secret,
 * only the name of the place where a secret is.
 */
#ifndef TT_CORE_CONFIG_H
#define TT_CORE_CONFIG_H

#include <twotier/error.h>

#include "base/buf.h"
#include "core/position.h"

#define TT_CONF_PATH_MAX 96    /* longest key, with the closing zero */
#define TT_CONF_HOST_MAX 256   /* likewise the texts */
#define TT_CONF_SOCKET_MAX 108 /* sockaddr_un.sun_path */
#define TT_CONF_FILE_MAX 1024
#define TT_CONF_NAME_MAX 65
#define TT_CONF_URL_MAX 512
#define TT_CONF_USER_MAX 129
#define TT_CONF_IDENT_MAX 193 /* an identifier of 64 characters of three bytes */
#define TT_CONF_CLASS_MAX 33
#define TT_CONF_REPLICAS_MAX 32
#define TT_CONF_WEIGHT_MAX 100
#define TT_CONF_DB_PORT 3306
#define TT_CONF_CLASSES_MAX 64

/* The values of the enum keys, in the order of their words in the table. */
enum tt_conf_tls {
    TT_CONF_TLS_AUTO, /* what the client library does by itself */
    TT_CONF_TLS_OFF,
    TT_CONF_TLS_REQUIRE,
    TT_CONF_TLS_VERIFY_CA,
    TT_CONF_TLS_VERIFY /* the server's name as well */
};
enum tt_conf_scope {
    TT_CONF_SCOPE_AUTO, /* shared with a Redis, none without; see tt_settings_scope */
    TT_CONF_SCOPE_NONE,
    TT_CONF_SCOPE_SHARED,
    TT_CONF_SCOPE_PROCESS
};
enum tt_conf_write { TT_CONF_WRITE_INTENT, TT_CONF_WRITE_AFTER_COMMIT };
enum tt_conf_away { TT_CONF_AWAY_FAIL, TT_CONF_AWAY_DEFER };
enum tt_conf_local { TT_CONF_LOCAL_OFF, TT_CONF_LOCAL_VALIDATE, TT_CONF_LOCAL_BOUNDED };
enum tt_conf_unproven { TT_CONF_UNPROVEN_REFUSE, TT_CONF_UNPROVEN_PRIMARY };

/* One server: a host and port, or a socket (then `host` is ""). */
struct tt_conf_node {
    char host[TT_CONF_HOST_MAX];
    char socket[TT_CONF_SOCKET_MAX];
    int port;
    int weight; /* of a replica */
};

struct tt_conf_nodes {
    int n;
    struct tt_conf_node v[TT_CONF_REPLICAS_MAX];
};

struct tt_conf_class {
    char name[TT_CONF_CLASS_MAX];
    int64_t ttl_ms;
};

struct tt_conf_classes {
    int n;
    struct tt_conf_class v[TT_CONF_CLASSES_MAX];
};

/* Where a secret is; both "" when there is none. */
struct tt_conf_secret {
    char env[TT_CONF_NAME_MAX];
    char file[TT_CONF_FILE_MAX];
};

struct tt_settings {
    struct {
        int family; /* tt_family; TT_FAMILY_UNKNOWN: ask the server */
        char schema[TT_CONF_IDENT_MAX];
        char user[TT_CONF_USER_MAX];
        struct tt_conf_secret password;
        struct tt_conf_node primary;
        struct tt_conf_nodes replicas;
        int64_t connect_timeout_ms;
        int64_t query_timeout_ms;
        char charset[TT_CONF_NAME_MAX];
        char time_zone[TT_CONF_NAME_MAX]; /* "": the servers' */
        struct {
            int mode; /* enum tt_conf_tls */
            char ca[TT_CONF_FILE_MAX];
        } tls;
        struct {
            int min, max;
            int64_t wait_timeout_ms;
            int max_waiters;
            int64_t max_lifetime_ms;
            int64_t idle_check_ms;
            int statements;
        } pool;
        struct {
            int64_t interval_ms;
            int64_t max_lag_ms;
            int64_t stale_after_ms;
        } health;
        int64_t replica_wait_ms;
        int primary_read_limit;
    } database;
    struct {
        char redis[TT_CONF_URL_MAX];
        struct tt_conf_secret password;
        int scope;                         /* enum tt_conf_scope */
        char name_space[TT_CONF_NAME_MAX]; /* cache.namespace, a word of C++ */
        struct tt_conf_classes classes;
        int64_t default_ttl_ms;
        int write_policy;     /* enum tt_conf_write */
        int when_unavailable; /* enum tt_conf_away */
        char deferred_table[2 * TT_CONF_NAME_MAX];
        int64_t mark_timeout_ms;
        int64_t lease_timeout_ms;
        int64_t entry_max_bytes;
        int64_t tag_ttl_ms;
        int64_t timeout_ms;
        int connections;
        struct {
            int failures;
            int64_t open_min_ms;
            int64_t open_max_ms;
        } breaker;
        struct {
            int mode; /* enum tt_conf_local */
            int64_t max_bytes;
            int64_t bound_ms;
        } local;
    } cache;
    struct {
        int64_t result_bytes;
        int result_rows;
    } limits;
    struct {
        int unproven; /* enum tt_conf_unproven */
    } read;
};

typedef enum tt_setting_type {
    TT_SETTING_INTEGER,  /* int */
    TT_SETTING_DURATION, /* int64_t, milliseconds */
    TT_SETTING_SIZE,     /* int64_t, bytes */
    TT_SETTING_ENUM,     /* int, an index into `words` */
    TT_SETTING_TEXT,     /* char[max + 1] */
    TT_SETTING_SECRET,   /* the same, names where a secret is; never shown in an error */
    TT_SETTING_URL,      /* the same, of a Redis; never shown in an error */
    TT_SETTING_NODES,    /* struct tt_conf_nodes */
    TT_SETTING_CLASSES   /* struct tt_conf_classes */
} tt_setting_type;

/* What characters a text may have. */
typedef enum tt_text_form {
    TT_FORM_ANY,    /* no control characters; all the others imply this */
    TT_FORM_NAME,   /* letters, digits, _ - . : */
    TT_FORM_TABLE,  /* [schema.]table of letters, digits, _ $: it becomes part of SQL */
    TT_FORM_ZONE,   /* offset or name of a time zone: it becomes part of SQL */
    TT_FORM_HOST,   /* name or address, without a port */
    TT_FORM_SOCKET, /* absolute path */
    TT_FORM_ENV     /* name of an environment variable */
} tt_text_form;

/* One row of the table. "database.replicas[].host" stands for the field of every replica, and its
 * offset is from the start of a struct tt_conf_node; "cache.classes.*" for every class, and its
 * offset is not used. */
struct tt_key {
    const char *path;
    size_t offset;
    tt_setting_type type;
    tt_text_form form;
    int64_t preset, min, max; /* of numbers; of texts min and max are lengths in bytes */
    const char *preset_text;  /* of texts; NULL is "" */
    const char *words;        /* of an enum: "off|validate|bounded"; the preset is an index */
    bool running;             /* may change while the client runs */
    const char *help;
};

/* The table, in the order of the reference page. Static memory. */
const struct tt_key *tt_settings_keys(size_t *n);
/* A phrase by value, for messages and the page. */
struct tt_phrase {
    char c[160];
};
/* What a value of this key has to be: "an integer from 1 to 1000". */
struct tt_phrase tt_key_expects(const struct tt_key *key);
/* The default of the key as text, as tt_settings_get gives it. */
struct tt_phrase tt_key_preset(const struct tt_key *key);

/* Where the key's value is in `s`; for rows of elements NULL. */
const void *tt_setting_value(const struct tt_key *key, const struct tt_settings *s);

/* All settings at their defaults; what is missing for a client is a primary. */
void tt_settings_default(struct tt_settings *s);

/* Set one key from text. Paths are those of the table; of lists and maps also
 * "database.replicas[0].host" (an index one past the last appends) and "cache.classes.user".
 * A whole list is "10.0.0.2, 10.0.0.3:3307*2, /run/db.sock" (host, port, weight), a whole map
 * "static=24h, user=1h", "" empties either. On failure nothing is changed.
 * 0, TT_E_CONFIG (the message says what was expected and what came). */
TT_MUST int tt_settings_set(struct tt_settings *s, const char *path, tt_str text, tt_error *err);

/* Append the value as text that tt_settings_set takes. 0, TT_E_CONFIG (no such key or element),
 * TT_E_NOMEM. */
TT_MUST int tt_settings_get(const struct tt_settings *s, const char *path, tt_buf *out,
                            tt_error *err);

/* What stands at a path; for a reader of files. */
typedef enum tt_path_kind {
    TT_PATH_UNKNOWN,
    TT_PATH_VALUE,
    TT_PATH_SECTION, /* has keys below it; also one element of a list */
    TT_PATH_LIST,
    TT_PATH_MAP
} tt_path_kind;
tt_path_kind tt_settings_kind(const char *path);
/* The error for a path that is not known, with the nearest one that is. Always TT_E_CONFIG. */
int tt_settings_unknown(const char *path, tt_error *err);

/* What no single key can show: a primary is required, min <= max, and the like.
 * 0, TT_E_CONFIG, TT_E_UNSUPPORTED (the scheme of the Redis URL). */
TT_MUST int tt_settings_check(const struct tt_settings *s, tt_error *err);
/* The part of it for one node: `what` names it in the message. 0, TT_E_CONFIG. */
TT_MUST int tt_conf_node_check(const struct tt_conf_node *node, const char *what, tt_error *err);

/* May a running client go from one to the other? 0, or TT_E_CONFIG naming the keys that differ and
 * cannot change while running. */
TT_MUST int tt_settings_diff(const struct tt_settings *running, const struct tt_settings *next,
                             tt_error *err);
/* Does this key of the table differ? For whoever applies a change. False for rows of elements. */
TT_MUST bool tt_settings_differ(const struct tt_settings *a, const struct tt_settings *b,
                                const struct tt_key *key);

/* Take the value of one key of the table; nothing for rows of elements. */
void tt_settings_take(struct tt_settings *into, const struct tt_settings *from,
                      const struct tt_key *key);

/* The scope in force: `auto` resolved. */
enum tt_conf_scope tt_settings_scope(const struct tt_settings *s);
/* The word of database.tls.mode for the driver; NULL for `auto`. */
const char *tt_settings_tls_mode(const struct tt_settings *s);
/* The time to live of a class, "" for the default; -1 when there is no such class. */
int64_t tt_settings_ttl_ms(const struct tt_settings *s, tt_str class_name);

/* A Redis URL, taken apart. */
typedef enum tt_redis_scheme {
    TT_REDIS_PLAIN,    /* redis:// */
    TT_REDIS_TLS,      /* rediss:// */
    TT_REDIS_SENTINEL, /* sentinel:// */
    TT_REDIS_CLUSTER   /* cluster:// */
} tt_redis_scheme;

/* Of the schemes other than plain only `scheme` is filled in this version. */
struct tt_redis_url {
    tt_redis_scheme scheme;
    char user[TT_CONF_USER_MAX]; /* "" when there is none */
    char host[TT_CONF_HOST_MAX];
    int port;
    int db;
};

/* "redis://[user@]host[:port][/db]". 0, TT_E_CONFIG; a password in it is refused, and no message
 * repeats any part of the text. */
TT_MUST int tt_redis_url_parse(tt_str text, struct tt_redis_url *out, tt_error *err);

#endif
