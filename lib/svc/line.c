/* line.c: the queue of the shared connection, and those who wait in it. See line.h for its picture.
 */
#include "svc/line.h"

#include <sched.h>

#include "base/err.h"

/* A connection idle for so long is looked at before it is used: the node may have closed it. */
#define IDLE_NS TT_NS_PER_S
/* A batch with marks asks for the time when it was asked for so long ago. */
#define CLOCK_NS TT_NS_PER_S
/* What a late tt_line_finish waits all the same. */
#define LATE_NS TT_NS_PER_MS
/* Buffers that grew beyond this are given back. */
#define KEEP_BYTES (1024 * 1024)

/* ---- the queue, under mu -------------------------------------------------------------------- */

void tt_line_push_locked(tt_line *l, const tt_cache_shape *shape, tt_ticket *ticket)
{
    tt_slot *slot = tt_line_slot(l, l->tail);

    TT_ASSERT(l->conn && l->tail - l->head < l->n_slots);
    if (l->head == l->tail)
        l->heard_ns = tt_line_now_ns(l); /* the silence counts from here */
    slot->shape = *shape;
    slot->ticket = ticket;
    slot->post = ticket->post;
    ticket->slot = l->tail++;
}

static bool has_marks(const tt_batch *batch)
{
    for (int i = 0; i < batch->n && i < TT_BATCH_MAX; i++)
        if (batch->cmds[i].kind == TT_CMD_MARK)
            return true;
    return false;
}

tt_cache_dress tt_line_dress_locked(tt_line *l, const tt_batch *batch)
{
    const tt_cache_peer *peer = tt_cache_peer_of(l->conn);
    uint64_t now_ms = has_marks(batch) ? tt_cache_clock_ms(l->conn, tt_line_now_ns(l)) : 0;

    return (tt_cache_dress){tt_str_c(peer->sha), peer->epoch, now_ms};
}

/* Clocks drift apart, and are set. */
static void ask_time_locked(tt_line *l, tt_cache_shape *shape)
{
    int64_t now = shape->n_marks ? tt_line_now_ns(l) : 0;

    if (!shape->n_marks || now - l->asked_ns < CLOCK_NS)
        return;
    tt_cache_command(&l->queued, (tt_str[]){TT_STR("TIME")}, 1);
    shape->time = !l->queued.failed;
    if (shape->time)
        l->asked_ns = now;
    l->queued.failed = false;
}

/* 0, TT_E_BUSY, TT_E_NOMEM, TT_E_ARGUMENT: then nothing has changed. */
static int push_batch_locked(tt_line *l, const tt_batch *batch, tt_str load, tt_ticket *ticket)
{
    tt_cache_dress dress = tt_line_dress_locked(l, batch);
    size_t before = l->queued.n;
    tt_cache_shape shape;
    int rc = 0;

    if (l->tail - l->head >= l->n_slots)
        return TT_E_BUSY;
    if (load.n)
        tt_cache_command(&l->queued, (tt_str[]){TT_STR("SCRIPT"), TT_STR("LOAD"), load}, 3);
    if (!tt_cache_format(batch, &dress, &l->queued, &shape))
        rc = l->queued.failed ? TT_E_NOMEM : TT_E_ARGUMENT;
    if (rc) {
        l->queued.n = before;
        l->queued.failed = false;
        return rc;
    }
    shape.load = load.n > 0;
    ask_time_locked(l, &shape);
    tt_line_push_locked(l, &shape, ticket);
    return 0;
}

void tt_line_lend_locked(tt_line *l)
{
    l->lent = !tt_line_unsent(l);
}

void tt_line_regain_locked(tt_line *l)
{
    l->lent = false;
    while (l->sending) { /* which does not wait for anything */
        pthread_mutex_unlock(&l->mu);
        (void)sched_yield();
        pthread_mutex_lock(&l->mu);
    }
}

/* The holder is waiting for answers: when half of the callers have queued, send it for all, so that
 * the node works while the other half thinks. What could not be sent stays in `wire`, for the
 * holder to send or to fail with. With mu held. */
static void send_for_all_locked(tt_line *l)
{
    int callers = atomic_load_explicit(&l->callers, memory_order_relaxed);
    bool failed;

    if (!l->lent || l->sending || l->tail - l->sent < (uint64_t)callers / 2)
        return;
    l->sending = true;
    tt_line_take_locked(l);
    pthread_mutex_unlock(&l->mu);
    failed = tt_line_flush(l) < 0;
    pthread_mutex_lock(&l->mu);
    l->sending = false;
    l->lent = l->lent && !failed;
}

