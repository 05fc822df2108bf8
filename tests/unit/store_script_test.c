/* The verbs exist twice: in core/cache.lua, for Redis, and in core/store, for one process. Here
 * both get the same random commands, sensible and odd, and must give the same replies and leave the
 * same values. A failure prints its seed and what led to it; TT_SEED runs that seed alone, TT_SEEDS
 * another number of them. */
#include "unit/suite.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/rng.h"
#include "core/script.h"
#include "core/store_table.h"
#include "support/lua_redis.h"
#include "unit/store_support.h"

enum { SEEDS = 3000, COMMANDS = 150, KEYS = 3, TEXT_MAX = 400 };

static const char epoch_text[] = "epoch-epoch-1234";

typedef struct run {
    uint64_t random;
    lua_redis *lua;
    tt_store store;
    tt_answers answers;
    uint64_t now_ms;
    tt_buf texts; /* of the arguments of one command; reserved, so that it does not move */
    FILE *trace;
} run;

/* ---- arguments ---- */

static size_t below(run *r, size_t n)
{
    return (size_t)(tt_splitmix64(&r->random) % n);
}

#define PICK(r, list) tt_str_c((list)[below(r, TT_COUNT(list))])

static const char *const versions[] = {
    "version-A-123456", "version-B-123456", "version-C-123456", "v", "", "two words", "?"};
static const char *const nonces[] = {
    "nonce-1-12345678", "nonce-2-12345678", "nonce-1-1234567", "nonce-1-12345678,", "n", "", "a b"};
static const char *const tokens[] = {
    "token-1-12345678", "token-2-12345678", "token-1-1234567", "", "a b", "token-1-12345678 01"};
static const char *const stamps[] = {"01 version-A-123456",
                                     "01 version-B-123456",
                                     "02 version-A-123456version-B-123456",
                                     "01 version-A-12345",
                                     "",
                                     "x",
                                     " ",
                                     "token-1-12345678 01"};
static const char *const ttls[] = {"1",
                                   "5",
                                   "40",
                                   "1000",
                                   "86400000",
                                   "0",
                                   "00",
                                   "01",
                                   "",
                                   "-1",
                                   "5 ",
                                   " 5",
                                   "1e3",
                                   "+5",
                                   "x",
                                   "9223372036854775807",
                                   "9223372036854774000",
                                   "99999999999999999999"};
static const char *const timeouts[] = {
    "0", "1", "30000", "007", "9007199254740993", "18446744073709551615", "", "x", "12x", "-"};
static const char *const servers[] = {"3e11fa47-71ca-11e1-9e33-c80aa9429562", "17", "", "a,b",
                                      "a b"};
static const char *const terms[] = {
    "term-1-123456789", "term-2-123456789", "term-1-12345678", "", "P", "?"};
static const char *const sources[] = {"3e11fa47-71ca-11e1-9e33-c80aa9429562",
                                      "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag",
                                      "0-1",
                                      "10-1",
                                      "1-11",
                                      "0-2",
                                      "A",
                                      "a",
                                      "a:1",
                                      ":",
                                      "",
                                      "\x80\xff",
                                      "x y"};
static const char *const numbers[] = {"1",
                                      "9",
                                      "10",
                                      "11",
                                      "9007199254740992",
                                      "9007199254740993",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "123456789012345678901234567890",
                                      "0",
                                      "007",
                                      "",
                                      "x",
                                      "5x",
                                      "5x:7",
                                      "-3"};
static const char *const names[] = {"3e11fa47-71ca-11e1-9e33-c80aa9429562", "17", "?", "P", ""};
static const char *const pieces[] = {"T1 ",
                                     "T2 ",
                                     "T01 ",
                                     "T1",
                                     "T",
                                     "L1 ",
                                     "E1 ",
                                     " ",
                                     "\t",
                                     "\n",
                                     ",",
                                     "@",
                                     ":",
                                     "P",
                                     "?",
                                     "epoch-epoch-1234",
                                     "other-epoch-123",
                                     "version-A-123456",
                                     "nonce-1-12345678",
                                     "token-1-12345678",
                                     "01"};

