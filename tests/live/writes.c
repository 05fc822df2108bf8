/* writes.c: writes, and what is known after them. */
#include "live/live.h"

#include <string.h>

enum { OWED_MS = 1500 };

/* The next value of a cell; from now on it may be read. */
static int64_t next_value(live_actor *a, int cell)
{
    return atomic_fetch_add(&a->l->cells[cell].possible, 1) + 1;
}

/* Only a write, or a COMMIT, can have an outcome that nobody knows. */
static bool may_fail(int code, bool sent)
{
    switch (tt_error_class(code)) {
    case TT_CLASS_RETRY:
    case TT_CLASS_TIMEOUT:
    case TT_CLASS_UNAVAILABLE:
    case TT_CLASS_CONFLICT:
        return true;
    case TT_CLASS_UNKNOWN:
        return sent;
    default:
        return false;
    }
}

static void acknowledge(live_actor *a, const live_record *r)
{
    live_cell *cell = &a->l->cells[r->cell];
    bool counts = r->invalidated == TT_INVALIDATED_DONE ||
                  (a->l->setup.outstanding_counts && r->invalidated != TT_INVALIDATED_NONE);

    a->own[r->cell] = r->got;
    if (!counts) {
        a->owed = r->cell;
        a->owed_till_ns = r->ended_ns + OWED_MS * INT64_C(1000000);
        return;
    }
    atomic_store(&cell->acker, r->process);
    atomic_store(&cell->acked_ns, r->ended_ns);
    atomic_store(&cell->acked, r->got);
    atomic_store(&a->l->latest, r->cell);
}

static void finish(live_actor *a, live_record *r, int code, bool sent, const tt_write_info *info,
                   const tt_error *err)
{
    live_counts *count = live_count(a->l);

    r->ended_ns = live_now_ns();
    r->code = code;
    r->invalidated = info->invalidated;
    (void)snprintf(r->node, sizeof(r->node), "%.27s", code ? err->node : "");
    atomic_fetch_add(&a->l->by_kind[r->kind], 1);
    atomic_fetch_add(&count->writes, 1);
    if (code == 0) {
        acknowledge(a, r);
    } else {
        atomic_fetch_add(&count->write_errors, 1);
        atomic_fetch_add(&a->l->errors[1][-code % ERRORS_MAX], 1);
        if (!may_fail(code, sent)) {
            (void)fprintf(stderr, "%s\n", err->message);
            history_violation(a->l, r, "a write failed in a way that no fault explains");
        }
    }
    history_note(a->l, r);
    if (a->process < PROCESSES)
        atomic_fetch_sub(&a->l->writing, 1);
}

static live_record record(live_actor *a, live_kind kind, int cell)
{
    if (a->process < PROCESSES)
        atomic_fetch_add(&a->l->writing, 1);
    return (live_record){.process = a->process,
                         .thread = a->thread,
                         .kind = (int)kind,
                         .cell = cell,
                         .got = next_value(a, cell),
                         .session = 1,
                         .began_ns = live_now_ns()};
}

void write_counter(live_actor *a, int cell)
{
    live_record r = record(a, KIND_WRITE, cell);
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error err = TT_ERROR_INIT;
    tt_value v[] = {tt_int(r.got), tt_int(cell), tt_int(cell / GROUP),
                    tt_int(cell < LIVING ? cell % 4 : 4 + cell % 2), tt_int(r.got)};
    int code = call_statement(a, a->write, a->session, v, TT_COUNT(v), NULL, NULL, &info, &err);

    finish(a, &r, code, true, &info, &err);
    if (code == 0 && info.affected_rows != 1)
        history_violation(a->l, &r, "a write succeeded and changed nothing");
}

static int write_side(live_actor *a, int pair, int side, int64_t value, tt_error *err)
{
    static const char *const tag = "pair:{2}";
    tt_write_options o = TT_WRITE_OPTIONS_INIT;
    tt_value v[] = {tt_int(side ? -value : value), tt_int(pair), tt_int(side), tt_int(value)};

    o.tags = &tag;
    o.n_tags = 1;
    o.flags = TT_WRITE_ONLY_THESE_TAGS;
    return call_write(a, a->session,
                      "UPDATE pairs SET v = ? WHERE p = ? AND side = ? AND ABS(v) < ?", v,
                      TT_COUNT(v), &o, NULL, err);
}

/* A transaction sees what it has written itself. */
static int look_inside(live_actor *a, int pair, const live_record *r, tt_error *err)
{
    tt_value v = tt_int(pair);
    tt_result *result = NULL;
    int64_t got = -1;
    int code = call_read(a, a->session, "SELECT v FROM pairs WHERE p = ? AND side = 0", &v, 1, NULL,
                         &result, NULL, err);

    if (code != 0)
        return code;
    if (tt_result_int(result, 0, 0, &got) != 0 || got != r->got) {
        live_record seen = *r;

        seen.ended_ns = live_now_ns();
        seen.floor = seen.ceiling = r->got;
        seen.got = got;
        seen.kind = KIND_INSIDE;
        history_violation(a->l, &seen, "a transaction does not see its own write");
    }
    tt_result_free(result);
    return 0;
}

void write_pair(live_actor *a, int pair)
{
    live_record r = record(a, KIND_COMMIT, COUNTERS + pair);
    tt_write_info info = TT_WRITE_INFO_INIT;
    tt_error err = TT_ERROR_INIT;
    int code = call_begin(a, &err);
    bool sent;

    if (code == 0)
        code = write_side(a, pair, 0, r.got, &err);
    if (code == 0)
        code = look_inside(a, pair, &r, &err);
    if (code == 0)
        code = write_side(a, pair, 1, r.got, &err);
    sent = code == 0;
    if (sent)
        code = call_commit(a, &info, &err);
    if (code != 0)
        call_rollback(a);
    finish(a, &r, code, sent, &info, &err);
}

/* A worker's own cells: every ninth; the first ones most often. */
void write_any(live_actor *a)
{
    int me = a->process * THREADS + a->thread;
    int n = live_random(a, 3) ? live_random(a, 2) : live_random(a, LIVING / ACTORS);

    if (me < LIVING_PAIRS && live_random(a, 5) == 0)
        write_pair(a, me + (me + ACTORS < LIVING_PAIRS && live_random(a, 2) ? ACTORS : 0));
    else
        write_counter(a, me + n * ACTORS);
}
