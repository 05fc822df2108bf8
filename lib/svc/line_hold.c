/* line_hold.c: what the holder of the shared connection does: send, receive, tell the others. */
#include "svc/line.h"

/* The last of those who wait: it will read everybody's answers before its own. */
static tt_ticket *last_waiting_locked(tt_line *l)
{
    for (uint64_t i = l->tail; i != l->head; i--) {
        tt_ticket *t = tt_line_slot(l, i - 1)->ticket;

        if (t && !t->post && !t->away)
            return t;
    }
    return NULL;
}

/* Out of the queue: nobody but the holder may end these any more. */
static void promise_locked(tt_line *l, tt_ticket *list)
{
    for (tt_ticket *t = list; t; t = t->next) {
        t->promised = true;
        if (t->post)
            l->posted_bytes -= t->post->bytes.n;
    }
}

/* The connection is lost: all that is queued comes off, as a list of the unanswered. */
tt_ticket *tt_line_lose_locked(tt_line *l, tt_cache_conn **conn)
{
    tt_ticket *list = NULL;

    for (uint64_t i = l->tail; i != l->head; i--) {
        tt_ticket *t = tt_line_slot(l, i - 1)->ticket;

        if (!t)
            continue;
        t->complete = false;
        t->next = list;
        list = t;
    }
    promise_locked(l, list);
    *conn = l->conn;
    l->conn = NULL;
    atomic_store_explicit(&l->up, false, memory_order_relaxed);
    l->held = l->lent = false;
    l->head = l->sent = l->tail;
    tt_buf_clear(&l->queued);
    tt_buf_clear(&l->wire);
    l->wired = 0;
    return list;
}

/* Tell everybody on the list, but the holder itself; and the heir, if any, that the role is its. A
 * ticket may be gone once it has been told. */
void tt_line_deliver(tt_line *l, tt_ticket *list, const tt_ticket *mine, tt_ticket *heir)
{
    tt_post *posts = NULL, **last = &posts;
    uint32_t wake = 0;

    if (heir)
        tt_park_end(&heir->word, TT_WORD_HOLDER, tt_park_bit(heir->slot), &wake);
    while (list) {
        tt_ticket *t = list;

        list = t->next;
        if (t->post) {
            *last = t->post;
            last = &t->post->next;
            *last = NULL;
        } else if (t != mine) {
            tt_park_end(&t->word, TT_WORD_DONE, tt_park_bit(t->slot), &wake);
        }
    }
    tt_bench_wake(&l->bench, wake);
    while (posts) {
        tt_post *post = posts;

        posts = post->next;
        if (post->ticket.complete && post->ticket.noscript && !post->again)
            tt_post_again(l, post);
        else
            tt_post_finish(post);
    }
}

int tt_line_flush(tt_line *l)
{
    while (tt_line_unsent(l)) {
        ssize_t n = tt_cache_send(l->conn, l->wire.p + l->wired, l->wire.n - l->wired);

        if (n < 0)
            return -1;
        if (n == 0)
            break;
        l->wired += (size_t)n;
    }
    return 0;
}

/* The holder gives up the connection and its role. `list`: finished before that, not told yet. */
void tt_line_lose(tt_line *l, tt_ticket *list, const tt_ticket *mine)
{
    const char *why = tt_cache_reason(tt_cache_reader_of(l->conn));
    tt_cache_conn *conn;
    tt_ticket *lost;

    tt_log(l->set->log, TT_LOG_WARN, "cache: connection lost: %s",
           *why ? why : "closed or not answering");
    pthread_mutex_lock(&l->mu);
    lost = tt_line_lose_locked(l, &conn);
    pthread_mutex_unlock(&l->mu);
    tt_cache_close(conn);
    tt_line_deliver(l, list, mine, NULL);
    tt_line_deliver(l, lost, mine, NULL);
}

/* Give the role to the last of those who wait, who sends what is queued as soon as it runs: later
 * than could be done here, but more of it at once. If nobody waits, send it now. `mu` is held, and
 * released. */
