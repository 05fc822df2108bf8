/* twotier: a coherent Redis cache and replica routing for MySQL and MariaDB. This header brings all
 * the others. See README.md for the promise G and its limits, and examples/ for programs.
 */
#ifndef TWOTIER_TWOTIER_H
#define TWOTIER_TWOTIER_H

#include <twotier/client.h>
#include <twotier/config.h>
#include <twotier/error.h>
#include <twotier/host.h>
#include <twotier/observe.h>
#include <twotier/query.h>
#include <twotier/queue.h>
#include <twotier/result.h>
#include <twotier/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The version of the header, and of the library that is linked ("0.1.0"; static memory). */
#define TT_VERSION "0.1.0"
/** Any thread. Never fails. Since 0.1. */
TT_API const char *tt_version(void);

#ifdef __cplusplus
}
#endif
#endif
