#include "demo/demo.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

int demo_find_nodes(demo *d)
{
    static const char *const names[DEMO_NODES] = {"primary", "replica1", "replica2"};

    for (int i = 0; i < DEMO_NODES; i++) {
        char path[4096], port[16] = "";
        FILE *f;
        int ok;

        (void)snprintf(path, sizeof(path), "%s/%s/port", d->dir, names[i]);
        f = fopen(path, "re");
        ok = f && fgets(port, sizeof(port), f) != NULL;
        if (f)
            (void)fclose(f);
        if (!ok) {
            fprintf(stderr, "twotier-demo: %s: expected the port of a server: %s\n", path,
                    strerror(errno));
            return -1;
        }
        port[strcspn(port, "\n")] = 0;
        (void)snprintf(d->nodes[i], sizeof(d->nodes[i]), "127.0.0.1:%s", port);
    }
    return 0;
}

/* Starts the tool with its standard output in *out. */
static pid_t start(const char *const argv[], int *out)
{
    posix_spawn_file_actions_t actions;
    int ends[2], rc;
    pid_t pid = -1;

    if (pipe(ends) != 0)
        return -1;
    (void)fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addclose(&actions, ends[1]);
    rc = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    *out = ends[0];
    if (rc != 0) {
        (void)close(ends[0]);
        errno = rc;
        return -1;
    }
    return pid;
}

/* Runs it to its end; what it printed goes into `text`. */
static void run(const char *const argv[], char *text, size_t size)
{
    int out = -1, status = 0;
    size_t n = 0;
    ssize_t got;
    pid_t pid;

    (void)fflush(stdout);
    pid = start(argv, &out);
    if (pid < 0) {
        fprintf(stderr, "twotier-demo: cannot run %s: %s\n", argv[0], strerror(errno));
        exit(1);
    }
    while ((got = read(out, text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = 0;
    (void)close(out);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "twotier-demo: expected '%s %s' to succeed; its message is above\n",
                argv[0], argv[1]);
        exit(1);
    }
}

void demo_servers(const demo *d, const char *verb, const char *a, const char *b, const char *c)
{
    const char *argv[] = {d->tool, verb, d->dir, a, b, c, NULL};
    char ignored[4096];

    run(argv, ignored, sizeof(ignored));
}

int64_t demo_ask_server(const demo *d, const char *name, const char *sql)
{
    const char *argv[] = {d->tool, "sql", d->dir, name, sql, NULL};
    char text[4096], *line;

    run(argv, text, sizeof(text));
    line = strchr(text, '\n'); /* after the name of the column */
    return line ? strtoll(line + 1, NULL, 10) : -1;
}
