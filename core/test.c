#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "env.h"
#include "fetch.h"
#include "gen.h"
#include "json_line.h"
#include "log.h"
#include "loop.h"
#include "mail.h"
#include "store.h"
#include "task.h"
#include "terminal.h"
#include "test_run.h"
#include "tree.h"

#define SLOW_MS 100

struct session {
    const struct test_options *options;
    struct tree *tree;
    double slowest_ms;
    char slowest[512]; /* file and name */
    unsigned passed, failed;
    bool ended;
};

static int complain(const char *what) {
    fprintf(stderr, "paraph test: %s\n", what);
    return 2;
}

/* --- results --------------------------------------------------------------------------------- */

static void print_trace(const char *trace) {
    for (const char *end; *trace != '\0'; trace = *end == '\0' ? end : end + 1) {
        end = trace + strcspn(trace, "\n");
        trace += strspn(trace, "\t");
        printf("     %.*s\n", (int)(end - trace), trace);
    }
}

static void print_failure(const struct test_result *r) {
    printf("FAIL %s", r->file);
    if (r->line > 0)
        printf(":%u", r->line);
    printf(": %s%s%s\n", r->name != NULL ? r->name : "", r->name != NULL ? ": " : "", r->failure);
}

static void print_result(const struct test_result *r, const struct session *s) {
    if (r->failure == NULL)
        printf("ok   %s: %s (%.1f ms)\n", r->file, r->name, r->ms);
    else
        print_failure(r);
    if (r->failure != NULL && s->options->verbose)
        print_trace(r->trace);
}

/* What failed before its tests have names has none itself. */
static void print_json(const struct test_result *r, const struct session *s) {
    struct buf line;

    (void)s;
    buf_init(&line, 64 * KIB);
    buf_addc(&line, '{');
    json_line_add_member(&line, "file", r->file);
    if (r->name != NULL)
        json_line_add_member(&line, "name", r->name);
    buf_addf(&line, ",\"passed\":%s,\"ms\":%.1f", r->failure == NULL ? "true" : "false", r->ms);
    if (r->failure != NULL && r->line > 0)
        buf_addf(&line, ",\"line\":%u", r->line);
    if (r->failure != NULL) {
        json_line_add_member(&line, "error", r->failure);
        json_line_add_member(&line, "trace", r->trace);
    }
    buf_addc(&line, '}');
    json_line_print(&line);
    buf_free(&line);
}

static void on_begin(const char *file, const char *name, void *arg) {
    (void)arg;
    terminal_progress("%s: %s ...", file, name);
}

static void on_result(const struct test_result *r, void *arg) {
    struct session *s = arg;

    terminal_clear();
    (s->options->json ? print_json : print_result)(r, s);
    if (r->name != NULL && r->ms > s->slowest_ms) {
        s->slowest_ms = r->ms;
        snprintf(s->slowest, sizeof(s->slowest), "%s: %s", r->file, r->name);
    }
}

static void on_end(unsigned passed, unsigned failed, void *arg) {
    struct session *s = arg;

    s->passed = passed;
    s->failed = failed;
    s->ended = true;
    loop_stop();
}

static void print_end(const struct session *s, double ms) {
    if (s->options->json) {
        printf("{\"passed\":%u,\"failed\":%u,\"ms\":%.1f}\n", s->passed, s->failed, ms);
        return;
    }
    printf("%u passed, %u failed (%.1f ms)\n", s->passed, s->failed, ms);
    if (s->slowest_ms > SLOW_MS)
        printf("slowest: %s (%.1f ms)\n", s->slowest, s->slowest_ms);
}

static struct gen *load(void *arg, struct err *e) {
    const struct session *s = arg;

    return s->options->real ? gen_load_bare(s->tree, e) : gen_load_scratch(s->tree, e);
}

