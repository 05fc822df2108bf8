#include "unit/suite.h"

#include <stdio.h>
#include <unistd.h>

#include "api/config.h"
#include "unit/oom.h"

static const char text_of_all[] = "database:\n"
                                  "  primary: { host: 10.0.0.1 }\n"
                                  "  replicas: [ { host: 10.0.0.2 } ]\n"
                                  "cache:\n"
                                  "  redis: redis://10.0.0.9:6379/0\n"
                                  "  classes: { static: 24h, user: 1h }\n";

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

/* --- secrets -------------------------------------------------------------------------------- */

START_TEST(secrets_from_files)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *secret; /* NULL: refused */
    } rows[] = {{"hunter2", 7, "hunter2"},
                {"hunter2\n", 8, "hunter2"},
                {"hunter2\r\n", 9, "hunter2"},
                {"hunter2\n\n", 9, "hunter2\n"},
                {" hunter2 \n", 10, " hunter2 "},
                {"", 0, NULL},
                {"\n", 1, NULL},
                {"a\0b", 3, NULL}};

    for (size_t i = 0; i < TT_COUNT(rows); i++) {
        tt_secret secret = {0};
        tt_error e = TT_ERROR_INIT;
        int rc;

        write_file(rows[i].bytes, rows[i].n);
        rc = tt_secret_read(&tt_allocator_libc, "", path, &secret, &e);
        ck_assert_int_eq(rc, rows[i].secret ? 0 : TT_E_CONFIG);
        if (rows[i].secret)
            ck_assert_str_eq(secret.p, rows[i].secret);
        else
            ck_assert_ptr_nonnull(strstr(e.message, path));
        tt_secret_free(&secret);
        tt_secret_free(&secret);
    }
}
END_TEST

START_TEST(secrets_have_a_longest)
{
    char bytes[TT_SECRET_MAX + 8];
    tt_secret secret = {0};

    memset(bytes, 's', sizeof(bytes));
    bytes[TT_SECRET_MAX] = '\n';
    write_file(bytes, TT_SECRET_MAX + 1);
    ck_assert_int_eq(tt_secret_read(&tt_allocator_libc, NULL, path, &secret, NULL), 0);
    ck_assert_uint_eq(secret.n, TT_SECRET_MAX);
    tt_secret_free(&secret);
    bytes[TT_SECRET_MAX] = 's';
    for (size_t n = TT_SECRET_MAX + 1; n <= sizeof(bytes); n++) {
        write_file(bytes, n);
        ck_assert_int_eq(tt_secret_read(&tt_allocator_libc, NULL, path, &secret, NULL),
                         TT_E_CONFIG);
    }
    ck_assert_int_eq(
        tt_secret_copy(&tt_allocator_libc, tt_str_n(bytes, TT_SECRET_MAX + 1), &secret, NULL),
        TT_E_LIMIT);
    ck_assert_int_eq(tt_secret_copy(&tt_allocator_libc, tt_str_n("a\0b", 3), &secret, NULL),
                     TT_E_ARGUMENT);
}
END_TEST

START_TEST(secrets_from_the_environment)
{
    tt_secret secret = {0};
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(setenv("TT_TEST_SECRET", "hunter2", 1), 0);
    ck_assert_int_eq(tt_secret_read(&tt_allocator_libc, "TT_TEST_SECRET", path, &secret, &e), 0);
    ck_assert_str_eq(secret.p, "hunter2");
    tt_secret_free(&secret);
    ck_assert_int_eq(setenv("TT_TEST_SECRET", "", 1), 0);
    ck_assert_int_eq(tt_secret_read(&tt_allocator_libc, "TT_TEST_SECRET", "", &secret, &e),
                     TT_E_CONFIG);
    ck_assert_int_eq(unsetenv("TT_TEST_SECRET"), 0);
    ck_assert_int_eq(tt_secret_read(&tt_allocator_libc, "TT_TEST_SECRET", "", &secret, &e),
                     TT_E_CONFIG);
    ck_assert_str_eq(e.message, "the environment variable TT_TEST_SECRET that should hold a "
                                "password is not set");
    ck_assert_int_eq(tt_secret_read(&tt_allocator_libc, "", NULL, &secret, &e), 0);
    ck_assert_ptr_null(secret.p);
}
END_TEST

/* --- the public face ------------------------------------------------------------------------ */

static int use_config(const tt_allocator *a)
{
    tt_config *config = NULL;
    tt_secret secret = {0};
    char text[64];
    int rc = tt_config_new(a, &config, NULL);

    if (rc == 0)
        rc = tt_config_load_text(config, NULL, text_of_all, sizeof(text_of_all) - 1, NULL);
    if (rc == 0)
        rc = tt_config_load_file(config, path, NULL);
    if (rc == 0)
        rc = tt_config_set(config, "database.pool.max", "8", NULL);
    if (rc == 0)
        rc = tt_config_get(config, "database.pool.max", text, sizeof(text), NULL);
    if (rc == 0)
        rc = tt_config_set_password(config, "hunter2", NULL);
    if (rc == 0)
        rc = tt_config_set_redis_password(config, "hunter3", NULL);
    if (rc == 0)
        rc = tt_config_check(config, NULL);
    if (rc == 0)
        rc = tt_config_password(config, &config->a, &secret, NULL);
    tt_secret_free(&secret);
    tt_config_free(config);
    return rc;
}

