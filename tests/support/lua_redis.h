/* lua_redis.h: a Redis node without Redis: some keys, a clock, and Lua 5.1, in which the shipped
 * script runs as it does there: KEYS and ARGV as globals, redis.call, redis.pcall,
 * redis.error_reply, and of the commands GET, SET (with PX), DEL and TIME, with Redis' checks of
 * their arguments.
 */
#ifndef TT_TEST_LUA_REDIS_H
#define TT_TEST_LUA_REDIS_H

#include "base/buf.h"
#include "core/batch.h"

typedef struct lua_redis lua_redis;

/* Both abort the program on failure: these are tests. */
lua_redis *lua_redis_new(tt_str script);
void lua_redis_free(lua_redis *r);

/* Time stands still within a command. */
void lua_redis_set_time(lua_redis *r, uint64_t now_ms);
/* GET, a mark, or the script with `epoch` as ARGV[2]. The text is valid until the next call. */
tt_reply lua_redis_run(lua_redis *r, const tt_cmd *cmd, tt_str epoch);
/* The value at a key, and the last millisecond of its life (0: no end). NULL p: none. */
tt_str lua_redis_get(lua_redis *r, tt_str key, uint64_t *expires_ms);

#endif
