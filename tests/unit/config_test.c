#include "unit/suite.h"

#include "unit/config_support.h"

/* The path of a table row, with an element in place of "[]" and "*". */
static const char *concrete(const char *path)
{
    static char out[TT_CONF_PATH_MAX];
    const char *at = strpbrk(path, "]*");

    if (!at)
        return path;
    (void)snprintf(out, sizeof(out), "%.*s%s%s", (int)(at - path), path, *at == '*' ? "user" : "0]",
                   at + 1);
    return out;
}

/* --- values --------------------------------------------------------------------------------- */

struct number_row {
    const char *text;
    bool ok;
    int64_t value;
    const char *back; /* NULL: the same text */
};

static const struct number_row duration_rows[] = {
    {"0", true, 0, NULL},
    {"0ms", true, 0, "0"},
    {"250ms", true, 250, NULL},
    {"1s", true, 1000, NULL},
    {"90s", true, 90000, NULL},
    {"60s", true, 60000, "1m"},
    {"30m", true, 1800000, NULL},
    {"24h", true, 86400000, "1d"},
    {"7d", true, 604800000, NULL},
    {"106751991167d", true, 9223372036828800000, NULL},
    {"106751991168d", false, 0, NULL},
    {"9223372036854775808ms", false, 0, NULL},
    {"", false, 0, NULL},
    {"5", false, 0, NULL},
    {"ms", false, 0, NULL},
    {"-1s", false, 0, NULL},
    {"1.5s", false, 0, NULL},
    {"1 s", false, 0, NULL},
    {" 1s", false, 0, NULL},
    {"1S", false, 0, NULL},
    {"010s", false, 0, NULL},
    {"1w", false, 0, NULL},
    {"1mss", false, 0, NULL}};

static const struct number_row size_rows[] = {{"0", true, 0, NULL},
                                              {"4096", true, 4096, "4KiB"},
                                              {"4097", true, 4097, NULL},
                                              {"512KiB", true, 524288, NULL},
                                              {"64MiB", true, 67108864, NULL},
                                              {"1GiB", true, 1073741824, NULL},
                                              {"8589934591GiB", true, 9223372035781033984, NULL},
                                              {"8589934592GiB", false, 0, NULL},
                                              {"64MB", false, 0, NULL},
                                              {"64 MiB", false, 0, NULL},
                                              {"64M", false, 0, NULL},
                                              {"MiB", false, 0, NULL},
                                              {"-1", false, 0, NULL},
                                              {"0x10", false, 0, NULL},
                                              {"", false, 0, NULL}};

static void check_number(const struct number_row *row, bool ok, int64_t v, struct tt_short back)
{
    ck_assert_msg(ok == row->ok, "%s", row->text);
    if (!ok)
        return;
    ck_assert_int_eq(v, row->value);
    ck_assert_str_eq(back.c, row->back ? row->back : row->text);
}

START_TEST(durations)
{
    const struct number_row *row = &duration_rows[_i];
    int64_t v = 0;
    bool ok = tt_duration_parse(tt_str_c(row->text), &v);

    check_number(row, ok, v, tt_duration_text(v));
}
END_TEST

START_TEST(sizes)
{
    const struct number_row *row = &size_rows[_i];
    int64_t v = 0;
    bool ok = tt_size_parse(tt_str_c(row->text), &v);

    check_number(row, ok, v, tt_size_text(v));
}
END_TEST

/* --- the table ------------------------------------------------------------------------------ */

START_TEST(the_table_is_in_order)
{
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);

    for (size_t i = 0; i < n; i++) {
        const struct tt_key *key = &keys[i];

        ck_assert_uint_lt(strlen(key->path), TT_CONF_PATH_MAX);
        ck_assert_msg(key->help && strlen(key->help) > 8, "%s", key->path);
        ck_assert_msg(key->min <= key->max, "%s", key->path);
        ck_assert_uint_lt(strlen(tt_key_expects(key).c), sizeof(struct tt_phrase) - 1);
        ck_assert_int_eq(key->type == TT_SETTING_ENUM, key->words != NULL);
        ck_assert_int_ne(tt_settings_kind(concrete(key->path)), TT_PATH_UNKNOWN);
        if (strpbrk(key->path, "[*"))
            ck_assert_int_eq(tt_settings_kind(key->path), TT_PATH_UNKNOWN);
        for (size_t j = 0; j < i; j++)
            ck_assert_str_ne(key->path, keys[j].path);
    }
}
END_TEST

