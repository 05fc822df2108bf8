/* The search for the primary as a state machine: what happens, and what it does next. */
#include "unit/suite.h"

#include <stdio.h>

#include "base/mem.h"
#include "core/discover.h"

enum { A, B, C, NODES, STEPS_MAX = 16 };

static const char *const ids[NODES] = {"id-a", "id-b", "id-c"};
static const char epoch[] = "epochepochepoche", old_version[] = "oldversionoldver";

/* One event and the act that follows. Events:
 *   'b' the beginning
 *   't' the term answered: `arg` is whom it names, "?" nobody, "!" another epoch, "#" an error,
 *       NULL: the cache is away
 *   'n' naming it was tried: `arg` is whom the term names now, with "=" before it in the version
 *       that was to be given, else in another one; NULL: the cache is away
 *   's' the nodes were looked at: one letter a node: w writable, r read-only, - not reached */
typedef struct step {
    char event;
    const char *arg;
    tt_do then;
} step;

typedef struct row {
    const char *name;
    bool cache, renew;
    step steps[STEPS_MAX];
    bool ok, changed, several;
    int primary; /* afterwards; -1: none */
} row;

#define BEGIN                                                                                      \
    {                                                                                              \
        'b', NULL, TT_DO_CACHE                                                                     \
    }

static const row rows[] = {
    {"the term names the one writable node",
     true,
     false,
     {BEGIN, {'t', "id-a", TT_DO_SAMPLE}, {'s', "wrr", TT_DO_DONE}},
     true,
     false,
     false,
     A},
    {"a lost term gets the name of the node seen writable",
     true,
     false,
     {BEGIN, {'t', "?", TT_DO_SAMPLE}, {'s', "rwr", TT_DO_CACHE}, {'n', "=id-b", TT_DO_DONE}},
     true,
     true,
     false,
     B},
    {"another node was promoted",
     true,
     false,
     {BEGIN, {'t', "id-a", TT_DO_SAMPLE}, {'s', "-rw", TT_DO_CACHE}, {'n', "=id-c", TT_DO_DONE}},
     true,
     true,
     false,
     C},
    {"another process was first with the same name: as good",
     true,
     false,
     {BEGIN, {'t', "?", TT_DO_SAMPLE}, {'s', "wrr", TT_DO_CACHE}, {'n', "id-a", TT_DO_DONE}},
     true,
     true,
     false,
     A},
    {"another process was first with another name: from the start",
     true,
     false,
     {BEGIN,
      {'t', "?", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "id-b", TT_DO_CACHE},
      {'t', "id-b", TT_DO_SAMPLE},
      {'s', "rwr", TT_DO_DONE}},
     true,
     false,
     false,
     B},
    {"it is not tried for ever",
     true,
     false,
     {BEGIN,
      {'t', "?", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "id-b", TT_DO_CACHE},
      {'t', "id-b", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "id-b", TT_DO_CACHE},
      {'t', "id-b", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "id-b", TT_DO_CACHE},
      {'t', "id-b", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "id-b", TT_DO_DONE}},
     false,
     false,
     false,
     -1},
    {"the cache goes while the term is named: not before it has answered",
     true,
     false,
     {BEGIN, {'t', "?", TT_DO_SAMPLE}, {'s', "wrr", TT_DO_CACHE}, {'n', NULL, TT_DO_DONE}},
     false,
     false,
     false,
     -1},
    {"no cache answers: the belief is renewed, and no term vouches for it",
     true,
     false,
     {BEGIN, {'t', NULL, TT_DO_SAMPLE}, {'s', "wrr", TT_DO_DONE}},
     true,
     false,
     false,
     A},
    {"nor one that refuses",
     true,
     false,
     {BEGIN, {'t', "#", TT_DO_SAMPLE}, {'s', "wrr", TT_DO_DONE}},
     true,
     false,
     false,
     A},
    {"nor a term of another cache node",
     true,
     false,
     {BEGIN, {'t', "!", TT_DO_SAMPLE}, {'s', "rwr", TT_DO_DONE}},
     true,
     false,
     false,
     B},
    {"no node is writable",
     true,
     false,
     {BEGIN, {'t', "id-a", TT_DO_SAMPLE}, {'s', "rrr", TT_DO_DONE}},
     false,
     false,
     false,
     -1},
    {"no node is reached",
     true,
     false,
     {BEGIN, {'t', "id-a", TT_DO_SAMPLE}, {'s', "---", TT_DO_DONE}},
     false,
     false,
     false,
     -1},
    {"several are writable: the one that the term names",
     true,
     false,
     {BEGIN, {'t', "id-b", TT_DO_SAMPLE}, {'s', "wwr", TT_DO_DONE}},
     true,
     false,
     true,
     B},
    {"several are writable, and the term names none of them",
     true,
     false,
     {BEGIN, {'t', "id-c", TT_DO_SAMPLE}, {'s', "wwr", TT_DO_DONE}},
     false,
     false,
     true,
     -1},
    {"several are writable, and the term names nobody",
     true,
     false,
     {BEGIN, {'t', "?", TT_DO_SAMPLE}, {'s', "wwr", TT_DO_DONE}},
     false,
     false,
     true,
     -1},
    {"the namespace is cleared: a fresh version for the same name",
     true,
     true,
     {BEGIN, {'t', "id-a", TT_DO_SAMPLE}, {'s', "wrr", TT_DO_CACHE}, {'n', "=id-a", TT_DO_DONE}},
     true,
     true,
     false,
     A},
    {"the same name in another version does not clear it",
     true,
     true,
     {BEGIN,
      {'t', "id-a", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "id-a", TT_DO_CACHE},
      {'t', "id-a", TT_DO_SAMPLE},
      {'s', "wrr", TT_DO_CACHE},
      {'n', "=id-a", TT_DO_DONE}},
     true,
     true,
     false,
     A},
    {"without a cache tier the nodes are asked at once",
     false,
     false,
     {{'b', NULL, TT_DO_SAMPLE}, {'s', "rrw", TT_DO_DONE}},
     true,
     false,
     false,
     C},
};

