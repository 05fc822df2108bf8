#include "demo/demo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int usage(void)
{
    (void)fputs("usage: twotier-demo --config FILE --servers TOOL DIR\n"
                "FILE  configuration of the servers in DIR\n"
                "TOOL  the program that stops, starts and delays them (tests/support/servers)\n"
                "'./dev demo' starts the servers, runs this, and stops them.\n",
                stderr);
    return 2;
}

static int parse(demo *d, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--config") == 0 && i + 1 < argc) {
            d->config = argv[++i];
        } else if (strcmp(argv[i], "--servers") == 0 && i + 2 < argc) {
            d->tool = argv[++i];
            d->dir = argv[++i];
        } else {
            fprintf(stderr, "twotier-demo: expected a known option with its values, got '%s'\n",
                    argv[i]);
            return -1;
        }
    }
    return d->config && d->tool && d->dir ? 0 : -1;
}

int main(int argc, char **argv)
{
    static demo d;

    if (parse(&d, argc, argv) != 0)
        return usage();
    if (demo_find_nodes(&d) != 0)
        return 1;
    d.start_ns = demo_now_ns();
    d.utf8 = ex_is_utf8();
    d.terminal = isatty(STDOUT_FILENO);
    ex_style_init(&d.style, stdout);
    d.client = demo_open(&d, NULL, NULL);
    demo_load(&d);
    demo_legend(&d);
    demo_spread(&d);
    demo_cache(&d);
    demo_lag(&d);
    demo_transaction(&d);
    demo_replica_dies(&d);
    demo_redis_dies(&d);
    demo_summary(&d);
    tt_client_close(d.client);
    return d.failed_checks ? 1 : 0;
}
