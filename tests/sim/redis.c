/* Redis nodes: text at keys with an expiry, and the script of core/cache.lua run by Lua 5.1. */
#include "sim.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>

#include "core/script.h"

/* One interpreter for the program: the script keeps nothing between calls. */
static struct {
    lua_State *lua;
    int script;
    sim *s;
    rnode *node;
} run;

/* ---- keys --------------------------------------------------------------------------------------
 */

int64_t redis_now_ms(const sim *s, const rnode *r)
{
    return INT64_C(1700000000000) + r->skew_ms + s->now / MS;
}

const rkey *redis_find(const rnode *r, tt_str name)
{
    for (int i = 0; i < r->data.n; i++)
        if (tt_str_eq(tt_str_c(r->data.keys[i].name), name))
            return &r->data.keys[i];
    return NULL;
}

void redis_delete_at(rdata *d, int i)
{
    d->keys[i] = d->keys[--d->n];
}

static rkey *find(sim *s, rnode *r, tt_str name)
{
    for (int i = 0; i < r->data.n; i++) {
        rkey *k = &r->data.keys[i];

        if (!tt_str_eq(tt_str_c(k->name), name))
            continue;
        if (k->expires_ms && k->expires_ms <= redis_now_ms(s, r)) {
            redis_delete_at(&r->data, i);
            return NULL;
        }
        return k;
    }
    return NULL;
}

static void set(sim *s, rnode *r, tt_str name, tt_str value, int64_t expires_ms)
{
    rkey *k = find(s, r, name);

    if (!k) {
        if (r->data.n == REDIS_KEYS_MAX || name.n >= sizeof(k->name))
            abort();
        k = &r->data.keys[r->data.n++];
        memset(k->name, 0, sizeof(k->name));
        memcpy(k->name, name.p, name.n);
    }
    k->value = sim_copy(s, value);
    k->n = value.n;
    k->expires_ms = expires_ms;
}

/* Somebody else's value takes the place of the key. */
void redis_spoil(sim *s, rnode *r, int i)
{
    static char other[] = "somebody else's";

    r->data.keys[i].value = other;
    r->data.keys[i].n = sizeof(other) - 1;
    sim_count(s, EV_TAG_SPOILED);
    sim_trace(s, "redis%d  %s is spoiled", (int)(r - s->redis), r->data.keys[i].name);
}

/* ---- the script --------------------------------------------------------------------------------
 */

static tt_str lua_text(lua_State *l, int index)
{
    size_t n = 0;
    const char *p = luaL_checklstring(l, index, &n);

    return tt_str_n(p, n);
}

static int call_time(lua_State *l)
{
    int64_t ms = redis_now_ms(run.s, run.node);

    lua_createtable(l, 2, 0);
    lua_pushfstring(l, "%d", (int)(ms / 1000));
    lua_rawseti(l, -2, 1);
    lua_pushfstring(l, "%d", (int)(ms % 1000 * 1000));
    lua_rawseti(l, -2, 2);
    return 1;
}

static int redis_call(lua_State *l)
{
    tt_str verb = lua_text(l, 1);

    if (tt_str_eq(verb, TT_STR("TIME")))
        return call_time(l);
    if (tt_str_eq(verb, TT_STR("GET"))) {
        rkey *k = find(run.s, run.node, lua_text(l, 2));

        if (k)
            lua_pushlstring(l, k->value, k->n);
        else
            lua_pushboolean(l, 0);
        return 1;
    }
    if (tt_str_eq(verb, TT_STR("DEL"))) {
        rkey *k = find(run.s, run.node, lua_text(l, 2));

        if (k)
            redis_delete_at(&run.node->data, (int)(k - run.node->data.keys));
        lua_pushinteger(l, k != NULL);
        return 1;
    }
    if (tt_str_eq(verb, TT_STR("SET"))) {
        int64_t expires = 0;

        if (lua_gettop(l) == 5 && tt_str_eq(lua_text(l, 4), TT_STR("PX"))) {
            uint64_t px;

            if (!tt_str_u64(lua_text(l, 5), &px) || px == 0)
                return luaL_error(l, "invalid expire time");
            expires = redis_now_ms(run.s, run.node) + (int64_t)px;
        } else if (lua_gettop(l) != 3) {
            return luaL_error(l, "syntax error");
        }
        set(run.s, run.node, lua_text(l, 2), lua_text(l, 3), expires);
        lua_createtable(l, 0, 1);
        lua_pushliteral(l, "OK");
        lua_setfield(l, -2, "ok");
        return 1;
    }
    return luaL_error(l, "unknown command");
}

