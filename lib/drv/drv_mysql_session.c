#include "drv/drv_mysql.h"

/* What a session carries: settings that we make, state that makes it dirty, positions of writes. */

/* ---- setting up ---- */

/* The list of variables that MariaDB reports is kept, and last_gtid appended to it. */
static const char arm_mariadb[] =
    ", autocommit = 1, session_track_state_change = 1, session_track_system_variables = "
    "IF(FIND_IN_SET('last_gtid', REPLACE(@@session.session_track_system_variables, ' ', '')) > 0 "
    "OR @@session.session_track_system_variables = '*', @@session.session_track_system_variables, "
    "CONCAT_WS(',', NULLIF(@@session.session_track_system_variables, ''), 'last_gtid'))"
    /* in these two, names and strings are not what they are everywhere else (core/sql.h) */
    ", sql_mode = TRIM(BOTH ',' FROM REPLACE(REPLACE(CONCAT(',', @@session.sql_mode, ','), "
    "',ORACLE,', ','), ',MSSQL,', ','))";
static const char arm_mysql[] =
    ", autocommit = 1, session_track_state_change = 1, session_track_gtids = OWN_GTID";

bool tt_mysql_is_word(const char *s)
{
    if (!*s)
        return false;
    for (; *s; s++)
        if (!(*s >= 'a' && *s <= 'z') && !(*s >= 'A' && *s <= 'Z') && !(*s >= '0' && *s <= '9') &&
            *s != '_')
            return false;
    return true;
}

/* The names of the character set are said here too: a reset of MariaDB goes back to the server's.
 */
int tt_mysql_make_arm(tt_db_conn *c, const char *charset, const char *time_zone, tt_error *err)
{
    tt_buf text = tt_buf_init(c->a);
    size_t n;

    TT_ASSERT(tt_mysql_is_word(charset) && (!time_zone || !strpbrk(time_zone, "'\\")));
    tt_buf_puts(&text, "SET NAMES ");
    tt_buf_puts(&text, charset);
    tt_buf_puts(&text, c->peer.family == TT_FAMILY_MARIADB ? arm_mariadb : arm_mysql);
    if (time_zone && *time_zone) {
        tt_buf_puts(&text, ", time_zone = '");
        tt_buf_puts(&text, time_zone);
        tt_buf_put_char(&text, '\'');
    }
    tt_buf_put_char(&text, '\0');
    if (text.failed) {
        tt_buf_free(&text);
        return tt_fail_nomem(err);
    }
    c->arm = tt_buf_take(&text, &n);
    return 0;
}

tt_db_status tt_mysql_arm(tt_db_conn *c, tt_error *err)
{
    if (mysql_real_query(&c->mysql, c->arm, strlen(c->arm)) != 0)
        return tt_mysql_failed(c, NULL, PHASE_PREPARE, err);
    c->dirty = false; /* what it has just reported is our own doing */
    return TT_DB_OK;
}

tt_db_status tt_mysql_reset(tt_db_conn *c, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    if (status != TT_DB_OK)
        return status;
    if (mysql_reset_connection(&c->mysql) != 0) {
        status = tt_mysql_failed(c, NULL, PHASE_PREPARE, err);
        c->broken = true; /* in what state, nobody knows */
        return tt_mysql_end(c, status);
    }
    tt_mysql_drop_all(c);
    status = tt_mysql_arm(c, err); /* also clears the bit of a transaction that is gone */
    if (status != TT_DB_OK)
        c->broken = true;
    return tt_mysql_end(c, status);
}

bool tt_mysql_dirty(const tt_db_conn *c)
{
    return c->dirty || (c->mysql.server_status & SERVER_STATUS_IN_TRANS);
}

/* ---- tracking ---- */

void tt_mysql_effect_clear(tt_db_effect *effect)
{
    effect->affected_rows = effect->insert_id = 0;
    effect->position_known = effect->sent_write = false;
    tt_buf_clear(&effect->position);
}

/* One call may report several positions (the statements of a procedure): all or none are known. */
static void add_position(tt_db_conn *c, tt_db_effect *effect, tt_str text)
{
    tt_buf one = tt_buf_init(effect->position.a), all = one;

    if (text.n == 0 || effect->position.failed)
        return;
    if (tt_points_of_write(c->peer.family, text, &one) == 0)
        tt_points_merge(tt_buf_str(&effect->position), tt_buf_str(&one), &all);
    effect->position.n = 0;
    tt_buf_put_str(&effect->position, tt_buf_str(&all));
    if (all.failed || all.n == 0)
        effect->position.failed = true;
    effect->position_known = !effect->position.failed;
    tt_buf_free(&one);
    tt_buf_free(&all);
}

static bool track(tt_db_conn *c, enum enum_session_state_type type, bool first, tt_str *out)
{
    const char *p = NULL;
    size_t n = 0;
    int rc = first ? mysql_session_track_get_first(&c->mysql, type, &p, &n)
                   : mysql_session_track_get_next(&c->mysql, type, &p, &n);

    *out = (tt_str){p, n};
    return rc == 0 && p;
}

/* Variables come as name, value, name, value. */
static void note_last_gtid(tt_db_conn *c, tt_db_effect *effect)
{
    tt_str name, value;

    for (bool more = track(c, SESSION_TRACK_SYSTEM_VARIABLES, true, &name); more;
         more = track(c, SESSION_TRACK_SYSTEM_VARIABLES, false, &name)) {
        if (!track(c, SESSION_TRACK_SYSTEM_VARIABLES, false, &value))
            return;
        if (tt_str_eq(name, TT_STR("last_gtid")))
            add_position(c, effect, value);
    }
}

/* Only an answer with the flag has lists of its own; others still show those of an earlier one. */
void tt_mysql_note(tt_db_conn *c, tt_db_effect *effect)
{
    tt_str text;

    if (!(c->mysql.server_status & SERVER_SESSION_STATE_CHANGED))
        return;
    if (track(c, SESSION_TRACK_STATE_CHANGE, true, &text) && tt_str_eq(text, TT_STR("1")))
        c->dirty = true;
    if (!effect)
        return;
    if (c->peer.family == TT_FAMILY_MARIADB) {
        note_last_gtid(c, effect);
        return;
    }
    for (bool more = track(c, SESSION_TRACK_GTIDS, true, &text); more;
         more = track(c, SESSION_TRACK_GTIDS, false, &text))
        add_position(c, effect, text);
}
