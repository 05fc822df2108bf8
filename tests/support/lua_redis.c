#include "support/lua_redis.h"

#include <ctype.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "core/tag.h"

enum { BUCKETS = 256 };

typedef struct item {
    struct item *next;
    tt_buf key, value;
    uint64_t expires_ms; /* 0: no end */
} item;

struct lua_redis {
    lua_State *lua;
    int script; /* the compiled script, in the registry */
    uint64_t now_ms;
    tt_buf reply;
    item *buckets[BUCKETS];
};

/* ---- locale ---- */

/* Lua compares strings by strcoll, and Redis takes the locale of its environment. So that the
 * script does not depend on it, this program has an odd one: dashes and case matter last. */
__attribute__((visibility("default"))) int strcoll(const char *a, const char *b)
{
    const char *p = a, *q = b;

    for (;; p++, q++) {
        while (*p == '-')
            p++;
        while (*q == '-')
            q++;
        if (!*p || tolower((unsigned char)*p) != tolower((unsigned char)*q))
            break;
    }
    if (*p || *q)
        return tolower((unsigned char)*p) - tolower((unsigned char)*q);
    return strcmp(a, b);
}

/* ---- keys ---- */

static item **find(lua_redis *r, tt_str key)
{
    item **at = &r->buckets[tt_hash64(key) % BUCKETS];

    while (*at && !tt_str_eq(tt_buf_str(&(*at)->key), key))
        at = &(*at)->next;
    return at;
}

static void drop(item **at)
{
    item *i = *at;

    *at = i->next;
    tt_buf_free(&i->key);
    tt_buf_free(&i->value);
    free(i);
}

/* The item at the key, or NULL; as Redis, alive while now <= expires. */
static item *lookup(lua_redis *r, tt_str key)
{
    item **at = find(r, key);

    if (*at && (*at)->expires_ms && r->now_ms > (*at)->expires_ms)
        drop(at);
    return *at;
}

static void set(lua_redis *r, tt_str key, tt_str value, uint64_t expires_ms)
{
    item **at = find(r, key);

    if (!*at) {
        *at = calloc(1, sizeof(**at));
        if (!*at)
            abort();
        (*at)->key = (*at)->value = tt_buf_init(&tt_allocator_libc);
        tt_buf_put_str(&(*at)->key, key);
    }
    tt_buf_clear(&(*at)->value);
    tt_buf_put_str(&(*at)->value, value);
    (*at)->expires_ms = expires_ms;
}

/* ---- commands ---- */

/* As Redis' string2ll, for what may be positive: digits, no leading zero. */
static bool read_ttl(const lua_redis *r, tt_str text, uint64_t *expires_ms)
{
    uint64_t ms;

    if (text.n == 0 || text.p[0] == '0' || !tt_str_u64(text, &ms) || ms > INT64_MAX - r->now_ms)
        return false;
    *expires_ms = r->now_ms + ms;
    return true;
}

/* Leaves one value on the stack, or returns an error text. */
static const char *command(lua_redis *r, lua_State *l, const tt_str *words, int n)
{
    uint64_t expires_ms = 0;
    const item *found;

    if (n == 1 && tt_str_eq(words[0], TT_STR("TIME"))) {
        lua_createtable(l, 2, 0);
        for (int i = 1; i <= 2; i++) {
            uint64_t part = i == 1 ? r->now_ms / 1000 : r->now_ms % 1000 * 1000;
            char text[21];

            (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)part);
            lua_pushstring(l, text);
            lua_rawseti(l, -2, i);
        }
    } else if (n == 2 && tt_str_eq(words[0], TT_STR("GET"))) {
        found = lookup(r, words[1]);
        if (found)
            lua_pushlstring(l, found->value.p ? found->value.p : "", found->value.n);
        else
            lua_pushboolean(l, 0);
    } else if (n == 2 && tt_str_eq(words[0], TT_STR("DEL"))) {
        lua_pushinteger(l, lookup(r, words[1]) != NULL);
        if (lookup(r, words[1]))
            drop(find(r, words[1]));
    } else if (n >= 3 && tt_str_eq(words[0], TT_STR("SET"))) {
        if (n != 3 && (n != 5 || !tt_str_eq(words[3], TT_STR("PX"))))
            return "ERR syntax error";
        if (n == 5 && !read_ttl(r, words[4], &expires_ms))
            return "ERR invalid expire time in 'set' command";
        set(r, words[1], words[2], expires_ms);
        lua_pushliteral(l, "OK");
    } else {
        return "ERR unknown command, or wrong number of arguments";
    }
    return NULL;
}

static int run_command(lua_State *l, bool raise)
{
    enum { WORDS_MAX = 8 };
    lua_redis *r = lua_touserdata(l, lua_upvalueindex(1));
    int n = lua_gettop(l);
    tt_str words[WORDS_MAX];
    const char *error = n > WORDS_MAX ? "ERR too many arguments" : NULL;

    for (int i = 0; i < n && !error; i++) {
        words[i].p = lua_tolstring(l, i + 1, &words[i].n);
        if (!words[i].p)
            error = "ERR command arguments must be strings or integers";
    }
    if (!error)
        error = command(r, l, words, n);
    if (!error)
        return 1;
    lua_createtable(l, 0, 1);
    lua_pushstring(l, error);
    lua_setfield(l, -2, "err");
    return raise ? lua_error(l) : 1;
}