START_TEST(a_config_out_of_memory)
{
    struct oom o;
    long n = 0;
    int rc;

    write_file(text_of_all, sizeof(text_of_all) - 1);
    do {
        oom_arm(&o, n++);
        rc = use_config(&o.a);
        ck_assert_int_eq(o.live, 0);
        ck_assert(rc == 0 || rc == TT_E_NOMEM);
    } while (rc != 0);
    ck_assert_int_ge(n, 8);
}
END_TEST

START_TEST(values_come_back_and_secrets_do_not)
{
    tt_config *config = NULL;
    char text[8] = "before";
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(tt_config_new(NULL, &config, &e), 0);
    ck_assert_int_eq(tt_config_set_password(config, "hunter2", &e), 0);
    ck_assert_int_eq(tt_config_get(config, "cache.namespace", text, sizeof(text), &e), 0);
    ck_assert_str_eq(text, "twotier");
    ck_assert_int_eq(tt_config_set(config, "cache.namespace", "eight_ch", &e), 0);
    ck_assert_int_eq(tt_config_get(config, "cache.namespace", text, sizeof(text), &e), TT_E_RANGE);
    ck_assert_str_eq(e.message, "cache.namespace: expected room for 9 bytes; got 8");
    ck_assert_str_eq(text, "twotier");
    ck_assert_int_eq(tt_config_get(config, "database.password", text, sizeof(text), &e),
                     TT_E_CONFIG);
    ck_assert_int_eq(tt_config_get(config, "database.schema", text, sizeof(text), &e), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(tt_config_check(config, &e), TT_E_CONFIG);
    tt_config_free(config);
}
END_TEST

START_TEST(the_password_set_goes_before_the_environment)
{
    tt_config *config = NULL;
    tt_secret secret = {0};
    tt_error e = TT_ERROR_INIT;

    ck_assert_int_eq(setenv("TT_TEST_SECRET", "from-env", 1), 0);
    ck_assert_int_eq(tt_config_new(NULL, &config, &e), 0);
    ck_assert_int_eq(tt_config_redis_password(config, &config->a, &secret, &e), 0);
    ck_assert_ptr_null(secret.p);
    ck_assert_int_eq(tt_config_set(config, "cache.password_env", "TT_TEST_SECRET", &e), 0);
    ck_assert_int_eq(tt_config_redis_password(config, &config->a, &secret, &e), 0);
    ck_assert_str_eq(secret.p, "from-env");
    tt_secret_free(&secret);
    ck_assert_int_eq(tt_config_set_redis_password(config, "set", &e), 0);
    ck_assert_int_eq(tt_config_redis_password(config, &config->a, &secret, &e), 0);
    ck_assert_str_eq(secret.p, "set");
    tt_secret_free(&secret);
    ck_assert_int_eq(tt_config_set_redis_password(config, NULL, &e), 0);
    ck_assert_int_eq(tt_config_redis_password(config, &config->a, &secret, &e), 0);
    ck_assert_str_eq(secret.p, "from-env");
    tt_secret_free(&secret);
    tt_config_free(config);
}
END_TEST

static int64_t fixed_ns(void *ctx)
{
    return *(int64_t *)ctx;
}

START_TEST(what_the_host_brings_is_copied_and_taken_back)
{
    int64_t now = 7;
    tt_clock clock = {fixed_ns, fixed_ns, &now};
    tt_log_sink sink = {NULL, &now, TT_LOG_INFO};
    tt_config *config = NULL;

    ck_assert_int_eq(tt_config_new(NULL, &config, NULL), 0);
    tt_config_set_clock(config, &clock);
    tt_config_set_log(config, &sink);
    ck_assert_int_eq(config->clock.monotonic_ns(config->clock.ctx), 7);
    ck_assert_ptr_eq(config->sink.ctx, &now);
    tt_config_set_clock(config, NULL);
    tt_config_set_log(config, NULL);
    ck_assert(config->clock.monotonic_ns != fixed_ns);
    ck_assert_ptr_null(config->sink.ctx);
    tt_config_free(config);
}
END_TEST

START_TEST(null_is_an_argument_error)
{
    static const tt_allocator half = {0};
    tt_config *config = NULL;
    char c[8];

    ck_assert_int_eq(tt_config_new(NULL, NULL, NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_new(&half, &config, NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_load_file(NULL, "a", NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_load_text(NULL, "a", "", 0, NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_set(NULL, "a", "b", NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_get(NULL, "a", c, 8, NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_check(NULL, NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_set_password(NULL, "a", NULL), TT_E_ARGUMENT);
    ck_assert_int_eq(tt_config_set_redis_password(NULL, "a", NULL), TT_E_ARGUMENT);
    tt_config_set_clock(NULL, NULL);
    tt_config_set_log(NULL, NULL);
    tt_config_free(NULL);
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("config_api");

    tcase_add_checked_fixture(t, make_path, remove_path);
    tcase_add_test(t, secrets_from_files);
    tcase_add_test(t, secrets_have_a_longest);
    tcase_add_test(t, secrets_from_the_environment);
    tcase_add_test(t, a_config_out_of_memory);
    tcase_add_test(t, values_come_back_and_secrets_do_not);
    tcase_add_test(t, the_password_set_goes_before_the_environment);
    tcase_add_test(t, what_the_host_brings_is_copied_and_taken_back);
    tcase_add_test(t, null_is_an_argument_error);
    return suite_run("config_api", t);
}
