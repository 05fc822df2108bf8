/* Steps of one write. */
#include "unit/core_support.h"

#include <stdio.h>

#include <twotier/error.h>

#include "core/write.h"

#define MS TT_NS_PER_MS

#define TERM "0123456789abcdef"
#define VERSION "versionversion11"
#define EPOCH "epochepochepoch1"

typedef struct bench {
    tt_rng rng;
    tt_core core;
    tt_str tag_key;
    tt_write_request rq;
    tt_write_op op;
    tt_act act;
    tt_answers answers;
    char tag[300], term[200];
} bench;

/* Up to the marks, which are on their way. */
static void set_up(bench *b)
{
    tt_core_config cfg = {.cache = true,
                          .intent = true,
                          .mark_timeout_ms = 1000,
                          .tag_ttl_ms = 1000,
                          .term_key = TT_STR("term")};

    memset(b, 0, sizeof(*b));
    b->rng = (tt_rng){fill_alike, NULL};
    core_with_primary(&b->core, &tt_allocator_libc, &b->rng, &cfg, TERM, 1 * MS);
    b->tag_key = TT_STR("tag");
    b->rq = (tt_write_request){.tag_keys = &b->tag_key, .n_tags = 1, .deadline_ns = 1000 * MS};
    tt_write_init(&b->op, &b->core, &b->rq, NULL);
    tt_write_step(&b->op, &(tt_event){0}, 2 * MS, &b->act);
    ck_assert_int_eq(b->act.what, TT_DO_ACQUIRE);
    tt_write_step(&b->op, &(tt_event){.identity = TT_STR("id-1"), .connection = 9}, 2 * MS,
                  &b->act);
    ck_assert_int_eq(b->act.what, TT_DO_CACHE);
}

static void tear_down(bench *b)
{
    tt_write_finish(&b->op);
    tt_core_free(&b->core);
}

/* `nonce` is of the mark that is there. */
static void answer_marks(bench *b, char term_protocol, char tag_protocol, const char *nonce)
{
    (void)snprintf(b->term, sizeof(b->term), "T%c " TERM " " EPOCH " id-1", term_protocol);
    (void)snprintf(b->tag, sizeof(b->tag), "T%c " VERSION " " EPOCH " P %.16s,2000,id-1,9",
                   tag_protocol, nonce);
    b->answers.ok = true;
    b->answers.epoch = epoch_of(EPOCH);
    b->answers.now_ms = 1000;
    b->answers.n = 2;
    b->answers.replies[0] = (tt_reply){TT_REPLY_TEXT, tt_str_c(b->term)};
    b->answers.replies[1] = (tt_reply){TT_REPLY_TEXT, tt_str_c(b->tag)};
    tt_write_step(&b->op, &(tt_event){.cache = &b->answers}, 2 * MS, &b->act);
}

/* A mark that a later release does not understand protects nothing: the write is refused before
 * anything is sent to the database. */
START_TEST(with_a_later_protocol_a_cached_write_is_refused)
{
    static const char *const protocols[] = {"11", "12", "21", "22"};

    for (int i = 0; i < 4; i++) {
        bench b;

        set_up(&b);
        answer_marks(&b, protocols[i][0], protocols[i][1], b.op.nonce.c);
        if (i == 0) {
            ck_assert_int_eq(b.act.what, TT_DO_EXECUTE);
        } else {
            ck_assert_int_eq(b.act.what, TT_DO_DONE);
            ck_assert_int_eq(b.op.code, TT_E_CACHE_UNAVAILABLE);
        }
        tear_down(&b);
    }
}
END_TEST

/* A mark that is not to be seen at its tag is not there: it is made by the script, or the writer
 * that dies after its commit leaves nothing behind that tells. */
START_TEST(a_mark_must_be_seen_before_the_write)
{
    for (int off = 0; off < 2; off++) {
        bench b;

        set_up(&b);
        if (off)
            tt_core_set_rules(&b.core, TT_RULE_BIT(TT_RULE_MARK_SEEN)); /* MARK_SEEN */
        answer_marks(&b, '1', '1', "of-another-write");
        ck_assert_int_eq(b.act.what, off ? TT_DO_EXECUTE : TT_DO_CACHE);
        if (!off)
            ck_assert(tt_str_eq(b.act.batch.cmds[1].args[0], TT_STR("mark")));
        tear_down(&b);
    }
}
END_TEST

int main(void)
{
    TCase *t = tcase_create("write");

    tcase_add_test(t, with_a_later_protocol_a_cached_write_is_refused);
    tcase_add_test(t, a_mark_must_be_seen_before_the_write);
    return suite_run("write", t);
}
