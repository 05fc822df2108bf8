#include "common/table.h"

#include <stdlib.h>
#include <string.h>

void ex_table_init(ex_table *t, size_t columns)
{
    memset(t, 0, sizeof(*t));
    t->columns = columns;
}

void ex_table_free(ex_table *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->cells[i].text);
    free(t->cells);
    ex_table_init(t, 0);
}

/* One character of a cell; longest as \x00. */
static size_t escape(char *out, const char *s, size_t length, long code)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)s[0];

    if (code >= 0x20 && (code < 0x7f || code >= 0xa0)) {
        memcpy(out, s, length);
        return length;
    }
    out[0] = '\\';
    if (c == '\n' || c == '\t' || c == '\r') {
        out[1] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        return 2;
    }
    for (size_t i = 0; i < length; i++) {
        c = (unsigned char)s[i];
        memcpy(out + 4 * i, "\\x", 2);
        out[4 * i + 2] = hex[c >> 4];
        out[4 * i + 3] = hex[c & 15];
    }
    return 4 * length;
}

static bool make_room(ex_table *t)
{
    size_t room = t->room ? t->room * 2 : 64;
    ex_cell *cells;

    if (t->n < t->room)
        return true;
    cells = realloc(t->cells, room * sizeof(*cells));
    if (!cells)
        return false;
    t->cells = cells;
    t->room = room;
    return true;
}

void ex_table_add(ex_table *t, ex_cell_kind kind, const char *text, size_t n)
{
    char *copy = t->failed || !make_room(t) ? NULL : malloc(4 * n + 1);
    size_t length, used = 0;
    long code;

    if (!copy) {
        t->failed = true;
        return;
    }
    for (size_t i = 0; i < n; i += length) {
        length = ex_next(text + i, n - i, &code);
        used += escape(copy + used, text + i, length, code);
    }
    t->cells[t->n++] = (ex_cell){copy, used, kind};
}

void ex_table_add_text(ex_table *t, ex_cell_kind kind, const char *text)
{
    ex_table_add(t, kind, text, strlen(text));
}

/* ---- printing ----------------------------------------------------------------------------------
 */

static size_t width_of(const ex_table *t, size_t column)
{
    size_t widest = 0;

    for (size_t i = column; i < t->n; i += t->columns) {
        size_t width = ex_width(t->cells[i].text, t->cells[i].n);

        widest = width > widest ? width : widest;
    }
    return widest;
}

static void put_cell(const ex_cell *c, size_t width, bool last, FILE *f, const ex_style *style)
{
    if (c->kind == EX_NULL)
        (void)fputs(style->dim, f);
    if (c->kind == EX_RIGHT)
        ex_put_right(f, c->text, c->n, width);
    else
        ex_put_left(f, c->text, c->n, last ? 0 : width);
    if (c->kind == EX_NULL)
        (void)fputs(style->plain, f);
}

static void put_row(const ex_table *t, size_t row, const size_t *widths, FILE *f,
                    const ex_style *style)
{
    for (size_t i = 0; i < t->columns; i++) {
        if (i > 0)
            (void)fputs("  ", f);
        put_cell(&t->cells[row * t->columns + i], widths[i], i + 1 == t->columns, f, style);
    }
    (void)fputc('\n', f);
}

static void put_line(const ex_table *t, const size_t *widths, FILE *f)
{
    for (size_t i = 0; i < t->columns; i++) {
        if (i > 0)
            (void)fputs("  ", f);
        for (size_t k = 0; k < widths[i]; k++)
            (void)fputc('-', f);
    }
    (void)fputc('\n', f);
}

void ex_table_print(const ex_table *t, FILE *f, const ex_style *style)
{
    size_t *widths = calloc(t->columns ? t->columns : 1, sizeof(*widths));

    if (!widths || t->columns == 0) {
        free(widths);
        return;
    }
    for (size_t i = 0; i < t->columns; i++)
        widths[i] = width_of(t, i);
    (void)fputs(style->bold, f);
    put_row(t, 0, widths, f, style);
    (void)fputs(style->plain, f);
    put_line(t, widths, f);
    for (size_t row = 1; row < t->n / t->columns; row++)
        put_row(t, row, widths, f, style);
    free(widths);
}
