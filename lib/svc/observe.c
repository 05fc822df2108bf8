#include "svc/observe.h"

#include <twotier/twotier.h>

#include "core/barrier.h"
#include "core/entry.h"
#include "core/tag.h"

/* ---- status ------------------------------------------------------------------------------------
 */

typedef struct node_view {
    char identity[TT_SOURCE_MAX + 1], version[64], trouble[TT_ERROR_MESSAGE_MAX];
    tt_node_state state;
    bool primary, writable, lag_known, vetted;
    int64_t lag_ms, latency_ns, age_ms;
    unsigned in_flight;
} node_view;

static void view_node_locked(const tt_client *c, int i, node_view *v)
{
    const tt_svc_node *s = &c->nodes[i];
    const tt_node *n = &c->core.topology.nodes[i];

    memcpy(v->identity, s->identity, sizeof(v->identity));
    memcpy(v->version, s->version, sizeof(v->version));
    memcpy(v->trouble, s->trouble.message, sizeof(v->trouble));
    v->state = n->state;
    v->primary = i == c->core.topology.primary;
    v->writable = n->writable;
    v->lag_known = n->lag_known;
    v->vetted = n->vetted;
    v->lag_ms = n->lag_ms;
    v->latency_ns = n->latency_ns;
    v->age_ms = n->sampled_ns ? (tt_client_now(c) - n->sampled_ns) / TT_NS_PER_MS : -1;
    v->in_flight = n->in_flight;
}

static void put_node(tt_client *c, int i, tt_writer *w)
{
    tt_nodepool_counts pool = tt_nodepool_count(c->nodes[i].pool);
    node_view v;

    pthread_mutex_lock(&c->mu);
    view_node_locked(c, i, &v);
    pthread_mutex_unlock(&c->mu);
    tt_write_begin(w, NULL, '{');
    tt_write_text(w, "node", tt_str_c(c->nodes[i].name));
    tt_write_text(w, "role", tt_str_c(v.primary ? "primary" : v.writable ? "writable" : "replica"));
    tt_write_text(w, "state", tt_str_c(tt_node_state_name(v.state)));
    tt_write_text(w, "server", tt_str_c(v.identity));
    tt_write_text(w, "version", tt_str_c(v.version));
    if (v.primary)
        tt_write_number(w, "lag_ms", 0);
    else if (v.lag_known)
        tt_write_number(w, "lag_ms", (double)v.lag_ms);
    else
        tt_write_null(w, "lag_ms");
    tt_write_bool(w, "compared", v.vetted || v.primary);
    if (v.age_ms >= 0)
        tt_write_number(w, "checked_ms_ago", (double)v.age_ms);
    else
        tt_write_null(w, "checked_ms_ago");
    tt_write_number(w, "in_flight", v.in_flight);
    tt_write_number(w, "latency_us", (double)v.latency_ns / 1000.0);
    tt_write_number(w, "connections", pool.open);
    tt_write_number(w, "idle", pool.idle);
    tt_write_number(w, "waiting", pool.waiting);
    if (v.trouble[0])
        tt_write_text(w, "trouble", tt_str_c(v.trouble));
    tt_write_end(w, '}');
}

static void put_cache(tt_client *c, tt_writer *w)
{
    tt_cache_peer peer;
    int repairs;

    pthread_mutex_lock(&c->mu);
    repairs = c->core.n_repairs;
    pthread_mutex_unlock(&c->mu);
    tt_write_begin(w, "cache", '{');
    tt_write_text(w, "scope", tt_str_c(c->links ? "shared" : c->local ? "process" : "none"));
    if (c->links) {
        bool up = tt_link_peer(c->links, &peer);

        tt_write_bool(w, "up", up);
        if (up) {
            tt_write_text(w, "version", tt_str_c(peer.version));
            tt_write_text(w, "policy", tt_str_c(peer.policy));
        }
    }
    if (c->local) {
        tt_store_counters n = tt_local_count(c->local);

        tt_write_number(w, "keys", (double)n.entries);
        tt_write_number(w, "bytes", (double)n.bytes);
        tt_write_number(w, "evictions", (double)n.evictions);
    }
    tt_write_number(w, "outstanding", repairs);
    tt_write_end(w, '}');
}

