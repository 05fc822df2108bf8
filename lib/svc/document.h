/* document.h: one content, written as a table for people or as JSON for programs. */
#ifndef TT_SVC_DOCUMENT_H
#define TT_SVC_DOCUMENT_H

#include <twotier/observe.h>

#include "base/buf.h"

struct tt_document {
    tt_allocator a;
    size_t n;
    char text[]; /* with a closing zero */
};

/* Takes what `out` holds. 0 or TT_E_NOMEM; `from` is freed in either case. */
TT_MUST int tt_document_make(tt_buf *from, tt_document **out);

/* A writer of nested objects and lists; text: "  name  value" lines, lists as indented blocks. */
typedef struct tt_writer {
    tt_buf *out;
    bool json;
    bool first; /* of its object or list: no comma yet */
    int depth;
} tt_writer;

void tt_write_begin(tt_writer *w, const char *name,
                    char bracket);             /* '{' or '['; name NULL in lists */
void tt_write_end(tt_writer *w, char bracket); /* '}' or ']' */
void tt_write_text(tt_writer *w, const char *name, tt_str value);
void tt_write_number(tt_writer *w, const char *name, double value);
void tt_write_bool(tt_writer *w, const char *name, bool value);
void tt_write_null(tt_writer *w, const char *name);

#endif