static int redis_call(lua_State *l)
{
    return run_command(l, true);
}

static int redis_pcall(lua_State *l)
{
    return run_command(l, false);
}

static int redis_error_reply(lua_State *l)
{
    lua_createtable(l, 0, 1);
    lua_pushvalue(l, 1);
    lua_setfield(l, -2, "err");
    return 1;
}

/* ---- the script ---- */

static void add_function(lua_redis *r, const char *name, lua_CFunction f)
{
    lua_pushlightuserdata(r->lua, r);
    lua_pushcclosure(r->lua, f, 1);
    lua_setfield(r->lua, -2, name);
}

lua_redis *lua_redis_new(tt_str script)
{
    lua_redis *r = calloc(1, sizeof(*r));

    if (!r || !(r->lua = luaL_newstate()))
        abort();
    r->reply = tt_buf_init(&tt_allocator_libc);
    luaL_openlibs(r->lua);
    lua_createtable(r->lua, 0, 3);
    add_function(r, "call", redis_call);
    add_function(r, "pcall", redis_pcall);
    add_function(r, "error_reply", redis_error_reply);
    lua_setglobal(r->lua, "redis");
    if (luaL_loadbuffer(r->lua, script.p, script.n, "=cache.lua") != 0) {
        (void)fprintf(stderr, "%s\n", lua_tostring(r->lua, -1));
        abort();
    }
    r->script = luaL_ref(r->lua, LUA_REGISTRYINDEX);
    return r;
}

void lua_redis_free(lua_redis *r)
{
    for (int i = 0; i < BUCKETS; i++)
        while (r->buckets[i])
            drop(&r->buckets[i]);
    tt_buf_free(&r->reply);
    lua_close(r->lua);
    free(r);
}

void lua_redis_set_time(lua_redis *r, uint64_t now_ms)
{
    r->now_ms = now_ms;
}

tt_str lua_redis_get(lua_redis *r, tt_str key, uint64_t *expires_ms)
{
    const item *found = lookup(r, key);

    if (expires_ms)
        *expires_ms = found ? found->expires_ms : 0;
    return !found ? tt_str_n(NULL, 0)
                  : tt_str_n(found->value.p ? found->value.p : "", found->value.n);
}

static void set_global_list(lua_State *l, const char *name, const tt_str *items, int n)
{
    lua_createtable(l, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushlstring(l, items[i].p ? items[i].p : "", items[i].n);
        lua_rawseti(l, -2, i + 1);
    }
    lua_setglobal(l, name);
}

/* What the script left on the stack, as Redis turns it into a reply. */
static tt_reply take_reply(lua_redis *r, bool failed)
{
    lua_State *l = r->lua;
    tt_reply reply = {TT_REPLY_NIL, {NULL, 0}};
    size_t n;
    const char *text;

    if (lua_istable(l, -1)) {
        lua_getfield(l, -1, "err");
        failed = true;
    }
    tt_buf_clear(&r->reply);
    if (failed || lua_type(l, -1) == LUA_TSTRING) {
        text = lua_tolstring(l, -1, &n);
        tt_buf_put(&r->reply, text, text ? n : 0);
        reply.kind = failed ? TT_REPLY_ERROR : TT_REPLY_TEXT;
        reply.text = tt_buf_str(&r->reply);
    }
    lua_settop(l, 0);
    return reply;
}

/* APPEND, PERSIST, GET. */
static tt_reply append_mark(lua_redis *r, const tt_cmd *cmd)
{
    const item *found = lookup(r, cmd->key);
    uint64_t timeout_ms;

    if (!tt_str_u64(cmd->args[1], &timeout_ms))
        return (tt_reply){TT_REPLY_ERROR, TT_STR("not formatted")};
    tt_buf_clear(&r->reply);
    if (found)
        tt_buf_put_str(&r->reply, tt_buf_str(&found->value));
    tt_mark_write(cmd->args[0], r->now_ms + timeout_ms, cmd->args[2], cmd->args[3], &r->reply);
    set(r, cmd->key, tt_buf_str(&r->reply), 0);
    return (tt_reply){TT_REPLY_TEXT, tt_buf_str(&r->reply)};
}

tt_reply lua_redis_run(lua_redis *r, const tt_cmd *cmd, tt_str epoch)
{
    tt_str args[TT_BATCH_ARGS_MAX + 1];
    int n = 0;

    if (cmd->kind == TT_CMD_MARK)
        return append_mark(r, cmd);
    if (cmd->kind == TT_CMD_GET) {
        const item *found = lookup(r, cmd->key);

        tt_buf_clear(&r->reply);
        if (!found)
            return (tt_reply){TT_REPLY_NIL, {NULL, 0}};
        tt_buf_put_str(&r->reply, tt_buf_str(&found->value));
        return (tt_reply){TT_REPLY_TEXT, tt_buf_str(&r->reply)};
    }
    for (int i = 0; i < cmd->n_args; i++) {
        args[n++] = cmd->args[i];
        if (i == 0)
            args[n++] = epoch;
    }
    set_global_list(r->lua, "KEYS", &cmd->key, 1);
    set_global_list(r->lua, "ARGV", args, n);
    lua_rawgeti(r->lua, LUA_REGISTRYINDEX, r->script);
    return take_reply(r, lua_pcall(r->lua, 0, 1, 0) != 0);
}
