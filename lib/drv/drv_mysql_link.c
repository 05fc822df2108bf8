#include "drv/drv_mysql.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

/* Between two looks at a login under way, should the library wait for something else than bytes. */
#define LOGIN_LOOK_MS 5

/* Where the two client libraries differ. */

#if TT_LINKS_MARIADB
const char tt_mysql_library[] = "mariadb " MARIADB_PACKAGE_VERSION;
#else
const char tt_mysql_library[] = "mysql " MYSQL_SERVER_VERSION;
#endif

/* ---- threads ---- */

static pthread_once_t started = PTHREAD_ONCE_INIT;
static int start_result;

#if TT_LINKS_MARIADB

void tt_mysql_thread(void)
{
    /* mysql_thread_init does nothing here */
}

static bool make_thread_key(void)
{
    return true;
}

#else

static pthread_key_t thread_key;
static _Thread_local bool thread_ready;

static void end_thread(void *ignored)
{
    (void)ignored;
    mysql_thread_end();
}

static bool make_thread_key(void)
{
    return pthread_key_create(&thread_key, end_thread) == 0;
}

void tt_mysql_thread(void)
{
    if (thread_ready)
        return;
    (void)mysql_thread_init();
    (void)pthread_setspecific(thread_key, &thread_key);
    thread_ready = true;
}

#endif

/* Both libraries set SIGPIPE to ignored here, for the whole process: that is the host's to decide.
 */
static void start_once(void)
{
    struct sigaction before;
    bool known = sigaction(SIGPIPE, NULL, &before) == 0;

    start_result = make_thread_key() && mysql_library_init(0, NULL, NULL) == 0 ? 0 : TT_E_NOMEM;
    if (known)
        (void)sigaction(SIGPIPE, &before, NULL);
}

int tt_db_driver_start(tt_error *err)
{
    (void)pthread_once(&started, start_once);
    if (start_result != 0)
        return tt_fail(err, start_result, "the client library (%s) did not start",
                       tt_mysql_library);
    return 0;
}

/* ---- SIGPIPE ---- */

/* Connector/C writes with MSG_NOSIGNAL, through GnuTLS as well; through OpenSSL it does not, and
 * Oracle's library never does. There the signal is blocked in the calling thread for the time of a
 * call (two system calls, about a quarter of a microsecond each), and taken away if one came. */
static bool needs_guard(MYSQL *mysql)
{
    return !TT_LINKS_MARIADB || mysql_get_ssl_cipher(mysql) != NULL;
}

static sigset_t pipe_alone(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGPIPE);
    return set;
}

void tt_mysql_guard(tt_db_conn *c)
{
    sigset_t set = pipe_alone();

    (void)pthread_sigmask(SIG_BLOCK, &set, &c->signals_before);
}

/* A thread that had SIGPIPE blocked itself may have had one waiting: that one is not ours to take,
 * and one more beside it makes no difference. */
void tt_mysql_unguard(tt_db_conn *c, bool failed)
{
    static const struct timespec at_once = {0, 0};
    sigset_t set = pipe_alone();

    if (sigismember(&c->signals_before, SIGPIPE))
        return;
    if (failed)
        (void)sigtimedwait(&set, NULL, &at_once);
    (void)pthread_sigmask(SIG_SETMASK, &c->signals_before, NULL);
}

/* ---- TLS ---- */

static bool is(const char *s, const char *word)
{
    return s && strcmp(s, word) == 0;
}

#if TT_LINKS_MARIADB

/* It has no mode that checks the certificate and not the name: verify_ca checks both, too. */
static int set_tls(MYSQL *mysql, const char *mode)
{
    tt_flag yes = 1, no = 0;
    bool verify = is(mode, "verify_ca") || is(mode, "verify");

    if (is(mode, "off"))
        return mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &no);
    if (mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes) != 0)
        return 1;
    return mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, verify ? &yes : &no);
}

static int socket_of(MYSQL *mysql)
{
    return (int)mysql_get_socket(mysql);
}

static bool log_in(MYSQL *mysql, const tt_db_target *t)
{
    return mysql_real_connect(mysql, t->host, t->user, t->password, t->schema, t->port, t->socket,
                              CLIENT_MULTI_RESULTS) != NULL;
}

