/* Any bytes: refused with a position and nothing changed, or settings of which every value, as
 * text, gives the same value again. */
#include <stdlib.h>

#include "drv/conf_yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
    if (!ok)
        abort();
}

static void through_text(const struct tt_settings *s)
{
    struct tt_settings again;
    size_t n;
    const struct tt_key *keys = tt_settings_keys(&n);

    tt_settings_default(&again);
    for (size_t i = 0; i < n; i++) {
        tt_buf text = tt_buf_init(&tt_allocator_libc);

        if (!tt_setting_value(&keys[i], s))
            continue;
        must(tt_settings_get(s, keys[i].path, &text, NULL) == 0);
        must(tt_settings_set(&again, keys[i].path, tt_buf_str(&text), NULL) == 0);
        must(!tt_settings_differ(s, &again, &keys[i]));
        tt_buf_free(&text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tt_settings s, before;
    tt_error e = TT_ERROR_INIT;
    int rc;

    tt_settings_default(&s);
    before = s;
    rc = tt_conf_yaml_parse(&tt_allocator_libc, "fuzz", tt_str_n(data, size), &s, &e);
    if (rc != 0) {
        must(rc == TT_E_CONFIG && e.code == rc && strncmp(e.message, "fuzz:", 5) == 0);
        must(memcmp(&s, &before, sizeof(s)) == 0);
        return 0;
    }
    through_text(&s);
    rc = tt_settings_check(&s, &e);
    must(rc == 0 || rc == TT_E_CONFIG || rc == TT_E_UNSUPPORTED);
    return 0;
}
