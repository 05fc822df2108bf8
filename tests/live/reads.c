/* reads.c: every kind of read, and what must be true of what it returns. */
#include "live/live.h"

#include <string.h>

enum { LOOK_MAX = GROUP, FRESH_MS = 10 };

/* One read: what it asks for, what it must at least show. */
typedef struct look {
    live_kind kind;
    int id;
    int cells[CELLS], n;
    bool use_session, coherent;
    int64_t floors[CELLS];
    live_record record;
    tt_result *result;
    tt_error err;
    tt_read_info info;
} look;

const char *kind_name(int kind)
{
    static const char *const names[] = {"point",    "two-tags", "three",    "two-rows", "group",
                                        "table",    "pair",     "uncached", "strong",   "inside",
                                        "eventual", "write",    "commit"};

    return names[kind];
}

int read_ids(live_kind kind)
{
    return kind == KIND_GROUP ? GROUPS : kind == KIND_PAIR ? PAIRS : COUNTERS;
}

uint64_t read_all_ids(void)
{
    uint64_t n = 0;

    for (int kind = 0; kind < KIND_CACHED; kind++)
        n += (uint64_t)read_ids((live_kind)kind);
    return n;
}

static int h_of(int id)
{
    return id < LIVING ? id % 4 : 4 + id % 2;
}

static int other_of(int id)
{
    return (id + 13) % COUNTERS;
}

/* ---- before ------------------------------------------------------------------------------------
 */

static void add_cell(look *k, int cell)
{
    k->cells[k->n++] = cell;
}

static void choose_cells(look *k)
{
    if (k->kind == KIND_GROUP) {
        for (int i = 0; i < GROUP; i++)
            add_cell(k, k->id * GROUP + i);
    } else if (k->kind == KIND_PAIR) {
        add_cell(k, COUNTERS + k->id);
    } else {
        add_cell(k, k->id);
        if (k->kind == KIND_TWO_ROWS)
            add_cell(k, other_of(k->id));
    }
}

/* What the read has to show, taken before it begins. Uncached reads see the session's own writes,
 * no others. */
static void begin(live_actor *a, look *k)
{
    for (int i = 0; i < k->n; i++) {
        int cell = k->cells[i];
        int64_t acked = k->coherent ? atomic_load(&a->l->cells[cell].acked) : 0;

        k->floors[i] = k->use_session && a->own[cell] > acked ? a->own[cell] : acked;
    }
    k->record = (live_record){.process = a->process,
                              .thread = a->thread,
                              .kind = (int)k->kind,
                              .session = k->use_session,
                              .began_ns = live_now_ns()};
    k->err = (tt_error)TT_ERROR_INIT;
    k->info = (tt_read_info)TT_READ_INFO_INIT;
}

/* ---- the calls ---------------------------------------------------------------------------------
 */

static int call_cached(live_actor *a, look *k, int consistency)
{
    static const char *const tags[] = {"c:{1}", "g:{2}", "h:{3}"};
    static const char *const two[] = {"c:{1}", "c:{2}"};
    tt_session *s = k->use_session ? a->session : NULL;
    tt_value v[3] = {tt_int(k->id), tt_int(k->id / GROUP), tt_int(h_of(k->id))};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    const char *sql = NULL;
    size_t n = 1;

    o.cache_class = "";
    o.consistency = consistency;
    o.tags = tags;
    switch (k->kind) {
    case KIND_POINT:
        return call_statement(a, a->point, s, v, 1, &k->result, &k->info, NULL, &k->err);
    case KIND_GROUP:
        return call_statement(a, a->group, s, v, 1, &k->result, &k->info, NULL, &k->err);
    case KIND_PAIR:
        return call_statement(a, a->pair, s, v, 1, &k->result, &k->info, NULL, &k->err);
    case KIND_THREE:
        sql = "SELECT id, v FROM counters WHERE id = ? AND g = ? AND h = ?";
        n = o.n_tags = 3;
        break;
    case KIND_TWO_ROWS:
        sql = "SELECT id, v FROM counters WHERE id = ? OR id = ? ORDER BY id";
        v[1] = tt_int(other_of(k->id));
        o.tags = two;
        n = o.n_tags = 2;
        break;
    case KIND_TABLE:
        sql = "SELECT id, v FROM counters WHERE id = ? LIMIT 1";
        o.tags = NULL;
        break;
    default: /* KIND_TWO_TAGS, KIND_EVENTUAL */
        sql = "SELECT id, v FROM counters WHERE id = ? AND g = ?";
        n = o.n_tags = 2;
        break;
    }
    return call_read(a, s, sql, v, n, &o, &k->result, &k->info, &k->err);
}

static int call_plain(live_actor *a, look *k, int consistency)
{
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_value v = tt_int(k->id);

    o.consistency = consistency;
    return call_read(a, k->use_session ? a->session : NULL,
                     "SELECT id, v FROM counters WHERE id = ?", &v, 1, &o, &k->result, &k->info,
                     &k->err);
}

