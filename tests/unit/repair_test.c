/* What a write could not finish, as a state machine: what happens, what is done next, and what
 * becomes of the repair. */
#include "unit/core_support.h"

#include <stdio.h>

#include "core/repair.h"

enum { NODES = 2, STEPS_MAX = 6, KEYS = 2 };

#define MS TT_NS_PER_MS

static const char epoch[] = "epochepochepoche", nonce[] = "noncenoncenoncen";
static const char *const keys[KEYS] = {"ns:t:a", "ns:t:b"};

/* Events:
 *   'b' the beginning
 *   't' the term answered: whom it names, "?" nobody, "0" it is not there, "#" an error; NULL: the
 *       cache is away
 *   'k' the KILL ended: "gone", "still" there, "unsent" (the server cannot be reached), "lost"
 *   'p' the bumps or withdrawals were answered: "ok", "#" one is an error; NULL: the cache is away
 */
typedef struct step {
    char event;
    const char *arg;
    tt_do then;
} step;

enum { KILL = 1, REAP = 2, WITHDRAW = 4, ELSEWHERE = 8 };

typedef struct row {
    const char *name;
    int flags;
    step steps[STEPS_MAX];
    bool ok;
    bool kept;        /* put back for later */
    const char *verb; /* of the last batch */
    tt_notes notes;
} row;

#define N(note) TT_NOTE_BIT(TT_NOTE_##note)

static const row rows[] = {
    {"an invalidation is outstanding: it is bumped",
     0,
     {{'b', NULL, TT_DO_CACHE}, {'p', "ok", TT_DO_DONE}},
     true,
     false,
     "bump",
     0},
    {"Redis is away: later",
     0,
     {{'b', NULL, TT_DO_CACHE}, {'p', NULL, TT_DO_DONE}},
     false,
     true,
     "bump",
     0},
    {"one tag of several is refused: all of it later",
     0,
     {{'b', NULL, TT_DO_CACHE}, {'p', "#", TT_DO_DONE}},
     false,
     true,
     "bump",
     0},
    {"nothing was written: the marks are withdrawn",
     WITHDRAW,
     {{'b', NULL, TT_DO_CACHE}, {'p', "ok", TT_DO_DONE}},
     true,
     false,
     "withdraw",
     0},
    {"an unknown outcome: the connection is killed, seen gone, and then it is bumped",
     KILL,
     {{'b', NULL, TT_DO_CACHE},
      {'t', "id-a", TT_DO_KILL},
      {'k', "gone", TT_DO_CACHE},
      {'p', "ok", TT_DO_DONE}},
     true,
     false,
     "bump",
     N(KILLED)},
    {"it is still there: no bump before it is gone",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-a", TT_DO_KILL}, {'k', "still", TT_DO_DONE}},
     false,
     true,
     "",
     N(KILLED)},
    {"the KILL got lost: not known to be gone",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-a", TT_DO_KILL}, {'k', "lost", TT_DO_DONE}},
     false,
     true,
     "",
     N(KILLED)},
    {"the primary cannot be reached: it may yet commit",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-a", TT_DO_KILL}, {'k', "unsent", TT_DO_DONE}},
     false,
     true,
     "",
     N(KILLED)},
    {"nobody is named, and it cannot be reached: the same",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "?", TT_DO_KILL}, {'k', "unsent", TT_DO_DONE}},
     false,
     true,
     "",
     N(KILLED)},
    {"there is no term, and it cannot be reached: the same",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "0", TT_DO_KILL}, {'k', "unsent", TT_DO_DONE}},
     false,
     true,
     "",
     N(KILLED)},
    {"another server is named, and this one cannot be reached: it is passed by",
     KILL,
     {{'b', NULL, TT_DO_CACHE},
      {'t', "id-b", TT_DO_KILL},
      {'k', "unsent", TT_DO_CACHE},
      {'p', "ok", TT_DO_DONE}},
     true,
     false,
     "bump",
     N(KILLED)},
    {"another is named, and this one still runs the statement: it is not",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-b", TT_DO_KILL}, {'k', "still", TT_DO_DONE}},
     false,
     true,
     "",
     N(KILLED)},
    {"a server that nobody here knows, and another is named: bumped",
     KILL | ELSEWHERE,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-a", TT_DO_CACHE}, {'p', "ok", TT_DO_DONE}},
     true,
     false,
     "bump",
     0},
    {"a server that nobody here knows, and it is the one named: another client may reach it",
     KILL | ELSEWHERE,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-x", TT_DO_DONE}},
     false,
     true,
     "",
     0},
    {"Redis does not say whom the term names",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', NULL, TT_DO_DONE}},
     false,
     true,
     "",
     0},
    {"nor does one that refuses",
     KILL,
     {{'b', NULL, TT_DO_CACHE}, {'t', "#", TT_DO_DONE}},
     false,
     true,
     "",
     0},
    {"the mark of a dead writer is reaped",
     KILL | REAP,
     {{'b', NULL, TT_DO_CACHE},
      {'t', "id-a", TT_DO_KILL},
      {'k', "gone", TT_DO_CACHE},
      {'p', "ok", TT_DO_DONE}},
     true,
     false,
     "bump",
     N(KILLED) | N(REAPED)},
    {"of a writer that is alive: dropped, whoever meets the mark next tries again",
     KILL | REAP,
     {{'b', NULL, TT_DO_CACHE}, {'t', "id-a", TT_DO_KILL}, {'k', "still", TT_DO_DONE}},
     false,
     false,
     "",
     N(KILLED)},
    {"and with Redis away",
     KILL | REAP,
     {{'b', NULL, TT_DO_CACHE},
      {'t', "id-a", TT_DO_KILL},
      {'k', "gone", TT_DO_CACHE},
      {'p', NULL, TT_DO_DONE}},
     false,
     false,
     "bump",
     N(KILLED)},
};

