#include "cli/cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/table.h"

enum { CELL_MAX = 64, BLOB_SHOWN = 32 };

static const char *type_name(tt_type type)
{
    static const char *const names[] = {"null", "int",  "uint", "double",   "decimal",
                                        "text", "blob", "date", "datetime", "time"};

    return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

static size_t clamp(int n, size_t size)
{
    return n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1;
}

size_t cli_format_time(char *out, size_t size, tt_type type, const tt_time *t)
{
    size_t n = 0;

    if (type != TT_TYPE_TIME)
        n += clamp(snprintf(out, size, "%04u-%02u-%02u", t->year, t->month, t->day), size);
    if (type == TT_TYPE_DATE)
        return n;
    n += clamp(snprintf(out + n, size - n, "%s%s%02u:%02u:%02u", n ? " " : "",
                        t->negative ? "-" : "", t->hours, t->minutes, t->seconds),
               size - n);
    if (t->micros)
        n += clamp(snprintf(out + n, size - n, ".%06u", t->micros), size - n);
    return n;
}

size_t cli_format_double(char *out, size_t size, double d)
{
    int n = 0;

    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, size, "%.*g", digits, d);
        if (strtod(out, NULL) == d)
            break;
    }
    return clamp(n, size);
}

/* Numbers and times as text; 0 for what is bytes. */
static size_t format_scalar(char *out, size_t size, const tt_result *r, size_t row, size_t column)
{
    tt_type type = tt_result_type(r, column);
    uint64_t u = 0;
    int64_t i = 0;
    double d = 0;
    tt_time t;

    switch (type) {
    case TT_TYPE_INT:
        (void)tt_result_int(r, row, column, &i);
        return clamp(snprintf(out, size, "%" PRId64, i), size);
    case TT_TYPE_UINT:
        (void)tt_result_uint(r, row, column, &u);
        return clamp(snprintf(out, size, "%" PRIu64, u), size);
    case TT_TYPE_DOUBLE:
        (void)tt_result_double(r, row, column, &d);
        return cli_format_double(out, size, d);
    case TT_TYPE_DATE:
    case TT_TYPE_DATETIME:
    case TT_TYPE_TIME:
        memset(&t, 0, sizeof(t));
        (void)tt_result_time(r, row, column, &t);
        return cli_format_time(out, size, type, &t);
    default:
        return 0;
    }
}

static bool is_numeric(tt_type type)
{
    return type == TT_TYPE_INT || type == TT_TYPE_UINT || type == TT_TYPE_DOUBLE ||
           type == TT_TYPE_DECIMAL;
}

/* ---- table -------------------------------------------------------------------------------------
 */

static void add_blob(ex_table *t, const char *p, size_t n)
{
    char text[2 * BLOB_SHOWN + 64];
    size_t used = clamp(snprintf(text, sizeof(text), "0x"), sizeof(text));

    for (size_t i = 0; i < n && i < BLOB_SHOWN; i++)
        used += clamp(snprintf(text + used, sizeof(text) - used, "%02x", (unsigned char)p[i]),
                      sizeof(text) - used);
    if (n > BLOB_SHOWN)
        used += clamp(snprintf(text + used, sizeof(text) - used, "... (%zu bytes)", n),
                      sizeof(text) - used);
    ex_table_add(t, EX_LEFT, text, used);
}

static void add_value(ex_table *t, const tt_result *r, size_t row, size_t column)
{
    tt_type type = tt_result_type(r, column);
    ex_cell_kind kind = is_numeric(type) ? EX_RIGHT : EX_LEFT;
    char text[CELL_MAX];
    const char *p = "";
    size_t n;

    if (tt_result_is_null(r, row, column)) {
        ex_table_add_text(t, EX_NULL, "NULL");
        return;
    }
    n = format_scalar(text, sizeof(text), r, row, column);
    if (n > 0) {
        ex_table_add(t, kind, text, n);
        return;
    }
    (void)tt_result_bytes(r, row, column, &p, &n);
    if (type == TT_TYPE_BLOB)
        add_blob(t, p, n);
    else
        ex_table_add(t, kind, p, n);
}

