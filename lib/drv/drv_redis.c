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

/* A key in three commands, and the text of the mark: blank, three commas, 20 digits. */
#define MARK_MAX(key) (3 * (25 + WORD_MAX(7) + WORD_MAX(key)) + WORD_MAX(24))

static bool is_mark(const tt_cmd *c, uint64_t *timeout_ms)
{
    return c->n_args == 4 && tt_str_u64(c->args[1], timeout_ms);
}

/* An upper bound of the formatted bytes; 0 when the batch is not valid. */
static size_t bound(const tt_batch *batch, tt_str sha)
{
    size_t n = 25 + WORD_MAX(4); /* MGET */
    uint64_t timeout_ms;

    if (batch->n < 1 || batch->n > TT_BATCH_MAX)
        return 0;
    for (int i = 0; i < batch->n; i++) {
        const tt_cmd *c = &batch->cmds[i];

        n += WORD_MAX(c->key.n);
        if (c->kind == TT_CMD_GET)
            continue;
        if (c->kind == TT_CMD_MARK) {
            if (!is_mark(c, &timeout_ms))
                return 0;
            n += MARK_MAX(c->key.n);
        } else {
            if (sha.n != TT_CACHE_SHA_CHARS || c->n_args < 1 || c->n_args > TT_BATCH_ARGS_MAX)
                return 0;
            n += SCRIPT_MAX;
        }
        for (int j = 0; j < c->n_args; j++)
            n += WORD_MAX(c->args[j].n);
    }
    return n;
}

static char *put_bytes(char *at, tt_str s)
{
    if (s.n)
        memcpy(at, s.p, s.n);
    return at + s.n;
}

/* The end of expiry comes after the mark, and the look after both: a tag that is seen with the mark
 * will not expire, and is not evicted. */
static char *put_mark(char *at, const tt_cmd *c, uint64_t now_ms)
{
    uint64_t timeout_ms = 0;
    char digits[20];
    tt_str deadline = {digits, 0};

    (void)is_mark(c, &timeout_ms);
    deadline.n = (size_t)(put_digits(digits, now_ms + timeout_ms) - digits);
    at = put_bytes(at, TT_STR("*3\r\n$6\r\nAPPEND\r\n"));
    at = put_word(at, c->key);
    at = put_count(at, '$', c->args[0].n + deadline.n + c->args[2].n + c->args[3].n + 4);
    *at++ = ' ';
    at = put_bytes(at, c->args[0]);
    *at++ = ',';
    at = put_bytes(at, deadline);
    *at++ = ',';
    at = put_bytes(at, c->args[2]);
    *at++ = ',';
    at = put_bytes(at, c->args[3]);
    at = put_bytes(at, TT_STR("\r\n*2\r\n$7\r\nPERSIST\r\n"));
    at = put_word(at, c->key);
    at = put_bytes(at, TT_STR("*2\r\n$3\r\nGET\r\n"));
    return put_word(at, c->key);
}

