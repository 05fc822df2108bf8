/* A key that is not known: which one was meant? */
#include <stdio.h>

#include "base/err.h"
#include "core/config_value.h"

/* Levenshtein's distance, one row at a time. Both shorter than TT_CONF_PATH_MAX.
 * Source: Wagner, Fischer, "The String-to-String Correction Problem", J. ACM 21 (1974). */
static size_t distance(tt_str a, tt_str b)
{
    size_t row[TT_CONF_PATH_MAX];

    TT_ASSERT(a.n < TT_CONF_PATH_MAX && b.n < TT_CONF_PATH_MAX);
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t replace = diagonal + (a.p[i - 1] != b.p[j - 1]);

            diagonal = row[j];
            row[j] = TT_MIN(replace, TT_MIN(row[j], row[j - 1]) + 1);
        }
    }
    return row[b.n];
}

/* "pool.max" means "database.pool.max": the known path with its sections left out. */
static bool is_tail(tt_str known, tt_str path)
{
    return path.n && known.n > path.n && known.p[known.n - path.n - 1] == '.' &&
           tt_str_eq(tt_str_n(known.p + known.n - path.n, path.n), path);
}

struct guess {
    tt_str best;
    size_t distance;
};

static void consider(struct guess *guess, tt_str known, tt_str path)
{
    size_t d = is_tail(known, path) ? 1 : distance(known, path);

    if (d < guess->distance)
        *guess = (struct guess){known, d};
}

/* The nearest key or section, empty when none is near. */
static tt_str nearest(tt_str path)
{
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);
    struct guess guess = {{NULL, 0}, 1 + TT_MAX(path.n / 4, 2)};

    for (size_t i = 0; i < n; i++) {
        const char *known = keys[i].path;

        if (strchr(known, '*'))
            continue;
        for (const char *dot = strchr(known, '.'); dot; dot = strchr(dot + 1, '.'))
            consider(&guess, tt_str_n(known, (size_t)(dot - known)), path);
        consider(&guess, tt_str_c(known), path);
    }
    return guess.best;
}

/* Indices are left out for the comparison: "a[12].b" as "a[].b". */
static tt_str plain(const char *path, char out[TT_CONF_PATH_MAX])
{
    size_t n = 0;
    bool inside = false;

    for (; *path && n + 1 < TT_CONF_PATH_MAX; path++) {
        inside = inside && *path != ']';
        if (!inside)
            out[n++] = *path;
        inside = inside || *path == '[';
    }
    return tt_str_n(out, n);
}

static bool ends_with(tt_str s, tt_str end)
{
    return s.n >= end.n && tt_str_eq(tt_str_n(s.p + s.n - end.n, end.n), end);
}

int tt_settings_unknown(const char *path, tt_error *err)
{
    char copy[TT_CONF_PATH_MAX];
    tt_str given = plain(path, copy);
    tt_str near = nearest(given);

    for (size_t i = 0; i < given.n; i++)
        if ((unsigned char)copy[i] < ' ' || copy[i] == '\x7f')
            copy[i] = '?';
    if (tt_str_has_prefix(given, TT_STR("cache.classes.")))
        return tt_fail(err, TT_E_CONFIG,
                       "%.*s: the name of a class has 1 to %d letters, digits, '_' and '-'",
                       (int)given.n, given.p, TT_CONF_CLASS_MAX - 1);
    if (ends_with(given, TT_STR("password")))
        return tt_fail(err, TT_E_CONFIG,
                       "unknown key \"%.*s\": a password does not belong in the configuration; "
                       "name where it is in password_env or password_file",
                       (int)given.n, given.p);
    if (near.n && tt_str_eq(near, given))
        return tt_fail(err, TT_E_CONFIG, "\"%s\" is %s", path,
                       strchr(path, '[') ? "an element of a list; expected a number in the "
                                           "brackets, and a key after them"
                                         : "a section; expected one of the keys below it");
    if (near.n)
        return tt_fail(err, TT_E_CONFIG, "unknown key \"%.*s\"; did you mean \"%.*s\"?",
                       (int)given.n, given.p, (int)near.n, near.p);
    return tt_fail(err, TT_E_CONFIG, "unknown key \"%.*s\"", (int)given.n, given.p);
}
