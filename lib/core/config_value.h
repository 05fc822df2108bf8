/* config_value.h: single values of the configuration as text, without the table of keys. */
#ifndef TT_CORE_CONFIG_VALUE_H
#define TT_CORE_CONFIG_VALUE_H

#include "core/config.h"

/* A short text by value, for messages. */
struct tt_short {
    char c[32];
};

/* Decimal digits, the whole text, no leading zeros (octal to some readers of YAML). */
TT_MUST bool tt_integer_parse(tt_str text, int64_t *out);
/* "250ms", "1s", "30m", "24h", "7d", or "0": whole numbers only. */
TT_MUST bool tt_duration_parse(tt_str text, int64_t *out_ms);
/* "64MiB", "512KiB", "1GiB", "4096". */
TT_MUST bool tt_size_parse(tt_str text, int64_t *out_bytes);
/* The shortest text that parses to the same value. */
struct tt_short tt_duration_text(int64_t ms);
struct tt_short tt_size_text(int64_t bytes);

/* The place of `text` among "off|validate|bounded", or -1. */
int tt_word_index(const char *words, tt_str text);
tt_str tt_word_at(const char *words, int index);

/* Does the text fit the form? An empty one does, whatever the form. */
TT_MUST bool tt_text_fits(tt_text_form form, tt_str text);
TT_MUST bool tt_class_name_fits(tt_str name);

/* "host", "host:port", "[v6]:port" for a URL or a node; the default port is the caller's, in *port.
 * `host` gets the address without brackets. */
TT_MUST bool tt_address_parse(tt_str text, char *host, size_t host_size, int *port);

/* Whole lists and maps; on failure *out is as it was. */
TT_MUST bool tt_nodes_parse(tt_str text, struct tt_conf_nodes *out);
void tt_nodes_put(const struct tt_conf_nodes *nodes, tt_buf *out);
TT_MUST bool tt_classes_parse(tt_str text, const struct tt_key *ttl, struct tt_conf_classes *out);
void tt_classes_put(const struct tt_conf_classes *classes, tt_buf *out);

/* The index of a class, or -1. */
int tt_classes_find(const struct tt_conf_classes *classes, tt_str name);

/* Copy with a closing zero; the caller has checked that it fits. */
void tt_text_store(char *out, size_t size, tt_str text);

#endif
