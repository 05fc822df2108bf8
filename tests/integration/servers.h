/* servers.h: private servers for one test program, from tests/support/servers (see its head). */
#ifndef TT_TEST_SERVERS_H
#define TT_TEST_SERVERS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char servers_dir[] = "/tmp/tt-test-XXXXXX";

/* Run `servers VERB DIR REST`; false when it fails. */
static inline int servers_do(const char *verb, const char *rest)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "'%s' %s %s %s >/dev/null", TT_SERVERS_SCRIPT, verb,
                   servers_dir, rest);
    return system(command) == 0;
}

static inline void servers_down(void)
{
    (void)servers_do("down", "");
}

/* NAME=value of DIR/env into the environment. */
static inline void servers_read_env(void)
{
    char path[64], line[512];
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/env", servers_dir);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        char *equals = strchr(line, '=');

        line[strcspn(line, "\n")] = '\0';
        if (equals) {
            *equals = '\0';
            (void)setenv(line, equals + 1, 1);
        }
    }
    if (f)
        (void)fclose(f);
}

/* Start servers with these options; ends the program when that fails. They go with the program. */
static inline void servers_up(const char *options)
{
    char rest[256];

    if (!mkdtemp(servers_dir))
        exit(EXIT_FAILURE);
    (void)snprintf(rest, sizeof(rest), "%s --owner %ld", options, (long)getpid());
    if (!servers_do("up", rest)) {
        (void)fprintf(stderr, "the servers did not start\n");
        exit(EXIT_FAILURE);
    }
    servers_read_env();
}

#endif