/* A text made of what was appended to r->texts since `start`. */
static tt_str since(run *r, size_t start)
{
    ck_assert(!r->texts.failed);
    return tt_str_n(r->texts.p + start, r->texts.n - start);
}

static tt_str points(run *r)
{
    size_t start = r->texts.n;
    size_t n = below(r, 8) == 0 ? below(r, 5) : 1 + below(r, 2);

    tt_buf_put_str(&r->texts, below(r, 8) ? tt_str_c(terms[below(r, 2)]) : PICK(r, terms));
    if (below(r, 12))
        tt_buf_put_char(&r->texts, '@');
    for (size_t i = 0; i < n; i++) {
        bool odd = below(r, 4) == 0;

        if (i > 0)
            tt_buf_put_char(&r->texts, ',');
        tt_buf_put_str(&r->texts, odd ? PICK(r, sources) : tt_str_c(sources[below(r, 5)]));
        if (below(r, 16))
            tt_buf_put_char(&r->texts, ':');
        tt_buf_put_str(&r->texts, odd ? PICK(r, numbers) : tt_str_c(numbers[below(r, 9)]));
    }
    return since(r, start);
}

static tt_str position(run *r)
{
    switch (below(r, 6)) {
    case 0:
        return TT_STR("P");
    case 1:
        return PICK(r, names);
    default:
        return points(r);
    }
}

/* The second word of what is at the key: the version of a tag, the token of a lease. */
static tt_str current(run *r, tt_str key)
{
    size_t start = r->texts.n;
    tt_str rest = lua_redis_get(r->lua, key, NULL);

    (void)tt_str_cut(&rest, ' ');
    tt_buf_put_str(&r->texts, tt_str_cut(&rest, ' '));
    return since(r, start);
}

/* A position near the barrier of the tag at the key: another number of its last source. */
static tt_str moved(run *r, tt_str key)
{
    size_t start = r->texts.n;
    tt_str rest = lua_redis_get(r->lua, key, NULL), barrier;

    for (int i = 0; i < 3; i++)
        (void)tt_str_cut(&rest, ' ');
    barrier = tt_str_cut(&rest, ' ');
    while (barrier.n && barrier.p[barrier.n - 1] != ':')
        barrier.n--;
    tt_buf_put_str(&r->texts, barrier);
    tt_buf_put_str(&r->texts, PICK(r, numbers));
    return since(r, start);
}

/* What somebody else may have left at a key: something near a tag, or near what is there. */
static tt_str planted(run *r, tt_str key)
{
    size_t start = r->texts.n;
    tt_str old = lua_redis_get(r->lua, key, NULL);

    switch (below(r, 3)) {
    case 0:
        for (size_t n = below(r, 9); n; n--)
            tt_buf_put_str(&r->texts, PICK(r, pieces));
        break;
    case 1:
        tt_buf_puts(&r->texts, below(r, 6) ? "T1 " : "T2 ");
        tt_buf_put_str(&r->texts, PICK(r, versions));
        tt_buf_puts(&r->texts, below(r, 4) ? " epoch-epoch-1234 " : " other-epoch-1234 ");
        (void)position(r);
        for (size_t n = below(r, 3); n; n--) {
            tt_buf_put_str(&r->texts, PICK(r, pieces));
            tt_buf_put_str(&r->texts, PICK(r, nonces));
            tt_buf_puts(&r->texts, ",1000017,17,4");
        }
        break;
    default:
        for (size_t i = 0; i < old.n; i++) {
            size_t chance = below(r, old.n + 2);

            if (chance == 0)
                tt_buf_put_char(&r->texts, (char)below(r, 256));
            if (chance != 1)
                tt_buf_put_char(&r->texts, old.p[i]);
        }
    }
    return since(r, start);
}

/* ---- commands ---- */

