/*
 * test.h - `paraph test`: the tests of scripts, in the host that will run them.
 *
 * A test file is named *_test.lua and returns a table of functions by name.  Each function runs as
 * a task with the real bindings, on a store and an outbox in a temporary directory; it fails by
 * raising.  After each, a full collection: an operation, transfer or task still alive is a
 * failure too.
 */
#ifndef TEST_H
#define TEST_H

/* Run the tests below dir, which shadows the shipped scripts (NULL: SCRIPTS_DIR, else the shipped
 * ones).  0: all passed; 1: not; 2: there is nothing to run, or the configuration is wrong. */
int test_run(const char *dir);

#endif
