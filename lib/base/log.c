#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void tt_log(const tt_log_sink *sink, tt_log_level level, const char *fmt, ...)
{
    char line[1024];
    va_list args;

    if (!sink->write || level > sink->level)
        return;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    sink->write(sink->ctx, level, line);
}
