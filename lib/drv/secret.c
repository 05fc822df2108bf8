#include "drv/secret.h"

#include <stdlib.h>

#include "base/err.h"
#include "drv/file.h"

void tt_secret_free(tt_secret *secret)
{
    if (secret->p) {
        explicit_bzero(secret->p, secret->n);
        tt_del(secret->a, secret->p);
    }
    *secret = (tt_secret){0};
}

int tt_secret_copy(const tt_allocator *a, tt_str text, tt_secret *out, tt_error *err)
{
    char *p;

    if (text.n > TT_SECRET_MAX)
        return tt_fail(err, TT_E_LIMIT, "expected a secret of at most %d bytes", TT_SECRET_MAX);
    if (text.n && memchr(text.p, '\0', text.n))
        return tt_fail(err, TT_E_ARGUMENT, "expected a secret without a zero byte");
    p = tt_strndup(a, text.p, text.n);
    if (!p)
        return tt_fail_nomem(err);
    *out = (tt_secret){a, p, text.n};
    return 0;
}

/* What a file or a variable gave: the rules are the same for both. */
static int take(const tt_allocator *a, const char *what, const char *name, tt_str text,
                tt_secret *out, tt_error *err)
{
    if (text.n == 0)
        return tt_fail(err, TT_E_CONFIG, "the %s %.250s that should hold a password is empty", what,
                       name);
    if (text.n > TT_SECRET_MAX)
        return tt_fail(err, TT_E_CONFIG, "the %s %.250s: expected at most %d bytes", what, name,
                       TT_SECRET_MAX);
    if (memchr(text.p, '\0', text.n))
        return tt_fail(err, TT_E_CONFIG, "the %s %.250s holds a zero byte", what, name);
    return tt_secret_copy(a, text, out, err);
}

static int read_env(const tt_allocator *a, const char *env, tt_secret *out, tt_error *err)
{
    const char *value = getenv(env);

    if (!value)
        return tt_fail(err, TT_E_CONFIG,
                       "the environment variable %.250s that should hold a password is not set",
                       env);
    return take(a, "environment variable", env, tt_str_c(value), out, err);
}

static tt_str without_newline(tt_str text)
{
    if (text.n && text.p[text.n - 1] == '\n')
        text.n--;
    if (text.n && text.p[text.n - 1] == '\r')
        text.n--;
    return text;
}

static int read_file(const tt_allocator *a, const char *file, tt_secret *out, tt_error *err)
{
    const size_t max = TT_SECRET_MAX + 2;
    tt_buf b = tt_buf_init(a);
    int rc;

    /* Room for all at once: a buffer that moved would leave a copy behind. */
    if (!tt_buf_reserve(&b, max + 1))
        return tt_fail_nomem(err);
    rc = tt_file_read(file, max, &b, err);
    if (rc == 0)
        rc = take(a, "file", file, without_newline(tt_buf_str(&b)), out, err);
    explicit_bzero(b.p, b.cap);
    tt_buf_free(&b);
    return rc;
}

int tt_secret_read(const tt_allocator *a, const char *env, const char *file, tt_secret *out,
                   tt_error *err)
{
    if (env && env[0])
        return read_env(a, env, out, err);
    if (file && file[0])
        return read_file(a, file, out, err);
    *out = (tt_secret){0};
    return 0;
}
