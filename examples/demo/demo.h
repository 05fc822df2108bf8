/* twotier-demo: TeachTrack's data on private servers, and what the library does while they fail. */
#ifndef DEMO_H
#define DEMO_H

#include <stdint.h>
#include <twotier/twotier.h>

#include "common/text.h"
#include "teachtrack/generator.h"

enum { DEMO_NODES = 3, DEMO_TIMES_MAX = 60000, DEMO_CELL_MAX = 160 };

/* Who served a read, for the summary. */
enum demo_server { DEMO_PRIMARY, DEMO_REPLICA1, DEMO_REPLICA2, DEMO_CACHE, DEMO_SERVERS };

typedef struct demo_times {
    uint32_t n;
    uint32_t us[DEMO_TIMES_MAX];
} demo_times;

typedef struct demo {
    const char *config, *tool, *dir;
    tt_client *client;
    char nodes[DEMO_NODES][TT_ERROR_NODE_MAX]; /* host:port by demo_server */
    ex_style style;
    bool utf8, terminal;
    int section, failed_checks, checks;
    int64_t start_ns;

    uint64_t reads, failed_reads, compared, stale;
    demo_times times[DEMO_SERVERS];
} demo;

/* What a read or write answered. */
typedef struct demo_answer {
    int rc;
    tt_error err;
    tt_read_info read;
    tt_write_info write;
    int64_t number; /* first column of the first row; -1 when it is no number */
    int64_t took_ns;
} demo_answer;

/* Who served a number of reads, and their median time. */
typedef struct demo_tally {
    uint32_t n[DEMO_SERVERS];
    uint32_t total, failed;
    demo_times times;
} demo_tally;

/* ---- report.c: what is printed -----------------------------------------------------------------
 */

void demo_legend(demo *d);
void demo_title(demo *d, const char *title);
/* A row of the table: what was asked, who served it, how long it took, why. */
void demo_row(demo *d, const char *asked, const char *served, int64_t took_ns, const char *why);
/* The row of many reads: their number by server, their median time. */
void demo_row_tally(demo *d, demo_tally *t, const char *asked);
/* The row of one answer; `asked` is a format. */
void demo_show(demo *d, const demo_answer *a, const char *asked, ...)
    __attribute__((format(printf, 3, 4)));
/* A claim, and whether it held. */
void demo_check(demo *d, bool held, const char *claim, ...) __attribute__((format(printf, 3, 4)));
void demo_summary(demo *d);
const char *demo_served_by(const demo *d, const demo_answer *a);

/* ---- ask.c: calls of the library, measured and counted ------------------------------------------
 */

/* A read of the public API: NULL `tag` is not cached. */
typedef struct demo_question {
    const char *sql;
    const char *tag;
    int64_t id;
    int32_t consistency;
} demo_question;

extern const char demo_seats_sql[], demo_seats_tag[];

/* Any thread. */
demo_answer demo_read(demo *d, tt_client *client, tt_session *session, const demo_question *q);
/* Seats of a subject, cached or not. */
demo_answer demo_seats(demo *d, tt_client *client, tt_session *session, int64_t subject,
                       bool cached);
demo_answer demo_set_seats(tt_client *client, tt_session *session, int64_t subject, int64_t seats);
/* Is the answer what was written last? Counted for the summary. */
bool demo_is_fresh(demo *d, const demo_answer *a, int64_t expected);
enum demo_server demo_server_of(const demo *d, const demo_answer *a);

void demo_tally_merge(demo_tally *sum, const demo_tally *t);
void demo_tally_add(demo_tally *t, const demo *d, const demo_answer *a);
int64_t demo_median_ns(demo_times *times);

tt_client *demo_open(const demo *d, const char *key, const char *value);
tt_session *demo_session(tt_client *client);
int64_t demo_now_ns(void);
void demo_sleep_ms(int ms);
/* A call that must succeed for the demonstration to go on: else the program ends. */
void demo_must(int rc, const char *what, const tt_error *err);

/* ---- servers.c: the private servers
 * -------------------------------------------------------------- */

int demo_find_nodes(demo *d);
/* Runs the tool: VERB DIR ARGUMENTS. Ends the program when it fails. */
void demo_servers(const demo *d, const char *verb, const char *a, const char *b, const char *c);
/* A number that a server itself answers, asked as administrator, past the library; -1: none. */
int64_t demo_ask_server(const demo *d, const char *name, const char *sql);

/* ---- load.c, steps.c, faults.c
 * ------------------------------------------------------------------- */

/* Loads, and counts on the servers themselves. */
void demo_load(demo *d);
/* Reads until both replicas have served one that has to see `session`'s writes. */
bool demo_wait_replicas(demo *d, tt_session *session, int timeout_ms);

void demo_spread(demo *d);
void demo_cache(demo *d);
void demo_lag(demo *d);
void demo_transaction(demo *d);
void demo_replica_dies(demo *d);
void demo_redis_dies(demo *d);

#endif
