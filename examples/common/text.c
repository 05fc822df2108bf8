#include "common/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

typedef struct range {
    long first, last;
} range;

/* The blocks that matter for names and sentences, not all of Unicode's tables. */
static const range zero_wide[] = {
    {0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},   {0x64b, 0x65f},
    {0x93c, 0x93c},   {0x941, 0x948},   {0x94d, 0x94d},   {0xe31, 0xe31},   {0xe34, 0xe3a},
    {0xe47, 0xe4e},   {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e},
    {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}};
static const range two_wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
    {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};

static bool is_in(long code, const range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

size_t ex_next(const char *s, size_t n, long *code)
{
    static const unsigned char lead[] = {0, 0, 0x1f, 0x0f, 0x07};
    static const long least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char c = (unsigned char)s[0];
    size_t length = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
    long value;

    *code = c;
    if (length == 1)
        return 1;
    *code = -1;
    if (length == 0 || length > n || c >= 0xf8)
        return 1;
    value = c & lead[length];
    for (size_t i = 1; i < length; i++) {
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 1;
        value = value << 6 | ((unsigned char)s[i] & 0x3f);
    }
    if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 1;
    *code = value;
    return length;
}

size_t ex_width(const char *s, size_t n)
{
    size_t width = 0;
    long code;

    for (size_t i = 0; i < n;) {
        i += ex_next(s + i, n - i, &code);
        if (is_in(code, two_wide, sizeof(two_wide) / sizeof(two_wide[0])))
            width += 2;
        else if (!is_in(code, zero_wide, sizeof(zero_wide) / sizeof(zero_wide[0])))
            width++;
    }
    return width;
}

static void put_blanks(FILE *f, size_t n)
{
    while (n-- > 0)
        fputc(' ', f);
}

void ex_put_left(FILE *f, const char *s, size_t n, size_t width)
{
    size_t taken = ex_width(s, n);

    fwrite(s, 1, n, f);
    put_blanks(f, taken < width ? width - taken : 0);
}

void ex_put_right(FILE *f, const char *s, size_t n, size_t width)
{
    size_t taken = ex_width(s, n);

    put_blanks(f, taken < width ? width - taken : 0);
    fwrite(s, 1, n, f);
}

void ex_style_init(ex_style *style, FILE *f)
{
    static const ex_style none = {"", "", "", "", ""};
    static const ex_style some = {"\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[0m"};
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    bool wanted = isatty(fileno(f)) && !(no_color && no_color[0]) && term && strcmp(term, "dumb");

    *style = wanted ? some : none;
}

bool ex_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        const char *charset = value && value[0] ? strchr(value, '.') : NULL;

        if (value && value[0])
            return charset &&
                   (!strncasecmp(charset, ".utf-8", 6) || !strncasecmp(charset, ".utf8", 5));
    }
    return false;
}
