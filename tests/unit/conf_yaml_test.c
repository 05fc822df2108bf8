#include "unit/suite.h"

#include <stdio.h>
#include <unistd.h>

#include "drv/conf_yaml.h"
#include "unit/oom.h"

/* libyaml allocates through these; the test's definitions come first when the library is linked,
 * so that its memory can run out as well. */
#pragma GCC visibility push(default)
void *yaml_malloc(size_t size);
void *yaml_realloc(void *p, size_t size);
void yaml_free(void *p);
unsigned char *yaml_strdup(const unsigned char *s);
#pragma GCC visibility pop

static long yaml_left = -1; /* allocations that still succeed; negative: all */
static long yaml_calls;

static bool yaml_may(void)
{
    yaml_calls++;
    return yaml_left < 0 || yaml_left-- > 0;
}

void *yaml_malloc(size_t size)
{
    return yaml_may() ? malloc(size ? size : 1) : NULL;
}

void *yaml_realloc(void *p, size_t size)
{
    return yaml_may() ? realloc(p, size ? size : 1) : NULL;
}

void yaml_free(void *p)
{
    free(p);
}

unsigned char *yaml_strdup(const unsigned char *s)
{
    return s && yaml_may() ? (unsigned char *)strdup((const char *)s) : NULL;
}

/* --- helpers -------------------------------------------------------------------------------- */

static int parse(struct tt_settings *s, const char *text, tt_error *err)
{
    return tt_conf_yaml_parse(&tt_allocator_libc, "t.yaml", tt_str_c(text), s, err);
}

static struct tt_settings parsed(const char *text)
{
    struct tt_settings s;
    tt_error e = TT_ERROR_INIT;

    tt_settings_default(&s);
    ck_assert_msg(parse(&s, text, &e) == 0, "%s", e.message);
    return s;
}

static const char design[] = "database:\n"
                             "  schema: teachtrack\n"
                             "  user: app\n"
                             "  password_env: TT_DB_PASSWORD\n"
                             "  primary:  { host: 10.0.0.1 }\n"
                             "  replicas: [ { host: 10.0.0.2 }, { host: 10.0.0.3, weight: 2 } ]\n"
                             "  pool:     { max: 32, wait_timeout: 250ms, max_lifetime: 30m }\n"
                             "  health:   { interval: 250ms, max_lag: 1s }\n"
                             "cache:\n"
                             "  redis: redis://10.0.0.9:6379/0     # or another\n"
                             "  namespace: teachtrack\n"
                             "  classes: { static: 24h, user: 1h, list: 30m, detail: 15m }\n"
                             "  local: { mode: validate, max_bytes: 64MiB }\n";

/* --- what is taken -------------------------------------------------------------------------- */

START_TEST(a_whole_file)
{
    struct tt_settings s = parsed(design);

    ck_assert_int_eq(tt_settings_check(&s, NULL), TT_E_UNSUPPORTED); /* of local.mode, so far */
    ck_assert_str_eq(s.database.schema, "teachtrack");
    ck_assert_str_eq(s.database.password.env, "TT_DB_PASSWORD");
    ck_assert_str_eq(s.database.primary.host, "10.0.0.1");
    ck_assert_int_eq(s.database.replicas.n, 2);
    ck_assert_str_eq(s.database.replicas.v[1].host, "10.0.0.3");
    ck_assert_int_eq(s.database.replicas.v[1].weight, 2);
    ck_assert_int_eq(s.database.replicas.v[0].port, 3306);
    ck_assert_int_eq(s.database.pool.max, 32);
    ck_assert_int_eq(s.database.pool.max_lifetime_ms, 1800000);
    ck_assert_str_eq(s.cache.redis, "redis://10.0.0.9:6379/0");
    ck_assert_int_eq(s.cache.classes.n, 4);
    ck_assert_int_eq(tt_settings_ttl_ms(&s, TT_STR("user")), 3600000);
    ck_assert_int_eq(s.cache.local.mode, TT_CONF_LOCAL_VALIDATE);
}
END_TEST