static const char *const verbs[] = {"lease",    "store",   "release", "open", "mark", "bump",
                                    "withdraw", "resolve", "name",    "drop", ""};

static int arguments(run *r, tt_str key, tt_str *a)
{
    size_t verb = below(r, 12) ? below(r, 9) : below(r, TT_COUNT(verbs));
    tt_str ttl = below(r, 4) ? tt_str_c(ttls[below(r, 5)]) : PICK(r, ttls);
    tt_str version = below(r, 3) ? current(r, key) : PICK(r, versions);
    tt_str token = below(r, 3) ? current(r, key) : PICK(r, tokens);
    int n = 0;

    a[n++] = tt_str_c(verbs[verb]);
    switch (verb) {
    case 0:
        a[n++] = PICK(r, tokens);
        a[n++] = PICK(r, stamps);
        a[n++] = ttl;
        break;
    case 1:
        a[n++] = token;
        a[n++] = planted(r, key);
        a[n++] = ttl;
        break;
    case 2:
        a[n++] = token;
        break;
    case 3:
        a[n++] = PICK(r, versions);
        a[n++] = position(r);
        a[n++] = ttl;
        break;
    case 4:
        a[n++] = PICK(r, versions);
        a[n++] = PICK(r, nonces);
        a[n++] = PICK(r, timeouts);
        a[n++] = PICK(r, servers);
        a[n++] = PICK(r, numbers);
        a[n++] = ttl;
        break;
    case 5:
        a[n++] = PICK(r, versions);
        a[n++] = PICK(r, nonces);
        a[n++] = below(r, 3) ? position(r) : moved(r, key);
        a[n++] = ttl;
        break;
    case 6:
        a[n++] = PICK(r, nonces);
        a[n++] = ttl;
        break;
    case 7:
        a[n++] = version;
        a[n++] = position(r);
        a[n++] = ttl;
        break;
    default: /* name, and what is no verb */
        a[n++] = version;
        a[n++] = PICK(r, versions);
        a[n++] = PICK(r, names);
    }
    if (below(r, 20) == 0)
        a[n++] = TT_STR("one too many");
    return n;
}

static tt_cmd command(run *r)
{
    static const char *const keys[KEYS] = {"key", "key2", ""};
    static const tt_cmd_kind kinds[] = {TT_CMD_GET, TT_CMD_MARK};
    tt_cmd cmd = {.kind = below(r, 6) ? TT_CMD_SCRIPT : kinds[below(r, 2)], .key = PICK(r, keys)};

    tt_buf_clear(&r->texts);
    if (cmd.kind == TT_CMD_SCRIPT)
        cmd.n_args = arguments(r, cmd.key, cmd.args);
    if (cmd.kind == TT_CMD_MARK) {
        cmd.args[cmd.n_args++] = PICK(r, nonces);
        cmd.args[cmd.n_args++] = PICK(r, timeouts);
        cmd.args[cmd.n_args++] = PICK(r, servers);
        cmd.args[cmd.n_args++] = PICK(r, numbers);
    }
    return cmd;
}

/* ---- comparing ---- */

static void show(FILE *to, tt_str text)
{
    (void)fputc('"', to);
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (c < ' ' || c > '~' || c == '"' || c == '\\')
            (void)fprintf(to, "\\x%02x", c);
        else
            (void)fputc(c, to);
    }
    (void)fputc('"', to);
}

static void show_reply(FILE *to, const char *who, const tt_reply *reply, tt_str value,
                       uint64_t expires_ms)
{
    static const char *const kinds[] = {"none", "nil", "text", "error"};

    (void)fprintf(to, "   %s: %s ", who, kinds[reply->kind]);
    show(to, reply->text);
    (void)fprintf(to, "\n      then %s", value.p ? "" : "nothing ");
    show(to, value);
    (void)fprintf(to, " until %llu\n", (unsigned long long)expires_ms);
}

