/* line.c: the shared connection. See line.h for its picture. */
#include "svc/line.h"

#include <sched.h>

#include "base/err.h"

/* What a waiting call is told: its outcome is in, or it holds the line now. */
enum { WORD_DONE = 2, WORD_HOLDER = 3 };

/* A connection idle for so long is looked at before it is used: the node may have closed it. */
#define IDLE_NS TT_NS_PER_S
/* Buffers that grew beyond this are given back. */
#define KEEP_BYTES (1024 * 1024)

static int64_t now_ns(const tt_line *l)
{
    return tt_now_ns(l->set->clock);
}

static tt_slot *slot_at(tt_line *l, uint64_t index)
{
    return &l->slots[index & (l->n_slots - 1)];
}

/* ---- the queue, under mu -------------------------------------------------------------------- */

static bool unsent(const tt_line *l)
{
    return l->wired < l->wire.n;
}

/* A slot for `ticket`; its bytes are at the end of `queued` already. */
static void push_locked(tt_line *l, const tt_cache_shape *shape, tt_ticket *ticket)
{
    tt_slot *slot = slot_at(l, l->tail);

    TT_ASSERT(l->conn && l->tail - l->head < l->n_slots);
    if (l->head == l->tail)
        l->heard_ns = now_ns(l); /* the silence counts from here */
    slot->shape = *shape;
    slot->ticket = ticket;
    ticket->slot = l->tail++;
}

/* 0, TT_E_BUSY, TT_E_NOMEM, TT_E_ARGUMENT: then nothing has changed. */
static int push_batch_locked(tt_line *l, const tt_batch *batch, tt_str load, tt_ticket *ticket)
{
    size_t before = l->queued.n;
    tt_cache_shape shape;
    int rc = 0;

    if (l->tail - l->head >= l->n_slots)
        return TT_E_BUSY;
    if (load.n)
        tt_cache_command(&l->queued, (tt_str[]){TT_STR("SCRIPT"), TT_STR("LOAD"), load}, 3);
    if (!tt_cache_format(batch, tt_str_c(tt_cache_peer_of(l->conn)->sha), &l->queued, &shape))
        rc = l->queued.failed ? TT_E_NOMEM : TT_E_ARGUMENT;
    if (rc) {
        l->queued.n = before;
        l->queued.failed = false;
        return rc;
    }
    shape.load = load.n > 0;
    push_locked(l, &shape, ticket);
    return 0;
}

/* For the holder: what is queued becomes what is being sent, if that is through. */
static void take_locked(tt_line *l)
{
    tt_buf spare = l->wire;

    if (unsent(l) || !l->queued.n)
        return;
    spare.n = 0;
    l->wire = l->queued;
    l->wired = 0;
    if (spare.cap > KEEP_BYTES)
        tt_buf_free(&spare);
    l->queued = spare;
    l->sent = l->tail;
}