START_TEST(defaults_are_those_of_the_table)
{
    struct tt_settings s = fresh();
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);

    for (size_t i = 0; i < n; i++)
        if (tt_setting_value(&keys[i], &s))
            ck_assert_str_eq(get(&s, keys[i].path), tt_key_preset(&keys[i]).c);
    ck_assert_int_eq(s.database.primary.port, 3306);
    ck_assert_int_eq(s.database.pool.max, 16);
    ck_assert_int_eq(s.database.pool.wait_timeout_ms, 250);
    ck_assert_int_eq(s.cache.local.max_bytes, 64 << 20);
    ck_assert_int_eq(s.cache.local.mode, TT_CONF_LOCAL_OFF);
    ck_assert_str_eq(s.cache.name_space, "twotier");
    ck_assert_str_eq(s.database.charset, "utf8mb4");
    ck_assert_int_eq(s.database.replicas.n, 0);
}
END_TEST

static void refused(struct tt_settings *s, const struct tt_key *key, const char *text)
{
    struct tt_settings before = *s;
    const char *path = concrete(key->path);
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(set(s, path, text, &e) == TT_E_CONFIG, "%s takes \"%s\"", path, text);
    ck_assert_int_eq(e.code, TT_E_CONFIG);
    ck_assert_msg(strstr(e.message, path) == e.message, "%s", e.message);
    ck_assert_ptr_nonnull(strstr(e.message, ": expected "));
    if (key->type != TT_SETTING_URL)
        ck_assert_msg(strstr(e.message, tt_key_expects(key).c) != NULL, "%s", e.message);
    ck_assert_int_eq(tt_settings_diff(&before, s, NULL), 0);
    ck_assert_int_eq(before.database.replicas.n, s->database.replicas.n);
}

static void taken(struct tt_settings *s, const struct tt_key *key, const char *text)
{
    const char *path = concrete(key->path);
    char *back;

    must_set(s, path, text);
    back = strdup(get(s, path));
    must_set(s, path, back);
    ck_assert_str_eq(get(s, path), back);
    free(back);
}

static void walk_number(struct tt_settings *s, const struct tt_key *key)
{
    taken(s, key, number_text(key, key->min));
    taken(s, key, number_text(key, key->max));
    if (key->preset >= 0)
        taken(s, key, number_text(key, key->preset));
    refused(s, key, number_text(key, key->max + 1));
    if (key->min > 0)
        refused(s, key, number_text(key, key->min - 1));
    refused(s, key, "-1");
    refused(s, key, "many");
    refused(s, key, "");
    refused(s, key, "99999999999999999999");
}

static void walk_enum(struct tt_settings *s, const struct tt_key *key)
{
    tt_str words = tt_str_c(key->words);

    while (words.p) {
        tt_str word = tt_str_cut(&words, '|');

        ck_assert_int_eq(tt_settings_set(s, key->path, word, NULL), 0);
        ck_assert(tt_str_eq(tt_str_c(get(s, key->path)), word));
    }
    refused(s, key, "");
    refused(s, key, "OFF");
    refused(s, key, key->words);
}

static void walk_text(struct tt_settings *s, const struct tt_key *key)
{
    size_t max = (size_t)key->max;

    /* schema.table: its two names have one byte less than the room for both */
    taken(s, key, long_text(key, key->form == TT_FORM_TABLE ? max - 1 : max));
    taken(s, key, long_text(key, (size_t)key->min));
    refused(s, key, long_text(key, max + 1));
    refused(s, key, "line\nbreak");
    if (key->form != TT_FORM_ANY)
        refused(s, key, "two words");
    if (key->min)
        refused(s, key, "");
}

