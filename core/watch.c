#include "watch.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "env.h"
#include "excerpt.h"
#include "gen.h"
#include "hash.h"
#include "job.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "test_run.h"
#include "tree.h"
#include "tree_stamp.h"

#define HINT_MS   20  /* from a hint to the look */
#define SETTLE_MS 100 /* between two looks that have to agree: nobody writes any more */
#define NAMES_MAX 5   /* of changed files in one event */

struct look {
    struct tree *tree; /* NULL: it could not be read, or `same` */
    struct err err;
    uint64_t us; /* what it took */
    bool asked;  /* for by SIGHUP */
    bool same;   /* as it was when it was read last, by `stamp` */
    uint64_t stamp;
};

/* Of a directory. */
struct hint {
    uint64_t device, inode;
    struct loop_watch *watch; /* NULL: the file system gives none */
};

static struct loop_timer *timer; /* to the next look */
static uint64_t due_ms;
static struct loop_work *work;       /* a look under way */
static bool hinted;                  /* since it began */
static unsigned asked;               /* how many looks SIGHUP still waits for */
static struct gen *candidate;        /* loaded, and being checked */
static uint64_t load_us;             /* what loading it took */
static uint64_t settled;             /* what was decided on last: it is live, or refused */
static uint64_t seen;                /* what the last look found instead, or 0 */
static uint64_t stamp;               /* of what was settled, or 0: read it */
static struct test_files test_files; /* that the candidate must pass */
static struct test_run *tests;       /* of these, under way, or NULL */
static struct err failure;           /* the first one */
static struct hint *hints;
static size_t nhints;

static void look(void);

/* --- when ------------------------------------------------------------------------------------ */

static void on_due(void *arg) {
    (void)arg;
    loop_timer_stop(&timer);
    look();
}

/* Look in so many milliseconds, if not before. */
static void look_in(uint64_t ms) {
    uint64_t due = loop_now_ms() + ms;

    if (timer != NULL && due_ms <= due)
        return;
    loop_timer_stop(&timer);
    timer = loop_timer_start(ms, on_due, NULL);
    due_ms = due;
}

/* After a look, and whatever came of it. */
static void look_again(void) {
    if (work != NULL || candidate != NULL)
        return;
    if (asked > 0)
        look();
    else if (env.reload_interval > 0)
        look_in(seen != 0 ? SETTLE_MS : hinted ? HINT_MS : env.reload_interval * 1000ULL);
}

static void on_hint(void *arg) {
    (void)arg;
    hinted = true;
    if (work == NULL && candidate == NULL && seen == 0)
        look_in(HINT_MS);
}

/* --- hints ----------------------------------------------------------------------------------- */

static void drop_hints(void) {
    for (size_t i = 0; i < nhints; i++)
        loop_watch_stop(&hints[i].watch);
    free(hints);
    hints = NULL;
    nhints = 0;
}

static bool are_hints_of(const struct tree_dir *dirs, size_t n) {
    for (size_t i = 0; i < n && n == nhints; i++)
        if (hints[i].device != dirs[i].device || hints[i].inode != dirs[i].inode)
            return false;
    return n == nhints;
}

/* Watch the directories that the tree was read from.  What changed before that is found by one more
 * look. */
static void follow(const struct tree *t) {
    size_t n;
    const struct tree_dir *dirs = tree_dirs(t, &n);

    if (env.reload_interval == 0 || are_hints_of(dirs, n))
        return;
    drop_hints();
    if ((hints = calloc(n, sizeof(*hints))) == NULL)
        return;
    nhints = n;
    for (size_t i = 0; i < n; i++)
        hints[i] = (struct hint){dirs[i].device, dirs[i].inode,
                                 loop_watch_start(dirs[i].path, on_hint, NULL)};
    hinted = true;
}

/* --- the outcome ----------------------------------------------------------------------------- */

/* Names of files, as a sentence has them. */
struct names {
    struct buf text;
    unsigned n;
};

static void add_name(const char *name, void *arg) {
    struct names *names = arg;

    if (names->n++ < NAMES_MAX)
        buf_addf(&names->text, "%s%s", names->n > 1 ? ", " : "", name);
}

static void refuse(const struct tree *t, const struct err *e) {
    struct err refused;
    struct buf text, sentence;

    buf_init(&text, 64 * KIB);
    buf_init(&sentence, 64 * KIB);
    excerpt_add(&text, t, e->message);
    excerpt_add_sentence(&sentence, e->message);
    LOG(LOG_ERROR, NULL, "reload refused, the scripts loaded before go on serving",
        LOG_S("code", err_word(e->code)), LOG_L("error", text.data));
    METRICS_COUNT(METRIC_RELOADS, "refused");
    err_set(&refused, e->code, "%s", sentence.data);
    gen_refuse(&refused);
    buf_free(&text);
    buf_free(&sentence);
}

static void accept_candidate(void) {
    struct gen *g = candidate;
    struct names changed = {.n = 0};
    uint64_t began = clock_monotonic_us();

    candidate = NULL;
    test_files_fini(&test_files);
    buf_init(&changed.text, 64 * KIB);
    tree_compare(gen_tree(gen_live()), gen_tree(g), add_name, &changed);
    if (changed.n > NAMES_MAX)
        buf_addf(&changed.text, " and %u more", changed.n - NAMES_MAX);
    gen_swap(g);
    METRICS_COUNT(METRIC_RELOADS, "loaded");
    job_sync();
    LOG(LOG_INFO, NULL, "scripts reloaded", LOG_I("generation", gen_number(g)),
        LOG_S("changed", changed.n > 0 ? changed.text.data : "nothing"),
        LOG_N("ms", (double)(load_us + clock_monotonic_us() - began) / 1000),
        LOG_I("bytes", gen_bytes(g)));
    buf_free(&changed.text);
    look_again();
}

