/* Rules and mutants are tables in several places: here they are compared, so that none is
 * forgotten.
 */
#include "sim.h"

#include <stdlib.h>

#include "core/script.h"

static const elsewhere table[] = {
    {"LEASE_PER_CLIENT", NULL, "not needed for G: the stamp makes a late fill invalid"},
    {"LEASE_OWN", NULL, "not needed for G: the stamp makes a late fill invalid"},
    {"TERM_IN_TOKEN", NULL, "not needed for G: a number that was kept is never issued again"},
    {"BARRIER_OF_TERM", "unit/read_test.c", "a number that was kept is never issued again"},
    {"TERM_BARRIERS_UNITED", NULL,
     "not needed for G: a number that was kept is never issued again"},
    {"TERM_CLEARS_APPLIED", "unit/topology_test.c", "samples are renewed sooner"},
    {"KEY_BYTES", "unit/read_test.c", "no two keys collide"},
    {"MARK_SEEN", "unit/write_test.c", "a mark is lost between two commands too rarely"},
    {"LATER_PROTOCOL", "unit/read_test.c", "there is no later release"},
};

const elsewhere *elsewhere_all(int *n)
{
    *n = (int)TT_COUNT(table);
    return table;
}

const elsewhere *elsewhere_find(const char *rule)
{
    for (size_t i = 0; i < TT_COUNT(table); i++)
        if (strcmp(table[i].rule, rule) == 0)
            return &table[i];
    return NULL;
}

static bool is_word_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The name on its own, or behind the prefix of the enumeration. */
static bool has_word(tt_str text, const char *word)
{
    size_t n = strlen(word);

    while (text.n >= n) {
        const char *at = memmem(text.p, text.n, word, n);
        size_t before;

        if (!at)
            return false;
        before = (size_t)(at - text.p);
        if ((before == 0 || !is_word_char(at[-1]) ||
             (before >= 8 && memcmp(at - 8, "TT_RULE_", 8) == 0)) &&
            (before + n == text.n || !is_word_char(at[n])))
            return true;
        text.p = at + n;
        text.n -= before + n;
    }
    return false;
}

static bool file_has(const char *file, const char *word)
{
    static char bytes[1 << 18];
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", TT_TESTS_DIR, file);
    f = fopen(path, "r");
    if (!f)
        return false;
    n = fread(bytes, 1, sizeof(bytes), f);
    fclose(f);
    return has_word(tt_str_n(bytes, n), word);
}

static int complain(const char *name, const char *what)
{
    fprintf(stderr, "%s: %s\n", name, what);
    return 1;
}

static bool has_mutant(tt_rule rule)
{
    int n;
    const mutant *m = mutants(&n);

    for (int i = 0; i < n; i++)
        if (m[i].rules & TT_RULE_BIT(rule))
            return true;
    return false;
}

/* A mutant that takes out the very line of the marker. */
static bool has_cut(const char *marker)
{
    int n;
    const mutant *m = mutants(&n);

    for (int i = 0; i < n; i++)
        if (m[i].pattern && strstr(m[i].pattern, "-- rule ") &&
            has_word(tt_str_c(m[i].pattern), marker))
            return true;
    return false;
}

static const char *const rule_names[] = {
#define RULE_NAME_(name, text) #name,
    TT_RULES_TABLE(RULE_NAME_)
#undef RULE_NAME_
};

static int check_rules(void)
{
    int wrong = 0;

    for (int i = 0; i < TT_RULE_COUNT; i++)
        if (!has_mutant((tt_rule)i) && !elsewhere_find(rule_names[i]))
            wrong += complain(rule_names[i], "a rule without a mutant, and not said to be shown "
                                             "elsewhere (tables.c)");
    return wrong;
}

static int check_markers(void)
{
    tt_str text = tt_cache_script();
    int wrong = 0;

    while (text.n) {
        tt_str line = tt_str_cut(&text, '\n');
        const char *at = memmem(line.p, line.n, "-- rule ", 8);
        char name[64];

        if (!at)
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)(line.p + line.n - at - 8), at + 8);
        if (!has_cut(name) && !elsewhere_find(name))
            wrong += complain(name, "a rule of cache.lua that no mutant cuts out");
    }
    return wrong;
}

static int check_elsewhere(void)
{
    int wrong = 0;

    for (size_t i = 0; i < TT_COUNT(table); i++) {
        const char *file = table[i].file ? table[i].file : "sim/README.md";

        if (!file_has(file, table[i].rule)) {
            fprintf(stderr, "%s: ", file);
            wrong += complain(table[i].rule, "said to be shown or explained here, and is not");
        }
    }
    return wrong;
}

static int check_page(void)
{
    static const char page[] = "../docs/protocol.md";
    int n, wrong = 0;
    const mutant *m = mutants(&n);

    for (int i = 0; i < TT_RULE_COUNT; i++)
        if (!file_has(page, rule_names[i]))
            wrong += complain(rule_names[i], "a rule without a row in docs/protocol.md");
    for (int i = 0; i < n; i++)
        if (!file_has(page, m[i].name))
            wrong += complain(m[i].name, "a mutant without a row in docs/protocol.md");
    return wrong;
}

bool tables_complete(void)
{
    return check_rules() + check_markers() + check_elsewhere() + check_page() == 0;
}