START_TEST(every_key_at_its_bounds)
{
    struct tt_settings s = fresh();
    size_t n;
    const struct tt_key *key = &tt_settings_keys(&n)[_i];

    must_set(&s, "database.replicas", "10.0.0.2");
    switch (key->type) {
    case TT_SETTING_INTEGER:
    case TT_SETTING_DURATION:
    case TT_SETTING_SIZE:
        walk_number(&s, key);
        break;
    case TT_SETTING_ENUM:
        walk_enum(&s, key);
        break;
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
        walk_text(&s, key);
        break;
    case TT_SETTING_URL:
        taken(&s, key, "redis://a:1/2");
        taken(&s, key, "");
        refused(&s, key, "a:1");
        break;
    case TT_SETTING_NODES:
        taken(&s, key, "a:1, [::1]:2*3, /run/db.sock*4");
        taken(&s, key, "");
        refused(&s, key, "a,,b");
        break;
    case TT_SETTING_CLASSES:
        taken(&s, key, "a=1s, b=2d");
        taken(&s, key, "");
        refused(&s, key, "a=1");
        break;
    }
}
END_TEST

/* --- messages ------------------------------------------------------------------------------- */

static const struct {
    const char *path, *text, *message;
} bad_rows[] = {
    {"database.pool.max", "many",
     "database.pool.max: expected an integer from 1 to 1000; got \"many\""},
    {"database.pool.max", "1001",
     "database.pool.max: expected an integer from 1 to 1000; got \"1001\""},
    {"database.pool.wait_timeout", "5",
     "database.pool.wait_timeout: expected a duration from 0 to 1m, such as 250ms, 1s, 30m, 24h or "
     "7d; got \"5\""},
    {"cache.local.max_bytes", "64MB",
     "cache.local.max_bytes: expected a size from 1MiB to 64GiB, such as 4096, 512KiB, 64MiB or "
     "1GiB; got \"64MB\""},
    {"cache.local.mode", "on",
     "cache.local.mode: expected one of off|validate|bounded; got \"on\""},
    {"database.pool.maxx", "1",
     "unknown key \"database.pool.maxx\"; did you mean \"database.pool.max\"?"},
    {"pool.max", "1", "unknown key \"pool.max\"; did you mean \"database.pool.max\"?"},
    {"databse", "1", "unknown key \"databse\"; did you mean \"database\"?"},
    {"database.replicas[3].prt", "1",
     "unknown key \"database.replicas[].prt\"; did you mean \"database.replicas[].port\"?"},
    {"database.replicas[].host", "a",
     "\"database.replicas[].host\" is an element of a list; expected a number in the brackets, and "
     "a "
     "key after them"},
    {"colour", "red", "unknown key \"colour\""},
    {"", "1", "unknown key \"\""},
    {"database", "1", "\"database\" is a section; expected one of the keys below it"},
    {"database.password", "hunter2",
     "unknown key \"database.password\": a password does not belong in the configuration; name "
     "where it is in password_env or password_file"},
    {"database.password_env", "hunter 2",
     "database.password_env: expected the name of an environment variable (letters, digits, '_'), "
     "at most 64 bytes; the value is not shown"},
    {"cache.redis", "redis://:hunter2@h/0",
     "cache.redis: a password does not belong in the URL; name where it is in cache.password_env "
     "or cache.password_file; the value is not shown"},
    {"cache.redis", "http://hunter2",
     "cache.redis: expected a URL such as redis://10.0.0.9:6379/0; the value is not shown"},
    {"cache.classes.a b", "1s",
     "cache.classes.a b: the name of a class has 1 to 32 letters, digits, '_' and '-'"},
    {"cache.classes.user", "soon",
     "cache.classes.user: expected a duration from 1ms to 30d, such as 250ms, 1s, 30m, 24h or 7d; "
     "got \"soon\""},
    {"database.replicas[1].host", "a",
     "database.replicas[1].host: expected no gap; the next replica is number 0"},
    {"database.replicas[32].host", "a", "database.replicas[32].host: at most 32 replicas"},
    {"database.replicas", "a:0",
     "database.replicas: expected a list of at most 32 servers, such as 10.0.0.2, "
     "10.0.0.3:3307*2; got \"a:0\""},
    {"database.charset", "utf8'; --",
     "database.charset: expected letters, digits, '_', '-', '.' and ':', at least 1 and at most 64 "
     "bytes; got \"utf8'; --\""},
    {"database.family", "0123456789012345678901234567890123456789012345678901234567890123456789\n",
     "database.family: expected one of auto|mariadb|mysql; got "
     "\"012345678901234567890123456789012345678901234567890123456789...\""}};

