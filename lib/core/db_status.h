/* db_status.h: how a request to a database node can end, as far as decisions depend on it. */
#ifndef TT_CORE_DB_STATUS_H
#define TT_CORE_DB_STATUS_H

/* What became of a request. */
typedef enum tt_db_status {
    TT_DB_OK = 0,
    TT_DB_REFUSED, /* the server answered with an error: the request had no effect */
    TT_DB_UNSENT,  /* no connection: the request never left */
    TT_DB_LOST, /* the link broke or was aborted after sending: the server may still execute it */
    TT_DB_DEMOTED, /* refused because the node is read-only (1290, 1792, 1836): find the primary */
    TT_DB_LOCAL    /* failed on our side (memory, limits, parameters); the link is usable or is
                      marked broken, and a write may have had its effect only if sent_write says so */
} tt_db_status;

#endif