START_TEST(the_example_of_the_documentation)
{
    struct tt_settings s;
    tt_error e = TT_ERROR_INIT;

    tt_settings_default(&s);
    ck_assert_msg(tt_conf_yaml_load(&tt_allocator_libc, TT_EXAMPLE, &s, &e) == 0, "%s", e.message);
    ck_assert_msg(tt_settings_check(&s, &e) == 0, "%s", e.message);
}
END_TEST

static const char *const empty_rows[] = {"",
                                         "\n",
                                         "# only a remark\n",
                                         "---\n",
                                         "--- ~\n",
                                         "{}\n",
                                         "cache:\n",
                                         "cache:\n  local:\n  # mode: off\nread: {}\n",
                                         "\xef\xbb\xbf# with a mark\ncache: {}\n",
                                         "%YAML 1.1\n---\ncache: {}\n...\n",
                                         "database: { replicas: [] }\ncache: { classes: {} }\n"};

START_TEST(nothing_said_is_nothing_changed)
{
    struct tt_settings s = parsed(empty_rows[_i]), defaults;
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);

    tt_settings_default(&defaults);
    for (size_t i = 0; i < n; i++)
        ck_assert(!tt_settings_differ(&s, &defaults, &keys[i]));
}
END_TEST

START_TEST(scalars_in_every_style)
{
    struct tt_settings s = parsed("\"database\":\n"
                                  "  'schema': \"a\\x20b\"\n"
                                  "  user: 'it''s'\n"
                                  "  password_file: >-\n"
                                  "    /run/a\n"
                                  "    b\n"
                                  "  pool: { max: \"7\" }\n"
                                  "  tls: { mode: off, ca: \"\" }\n");

    ck_assert_str_eq(s.database.schema, "a b");
    ck_assert_str_eq(s.database.user, "it's");
    ck_assert_str_eq(s.database.password.file, "/run/a b");
    ck_assert_int_eq(s.database.pool.max, 7);
    ck_assert_int_eq(s.database.tls.mode, TT_CONF_TLS_OFF);
}
END_TEST

START_TEST(lists_and_maps_replace_other_keys_stay)
{
    struct tt_settings s = parsed(design);
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(parse(&s,
                        "database:\n"
                        "  replicas:\n"
                        "    - socket: /run/db.sock\n"
                        "cache:\n"
                        "  classes:\n"
                        "    only: 1m\n",
                        &e) == 0,
                  "%s", e.message);
    ck_assert_int_eq(s.database.replicas.n, 1);
    ck_assert_str_eq(s.database.replicas.v[0].host, "");
    ck_assert_str_eq(s.database.replicas.v[0].socket, "/run/db.sock");
    ck_assert_int_eq(s.cache.classes.n, 1);
    ck_assert_int_eq(s.database.pool.max, 32);
}
END_TEST

/* --- what is refused, and where ------------------------------------------------------------- */

