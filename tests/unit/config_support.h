/* config_support.h: what the tests of the settings share. */
#ifndef TT_TEST_CONFIG_SUPPORT_H
#define TT_TEST_CONFIG_SUPPORT_H

#include <check.h>
#include <inttypes.h>
#include <stdio.h>

#include "core/config_value.h"

static inline struct tt_settings fresh(void)
{
    struct tt_settings s;

    tt_settings_default(&s);
    return s;
}

static inline int set(struct tt_settings *s, const char *path, const char *text, tt_error *err)
{
    return tt_settings_set(s, path, tt_str_c(text), err);
}

static inline void must_set(struct tt_settings *s, const char *path, const char *text)
{
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(set(s, path, text, &e) == 0, "%s", e.message);
}

/* The value as text, in a buffer that the next call reuses. */
static inline const char *get(const struct tt_settings *s, const char *path)
{
    static char text[16384];
    tt_buf b = tt_buf_init(&tt_allocator_libc);
    tt_error e = TT_ERROR_INIT;

    ck_assert_msg(tt_settings_get(s, path, &b, &e) == 0, "%s", e.message);
    ck_assert_uint_lt(b.n, sizeof(text));
    (void)snprintf(text, sizeof(text), "%s", tt_buf_cstr(&b));
    tt_buf_free(&b);
    return text;
}

/* The text of a number for this key; in milliseconds and bytes, so that none is rounded. */
static inline const char *number_text(const struct tt_key *key, int64_t v)
{
    static char text[32];

    (void)snprintf(text, sizeof(text), "%" PRId64 "%s", v,
                   key->type == TT_SETTING_DURATION ? "ms" : "");
    return text;
}

/* A text of `n` bytes that every form takes. */
static inline const char *long_text(const struct tt_key *key, size_t n)
{
    static char text[TT_CONF_FILE_MAX + 8];

    ck_assert_uint_lt(n, sizeof(text));
    memset(text, 'a', n);
    if (key->form == TT_FORM_SOCKET && n)
        text[0] = '/';
    if (key->form == TT_FORM_TABLE && n > TT_CONF_NAME_MAX)
        text[n / 2] = '.';
    text[n] = '\0';
    return text;
}

#endif
