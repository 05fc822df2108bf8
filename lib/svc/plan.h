/* plan.h: a statement made ready: what its text is, how it is to be run, the patterns of its tags.
 * A tt_statement keeps one; tt_query_read and tt_query_write make one for the call. And what a call
 * makes of a plan and its bound values: the keys in the cache. */
#ifndef TT_SVC_PLAN_H
#define TT_SVC_PLAN_H

#include <twotier/query.h>

#include "core/read.h"
#include "core/sql.h"
#include "svc/client.h"

typedef struct tt_plan {
    const tt_allocator *a;
    tt_buf sql;      /* as given, with a closing zero that does not count */
    tt_buf normal;   /* normal form: only of a cached read */
    tt_buf patterns; /* tags, each with a closing zero; those of tables are plain text */
    int n_patterns;
    tt_sql_info info; /* borrows from `sql` */
    bool writes;
    bool cached;
    bool no_entry; /* when cached: its tags count, but its result is not kept */
    bool no_tags;
    bool only_inside; /* of a transaction: a read that is not proved to be one */
    tt_read_mode mode;
    int64_t ttl_ms;
    int timeout_ms; /* 0: the client's */
} tt_plan;

TT_MUST int tt_plan_read(tt_client *c, const char *sql, const tt_read_options *options,
                         tt_plan *out, tt_error *err);
TT_MUST int tt_plan_write(tt_client *c, const char *sql, const tt_write_options *options,
                          tt_plan *out, tt_error *err);
/* How a read of this plan is to be made with this consistency, in the plan's options or those of
 * one call: what is only right on the primary goes there whatever was asked for. 0, TT_E_ARGUMENT,
 * TT_E_UNSUPPORTED. */
TT_MUST int tt_plan_mode(const tt_plan *p, int32_t consistency, tt_read_mode *out, tt_error *err);
/* May it be run outside of a transaction? 0 or TT_E_STATEMENT. */
TT_MUST int tt_plan_check_outside(const tt_plan *p, tt_error *err);
/* Do the patterns of the tags fit the statement? 0 or TT_E_ARGUMENT. */
TT_MUST int tt_plan_check_patterns(const tt_plan *p, tt_error *err);
void tt_plan_free(tt_plan *p);

/* The members of any call: `timeout_ms` from 0 (the default) to TT_TIMEOUT_MS_MAX, `reserved` 0,
 * else TT_E_ARGUMENT. */
TT_MUST int tt_timeout_check(int timeout_ms, int32_t reserved, tt_error *err);
/* Take over the options of one call of a statement (NULL: none), and check what no kind of
 * statement may have. 0, TT_E_ARGUMENT, TT_E_UNSUPPORTED. */
TT_MUST int tt_call_take(tt_call_options *into, const tt_call_options *call, tt_error *err);

#endif