static const struct {
    const char *text, *message;
} bad_rows[] = {
    {"database:\n  pool:\n    max: many\n",
     "t.yaml:3:10: database.pool.max: expected an integer from 1 to 1000; got \"many\""},
    {"database: { pool: { max: 0 } }\n",
     "t.yaml:1:26: database.pool.max: expected an integer from 1 to 1000; got \"0\""},
    {"database:\n  pool: { max: 010 }\n",
     "t.yaml:2:16: database.pool.max: expected an integer from 1 to 1000; got \"010\""},
    {"database:\n  pool: { maxx: 1 }\n",
     "t.yaml:2:11: unknown key \"database.pool.maxx\"; did you mean \"database.pool.max\"?"},
    {"databse:\n  schema: a\n", "t.yaml:1:1: unknown key \"databse\"; did you mean \"database\"?"},
    {"pool:\n  max: 1\n", "t.yaml:1:1: unknown key \"pool\"; did you mean \"database.pool\"?"},
    {"database:\n  schema: a\n  user: b\n  schema: c\n",
     "t.yaml:4:3: database.schema: given twice; first on line 2"},
    {"cache: {}\nread: {}\ncache: {}\n", "t.yaml:3:1: cache: given twice; first on line 1"},
    {"cache:\n  classes: { a: 1s, b: 2s, a: 3s }\n",
     "t.yaml:2:28: cache.classes.a: given twice; first on line 2"},
    {"database: { replicas: [ { host: a, port: 1,\n host: b } ] }\n",
     "t.yaml:2:2: database.replicas[0].host: given twice; first on line 1"},
    {"database:\n  schema:\n",
     "t.yaml:2:10: database.schema: expected a value; leave the key out for its default"},
    {"database:\n  schema: null\n",
     "t.yaml:2:11: database.schema: expected a value; leave the key out for its default"},
    {"database:\n  schema: ~\n",
     "t.yaml:2:11: database.schema: expected a value; leave the key out for its default"},
    {"database:\n  schema: [a]\n", "t.yaml:2:11: database.schema: expected a single value"},
    {"database:\n  schema: {a: b}\n", "t.yaml:2:11: database.schema: expected a single value"},
    {"database: 5\n", "t.yaml:1:11: database: expected a mapping of keys to values"},
    {"database: [a]\n", "t.yaml:1:11: database: expected a mapping of keys to values"},
    {"database:\n  replicas: 10.0.0.2\n",
     "t.yaml:2:13: database.replicas: expected a list: [ { host: ... }, ... ]"},
    {"database:\n  replicas: { host: a }\n",
     "t.yaml:2:13: database.replicas: expected a list: [ { host: ... }, ... ]"},
    {"database:\n  replicas: [ 10.0.0.2 ]\n",
     "t.yaml:2:15: database.replicas: expected an element such as { host: 10.0.0.2 }"},
    {"database:\n  replicas: [ [ a ] ]\n",
     "t.yaml:2:15: database.replicas: expected an element such as { host: 10.0.0.2 }"},
    {"database:\n  replicas: [ { host: a }, {} ]\n",
     "t.yaml:2:28: database.replicas[1] needs a host or a socket"},
    {"database:\n  replicas:\n  - weight: 2\n  - host: a\n",
     "t.yaml:3:5: database.replicas[0] needs a host or a socket"},
    {"database:\n  replicas:\n  - host: a\n    socket: /b\n",
     "t.yaml:3:5: database.replicas[0] has a host and a socket; expected one of them"},
    {"database:\n  replicas:\n  - hots: a\n",
     "t.yaml:3:5: unknown key \"database.replicas[].hots\"; did you mean "
     "\"database.replicas[].host\"?"},
    {"cache:\n  classes: [ a ]\n",
     "t.yaml:2:12: cache.classes: expected a mapping of names to values"},
    {"cache:\n  classes: 5m\n",
     "t.yaml:2:12: cache.classes: expected a mapping of names to values"},
    {"cache:\n  classes: { user: { ttl: 1h } }\n",
     "t.yaml:2:20: cache.classes.user: expected a single value"},
    {"cache:\n  classes: { \"a b\": 1h }\n", "t.yaml:2:14: cache.classes.a b: the name of a class "
                                             "has 1 to 32 letters, digits, '_' and '-'"},
    {"database.pool.max: 5\n",
     "t.yaml:1:1: expected a key, without '.' and '['; sections are nested"},
    {"database:\n  replicas[0]: { host: a }\n",
     "t.yaml:2:3: expected a key, without '.' and '['; sections are nested"},
    {"\"a\\0b\": 1\n", "t.yaml:1:1: expected a key, without '.' and '['; sections are nested"},
    {"\"\": 1\n", "t.yaml:1:1: expected a key, without '.' and '['; sections are nested"},
    {"database:\n  ? [a]\n  : 1\n", "t.yaml:2:5: database: expected a key"},
    {"- a\n", "t.yaml:1:1: expected a mapping of keys to values"},
    {"hello\n", "t.yaml:1:1: expected a mapping of keys to values"},
    {"database: &x { schema: a }\n", "t.yaml:1:11: anchors and aliases are not supported"},
    {"database:\n  schema: *x\n", "t.yaml:2:11: anchors and aliases are not supported"},
    {"database:\n  schema: !!str a\n", "t.yaml:2:11: tags are not supported"},
    {"database: !map { }\n", "t.yaml:1:11: tags are not supported"},
    {"database: { replicas: !!seq [] }\n", "t.yaml:1:23: tags are not supported"},
    {"database: {}\n---\ncache: {}\n", "t.yaml:2:1: expected one document only"},
    {"database:\n  <<: { schema: a }\n", "t.yaml:2:3: unknown key \"database.<<\""},
    {"database:\n  password: hunter2\n",
     "t.yaml:2:3: unknown key \"database.password\": a password does not belong in the "
     "configuration; name where it is in password_env or password_file"},
    {"cache:\n  redis: redis://:hunter2@h\n",
     "t.yaml:2:10: cache.redis: a password does not belong in the URL; name where it is in "
     "cache.password_env or cache.password_file; the value is not shown"},
    {"database:\n  schema: \"a\\0b\"\n",
     "t.yaml:2:11: database.schema: expected a text, at most 192 bytes; got \"a?b\""},
    {"database:\n  schema: |\n    a\n",
     "t.yaml:2:11: database.schema: expected a text, at most 192 bytes; got \"a?\""},
    {"database:\n\tschema: a\n",
     "t.yaml:2:1: not valid YAML: found character that cannot start any token while scanning for "
     "the next token"},
    {"database: { schema: a\n",
     "t.yaml:2:1: not valid YAML: did not find expected ',' or '}' while parsing a flow mapping"},
    {"database: \"a\n", "t.yaml:2:1: not valid YAML: found unexpected end of stream while scanning "
                        "a quoted scalar"},
    {"# \xc3\xa4\ndatabase:\n  sch\xc3\xa4: \xff\n",
     "t.yaml:3:9: not valid YAML: invalid leading UTF-8 octet"},
    {"# \xc3\xa4\n{ \xc3\xa4: 1 }\n", "t.yaml:2:3: unknown key \"\xc3\xa4\""}};

