#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct row {
    int code;
    tt_error_kind kind;
    const char *name;
    const char *text;
};

#define ROW(code, value, kind, text) {code, kind, #code, text},
static const struct row rows[] = {{TT_OK, TT_CLASS_NONE, "TT_OK", "success"}, TT_ERROR_TABLE(ROW)};
#undef ROW

static const struct row *find(int code)
{
    size_t i = (size_t) - (long)code;

    if (code > 0 || i >= TT_COUNT(rows))
        return NULL;
    TT_ASSERT(rows[i].code == code);
    return &rows[i];
}

tt_error_kind tt_error_class(int code)
{
    const struct row *r = find(code);

    return r ? r->kind : TT_CLASS_INTERNAL;
}

const char *tt_error_name(int code)
{
    const struct row *r = find(code);

    return r ? r->name : "TT_E_?";
}

const char *tt_error_text(int code)
{
    const struct row *r = find(code);

    return r ? r->text : "not a code of this library";
}

int tt_fail(tt_error *err, int code, const char *fmt, ...)
{
    va_list args;

    TT_ASSERT(code < 0);
    if (!err)
        return code;
    memset(err, 0, sizeof(*err));
    err->code = code;
    va_start(args, fmt);
    (void)vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    return code;
}

int tt_fail_nomem(tt_error *err)
{
    return tt_fail(err, TT_E_NOMEM, "%s", "out of memory; nothing was changed");
}

void tt_error_set_node(tt_error *err, const char *node)
{
    if (err)
        (void)snprintf(err->node, sizeof(err->node), "%s", node ? node : "");
}