START_TEST(messages_say_what_was_expected_and_what_came)
{
    struct tt_settings s = fresh();
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(set(&s, bad_rows[_i].path, bad_rows[_i].text, &e), TT_E_CONFIG);
    ck_assert_str_eq(e.message, bad_rows[_i].message);
}
END_TEST

START_TEST(long_and_odd_paths_are_unknown)
{
    struct tt_settings s = fresh();
    char path[400];
    tt_error e = TT_ERROR_INIT;

    for (size_t n = 80; n < sizeof(path); n += 7) {
        memset(path, n % 2 ? '[' : 'x', n);
        path[n] = '\0';
        ck_assert_int_eq(set(&s, path, "1", &e), TT_E_CONFIG);
        ck_assert_int_eq(tt_settings_kind(path), TT_PATH_UNKNOWN);
    }
    ck_assert_int_eq(set(&s, "database.replicas[99999999999999999999].host", "a", &e), TT_E_CONFIG);
    ck_assert_int_eq(set(&s, "database.replicas]0[.host", "a", &e), TT_E_CONFIG);
    ck_assert_int_eq(set(&s, "database.replicas[0][0].host", "a", &e), TT_E_CONFIG);
    ck_assert_int_eq(set(&s, "\x01\x7f", "a", &e), TT_E_CONFIG);
    ck_assert_str_eq(e.message, "unknown key \"??\"");
}
END_TEST

START_TEST(kinds_of_paths)
{
    ck_assert_int_eq(tt_settings_kind("database"), TT_PATH_SECTION);
    ck_assert_int_eq(tt_settings_kind("database.pool"), TT_PATH_SECTION);
    ck_assert_int_eq(tt_settings_kind("database.po"), TT_PATH_UNKNOWN);
    ck_assert_int_eq(tt_settings_kind("database.pool.max"), TT_PATH_VALUE);
    ck_assert_int_eq(tt_settings_kind("database.pool.max.x"), TT_PATH_UNKNOWN);
    ck_assert_int_eq(tt_settings_kind("database.replicas"), TT_PATH_LIST);
    ck_assert_int_eq(tt_settings_kind("database.replicas[4]"), TT_PATH_SECTION);
    ck_assert_int_eq(tt_settings_kind("database.replicas[4].port"), TT_PATH_VALUE);
    ck_assert_int_eq(tt_settings_kind("database.replicas[x].port"), TT_PATH_UNKNOWN);
    ck_assert_int_eq(tt_settings_kind("database.pool[0]"), TT_PATH_UNKNOWN);
    ck_assert_int_eq(tt_settings_kind("cache.classes"), TT_PATH_MAP);
    ck_assert_int_eq(tt_settings_kind("cache.classes.any"), TT_PATH_VALUE);
    ck_assert_int_eq(tt_settings_kind("cache.classes."), TT_PATH_UNKNOWN);
    ck_assert_int_eq(tt_settings_kind(""), TT_PATH_UNKNOWN);
}
END_TEST

/* --- lists, maps, addresses ----------------------------------------------------------------- */

START_TEST(replicas_one_by_one)
{
    struct tt_settings s = fresh();

    must_set(&s, "database.replicas[0].host", "10.0.0.2");
    must_set(&s, "database.replicas[1].socket", "/run/db.sock");
    must_set(&s, "database.replicas[1].weight", "2");
    must_set(&s, "database.replicas[0].port", "3307");
    must_set(&s, "database.replicas[2].host", "::1");
    ck_assert_int_eq(s.database.replicas.n, 3);
    ck_assert_str_eq(get(&s, "database.replicas"), "10.0.0.2:3307, /run/db.sock*2, [::1]:3306");
    ck_assert_str_eq(get(&s, "database.replicas[1].weight"), "2");
    /* a bad first field leaves no half of a replica */
    ck_assert_int_eq(set(&s, "database.replicas[3].port", "0", NULL), TT_E_CONFIG);
    ck_assert_int_eq(s.database.replicas.n, 3);
    must_set(&s, "database.replicas[3].weight", "7");
    ck_assert_str_eq(s.database.replicas.v[3].host, "");
    ck_assert_int_eq(s.database.replicas.v[3].port, 3306);
    must_set(&s, "database.replicas", "");
    ck_assert_int_eq(s.database.replicas.n, 0);
}
END_TEST

