/* metrics.h: counters and latencies, and their text. */
#ifndef TT_SVC_METRICS_H
#define TT_SVC_METRICS_H

#include <twotier/query.h>

#include "svc/client.h"

/* A read was served in `took_ns`. */
void tt_metrics_served(tt_client *c, tt_source source, int64_t took_ns);
/* All metrics in the text format of Prometheus. */
void tt_metrics_put(tt_client *c, tt_buf *out);

#endif