/* ---- what happens ------------------------------------------------------------------------------
 */

typedef struct world {
    tt_core core;
    tt_repair_op op;
    tt_answers answers;
    char text[128];
} world;

/* A core that knows the servers id-a and id-b. */
static void set_up(world *w)
{
    tt_core_config cfg = {.cache = true, .tag_ttl_ms = 86400000, .term_key = TT_STR("ns:term")};

    memset(w, 0, sizeof(*w));
    tt_core_init(&w->core, &tt_allocator_libc, &tt_rng_kernel, &cfg, &steady_health,
                 retain_uncounted, release_uncounted);
    for (int i = 0; i < NODES; i++) {
        tt_sample s = {.identity = i ? TT_STR("id-b") : TT_STR("id-a"),
                       .applied = TT_STR("0-1-5"),
                       .family = TT_FAMILY_MARIADB};

        (void)tt_topology_add(&w->core.topology, "node", 1);
        ck_assert_int_eq(tt_topology_sampled(&w->core.topology, i, &s, 1), 0);
    }
}

static tt_repair *queue_one(world *w, int flags)
{
    tt_str names[KEYS] = {tt_str_c(keys[0]), tt_str_c(keys[1])};
    tt_nonce mark;
    tt_repair *r;

    memcpy(mark.c, nonce, TT_NONCE_BYTES);
    r = tt_core_repair(&w->core, flags & ELSEWHERE ? TT_STR("id-x") : TT_STR("id-a"), 77, mark,
                       TT_STR("P"), names, KEYS);
    ck_assert_ptr_nonnull(r);
    r->kill = flags & KILL;
    r->reap = flags & REAP;
    r->withdraw = flags & WITHDRAW;
    return r;
}

static void answer(world *w, const char *arg, int n)
{
    w->answers.ok = arg != NULL;
    w->answers.n = n;
    memcpy(w->answers.epoch.c, epoch, TT_EPOCH_BYTES);
    (void)snprintf(w->text, sizeof(w->text), "T1 versionversionve %.16s %s", epoch, arg ? arg : "");
    for (int i = 0; i < n; i++)
        w->answers.replies[i] = (tt_reply){TT_REPLY_TEXT, tt_str_c(w->text)};
    if (arg && *arg == '#')
        w->answers.replies[n - 1].kind = TT_REPLY_ERROR;
    if (arg && *arg == '0')
        w->answers.replies[n - 1].kind = TT_REPLY_NIL;
}

