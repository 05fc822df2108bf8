#include "core/core.h"

void tt_core_init(tt_core *c, const tt_allocator *a, const tt_rng *rng, const tt_core_config *cfg,
                  const tt_health_config *health, void *(*retain)(void *), void (*release)(void *))
{
    memset(c, 0, sizeof(*c));
    c->a = a;
    c->rng = rng;
    c->cfg = *cfg;
    rng->fill(rng->ctx, &c->random, sizeof(c->random));
    tt_topology_init(&c->topology, a, health);
    tt_flights_init(&c->flights, a, retain, release);
    tt_proofs_init(&c->proofs, a);
    tt_shed_init(&c->shed, cfg->primary_reads);
    tt_list_init(&c->repairs);
    tt_list_init(&c->woken);
}

void tt_core_free(tt_core *c)
{
    tt_link *l;

    while ((l = tt_list_pop(&c->repairs)) != NULL)
        tt_repair_free(c->a, TT_CONTAINER(l, tt_repair, link));
    c->n_repairs = 0;
    tt_proofs_free(&c->proofs);
    tt_topology_free(&c->topology);
}

void tt_core_set_rules(tt_core *c, tt_rules off)
{
    c->rules_off = off;
    c->flights.rules_off = off;
    c->topology.rules_off = off;
}

tt_repair *tt_core_repair(tt_core *c, tt_str server, uint64_t connection, tt_nonce nonce,
                          tt_str position, const tt_str *keys, int n_keys)
{
    tt_repair *r = tt_new(c->a, sizeof(*r));

    if (!r)
        return NULL;
    r->server = r->position = r->keys = tt_buf_init(c->a);
    r->connection = connection;
    r->nonce = nonce;
    tt_buf_put_str(&r->server, server);
    tt_buf_put_str(&r->position, position);
    for (int i = 0; i < n_keys; i++) {
        tt_buf_put_str(&r->keys, keys[i]);
        tt_buf_put_char(&r->keys, '\n');
    }
    if (r->server.failed || r->position.failed || r->keys.failed) {
        tt_repair_free(c->a, r);
        return NULL;
    }
    tt_list_append(&c->repairs, &r->link);
    c->n_repairs++;
    return r;
}

void tt_core_reap(tt_core *c, tt_str key, const tt_mark *mark)
{
    tt_nonce nonce;
    tt_repair *r;

    memcpy(nonce.c, mark->nonce.p, TT_NONCE_BYTES);
    for (tt_link *l = c->repairs.next; l != &c->repairs; l = l->next) {
        r = TT_CONTAINER(l, tt_repair, link);
        if (r->reap && memcmp(r->nonce.c, nonce.c, TT_NONCE_BYTES) == 0 &&
            tt_str_eq(tt_str_n(r->keys.p, r->keys.n - 1), key))
            return;
    }
    if (c->n_repairs >= TT_REPAIRS_MAX)
        return; /* the mark stays, and whoever meets it next reaps it */
    r = tt_core_repair(c, mark->server, mark->connection, nonce, TT_STR("P"), &key, 1);
    if (r)
        r->kill = r->reap = true;
}

void tt_repair_free(const tt_allocator *a, tt_repair *r)
{
    tt_buf_free(&r->server);
    tt_buf_free(&r->position);
    tt_buf_free(&r->keys);
    tt_del(a, r);
}

tt_str tt_number_text(tt_number *n, int64_t v)
{
    size_t at = sizeof(n->c);
    uint64_t left = v > 0 ? (uint64_t)v : 0;

    do
        n->c[--at] = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    return tt_str_n(n->c + at, sizeof(n->c) - at);
}

tt_cmd tt_cmd_get(tt_str key)
{
    tt_cmd cmd;

    cmd.kind = TT_CMD_GET;
    cmd.key = key;
    cmd.n_args = 0;
    return cmd;
}

static tt_cmd with_args(tt_cmd_kind kind, tt_str key, const tt_str *args, int n_args)
{
    tt_cmd cmd;

    TT_ASSERT(n_args >= 1 && n_args <= TT_BATCH_ARGS_MAX);
    cmd.kind = kind;
    cmd.key = key;
    cmd.n_args = n_args;
    memcpy(cmd.args, args, (size_t)n_args * sizeof(*args));
    return cmd;
}

tt_cmd tt_cmd_mark(tt_str key, const tt_str args[4])
{
    return with_args(TT_CMD_MARK, key, args, 4);
}

tt_cmd tt_cmd_script(tt_str key, const tt_str *args, int n_args)
{
    return with_args(TT_CMD_SCRIPT, key, args, n_args);
}
