/* drv_redis.c: Redis' protocol (RESP2), out and in. The only file that knows hiredis, of which it
 * uses the parser alone: bytes go from there straight into the answers of the batch that waits for
 * them, without an object, and so without an allocation, per reply. */
#include "drv/cache.h"

#include <hiredis.h>

/* ---- out ------------------------------------------------------------------------------------ */

static char *put_digits(char *at, size_t v)
{
    char digits[20];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + v % 10);
    while ((v /= 10) != 0);
    while (n > 0)
        *at++ = digits[--n];
    return at;
}

static char *put_count(char *at, char type, size_t v)
{
    *at++ = type;
    at = put_digits(at, v);
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_word(char *at, tt_str s)
{
    at = put_count(at, '$', s.n);
    if (s.n)
        memcpy(at, s.p, s.n);
    at += s.n;
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

/* Room for the type, 20 digits, and two ends of line. */
#define WORD_MAX(n) ((n) + 25)
/* The number of words, "EVALSHA", the sha, "1", the epoch. */
#define SCRIPT_MAX                                                                                 \
    (25 + WORD_MAX(7) + WORD_MAX(TT_CACHE_SHA_CHARS) + WORD_MAX(1) + WORD_MAX(TT_EPOCH_BYTES))

/* An upper bound of the formatted bytes; 0 when the batch is not valid. */
static size_t bound(const tt_batch *batch, tt_str sha)
{
    size_t n = 25 + WORD_MAX(4); /* MGET */

    if (batch->n < 1 || batch->n > TT_BATCH_MAX)
        return 0;
    for (int i = 0; i < batch->n; i++) {
        const tt_cmd *c = &batch->cmds[i];

        n += WORD_MAX(c->key.n);
        if (c->kind == TT_CMD_GET)
            continue;
        if (sha.n != TT_CACHE_SHA_CHARS || c->n_args < 1 || c->n_args > TT_BATCH_ARGS_MAX)
            return 0;
        n += SCRIPT_MAX;
        for (int j = 0; j < c->n_args; j++)
            n += WORD_MAX(c->args[j].n);
    }
    return n;
}

static char *put_script(char *at, const tt_cmd *c, tt_str sha, const tt_epoch *epoch)
{
    at = put_count(at, '*', (size_t)c->n_args + 5);
    at = put_word(at, TT_STR("EVALSHA"));
    at = put_word(at, sha);
    at = put_word(at, TT_STR("1"));
    at = put_word(at, c->key);
    at = put_word(at, c->args[0]);
    at = put_word(at, tt_str_n(epoch->c, TT_EPOCH_BYTES));
    for (int j = 1; j < c->n_args; j++)
        at = put_word(at, c->args[j]);
    return at;
}

void tt_cache_command(tt_buf *out, const tt_str *words, size_t n)
{
    size_t room = 25;
    char *at;

    for (size_t i = 0; i < n; i++)
        room += WORD_MAX(words[i].n);
    if (!tt_buf_reserve(out, room))
        return;
    at = put_count(out->p + out->n, '*', n);
    for (size_t i = 0; i < n; i++)
        at = put_word(at, words[i]);
    out->n = (size_t)(at - out->p);
}

bool tt_cache_format(const tt_batch *batch, tt_str sha, const tt_epoch *epoch, tt_buf *out,
                     tt_cache_shape *shape)
{
    size_t room = bound(batch, sha);
    unsigned char at_place = 0;
    char *at;

    if (!room || !tt_buf_reserve(out, room))
        return false;
    at = out->p + out->n;
    shape->n = (unsigned char)batch->n;
    shape->load = false;
    for (int i = 0; i < batch->n; i++)
        if (batch->cmds[i].kind == TT_CMD_GET)
            shape->place[at_place++] = (unsigned char)i;
    shape->n_gets = at_place;
    if (at_place) {
        at = put_count(at, '*', (size_t)at_place + 1);
        at = put_word(at, TT_STR("MGET"));
        for (int i = 0; i < at_place; i++)
            at = put_word(at, batch->cmds[shape->place[i]].key);
    }
    for (int i = 0; i < batch->n; i++) {
        if (batch->cmds[i].kind == TT_CMD_GET)
            continue;
        shape->place[at_place++] = (unsigned char)i;
        at = put_script(at, &batch->cmds[i], sha, epoch);
    }
    out->n = (size_t)(at - out->p);
    TT_ASSERT(out->n <= out->cap && at_place == batch->n);
    return true;
}

/* ---- in ------------------------------------------------------------------------------------- */

/* hiredis moves what is left of its buffer after every reply: it is given little at a time. */
#define SLICE_BYTES 8192
/* A buffer that grew beyond this is given back when it is empty. */
#define KEEP_BYTES (256 * 1024)

struct tt_cache_reader {
    const tt_allocator *a;
    redisReader *hiredis;
    size_t max_bytes;
    const char *p; /* fed, and not yet handed on to hiredis */
    size_t n;
    const char *why;
    size_t skip;    /* bytes of a text that is too large, and its end of line, still to come */
    bool oversized; /* it is through: what hiredis is told in its place */
    bool noscript;
    /* The batch that is being read. */
    const tt_cache_shape *shape;
    tt_answers *out;
    int replies; /* of the server: one for the array, one for each other command */
    int placed;  /* commands answered */
    size_t bytes;
};

static void *refuse(tt_cache_reader *r, const char *why)
{
    r->why = why;
    return NULL; /* hiredis takes this for lack of memory, and stops for good */
}

/* What stands for an object: hiredis only wants to see that there is one. */
static void *done(tt_cache_reader *r)
{
    return r;
}

static bool expects_load(const tt_cache_reader *r)
{
    return r->shape->load && r->replies == 0;
}

static bool expects_array(const tt_cache_reader *r)
{
    return r->shape->n_gets && r->replies == (r->shape->load ? 1 : 0);
}

static void *place(tt_cache_reader *r, tt_reply_kind kind, const char *p, size_t n)
{
    int index = r->placed;

    if (index >= r->shape->n)
        return refuse(r, "more replies than commands");
    r->placed++;
    if (n > r->max_bytes || r->bytes > r->max_bytes - n) {
        kind = TT_REPLY_NONE; /* somebody else may have larger entries than this process */
        n = 0;
    }
    r->bytes += n;
    if (!r->out)
        return done(r);
    r->out->replies[r->shape->place[index]] = (tt_reply){kind, {NULL, n}};
    tt_buf_put(&r->out->bytes, p, n);
    return done(r);
}

/* A reply that is not an array: in the array, for all of it, or for one command. */
static void *scalar(const redisReadTask *task, tt_reply_kind kind, const char *p, size_t n)
{
    tt_cache_reader *r = task->privdata;

    if (expects_load(r))
        return done(r);
    if (!expects_array(r))
        return place(r, kind, p, n);
    if (task->parent)
        return kind == TT_REPLY_ERROR ? refuse(r, "an error inside an array")
                                      : place(r, kind, p, n);
    if (kind != TT_REPLY_ERROR)
        return refuse(r, "no array where one was expected");
    for (int i = 0; i < r->shape->n_gets; i++)
        if (!place(r, kind, p, n))
            return NULL;
    return done(r);
}

static void *on_string(const redisReadTask *task, char *p, size_t n)
{
    tt_cache_reader *r = task->privdata;

    switch (task->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
        return scalar(task, TT_REPLY_TEXT, p, n);
    case REDIS_REPLY_ERROR:
        if (tt_str_has_prefix(tt_str_n(p, n), TT_STR("NOSCRIPT")))
            r->noscript = true;
        return scalar(task, TT_REPLY_ERROR, p, n);
    default:
        return refuse(r, "a reply of an unknown type");
    }
}

/* A number is given as its digits. */
static void *on_integer(const redisReadTask *task, long long v)
{
    char digits[24];
    char *at = digits;
    unsigned long long u = v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v;

    if (v < 0)
        *at++ = '-';
    at = put_digits(at, u);
    return scalar(task, TT_REPLY_TEXT, digits, (size_t)(at - digits));
}

static void *on_nil(const redisReadTask *task)
{
    tt_cache_reader *r = task->privdata;
    tt_reply_kind kind = r->oversized ? TT_REPLY_NONE : TT_REPLY_NIL;

    r->oversized = false;
    return scalar(task, kind, NULL, 0);
}

static void *array(const redisReadTask *task, size_t n)
{
    tt_cache_reader *r = task->privdata;

    if (task->parent || task->type != REDIS_REPLY_ARRAY || !expects_array(r))
        return refuse(r, "an array where none was expected");
    if (n != r->shape->n_gets)
        return refuse(r, "an array of another length than expected");
    return done(r);
}

static void free_nothing(void *object)
{
    (void)object;
}

#if HIREDIS_MAJOR >= 1
static void *on_array(const redisReadTask *task, size_t n)
{
    return array(task, n);
}

static void *on_double(const redisReadTask *task, double v, char *p, size_t n)
{
    (void)v, (void)p, (void)n;
    return refuse(task->privdata, "a reply of an unknown type");
}

static void *on_bool(const redisReadTask *task, int v)
{
    (void)v;
    return refuse(task->privdata, "a reply of an unknown type");
}
#else
static void *on_array(const redisReadTask *task, int n)
{
    return array(task, n < 0 ? SIZE_MAX : (size_t)n);
}
#endif

/* Never written; hiredis' interface is older than its use of const. */
static redisReplyObjectFunctions functions = {
    .createString = on_string,
    .createArray = on_array,
    .createInteger = on_integer,
    .createNil = on_nil,
    .freeObject = free_nothing,
#if HIREDIS_MAJOR >= 1
    .createDouble = on_double,
    .createBool = on_bool,
#endif
};

tt_cache_reader *tt_cache_reader_new(const tt_allocator *a, size_t max_bytes)
{
    tt_cache_reader *r = tt_new(a, sizeof(*r));

    if (!r)
        return NULL;
    r->a = a;
    r->max_bytes = max_bytes;
    r->why = "";
    r->hiredis = redisReaderCreateWithFunctions(&functions);
    if (!r->hiredis) {
        tt_del(a, r);
        return NULL;
    }
    r->hiredis->privdata = r;
    r->hiredis->maxbuf = KEEP_BYTES;
    return r;
}

void tt_cache_reader_limit(tt_cache_reader *r, size_t max_bytes)
{
    r->max_bytes = max_bytes;
}

void tt_cache_reader_free(tt_cache_reader *r)
{
    if (!r)
        return;
    redisReaderFree(r->hiredis);
    tt_del(r->a, r);
}

void tt_cache_feed(tt_cache_reader *r, const void *p, size_t n)
{
    TT_ASSERT(r->n == 0);
    r->p = p;
    r->n = n;
}

static int broken(tt_cache_reader *r)
{
    if (!*r->why)
        r->why = r->hiredis->err ? r->hiredis->errstr : "a protocol error";
    r->n = 0;
    return -1;
}

static bool feed(tt_cache_reader *r, const char *p, size_t n)
{
    return redisReaderFeed(r->hiredis, p, n) == REDIS_OK;
}

/* What hiredis holds is the beginning of a reply that is too large. Of a text, "LENGTH\r\nbytes",
 * the rest can be dropped as it comes; a line without an end breaks the link. */
static bool begin_skip(tt_cache_reader *r)
{
    tt_str have = {r->hiredis->buf + r->hiredis->pos, r->hiredis->len - r->hiredis->pos};
    tt_str length = tt_str_cut(&have, '\r');
    uint64_t n = 0;

    if (length.n > 10 || !tt_str_u64(length, &n) || n > TT_CACHE_REPLY_BYTES_MAX || have.n == 0 ||
        have.n - 1 >= n + 2)
        return false;
    r->skip = (size_t)n + 2 - (have.n - 1);
    r->hiredis->pos = r->hiredis->len;
    return true;
}

/* Drop what comes of it; at its end hiredis is told that there is none. */
static bool skip(tt_cache_reader *r)
{
    size_t n = TT_MIN(r->skip, r->n);

    r->p += n;
    r->n -= n;
    r->skip -= n;
    r->oversized = r->skip == 0;
    return !r->oversized || feed(r, "-1\r\n", 4);
}

/* 1: one more reply of the server is complete; 0: all bytes are used; -1. */
static int next_reply(tt_cache_reader *r)
{
    for (;;) {
        void *object = NULL;
        size_t n;

        if (r->skip && !skip(r))
            return broken(r);
        if (r->skip)
            return 0;

        if (redisReaderGetReply(r->hiredis, &object) != REDIS_OK)
            return broken(r);
        if (object)
            return 1;
        if (r->hiredis->len - r->hiredis->pos > r->max_bytes + WORD_MAX(0)) {
            if (begin_skip(r))
                continue;
            r->why = "a reply is larger than allowed";
            return broken(r);
        }
        n = TT_MIN(r->n, (size_t)SLICE_BYTES);
        if (n == 0)
            return 0;
        if (!feed(r, r->p, n))
            return broken(r);
        r->p += n;
        r->n -= n;
    }
}

/* The buffer has stopped moving: point into it. The texts lie there in the order of arrival. */
static void fix_pointers(tt_answers *out, const tt_cache_shape *shape)
{
    const char *at = out->bytes.p;

    for (int i = 0; i < shape->n; i++) {
        tt_reply *reply = &out->replies[shape->place[i]];

        if (reply->kind == TT_REPLY_NIL || reply->kind == TT_REPLY_NONE)
            continue;
        reply->text.p = reply->text.n ? at : "";
        at += reply->text.n;
    }
    out->n = shape->n;
}

static void begin(tt_cache_reader *r, const tt_cache_shape *shape, tt_answers *out)
{
    size_t guess = TT_MIN(r->bytes, (size_t)SLICE_BYTES);

    r->shape = shape;
    r->out = out;
    r->replies = r->placed = 0;
    r->bytes = 0;
    r->noscript = false;
    if (!out)
        return;
    out->ok = false;
    out->n = 0;
    tt_buf_clear(&out->bytes);
    (void)tt_buf_reserve(&out->bytes, guess); /* as much as last time: one growth, not many */
}

int tt_cache_next(tt_cache_reader *r, const tt_cache_shape *shape, tt_answers *out)
{
    int expected = shape->load + (shape->n_gets > 0) + shape->n - shape->n_gets;

    if (*r->why)
        return broken(r);
    if (!r->shape)
        begin(r, shape, out);
    TT_ASSERT(r->shape == shape && (out == NULL || out == r->out));
    r->out = out;
    while (r->replies < expected) {
        int got = next_reply(r);

        if (got <= 0)
            return got;
        r->replies++;
    }
    if (r->placed != shape->n) {
        r->why = "fewer replies than commands";
        return broken(r);
    }
    r->shape = NULL;
    if (out && !out->bytes.failed) {
        fix_pointers(out, shape);
        out->ok = true;
    }
    return 1;
}

bool tt_cache_noscript(const tt_cache_reader *r)
{
    return r->noscript;
}

bool tt_cache_at_rest(const tt_cache_reader *r)
{
    return !r->shape && r->n == 0 && r->hiredis->len == r->hiredis->pos;
}

const char *tt_cache_reason(const tt_cache_reader *r)
{
    return r->why;
}