/* It asks the server for its key by itself, where one is needed. But it would say the password in
 * clear to any server that asks for it (mysql_clear_password, dialog): that is for connections
 * whose certificate is checked, the only ones that are TLS for certain before that question. */
static int set_password_exchange(MYSQL *mysql, const char *tls_mode)
{
#if MARIADB_PACKAGE_VERSION_ID >= 30300
    if (!is(tls_mode, "verify_ca") && !is(tls_mode, "verify"))
        return mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH,
                              "mysql_native_password,client_ed25519,caching_sha2_password,"
                              "sha256_password,auth_gssapi_client,parsec");
#endif
    (void)mysql;
    (void)tls_mode;
    return 0;
}

#else

static int set_tls(MYSQL *mysql, const char *mode)
{
    unsigned word = is(mode, "off")         ? SSL_MODE_DISABLED
                    : is(mode, "require")   ? SSL_MODE_REQUIRED
                    : is(mode, "verify_ca") ? SSL_MODE_VERIFY_CA
                                            : SSL_MODE_VERIFY_IDENTITY;

    return mysql_options(mysql, MYSQL_OPT_SSL_MODE, &word);
}

static int socket_of(MYSQL *mysql)
{
    return mysql->net.vio ? (int)mysql->net.fd : -1;
}

/* Its timeout ends with the server's greeting, and its calls that do not block do so all the same
 * where the server asks for another way to log in. So a thread ends the connection when the time is
 * over. The socket is a duplicate, whose number nobody else is given meanwhile. */
typedef struct login_limit {
    pthread_t thread;
    pthread_mutex_t mu;
    pthread_cond_t over;
    struct timespec until;
    int socket;
    bool done; /* guarded by mu */
} login_limit;

static void *limit_main(void *ctx)
{
    login_limit *l = ctx;
    int rc = 0;

    (void)pthread_mutex_lock(&l->mu);
    while (!l->done && rc == 0)
        rc = pthread_cond_timedwait(&l->over, &l->mu, &l->until);
    if (!l->done)
        (void)shutdown(l->socket, SHUT_RDWR);
    (void)pthread_mutex_unlock(&l->mu);
    return NULL;
}

