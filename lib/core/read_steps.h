/* read_steps.h: the parts of a read's machine, internal to core/read*.c. Each takes the operation
 * as it is and leaves in `act` what to do next. */
#ifndef TT_CORE_READ_STEPS_H
#define TT_CORE_READ_STEPS_H

#include "core/barrier.h"
#include "core/read.h"

enum { TT_READ_RESTARTS_MAX = 6 };

static inline bool tt_read_rule(const tt_read_op *op, tt_rule r)
{
    return tt_core_rule(op->core, r);
}

static inline void tt_read_note(tt_read_op *op, tt_note n)
{
    op->notes |= TT_NOTE_BIT(n);
}

/* What the tags and the session ask for. One for which there was no memory is P. */
static inline tt_barrier tt_read_need(const tt_read_op *op)
{
    tt_barrier need = tt_barrier_parse(tt_buf_str(&op->need));

    need.p = need.p || op->need.failed;
    return need;
}

/* read.c */
void tt_read_send(tt_read_op *op, tt_act *act, tt_read_phase phase, int n_cmds);
void tt_read_discover(tt_read_op *op, int code, tt_act *act);
void tt_read_drop_flight(tt_read_op *op);
void tt_read_drop_place(tt_read_op *op);
void tt_read_drop_proof(tt_read_op *op);
void tt_read_end(tt_read_op *op, int code, tt_act *act);
void tt_read_enter_flight(tt_read_op *op, int64_t now_ns, tt_act *act);
tt_batch tt_read_lease(tt_read_op *op);
void tt_read_park(tt_read_op *op, tt_read_phase phase, int64_t until_ns, tt_act *act);
void tt_read_restart(tt_read_op *op, int64_t now_ns, tt_act *act);

/* read_tags.c */
void tt_read_add_session(tt_read_op *op);
void tt_read_after_lookup(tt_read_op *op, const tt_answers *answers, tt_act *act);
void tt_read_after_open(tt_read_op *op, const tt_answers *answers, int64_t now_ns, tt_act *act);
bool tt_read_is_hit(tt_read_op *op, const tt_reply *found);
bool tt_read_is_of_read(tt_read_op *op, tt_str found);
void tt_read_lookup(tt_read_op *op, tt_act *act);
void tt_read_open_tags(tt_read_op *op, tt_act *act);
void tt_read_settle_view(tt_read_op *op, int64_t now_ns, tt_act *act);
void tt_read_take_hit(tt_read_op *op, tt_act *act);

/* read_source.c */
void tt_read_after_proof(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act);
void tt_read_after_proof_queue(tt_read_op *op, int64_t now_ns, tt_act *act);
void tt_read_after_shed(tt_read_op *op, int64_t now_ns, tt_act *act);
void tt_read_source(tt_read_op *op, int64_t now_ns, tt_act *act);

/* read_rows.c */
void tt_read_after_rows(tt_read_op *op, const tt_event *ev, int64_t now_ns, tt_act *act);

#endif
