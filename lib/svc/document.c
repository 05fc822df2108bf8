#include "svc/document.h"

int tt_document_make(tt_buf *from, tt_document **out)
{
    tt_document *d = from->failed ? NULL : tt_new(from->a, sizeof(*d) + from->n + 1);

    if (d) {
        d->a = *from->a;
        d->n = from->n;
        if (from->n)
            memcpy(d->text, from->p, from->n);
    }
    tt_buf_free(from);
    if (!d)
        return TT_E_NOMEM;
    *out = d;
    return 0;
}

const char *tt_document_text(const tt_document *document)
{
    return document ? document->text : "";
}

size_t tt_document_size(const tt_document *document)
{
    return document ? document->n : 0;
}

void tt_document_free(tt_document *document)
{
    tt_allocator a;

    if (!document)
        return;
    a = document->a;
    tt_del(&a, document);
}

static void put_json(tt_buf *out, tt_str s)
{
    tt_buf_put_char(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\') {
            tt_buf_put_char(out, '\\');
            tt_buf_put_char(out, (char)c);
        } else if (c < 0x20 || c >= 0x7f) {
            tt_buf_printf(out, "\\u%04x", c); /* bytes, not characters: SQL may be in any charset */
        } else {
            tt_buf_put_char(out, (char)c);
        }
    }
    tt_buf_put_char(out, '"');
}

static void indent(tt_writer *w)
{
    for (int i = 1; i < w->depth; i++)
        tt_buf_puts(w->out, "  ");
}

/* What stands before a value. */
static void lead(tt_writer *w, const char *name)
{
    if (w->json) {
        if (!w->first)
            tt_buf_put_char(w->out, ',');
        if (name) {
            put_json(w->out, tt_str_c(name));
            tt_buf_put_char(w->out, ':');
        }
    } else {
        indent(w);
        if (name)
            tt_buf_printf(w->out, "%-*s ", 22 - 2 * w->depth, name);
    }
    w->first = false;
}

void tt_write_begin(tt_writer *w, const char *name, char bracket)
{
    if (w->json) {
        lead(w, name);
        tt_buf_put_char(w->out, bracket);
    } else if (name) {
        indent(w);
        tt_buf_printf(w->out, "%s\n", name);
    } else if (w->depth > 1) {
        indent(w);
        tt_buf_puts(w->out, "-\n");
    }
    w->first = true;
    w->depth++;
}

void tt_write_end(tt_writer *w, char bracket)
{
    w->depth--;
    w->first = false;
    if (w->json)
        tt_buf_put_char(w->out, bracket);
    if (w->json && w->depth == 0)
        tt_buf_put_char(w->out, '\n');
}

static void end_line(tt_writer *w)
{
    if (!w->json)
        tt_buf_put_char(w->out, '\n');
}

void tt_write_text(tt_writer *w, const char *name, tt_str value)
{
    lead(w, name);
    if (w->json)
        put_json(w->out, value);
    else
        tt_buf_put_str(w->out, value);
    end_line(w);
}

void tt_write_number(tt_writer *w, const char *name, double value)
{
    char digits[TT_DOUBLE_CHARS];

    lead(w, name);
    if (value >= -1e15 && value <= 1e15 && value == (double)(int64_t)value)
        tt_buf_printf(w->out, "%lld", (long long)value);
    else
        tt_buf_put(w->out, digits, (size_t)tt_str_double(digits, 6, value));
    end_line(w);
}

void tt_write_bool(tt_writer *w, const char *name, bool value)
{
    lead(w, name);
    if (w->json)
        tt_buf_puts(w->out, value ? "true" : "false");
    else
        tt_buf_puts(w->out, value ? "yes" : "no");
    end_line(w);
}

void tt_write_null(tt_writer *w, const char *name)
{
    lead(w, name);
    tt_buf_puts(w->out, w->json ? "null" : "unknown");
    end_line(w);
}
