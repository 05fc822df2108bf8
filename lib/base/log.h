/* log.h: one line to the host's sink. Never under a lock, never with a secret or a bound value. */
#ifndef TT_BASE_LOG_H
#define TT_BASE_LOG_H

#include <twotier/host.h>

#include "base/must.h"

void tt_log(const tt_log_sink *sink, tt_log_level level, const char *fmt, ...) TT_PRINTF(3, 4);

#endif