/* The last of those who wait: it will read everybody's answers before its own. */
static tt_ticket *last_waiting_locked(tt_line *l)
{
    for (uint64_t i = l->tail; i != l->head; i--) {
        tt_ticket *t = slot_at(l, i - 1)->ticket;

        if (t && !t->post)
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
static tt_ticket *lose_locked(tt_line *l, tt_cache_conn **conn)
{
    tt_ticket *list = NULL;

    for (uint64_t i = l->tail; i != l->head; i--) {
        tt_ticket *t = slot_at(l, i - 1)->ticket;

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
    l->held = false;
    l->head = l->sent = l->tail;
    tt_buf_clear(&l->queued);
    tt_buf_clear(&l->wire);
    l->wired = 0;
    return list;
}

/* ---- the holder's work ---------------------------------------------------------------------- */

static void post_again(tt_line *l, tt_post *post);

static void post_free(tt_post *post)
{
    const tt_allocator *a = post->bytes.a;

    tt_buf_free(&post->answers.bytes);
    tt_buf_free(&post->bytes);
    tt_del(a, post);
}

static void post_finish(tt_post *post)
{
    if (post->done)
        post->done(post->done_ctx, &post->answers);
    post_free(post);
}

/* Tell everybody on the list, but the holder itself; and the heir, if any, that the role is its. A
 * ticket may be gone once it has been told. */
static void deliver(tt_line *l, tt_ticket *list, const tt_ticket *mine, tt_ticket *heir)
{
    tt_post *posts = NULL, **last = &posts;
    uint32_t wake = 0;

    if (heir)
        tt_park_end(&heir->word, WORD_HOLDER, tt_park_bit(heir->slot), &wake);
    while (list) {
        tt_ticket *t = list;

        list = t->next;
        if (t->post) {
            *last = t->post;
            last = &t->post->next;
            *last = NULL;
        } else if (t != mine) {
            tt_park_end(&t->word, WORD_DONE, tt_park_bit(t->slot), &wake);
        }
    }
    tt_bench_wake(&l->bench, wake);
    while (posts) {
        tt_post *post = posts;

        posts = post->next;
        if (post->ticket.complete && post->ticket.noscript && !post->again)
            post_again(l, post);
        else
            post_finish(post);
    }
}

/* Send without waiting. -1: lost. */
static int flush(tt_line *l)
{
    while (unsent(l)) {
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
static void lose(tt_line *l, tt_ticket *list, const tt_ticket *mine)
{
    const char *why = tt_cache_reason(tt_cache_reader_of(l->conn));
    tt_cache_conn *conn;
    tt_ticket *lost;

    tt_log(l->set->log, TT_LOG_WARN, "cache: connection lost: %s",
           *why ? why : "closed or not answering");
    pthread_mutex_lock(&l->mu);
    lost = lose_locked(l, &conn);
    pthread_mutex_unlock(&l->mu);
    tt_cache_close(conn);
    deliver(l, list, mine, NULL);
    deliver(l, lost, mine, NULL);
}

/* Give the role to the last of those who wait, or to nobody; before that, send what they have
 * queued, so that the node works while the heir wakes up. `mu` is held, and released. */
static void leave_locked(tt_line *l, tt_ticket *list, const tt_ticket *mine)
{
    tt_ticket *heir = NULL;

    while (l->queued.n || unsent(l)) {
        int rc;

        take_locked(l);
        pthread_mutex_unlock(&l->mu);
        rc = flush(l);
        if (rc < 0) {
            lose(l, list, mine);
            return;
        }
        pthread_mutex_lock(&l->mu);
        heir = last_waiting_locked(l);
        if (heir || unsent(l))
            break;
    }
    if (!heir)
        heir = last_waiting_locked(l);
    if (heir)
        heir->promised = true;
    else
        l->held = false;
    pthread_mutex_unlock(&l->mu);
    deliver(l, list, mine, heir);
}

/* Parse what came. The finished go to *list, in order; false: broken. */
static bool parse(tt_line *l, uint64_t head, uint64_t sent, tt_ticket **list, uint64_t *n)
{
    tt_cache_reader *reader = tt_cache_reader_of(l->conn);
    const tt_epoch *epoch = &tt_cache_peer_of(l->conn)->epoch;

    for (; head != sent; head++, (*n)++) {
        tt_slot *slot = slot_at(l, head);
        tt_ticket *t = slot->ticket;
        int got = tt_cache_next(reader, &slot->shape, t ? t->out : NULL);

        if (got <= 0)
            return got == 0;
        if (!t)
            continue;
        t->complete = true;
        t->noscript = tt_cache_noscript(reader);
        if (t->out)
            t->out->epoch = *epoch;
        t->next = NULL;
        *list = t;
        list = &t->next;
    }
    return tt_cache_at_rest(reader); /* nothing comes that was not asked for */
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
    l->heard_ns = now_ns(l);
    promise_locked(l, *list);
    return ok;
}

static bool contains(const tt_ticket *list, const tt_ticket *t)
{
    while (list && list != t)
        list = list->next;
    return list != NULL;
}

/* The holder's deadline has passed: its slot stays, with nobody in it. */
static int give_up(tt_line *l, tt_ticket *mine, int64_t now)
{
    bool stalled;

    pthread_mutex_lock(&l->mu);
    slot_at(l, mine->slot)->ticket = NULL;
    stalled = now - l->heard_ns > l->set->options.stall_ms * TT_NS_PER_MS;
    if (!stalled) {
        leave_locked(l, NULL, mine);
        return TT_E_TIMEOUT;
    }
    pthread_mutex_unlock(&l->mu);
    lose(l, NULL, mine);
    return TT_E_TIMEOUT;
}

static int outcome(const tt_ticket *t, bool *noscript)
{
    *noscript = t->complete && t->noscript;
    if (!t->complete)
        return TT_E_CACHE_UNAVAILABLE;
    return t->out->ok ? 0 : TT_E_NOMEM;
}

/* From taking the role to leaving it. `wire` has been taken. */
static int hold(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript)
{
    for (;;) {
        tt_ticket *list = NULL;
        int64_t now, left_ns;
        int got = flush(l);
        bool ok;

        now = now_ns(l);
        left_ns = deadline_ns - now;
        if (got == 0 && left_ns <= 0)
            return give_up(l, mine, now);
        if (got == 0)
            got = tt_cache_recv(l->conn, left_ns, unsent(l));
        if (got < 0) {
            lose(l, NULL, mine);
            return outcome(mine, noscript);
        }
        if (got == 0) {
            pthread_mutex_lock(&l->mu);
            take_locked(l);
            pthread_mutex_unlock(&l->mu);
            continue;
        }
        ok = turn(l, &list);
        if (!ok) {
            pthread_mutex_unlock(&l->mu);
            lose(l, list, mine);
            return outcome(mine, noscript);
        }
        if (contains(list, mine)) {
            leave_locked(l, list, mine);
            return outcome(mine, noscript);
        }
        take_locked(l);
        pthread_mutex_unlock(&l->mu);
        deliver(l, list, mine, NULL);
    }
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
        slot_at(l, mine->slot)->ticket = NULL;
    pthread_mutex_unlock(&l->mu);
    return !promised;
}

static int wait_turn(tt_line *l, tt_ticket *mine, int64_t deadline_ns, bool *noscript)
{
    bool endless = false;

    for (;;) {
        int64_t left_ns = deadline_ns - now_ns(l);
        int word;

        if (left_ns <= 0 && !endless) {
            if (abandon(l, mine))
                return TT_E_TIMEOUT;
            endless = true;
        }
        word = tt_park(&l->bench, &mine->word, tt_park_bit(mine->slot), endless ? -1 : left_ns);
        if (word == WORD_DONE)
            return outcome(mine, noscript);
        if (word != WORD_HOLDER)
            continue;
        pthread_mutex_lock(&l->mu);
        mine->promised = false;
        take_locked(l);
        pthread_mutex_unlock(&l->mu);
        return hold(l, mine, deadline_ns, noscript);
    }
}

/* A connection that was idle may have been closed long ago: then it is better to know before a
 * batch is given to it. With mu held; it may be released in between. */
static void probe_locked(tt_line *l)
{
    int got;

    if (!l->conn || l->held || l->head != l->tail || now_ns(l) - l->heard_ns < IDLE_NS)
        return;
    l->held = true;
    pthread_mutex_unlock(&l->mu);
    got = tt_cache_recv(l->conn, 0, false);
    if (got == 0) {
        pthread_mutex_lock(&l->mu);
        l->heard_ns = now_ns(l);
        leave_locked(l, NULL, NULL);
    } else {
        lose(l, NULL, NULL); /* closed, or bytes that nobody asked for */
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
    probe_locked(l);
    rc = l->conn ? push_batch_locked(l, batch, load, &mine) : TT_LINE_DOWN;
    if (rc) {
        pthread_mutex_unlock(&l->mu);
        return rc;
    }
    holder = !l->held;
    if (holder) {
        l->held = true;
        take_locked(l);
    }
    pthread_mutex_unlock(&l->mu);
    return holder ? hold(l, &mine, deadline_ns, noscript)
                  : wait_turn(l, &mine, deadline_ns, noscript);
}

/* ---- posts ---------------------------------------------------------------------------------- */

/* Put a post on the queue, and send it if nobody holds the line. 0: the post is the line's. */
static int submit(tt_line *l, tt_post *post, tt_str load)
{
    bool holder;
    int rc = 0;

    pthread_mutex_lock(&l->mu);
    if (!l->conn)
        rc = TT_E_CACHE_UNAVAILABLE;
    else if (l->tail - l->head >= l->n_slots ||
             l->posted_bytes + post->bytes.n > l->set->options.post_bytes_max)
        rc = TT_E_BUSY;
    else if (!tt_buf_reserve(&l->queued, load.n + post->bytes.n + 128))
        rc = TT_E_NOMEM;
    if (rc) {
        l->queued.failed = false;
        pthread_mutex_unlock(&l->mu);
        return rc;
    }
    if (load.n)
        tt_cache_command(&l->queued, (tt_str[]){TT_STR("SCRIPT"), TT_STR("LOAD"), load}, 3);
    tt_buf_put(&l->queued, post->bytes.p, post->bytes.n);
    TT_ASSERT(!l->queued.failed);
    post->answers.ok = false;
    post->answers.n = 0;
    post->shape.load = load.n > 0;
    post->ticket.promised = false;
    push_locked(l, &post->shape, &post->ticket);
    l->posted_bytes += post->bytes.n;
    holder = !l->held;
    l->held = true;
    if (holder)
        leave_locked(l, NULL, NULL); /* which sends it, and waits for nothing */
    else
        pthread_mutex_unlock(&l->mu);
    return 0;
}

static void post_again(tt_line *l, tt_post *post)
{
    post->again = true;
    if (submit(l, post, l->set->target.script) != 0)
        post_finish(post);
}

static tt_post *post_new(tt_line *l, tt_cache_done *done, void *done_ctx)
{
    const tt_allocator *a = l->set->a;
    tt_post *post = tt_new(a, sizeof(*post));

    if (!post)
        return NULL;
    post->bytes = tt_buf_init(a);
    post->answers = tt_answers_init(a);
    post->done = done;
    post->done_ctx = done_ctx;
    post->ticket.post = post;
    post->ticket.out = done ? &post->answers : NULL;
    return post;
}

int tt_line_post(tt_line *l, const tt_batch *batch, tt_cache_done *done, void *done_ctx)
{
    char sha[TT_CACHE_SHA_CHARS + 1] = "";
    tt_post *post;
    int rc = 0;

    pthread_mutex_lock(&l->mu);
    if (l->conn)
        memcpy(sha, tt_cache_peer_of(l->conn)->sha, sizeof(sha));
    else
        rc = TT_E_CACHE_UNAVAILABLE;
    pthread_mutex_unlock(&l->mu);
    if (rc)
        return rc;
    post = post_new(l, done, done_ctx);
    if (!post)
        return TT_E_NOMEM;
    if (!tt_cache_format(batch, tt_str_c(sha), &post->bytes, &post->shape))
        rc = post->bytes.failed ? TT_E_NOMEM : TT_E_ARGUMENT;
    if (!rc)
        rc = submit(l, post, TT_STR(""));
    if (rc)
        post_free(post);
    return rc;
}

bool tt_line_tend(tt_line *l, int64_t left_ns)
{
    tt_ticket *list = NULL;
    bool rest, stalled;
    int got;

    pthread_mutex_lock(&l->mu);
    probe_locked(l);
    rest = !l->conn || (l->head == l->tail && !unsent(l));
    if (rest || l->held) {
        pthread_mutex_unlock(&l->mu);
        return rest;
    }
    l->held = true;
    take_locked(l);
    stalled = now_ns(l) - l->heard_ns > l->set->options.stall_ms * TT_NS_PER_MS;
    pthread_mutex_unlock(&l->mu);
    got = flush(l);
    if (got == 0)
        got = tt_cache_recv(l->conn, left_ns, unsent(l));
    if (got < 0 || (got == 0 && stalled)) {
        lose(l, NULL, NULL);
        return true;
    }
    if (got == 0) {
        pthread_mutex_lock(&l->mu);
    } else if (!turn(l, &list)) {
        pthread_mutex_unlock(&l->mu);
        lose(l, list, NULL);
        return true;
    }
    rest = l->head == l->tail;
    leave_locked(l, list, NULL);
    return rest;
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
    l->heard_ns = now_ns(l);
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

/* In the child of a fork: what nobody was working on is freed; of the rest only the socket goes. */
static void free_forked(tt_line *l)
{
    if (pthread_mutex_trylock(&l->mu) != 0 || l->held || l->connecting) {
        tt_cache_forget(l->conn);
        return;
    }
    for (uint64_t i = l->head; i != l->tail; i++)
        if (slot_at(l, i)->ticket && slot_at(l, i)->ticket->post)
            post_free(slot_at(l, i)->ticket->post);
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
    list = lose_locked(l, &conn);
    pthread_mutex_unlock(&l->mu);
    tt_cache_close(conn);
    deliver(l, list, NULL, NULL);
    tt_buf_free(&l->queued);
    tt_buf_free(&l->wire);
    tt_del(l->set->a, l->slots);
    (void)pthread_mutex_destroy(&l->mu);
}