static int run_files(const struct test_options *options, struct tree *tree,
                     const struct test_files *files, const char *root) {
    struct session s = {.options = options, .tree = tree};
    const struct test_plan plan = {.files = files,
                                   .load = load,
                                   .root = root,
                                   .alone = true,
                                   .prints = options->json ? stderr : stdout,
                                   .on_begin = on_begin,
                                   .on_result = on_result,
                                   .on_end = on_end,
                                   .arg = &s};
    uint64_t started = clock_monotonic_us();
    struct err e;

    if (test_run_start(&plan, &e) == NULL) {
        complain(e.message);
        return 1;
    }
    while (!s.ended)
        loop_run();
    print_end(&s, (double)(clock_monotonic_us() - started) / 1000);
    return s.failed == 0 ? 0 : 1;
}

static int run_all(const struct test_options *options) {
    const char *root = env.scripts_dir != NULL ? env.scripts_dir : env.shipped_scripts_dir;
    struct test_files files = {0};
    struct err e;
    struct tree *tree = tree_read(&e);
    int status = 2;

    if (tree == NULL || test_files_of(&files, tree, &e) != 0)
        complain(e.message);
    else if (files.n == 0)
        fprintf(stderr, "paraph test: there is no *_test.lua below %s\n", root);
    else
        status = run_files(options, tree, &files, root);
    test_files_fini(&files);
    tree_unref(tree);
    return status;
}

/* --- the process ----------------------------------------------------------------------------- */

static int with_backends(const struct test_options *options) {
    struct err e = {0};
    int status = 1;

    if (store_init(&e) == 0) {
        if (mail_init(&e) == 0) {
            status = run_all(options);
            mail_fini();
        }
        store_fini();
    }
    if (e.code != ERR_NONE)
        complain(e.message);
    return status;
}

static int with_services(const struct test_options *options) {
    struct err e;
    int status = 1;

    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_TEST_MS) != 0) {
        complain(strerror(errno));
        return 1;
    }
    loop_on_turn(task_run_ready);
    loop_on_turn(test_run_turn);
    if (fetch_init(&e) == 0) {
        status = options->real ? with_backends(options) : run_all(options);
        fetch_fini();
    } else {
        complain(e.message);
    }
    task_watchdog_stop();
    loop_fini();
    return status;
}

static void set_variable(const char *name, const char *value) {
    if (value != NULL)
        setenv(name, value, 1);
}

/* The tests must not depend on, nor touch, what the environment is set up for, but for the scripts
 * and templates themselves, and how wide the terminal is. */
static int load_env(const char *dir, const char *data) {
    const char *scripts = dir != NULL ? dir : getenv("SCRIPTS_DIR");
    const char *templates = getenv("TEMPLATES_DIR"), *columns = getenv("COLUMNS");
    struct buf faults;
    int status;

    clearenv();
    set_variable("SCRIPTS_DIR", scripts);
    set_variable("TEMPLATES_DIR", templates);
    set_variable("DATA_DIR", data);
    set_variable("COLUMNS", columns);
    buf_init(&faults, 64 * KIB);
    status = env_load(&faults);
    if (status != 0)
        fprintf(stderr, "%s", faults.data);
    buf_free(&faults);
    log_init(LOG_ERROR, false);
    return status;
}

static void remove_tree(char *dir) {
    char *roots[] = {dir, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *f;

    while (fts != NULL && (f = fts_read(fts)) != NULL)
        if (f->fts_info != FTS_D)
            (void)remove(f->fts_path);
    if (fts != NULL)
        fts_close(fts);
}

static int test_for_real(const struct test_options *options) {
    char data[] = "/tmp/paraph-test-XXXXXX";
    int status = 2;

    if (mkdtemp(data) == NULL) {
        fprintf(stderr, "paraph test: %s: %s\n", data, strerror(errno));
        return 1;
    }
    if (load_env(options->dir, data) == 0)
        status = with_services(options);
    remove_tree(data);
    return status;
}

static bool is_directory(const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        fprintf(stderr, "paraph test: %s: %s\n", dir, strerror(errno));
    else
        close(fd);
    return fd >= 0;
}

int test(const struct test_options *options) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (options->dir != NULL && !is_directory(options->dir))
        return 2;
    if (options->real)
        return test_for_real(options);
    return load_env(options->dir, NULL) != 0 ? 2 : with_services(options);
}