static tt_event happen(world *w, const step *s)
{
    tt_event ev = {0};

    switch (s->event) {
    case 't':
    case 'p':
        answer(w, s->arg, s->event == 't' ? 1 : KEYS);
        ev.cache = &w->answers;
        break;
    case 'k':
        ev.gone = strcmp(s->arg, "gone") == 0;
        ev.db = strcmp(s->arg, "unsent") == 0 ? TT_DB_UNSENT
                : strcmp(s->arg, "lost") == 0 ? TT_DB_LOST
                                              : TT_DB_OK;
        break;
    default:
        break;
    }
    return ev;
}

/* Every tag, with the nonce of the mark; or the term. The verb, or "". */
static tt_str expect_batch(const world *w, const tt_act *act)
{
    const tt_cmd *cmds = act->batch.cmds;

    if (w->op.phase == TT_REPAIR_TERM) {
        ck_assert_int_eq(act->batch.n, 1);
        ck_assert_int_eq(cmds[0].kind, TT_CMD_GET);
        ck_assert(tt_str_eq(cmds[0].key, TT_STR("ns:term")));
        return TT_STR("");
    }
    ck_assert_int_eq(act->batch.n, KEYS);
    for (int i = 0; i < KEYS; i++) {
        ck_assert(tt_str_eq(cmds[i].key, tt_str_c(keys[i])));
        ck_assert(tt_str_eq(cmds[i].args[0], cmds[0].args[0]));
        ck_assert(tt_str_eq(cmds[i].args[w->op.repair->withdraw ? 1 : 2], tt_str_c(nonce)));
    }
    return cmds[0].args[0];
}

/* All the steps of a row; the verb of the last batch. */
static tt_str run_steps(world *w, const row *r)
{
    tt_str verb = TT_STR("");
    tt_act act = {.what = TT_DO_SHARED};

    for (const step *s = r->steps; s->event; s++) {
        tt_event ev = happen(w, s);

        tt_repair_step(&w->op, &ev, &act);
        ck_assert_msg(act.what == s->then, "%s, step %d: expected %d, got %d", r->name,
                      (int)(s - r->steps), s->then, act.what);
        if (act.what == TT_DO_CACHE)
            verb = expect_batch(w, &act);
        if (act.what == TT_DO_KILL) {
            ck_assert_int_eq(act.node, 0);
            ck_assert_uint_eq(act.connection, 77);
        }
    }
    ck_assert_msg(act.what == TT_DO_DONE, "%s: it is not done", r->name);
    tt_repair_step(&w->op, &(tt_event){0}, &act);
    ck_assert_int_eq(act.what, TT_DO_DONE); /* and stays so */
    return verb;
}

START_TEST(each)
{
    static world w;
    const row *r = &rows[_i];
    tt_repair *repair;
    tt_str verb;

    set_up(&w);
    (void)queue_one(&w, r->flags);
    repair = tt_repair_next(&w.core, 0);
    ck_assert_ptr_nonnull(repair);
    ck_assert_int_eq(w.core.n_repairs, 0); /* it is out of the queue while it is worked on */
    tt_repair_init(&w.op, &w.core, repair);
    verb = run_steps(&w, r);
    ck_assert_msg(tt_str_eq(verb, tt_str_c(r->verb)), "%s: %.*s", r->name, (int)verb.n, verb.p);
    ck_assert_msg(w.op.ok == r->ok && w.op.notes == r->notes, "%s: ok %d, notes %x", r->name,
                  w.op.ok, (unsigned)w.op.notes);
    tt_repair_finish(&w.op, 0);
    ck_assert_msg(w.core.n_repairs == r->kept, "%s: %d are kept", r->name, w.core.n_repairs);
    tt_core_free(&w.core);
}
END_TEST

/* What fails waits before it is tried again, longer each time, up to two seconds; others that are
 * due are not held up. */
