#include "core/config_value.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first, so that the first that divides gives the shortest text. */
static const struct unit durations[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit sizes[] = {{"GiB", 1073741824}, {"MiB", 1048576}, {"KiB", 1024}, {"", 1}};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool tt_integer_parse(tt_str text, int64_t *out)
{
    uint64_t v;

    if ((text.n > 1 && text.p[0] == '0') || !tt_str_u64(text, &v) || v > INT64_MAX)
        return false;
    *out = (int64_t)v;
    return true;
}

static bool parse_unit(const struct unit *units, size_t n_units, tt_str text, int64_t *out)
{
    size_t digits = 0;
    int64_t v;

    while (digits < text.n && is_digit(text.p[digits]))
        digits++;
    if (!tt_integer_parse(tt_str_n(text.p, digits), &v))
        return false;
    for (size_t i = 0; i < n_units; i++) {
        tt_str unit = tt_str_n(text.p + digits, text.n - digits);

        if (!tt_str_eq(unit, tt_str_c(units[i].name)))
            continue;
        if (v > INT64_MAX / units[i].factor)
            return false;
        *out = v * units[i].factor;
        return true;
    }
    return false;
}

static struct tt_short unit_text(const struct unit *units, int64_t v)
{
    struct tt_short out;

    while (v % units->factor != 0)
        units++;
    (void)snprintf(out.c, sizeof(out.c), "%" PRId64 "%s", v / units->factor, units->name);
    return out;
}

bool tt_duration_parse(tt_str text, int64_t *out_ms)
{
    if (tt_str_eq(text, TT_STR("0"))) {
        *out_ms = 0;
        return true;
    }
    return parse_unit(durations, TT_COUNT(durations), text, out_ms);
}

bool tt_size_parse(tt_str text, int64_t *out_bytes)
{
    return parse_unit(sizes, TT_COUNT(sizes), text, out_bytes);
}

struct tt_short tt_duration_text(int64_t ms)
{
    return ms ? unit_text(durations, ms) : (struct tt_short){"0"};
}

struct tt_short tt_size_text(int64_t bytes)
{
    return bytes ? unit_text(sizes, bytes) : (struct tt_short){"0"};
}

int tt_word_index(const char *words, tt_str text)
{
    tt_str rest = tt_str_c(words);

    for (int i = 0; rest.p; i++)
        if (tt_str_eq(tt_str_cut(&rest, '|'), text))
            return i;
    return -1;
}

tt_str tt_word_at(const char *words, int index)
{
    tt_str rest = tt_str_c(words);

    while (index-- > 0)
        (void)tt_str_cut(&rest, '|');
    return tt_str_cut(&rest, '|');
}

/* Only these characters, besides letters, digits and '_'. */
static bool only(tt_str text, const char *others)
{
    for (size_t i = 0; i < text.n; i++)
        if (!is_word(text.p[i]) && (text.p[i] == '\0' || !strchr(others, text.p[i])))
            return false;
    return true;
}

static bool printable(tt_str text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == '\x7f')
            return false;
    return true;
}

static bool contains(tt_str text, const char *any)
{
    for (size_t i = 0; i < text.n; i++)
        if (strchr(any, text.p[i]))
            return true;
    return false;
}

static bool table_fits(tt_str text)
{
    tt_str rest = text, schema = tt_str_cut(&rest, '.');

    if (!only(text, "$.") || schema.n == 0 || schema.n >= TT_CONF_NAME_MAX)
        return false;
    return !rest.p || (rest.n > 0 && rest.n < TT_CONF_NAME_MAX && !memchr(rest.p, '.', rest.n));
}

bool tt_text_fits(tt_text_form form, tt_str text)
{
    if (text.n == 0)
        return true;
    switch (form) {
    case TT_FORM_ANY:
        return printable(text);
    case TT_FORM_NAME:
        return only(text, "-.:");
    case TT_FORM_TABLE:
        return table_fits(text);
    case TT_FORM_ZONE:
        return only(text, "+-:/");
    case TT_FORM_HOST:
        return only(text, "-.:%");
    case TT_FORM_SOCKET: /* a list of nodes as text has blanks, commas and stars between them */
        return text.p[0] == '/' && printable(text) && !contains(text, " ,*");
    case TT_FORM_ENV:
        return only(text, "") && !is_digit(text.p[0]);
    }
    return false;
}

bool tt_class_name_fits(tt_str name)
{
    return name.n > 0 && name.n < TT_CONF_CLASS_MAX && only(name, "-");
}

void tt_text_store(char *out, size_t size, tt_str text)
{
    size_t n = TT_MIN(text.n, size - 1);

    TT_ASSERT(text.n == n);
    if (n)
        memcpy(out, text.p, n);
    out[n] = '\0';
}