void tt_line_take_locked(tt_line *l)
{
    tt_buf spare = l->wire;

    if (tt_line_unsent(l) || !l->queued.n)
        return;
    spare.n = 0;
    l->wire = l->queued;
    l->wired = 0;
    if (spare.cap > KEEP_BYTES)
        tt_buf_free(&spare);
    l->queued = spare;
    l->sent = l->tail;
}

/* ---- those who wait ------------------------------------------------------------------------- */

/* The deadline has passed. False: an outcome is promised, and will come at once. */
static bool abandon(tt_line *l, tt_ticket *mine)
{
    bool promised;

    pthread_mutex_lock(&l->mu);
    while (l->parsing) { /* `mine` may be being written to; parsing does not wait for anything */
        pthread_mutex_unlock(&l->mu);
        (void)sched_yield();
        pthread_mutex_lock(&l->mu);
    }
    promised = mine->promised;
    if (!promised)
        tt_line_slot(l, mine->slot)->ticket = NULL;
    pthread_mutex_unlock(&l->mu);
    return !promised;
}

static int wait_turn(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript)
{
    bool endless = false;

    for (;;) {
        int64_t left_ns = deadline_ns - tt_line_now_ns(l);
        int word;

        if (left_ns <= 0 && !endless) {
            if (abandon(l, mine))
                return TT_E_TIMEOUT;
            endless = true;
        }
        word = tt_park(&l->bench, &mine->word, tt_park_bit(mine->slot), endless ? -1 : left_ns);
        if (word == TT_WORD_DONE)
            return tt_line_outcome(mine, noscript);
        if (word != TT_WORD_HOLDER)
            continue;
        pthread_mutex_lock(&l->mu);
        mine->promised = false;
        tt_line_regain_locked(l);
        tt_line_take_locked(l);
        pthread_mutex_unlock(&l->mu);
        return tt_line_hold(l, mine, deadline_ns, noscript);
    }
}

/* A connection that was idle may have been closed long ago: then it is better to know before a
 * batch is given to it. With mu held; it may be released in between. */
void tt_line_probe_locked(tt_line *l)
{
    int got;

    if (!l->conn || l->held || l->head != l->tail || tt_line_now_ns(l) - l->heard_ns < IDLE_NS)
        return;
    l->held = true;
    pthread_mutex_unlock(&l->mu);
    got = tt_cache_recv(l->conn, 0, false);
    if (got == 0) {
        pthread_mutex_lock(&l->mu);
        l->heard_ns = tt_line_now_ns(l);
        tt_line_leave_locked(l, NULL, NULL);
    } else {
        tt_line_lose(l, NULL, NULL); /* closed, or bytes that nobody asked for */
    }
    pthread_mutex_lock(&l->mu);
}

int tt_line_call(tt_line *l, const tt_batch *batch, tt_str load, int64_t deadline_ns,
                 tt_answers *out, bool *noscript)
{
    tt_ticket mine = {.word = TT_PARK_WAITING, .out = out};
    bool holder;
    int rc;

    *noscript = false;
    out->ok = false;
    out->n = 0;
    pthread_mutex_lock(&l->mu);
    tt_line_probe_locked(l);
    rc = l->conn ? push_batch_locked(l, batch, load, &mine) : TT_LINE_DOWN;
    if (rc) {
        pthread_mutex_unlock(&l->mu);
        return rc;
    }
    out->unsent = false;
    holder = !l->held;
    if (holder) {
        l->held = true;
        tt_line_take_locked(l);
    } else {
        send_for_all_locked(l);
    }
    pthread_mutex_unlock(&l->mu);
    return holder ? tt_line_hold(l, &mine, deadline_ns, noscript)
                  : wait_turn(l, &mine, deadline_ns, noscript);
}

int tt_line_start(tt_line *l, const tt_batch *batch, tt_answers *out, tt_ticket *mine)
{
    int rc;

    *mine = (tt_ticket){.word = TT_PARK_WAITING, .out = out, .away = true};
    out->ok = out->unsent = false;
    out->n = 0;
    pthread_mutex_lock(&l->mu);
    tt_line_probe_locked(l);
    rc = l->conn ? push_batch_locked(l, batch, TT_STR(""), mine) : TT_LINE_DOWN;
    if (rc || l->held) {
        if (!rc)
            send_for_all_locked(l);
        pthread_mutex_unlock(&l->mu);
        return rc;
    }
    l->held = true;
    tt_line_leave_locked(l, NULL, NULL); /* which sends it, and waits for nothing */
    return 0;
}