START_TEST(the_largest_list_comes_back)
{
    struct tt_settings s = fresh(), copy;
    char path[64];

    for (int i = 0; i < TT_CONF_REPLICAS_MAX; i++) {
        (void)snprintf(path, sizeof(path), "database.replicas[%d].host", i);
        must_set(&s, path, long_text(&(struct tt_key){.form = TT_FORM_HOST}, 255));
        (void)snprintf(path, sizeof(path), "cache.classes.c%d", i);
        must_set(&s, path, "1d");
    }
    ck_assert_int_eq(set(&s, "database.replicas[32].host", "a", NULL), TT_E_CONFIG);
    copy = s;
    must_set(&copy, "database.replicas", get(&s, "database.replicas"));
    must_set(&copy, "cache.classes", get(&s, "cache.classes"));
    ck_assert_int_eq(tt_settings_diff(&s, &copy, NULL), 0);
    ck_assert_int_eq(copy.cache.classes.n, TT_CONF_REPLICAS_MAX);
}
END_TEST

START_TEST(classes)
{
    struct tt_settings s = fresh();
    char path[64];
    tt_error e = TT_ERROR_INIT;

    must_set(&s, "cache.classes", "static=24h , user = 1h");
    must_set(&s, "cache.classes.user", "30m");
    must_set(&s, "cache.classes.list", "15m");
    ck_assert_str_eq(get(&s, "cache.classes"), "static=1d, user=30m, list=15m");
    ck_assert_int_eq(tt_settings_ttl_ms(&s, TT_STR("user")), 1800000);
    ck_assert_int_eq(tt_settings_ttl_ms(&s, TT_STR("")), 300000);
    ck_assert_int_eq(tt_settings_ttl_ms(&s, TT_STR("use")), -1);
    ck_assert_int_eq(set(&s, "cache.classes", "a=1s, a=2s", NULL), TT_E_CONFIG);
    ck_assert_int_eq(set(&s, "cache.classes", "a=0", NULL), TT_E_CONFIG);
    ck_assert_int_eq(set(&s, "cache.classes", "a", NULL), TT_E_CONFIG);
    ck_assert_int_eq(set(&s, "cache.classes", ",", NULL), TT_E_CONFIG);
    for (int i = s.cache.classes.n; i < TT_CONF_CLASSES_MAX; i++) {
        (void)snprintf(path, sizeof(path), "cache.classes.n%d", i);
        must_set(&s, path, "1s");
    }
    ck_assert_int_eq(set(&s, "cache.classes.more", "1s", &e), TT_E_CONFIG);
    ck_assert_str_eq(e.message, "cache.classes.more: at most 64 classes");
    must_set(&s, "cache.classes.user", "31m");
}
END_TEST

START_TEST(what_is_not_there_cannot_be_got)
{
    struct tt_settings s = fresh();
    tt_buf b = tt_buf_init(&tt_allocator_libc);

    ck_assert_int_eq(tt_settings_get(&s, "nothing", &b, NULL), TT_E_CONFIG);
    ck_assert_int_eq(tt_settings_get(&s, "cache.classes.user", &b, NULL), TT_E_CONFIG);
    ck_assert_int_eq(tt_settings_get(&s, "database.replicas[0].host", &b, NULL), TT_E_CONFIG);
    ck_assert_int_eq(tt_settings_get(&s, "database", &b, NULL), TT_E_CONFIG);
    ck_assert_uint_eq(b.n, 0);
}
END_TEST