static bool start_limit(login_limit *l, int fd, int64_t left_ms)
{
    pthread_condattr_t attr;
    sigset_t all, before;
    int64_t until_ns = tt_now_ns(&tt_clock_system) + left_ms * TT_NS_PER_MS;
    bool runs;

    *l = (login_limit){.socket = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    l->until = (struct timespec){until_ns / TT_NS_PER_S, until_ns % TT_NS_PER_S};
    if (l->socket < 0)
        return false;
    (void)pthread_mutex_init(&l->mu, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->over, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    runs = pthread_create(&l->thread, NULL, limit_main, l) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (runs)
        return true;
    (void)close(l->socket);
    (void)pthread_cond_destroy(&l->over);
    (void)pthread_mutex_destroy(&l->mu);
    return false;
}

static void end_limit(login_limit *l)
{
    (void)pthread_mutex_lock(&l->mu);
    l->done = true;
    (void)pthread_cond_signal(&l->over);
    (void)pthread_mutex_unlock(&l->mu);
    (void)pthread_join(l->thread, NULL);
    (void)close(l->socket);
    (void)pthread_cond_destroy(&l->over);
    (void)pthread_mutex_destroy(&l->mu);
}

/* (MySQL 9.7 C API Developer Guide, "mysql_real_connect_nonblocking()".) */
static bool log_in(MYSQL *mysql, const tt_db_target *t)
{
    int64_t began_ns = tt_now_ns(&tt_clock_system);
    bool limited = false;
    login_limit limit;
    enum net_async_status status;

    while ((status = mysql_real_connect_nonblocking(mysql, t->host, t->user, t->password, t->schema,
                                                    t->port, t->socket, CLIENT_MULTI_RESULTS)) ==
           NET_ASYNC_NOT_READY) {
        struct pollfd p = {socket_of(mysql), POLLIN, 0};
        int64_t spent_ms = (tt_now_ns(&tt_clock_system) - began_ns) / TT_NS_PER_MS;

        if (!limited && p.fd >= 0) {
            limited = start_limit(&limit, p.fd, t->connect_timeout_ms - spent_ms);
            if (!limited)
                (void)shutdown(p.fd, SHUT_RDWR); /* it fails, rather than be without end */
        }
        (void)poll(&p, 1, LOGIN_LOOK_MS);
    }
    if (limited)
        end_limit(&limit);
    return status == NET_ASYNC_COMPLETE;
}

/* Without TLS a password goes encrypted with the server's key, which must be asked for. */
static int set_password_exchange(MYSQL *mysql, const char *tls_mode)
{
    tt_flag yes = 1;

    return is(tls_mode, "off") ? mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes) : 0;
}

#endif

/* ---- connect and close ---- */

static bool tls_mode_known(const char *mode)
{
    return !mode || is(mode, "off") || is(mode, "require") || is(mode, "verify_ca") ||
           is(mode, "verify");
}

static int set_options(MYSQL *mysql, const tt_db_target *t, const char *charset)
{
    /* The libraries count in seconds. */
    unsigned timeout_s = (unsigned)(TT_MAX(t->connect_timeout_ms, 1) + 999) / 1000;
    unsigned protocol = t->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    unsigned no_files = 0;
    tt_flag no = 0;
    int failed = mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &timeout_s);

    failed |= mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    failed |= mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &no_files);
    failed |= mysql_options(mysql, MYSQL_REPORT_DATA_TRUNCATION, &no);
    failed |= mysql_options(mysql, MYSQL_SET_CHARSET_NAME, charset);
    failed |= set_password_exchange(mysql, t->tls_mode);
    if (t->tls_ca)
        failed |= mysql_options(mysql, MYSQL_OPT_SSL_CA, t->tls_ca);
    if (t->tls_mode)
        failed |= set_tls(mysql, t->tls_mode);
    return failed;
}

static void learn_version(tt_db_peer *peer, const char *version)
{
    static const char prefix[] = "5.5.5-"; /* MariaDB, for the sake of old replicas */

    if (!version)
        version = "";
    peer->family = strstr(version, "MariaDB") || strstr(version, "mariadb") ? TT_FAMILY_MARIADB
                                                                            : TT_FAMILY_MYSQL;
    if (strncmp(version, prefix, sizeof(prefix) - 1) == 0)
        version += sizeof(prefix) - 1;
    (void)snprintf(peer->version, sizeof(peer->version), "%s", version);
}

static tt_db_conn *new_conn(const tt_allocator *a, const tt_db_target *t)
{
    tt_db_conn *c = tt_new(a, sizeof(*c));

    if (!c)
        return NULL;
    c->a = a;
    c->fd = -1;
    c->max_statements = TT_MAX(t->max_statements, 1u);
    c->buckets = 8;
    while (c->buckets < c->max_statements && c->buckets < 4096)
        c->buckets *= 2;
    c->scratch = tt_buf_init(a);
    tt_list_init(&c->by_use);
    atomic_init(&c->call, CALL_NONE);
    c->bucket = tt_new_array(a, c->buckets, sizeof(*c->bucket));
    if (!c->bucket || !mysql_init(&c->mysql)) {
        tt_del(a, c->bucket);
        tt_del(a, c);
        return NULL;
    }
    if (t->socket)
        (void)snprintf(c->node, sizeof(c->node), "%s", t->socket);
    else
        (void)snprintf(c->node, sizeof(c->node), "%s:%u", t->host ? t->host : "localhost", t->port);
    return c;
}

/* Who is there, in one statement. */
static tt_db_status learn_peer(tt_db_conn *c, tt_error *err)
{
    tt_db_sample sample = {0};
    tt_db_status status;

    sample.applied = tt_buf_init(c->a);
    status = tt_mysql_sample(c, &sample, err);
    if (status == TT_DB_OK)
        memcpy(c->peer.identity, sample.identity, sizeof(c->peer.identity));
    tt_buf_free(&sample.applied);
    return status;
}