START_TEST(patience)
{
    static const int64_t pauses_ms[] = {20, 40, 80, 160, 320, 640, 1280, 2000, 2000, 2000};
    static world w;
    static const row away = {
        "away", 0, {{'b', NULL, TT_DO_CACHE}, {'p', NULL, TT_DO_DONE}}, false, true, "bump", 0};
    int64_t now_ns = 0;
    tt_repair *r, *other;

    set_up(&w);
    r = queue_one(&w, 0);
    for (size_t i = 0; i < TT_COUNT(pauses_ms); i++) {
        ck_assert_ptr_eq(tt_repair_next(&w.core, now_ns), r);
        tt_repair_init(&w.op, &w.core, r);
        (void)run_steps(&w, &away);
        tt_repair_finish(&w.op, now_ns);
        now_ns += pauses_ms[i] * MS;
        ck_assert_ptr_null(tt_repair_next(&w.core, now_ns - 1));
    }
    other = queue_one(&w, 0);
    ck_assert_ptr_eq(tt_repair_next(&w.core, now_ns - 1), other);
    tt_repair_free(w.core.a, other);
    tt_core_free(&w.core);
}
END_TEST

/* A server that cannot be reached is asked once, however many wait for it; bumps do not wait. */
START_TEST(the_unreachable_are_asked_once)
{
    static world w;
    static const row unreachable = {
        "unreachable",
        KILL,
        {{'b', NULL, TT_DO_CACHE}, {'t', "id-a", TT_DO_KILL}, {'k', "unsent", TT_DO_DONE}},
        false,
        true,
        "",
        N(KILLED)};
    tt_repair *r, *bump;

    set_up(&w);
    for (int i = 0; i < 20; i++)
        (void)queue_one(&w, KILL);
    bump = queue_one(&w, 0);
    r = tt_repair_next(&w.core, 0);
    tt_repair_init(&w.op, &w.core, r);
    (void)run_steps(&w, &unreachable);
    tt_repair_finish(&w.op, 0);
    ck_assert_ptr_eq(tt_repair_next(&w.core, 20 * MS - 1), bump);
    ck_assert_ptr_null(tt_repair_next(&w.core, 20 * MS - 1));
    tt_repair_free(w.core.a, bump);
    r = tt_repair_next(&w.core, 20 * MS);
    ck_assert_ptr_nonnull(r);
    tt_repair_free(w.core.a, r);
    tt_core_free(&w.core);
}
END_TEST

/* A mark past its deadline is queued once, however often it is met. */
START_TEST(reaped_once)
{
    static world w;
    tt_mark mark = {tt_str_c(nonce), 5, TT_STR("id-a"), 77};
    tt_repair *r;

    set_up(&w);
    for (int i = 0; i < 3; i++)
        tt_core_reap(&w.core, tt_str_c(keys[0]), &mark);
    ck_assert_int_eq(w.core.n_repairs, 1);
    tt_core_reap(&w.core, tt_str_c(keys[1]), &mark); /* the same write, on another tag */
    ck_assert_int_eq(w.core.n_repairs, 2);
    r = tt_repair_next(&w.core, 0);
    ck_assert(r->kill && r->reap && !r->withdraw && r->connection == 77);
    ck_assert(tt_str_eq(tt_buf_str(&r->position), TT_STR("P")));
    tt_repair_free(w.core.a, r);
    for (int i = 0; i < TT_REPAIRS_MAX + 10; i++) {
        char fresh[TT_NONCE_BYTES + 1];

        (void)snprintf(fresh, sizeof(fresh), "%016d", i);
        mark.nonce = tt_str_c(fresh);
        tt_core_reap(&w.core, tt_str_c(keys[0]), &mark);
    }
    ck_assert_int_eq(w.core.n_repairs, TT_REPAIRS_MAX);
    tt_core_free(&w.core);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("repair");

    tcase_add_loop_test(t, each, 0, (int)TT_COUNT(rows));
    tcase_add_test(t, patience);
    tcase_add_test(t, the_unreachable_are_asked_once);
    tcase_add_test(t, reaped_once);
    return suite_run("repair", t);
}
