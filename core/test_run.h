/*
 * test_run.h - a run of tests, beside whatever else the loop does.
 *
 * A test file returns a table of functions by name, or of such tables: groups, whose names go
 * before those of their tests.  Each file has a generation of its own; each test runs as a task,
 * on a fresh scratch if the generation has one, and fails by raising.  After each, a full
 * collection: a task of its generation that is still alive is a failure too.
 *
 * The next test begins in another turn of the loop.  There is one run at a time.
 */
#ifndef TEST_RUN_H
#define TEST_RUN_H

#include <stdio.h>

#include "base.h"
#include "err.h"
#include "gen.h"

struct tree;
struct tree_file;

/* The files of a run, in the order of their names; those of a tree, which outlives them. */
struct test_files {
    const struct tree_file **v;
    size_t n;
};

/* What the scripts of a tree must pass: the tests in the overlay; without one, the shipped ones. */
int test_files_of(struct test_files *files, const struct tree *t, struct err *e);

void test_files_fini(struct test_files *files);

struct test_result {
    const char *file;
    const char *name;    /* of the test; NULL: the file itself cannot be run */
    const char *failure; /* a line; NULL: it passed */
    unsigned line;       /* of the file, where it failed; 0: not known */
    const char *trace;   /* the chain of calls, further lines; or "" */
    double ms;
};

struct test_plan {
    const struct test_files *files;                /* borrowed until the end */
    struct gen *(*load)(void *arg, struct err *e); /* one for each file */
    const char *root; /* where testing.read_file() reads; NULL: nowhere */
    bool alone;       /* nothing else runs: operations left behind are the tests' */
    FILE *prints;     /* where what they print goes; NULL: to the log */
    void (*on_begin)(const char *file, const char *name, void *arg); /* or NULL */
    void (*on_result)(const struct test_result *r, void *arg);
    void (*on_end)(unsigned passed, unsigned failed, void *arg); /* the run is gone */
    void *arg;
};

struct test_run;

/* NULL: there is a run under way, or no memory.  The plan is copied. */
struct test_run *test_run_start(const struct test_plan *plan, struct err *e);

/* Between two callbacks, never in one: end it, without on_end(). */
void test_run_cancel(struct test_run **rp); /* NULL-safe, sets *rp to NULL */

/* For loop_on_turn(), behind task_run_ready(): the next step of the run, if there is one. */
bool test_run_turn(void);

#endif
