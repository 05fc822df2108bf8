/* file.h: a whole file of bounded size. */
#ifndef TT_DRV_FILE_H
#define TT_DRV_FILE_H

#include <twotier/error.h>

#include "base/buf.h"

/* Append all of the file to `out`; the buffer does not move when there is room for max_bytes + 1
 * more already. Never blocks on a pipe without a writer: such a file is empty.
 * 0, TT_E_CONFIG (cannot be read, or longer than max_bytes; the message names the file),
 * TT_E_NOMEM. */
TT_MUST int tt_file_read(const char *path, size_t max_bytes, tt_buf *out, tt_error *err);

#endif
