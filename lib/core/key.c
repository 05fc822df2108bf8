#include "core/key.h"

#include <stdio.h>

#include "base/err.h"

/* ---- the key of a read ---- */

static bool put_counted(tt_buf *out, tt_str bytes)
{
    if (bytes.n > UINT32_MAX)
        return false;
    tt_buf_put_le32(out, (uint32_t)bytes.n);
    tt_buf_put_str(out, bytes);
    return true;
}

static bool put_values(tt_buf *out, const tt_key_value *values, size_t n)
{
    if (n > UINT32_MAX)
        return false;
    tt_buf_put_le32(out, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        TT_ASSERT(values[i].kind != TT_KEY_NULL || values[i].bytes.n == 0);
        tt_buf_put_char(out, (char)values[i].kind);
        if (!put_counted(out, values[i].bytes))
            return false;
    }
    return true;
}

int tt_key_write(const tt_key_parts *parts, tt_buf *out)
{
    size_t start = out->n;
    bool fits;

    tt_buf_put_char(out, TT_KEY_FORMAT);
    fits = put_counted(out, parts->name_space) && put_counted(out, parts->schema) &&
           put_counted(out, parts->settings) && put_counted(out, parts->normal) &&
           put_values(out, parts->values, parts->n_values);
    if (out->failed)
        return TT_E_NOMEM;
    if (!fits)
        out->n = start;
    return fits ? 0 : TT_E_LIMIT;
}

/* ---- key texts ---- */

static void put_hash(tt_buf *out, tt_hash128 hash)
{
    char text[32];

    for (int i = 0; i < 16; i++) {
        text[i] = "0123456789abcdef"[hash.hi >> (60 - 4 * i) & 15];
        text[i + 16] = "0123456789abcdef"[hash.lo >> (60 - 4 * i) & 15];
    }
    tt_buf_put(out, text, sizeof(text));
}

void tt_key_put_entry(tt_str name_space, tt_hash128 hash, tt_buf *out)
{
    tt_buf_put_str(out, name_space);
    tt_buf_puts(out, ":e:");
    put_hash(out, hash);
}

void tt_key_put_tag(tt_str name_space, tt_str tag, tt_buf *out)
{
    tt_buf_put_str(out, name_space);
    tt_buf_puts(out, ":t:");
    tt_buf_put_str(out, tag);
}

void tt_key_term(const char *name_space, char out[TT_KEY_TERM_MAX])
{
    (void)snprintf(out, TT_KEY_TERM_MAX, "%s:term", name_space);
}

/* ---- names ---- */

bool tt_namespace_valid(tt_str name_space)
{
    if (name_space.n == 0 || name_space.n > TT_KEY_NAMESPACE_MAX)
        return false;
    for (size_t i = 0; i < name_space.n; i++) {
        char c = name_space.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '.' || c == '-'))
            return false;
    }
    return true;
}

static bool tag_byte(char c)
{
    return (unsigned char)c > ' ' && c != 0x7f;
}

bool tt_tag_valid(tt_str tag)
{
    if (tag.n == 0 || tag.n > TT_KEY_TAG_MAX)
        return false;
    for (size_t i = 0; i < tag.n; i++)
        if (!tag_byte(tag.p[i]))
            return false;
    return true;
}

/* ---- patterns ---- */

#define CUT_BYTES (TT_KEY_TAG_MAX - 33) /* '~' and 32 hex digits follow */

static int bad_pattern(tt_str pattern, tt_error *err, const char *what)
{
    return tt_fail(err, TT_E_ARGUMENT, "tag pattern \"%.*s\": %s",
                   (int)TT_MIN(pattern.n, TT_KEY_TAG_MAX), pattern.n ? pattern.p : "", what);
}

/* One piece of a pattern: a literal byte, or the number of a value (value > 0). */
struct piece {
    char literal;
    uint64_t value;
};

/* Take the next piece off `rest`, which is not empty; NULL, or what is wrong with it. */
static const char *next_piece(tt_str *rest, size_t n_values, struct piece *out)
{
    tt_str digits;

    *out = (struct piece){rest->p[0], 0};
    *rest = (tt_str){rest->p + 1, rest->n - 1};
    if (out->literal != '{')
        return tag_byte(out->literal) ? NULL : "a tag has no blanks and no control characters";
    if (rest->n && rest->p[0] == '{') {
        *rest = (tt_str){rest->p + 1, rest->n - 1};
        return NULL;
    }
    digits = tt_str_cut(rest, '}');
    if (!rest->p)
        return "a brace is not closed ({{ stands for a brace)";
    if (!tt_str_u64(digits, &out->value) || digits.p[0] == '0')
        return "between braces is the number of a bound value, from 1";
    return out->value > n_values ? "it names a value that the statement does not have" : NULL;
}

