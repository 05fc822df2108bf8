/* config.h: what a tt_config holds, for the making of clients. */
#ifndef TT_API_CONFIG_H
#define TT_API_CONFIG_H

#include <twotier/config.h>

#include "core/config.h"
#include "drv/secret.h"

/* Owns the secrets that were set; everything else is plain. */
struct tt_config {
    tt_allocator a;
    tt_clock clock;
    tt_log_sink sink; /* `write` is NULL: no log */
    struct tt_settings settings;
    tt_secret password;
    tt_secret redis_password;
};

/* The passwords in force, for whoever connects: what was set, else what the environment or the
 * file has now. *out, in memory of `a`, is freed by the caller; its `p` is NULL when there is no
 * password at all. 0, TT_E_CONFIG, TT_E_NOMEM. */
TT_MUST int tt_config_password(const tt_config *config, const tt_allocator *a, tt_secret *out,
                               tt_error *err);
TT_MUST int tt_config_redis_password(const tt_config *config, const tt_allocator *a, tt_secret *out,
                                     tt_error *err);

#endif