static int redis_error_reply(lua_State *l)
{
    lua_createtable(l, 0, 1);
    lua_pushvalue(l, 1);
    lua_setfield(l, -2, "err");
    return 1;
}

bool redis_script(tt_str text, const char **why)
{
    if (!run.lua) {
        static const luaL_Reg functions[] = {{"call", redis_call},
                                             {"pcall", redis_call},
                                             {"error_reply", redis_error_reply},
                                             {NULL, NULL}};

        run.lua = luaL_newstate();
        if (!run.lua)
            abort();
        luaL_openlibs(run.lua);
        luaL_register(run.lua, "redis", functions);
        lua_pop(run.lua, 1);
        run.script = LUA_NOREF;
    }
    luaL_unref(run.lua, LUA_REGISTRYINDEX, run.script);
    run.script = LUA_NOREF;
    if (luaL_loadbuffer(run.lua, text.p, text.n, "@cache.lua") != 0) {
        *why = lua_tostring(run.lua, -1);
        return false;
    }
    run.script = luaL_ref(run.lua, LUA_REGISTRYINDEX);
    return true;
}

static void push_words(lua_State *l, const tt_str *words, int n, const char *global)
{
    lua_createtable(l, n, 0);
    for (int i = 0; i < n; i++) {
        lua_pushlstring(l, words[i].p ? words[i].p : "", words[i].n);
        lua_rawseti(l, -2, i + 1);
    }
    lua_setglobal(l, global);
}

static tt_reply take_reply(sim *s, lua_State *l)
{
    tt_reply reply = {TT_REPLY_NIL, {NULL, 0}};

    if (lua_type(l, -1) == LUA_TSTRING) {
        reply.kind = TT_REPLY_TEXT;
        reply.text = lua_text(l, -1);
    } else if (lua_istable(l, -1)) {
        lua_getfield(l, -1, "err");
        if (lua_type(l, -1) == LUA_TSTRING) {
            reply.kind = TT_REPLY_ERROR;
            reply.text = lua_text(l, -1);
        }
    }
    reply.text = tt_str_n(sim_copy(s, reply.text), reply.text.n);
    lua_settop(l, 0);
    return reply;
}

static tt_reply run_script(sim *s, rnode *r, const tt_cmd *cmd, tt_epoch epoch)
{
    lua_State *l = run.lua;
    tt_str words[TT_BATCH_ARGS_MAX + 1] = {cmd->args[0], {epoch.c, TT_EPOCH_BYTES}};

    for (int i = 1; i < cmd->n_args; i++)
        words[i + 1] = cmd->args[i];
    run.s = s;
    run.node = r;
    s->tally->scripts++;
    push_words(l, &cmd->key, 1, "KEYS");
    push_words(l, words, cmd->n_args + 1, "ARGV");
    lua_rawgeti(l, LUA_REGISTRYINDEX, run.script);
    if (lua_pcall(l, 0, 1, 0) != 0) {
        sim_violation(s, "the script failed: %s", lua_tostring(l, -1));
        lua_settop(l, 0);
        return (tt_reply){TT_REPLY_ERROR, TT_STR("ERR")};
    }
    return take_reply(s, l);
}