int tt_tag_check(tt_str pattern, size_t n_values, tt_error *err)
{
    tt_str rest = pattern;

    if (pattern.n == 0 || pattern.n > TT_KEY_TAG_MAX)
        return bad_pattern(pattern, err, "it has to be of 1 to 200 bytes");
    while (rest.n > 0) {
        struct piece piece;
        const char *what = next_piece(&rest, n_values, &piece);

        if (what)
            return bad_pattern(pattern, err, what);
    }
    return 0;
}

/* How many bytes from the start on stand for themselves in a tag. */
static size_t plain_run(tt_str text)
{
    size_t n = 0;

    while (n < text.n && tag_byte(text.p[n]))
        n++;
    return n;
}

static tt_str after(tt_str text, size_t n)
{
    return (tt_str){text.p + n, text.n - n};
}

static size_t escape(unsigned char c, char *out)
{
    out[0] = '%';
    out[1] = "0123456789ABCDEF"[c >> 4];
    out[2] = "0123456789ABCDEF"[c & 15];
    return 3;
}

static void put_value(tt_buf *out, const tt_key_value *value)
{
    tt_str text = value->kind == TT_KEY_NULL ? TT_STR("NULL") : value->bytes;

    while (text.n > 0) {
        size_t n = plain_run(text);
        char escaped[3];

        tt_buf_put(out, text.p, n);
        text = after(text, n);
        if (text.n > 0) {
            tt_buf_put(out, escaped, escape((unsigned char)text.p[0], escaped));
            text = after(text, 1);
        }
    }
}

/* Literal bytes up to the next brace: most of most patterns. */
static void put_literals(tt_buf *out, tt_str *rest)
{
    const char *brace = memchr(rest->p, '{', rest->n);
    size_t n = plain_run(tt_str_n(rest->p, brace ? (size_t)(brace - rest->p) : rest->n));

    tt_buf_put(out, rest->p, n);
    *rest = after(*rest, n);
}

/* A tag that has grown too long: its beginning, for people, and the hash of all of it. */
static void shorten(tt_buf *out, size_t start)
{
    tt_hash128 hash = tt_hash((tt_str){out->p + start, out->n - start});

    out->n = start + CUT_BYTES;
    tt_buf_put_char(out, '~');
    put_hash(out, hash);
}

/* ---- tables ---- */

size_t tt_tag_name(tt_str name, char *out, size_t room)
{
    size_t n = 0;

    for (size_t i = 0; i < name.n && n + 3 <= room; i++) {
        char c = name.p[i];

        if (!tag_byte(c) || c == '.' || c == '%')
            n += escape((unsigned char)c, out + n);
        else
            out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return n;
}

static const char of_tables[] = "table:";

bool tt_tag_is_relative(tt_str tag)
{
    return tag.n >= sizeof(of_tables) && tt_str_has_prefix(tag, tt_str_c(of_tables)) &&
           !memchr(tag.p, '.', tag.n);
}

void tt_tag_resolve(tt_str tag, tt_str schema, tt_buf *out)
{
    size_t start = out->n, prefix = sizeof(of_tables) - 1;

    TT_ASSERT(tt_tag_is_relative(tag));
    tt_buf_puts(out, of_tables);
    tt_buf_put_str(out, schema);
    tt_buf_put_char(out, '.');
    tt_buf_put_str(out, tt_str_n(tag.p + prefix, tag.n - prefix));
    if (!out->failed && out->n - start > TT_KEY_TAG_MAX)
        shorten(out, start);
}

int tt_tag_expand(tt_str pattern, const tt_key_value *values, size_t n_values, tt_buf *out,
                  tt_error *err)
{
    size_t start = out->n;
    tt_str rest = pattern;

    if (pattern.n == 0 || pattern.n > TT_KEY_TAG_MAX)
        return tt_tag_check(pattern, n_values, err);
    for (put_literals(out, &rest); rest.n > 0; put_literals(out, &rest)) {
        struct piece piece;
        const char *what = next_piece(&rest, n_values, &piece);

        if (what) {
            out->n = start;
            return bad_pattern(pattern, err, what);
        }
        if (piece.value > 0)
            put_value(out, &values[piece.value - 1]);
        else
            tt_buf_put_char(out, piece.literal);
    }
    if (!out->failed && out->n - start > TT_KEY_TAG_MAX)
        shorten(out, start);
    if (out->failed)
        return tt_fail_nomem(err);
    if (out->n == start)
        return bad_pattern(pattern, err, "the tag is empty, as are its values");
    TT_ASSERT(tt_tag_valid((tt_str){out->p + start, out->n - start}));
    return 0;
}
