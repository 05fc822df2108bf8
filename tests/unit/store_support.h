/* store_support.h: short ways to ask a store. */
#ifndef TT_TEST_STORE_SUPPORT_H
#define TT_TEST_STORE_SUPPORT_H

#include <stdarg.h>
#include <twotier/host.h>

#include "core/store.h"

static inline tt_store *enter_this(void *ctx, tt_str key)
{
    (void)key;
    return ctx;
}

static inline void leave_this(void *ctx, tt_store *s)
{
    (void)ctx;
    (void)s;
}

static inline void store_run(tt_store *s, const tt_batch *batch, uint64_t now_ms, tt_answers *out)
{
    tt_store_door door = {enter_this, leave_this, s, s->epoch};

    tt_store_run(&door, batch, now_ms, out);
}

/* A command from texts; the verb first, NULL after the last. No text: a GET. */
static inline tt_cmd ask(const char *key, ...)
{
    tt_cmd cmd = {.kind = TT_CMD_GET, .key = tt_str_c(key)};
    const char *text;
    va_list args;

    va_start(args, key);
    while ((text = va_arg(args, const char *)) != NULL)
        cmd.args[cmd.n_args++] = tt_str_c(text);
    va_end(args);
    if (cmd.n_args)
        cmd.kind = TT_CMD_SCRIPT;
    return cmd;
}

/* The plain mark, of connection 7 on "server". */
static inline tt_cmd ask_mark(const char *key, const char *nonce, const char *timeout_ms)
{
    return (tt_cmd){.kind = TT_CMD_MARK,
                    .key = tt_str_c(key),
                    .args = {tt_str_c(nonce), tt_str_c(timeout_ms), TT_STR("server"), TT_STR("7")},
                    .n_args = 4};
}

static inline tt_epoch test_epoch(void)
{
    tt_epoch epoch;

    memcpy(epoch.c, "epoch-epoch-1234", TT_EPOCH_BYTES);
    return epoch;
}

#endif
