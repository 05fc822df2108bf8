/* line_post.c: batches that nobody waits for. */
#include "svc/line.h"

void tt_post_free(tt_post *post)
{
    const tt_allocator *a = post->bytes.a;

    tt_buf_free(&post->answers.bytes);
    tt_buf_free(&post->bytes);
    tt_del(a, post);
}

void tt_post_finish(tt_post *post)
{
    if (post->done)
        post->done(post->done_ctx, &post->answers);
    tt_post_free(post);
}

/* Put a post on the queue, and send it if nobody holds the line. 0: the post is the line's. */
static int submit(tt_line *l, tt_post *post, tt_str load)
{
    bool holder;
    int rc = 0;

    pthread_mutex_lock(&l->mu);
    if (!l->conn || post->opened != l->opened) /* its bytes name the epoch of a connection */
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
    tt_line_push_locked(l, &post->shape, &post->ticket);
    l->posted_bytes += post->bytes.n;
    holder = !l->held;
    l->held = true;
    if (holder)
        tt_line_leave_locked(l, NULL, NULL); /* which sends it, and waits for nothing */
    else
        pthread_mutex_unlock(&l->mu);
    return 0;
}

void tt_post_again(tt_line *l, tt_post *post)
{
    post->again = true;
    if (submit(l, post, l->set->target.script) != 0)
        tt_post_finish(post);
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
    tt_cache_dress dress;
    uint64_t opened = 0;
    tt_post *post;
    int rc = 0;

    pthread_mutex_lock(&l->mu);
    if (l->conn) {
        dress = tt_line_dress_locked(l, batch);
        memcpy(sha, dress.sha.p, dress.sha.n);
        dress.sha.p = sha;
        opened = l->opened;
    }
    pthread_mutex_unlock(&l->mu);
    if (!opened)
        return TT_E_CACHE_UNAVAILABLE;
    post = post_new(l, done, done_ctx);
    if (!post)
        return TT_E_NOMEM;
    post->opened = opened;
    if (!tt_cache_format(batch, &dress, &post->bytes, &post->shape))
        rc = post->bytes.failed ? TT_E_NOMEM : TT_E_ARGUMENT;
    if (!rc)
        rc = submit(l, post, TT_STR(""));
    if (rc)
        tt_post_free(post);
    return rc;
}
