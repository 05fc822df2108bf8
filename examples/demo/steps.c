/* What the two tiers do while all is well, or late. Each step checks what it claims. */
#include "demo/demo.h"

#include <pthread.h>

enum {
    SUBJECT = 17,
    SCHOOL = 12,
    REPORT_READS = 2000,
    POPULAR = 200,
    CALLERS = 8,
    CALLER_READS = 200
};

static const demo_question school_report = {
    .sql = "SELECT CAST(SUM(l.minutes) AS SIGNED) FROM lessons l "
           "JOIN subjects s ON s.id = l.subject_id WHERE s.school_id = ?",
    .tag = "school:{1}",
    .id = SCHOOL};

static int64_t seats_now(demo *d, int64_t subject)
{
    demo_question q = {
        .sql = "SELECT seats FROM subjects WHERE id = ?", .id = subject, .consistency = TT_STRONG};

    return demo_read(d, d->client, NULL, &q).number;
}

typedef struct caller {
    demo *d;
    pthread_t thread;
    int number;
    demo_tally tally;
} caller;

static void *call(void *arg)
{
    caller *c = arg;

    for (int i = 0; i < CALLER_READS; i++) {
        demo_answer a = demo_seats(c->d, c->d->client, NULL, 1 + c->number * 500 + i, false);

        demo_tally_add(&c->tally, c->d, &a);
    }
    return NULL;
}

/* At the same time: a lone caller would stay with the replica that answers a little faster. */
static void call_together(demo *d, demo_tally *sum)
{
    static caller callers[CALLERS];

    for (int i = 0; i < CALLERS; i++) {
        callers[i] = (caller){.d = d, .number = i};
        demo_must(pthread_create(&callers[i].thread, NULL, call, &callers[i]) ? TT_E_LIMIT : 0,
                  "starting a thread", &(tt_error)TT_ERROR_INIT);
    }
    for (int i = 0; i < CALLERS; i++) {
        (void)pthread_join(callers[i].thread, NULL);
        demo_tally_merge(sum, &callers[i].tally);
    }
}

static bool both_serve(const demo_tally *t)
{
    return t->n[DEMO_REPLICA1] >= t->total / 10 && t->n[DEMO_REPLICA2] >= t->total / 10;
}

void demo_spread(demo *d)
{
    char asked[DEMO_CELL_MAX];
    demo_tally t = {.total = 0};
    demo_answer a;

    demo_title(d, "Reads are spread over the replicas");
    a = demo_seats(d, d->client, NULL, SUBJECT, false);
    demo_show(d, &a, "read subject %d and its teacher, not cached", SUBJECT);
    do { /* a replica that was slow at first gets its share with the next health checks */
        call_together(d, &t);
        demo_sleep_ms(100);
    } while (!both_serve(&t) && t.total < CALLERS * CALLER_READS * 20);
    (void)snprintf(asked, sizeof(asked), "%u such reads, 8 at a time", t.total);
    demo_row_tally(d, &t, asked);
    demo_check(d, t.failed == 0 && both_serve(&t), "both replicas took part");
    demo_check(d, t.n[DEMO_PRIMARY] <= t.total / 10, "the primary is left to the writes");
}

void demo_cache(demo *d)
{
    uint64_t random = 7;
    demo_tally t = {.total = 0};
    demo_answer first, second;

    demo_title(d, "What is asked again comes from the cache");
    first = demo_read(d, d->client, NULL, &school_report);
    demo_show(d, &first, "read minutes taught at school %d", SCHOOL);
    second = demo_read(d, d->client, NULL, &school_report);
    demo_show(d, &second, "read the same again");
    demo_check(d,
               demo_server_of(d, &first) != DEMO_CACHE && demo_server_of(d, &second) == DEMO_CACHE,
               "the first answer came from a server, the second from Redis");
    demo_check(d, first.rc == 0 && first.number > 0 && first.number == second.number,
               "both are %lld minutes", (long long)second.number);
    for (int i = 0; i < REPORT_READS; i++) {
        uint32_t below = 1 + teach_below(&random, POPULAR); /* small ids are asked for more often */
        demo_answer a = demo_seats(d, d->client, NULL, 1 + teach_below(&random, below), true);

        demo_tally_add(&t, d, &a);
    }
    demo_row_tally(d, &t, "2000 reads of 200 subjects");
    demo_check(d, t.failed == 0 && t.n[DEMO_CACHE] >= REPORT_READS - POPULAR,
               "each subject was read from a server once, and from Redis ever after");
}