void tt_line_leave_locked(tt_line *l, tt_ticket *list, const tt_ticket *mine)
{
    tt_ticket *heir = last_waiting_locked(l);

    while (!heir && (l->queued.n || tt_line_unsent(l))) {
        int rc;

        tt_line_take_locked(l);
        pthread_mutex_unlock(&l->mu);
        rc = tt_line_flush(l);
        if (rc < 0) {
            tt_line_lose(l, list, mine);
            return;
        }
        pthread_mutex_lock(&l->mu);
        heir = last_waiting_locked(l);
        if (tt_line_unsent(l))
            break; /* no room: whoever comes next, or tt_line_tend, goes on */
    }
    if (heir) {
        heir->promised = true;
        tt_line_lend_locked(l);
    } else {
        l->held = false;
    }
    pthread_mutex_unlock(&l->mu);
    tt_line_deliver(l, list, mine, heir);
}

/* The answers of a batch are complete: what the connection has to say of them. */
static void finish_answers(tt_line *l, const tt_cache_shape *shape, tt_answers *out)
{
    if (shape->time)
        tt_cache_clock_told(l->conn, tt_line_now_ns(l));
    if (!out)
        return;
    out->epoch = tt_cache_peer_of(l->conn)->epoch;
    out->now_ms = shape->n_marks ? tt_cache_clock_ms(l->conn, tt_line_now_ns(l)) : 0;
}

/* Parse what came. The finished go to *list, in order; false: broken. */
static bool parse(tt_line *l, uint64_t head, uint64_t sent, tt_ticket **list, uint64_t *n)
{
    tt_cache_reader *reader = tt_cache_reader_of(l->conn);

    tt_cache_reader_limit(reader, atomic_load_explicit(&l->reply_bytes_max, memory_order_relaxed));
    for (; head != sent; head++, (*n)++) {
        tt_slot *slot = tt_line_slot(l, head);
        tt_ticket *t = slot->ticket;
        int got = tt_cache_next(reader, &slot->shape, t ? t->out : NULL);

        if (got <= 0)
            return got == 0;
        finish_answers(l, &slot->shape, t ? t->out : NULL);
        if (!t)
            continue;
        t->complete = true;
        t->noscript = tt_cache_noscript(reader);
        t->next = NULL;
        *list = t;
        list = &t->next;
    }
    return tt_cache_at_rest(reader); /* nothing comes that was not asked for */
}

/* Wait for bytes; meanwhile those who queue may send. As tt_cache_recv. */
static int receive(tt_line *l, int64_t left_ns)
{
    bool unsent = tt_line_unsent(l);
    bool lends =
        !unsent && left_ns > 0 && atomic_load_explicit(&l->callers, memory_order_relaxed) > 1;
    int got;

    if (lends) {
        pthread_mutex_lock(&l->mu);
        tt_line_lend_locked(l);
        pthread_mutex_unlock(&l->mu);
    }
    got = tt_cache_recv(l->conn, left_ns, unsent);
    if (lends) {
        pthread_mutex_lock(&l->mu);
        tt_line_regain_locked(l);
        pthread_mutex_unlock(&l->mu);
    }
    return got;
}

/* Bytes came: parse them, and take the finished off the queue. With mu held on return. */
static bool turn(tt_line *l, tt_ticket **list)
{
    uint64_t head, sent, n = 0;
    bool ok;

    *list = NULL;
    pthread_mutex_lock(&l->mu);
    l->parsing = true;
    head = l->head;
    sent = l->sent;
    pthread_mutex_unlock(&l->mu);
    ok = parse(l, head, sent, list, &n);
    pthread_mutex_lock(&l->mu);
    l->parsing = false;
    l->head += n;
    l->heard_ns = tt_line_now_ns(l);
    promise_locked(l, *list);
    return ok;
}

