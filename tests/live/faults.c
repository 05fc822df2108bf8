/* faults.c: what is done to the servers. */
#include "live/live.h"

#include <hiredis.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/tag.h"
#include "integration/servers.h"

enum { FILLER_BYTES = 2000, FILLERS = 64 };

void faults_up(void)
{
    servers_up("--replicas 2 --redis-maxmemory 64mb");
}

void faults_down(void)
{
    char said[64];

    (void)snprintf(said, sizeof(said), "%s/said", servers_dir);
    (void)unlink(said);
    servers_down();
}

void faults_servers(const char *format, ...)
{
    char rest[160], command[512];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(rest, sizeof(rest), format, args);
    va_end(args);
    (void)snprintf(command, sizeof(command),
                   "set -- %s; verb=$1; shift; '%s' $verb %s \"$@\" "
                   ">/dev/null 2>'%s/said' || { cat '%s/said' >&2; false; }",
                   rest, TT_SERVERS_SCRIPT, servers_dir, servers_dir, servers_dir);
    if (system(command) != 0) {
        (void)fprintf(stderr, "live: the servers did not do: %s\n", rest);
        exit(EXIT_FAILURE);
    }
}

/* Until the tables of this making are there: no read may find those of another. */
static void await_tables(const char *replica, int made)
{
    char command[512];

    (void)snprintf(command, sizeof(command),
                   "for i in $(seq 200); do '%s' sql %s %s 'SELECT n FROM made' 2>/dev/null | "
                   "grep -qx %d && exit 0; sleep 0.1; done; exit 1",
                   TT_SERVERS_SCRIPT, servers_dir, replica, made);
    if (system(command) != 0) {
        (void)fprintf(stderr, "live: %s does not follow\n", replica);
        exit(EXIT_FAILURE);
    }
}

void faults_await(const char *replica)
{
    char command[640];

    (void)snprintf(command, sizeof(command),
                   "at() { '%s' sql %s $1 'SELECT SUM(v) FROM counters; SELECT SUM(ABS(v)) FROM "
                   "pairs'; }; a=$(at $(cat %s/current)); for i in $(seq 200); do "
                   "[ \"$(at %s)\" = \"$a\" ] && exit 0; sleep 0.05; done; exit 1",
                   TT_SERVERS_SCRIPT, servers_dir, servers_dir, replica);
    if (system(command) != 0) {
        (void)fprintf(stderr, "live: %s does not follow\n", replica);
        exit(EXIT_FAILURE);
    }
}

bool faults_is_current(const char *name)
{
    char command[512];

    (void)snprintf(command, sizeof(command),
                   "'%s' sql %s %s 'SELECT @@read_only' 2>/dev/null | grep -qx 0",
                   TT_SERVERS_SCRIPT, servers_dir, name);
    return system(command) == 0;
}

bool faults_all_behind(void)
{
    char command[640];

    (void)snprintf(command, sizeof(command),
                   "at() { '%s' sql %s $1 'SELECT SUM(v) FROM counters' | tail -n 1; }; "
                   "a=$(at $(cat %s/current)); "
                   "for r in replica1 replica2; do [ \"$(at $r)\" -lt \"$a\" ] || exit 1; done",
                   TT_SERVERS_SCRIPT, servers_dir, servers_dir);
    return system(command) == 0;
}

void faults_tables(void)
{
    static int made = 100;
    char command[512];
    FILE *sql;

    made++;
    (void)snprintf(command, sizeof(command), "'%s' sql %s primary >/dev/null", TT_SERVERS_SCRIPT,
                   servers_dir);
    sql = popen(command, "w");
    if (!sql)
        exit(EXIT_FAILURE);
    (void)fputs("DROP TABLE IF EXISTS counters, pairs, made;"
                "CREATE TABLE counters (id INT PRIMARY KEY, g INT NOT NULL, h INT NOT NULL,"
                " v BIGINT NOT NULL, KEY (g)) ENGINE=InnoDB;"
                "CREATE TABLE pairs (p INT NOT NULL, side INT NOT NULL, v BIGINT NOT NULL,"
                " PRIMARY KEY (p, side)) ENGINE=InnoDB;",
                sql);
    for (int i = 0; i < COUNTERS; i++)
        (void)fprintf(sql, "INSERT INTO counters VALUES (%d, %d, %d, 0);", i, i / GROUP,
                      i < LIVING ? i % 4 : 4 + i % 2);
    for (int i = 0; i < PAIRS; i++)
        (void)fprintf(sql, "INSERT INTO pairs VALUES (%d, 0, 0), (%d, 1, 0);", i, i);
    (void)fprintf(sql, "CREATE TABLE made (n INT PRIMARY KEY); INSERT INTO made VALUES (%d);",
                  made);
    if (pclose(sql) != 0) {
        (void)fprintf(stderr, "live: the tables could not be made\n");
        exit(EXIT_FAILURE);
    }
    await_tables("replica1", made);
    await_tables("replica2", made);
}

/* ---- Redis -------------------------------------------------------------------------------------
 */

