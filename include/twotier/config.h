/* twotier/config.h: the configuration of a client, from a file or key by key.
 *
 * All keys, their types, defaults and bounds are in docs/configuration.md. A configuration holds
 * what it was told; nothing is opened before a client is made of it, which takes a copy.
 *
 * A tt_config belongs to one thread at a time. NULL where something is required gives
 * TT_E_ARGUMENT.
 */
#ifndef TWOTIER_CONFIG_H
#define TWOTIER_CONFIG_H

#include <stddef.h>
#include <twotier/error.h>
#include <twotier/export.h>
#include <twotier/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest configuration file or text, and longest password, in bytes. */
#define TT_CONFIG_TEXT_MAX (1024 * 1024)
#define TT_CONFIG_PASSWORD_MAX 4096

/** The configuration of a client. Opaque. */
typedef struct tt_config tt_config;

/** A configuration with every key at its default.
 * @param allocator  where it and its clients get their memory; copied; NULL for malloc and free.
 * @param out        on success owned by the caller; free with tt_config_free().
 * @return 0, TT_E_ARGUMENT, TT_E_NOMEM.
 * Any thread. Never blocks. Since 0.1. */
TT_API int tt_config_new(const tt_allocator *allocator, tt_config **out, tt_error *err);

/** Free a configuration, and wipe the passwords it was given. Clients made of it are not concerned.
 * @param config  may be NULL.
 * One thread at a time. Never blocks, never fails. Since 0.1. */
TT_API void tt_config_free(tt_config *config);

/** Read a YAML file, over what is set already: keys that the file does not have stay as they are,
 * a list or a map takes the place of the one before. On failure nothing is changed.
 * @param path  borrowed for the call.
 * @return 0, TT_E_CONFIG (the message says file, line, column and what was expected), TT_E_NOMEM.
 * One thread at a time. Blocks while the file is read. Since 0.1. */
TT_API int tt_config_load_file(tt_config *config, const char *path, tt_error *err);

/** The same for a text in memory.
 * @param name  stands for the file in messages; NULL for "text".
 * @param text  borrowed for the call; no closing zero needed.
 * @param size  its length in bytes; at most TT_CONFIG_TEXT_MAX.
 * @return 0, TT_E_CONFIG, TT_E_NOMEM.
 * One thread at a time. Never blocks. Since 0.1. */
TT_API int tt_config_load_text(tt_config *config, const char *name, const char *text, size_t size,
                               tt_error *err);

/** Set one key. On failure nothing is changed.
 * @param key   as in the reference page: "database.pool.max"; also of one replica,
 *              "database.replicas[0].host" (the index after the last adds one), or one class,
 *              "cache.classes.user".
 * @param text  the value as it would stand in the file: "32", "250ms", "64MiB"; copied.
 * @return 0, TT_E_CONFIG (unknown key, wrong type or out of range; the message says which).
 * One thread at a time. Never blocks. Since 0.1. */
TT_API int tt_config_set(tt_config *config, const char *key, const char *text, tt_error *err);

/** The value of one key as text that tt_config_set() takes. Passwords have no key.
 * @param out   gets the text and a closing zero; written on success only.
 * @param size  room in bytes.
 * @return 0, TT_E_CONFIG (no such key), TT_E_RANGE (no room; the message says how much it
 *         takes), TT_E_NOMEM.
 * One thread at a time. Never blocks. Since 0.1. */
TT_API int tt_config_get(const tt_config *config, const char *key, char *out, size_t size,
                         tt_error *err);

/** Would a client accept it? Says what no single key can show: a primary is required, one bound is
 * above another, the Redis URL is of a kind that this version does not support. Reads no
 * environment, opens no file and no connection.
 * @return 0, TT_E_CONFIG, TT_E_UNSUPPORTED.
 * One thread at a time. Never blocks. Since 0.1. */
TT_API int tt_config_check(const tt_config *config, tt_error *err);

/** The password of the database account, in place of database.password_env and
 * database.password_file. Kept in memory only, never in a log or message, wiped when freed.
 * @param password  copied; NULL takes back what was set; at most TT_CONFIG_PASSWORD_MAX bytes.
 * @return 0, TT_E_LIMIT, TT_E_NOMEM.
 * One thread at a time. Never blocks. Since 0.1. */
TT_API int tt_config_set_password(tt_config *config, const char *password, tt_error *err);

/** The password of the Redis, likewise, in place of cache.password_env and cache.password_file.
 * @return 0, TT_E_LIMIT, TT_E_NOMEM.
 * One thread at a time. Never blocks. Since 0.1. */
TT_API int tt_config_set_redis_password(tt_config *config, const char *password, tt_error *err);

/** The clocks of the client; copied; NULL for those of the system (the default).
 * One thread at a time. Never blocks, never fails. Since 0.1. */
TT_API void tt_config_set_clock(tt_config *config, const tt_clock *clock);

/** Where log lines of the client go; copied; NULL for no log (the default).
 * One thread at a time. Never blocks, never fails. Since 0.1. */
TT_API void tt_config_set_log(tt_config *config, const tt_log_sink *sink);

#ifdef __cplusplus
}
#endif
#endif