void tt_status_put(tt_client *c, bool json, tt_buf *out)
{
    tt_writer w = {.out = out, .json = json, .first = true};
    int primary;

    pthread_mutex_lock(&c->mu);
    primary = c->core.topology.primary;
    pthread_mutex_unlock(&c->mu);
    tt_write_begin(&w, NULL, '{');
    tt_write_text(&w, "version", tt_str_c(TT_VERSION));
    tt_write_text(&w, "driver", tt_str_c(c->driver->name));
    tt_write_text(&w, "namespace", tt_str_c(c->settings.cache.name_space));
    tt_write_text(&w, "primary", tt_str_c(primary >= 0 ? c->nodes[primary].name : ""));
    put_cache(c, &w);
    tt_write_begin(&w, "nodes", '[');
    for (int i = 0; i < c->n_nodes; i++)
        put_node(c, i, &w);
    tt_write_end(&w, ']');
    tt_write_end(&w, '}');
}

/* ---- explain -----------------------------------------------------------------------------------
 */

/* What the tags ask for, as found in the cache. */
typedef struct asked {
    tt_buf need;
    bool marked, missing, away;
    bool hit;
} asked;

static void put_tag(tt_writer *w, tt_str name, const tt_reply *r, asked *a)
{
    tt_tag tag;
    bool text = r->kind == TT_REPLY_TEXT;
    bool there = text && tt_tag_parse(r->text, &tag) == TT_TAG_VALID;

    tt_write_begin(w, NULL, '{');
    tt_write_text(w, "tag", name);
    if (text && tag.marks.n) { /* also where there is no tag */
        a->marked = true;
        tt_write_text(w, "state", TT_STR("a write is pending"));
    } else if (!there) {
        a->missing = true;
        tt_write_text(w, "state", TT_STR("absent: its history is unknown"));
    } else if (tt_barrier_parse(tag.barrier).p) {
        tt_write_text(w, "state", TT_STR("its history is unknown"));
    } else {
        tt_write_text(w, "state", TT_STR("known"));
        tt_write_text(w, "barrier", tt_barrier_parse(tag.barrier).points);
    }
    if (there)
        tt_barrier_raise(&a->need, tag.barrier);
    tt_write_end(w, '}');
}

static bool is_current(const tt_answers *answers, const tt_keys *keys, const tt_entry *e)
{
    tt_stamp stamp;
    tt_tag tag;

    tt_stamp_init(&stamp, keys->n_tags + 1);
    for (int i = 0; i <= keys->n_tags; i++) {
        const tt_reply *r = &answers->replies[i + 1];

        if (r->kind != TT_REPLY_TEXT || tt_tag_parse(r->text, &tag) != TT_TAG_VALID ||
            tag.marks.n || !tt_tag_of_epoch(&tag, answers->epoch))
            return false;
        tt_stamp_set(&stamp, i, tag.version);
    }
    return tt_str_eq(e->stamp, tt_stamp_str(&stamp)) && tt_str_eq(e->key, keys->bytes);
}

static void put_lookup(tt_client *c, const tt_keys *keys, tt_writer *w, asked *a)
{
    tt_answers answers = tt_answers_init(&c->a);
    tt_cmd cmds[TT_BATCH_MAX];
    tt_batch batch = {cmds, keys->n_tags + 2};
    int64_t until = tt_client_now(c) + atomic_load(&c->cache_timeout_ms) * TT_NS_PER_MS;
    tt_entry entry;

    cmds[0] = tt_cmd_get(keys->entry);
    cmds[1] = tt_cmd_get(c->core.cfg.term_key);
    for (int i = 0; i < keys->n_tags; i++)
        cmds[i + 2] = tt_cmd_get(keys->tags[i]);
    if (c->cache.call(c->cache.ctx, &batch, until, &answers) != 0) {
        a->away = true;
        tt_write_text(w, "cache", TT_STR("cannot be reached: every tag counts as unknown"));
    } else {
        bool found = answers.replies[0].kind == TT_REPLY_TEXT &&
                     tt_entry_parse(answers.replies[0].text, &entry);

        a->hit = found && is_current(&answers, keys, &entry);
        tt_write_text(w, "cache",
                      tt_str_c(a->hit  ? "a valid entry: it would be served"
                               : found ? "an entry, superseded"
                                       : "no entry"));
        tt_write_begin(w, "tags", '[');
        for (int i = 0; i < keys->n_tags; i++)
            put_tag(w, keys->names[i], &answers.replies[i + 2], a);
        tt_write_end(w, ']');
    }
    tt_buf_free(&answers.bytes);
}