/* ---- a late replica ----------------------------------------------------------------------------
 */

static void write_and_read(demo *d, int rounds)
{
    demo_tally t = {.total = 0};
    int fresh = 0;

    for (int i = 0; i < rounds; i++)
        (void)demo_seats(d, d->client, NULL, 1000 + i, true);
    for (int i = 0; i < rounds; i++) {
        int64_t subject = 1000 + i, seats = 100 + i;
        demo_answer w = demo_set_seats(d->client, NULL, subject, seats);
        demo_answer a = demo_seats(d, d->client, NULL, subject, true);

        fresh += w.rc == 0 && demo_is_fresh(d, &a, seats);
        demo_tally_add(&t, d, &a);
    }
    demo_row_tally(d, &t, "100 writes, each followed by a read");
    demo_check(d, fresh == rounds, "%d of %d reads saw the write before them", fresh, rounds);
}

/* Asked for without the promise, for contrast: a server may be late, and the library says so. */
static void read_eventually(demo *d)
{
    demo_tally t = {.total = 0};
    int old = 0, labelled = 0;

    for (int i = 0; i < 100; i++) {
        demo_question q = {.sql = demo_seats_sql, .id = 1000 + i, .consistency = TT_EVENTUAL};
        demo_answer a = demo_read(d, d->client, NULL, &q);

        old += a.number != 100 + i;
        labelled += a.read.stale;
        demo_tally_add(&t, d, &a);
    }
    demo_row_tally(d, &t, "100 reads of them, staleness allowed");
    demo_check(d, labelled == 100,
               "%d of these were old: allowed by the caller only, and labelled as stale", old);
}

static void take_token(demo *d)
{
    tt_client *other = demo_open(d, NULL, NULL);
    tt_session *here = demo_session(d->client), *there = demo_session(other);
    tt_error err = TT_ERROR_INIT;
    char token[TT_TOKEN_MAX];
    demo_answer w, a;
    int fresh = 0;

    demo_title(d, "A session is carried to a second client as a token");
    w = demo_set_seats(d->client, here, SUBJECT, 77);
    demo_show(d, &w, "write subject %d: 77 seats, client A", SUBJECT);
    demo_must(tt_session_token(here, token, sizeof(token), &err), "taking the token", &err);
    demo_must(tt_session_adopt(there, token, &err), "adopting the token", &err);
    for (int i = 0; i < 20; i++) {
        a = demo_seats(d, other, there, SUBJECT, false);
        fresh += demo_is_fresh(d, &a, 77);
    }
    demo_show(d, &a, "read subject %d, client B, with the token", SUBJECT);
    demo_check(d, w.rc == 0 && fresh == 20,
               "%d of 20 uncached reads of client B saw it; token %.40s", fresh, token);
    tt_session_free(there);
    tt_session_free(here);
    tt_client_close(other);
}

static void catch_up(demo *d)
{
    tt_session *session = demo_session(d->client);
    demo_answer w = demo_set_seats(d->client, session, SUBJECT, 78);
    bool both;

    demo_servers(d, "lag", "replica1", "0", NULL);
    both = w.rc == 0 && demo_wait_replicas(d, session, 20000);
    demo_check(d, both, "no longer delayed, replica 1 catches up and serves again");
    tt_session_free(session);
}

