/*
 * test.h - `paraph test`: the tests of scripts, in the host that will run them (test_run.h).
 *
 * A line for each test; one that failed begins with the file and line at which it did.
 */
#ifndef TEST_H
#define TEST_H

#include "base.h"

struct test_options {
    const char *dir; /* shadows the shipped scripts; NULL: SCRIPTS_DIR, else the shipped ones */
    bool real;       /* on the embedded pair in a temporary directory, instead of a scratch */
    bool verbose;    /* the chain of calls below each failure */
    bool json;       /* an object for each test, and what tests print to standard error */
};

/* 0: all passed; 1: not; 2: there is nothing to run, or the configuration is wrong. */
int test(const struct test_options *options);

#endif
