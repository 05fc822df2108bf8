/* Servers that are killed, and come back. */
#include "demo/demo.h"

enum { READS = 200, SUBJECT = 18, COME_BACK_MS = 20000 };

static void read_many(demo *d, demo_tally *t, const char *asked, bool cached)
{
    for (int i = 0; i < READS; i++) {
        demo_answer a = demo_seats(d, d->client, NULL, 1 + i, cached);

        demo_tally_add(t, d, &a);
    }
    demo_row_tally(d, t, asked);
}

/* ---- a replica ---------------------------------------------------------------------------------
 */

static bool wait_for_replica2(demo *d, int64_t *took_ns)
{
    int64_t began = demo_now_ns();

    do {
        demo_answer a = demo_seats(d, d->client, NULL, SUBJECT, false);

        *took_ns = demo_now_ns() - began;
        if (a.rc == 0 && demo_server_of(d, &a) == DEMO_REPLICA2)
            return true;
        demo_sleep_ms(5);
    } while (*took_ns < (int64_t)COME_BACK_MS * 1000000);
    return false;
}

void demo_replica_dies(demo *d)
{
    demo_tally t = {.total = 0};
    int64_t took_ns = 0;
    bool back;

    demo_title(d, "A replica is killed, and comes back");
    demo_servers(d, "stop", "replica2", "--signal", "KILL");
    read_many(d, &t, "200 reads, not cached, replica 2 killed", false);
    demo_check(d, t.failed == 0 && t.n[DEMO_REPLICA2] == 0,
               "every read was answered, by another server");
    demo_servers(d, "start", "replica2", NULL, NULL);
    back = wait_for_replica2(d, &took_ns);
    demo_check(d, back,
               "started again, replica 2 is compared with the primary and serves after %.1f s",
               (double)took_ns / 1e9);
}

/* ---- Redis -------------------------------------------------------------------------------------
 */

static int64_t stored_seats(demo *d)
{
    demo_question q = {
        .sql = "SELECT seats FROM subjects WHERE id = ?", .id = SUBJECT, .consistency = TT_STRONG};

    return demo_read(d, d->client, NULL, &q).number;
}

/* A write whose readers could not be told is refused, and nothing of it is done. */
static void refuse_write(demo *d, int64_t before)
{
    demo_answer w = demo_set_seats(d->client, NULL, SUBJECT, before + 1);

    demo_show(d, &w, "write subject %d: %lld seats", SUBJECT, (long long)before + 1);
    demo_check(d, w.rc == TT_E_CACHE_UNAVAILABLE && stored_seats(d) == before,
               "refused, as the default is, and nothing was changed");
}

/* Or it is let through, and the cache told later. */
static void defer_write(demo *d, tt_client *deferring, int64_t seats)
{
    demo_answer w = demo_set_seats(deferring, NULL, SUBJECT, seats), a;

    demo_show(d, &w, "the same, configured to defer");
    a = demo_seats(d, d->client, NULL, SUBJECT, true);
    demo_show(d, &a, "read subject %d: %lld seats", SUBJECT, (long long)a.number);
    demo_check(d, w.rc == 0 && w.write.invalidated == TT_INVALIDATED_DEFERRED,
               "written, with a note in the primary of what the cache has to be told");
    demo_check(d, demo_is_fresh(d, &a, seats), "and seen by the next read all the same");
}

/* Reads until one is answered by Redis; all of them have to see `seats`. */
static bool wait_for_redis(demo *d, int64_t seats, int64_t *took_ns)
{
    int64_t began = demo_now_ns();
    bool fresh = true;

    do {
        demo_answer a = demo_seats(d, d->client, NULL, SUBJECT, true);

        fresh = demo_is_fresh(d, &a, seats) && fresh;
        *took_ns = demo_now_ns() - began;
        if (a.rc == 0 && demo_server_of(d, &a) == DEMO_CACHE)
            return fresh;
        demo_sleep_ms(5);
    } while (*took_ns < (int64_t)COME_BACK_MS * 1000000);
    return false;
}

void demo_redis_dies(demo *d)
{
    tt_client *deferring = demo_open(d, "cache.when_unavailable", "defer");
    int64_t before = stored_seats(d), took_ns = 0;
    demo_tally t = {.total = 0};
    demo_answer w, a;
    bool held;

    demo_title(d, "Redis is killed, and comes back empty");
    demo_servers(d, "stop", "redis", "--signal", "KILL");
    read_many(d, &t, "200 reads of cached subjects, Redis killed", true);
    demo_check(d, t.failed == 0 && t.n[DEMO_CACHE] == 0,
               "every read was answered, by the database");
    refuse_write(d, before);
    defer_write(d, deferring, before + 2);
    demo_servers(d, "start", "redis", NULL, NULL);
    held = wait_for_redis(d, before + 2, &took_ns);
    demo_check(d, held, "started again, Redis serves after %.0f ms, with the deferred write in it",
               (double)took_ns / 1e6);
    w = demo_set_seats(d->client, NULL, SUBJECT, before + 3);
    demo_show(d, &w, "write subject %d: %lld seats", SUBJECT, (long long)before + 3);
    a = demo_seats(d, d->client, NULL, SUBJECT, true);
    demo_show(d, &a, "read subject %d: %lld seats", SUBJECT, (long long)a.number);
    demo_check(d, w.write.invalidated == TT_INVALIDATED_DONE && demo_is_fresh(d, &a, before + 3),
               "writes are acknowledged again, and seen");
    tt_client_close(deferring);
}