static redisContext *redis_open(void)
{
    struct timeval patience = {1, 0};
    redisContext *c = redisConnectWithTimeout("127.0.0.1", atoi(getenv("TT_REDIS_PORT")), patience);

    if (c && (c->err || redisSetTimeout(c, patience) != REDIS_OK)) {
        redisFree(c);
        return NULL;
    }
    return c;
}

bool faults_redis(const char *format, ...)
{
    redisContext *c = redis_open();
    redisReply *reply = NULL;
    va_list args;
    bool ok;

    va_start(args, format);
    if (c)
        reply = redisvCommand(c, format, args);
    va_end(args);
    ok = reply && reply->type != REDIS_REPLY_ERROR;
    if (reply && !ok)
        (void)fprintf(stderr, "live: Redis says: %s\n", reply->str);
    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
    return ok;
}

long long faults_redis_number(const char *command)
{
    redisContext *c = redis_open();
    redisReply *reply = c ? redisCommand(c, command) : NULL;
    long long n = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;

    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
    return n;
}

/* The line "field:..." of INFO. */
static bool info_text(const char *field, char *out, size_t size)
{
    redisContext *c = redis_open();
    redisReply *reply = c ? redisCommand(c, "INFO") : NULL;
    bool ok = reply && reply->type == REDIS_REPLY_STRING;
    const char *at = NULL;
    char line[64];

    (void)snprintf(line, sizeof(line), "\n%s:", field);
    if (ok)
        at = strstr(reply->str, line);
    if (at)
        (void)snprintf(out, size, "%.*s", (int)strcspn(at + strlen(line), "\r\n"),
                       at + strlen(line));
    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
    return at != NULL;
}

long long faults_info(const char *field)
{
    char text[48];

    return info_text(field, text, sizeof(text)) ? strtoll(text, NULL, 10) : -1;
}

void faults_run_id(char out[48])
{
    out[0] = '\0';
    for (int i = 0; i < 100 && !info_text("run_id", out, 48); i++)
        live_sleep_ms(50);
}

bool faults_is_mute(void)
{
    struct timeval patience = {0, 100000};
    redisContext *c = redisConnectWithTimeout("127.0.0.1", atoi(getenv("TT_REDIS_PORT")), patience);
    redisReply *reply = NULL;

    if (c && !c->err && redisSetTimeout(c, patience) == REDIS_OK)
        reply = redisCommand(c, "PING");
    if (c)
        redisFree(c);
    if (reply)
        freeReplyObject(reply);
    return !reply;
}

bool faults_is_full(void)
{
    redisContext *c = redis_open();
    redisReply *reply = c ? redisCommand(c, "SET probe 1 PX 1") : NULL;
    bool full = reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "OOM", 3) == 0;

    if (reply)
        freeReplyObject(reply);
    if (c)
        redisFree(c);
    return full;
}

static bool is_marked(redisContext *c, const char *key)
{
    redisReply *reply = redisCommand(c, "GET %s", key);
    tt_tag tag;
    bool marked = reply && reply->type == REDIS_REPLY_STRING &&
                  tt_tag_parse(tt_str_n(reply->str, reply->len), &tag) != TT_TAG_NEWER &&
                  tag.marks.n > 0;

    if (reply)
        freeReplyObject(reply);
    return marked;
}

int faults_marks(void)
{
    redisContext *c = redis_open();
    char cursor[32] = "0";
    int marked = 0;

    if (!c)
        return -1;
    do {
        redisReply *reply = redisCommand(c, "SCAN %s MATCH twotier:t:* COUNT 1000", cursor);

        if (!reply || reply->type != REDIS_REPLY_ARRAY) {
            marked = -1;
            if (reply)
                freeReplyObject(reply);
            break;
        }
        for (size_t i = 0; i < reply->element[1]->elements; i++)
            marked += is_marked(c, reply->element[1]->element[i]->str);
        (void)snprintf(cursor, sizeof(cursor), "%s", reply->element[0]->str);
        freeReplyObject(reply);
    } while (strcmp(cursor, "0") != 0);
    redisFree(c);
    return marked;
}

/* As an eviction does, which spares what has no expiry. */
void faults_delete_tags(const char *pattern)
{
    (void)faults_redis("EVAL %s 0 %s",
                       "for _, key in ipairs(redis.call('KEYS', 'twotier:t:' .. ARGV[1])) do "
                       "if redis.call('PTTL', key) > 0 then redis.call('DEL', key) end end",
                       pattern);
}

void faults_squeeze(int slack_kib)
{
    static char filler[FILLER_BYTES + 1];
    static int number;

    memset(filler, 'x', FILLER_BYTES);
    if (slack_kib > 0)
        (void)faults_redis("CONFIG SET maxmemory %lld",
                           faults_info("used_memory") + slack_kib * 1024LL);
    for (int i = 0; i < FILLERS; i++)
        (void)faults_redis("SET filler:%d %s PX 4000", number++, filler);
}

void faults_unsqueeze(void)
{
    (void)faults_redis("CONFIG SET maxmemory 64mb");
    (void)faults_redis("CONFIG SET maxmemory-policy volatile-lru");
}