static void show_command(FILE *to, uint64_t now_ms, const tt_cmd *cmd)
{
    (void)fprintf(to, "%llu ", (unsigned long long)now_ms);
    show(to, cmd->key);
    for (int i = 0; i < cmd->n_args; i++) {
        (void)fputc(' ', to);
        show(to, cmd->args[i]);
    }
    (void)fputc('\n', to);
}

/* One command through both: do they agree? */
static bool step(run *r)
{
    tt_cmd cmd = command(r);
    tt_batch batch = {&cmd, 1};
    uint64_t lua_expires, store_expires;
    tt_str lua_value, store_value;
    tt_store_node *node;
    tt_reply lua, *store = &r->answers.replies[0];

    r->now_ms += below(r, 3) ? below(r, 3) : below(r, 10) ? below(r, 50) : below(r, 90000000);
    lua_redis_set_time(r->lua, r->now_ms);
    if (r->trace)
        show_command(r->trace, r->now_ms, &cmd);
    lua = lua_redis_run(r->lua, &cmd, tt_str_c(epoch_text));
    lua_value = lua_redis_get(r->lua, cmd.key, &lua_expires);
    store_run(&r->store, &batch, r->now_ms, &r->answers);
    node = tt_store_find(&r->store, cmd.key);
    store_value = node ? tt_store_value(node) : tt_str_n(NULL, 0);
    store_expires = node ? node->expires_ms : 0;
    if (r->trace) {
        show_reply(r->trace, "script", &lua, lua_value, lua_expires);
        show_reply(r->trace, "store ", store, store_value, store_expires);
    }
    return r->answers.ok && r->answers.n == 1 && lua.kind == store->kind &&
           (lua.kind == TT_REPLY_ERROR || tt_str_eq(lua.text, store->text)) &&
           (lua_value.p != NULL) == (node != NULL) && tt_str_eq(lua_value, store_value) &&
           lua_expires == store_expires;
}

static bool run_seed(uint64_t seed, tt_str script, FILE *trace)
{
    run r = {.random = seed, .now_ms = 1000000, .trace = trace};
    tt_epoch epoch;
    bool same = true;

    memcpy(epoch.c, epoch_text, TT_EPOCH_BYTES);
    r.lua = lua_redis_new(script);
    r.answers.bytes = r.texts = tt_buf_init(&tt_allocator_libc);
    ck_assert(tt_buf_reserve(&r.texts, (size_t)1024 * 1024));
    tt_store_init(&r.store, &tt_allocator_libc, epoch, SIZE_MAX);
    for (int i = 0; i < COMMANDS && same; i++)
        same = step(&r);
    ck_assert_uint_eq(r.store.count.evictions, 0);
    tt_store_free(&r.store);
    lua_redis_free(r.lua);
    tt_buf_free(&r.texts);
    tt_buf_free(&r.answers.bytes);
    return same;
}

static uint64_t number_of(const char *variable, uint64_t otherwise)
{
    uint64_t n;

    return tt_str_u64(tt_str_c(getenv(variable)), &n) ? n : otherwise;
}

START_TEST(script_and_store_agree)
{
    uint64_t first = number_of("TT_SEED", 1);
    uint64_t n = getenv("TT_SEED") ? 1 : number_of("TT_SEEDS", SEEDS);

    for (uint64_t seed = first; seed < first + n; seed++) {
        if (run_seed(seed, tt_cache_script(), NULL))
            continue;
        (void)run_seed(seed, tt_cache_script(), stderr);
        ck_abort_msg("script and store differ: TT_SEED=%llu", (unsigned long long)seed);
    }
}
END_TEST

/* ---- is the comparison worth anything? ---- */

