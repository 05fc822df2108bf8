#include "core/grace.h"

void tt_grace_init(tt_grace *g, int64_t grace_ns)
{
    memset(g, 0, sizeof(*g));
    g->grace_ns = grace_ns;
    g->node = g->opened = -1;
}

void tt_grace_confirmed(tt_grace *g, int node, int64_t sent_ns, int64_t now_ns)
{
    if (g->confirmed && sent_ns <= g->confirmed_ns)
        return; /* the answer to an older question says nothing about now */
    if (!g->confirmed || g->node != node)
        g->since_ns = now_ns;
    g->confirmed = true;
    g->node = node;
    g->confirmed_ns = sent_ns;
}

void tt_grace_opened(tt_grace *g, int node, tt_epoch epoch, int64_t now_ns)
{
    if (g->opened == node && memcmp(g->epoch.c, epoch.c, TT_EPOCH_BYTES) == 0)
        return;
    g->opened = node;
    g->epoch = epoch;
    g->since_ns = now_ns;
}

bool tt_grace_allows(const tt_grace *g, int node, tt_epoch epoch, int64_t now_ns)
{
    if (g->grace_ns == 0)
        return true;
    return g->confirmed && g->node == node && g->opened == node &&
           memcmp(g->epoch.c, epoch.c, TT_EPOCH_BYTES) == 0 &&
           now_ns - g->confirmed_ns < g->grace_ns && now_ns - g->since_ns >= g->grace_ns;
}
