/* What does not depend on the machine's mood: instructions, and bytes. */
#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "twotier_bench.h"

enum { COUNTED_CALLS = 500, UNCOUNTED_CALLS = 50 };

/* ---- bytes ---------------------------------------------------------------------------------- */

static atomic_size_t live_bytes;

/* What malloc spends on a block, its own header included. */
static size_t block_bytes(void *p)
{
    return p ? malloc_usable_size(p) + sizeof(size_t) : 0;
}

static void *counting_alloc(void *ctx, size_t n)
{
    void *p = malloc(n);

    (void)ctx;
    atomic_fetch_add_explicit(&live_bytes, block_bytes(p), memory_order_relaxed);
    return p;
}

static void *counting_resize(void *ctx, void *p, size_t n)
{
    size_t before = block_bytes(p);
    void *q = realloc(p, n);

    (void)ctx;
    if (q)
        atomic_fetch_add_explicit(&live_bytes, block_bytes(q) - before, memory_order_relaxed);
    return q;
}

static void counting_release(void *ctx, void *p)
{
    (void)ctx;
    atomic_fetch_sub_explicit(&live_bytes, block_bytes(p), memory_order_relaxed);
    free(p);
}

const tt_allocator bench_counting = {counting_alloc, counting_resize, counting_release, NULL};

/* Keys and values in the store: every entry, every tag, the term. */
static size_t stored_bytes(bench *b, size_t *n_keys)
{
    tt_client *c = b->process;
    tt_answers answers = tt_answers_init(&tt_allocator_libc);
    size_t bytes = 0;

    *n_keys = 0;
    for (int i = 0; i < BENCH_KEYS; i++) {
        tt_cmd cmds[BENCH_ASKED];
        /* The row's own keys are its entry and its first tag; the others are common to all. */
        for (int j = 0; j < BENCH_ASKED; j++)
            cmds[j] = tt_cmd_get(tt_str_n(b->keys[i].text[j], b->keys[i].n[j]));
        if (c->cache.call(c->cache.ctx, &(tt_batch){cmds, BENCH_ASKED}, INT64_MAX, &answers) != 0)
            bench_die("the store in the process did not answer");
        for (int j = 0; j < BENCH_ASKED; j++) {
            bool common = strstr(b->keys[i].text[j], ":row:") == NULL && j > 0;

            if (answers.replies[j].kind != TT_REPLY_TEXT || (common && i > 0))
                continue;
            bytes += b->keys[i].n[j] + answers.replies[j].text.n;
            (*n_keys)++;
        }
    }
    tt_buf_free(&answers.bytes);
    return bytes;
}

void bench_memory(bench *b, bench_row *out)
{
    size_t before, after, bytes, n;

    bench_open_process(b, false);
    before = atomic_load(&live_bytes);
    bench_warm(b, b->local_hit);
    after = atomic_load(&live_bytes);
    bytes = stored_bytes(b, &n);
    out->ours = (double)(after - before) / (double)n;
    out->bare = (double)bytes / (double)n;
    out->ratio = out->low = out->high = (out->ours - 100) / out->bare;
    out->measured = true;
}

/* ---- instructions --------------------------------------------------------------------------- */

/* The marks: callgrind counts while this runs. */
__attribute__((noinline)) void bench_counted(bench_call *call, bench_worker *w)
{
    call(w);
}

void bench_be_counted(bench *b, const bench_path *path)
{
    bench_worker w;

    bench_worker_open(b, &w, 0, false);
    w.unique += getpid() * INT64_C(1000000);
    for (int i = 0; i < UNCOUNTED_CALLS; i++)
        path->ours(&w);
    for (int i = 0; i < COUNTED_CALLS; i++)
        bench_counted(path->ours, &w);
    bench_worker_close(&w);
}

/* Sum the costs that a file of callgrind gives to functions in our program, and to all others.
 * Format: valgrind manual, "Callgrind Format Specification": `ob=(id) name`, cost lines of position
 * and cost, after `calls=` one line of costs that are counted with the function called. */
static bool sum_costs(const char *file, const char *program, double *own, double *others)
{
    enum { OBJECTS_MAX = 1024 };
    static bool ours[OBJECTS_MAX];
    FILE *f = fopen(file, "r");
    char line[4096];
    bool in_own = false, skip = false;

    if (!f)
        return false;
    *own = *others = 0;
    while (fgets(line, sizeof(line), f)) {
        bool callee = strncmp(line, "cob=(", 5) == 0;

        if (callee || strncmp(line, "ob=(", 4) == 0) {
            char *end;
            unsigned long id = strtoul(line + (callee ? 5 : 4), &end, 10) % OBJECTS_MAX;

            if (strlen(end) > 3)
                ours[id] = strstr(end, program) != NULL;
            if (!callee)
                in_own = ours[id];
        } else if (strncmp(line, "calls=", 6) == 0) {
            skip = true;
        } else if (strchr("0123456789+-*", line[0])) {
            const char *cost = strchr(line, ' ');

            if (!skip && cost)
                *(in_own ? own : others) += strtod(cost, NULL);
            skip = false;
        }
    }
    (void)fclose(f);
    return *own > 0;
}

static bool run_counted(const bench *b, const bench_path *path, const char *program,
                        const char *file)
{
    char out[96];
    int status;
    pid_t child;

    (void)snprintf(out, sizeof(out), "--callgrind-out-file=%s", file);
    child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
            _exit(1);
        (void)execlp("valgrind", "valgrind", "--tool=callgrind", "--collect-atstart=no",
                     "--toggle-collect=bench_counted", out, program, "--config", b->opt.config,
                     "--servers", b->opt.servers[0], b->opt.servers[1], "--instructions",
                     path->name, (char *)NULL);
        _exit(127);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

void bench_count_instructions(const bench *b, const bench_path *path, bench_row *out)
{
    char program[1024], file[] = "/tmp/twotier-bench-XXXXXX";
    ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);
    int fd = mkstemp(file);
    double own, others;

    if (n > 0 && fd >= 0) {
        program[n] = '\0';
        bench_progress("counting instructions");
        if (run_counted(b, path, program, file) && sum_costs(file, program, &own, &others))
            (void)snprintf(out->instructions, sizeof(out->instructions), "%.0f + %.0f",
                           own / COUNTED_CALLS, others / COUNTED_CALLS);
        bench_progress(NULL);
    }
    if (fd >= 0) {
        (void)close(fd);
        (void)unlink(file);
    }
}
