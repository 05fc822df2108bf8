#include "api/config.h"

#include "base/clock.h"
#include "base/err.h"
#include "drv/conf_yaml.h"

_Static_assert(TT_CONFIG_TEXT_MAX == TT_CONF_YAML_MAX, "the public maximum is the real one");
_Static_assert(TT_CONFIG_PASSWORD_MAX == TT_SECRET_MAX, "the public maximum is the real one");

static int fail_null(tt_error *err, const char *what)
{
    return tt_fail(err, TT_E_ARGUMENT, "expected %s; got NULL", what);
}

int tt_config_new(const tt_allocator *allocator, tt_config **out, tt_error *err)
{
    const tt_allocator *a = allocator ? allocator : &tt_allocator_libc;
    tt_config *config;

    if (!out)
        return fail_null(err, "a place for the configuration");
    if (!a->alloc || !a->resize || !a->release)
        return fail_null(err, "an allocator with alloc, resize and release");
    config = tt_new(a, sizeof(*config));
    if (!config)
        return tt_fail_nomem(err);
    config->a = *a;
    config->clock = tt_clock_system;
    tt_settings_default(&config->settings);
    *out = config;
    return 0;
}

void tt_config_free(tt_config *config)
{
    tt_allocator a;

    if (!config)
        return;
    a = config->a;
    tt_secret_free(&config->password);
    tt_secret_free(&config->redis_password);
    tt_del(&a, config);
}

int tt_config_load_file(tt_config *config, const char *path, tt_error *err)
{
    if (!config || !path)
        return fail_null(err, "a configuration and a path");
    return tt_conf_yaml_load(&config->a, path, &config->settings, err);
}

int tt_config_load_text(tt_config *config, const char *name, const char *text, size_t size,
                        tt_error *err)
{
    if (!config || (!text && size))
        return fail_null(err, "a configuration and a text");
    return tt_conf_yaml_parse(&config->a, name ? name : "text", tt_str_n(text, size),
                              &config->settings, err);
}

int tt_config_set(tt_config *config, const char *key, const char *text, tt_error *err)
{
    if (!config || !key || !text)
        return fail_null(err, "a configuration, a key and a text");
    return tt_settings_set(&config->settings, key, tt_str_c(text), err);
}

int tt_config_get(const tt_config *config, const char *key, char *out, size_t size, tt_error *err)
{
    tt_buf text;
    int rc;

    if (!config || !key || !out)
        return fail_null(err, "a configuration, a key and room for the text");
    text = tt_buf_init(&config->a);
    rc = tt_settings_get(&config->settings, key, &text, err);
    if (rc == 0 && !tt_buf_cstr(&text))
        rc = tt_fail_nomem(err);
    if (rc == 0 && text.n >= size)
        rc = tt_fail(err, TT_E_RANGE, "%s: expected room for %zu bytes; got %zu", key, text.n + 1,
                     size);
    if (rc == 0)
        memcpy(out, text.p, text.n + 1);
    tt_buf_free(&text);
    return rc;
}

int tt_config_check(const tt_config *config, tt_error *err)
{
    if (!config)
        return fail_null(err, "a configuration");
    return tt_settings_check(&config->settings, err);
}

static int set_secret(tt_config *config, tt_secret *secret, const char *text, tt_error *err)
{
    tt_secret copy = {0};
    int rc = text ? tt_secret_copy(&config->a, tt_str_c(text), &copy, err) : 0;

    if (rc != 0)
        return rc;
    tt_secret_free(secret);
    *secret = copy;
    return 0;
}

int tt_config_set_password(tt_config *config, const char *password, tt_error *err)
{
    if (!config)
        return fail_null(err, "a configuration");
    return set_secret(config, &config->password, password, err);
}

int tt_config_set_redis_password(tt_config *config, const char *password, tt_error *err)
{
    if (!config)
        return fail_null(err, "a configuration");
    return set_secret(config, &config->redis_password, password, err);
}

void tt_config_set_clock(tt_config *config, const tt_clock *clock)
{
    if (config)
        config->clock = clock ? *clock : tt_clock_system;
}

void tt_config_set_log(tt_config *config, const tt_log_sink *sink)
{
    if (config)
        config->sink = sink ? *sink : (tt_log_sink){0};
}

static int secret_in_force(const tt_secret *set, const struct tt_conf_secret *where,
                           const tt_allocator *a, tt_secret *out, tt_error *err)
{
    if (set->p)
        return tt_secret_copy(a, tt_str_n(set->p, set->n), out, err);
    return tt_secret_read(a, where->env, where->file, out, err);
}

int tt_config_password(const tt_config *config, const tt_allocator *a, tt_secret *out,
                       tt_error *err)
{
    return secret_in_force(&config->password, &config->settings.database.password, a, out, err);
}

int tt_config_redis_password(const tt_config *config, const tt_allocator *a, tt_secret *out,
                             tt_error *err)
{
    return secret_in_force(&config->redis_password, &config->settings.cache.password, a, out, err);
}
