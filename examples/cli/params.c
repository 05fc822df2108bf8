#include "cli/cli.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char expected[] =
    "expected a number, 'null', or TYPE:VALUE with a type of s (text), i (integer), u (unsigned), "
    "d (decimal), f (double), x (hexadecimal bytes), date, datetime or time";

/* ---- numbers -----------------------------------------------------------------------------------
 */

/* Digits with at most one sign before and one point among them, written as SQL would write them:
 * 007 and +1 are not, they are more likely text. */
static bool is_number(const char *s, bool *has_point)
{
    size_t n;

    *has_point = false;
    s += *s == '-';
    n = strspn(s, "0123456789");
    if (n == 0 || (n > 1 && s[0] == '0'))
        return false;
    s += n;
    if (*s == '.') {
        *has_point = true;
        s++;
        n = strspn(s, "0123456789");
        if (n == 0)
            return false;
        s += n;
    }
    return *s == 0;
}

static bool take_integer(const char *s, bool or_unsigned, tt_value *out)
{
    char *end = NULL;
    long long i;

    errno = 0;
    i = strtoll(s, &end, 10);
    if (*s == 0 || *end != 0 || strspn(s, " \t\n") > 0)
        return false;
    if (errno == 0) {
        *out = tt_int(i);
        return true;
    }
    if (!or_unsigned || *s == '-')
        return false;
    errno = 0;
    *out = tt_uint(strtoull(s, &end, 10));
    return errno == 0;
}

static bool take_unsigned(const char *s, tt_value *out)
{
    char *end = NULL;

    errno = 0;
    if (strspn(s, "0123456789") == 0)
        return false;
    *out = tt_uint(strtoull(s, &end, 10));
    return errno == 0 && *end == 0;
}

static bool take_double(const char *s, tt_value *out)
{
    char *end = NULL;
    double d = strtod(s, &end);

    if (*s == 0 || *end != 0 || !isfinite(d))
        return false;
    *out = tt_double(d);
    return true;
}

static bool take_decimal(const char *s, tt_value *out)
{
    bool has_point;

    if (!is_number(s, &has_point))
        return false;
    *out = tt_decimal(s);
    return true;
}

/* ---- bytes and times ---------------------------------------------------------------------------
 */

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    int value = at ? (int)(at - digits) : -1;

    return value > 15 ? value - 6 : value;
}

static bool take_hex(const char *s, tt_value *out, char **owned)
{
    size_t n = strlen(s);

    if (n % 2)
        return false;
    *owned = malloc(n / 2 + 1);
    if (!*owned)
        return false;
    for (size_t i = 0; i < n / 2; i++) {
        int high = digit_of(s[2 * i]), low = digit_of(s[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        (*owned)[i] = (char)(high << 4 | low);
    }
    *out = tt_blob(*owned, n / 2);
    return true;
}

/* `digits` digits, at least one, and the character after them unless that is 0. */
static bool take_digits(const char **s, size_t digits, char after, unsigned *out)
{
    size_t n = 0;

    *out = 0;
    while (n < digits && (*s)[n] >= '0' && (*s)[n] <= '9')
        *out = *out * 10 + (unsigned)((*s)[n++] - '0');
    *s += n;
    if (n == 0 || (after && **s != after))
        return false;
    *s += after != 0;
    return true;
}

static bool take_day(const char **s, tt_time *t, char after)
{
    unsigned year, month, day;

    if (!take_digits(s, 4, '-', &year) || !take_digits(s, 2, '-', &month) ||
        !take_digits(s, 2, after, &day) || month > 12 || day > 31)
        return false;
    t->year = (uint16_t)year;
    t->month = (uint8_t)month;
    t->day = (uint8_t)day;
    return true;
}

static bool take_clock(const char **s, tt_time *t)
{
    unsigned minutes, seconds = 0, micros = 0;
    const char *fraction;

    if (!take_digits(s, 3, ':', &t->hours) || !take_digits(s, 2, 0, &minutes))
        return false;
    if (**s == ':') {
        (*s)++;
        if (!take_digits(s, 2, 0, &seconds))
            return false;
    }
    if (**s == '.') {
        fraction = ++*s;
        if (!take_digits(s, 6, 0, &micros))
            return false;
        for (size_t n = (size_t)(*s - fraction); n < 6; n++)
            micros *= 10;
    }
    t->minutes = (uint8_t)minutes;
    t->seconds = (uint8_t)seconds;
    t->micros = micros;
    return minutes < 60 && seconds < 60;
}

static bool take_time(const char *s, tt_type type, tt_value *out)
{
    tt_time t;

    memset(&t, 0, sizeof(t));
    if (type == TT_TYPE_TIME) {
        t.negative = *s == '-';
        s += t.negative;
    } else if (!take_day(&s, &t, 0)) {
        return false;
    } else if (type == TT_TYPE_DATETIME && *s != ' ' && *s != 'T') {
        return false;
    }
    if (type == TT_TYPE_DATETIME)
        s++;
    if (type != TT_TYPE_DATE && !take_clock(&s, &t))
        return false;
    if (type == TT_TYPE_DATETIME && t.hours > 23)
        return false;
    *out = tt_time_of(type, t);
    return *s == 0;
}

/* ---- all ---------------------------------------------------------------------------------------
 */

/* 1: taken, 0: not well formed, -1: no type of this name. */
static int take_typed(const char *type, size_t n, const char *value, tt_value *out, char **owned)
{
#define IS(name) (n == sizeof(name) - 1 && memcmp(type, name, n) == 0)
    if (IS("s")) {
        *out = tt_text(value);
        return 1;
    }
    if (IS("i"))
        return take_integer(value, false, out);
    if (IS("u"))
        return take_unsigned(value, out);
    if (IS("d"))
        return take_decimal(value, out);
    if (IS("f"))
        return take_double(value, out);
    if (IS("x"))
        return take_hex(value, out, owned);
    if (IS("date"))
        return take_time(value, TT_TYPE_DATE, out);
    if (IS("datetime"))
        return take_time(value, TT_TYPE_DATETIME, out);
    if (IS("time"))
        return take_time(value, TT_TYPE_TIME, out);
    return -1;
#undef IS
}

int cli_param(const cli *c, const char *text, tt_value *out, char **owned)
{
    const char *colon = strchr(text, ':');
    bool has_point;
    int taken;

    *owned = NULL;
    if (strcmp(text, "null") == 0 || strcmp(text, "NULL") == 0) {
        *out = tt_null();
        return 0;
    }
    if (is_number(text, &has_point)) {
        if (!has_point && take_integer(text, true, out))
            return 0;
        *out = tt_decimal(text);
        return 0;
    }
    taken = colon ? take_typed(text, (size_t)(colon - text), colon + 1, out, owned) : -1;
    if (taken == 1)
        return 0;
    free(*owned);
    *owned = NULL;
    if (taken == 0)
        return cli_usage(c, "--param '%s': the value is not one of its type", text);
    return cli_usage(c, "--param '%s': %s; for this text write 's:%s'", text, expected, text);
}

int cli_duration_ms(const char *text)
{
    static const struct {
        const char *unit;
        long ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end = NULL;
    long n = strtol(text, &end, 10);

    if (end == text || n < 0 || n > TT_TIMEOUT_MS_MAX || text[0] < '0' || text[0] > '9')
        return -1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0 && n <= TT_TIMEOUT_MS_MAX / units[i].ms)
            return (int)(n * units[i].ms);
    return -1;
}