void demo_lag(demo *d)
{
    tt_client *other = demo_open(d, NULL, NULL);
    int64_t before = seats_now(d, SUBJECT), behind;
    demo_answer w, a, b;

    demo_servers(d, "lag", "replica1", "3", NULL);
    demo_title(d, "A write is seen by the next read, though replica 1 is 3 s late");
    a = demo_seats(d, d->client, NULL, SUBJECT, true);
    demo_show(d, &a, "read subject %d, cached: %lld seats", SUBJECT, (long long)a.number);
    w = demo_set_seats(d->client, NULL, SUBJECT, before + 5);
    demo_show(d, &w, "write subject %d: %lld seats", SUBJECT, (long long)before + 5);
    a = demo_seats(d, d->client, NULL, SUBJECT, true);
    demo_show(d, &a, "read subject %d, cached: %lld seats", SUBJECT, (long long)a.number);
    b = demo_seats(d, other, NULL, SUBJECT, true);
    demo_show(d, &b, "read subject %d, second client: %lld seats", SUBJECT, (long long)b.number);
    behind = demo_ask_server(d, "replica1", "SELECT seats FROM subjects WHERE id = 17");
    demo_check(d, demo_is_fresh(d, &a, before + 5) && demo_is_fresh(d, &b, before + 5),
               "both clients see the new number at once");
    demo_check(d, behind == before, "asked directly, replica 1 still says %lld", (long long)behind);
    write_and_read(d, 100);
    read_eventually(d);
    tt_client_close(other);
    take_token(d);
    catch_up(d);
}

/* ---- a transaction -----------------------------------------------------------------------------
 */

static void move_seat(demo *d, tt_session *session, int64_t from, int64_t to, int64_t left[2])
{
    demo_answer a = demo_set_seats(d->client, session, from, left[0]);
    demo_answer b = demo_set_seats(d->client, session, to, left[1]);

    demo_must(a.rc, "the transaction", &a.err);
    demo_must(b.rc, "the transaction", &b.err);
    demo_show(d, &a, "write seats of subjects %lld and %lld", (long long)from, (long long)to);
}

static bool see(demo *d, int64_t subject, int64_t expected, const char *when, enum demo_server *by)
{
    demo_answer a = demo_seats(d, d->client, NULL, subject, true);

    demo_show(d, &a, "read subject %lld%s: %lld seats", (long long)subject, when,
              (long long)a.number);
    if (by)
        *by = demo_server_of(d, &a);
    return demo_is_fresh(d, &a, expected);
}

void demo_transaction(demo *d)
{
    tt_session *session = demo_session(d->client);
    tt_error err = TT_ERROR_INIT;
    int64_t x = seats_now(d, 21), y = seats_now(d, 22), next[2] = {x - 1, y + 1};
    enum demo_server by;
    bool held;

    demo_title(d, "A transaction is seen as a whole, when it commits");
    (void)demo_seats(d, d->client, NULL, 21, true);
    (void)demo_seats(d, d->client, NULL, 22, true);
    demo_must(tt_begin(session, NULL, &err), "begin", &err);
    move_seat(d, session, 21, 22, next);
    held = see(d, 21, x, ", before the commit", NULL);
    demo_must(tt_commit(session, NULL, NULL, &err), "commit", &err);
    held = see(d, 21, x - 1, ", after the commit", NULL) && held;
    held = see(d, 22, y + 1, ", after the commit", NULL) && held;
    demo_check(d, held, "nothing before the commit, both changes after it");
    (void)demo_seats(d, d->client, NULL, 22, true);
    next[0] = next[1] = 0;
    demo_must(tt_begin(session, NULL, &err), "begin", &err);
    move_seat(d, session, 21, 22, next);
    demo_must(tt_rollback(session, &err), "rollback", &err);
    held = see(d, 22, y + 1, ", after a rollback", &by);
    demo_check(d, held && by == DEMO_CACHE, "after a rollback the cached entry is still good");
    tt_session_free(session);
}
