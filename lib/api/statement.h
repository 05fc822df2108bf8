/* statement.h: what a tt_statement holds. */
#ifndef TT_API_STATEMENT_H
#define TT_API_STATEMENT_H

#include "svc/plan.h"

struct tt_statement {
    tt_client *c;
    tt_plan plan; /* immutable: shared by threads */
};

#endif