static char *put_script(char *at, const tt_cmd *c, const tt_cache_dress *dress)
{
    at = put_count(at, '*', (size_t)c->n_args + 5);
    at = put_word(at, TT_STR("EVALSHA"));
    at = put_word(at, dress->sha);
    at = put_word(at, TT_STR("1"));
    at = put_word(at, c->key);
    at = put_word(at, c->args[0]);
    at = put_word(at, tt_str_n(dress->epoch.c, TT_EPOCH_BYTES));
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

/* Give the commands of one kind the next places; how many there are. */
static unsigned char place_kind(const tt_batch *batch, tt_cmd_kind kind, int at,
                                tt_cache_shape *shape)
{
    unsigned char n = 0;

    for (int i = 0; i < batch->n; i++)
        if (batch->cmds[i].kind == kind)
            shape->place[at + n++] = (unsigned char)i;
    return n;
}

static void lay_out(const tt_batch *batch, tt_cache_shape *shape)
{
    unsigned char n_scripts;

    shape->n = (unsigned char)batch->n;
    shape->load = shape->time = false;
    shape->n_gets = place_kind(batch, TT_CMD_GET, 0, shape);
    shape->n_marks = place_kind(batch, TT_CMD_MARK, shape->n_gets, shape);
    n_scripts = place_kind(batch, TT_CMD_SCRIPT, shape->n_gets + shape->n_marks, shape);
    TT_ASSERT(shape->n_gets + shape->n_marks + n_scripts == batch->n);
    (void)n_scripts;
}

bool tt_cache_format(const tt_batch *batch, const tt_cache_dress *dress, tt_buf *out,
                     tt_cache_shape *shape)
{
    size_t room = bound(batch, dress->sha);
    int i = 0;
    char *at;

    if (!room || !tt_buf_reserve(out, room))
        return false;
    at = out->p + out->n;
    lay_out(batch, shape);
    if (shape->n_gets) {
        at = put_count(at, '*', (size_t)shape->n_gets + 1);
        at = put_word(at, TT_STR("MGET"));
    }
    for (; i < shape->n_gets; i++)
        at = put_word(at, batch->cmds[shape->place[i]].key);
    for (; i < shape->n_gets + shape->n_marks; i++)
        at = put_mark(at, &batch->cmds[shape->place[i]], dress->now_ms);
    for (; i < shape->n; i++)
        at = put_script(at, &batch->cmds[shape->place[i]], dress);
    out->n = (size_t)(at - out->p);
    TT_ASSERT(out->n <= out->cap);
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
    int replies;  /* of the server: one for the array, three a mark, one for each other command */
    int placed;   /* commands answered */
    bool refused; /* the mark that is being read: an error is its answer */
    size_t bytes;
    uint64_t time_ms, time_s; /* what TIME said: 0 until all of it was read; the first half */
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

/* What the reply of the server that is being read belongs to. */
typedef enum part { OF_LOAD, OF_GETS, OF_MARK, OF_MARK_END, OF_SCRIPT, OF_TIME } part;

enum { MARK_REPLIES = 3 };

static int replies_due(const tt_cache_shape *s)
{
    return s->load + (s->n_gets > 0) + MARK_REPLIES * s->n_marks + (s->n - s->n_gets - s->n_marks) +
           s->time;
}

static part part_of(const tt_cache_reader *r)
{
    const tt_cache_shape *s = r->shape;
    int k = r->replies;

    if (s->load && k-- == 0)
        return OF_LOAD;
    if (s->n_gets && k-- == 0)
        return OF_GETS;
    if (k < MARK_REPLIES * s->n_marks)
        return k % MARK_REPLIES == MARK_REPLIES - 1 ? OF_MARK_END : OF_MARK;
    return s->time && r->replies == replies_due(s) - 1 ? OF_TIME : OF_SCRIPT;
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

/* For all of the array. */
static void *place_all(tt_cache_reader *r, tt_reply_kind kind, const char *p, size_t n)
{
    if (kind != TT_REPLY_ERROR)
        return refuse(r, "no array where one was expected");
    for (int i = 0; i < r->shape->n_gets; i++)
        if (!place(r, kind, p, n))
            return NULL;
    return done(r);
}

/* What APPEND and PERSIST say is dropped, but for the first error: that is the answer. */
static void *mark_step(const redisReadTask *task, tt_reply_kind kind, const char *p, size_t n)
{
    tt_cache_reader *r = task->privdata;

    if (kind != TT_REPLY_ERROR)
        return task->type == REDIS_REPLY_INTEGER ? done(r) : refuse(r, "a mark answered oddly");
    if (r->refused)
        return done(r);
    r->refused = true;
    return place(r, kind, p, n);
}

static void *mark_end(tt_cache_reader *r, tt_reply_kind kind, const char *p, size_t n)
{
    bool answered = r->refused;

    r->refused = false;
    return answered ? done(r) : place(r, kind, p, n);
}

/* One half of TIME; or an error, and then there is no time. */
static void *time_part(const redisReadTask *task, tt_reply_kind kind, const char *p, size_t n)
{
    enum { MS_PER_S = 1000, US_PER_MS = 1000, S_BITS = 40 };
    tt_cache_reader *r = task->privdata;
    uint64_t v;

    if (kind == TT_REPLY_ERROR && !task->parent)
        return done(r);
    if (kind != TT_REPLY_TEXT || !task->parent || !tt_str_u64(tt_str_n(p, n), &v))
        return refuse(r, "no time where it was expected");
    if (task->idx == 0)
        r->time_s = v;
    else if (r->time_s >> S_BITS == 0 && v < (uint64_t)MS_PER_S * US_PER_MS)
        r->time_ms = r->time_s * MS_PER_S + v / US_PER_MS;
    return done(r);
}

/* A reply that is no array, or stands in one. */
static void *scalar(const redisReadTask *task, tt_reply_kind kind, const char *p, size_t n)
{
    tt_cache_reader *r = task->privdata;

    switch (part_of(r)) {
    case OF_LOAD:
        return done(r);
    case OF_GETS:
        if (!task->parent)
            return place_all(r, kind, p, n);
        return kind == TT_REPLY_ERROR ? refuse(r, "an error inside an array")
                                      : place(r, kind, p, n);
    case OF_MARK:
        return mark_step(task, kind, p, n);
    case OF_MARK_END:
        return mark_end(r, kind, p, n);
    case OF_TIME:
        return time_part(task, kind, p, n);
    case OF_SCRIPT:
        break;
    }
    return place(r, kind, p, n);
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
    part of = part_of(r);

    if (task->parent || task->type != REDIS_REPLY_ARRAY || (of != OF_GETS && of != OF_TIME))
        return refuse(r, "an array where none was expected");
    if (n != (of == OF_GETS ? r->shape->n_gets : 2))
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
    r->noscript = r->refused = false;
    r->time_ms = r->time_s = 0;
    if (!out)
        return;
    out->ok = false;
    out->n = 0;
    tt_buf_clear(&out->bytes);
    (void)tt_buf_reserve(&out->bytes, guess); /* as much as last time: one growth, not many */
}

int tt_cache_next(tt_cache_reader *r, const tt_cache_shape *shape, tt_answers *out)
{
    int expected = replies_due(shape);

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

uint64_t tt_cache_time_ms(const tt_cache_reader *r)
{
    return r->time_ms;
}

bool tt_cache_at_rest(const tt_cache_reader *r)
{
    return !r->shape && r->n == 0 && r->hiredis->len == r->hiredis->pos;
}

const char *tt_cache_reason(const tt_cache_reader *r)
{
    return r->why;
}
