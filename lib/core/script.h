/* script.h: the text of core/cache.lua, made a C array when the library is built. */
#ifndef TT_CORE_SCRIPT_H
#define TT_CORE_SCRIPT_H

#include "base/str.h"

extern const char tt_cache_lua[];
extern const size_t tt_cache_lua_size;

static inline tt_str tt_cache_script(void)
{
    return tt_str_n(tt_cache_lua, tt_cache_lua_size);
}

#endif