void cli_put_rows_table(const cli *c, const tt_result *r)
{
    size_t columns = tt_result_columns(r), rows = tt_result_rows(r);
    ex_table t;

    ex_table_init(&t, columns);
    for (size_t k = 0; k < columns; k++)
        ex_table_add_text(&t, is_numeric(tt_result_type(r, k)) ? EX_RIGHT : EX_LEFT,
                          tt_result_name(r, k));
    for (size_t row = 0; row < rows; row++)
        for (size_t k = 0; k < columns; k++)
            add_value(&t, r, row, k);
    ex_table_print(&t, stdout, &c->out);
    if (t.failed)
        (void)fputs("twotier: out of memory: not all rows are shown; --json needs less\n", stderr);
    ex_table_free(&t);
}

/* ---- JSON --------------------------------------------------------------------------------------
 */

static void put_base64(const char *s, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)s;

    (void)putchar('"');
    for (size_t i = 0; i < n; i += 3) {
        unsigned long bits = (unsigned long)p[i] << 16;

        bits |= i + 1 < n ? (unsigned long)p[i + 1] << 8 : 0;
        bits |= i + 2 < n ? (unsigned long)p[i + 2] : 0;
        (void)putchar(digits[bits >> 18 & 63]);
        (void)putchar(digits[bits >> 12 & 63]);
        (void)putchar(i + 1 < n ? digits[bits >> 6 & 63] : '=');
        (void)putchar(i + 2 < n ? digits[bits & 63] : '=');
    }
    (void)putchar('"');
}

static void put_value_json(const tt_result *r, size_t row, size_t column)
{
    tt_type type = tt_result_type(r, column);
    char text[CELL_MAX];
    const char *p = "";
    size_t n;

    if (tt_result_is_null(r, row, column)) {
        (void)fputs("null", stdout);
        return;
    }
    n = format_scalar(text, sizeof(text), r, row, column);
    if (n > 0 && is_numeric(type)) {
        (void)fwrite(text, 1, n, stdout);
    } else if (n > 0) {
        cli_put_json_string(stdout, text, n);
    } else {
        (void)tt_result_bytes(r, row, column, &p, &n);
        if (type == TT_TYPE_BLOB)
            put_base64(p, n);
        else
            cli_put_json_string(stdout, p, n);
    }
}

void cli_put_rows_json(const tt_result *r)
{
    size_t columns = tt_result_columns(r), rows = tt_result_rows(r);

    (void)fputs("\"columns\":[", stdout);
    for (size_t k = 0; k < columns; k++) {
        const char *name = tt_result_name(r, k);

        (void)fputs(k ? ",{\"name\":" : "{\"name\":", stdout);
        cli_put_json_string(stdout, name, strlen(name));
        printf(",\"type\":\"%s\"}", type_name(tt_result_type(r, k)));
    }
    (void)fputs("],\"rows\":[", stdout);
    for (size_t row = 0; row < rows; row++) {
        (void)fputs(row ? ",[" : "[", stdout);
        for (size_t k = 0; k < columns; k++) {
            if (k)
                (void)putchar(',');
            put_value_json(r, row, k);
        }
        (void)putchar(']');
    }
    (void)putchar(']');
}

void cli_put_json_string(FILE *f, const char *s, size_t n)
{
    size_t length;
    long code;

    (void)fputc('"', f);
    for (size_t i = 0; i < n; i += length) {
        length = ex_next(s + i, n - i, &code);
        if (code < 0)
            (void)fputs("\\ufffd", f); /* bytes that are not UTF-8 */
        else if (code == '"' || code == '\\')
            fprintf(f, "\\%c", (int)code);
        else if (code < 0x20 || code == 0x7f)
            fprintf(f, "\\u%04lx", (unsigned long)code);
        else
            (void)fwrite(s + i, 1, length, f);
    }
    (void)fputc('"', f);
}