/* ---- what happens ------------------------------------------------------------------------------
 */

typedef struct world {
    tt_core core;
    tt_discover_op op;
    tt_answers answers;
    tt_sample samples[NODES];
    char text[256];
} world;

static void *same(void *p)
{
    return p;
}

static void nothing(void *p)
{
    (void)p;
}

static void answer(world *w, const char *version, const char *name)
{
    bool foreign = name && strcmp(name, "!") == 0;

    w->answers.ok = name != NULL;
    w->answers.n = 1;
    memcpy(w->answers.epoch.c, epoch, TT_EPOCH_BYTES);
    w->answers.replies[0] = (tt_reply){TT_REPLY_NONE, TT_STR("")};
    if (!name)
        return;
    (void)snprintf(w->text, sizeof(w->text), "T1 %.16s %.16s %s\n1000", version,
                   foreign ? "otherepochothere" : epoch, foreign ? "id-a" : name);
    w->answers.replies[0] =
        (tt_reply){strcmp(name, "#") == 0 ? TT_REPLY_ERROR : TT_REPLY_TEXT, tt_str_c(w->text)};
}

static void look(world *w, const char *nodes, int64_t now_ns)
{
    for (int i = 0; i < NODES; i++)
        w->samples[i] = nodes[i] == '-' ? (tt_sample){.sent_ns = now_ns}
                                        : (tt_sample){.identity = tt_str_c(ids[i]),
                                                      .read_only = nodes[i] == 'r',
                                                      .applied = TT_STR("0-1-5"),
                                                      .family = TT_FAMILY_MARIADB,
                                                      .sent_ns = now_ns};
}

static tt_event happen(world *w, const step *s, int64_t now_ns)
{
    tt_event ev = {0};

    switch (s->event) {
    case 't':
        answer(w, old_version, s->arg);
        ev.cache = &w->answers;
        break;
    case 'n':
        if (s->arg && *s->arg == '=')
            answer(w, w->op.fresh.c, s->arg + 1);
        else
            answer(w, old_version, s->arg);
        ev.cache = &w->answers;
        break;
    case 's':
        look(w, s->arg, now_ns);
        ev.sample = w->samples;
        ev.n_samples = NODES;
        break;
    default:
        break;
    }
    return ev;
}

