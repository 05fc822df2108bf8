#include "unit/suite.h"

#include "unit/config_support.h"

static struct tt_settings smallest(void)
{
    struct tt_settings s = fresh();

    must_set(&s, "database.primary.host", "10.0.0.1");
    return s;
}

/* --- cross checks --------------------------------------------------------------------------- */

/* Up to three keys over the smallest configuration, and what the check says. */
static const struct {
    const char *set[6];
    int rc;
    const char *message;
} check_rows[] = {
    {{NULL}, 0, NULL},
    {{"cache.redis", "redis://c"}, 0, NULL},
    {{"cache.scope", "process"}, 0, NULL},
    {{"cache.redis", "redis://c", "cache.scope", "none"}, 0, NULL},
    {{"database.primary.host", ""}, TT_E_CONFIG, "database.primary needs a host or a socket"},
    {{"database.primary.socket", "/run/db.sock"},
     TT_E_CONFIG,
     "database.primary has a host and a socket; expected one of them"},
    {{"cache.redis", "redis://c", "cache.namespace", "a:t"},
     TT_E_CONFIG,
     "cache.namespace is a:t; expected letters, digits, '_', '-' and '.': a ':' ends it in keys"},
    {{"database.charset", "GBK"},
     TT_E_CONFIG,
     "database.charset is GBK, in which a quote or a backslash may be half of a character; "
     "expected another, as utf8mb4"},
    {{"database.charset", "latin1"}, 0, NULL},
    {{"database.replicas", "10.0.0.2, 10.0.0.1"},
     TT_E_CONFIG,
     "database.replicas[1] is the primary too"},
    {{"database.replicas", "10.0.0.1:3307, A, a"},
     TT_E_CONFIG,
     "database.replicas[2] is the same server as database.replicas[1]"},
    {{"database.replicas[0].weight", "2"},
     TT_E_CONFIG,
     "database.replicas[0] needs a host or a socket"},
    {{"database.password_env", "A", "database.password_file", "/b"},
     TT_E_CONFIG,
     "database.password_env and database.password_file are both set; expected one of them"},
    {{"cache.password_env", "A", "cache.password_file", "/b"},
     TT_E_CONFIG,
     "cache.password_env and cache.password_file are both set; expected one of them"},
    {{"database.pool.min", "17"},
     TT_E_CONFIG,
     "database.pool.min is 17; expected no more than database.pool.max, which is 16"},
    {{"database.tls.mode", "verify"},
     TT_E_CONFIG,
     "database.tls.mode is verify; database.tls.ca is required for it"},
    {{"database.tls.mode", "verify_ca", "database.tls.ca", "/ca.pem"}, 0, NULL},
    {{"cache.scope", "shared"},
     TT_E_CONFIG,
     "cache.scope is shared; cache.redis is required for it"},
    {{"cache.scope", "process", "cache.redis", "redis://c"},
     TT_E_CONFIG,
     "cache.scope is process, which has no Redis; expected no cache.redis"},
    {{"cache.redis", "rediss://c"},
     TT_E_UNSUPPORTED,
     "cache.redis: rediss://, sentinel:// and cluster:// are not supported by this version; "
     "expected redis://"},
    {{"cache.redis", "sentinel://a,b/main"}, TT_E_UNSUPPORTED, NULL},
    {{"cache.redis", "cluster://a,b"}, TT_E_UNSUPPORTED, NULL},
    {{"database.health.stale_after", "250ms"},
     TT_E_CONFIG,
     "database.health.stale_after is 250ms; expected more than database.health.interval, which is "
     "250ms"},
    {{"database.query_timeout", "1m"},
     TT_E_CONFIG,
     "cache.mark_timeout is 30s; expected more than database.query_timeout, which is 1m"},
    {{"cache.breaker.open_min", "6s"},
     TT_E_CONFIG,
     "cache.breaker.open_max is 5s; expected no less than cache.breaker.open_min, which is 6s"},
    {{"cache.breaker.open_min", "5s"}, 0, NULL},
    {{"cache.default_ttl", "3d"},
     TT_E_CONFIG,
     "cache.tag_ttl is 2d; expected no less than cache.default_ttl, which is 3d"},
    {{"cache.classes.big", "49h"},
     TT_E_CONFIG,
     "cache.tag_ttl is 2d; expected no less than cache.classes.big, which is 49h"},
    {{"cache.local.mode", "validate"},
     TT_E_UNSUPPORTED,
     "cache.local.mode: validate and bounded are not supported by this version; expected off"},
    {{"cache.local.mode", "bounded"}, TT_E_UNSUPPORTED, NULL},
    {{"cache.entry_max_bytes", "2MiB", "cache.local.max_bytes", "1MiB"}, 0, NULL},
    {{"cache.entry_max_bytes", "2MiB", "cache.local.max_bytes", "1MiB", "cache.scope", "process"},
     TT_E_CONFIG,
     "cache.local.max_bytes is 1MiB; expected no less than cache.entry_max_bytes, which is "
     "2MiB"}};