static const struct {
    const char *text;
    bool ok;
    tt_redis_scheme scheme;
    const char *user, *host;
    int port, db;
} url_rows[] = {{"redis://10.0.0.9:6380/3", true, TT_REDIS_PLAIN, "", "10.0.0.9", 6380, 3},
                {"redis://cache", true, TT_REDIS_PLAIN, "", "cache", 6379, 0},
                {"redis://cache/", true, TT_REDIS_PLAIN, "", "cache", 6379, 0},
                {"redis://app@cache/1", true, TT_REDIS_PLAIN, "app", "cache", 6379, 1},
                {"redis://[::1]:7000/0", true, TT_REDIS_PLAIN, "", "::1", 7000, 0},
                {"redis://[::1]", true, TT_REDIS_PLAIN, "", "::1", 6379, 0},
                {"rediss://cache:6379", true, TT_REDIS_TLS, "", "", 0, 0},
                {"sentinel://a:26379,b:26379/main/0", true, TT_REDIS_SENTINEL, "", "", 0, 0},
                {"cluster://a,b,c", true, TT_REDIS_CLUSTER, "", "", 0, 0},
                {"redis://", false, 0, NULL, NULL, 0, 0},
                {"redis:///0", false, 0, NULL, NULL, 0, 0},
                {"redis:cache", false, 0, NULL, NULL, 0, 0},
                {"Redis://cache", false, 0, NULL, NULL, 0, 0},
                {"redis://cache:0", false, 0, NULL, NULL, 0, 0},
                {"redis://cache:65536", false, 0, NULL, NULL, 0, 0},
                {"redis://cache:", false, 0, NULL, NULL, 0, 0},
                {"redis://cache/x", false, 0, NULL, NULL, 0, 0},
                {"redis://cache/65536", false, 0, NULL, NULL, 0, 0},
                {"redis://cache/0?db=1", false, 0, NULL, NULL, 0, 0},
                {"redis://a b", false, 0, NULL, NULL, 0, 0},
                {"redis://[::1", false, 0, NULL, NULL, 0, 0},
                {"redis://[::1]x", false, 0, NULL, NULL, 0, 0},
                {"redis://@cache", false, 0, NULL, NULL, 0, 0},
                {"redis://app:secret@cache", false, 0, NULL, NULL, 0, 0},
                {"redis://app:sec@ret@cache", false, 0, NULL, NULL, 0, 0},
                {"redis://:sec/ret@cache", false, 0, NULL, NULL, 0, 0},
                {"rediss://:secret@cache", false, 0, NULL, NULL, 0, 0},
                {"sentinel://:secret@a,b/main", false, 0, NULL, NULL, 0, 0},
                {"sentinel://", false, 0, NULL, NULL, 0, 0}};

START_TEST(redis_urls)
{
    struct tt_redis_url url = {0};
    tt_error e = TT_ERROR_INIT;
    int rc = tt_redis_url_parse(tt_str_c(url_rows[_i].text), &url, &e);

    ck_assert_msg(rc == (url_rows[_i].ok ? 0 : TT_E_CONFIG), "%s", url_rows[_i].text);
    if (strstr(url_rows[_i].text, ":sec"))
        ck_assert_ptr_nonnull(strstr(e.message, "cache.password_env or cache.password_file"));
    ck_assert_ptr_null(strstr(e.message, "secret"));
    if (rc != 0)
        return;
    ck_assert_int_eq(url.scheme, url_rows[_i].scheme);
    if (url.scheme != TT_REDIS_PLAIN)
        return;
    ck_assert_str_eq(url.user, url_rows[_i].user);
    ck_assert_str_eq(url.host, url_rows[_i].host);
    ck_assert_int_eq(url.port, url_rows[_i].port);
    ck_assert_int_eq(url.db, url_rows[_i].db);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("config");
    size_t n;

    (void)tt_settings_keys(&n);
    tcase_add_loop_test(t, durations, 0, TT_COUNT(duration_rows));
    tcase_add_loop_test(t, sizes, 0, TT_COUNT(size_rows));
    tcase_add_test(t, the_table_is_in_order);
    tcase_add_test(t, defaults_are_those_of_the_table);
    tcase_add_loop_test(t, every_key_at_its_bounds, 0, (int)n);
    tcase_add_loop_test(t, messages_say_what_was_expected_and_what_came, 0, TT_COUNT(bad_rows));
    tcase_add_test(t, long_and_odd_paths_are_unknown);
    tcase_add_test(t, kinds_of_paths);
    tcase_add_test(t, replicas_one_by_one);
    tcase_add_test(t, the_largest_list_comes_back);
    tcase_add_test(t, classes);
    tcase_add_test(t, what_is_not_there_cannot_be_got);
    tcase_add_loop_test(t, redis_urls, 0, TT_COUNT(url_rows));
    return suite_run("config", t);
}
