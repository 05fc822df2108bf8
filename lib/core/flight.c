#include "core/flight.h"

void tt_flights_init(tt_flights *f, const tt_allocator *a, void *(*retain)(void *),
                     void (*release)(void *))
{
    f->a = a;
    f->rules_off = 0;
    f->retain = retain;
    f->release = release;
    for (int i = 0; i < TT_FLIGHT_BUCKETS; i++)
        tt_list_init(&f->buckets[i]);
}

static bool same_versions(const tt_flights *f, const tt_stamp *a, const tt_stamp *b)
{
    if (f->rules_off & TT_RULE_BIT(TT_RULE_FLIGHT_KEYED))
        return true;
    if (f->rules_off & TT_RULE_BIT(TT_RULE_JOIN_ALL_TAGS))
        return a->n == b->n && tt_str_eq(tt_stamp_version(a, a->n > 19 ? 1 : 0),
                                         tt_stamp_version(b, a->n > 19 ? 1 : 0));
    return tt_str_eq(tt_stamp_str(a), tt_stamp_str(b));
}

tt_flight *tt_flight_enter(tt_flights *f, tt_hash128 key, const tt_stamp *stamp, bool *leader)
{
    tt_link *bucket = &f->buckets[key.lo % TT_FLIGHT_BUCKETS];
    tt_flight *flight;

    for (tt_link *l = bucket->next; l != bucket; l = l->next) {
        flight = TT_CONTAINER(l, tt_flight, link);
        if (tt_hash_eq(flight->key, key) && same_versions(f, &flight->stamp, stamp)) {
            flight->refs++;
            *leader = false;
            return flight;
        }
    }
    flight = tt_new(f->a, sizeof(*flight));
    if (!flight)
        return NULL;
    flight->key = key;
    flight->stamp = *stamp;
    flight->refs = 1;
    flight->as_of = tt_buf_init(f->a);
    tt_list_init(&flight->waiters);
    tt_list_append(bucket, &flight->link);
    *leader = true;
    return flight;
}

void tt_flight_wait(tt_flight *flight, tt_waiter *w)
{
    TT_ASSERT(!flight->done);
    tt_list_append(&flight->waiters, &w->link);
}

void tt_flight_finish(tt_flights *f, tt_flight *flight, bool ok, void *result, tt_str as_of,
                      tt_link *woken)
{
    TT_ASSERT(!flight->done);
    tt_list_remove(&flight->link);
    flight->done = true;
    flight->ok = ok;
    if (ok && flight->refs > 1) {
        flight->result = f->retain(result);
        tt_buf_put_str(&flight->as_of, as_of);
        if (flight->as_of.failed)
            tt_buf_clear(&flight->as_of);
    }
    tt_list_splice(woken, &flight->waiters);
}

void tt_flight_leave(tt_flights *f, tt_flight *flight)
{
    if (!flight || --flight->refs > 0)
        return;
    TT_ASSERT(flight->done);
    if (flight->result)
        f->release(flight->result);
    tt_buf_free(&flight->as_of);
    tt_del(f->a, flight);
}