static bool contains(const tt_ticket *list, const tt_ticket *t)
{
    while (list && list != t)
        list = list->next;
    return list != NULL;
}

static bool stalled_locked(const tt_line *l, int64_t now)
{
    return l->head != l->tail && now - l->heard_ns > l->set->options.stall_ms * TT_NS_PER_MS;
}

/* The holder's deadline has passed: its slot stays, with nobody in it. */
static int give_up(tt_line *l, tt_ticket *mine, int64_t now)
{
    bool stalled;

    pthread_mutex_lock(&l->mu);
    tt_line_slot(l, mine->slot)->ticket = NULL;
    stalled = stalled_locked(l, now);
    if (!stalled) {
        tt_line_leave_locked(l, NULL, mine);
        return TT_E_TIMEOUT;
    }
    pthread_mutex_unlock(&l->mu);
    tt_line_lose(l, NULL, mine);
    return TT_E_TIMEOUT;
}

/* Nothing came for a while: is there more to send, or has it been too long? */
static bool patient(tt_line *l, int64_t now)
{
    bool stalled;

    pthread_mutex_lock(&l->mu);
    tt_line_take_locked(l);
    stalled = stalled_locked(l, now);
    pthread_mutex_unlock(&l->mu);
    return !stalled;
}

int tt_line_outcome(const tt_ticket *t, bool *noscript)
{
    *noscript = t->complete && t->noscript;
    if (!t->complete)
        return TT_E_CACHE_UNAVAILABLE;
    return t->out->ok ? 0 : TT_E_NOMEM;
}

/* From taking the role to leaving it. `wire` has been taken. */
int tt_line_hold(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript)
{
    for (;;) {
        tt_ticket *list = NULL;
        int64_t now, left_ns;
        int got = tt_line_flush(l);
        bool ok;

        now = tt_line_now_ns(l);
        left_ns = deadline_ns - now;
        if (got == 0) /* also when the time is over: the answer may have come long ago */
            got = receive(l, left_ns);
        if (got == 0 && left_ns <= 0)
            return give_up(l, mine, now);
        if (got == 0 && patient(l, now))
            continue;
        if (got <= 0) {
            tt_line_lose(l, NULL, mine);
            return tt_line_outcome(mine, noscript);
        }
        ok = turn(l, &list);
        if (!ok) {
            pthread_mutex_unlock(&l->mu);
            tt_line_lose(l, list, mine);
            return tt_line_outcome(mine, noscript);
        }
        if (contains(list, mine)) {
            tt_line_leave_locked(l, list, mine);
            return tt_line_outcome(mine, noscript);
        }
        tt_line_take_locked(l);
        pthread_mutex_unlock(&l->mu);
        tt_line_deliver(l, list, mine, NULL);
    }
}

bool tt_line_tend(tt_line *l, int64_t left_ns)
{
    tt_ticket *list = NULL;
    bool rest, stalled;
    int got;

    pthread_mutex_lock(&l->mu);
    tt_line_probe_locked(l);
    rest = !l->conn || (l->head == l->tail && !tt_line_unsent(l));
    if (rest || l->held) {
        pthread_mutex_unlock(&l->mu);
        return rest;
    }
    l->held = true;
    tt_line_take_locked(l);
    stalled = stalled_locked(l, tt_line_now_ns(l));
    pthread_mutex_unlock(&l->mu);
    got = tt_line_flush(l);
    if (got == 0)
        got = tt_cache_recv(l->conn, left_ns, tt_line_unsent(l));
    if (got < 0 || (got == 0 && stalled)) {
        tt_line_lose(l, NULL, NULL);
        return true;
    }
    if (got == 0) {
        pthread_mutex_lock(&l->mu);
    } else if (!turn(l, &list)) {
        pthread_mutex_unlock(&l->mu);
        tt_line_lose(l, list, NULL);
        return true;
    }
    rest = l->head == l->tail;
    tt_line_leave_locked(l, list, NULL);
    return rest;
}