void redis_mark(sim *s, rnode *r, const tt_cmd *cmd, int step, tt_reply *reply)
{
    const rkey *k = find(s, r, cmd->key);
    tt_buf text = tt_buf_init(&tt_allocator_libc);
    uint64_t deadline_ms;

    if (step == 0)
        *reply = (tt_reply){TT_REPLY_NONE, {NULL, 0}};
    if (!r->master && step < 2)
        *reply = (tt_reply){TT_REPLY_ERROR, TT_STR("READONLY")};
    if (reply->kind == TT_REPLY_ERROR)
        return;
    if (step == 0) {
        if (!tt_str_u64(cmd->args[1], &deadline_ms))
            abort();
        if (k)
            tt_buf_put(&text, k->value, k->n);
        tt_mark_write(cmd->args[0], deadline_ms, cmd->args[2], cmd->args[3], &text);
        set(s, r, cmd->key, tt_buf_str(&text), k ? k->expires_ms : 0);
        tt_buf_free(&text);
    } else if (step == 1 && k) {
        set(s, r, cmd->key, tt_str_n(k->value, k->n), 0);
    } else if (step == 2) {
        *reply =
            k ? (tt_reply){TT_REPLY_TEXT, {k->value, k->n}} : (tt_reply){TT_REPLY_NIL, {NULL, 0}};
        sim_trace(s, "redis%d  %.*s mark %.*s -> %.*s", (int)(r - s->redis), (int)cmd->key.n,
                  cmd->key.p, 8, cmd->args[0].p, (int)reply->text.n, reply->text.p);
    }
}

tt_reply redis_run(sim *s, rnode *r, const tt_cmd *cmd, tt_epoch epoch)
{
    tt_cmd mine = *cmd;
    tt_reply reply;

    if (cmd->kind == TT_CMD_GET) {
        rkey *k = find(s, r, cmd->key);

        if (!k)
            return (tt_reply){TT_REPLY_NIL, {NULL, 0}};
        return (tt_reply){TT_REPLY_TEXT, {k->value, k->n}}; /* values are never changed in place */
    }
    break_command(s, r, &mine);
    reply = run_script(s, r, &mine, epoch);
    sim_trace(s, "redis%d  %.*s %.*s %.*s -> %.*s", (int)(r - s->redis), (int)mine.key.n,
              mine.key.p, (int)mine.args[0].n, mine.args[0].p,
              mine.n_args > 1 ? (int)TT_MIN(mine.args[1].n, 8u) : 0,
              mine.n_args > 1 ? mine.args[1].p : "",
              reply.text.n > 3 && reply.text.p[0] == 'E' ? 2 : (int)reply.text.n, reply.text.p);
    if (tt_str_eq(reply.text, TT_STR("lost")))
        sim_count(s, EV_LEASE_LOST);
    return reply;
}

/* ---- nodes -------------------------------------------------------------------------------------
 */

void redis_fresh_id(sim *s, char *id)
{
    unsigned char bits[12];
    tt_nonce n;

    for (int i = 0; i < 12; i++)
        bits[i] = (unsigned char)sim_random(s);
    n = tt_nonce_of(bits);
    memcpy(id, n.c, TT_NONCE_BYTES);
}

tt_epoch redis_epoch(const sim *s, const rnode *r)
{
    char both[2 * TT_NONCE_BYTES] = {0};
    unsigned char bits[12] = {0};
    tt_epoch e;
    tt_nonce n;
    uint64_t h;

    if (!sim_broken(s, MUT_EPOCH_REPLID))
        memcpy(both, r->run_id, TT_NONCE_BYTES);
    if (!sim_broken(s, MUT_EPOCH_RUNID))
        memcpy(both + TT_NONCE_BYTES, r->replid, TT_NONCE_BYTES);
    h = tt_hash64(tt_str_n(both, sizeof(both)));
    memcpy(bits, &h, sizeof(h));
    n = tt_nonce_of(bits);
    memcpy(e.c, n.c, TT_EPOCH_BYTES);
    return e;
}