START_TEST(cross_checks)
{
    struct tt_settings s = smallest();
    tt_error e = TT_ERROR_INIT;

    for (int i = 0; i < 6 && check_rows[_i].set[i]; i += 2)
        must_set(&s, check_rows[_i].set[i], check_rows[_i].set[i + 1]);
    ck_assert_msg(tt_settings_check(&s, &e) == check_rows[_i].rc, "%s", e.message);
    if (check_rows[_i].message)
        ck_assert_str_eq(e.message, check_rows[_i].message);
}
END_TEST

START_TEST(scope_in_force)
{
    struct tt_settings s = smallest();

    ck_assert_int_eq(tt_settings_scope(&s), TT_CONF_SCOPE_NONE);
    must_set(&s, "cache.redis", "redis://c");
    ck_assert_int_eq(tt_settings_scope(&s), TT_CONF_SCOPE_SHARED);
    must_set(&s, "cache.scope", "none");
    ck_assert_int_eq(tt_settings_scope(&s), TT_CONF_SCOPE_NONE);
    ck_assert_ptr_null(tt_settings_tls_mode(&s));
    must_set(&s, "database.tls.mode", "verify_ca");
    ck_assert_str_eq(tt_settings_tls_mode(&s), "verify_ca");
}
END_TEST

/* --- reload --------------------------------------------------------------------------------- */

START_TEST(each_key_alone_differs_and_says_whether_it_may)
{
    struct tt_settings a = fresh(), b = fresh();
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);
    const struct tt_key *key = &keys[_i];
    tt_error e = TT_ERROR_INIT;
    char message[TT_CONF_PATH_MAX + 64];
    size_t differ = 0;

    if (!tt_setting_value(key, &b))
        return;
    switch (key->type) {
    case TT_SETTING_INTEGER:
    case TT_SETTING_DURATION:
    case TT_SETTING_SIZE:
        must_set(&b, key->path,
                 number_text(key, key->preset == key->max ? key->min : key->preset + 1));
        break;
    case TT_SETTING_ENUM:
        ck_assert_int_eq(tt_settings_set(&b, key->path, tt_word_at(key->words, 1), NULL), 0);
        break;
    case TT_SETTING_TEXT:
    case TT_SETTING_SECRET:
        must_set(&b, key->path, long_text(key, 3));
        break;
    case TT_SETTING_URL:
        must_set(&b, key->path, "redis://c");
        break;
    case TT_SETTING_NODES:
        must_set(&b, key->path, "c");
        break;
    case TT_SETTING_CLASSES:
        must_set(&b, key->path, "c=1s");
        break;
    }
    for (size_t i = 0; i < n; i++)
        differ += tt_settings_differ(&a, &b, &keys[i]);
    ck_assert_uint_eq(differ, 1);
    ck_assert(tt_settings_differ(&a, &b, key));
    (void)snprintf(message, sizeof(message), "cannot change while running: %s", key->path);
    ck_assert_int_eq(tt_settings_diff(&a, &b, &e), key->running ? 0 : TT_E_CONFIG);
    ck_assert_str_eq(e.message, key->running ? "" : message);
}
END_TEST

START_TEST(many_changes_fit_a_message)
{
    struct tt_settings a = fresh(), b = fresh();
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);
    tt_error e = TT_ERROR_INIT;

    for (size_t i = 0; i < n; i++)
        if (keys[i].type == TT_SETTING_TEXT && tt_setting_value(&keys[i], &b))
            must_set(&b, keys[i].path, long_text(&keys[i], 3));
    must_set(&b, "database.replicas", "c");
    must_set(&b, "database.pool.statements", "65");
    must_set(&b, "cache.redis", "redis://c");
    must_set(&b, "cache.scope", "process");
    must_set(&b, "cache.connections", "3");
    must_set(&b, "cache.local.mode", "bounded");
    must_set(&b, "database.family", "mysql");
    must_set(&b, "database.tls.mode", "off");
    must_set(&b, "database.primary.port", "1");
    ck_assert_int_eq(tt_settings_diff(&a, &b, &e), TT_E_CONFIG);
    ck_assert_ptr_nonnull(strstr(e.message, "database.family, database.schema, "));
    ck_assert_uint_lt(strlen(e.message), TT_ERROR_MESSAGE_MAX - 1);
}
END_TEST

START_TEST(the_order_of_classes_does_not_matter)
{
    struct tt_settings a = fresh(), b = fresh();

    must_set(&a, "cache.classes", "a=1s, b=2s");
    must_set(&b, "cache.classes", "b=2s, a=1s");
    for (size_t i = 0, n; i < (tt_settings_keys(&n), n); i++)
        ck_assert(!tt_settings_differ(&a, &b, &tt_settings_keys(&n)[i]));
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("config_check");
    size_t n;

    (void)tt_settings_keys(&n);
    tcase_add_loop_test(t, cross_checks, 0, TT_COUNT(check_rows));
    tcase_add_test(t, scope_in_force);
    tcase_add_loop_test(t, each_key_alone_differs_and_says_whether_it_may, 0, (int)n);
    tcase_add_test(t, many_changes_fit_a_message);
    tcase_add_test(t, the_order_of_classes_does_not_matter);
    return suite_run("config_check", t);
}