/* ---- after -------------------------------------------------------------------------------------
 */

static void fill_record(look *k, int code)
{
    live_record *r = &k->record;

    r->ended_ns = live_now_ns();
    r->code = code;
    r->source = k->info.source;
    r->stale = k->info.stale;
    r->shared = k->info.shared;
    r->why = k->info.why;
    (void)snprintf(r->node, sizeof(r->node), "%.27s", code ? k->err.node : k->info.node);
}

/* Servers go away in this test; what a program did wrong, or the library, is none of their doing.
 */
static bool excusable(int code)
{
    switch (tt_error_class(code)) {
    case TT_CLASS_RETRY:
    case TT_CLASS_TIMEOUT:
    case TT_CLASS_UNAVAILABLE:
    case TT_CLASS_CONFLICT:
        return true;
    default:
        return false;
    }
}

static void check_value(live_actor *a, look *k, int i, int64_t got)
{
    live_record r = k->record;

    r.cell = k->cells[i];
    r.floor = k->floors[i];
    r.ceiling = atomic_load(&a->l->cells[r.cell].possible);
    r.got = got;
    if (got > r.ceiling)
        history_violation(a->l, &r, "a value that was never written");
    else if (got < r.floor && !(k->kind == KIND_EVENTUAL && r.stale))
        history_violation(a->l, &r, "older than an acknowledged write");
    history_note(a->l, &r);
}

/* The value of row `row`, and the cell that it is of. False when it is not what was asked for. */
static bool take_row(look *k, size_t row, int *at, int64_t *value)
{
    int64_t id;

    if (tt_result_int(k->result, row, 0, &id) != 0 || tt_result_int(k->result, row, 1, value) != 0)
        return false;
    if (k->kind == KIND_PAIR)
        id += COUNTERS;
    for (*at = 0; *at < k->n; (*at)++)
        if (k->cells[*at] == id)
            return true;
    return false;
}

static void check_pair(live_actor *a, look *k, int64_t got[])
{
    int64_t left = 0, right = 0;

    if (tt_result_rows(k->result) == 2 && tt_result_int(k->result, 0, 1, &left) == 0 &&
        tt_result_int(k->result, 1, 1, &right) == 0 && left + right == 0) {
        got[0] = left;
        check_value(a, k, 0, left);
        return;
    }
    k->record.cell = k->cells[0];
    k->record.got = right;
    k->record.floor = k->record.ceiling = -left;
    history_violation(a->l, &k->record, "the two rows of a transaction do not agree");
}

static void check_rows(live_actor *a, look *k, int64_t got[])
{
    bool right = tt_result_rows(k->result) == (size_t)k->n;

    if (k->kind == KIND_PAIR) {
        check_pair(a, k, got);
        return;
    }
    for (size_t row = 0; right && row < (size_t)k->n; row++) {
        int64_t value;
        int at;

        right = take_row(k, row, &at, &value);
        if (right) {
            got[at] = value;
            check_value(a, k, at, value);
        }
    }
    if (!right) {
        k->record.cell = k->cells[0];
        history_violation(a->l, &k->record, "other rows than those that were asked for");
    }
}

static void count_fresh(live_actor *a, const look *k)
{
    for (int i = 0; i < k->n; i++) {
        const live_cell *cell = &a->l->cells[k->cells[i]];
        int64_t since = k->record.began_ns - atomic_load(&cell->acked_ns);

        if (atomic_load(&cell->acker) != a->process && since >= 0 && since < FRESH_MS * 1000000) {
            atomic_fetch_add(&live_count(a->l)->fresh, 1);
            return;
        }
    }
}

/* Check the outcome; false when the read failed. */
static bool finish(live_actor *a, look *k, int code, int64_t got[])
{
    live_counts *count = live_count(a->l);

    fill_record(k, code);
    atomic_fetch_add(&a->l->by_kind[k->kind], 1);
    if (code != 0) {
        atomic_fetch_add(&count->read_errors, 1);
        atomic_fetch_add(&a->l->errors[0][-code % ERRORS_MAX], 1);
        k->record.cell = k->cells[0];
        history_note(a->l, &k->record);
        if (!excusable(code)) {
            (void)fprintf(stderr, "%s\n", k->err.message);
            history_violation(a->l, &k->record, "a read failed in a way that no fault explains");
        }
        return false;
    }
    if (k->record.source == TT_SOURCE_REDIS)
        count_fresh(a, k);
    check_rows(a, k, got);
    tt_result_free(k->result);
    atomic_fetch_add(&count->checked, 1);
    return true;
}

/* ---- reads of workers --------------------------------------------------------------------------
 */

/* Some are wanted much more often than others, the one written last most of all. */
static int choose_counter(live_actor *a)
{
    int latest = atomic_load(&a->l->latest);

    if (latest < COUNTERS && live_random(a, 100) < a->l->setup.latest_share)
        return latest;
    if (live_random(a, 100) < 50)
        return live_random(a, 16);
    return live_random(a, COUNTERS);
}