/* A replica's data is its master's of a while ago. */
static void replicate(sim *s, void *what, uint64_t i)
{
    rnode *r = &s->redis[i];
    rdata *shipped = what;

    if (shipped) {
        if (r->up && !r->master && r->source >= 0)
            r->data = *shipped;
        sim_in(s, 2 * MS, replicate, NULL, i);
        return;
    }
    if (r->up && !r->master && r->source >= 0 && s->redis[r->source].up) {
        shipped = sim_new(s, sizeof(*shipped));
        *shipped = s->redis[r->source].data;
        sim_in(s, sim_delay(s, s->sc.lag_ns), replicate, shipped, i);
        return;
    }
    sim_in(s, 2 * MS, replicate, NULL, i);
}

static void save(sim *s, void *what, uint64_t n)
{
    (void)what;
    (void)n;
    for (int i = 0; i < s->n_redis; i++)
        s->redis[i].saved = s->redis[i].data;
    sim_in(s, (5 + sim_below(s, 30)) * MS, save, NULL, 0);
}

void redis_setup(sim *s)
{
    s->n_redis = s->sc.sentinel ? 2 : 1;
    for (int i = 0; i < s->n_redis; i++) {
        rnode *r = &s->redis[i];

        r->up = true;
        r->master = i == 0;
        r->source = i == 0 ? -1 : 0;
        r->skew_ms = s->sc.skew_ms[i];
        redis_fresh_id(s, r->run_id);
        redis_fresh_id(s, r->replid);
    }
    if (s->n_redis > 1) {
        memcpy(s->redis[1].replid, s->redis[0].replid, TT_NONCE_BYTES);
        sim_in(s, MS, replicate, NULL, 1);
        sim_in(s, MS, replicate, NULL, 0);
    }
    sim_in(s, 10 * MS, save, NULL, 0);
}

bool redis_has_marks(sim *s)
{
    int node = s->sc.sentinel ? s->sentinel_view[0] : 0;
    tt_epoch epoch = redis_epoch(s, &s->redis[node]);

    for (int i = 0; i < ROWS; i++) {
        char name[] = {'g', (char)('0' + i), 0};
        rkey *k = find(s, &s->redis[node], tt_str_c(name));
        tt_tag tag;

        tt_tag_kind kind;

        if (!k)
            continue;
        kind = tt_tag_parse(tt_str_n(k->value, k->n), &tag);
        if (tag.marks.n && (kind == TT_TAG_ABSENT || tt_tag_of_epoch(&tag, epoch)))
            return true;
    }
    return false;
}

static bool is_marked(const rnode *r, int row, const tt_nonce *nonce)
{
    char name[] = {'g', (char)('0' + row), 0};
    const rkey *k = redis_find(r, tt_str_c(name));
    tt_tag tag;

    if (!k)
        return false;
    (void)tt_tag_parse(tt_str_n(k->value, k->n), &tag);
    return tt_tag_has_mark(&tag, tt_nonce_str(nonce));
}

void redis_note_lost_marks(sim *s, int node)
{
    if ((s->broken.rules & TT_RULE_BIT(TT_RULE_INTENT)) || sim_broken(s, MUT_MARK_EVICTED))
        return; /* there the protocol is at fault */
    for (int i = 0; i < s->n_writes; i++) {
        wrote *w = &s->writes[i];

        if (w->redis_losses == s->redis_losses)
            continue; /* nothing was lost since it began: the mark must be there */
        if (w->done || (w->call->u.write.phase < TT_WRITE_MARK && !w->finished))
            continue;
        for (int r = 0; r < ROWS; r++)
            if ((w->rows >> r & 1) && !is_marked(&s->redis[node], r, &w->call->u.write.nonce))
                w->mark_lost = true;
    }
}