START_TEST(refused_with_line_and_column)
{
    struct tt_settings s, before;
    tt_error e = TT_ERROR_INIT;

    tt_settings_default(&s);
    before = s;
    ck_assert_msg(parse(&s, bad_rows[_i].text, &e) == TT_E_CONFIG, "%s", bad_rows[_i].text);
    ck_assert_str_eq(e.message, bad_rows[_i].message);
    ck_assert_int_eq(memcmp(&s, &before, sizeof(s)), 0);
}
END_TEST

/* A text made of `n` times `unit` between head and tail. */
static char *repeated(const char *head, const char *unit, size_t n, const char *tail)
{
    tt_buf b = tt_buf_init(&tt_allocator_libc);
    size_t length;

    tt_buf_puts(&b, head);
    while (n-- > 0)
        tt_buf_puts(&b, unit);
    tt_buf_put(&b, tail, strlen(tail) + 1);
    ck_assert(!b.failed);
    return tt_buf_take(&b, &length);
}

static const struct {
    const char *head, *unit, *tail;
    size_t n;
    const char *message;
} large_rows[] = {
    {"# ", "x", "\n", TT_CONF_YAML_MAX, "t.yaml: expected at most 1048576 bytes"},
    {"", "[", "", 500000, "t.yaml:1:1: expected a mapping of keys to values"},
    {"database: ", "{database: ", "", 90000, "t.yaml:1:12: unknown key \"database.database\""},
    {"", "? ", "", 500000, "t.yaml:1:3: expected a key"},
    {"database: { replicas: [ ", "{ host: a },", " ] }", 33,
     "t.yaml:1:417: database.replicas[32].host: at most 32 replicas"},
    {"", "a", ": 1\n", 1000,
     "t.yaml:1:1: expected a key, without '.' and '['; sections are nested"}};

START_TEST(large_texts_end_early)
{
    struct tt_settings s;
    tt_error e = TT_ERROR_INIT;
    char *text =
        repeated(large_rows[_i].head, large_rows[_i].unit, large_rows[_i].n, large_rows[_i].tail);

    tt_settings_default(&s);
    ck_assert_int_eq(parse(&s, text, &e), TT_E_CONFIG);
    ck_assert_str_eq(e.message, large_rows[_i].message);
    free(text);
}
END_TEST

START_TEST(the_largest_text_is_taken)
{
    char *text = repeated("# ", "x", TT_CONF_YAML_MAX - 3, "\n");

    (void)parsed(text);
    free(text);
}
END_TEST

/* --- memory --------------------------------------------------------------------------------- */

