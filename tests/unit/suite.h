/* suite.h: the few lines that every unit test's main would repeat. */
#ifndef TT_TEST_SUITE_H
#define TT_TEST_SUITE_H

#include <check.h>
#include <stdlib.h>

/* Run one test case as a suite of its name; the value for main to return. */
static inline int suite_run(const char *name, TCase *tcase)
{
    Suite *suite = suite_create(name);
    SRunner *runner;
    int failed;

    suite_add_tcase(suite, tcase);
    runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Rounds of a random test: `n`, or a part of it where a round takes long (under valgrind). */
static inline int suite_rounds(int n)
{
    const char *divisor = getenv("TT_ROUNDS_DIVISOR");
    long by = divisor ? strtol(divisor, NULL, 10) : 1;

    return by > 1 ? 1 + (int)(n / by) : n;
}

#endif