/* A rule or a detail of the script, and what it is broken into. */
static const struct {
    const char *from, *to;
} mutants[] = {
    {"elseif barrier == 'P' or position == 'P' then",
     "elseif barrier == 'P' and position == 'P' then"},
    {"elseif string.match(position, '^[^@]*') ~= string.match(barrier, '^[^@]*') then",
     "elseif false then"},
    {"local ours = of == epoch", "local ours = version ~= nil"},
    {"of, barrier = epoch, 'P' -- rule ABSENT_IS_P", "of, barrier = epoch, position"},
    {"if not ours or version ~= ARGV[3] then -- rule RESOLVE_CAS", "if not ours then"},
    {"if not mine then -- rule LEASE_OWN", "if not found then"},
    {"and #n == #new_n and", "and"},
    {"if new_n - n > 0 then", "if new_n - n < 0 then"},
    {"and #n < 16 then", "then"},
    {"if source and source == new_source and", "if source and new_source and"},
    {"#m < #n or (#m == #n and before(m, n))", "before(m, n)"},
    {"#m < #n or (#m == #n and before(m, n))", "#m < #n"},
    {"table.sort(sources, before)", ""},
    {"table.sort(sources, before)", "table.sort(sources)"},
    {"if marks ~= '' or ttl == '0' then", "if ttl == '0' then"},
    {"if marks ~= '' or ttl == '0' then", "if marks ~= '' then"},
    {"local mine = nonce and ' ' .. nonce .. ','", "local mine = nonce and ' ' .. nonce"},
    {"while from do", "if from then"},
    {"if timeout or (marks ~= '' and not answer) then", "if timeout then"},
    {"string.sub(found, 1, 3) ~= 'T1 ' and", ""},
    {"string.match(found, '^L1 %S+ (.*)$') == stamp",
     "string.find(found, 'L1 ' .. ARGV[3] .. ' ' .. stamp, 1, true)"},
    {"nonce, timeout, ttl = ARGV[4], ARGV[5], ARGV[8]", "timeout, ttl = ARGV[5], ARGV[8]"},
    {"version, nonce, ttl, answer = ARGV[3], ARGV[4], ARGV[6], 'bumped'",
     "version, ttl, answer = ARGV[3], ARGV[6], 'bumped'"},
    {"version, of, barrier = ARGV[4], epoch, '?'",
     "version, of, barrier = ARGV[4], epoch, ARGV[5]"},
    {"marks = marks or '' -- rule KEEP_FOREIGN_MARKS", "marks = ours and marks or ''"},
    {"marks = found\n", "marks = nil\n"},
    {" [^ ,]+,%d+,[^ ,]+,%d+", " [^ ,]+,%d+,[^ ,]+,"},
    {" [^ ,]+,%d+,[^ ,]+,%d+", " %S+"},
    {"if verb ~= 'withdraw' then", "if true then"},
    {"if verb ~= 'withdraw' then", "if false then"},
    {"    redis.call('DEL', key)\n  elseif marks ~= found",
     "    redis.call('SET', key, '')\n  elseif marks ~= found"},
    {"elseif marks ~= found then", "else"},
};

static tt_buf broken(size_t mutant)
{
    tt_buf text = tt_buf_init(&tt_allocator_libc);
    tt_str script = tt_cache_script(), from = tt_str_c(mutants[mutant].from);
    const char *at = memmem(script.p, script.n, from.p, from.n);
    size_t before;

    ck_assert_msg(at, "not in the script: %s", mutants[mutant].from);
    before = (size_t)(at - script.p);
    tt_buf_put(&text, script.p, before);
    tt_buf_puts(&text, mutants[mutant].to);
    tt_buf_put(&text, at + from.n, script.n - before - from.n);
    return text;
}

START_TEST(a_broken_script_is_noticed)
{
    tt_buf text = broken((size_t)_i);
    uint64_t seed = 1;

    while (seed < SEEDS && run_seed(seed, tt_buf_str(&text), NULL))
        seed++;
    tt_buf_free(&text);
    ck_assert_msg(seed < SEEDS, "not noticed: %s", mutants[_i].to);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("store_script");

    tcase_set_timeout(t, 300);
    tcase_add_test(t, script_and_store_agree);
    tcase_add_loop_test(t, a_broken_script_is_noticed, 0, (int)TT_COUNT(mutants));
    return suite_run("store_script", t);
}