START_TEST(out_of_memory_in_each_allocation)
{
    struct oom o;
    long n = 0;
    int rc;

    do {
        struct tt_settings s, before;
        tt_error e = TT_ERROR_INIT;

        tt_settings_default(&s);
        before = s;
        oom_arm(&o, n++);
        rc = tt_conf_yaml_parse(&o.a, "t.yaml", tt_str_c(design), &s, &e);
        ck_assert_int_eq(o.live, 0);
        if (rc == 0)
            break;
        ck_assert_int_eq(rc, TT_E_NOMEM);
        ck_assert_int_eq(e.code, TT_E_NOMEM);
        ck_assert_int_eq(memcmp(&s, &before, sizeof(s)), 0);
    } while (rc != 0);
    ck_assert_int_ge(n, 3);
}
END_TEST

START_TEST(out_of_memory_in_libyaml)
{
    long calls;

    yaml_calls = 0;
    (void)parsed(design);
    calls = yaml_calls;
    ck_assert_int_gt(calls, 50);
    for (long i = 0; i < calls; i++) {
        struct tt_settings s, before;
        tt_error e = TT_ERROR_INIT;

        tt_settings_default(&s);
        before = s;
        yaml_left = i;
        ck_assert_int_eq(parse(&s, design, &e), TT_E_NOMEM);
        ck_assert_int_eq(memcmp(&s, &before, sizeof(s)), 0);
    }
    yaml_left = -1;
}
END_TEST

/* --- files ---------------------------------------------------------------------------------- */

static char path[] = "/tmp/twotier-conf-XXXXXX";

static void write_file(const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

static void make_path(void)
{
    int fd;

    memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
    fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
}

static void remove_path(void)
{
    (void)unlink(path);
}

START_TEST(files)
{
    struct tt_settings s;
    tt_error e = TT_ERROR_INIT;
    char expect[256];
    char *large;

    tt_settings_default(&s);
    write_file(design, sizeof(design) - 1);
    ck_assert_msg(tt_conf_yaml_load(&tt_allocator_libc, path, &s, &e) == 0, "%s", e.message);
    ck_assert_int_eq(s.database.pool.max, 32);

    write_file("read: 1", 7);
    ck_assert_int_eq(tt_conf_yaml_load(&tt_allocator_libc, path, &s, &e), TT_E_CONFIG);
    (void)snprintf(expect, sizeof(expect), "%s:1:7: read: expected a mapping of keys to values",
                   path);
    ck_assert_str_eq(e.message, expect);

    large = repeated("# ", "x", TT_CONF_YAML_MAX, "\n");
    write_file(large, strlen(large));
    free(large);
    ck_assert_int_eq(tt_conf_yaml_load(&tt_allocator_libc, path, &s, &e), TT_E_CONFIG);
    (void)snprintf(expect, sizeof(expect), "%s: expected at most 1048576 bytes", path);
    ck_assert_str_eq(e.message, expect);

    remove_path();
    ck_assert_int_eq(tt_conf_yaml_load(&tt_allocator_libc, path, &s, &e), TT_E_CONFIG);
    (void)snprintf(expect, sizeof(expect), "cannot read %s: No such file or directory", path);
    ck_assert_str_eq(e.message, expect);
    ck_assert_int_eq(tt_conf_yaml_load(&tt_allocator_libc, "/tmp", &s, &e), TT_E_CONFIG);
    ck_assert_str_eq(e.message, "cannot read /tmp: Is a directory");
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("conf_yaml");

    tcase_add_checked_fixture(t, make_path, remove_path);
    tcase_add_test(t, a_whole_file);
    tcase_add_test(t, the_example_of_the_documentation);
    tcase_add_loop_test(t, nothing_said_is_nothing_changed, 0, TT_COUNT(empty_rows));
    tcase_add_test(t, scalars_in_every_style);
    tcase_add_test(t, lists_and_maps_replace_other_keys_stay);
    tcase_add_loop_test(t, refused_with_line_and_column, 0, TT_COUNT(bad_rows));
    tcase_add_loop_test(t, large_texts_end_early, 0, TT_COUNT(large_rows));
    tcase_add_test(t, the_largest_text_is_taken);
    tcase_add_test(t, out_of_memory_in_each_allocation);
    tcase_add_test(t, out_of_memory_in_libyaml);
    tcase_add_test(t, files);
    return suite_run("conf_yaml", t);
}