static void put_candidates(tt_client *c, const asked *a, bool p, tt_writer *w)
{
    tt_str need = p ? TT_STR("P") : tt_buf_str(&a->need);

    tt_write_begin(w, "candidates", '[');
    for (int i = 0; i < c->n_nodes; i++) {
        const char *refusal;
        bool primary;

        pthread_mutex_lock(&c->mu);
        primary = i == c->core.topology.primary;
        refusal = tt_topology_refusal(&c->core.topology, i, need, tt_client_now(c));
        pthread_mutex_unlock(&c->mu);
        tt_write_begin(w, NULL, '{');
        tt_write_text(w, "node", tt_str_c(c->nodes[i].name));
        if (primary)
            tt_write_text(w, "verdict",
                          tt_str_c(p ? "would serve, once proven" : "if no replica can"));
        else
            tt_write_text(w, "verdict", tt_str_c(refusal ? refusal : "could serve"));
        tt_write_end(w, '}');
    }
    tt_write_end(w, ']');
}

static void put_read(tt_client *c, const tt_session *s, const tt_plan *plan, const tt_keys *keys,
                     tt_writer *w)
{
    asked a = {.need = tt_buf_init(&c->a)};
    bool p;

    tt_write_bool(w, "cached", plan->cached && !plan->no_entry);
    if (plan->cached) {
        tt_write_text(w, "key", keys->entry);
        tt_write_number(w, "ttl_ms", (double)plan->ttl_ms);
        put_lookup(c, keys, w, &a);
    }
    if (s)
        tt_barrier_raise(&a.need, tt_buf_str(&s->seen));
    p = plan->mode == TT_READ_STRONG || a.marked || a.missing || a.away || a.need.failed ||
        tt_barrier_parse(tt_buf_str(&a.need)).p;
    if (!a.hit) {
        tt_write_text(w, "waits_for",
                      p          ? TT_STR("a proven primary")
                      : a.need.n ? tt_barrier_parse(tt_buf_str(&a.need)).points
                                 : TT_STR("nothing"));
        put_candidates(c, &a, p, w);
    }
    tt_buf_free(&a.need);
}

static void put_write(const tt_keys *keys, tt_writer *w)
{
    tt_write_begin(w, "invalidates", '[');
    for (int i = 0; i < keys->n_tags; i++)
        tt_write_text(w, NULL, keys->names[i]);
    tt_write_end(w, ']');
}

void tt_explain_put(tt_client *c, const tt_session *s, const tt_plan *plan, const tt_keys *keys,
                    int plan_code, const tt_error *why, bool json, tt_buf *out)
{
    tt_writer w = {.out = out, .json = json, .first = true};

    tt_write_begin(&w, NULL, '{');
    tt_write_text(&w, "class", tt_str_c(tt_sql_class_name(plan->info.class)));
    tt_write_text(&w, "because", tt_str_c(plan->info.why ? plan->info.why : ""));
    if (plan_code != 0) {
        tt_write_text(&w, "refused", tt_str_c(tt_error_name(plan_code)));
        tt_write_text(&w, "message", tt_str_c(why->message));
    } else if (plan->writes) {
        tt_write_text(&w, "goes_to", TT_STR("the primary"));
        put_write(keys, &w);
    } else {
        put_read(c, s, plan, keys, &w);
    }
    tt_write_end(&w, '}');
}