int tt_line_finish(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript)
{
    bool holder;

    *noscript = false;
    /* Who comes late finds the answer all the same, if it is here; one who is reading hands it over
     * in a moment. */
    deadline_ns = TT_MAX(deadline_ns, tt_line_now_ns(l) + LATE_NS);
    pthread_mutex_lock(&l->mu);
    mine->away = false;
    holder = !mine->promised && !l->held;
    if (holder) {
        l->held = true;
        tt_line_take_locked(l);
    }
    pthread_mutex_unlock(&l->mu);
    return holder ? tt_line_hold(l, mine, deadline_ns, noscript)
                  : wait_turn(l, mine, deadline_ns, noscript);
}

/* ---- opening and ending --------------------------------------------------------------------- */

int tt_line_open(tt_line *l, int64_t deadline_ns, tt_error *err)
{
    tt_cache_conn *conn = NULL;
    bool up, mine;
    int rc;

    pthread_mutex_lock(&l->mu);
    up = l->conn != NULL;
    mine = !up && !l->connecting;
    if (mine)
        l->connecting = true;
    pthread_mutex_unlock(&l->mu);
    if (up)
        return 0;
    if (!mine)
        return tt_fail(err, TT_E_BUSY, "cache: another thread is connecting");
    rc = tt_cache_connect(l->set->a, l->set->clock, &l->set->target, deadline_ns, &conn, err);
    pthread_mutex_lock(&l->mu);
    l->connecting = false;
    l->conn = conn;
    l->opened += conn != NULL;
    l->heard_ns = l->asked_ns = tt_line_now_ns(l);
    TT_ASSERT(!l->held && l->head == l->tail);
    atomic_store_explicit(&l->up, conn != NULL, memory_order_relaxed);
    pthread_mutex_unlock(&l->mu);
    return rc;
}

bool tt_line_peer(tt_line *l, tt_cache_peer *out)
{
    bool up;

    pthread_mutex_lock(&l->mu);
    up = l->conn != NULL;
    if (up)
        *out = *tt_cache_peer_of(l->conn);
    pthread_mutex_unlock(&l->mu);
    return up;
}

int tt_line_init(tt_line *l, const tt_link_set *set)
{
    uint64_t n = 1;

    while (n < set->options.queue_max)
        n *= 2;
    *l = (tt_line){.set = set, .n_slots = n};
    atomic_init(&l->reply_bytes_max, tt_cache_reply_bytes(set->target.reply_bytes_max));
    l->queued = tt_buf_init(set->a);
    l->wire = tt_buf_init(set->a);
    l->slots = tt_new_array(set->a, n, sizeof(*l->slots));
    if (!l->slots)
        return TT_E_NOMEM;
    if (pthread_mutex_init(&l->mu, NULL) != 0) {
        tt_del(set->a, l->slots);
        l->slots = NULL;
        return TT_E_NOMEM;
    }
    return 0;
}

/* In the child of a fork: what nobody was working on is freed; of the rest only the socket goes.
 * Tickets of calls are on stacks of threads that are not here: they are not looked at. */
static void free_forked(tt_line *l)
{
    if (pthread_mutex_trylock(&l->mu) != 0 || l->held || l->connecting) {
        tt_cache_forget(l->conn);
        return;
    }
    for (uint64_t i = l->head; i != l->tail; i++)
        if (tt_line_slot(l, i)->post)
            tt_post_free(tt_line_slot(l, i)->post);
    tt_cache_close(l->conn);
    tt_buf_free(&l->queued);
    tt_buf_free(&l->wire);
    tt_del(l->set->a, l->slots);
}

void tt_line_free(tt_line *l, bool forked)
{
    tt_cache_conn *conn = NULL;
    tt_ticket *list;

    if (!l->slots)
        return;
    if (forked) {
        free_forked(l);
        return;
    }
    pthread_mutex_lock(&l->mu);
    TT_ASSERT(!l->held);
    list = tt_line_lose_locked(l, &conn);
    pthread_mutex_unlock(&l->mu);
    tt_cache_close(conn);
    tt_line_deliver(l, list, NULL, NULL);
    tt_buf_free(&l->queued);
    tt_buf_free(&l->wire);
    tt_del(l->set->a, l->slots);
    (void)pthread_mutex_destroy(&l->mu);
}
