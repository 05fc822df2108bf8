/* conf_yaml.h: settings from YAML, through the table of keys.
 *
 * A strict subset: one document, a mapping of known keys, block or flow style. Anchors, aliases,
 * tags, repeated keys and keys without a value are refused. A message starts with name, line and
 * column, both counted from 1 (columns in characters): "app.yaml:7:12: database.pool.max: ...".
 */
#ifndef TT_DRV_CONF_YAML_H
#define TT_DRV_CONF_YAML_H

#include "core/config.h"

/* Largest text that is read. */
#define TT_CONF_YAML_MAX (1024 * 1024)

/* Set what the text has, over what `s` has; a list or a map replaces the one before. On failure
 * nothing is changed. `name` stands for the text in messages. The allocator serves what this file
 * needs; libyaml keeps its own.
 * 0, TT_E_CONFIG, TT_E_NOMEM. */
TT_MUST int tt_conf_yaml_parse(const tt_allocator *a, const char *name, tt_str text,
                               struct tt_settings *s, tt_error *err);
/* The same for a file. */
TT_MUST int tt_conf_yaml_load(const tt_allocator *a, const char *path, struct tt_settings *s,
                              tt_error *err);

#endif