static live_kind choose_kind(live_actor *a)
{
    static const struct {
        live_kind kind;
        int share;
    } shares[] = {{KIND_POINT, 380}, {KIND_TWO_TAGS, 120}, {KIND_THREE, 60},   {KIND_TWO_ROWS, 120},
                  {KIND_GROUP, 100}, {KIND_TABLE, 10},     {KIND_PAIR, 100},   {KIND_UNCACHED, 40},
                  {KIND_STRONG, 20}, {KIND_INSIDE, 10},    {KIND_EVENTUAL, 40}};
    int n = live_random(a, 1000);

    for (size_t i = 0; i < TT_COUNT(shares); i++) {
        n -= shares[i].share;
        if (n < 0)
            return shares[i].kind;
    }
    return KIND_POINT;
}

static void read_inside(live_actor *a, look *k)
{
    int64_t got[CELLS];
    int code = call_begin(a, &k->err);

    if (code == 0)
        code = call_plain(a, k, TT_COHERENT);
    (void)finish(a, k, code, got);
    call_rollback(a);
}

void read_any(live_actor *a)
{
    look k = {.kind = choose_kind(a)};
    int64_t got[CELLS];
    bool owed = false;
    int code;

    k.id = k.kind == KIND_GROUP  ? choose_counter(a) / GROUP
           : k.kind == KIND_PAIR ? live_random(a, PAIRS)
                                 : choose_counter(a);
    if (a->owed_till_ns && live_now_ns() < a->owed_till_ns && live_random(a, 2)) {
        owed = true;
        k.kind = a->owed < COUNTERS ? KIND_POINT : KIND_PAIR;
        k.id = a->owed % COUNTERS;
    }
    k.coherent = k.kind != KIND_UNCACHED && k.kind != KIND_INSIDE;
    k.use_session = owed || !k.coherent || live_random(a, 2);
    if (k.kind == KIND_EVENTUAL)
        k.use_session = false;
    choose_cells(&k);
    begin(a, &k);
    if (k.kind == KIND_INSIDE) {
        read_inside(a, &k);
        return;
    }
    if (k.kind == KIND_STRONG)
        code = call_plain(a, &k, TT_STRONG);
    else if (k.kind == KIND_UNCACHED)
        code = call_plain(a, &k, TT_COHERENT);
    else
        code = call_cached(a, &k, k.kind == KIND_EVENTUAL ? TT_EVENTUAL : TT_COHERENT);
    (void)finish(a, &k, code, got);
}

/* What is warmed must be what a read of the same statement and tags finds. */
void warm_any(live_actor *a)
{
    static const char *const tags[] = {"c:{1}", "g:{2}"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    tt_error err = TT_ERROR_INIT;
    int id = choose_counter(a), code;
    tt_value v[] = {tt_int(id), tt_int(id / GROUP)};

    o.cache_class = "";
    o.tags = tags;
    o.n_tags = 2;
    code = tt_warm(a->client, "SELECT id, v FROM counters WHERE id = ? AND g = ?", v, 2, &o, &err);
    if (code == 0) {
        atomic_fetch_add(&a->l->warmed, 1);
    } else if (!excusable(code)) {
        (void)fprintf(stderr, "live: tt_warm: %s %s\n", tt_error_name(code), err.message);
        atomic_fetch_add(&live_count(a->l)->violations, 1);
    }
}

/* ---- reads of auditors -------------------------------------------------------------------------
 */

bool read_cached(live_actor *a, live_kind kind, int id, int64_t got[CELLS], bool *hit)
{
    look k = {.kind = kind, .id = id, .coherent = true};
    int64_t values[CELLS];

    choose_cells(&k);
    begin(a, &k);
    if (!finish(a, &k, call_cached(a, &k, TT_COHERENT), values))
        return false;
    *hit = k.record.source == TT_SOURCE_REDIS;
    for (int i = 0; i < k.n; i++)
        got[k.cells[i]] = values[i];
    return true;
}

bool read_all_strong(live_actor *a, int64_t got[CELLS])
{
    static const char *const sql[] = {"SELECT id, v FROM counters ORDER BY id",
                                      "SELECT p + 80, v FROM pairs WHERE side = 0 ORDER BY p"};
    tt_read_options o = TT_READ_OPTIONS_INIT;
    bool ok = true;

    o.consistency = TT_STRONG;
    for (int i = 0; i < 2 && ok; i++) {
        look k = {.kind = KIND_STRONG, .coherent = true};

        for (int cell = i ? COUNTERS : 0; cell < (i ? CELLS : COUNTERS); cell++)
            add_cell(&k, cell);
        begin(a, &k);
        ok = finish(a, &k,
                    tt_query_read(a->client, NULL, sql[i], NULL, 0, &o, &k.result, &k.info, &k.err),
                    got + (i ? COUNTERS : 0));
    }
    return ok;
}
