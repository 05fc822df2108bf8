/* batch.h: what an operation asks of the cache tier, in one round trip.
 *
 * A batch is a list of commands on single keys, in the terms of the protocol and not of Redis: the
 * driver turns GETs into one MGET, marks into a few plain commands each, and the rest into calls of
 * the one script (core/script.h); they are carried out in this order. Every command is answered by
 * one reply, in the order of the batch. A batch succeeds or fails as one: when the link is
 * lost or the deadline passes, nothing is known about any of its commands.
 */
#ifndef TT_CORE_BATCH_H
#define TT_CORE_BATCH_H

#include "base/buf.h"

/* Tags of one operation; commands of one batch: entry, term and tags. */
#define TT_TAGS_MAX 64
#define TT_BATCH_MAX (TT_TAGS_MAX + 2)
#define TT_BATCH_ARGS_MAX 8

typedef enum tt_cmd_kind {
    TT_CMD_GET,   /* the value of `key`, or nil; no arguments */
    TT_CMD_MARK,  /* append a mark to the tag at `key`, and end its expiry; args: nonce, timeout_ms,
                     server, connection. Answered by what is at the key afterwards. Cheaper than the
                     script's `mark`, and not as much: it looks at nothing, and it is not atomic, so
                     what is answered may be no tag, and may lack the mark (a tag that expired or
                     was evicted on the way): then it is not marked. A mark that is there has come
                     to stay. */
    TT_CMD_SCRIPT /* run the script on `key`: ARGV is args[0] (the verb), the epoch of the
                     connection (put there by the driver), then the other arguments */
} tt_cmd_kind;

typedef struct tt_cmd {
    tt_cmd_kind kind;
    tt_str key;
    tt_str args[TT_BATCH_ARGS_MAX];
    int n_args;
} tt_cmd;

/* Everything pointed to is borrowed: for a call until it returns, for a post until it is accepted.
 */
typedef struct tt_batch {
    tt_cmd *cmds; /* at most TT_BATCH_MAX */
    int n;
} tt_batch;

typedef enum tt_reply_kind {
    TT_REPLY_NONE = 0, /* not answered, or too large to be taken */
    TT_REPLY_NIL,
    TT_REPLY_TEXT, /* bytes */
    TT_REPLY_ERROR /* the server's error text; the command did nothing */
} tt_reply_kind;

typedef struct tt_reply {
    tt_reply_kind kind;
    tt_str text;
} tt_reply;

/* The identity of the cache node that answered, as 16 characters: a hash of run_id and
 * master_replid. The epoch of a tag is compared with it. */
#define TT_EPOCH_BYTES 16
typedef struct tt_epoch {
    char c[TT_EPOCH_BYTES];
} tt_epoch;

typedef struct tt_answers {
    bool ok;         /* false: nothing is known about any command ... */
    bool unsent;     /* ... but that none was sent */
    tt_epoch epoch;  /* of the connection that answered; valid when ok */
    uint64_t now_ms; /* when a mark was among the commands: the node's clock, nearly */
    tt_reply replies[TT_BATCH_MAX];
    int n;
    tt_buf bytes; /* owns what the replies point to */
} tt_answers;

#endif