static void refuse_candidate(const struct err *e) {
    struct gen *g = candidate;

    candidate = NULL;
    refuse(gen_tree(g), e);
    test_files_fini(&test_files);
    gen_drop(g);
    look_again();
}

/* --- the tests of what has loaded ------------------------------------------------------------ */

static struct gen *load_for_tests(void *arg, struct err *e) {
    (void)arg;
    return gen_load_scratch(gen_tree(candidate), e);
}

/* The first failure is told. */
static void on_result(const struct test_result *r, void *arg) {
    (void)arg;
    if (r->failure != NULL && failure.code == ERR_NONE)
        err_set(&failure, ERR_POLICY_ERROR, "%s:%u: %s%s%s", r->file, r->line,
                r->name != NULL ? r->name : "", r->name != NULL ? ": " : "", r->failure);
}

static void on_tested(unsigned passed, unsigned failed, void *arg) {
    (void)passed;
    (void)arg;
    tests = NULL;
    if (failed == 0)
        accept_candidate();
    else
        refuse_candidate(&failure);
}

/* What has loaded must pass its own tests before it serves: they run between the requests.  Nothing
 * is looked at while there is a candidate. */
static void check_candidate(void) {
    static const struct test_plan plan = {
        .files = &test_files, .load = load_for_tests, .on_result = on_result, .on_end = on_tested};

    failure.code = ERR_NONE;
    if (test_files_of(&test_files, gen_tree(candidate), &failure) != 0 ||
        (tests = test_run_start(&plan, &failure)) == NULL)
        refuse_candidate(&failure);
}

static bool is_live(const struct tree *t) {
    return tree_hash(t) == tree_hash(gen_tree(gen_live()));
}

/* Into `candidate`; the time that the loop stands still for it is told later. */
static bool load(struct tree *t, struct err *e) {
    uint64_t began = clock_monotonic_us();

    candidate = gen_load(t, e);
    load_us = clock_monotonic_us() - began;
    return candidate != NULL;
}

static void decide(const struct look *l) {
    struct err e = l->err;

    if (l->tree != NULL && !l->asked && is_live(l->tree)) {
        gen_refuse(NULL);
        LOG(LOG_INFO, NULL, "reload no longer refused, the scripts there are those that serve",
            LOG_I("generation", gen_number(gen_live())));
    } else if (l->tree != NULL && load(l->tree, &e)) {
        check_candidate();
    } else {
        refuse(l->tree, &e);
    }
}

/* --- a look ---------------------------------------------------------------------------------- */

/* On a thread. */
static void read_tree(void *arg) {
    struct look *l = arg;
    uint64_t began = clock_monotonic_us();

    l->same = l->stamp != 0 && l->stamp == tree_stamp_now();
    if (!l->same && (l->tree = tree_read(&l->err)) != NULL)
        l->stamp = tree_stamp(l->tree);
    l->us = clock_monotonic_us() - began;
}

/* Most looks that read are the last for long: their memory goes back to the system. */
static void release_look(void *arg) {
    struct look *l = arg;
    bool has_read = l->tree != NULL;

    tree_unref(l->tree);
    free(l);
    if (has_read)
        malloc_trim(0);
}

/* The same for two looks that found the same. */
static uint64_t hash_of(const struct look *l) {
    if (l->same)
        return settled;
    if (l->tree != NULL)
        return tree_hash(l->tree);
    return hash_bytes(0, l->err.message, strlen(l->err.message));
}

static void on_looked(void *arg) {
    struct look *l = arg;
    uint64_t found = hash_of(l);
    bool changed = found != settled;

    work = NULL;
    LOG(LOG_DEBUG, NULL, "scripts looked at", LOG_B("read", !l->same), LOG_B("changed", changed),
        LOG_N("ms", (double)l->us / 1000));
    if (l->tree != NULL)
        follow(l->tree);
    if (l->asked || (changed && found == seen)) {
        settled = found;
        seen = 0;
        decide(l);
    } else {
        seen = changed ? found : 0;
    }
    stamp = seen == 0 && (l->tree != NULL || l->same) ? l->stamp : 0;
    look_again();
}

static void look(void) {
    struct look *l = calloc(1, sizeof(*l));
    bool is_asked = asked > 0;

    hinted = false;
    asked -= is_asked;
    if (l != NULL) {
        l->asked = is_asked;
        l->stamp = is_asked ? 0 : stamp;
        work = loop_work_start(read_tree, on_looked, release_look, l);
    }
    if (work == NULL) {
        LOG(LOG_ERROR, NULL, "no reload: there is not enough memory just now");
        free(l);
        look_again();
    }
}

/* --- birth and death ------------------------------------------------------------------------- */

void watch_init(void) {
    const struct tree *t = gen_tree(gen_live());

    settled = tree_hash(t);
    stamp = tree_stamp(t);
    follow(t);
    look_again();
}

void watch_reload(void *arg) {
    (void)arg;
    asked++;
    loop_timer_stop(&timer);
    look_again();
}

void watch_fini(void) {
    loop_timer_stop(&timer);
    loop_work_detach(&work);
    drop_hints();
    test_run_cancel(&tests);
    test_files_fini(&test_files);
    if (candidate != NULL)
        gen_drop(candidate);
    candidate = NULL;
}