/* What is sent to the cache: the term is opened, or named by compare-and-set on what was read. */
static void expect_command(const world *w, const tt_act *act)
{
    const tt_cmd *cmd = &act->batch.cmds[0];
    bool names = w->op.phase == TT_DISCOVER_NAME;

    ck_assert_int_eq(act->batch.n, 1);
    ck_assert(tt_str_eq(cmd->key, TT_STR("ns:term")));
    ck_assert(tt_str_eq(cmd->args[0], names ? TT_STR("name") : TT_STR("open")));
    if (!names)
        return;
    ck_assert(tt_str_eq(cmd->args[1], tt_str_c(old_version)));
    ck_assert(tt_str_eq(cmd->args[2], tt_nonce_str(&w->op.fresh)));
    ck_assert(tt_str_eq(cmd->args[3], tt_str_c(w->op.found)));
}

static void set_up(world *w, const row *r)
{
    static const tt_health_config health = {.max_lag_ms = 1000, .stale_after_ms = 2000};
    tt_core_config cfg = {.cache = r->cache, .term_key = TT_STR("ns:term")};

    memset(w, 0, sizeof(*w));
    tt_core_init(&w->core, &tt_allocator_libc, &tt_rng_kernel, &cfg, &health, same, nothing);
    for (int i = 0; i < NODES; i++)
        (void)tt_topology_add(&w->core.topology, ids[i], 1);
    tt_discover_init(&w->op, &w->core);
    w->op.renew = r->renew;
}

START_TEST(each)
{
    static world w;
    const row *r = &rows[_i];
    tt_act act = {.what = TT_DO_SHARED};
    int64_t now_ns = 0;

    set_up(&w, r);
    for (const step *s = r->steps; s->event; s++) {
        tt_event ev = happen(&w, s, ++now_ns);

        tt_discover_step(&w.op, &ev, now_ns, &act);
        ck_assert_msg(act.what == s->then, "%s, step %d: expected %d, got %d", r->name,
                      (int)(s - r->steps), s->then, act.what);
        if (act.what == TT_DO_CACHE)
            expect_command(&w, &act);
    }
    ck_assert_msg(act.what == TT_DO_DONE, "%s: it is not done", r->name);
    ck_assert_msg(w.op.ok == r->ok && w.op.changed == r->changed && w.op.several == r->several,
                  "%s: ok %d, changed %d, several %d", r->name, w.op.ok, w.op.changed,
                  w.op.several);
    ck_assert_msg(w.core.topology.primary == r->primary, "%s: primary %d", r->name,
                  w.core.topology.primary);
    tt_discover_step(&w.op, &(tt_event){0}, ++now_ns, &act);
    ck_assert_int_eq(act.what, TT_DO_DONE); /* and stays so */
    tt_core_free(&w.core);
}
END_TEST

/* The belief stands under the term that was read, under the fresh one that was given, or under none
 * that anybody could have. */
START_TEST(terms)
{
    static const struct {
        size_t row;
        const char *term; /* NULL: the fresh version */
    } of[] = {{0, old_version}, {1, NULL}, {7, "????????????????"}, {17, "----------------"}};
    static world w;
    tt_act act;

    for (size_t i = 0; i < TT_COUNT(of); i++) {
        int64_t now_ns = 0;

        set_up(&w, &rows[of[i].row]);
        for (const step *s = rows[of[i].row].steps; s->event; s++) {
            tt_event ev = happen(&w, s, ++now_ns);

            tt_discover_step(&w.op, &ev, now_ns, &act);
        }
        ck_assert(tt_topology_agrees(&w.core.topology,
                                     of[i].term ? tt_str_c(of[i].term) : tt_nonce_str(&w.op.fresh),
                                     tt_str_c(w.op.found)));
        tt_core_free(&w.core);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("discover");

    tcase_add_loop_test(t, each, 0, (int)TT_COUNT(rows));
    tcase_add_test(t, terms);
    return suite_run("discover", t);
}