/* Connector/C goes on without TLS when the server has none, unless it checks certificates. */
static tt_db_status check_tls(tt_db_conn *c, const char *mode, tt_error *err)
{
    if (!mode || is(mode, "off") || mysql_get_ssl_cipher(&c->mysql))
        return TT_DB_OK;
    (void)tt_fail(
        err, TT_E_DENIED,
        "database.tls.mode is %s, but the server offers no TLS: give it a certificate, or "
        "choose another mode",
        mode);
    tt_error_set_node(err, c->node);
    return TT_DB_UNSENT;
}

static tt_db_status open_link(tt_db_conn *c, const tt_db_target *t, tt_error *err)
{
    const char *charset = t->charset ? t->charset : "utf8mb4";
    tt_db_status status;

    if (!tls_mode_known(t->tls_mode))
        return tt_mysql_local(c, tt_fail(err, TT_E_CONFIG, "tls mode %s is not known", t->tls_mode),
                              err);
    if (!tt_mysql_is_word(charset))
        return tt_mysql_local(c, tt_fail(err, TT_E_CONFIG, "the character set is not a name"), err);
    if (t->time_zone && strpbrk(t->time_zone, "'\\"))
        return tt_mysql_local(c, tt_fail(err, TT_E_CONFIG, "the time zone is not a name"), err);
    if (set_options(&c->mysql, t, charset) != 0)
        return tt_mysql_local(c,
                              tt_fail(err, TT_E_CONFIG, "the client library refused an option: %s",
                                      mysql_error(&c->mysql)),
                              err);
    c->guard_sigpipe = true;
    status = tt_mysql_begin(c, err);
    if (!log_in(&c->mysql, t))
        return tt_mysql_end(c, tt_mysql_not_connected(&c->mysql, c->node, err));
    c->fd = socket_of(&c->mysql);
    c->peer.connection_id = mysql_thread_id(&c->mysql);
    learn_version(&c->peer, mysql_get_server_info(&c->mysql));
    status = check_tls(c, t->tls_mode, err);
    if (status == TT_DB_OK && tt_mysql_make_arm(c, charset, t->time_zone, err) != 0)
        status = tt_mysql_local(c, TT_E_NOMEM, err);
    status = tt_mysql_end(c, status);
    c->guard_sigpipe = needs_guard(&c->mysql);
    return status;
}

tt_db_status tt_mysql_ready(tt_db_conn *c, tt_error *err)
{
    tt_db_status status = tt_mysql_begin(c, err);

    if (status == TT_DB_OK)
        status = tt_mysql_end(c, tt_mysql_arm(c, err));
    if (status == TT_DB_OK)
        status = learn_peer(c, err);
    return status == TT_DB_OK || status == TT_DB_LOCAL ? status : TT_DB_UNSENT;
}

tt_db_status tt_mysql_connect(const tt_allocator *a, const tt_db_target *target, tt_db_conn **out,
                              tt_error *err)
{
    tt_db_conn *c = NULL;
    tt_db_status status;

    if (tt_db_driver_start(err) != 0)
        return TT_DB_LOCAL;
    tt_mysql_thread();
    c = new_conn(a, target);
    if (!c) {
        (void)tt_fail_nomem(err);
        return TT_DB_LOCAL;
    }
    status = open_link(c, target, err);
    if (status != TT_DB_OK) {
        tt_mysql_close(c);
        return status == TT_DB_LOCAL ? TT_DB_LOCAL : TT_DB_UNSENT;
    }
    *out = c;
    return TT_DB_OK;
}

void tt_mysql_close(tt_db_conn *c)
{
    if (!c)
        return;
    tt_mysql_thread();
    if (c->guard_sigpipe)
        tt_mysql_guard(c);
    tt_mysql_drop_all(c);
    mysql_close(&c->mysql); /* says goodbye, and may do so into a broken pipe */
    if (c->guard_sigpipe)
        tt_mysql_unguard(c, true);
    tt_buf_free(&c->scratch);
    tt_del(c->a, c->arm);
    tt_del(c->a, c->bucket);
    tt_del(c->a, c);
}
