#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>

typedef struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(16) char bytes[];
} chunk;

enum { CHUNK_BYTES = 1 << 20 };

void *sim_new(sim *s, size_t size)
{
    chunk *c = s->arena;
    void *p;

    size = (size + 15) & ~(size_t)15;
    if (!c || c->used + size > c->size) {
        size_t room = TT_MAX(size, (size_t)CHUNK_BYTES);

        c = malloc(sizeof(*c) + room);
        if (!c)
            abort();
        c->next = s->arena;
        c->used = 0;
        c->size = room;
        s->arena = c;
    }
    p = c->bytes + c->used;
    c->used += size;
    memset(p, 0, TT_MIN(size, (size_t)2048)); /* large objects end in what needs no zeroes */
    return p;
}

char *sim_copy(sim *s, tt_str text)
{
    char *p = sim_new(s, text.n + 1);

    if (text.n)
        memcpy(p, text.p, text.n);
    p[text.n] = '\0';
    return p;
}

/* ---- chance ------------------------------------------------------------------------------------
 */

uint64_t sim_random(sim *s)
{
    return tt_splitmix64(&s->random);
}

int sim_below(sim *s, int n)
{
    return (int)(sim_random(s) % (uint64_t)n);
}

bool sim_chance(sim *s, int per_1000)
{
    return per_1000 > 0 && sim_below(s, 1000) < per_1000;
}

int64_t sim_delay(sim *s, int64_t ns)
{
    int64_t d = ns / 4 + (int64_t)(sim_random(s) % (uint64_t)(ns + ns / 2 + 1));

    return sim_chance(s, s->sc.slow) ? d * (4 + sim_below(s, 40)) : d;
}

/* ---- events ------------------------------------------------------------------------------------
 */

static bool before(const event *a, const event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

void sim_at(sim *s, int64_t at, event_fn *fn, void *what, uint64_t n)
{
    size_t i = s->n_heap++;
    event e = {TT_MAX(at, s->now), s->order++, fn, what, n};

    if (s->n_heap > s->cap_heap) {
        s->cap_heap = s->cap_heap ? 2 * s->cap_heap : 1024;
        s->heap = realloc(s->heap, s->cap_heap * sizeof(*s->heap));
        if (!s->heap)
            abort();
    }
    for (; i > 0 && before(&e, &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        s->heap[i] = s->heap[(i - 1) / 2];
    s->heap[i] = e;
}

static event pop(sim *s)
{
    event top = s->heap[0], last = s->heap[--s->n_heap];
    size_t i = 0;

    for (size_t child; (child = 2 * i + 1) < s->n_heap; i = child) {
        if (child + 1 < s->n_heap && before(&s->heap[child + 1], &s->heap[child]))
            child++;
        if (!before(&s->heap[child], &last))
            break;
        s->heap[i] = s->heap[child];
    }
    s->heap[i] = last;
    return top;
}

/* FNV-1a, 64 bits, over the moment and the text. */
static void add_hash(sim *s, const char *text, size_t n)
{
    uint64_t h = s->hash ^ (uint64_t)s->now;

    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    s->hash = h * UINT64_C(0x100000001b3);
}

bool sim_step(sim *s)
{
    event e;

    if (s->n_heap == 0 || s->violation[0])
        return false;
    e = pop(s);
    s->now = e.at;
    s->tally->steps++;
    if (s->hashing)
        add_hash(s, (const char *)&e.order, sizeof(e.order));
    e.fn(s, e.what, e.n);
    return true;
}

/* ---- words -------------------------------------------------------------------------------------
 */

void sim_trace(sim *s, const char *fmt, ...)
{
    char line[4096];
    va_list args;
    int n;

    if (!s->trace && !s->hashing)
        return;
    va_start(args, fmt);
    n = vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    if (s->trace)
        printf("%9.3f ms  %s\n", (double)s->now / (double)MS, line);
    if (s->hashing)
        add_hash(s, line, TT_MIN((size_t)n, sizeof(line) - 1));
}

void sim_violation(sim *s, const char *fmt, ...)
{
    va_list args;

    if (s->violation[0])
        return;
    va_start(args, fmt);
    vsnprintf(s->violation, sizeof(s->violation), fmt, args);
    va_end(args);
    sim_trace(s, "VIOLATION %s", s->violation);
}

void sim_count(sim *s, world_event e)
{
    s->tally->events[e]++;
}

/* ---- begin and end -----------------------------------------------------------------------------
 */

void sim_begin(sim *s, uint64_t seed, const breakage *broken, tally *t, bool trace)
{
    event *heap = s->heap;
    size_t cap = s->cap_heap;

    memset(s, 0, sizeof(*s));
    s->heap = heap;
    s->cap_heap = cap;
    s->seed = seed;
    s->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    s->broken = *broken;
    s->tally = t;
    s->trace = trace;
}

void sim_end(sim *s)
{
    for (int i = 0; i < s->n_procs; i++)
        proc_free(s->procs[i]);
    for (int i = 0; i < SESSIONS_MAX; i++) {
        tt_buf_free(&s->sessions[i].seen);
        tt_buf_free(&s->sessions[i].owed);
    }
    for (result *r = s->results; r; r = r->next)
        if (r->refs != 0)
            sim_violation(s, "a result has %d references left", r->refs);
    while (s->arena) {
        chunk *next = s->arena->next;

        free(s->arena);
        s->arena = next;
    }
}
