/*
 * A rehearsal but for its store: the mailbox, the clock, and what scripts in it may do.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lauxlib.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "env.h"
#include "fetch.h"
#include "gen.h"
#include "log.h"
#include "loop.h"
#include "mail.h"
#include "scratch.h"
#include "store.h"
#include "task.h"
#include "tree.h"

#define KEY   "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
#define OTHER "6ba7b810-9dad-41d1-80b4-00c04fd430c9"

static char data_dir[64];
static struct scratch *rehearsal;

static int set_up(void **state) {
    struct err e = {0};

    (void)state;
    snprintf(data_dir, sizeof(data_dir), "/tmp/test_rehearsal.XXXXXX");
    assert_non_null(mkdtemp(data_dir));
    env = (struct env){.backend = ENV_LOCAL,
                       .data_dir = data_dir,
                       .local_signature = "<p>paraph</p>",
                       .gmail_user = "me@example.org",
                       .allowed_senders = "",
                       .draft_collection = "drafts",
                       .pixel_collection = "opens",
                       .pixel_base_url = "http://127.0.0.1",
                       .shipped_scripts_dir = TESTS_DIR "/../scripts",
                       .shipped_templates_dir = TESTS_DIR "/../templates",
                       .role = ENV_TRACKER,
                       .request_timeout = 60,
                       .upstream_timeout = 20};
    assert_int_equal(loop_init(), 0);
    loop_on_turn(task_run_ready);
    assert_int_equal(fetch_init(&e), 0);
    assert_int_equal(store_init(&e), 0);
    assert_int_equal(mail_init(&e), 0);
    rehearsal = scratch_new_rehearsal();
    return rehearsal == NULL;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int tear_down(void **state) {
    (void)state;
    scratch_unref(rehearsal);
    mail_fini();
    store_fini();
    fetch_fini();
    nftw(data_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    return loop_fini();
}

static bool looping; /* in wait() */

static void stop(void) {
    if (looping)
        loop_stop();
}

static void wait(bool (*is_over)(void)) {
    looping = true;
    while (!is_over())
        loop_run();
    looping = false;
}

/* --- the mailbox ----------------------------------------------------------------------------- */

static unsigned dones;
static struct mail_reply last;

static void on_mail(struct mail_reply *reply, void *arg) {
    (void)arg;
    dones++;
    mail_reply_fini(&last);
    last = *reply;
    *reply = (struct mail_reply){0};
    stop();
}

static bool is_answered(void) {
    return dones > 0;
}

/* Of a draft if the id of one is given. */
static enum err_code mail(struct scratch *s, enum mail_verb verb, const char *key,
                          const char *draft_id) {
    static const char *const recipients[] = {"ann@example.com"};
    struct mail_request rq = {
        .verb = verb, .scratch = s, .key = key, .message_id = "x@example.org"};
    char id[MAIL_ID_SIZE];

    snprintf(id, sizeof(id), "%s", draft_id == NULL ? "" : draft_id);
    rq.sender = draft_id == NULL ? "me@example.org" : NULL;
    rq.mailbox = draft_id == NULL ? NULL : "me@example.org";
    rq.draft_id = draft_id == NULL ? NULL : id;
    rq.message = blob_copy("x", 1);
    rq.recipients = recipients;
    rq.nrecipients = 1;
    dones = 0;
    mail_start(&rq, on_mail, NULL);
    wait(is_answered);
    assert_int_equal(dones, 1);
    blob_unref(rq.message);
    return last.err.code;
}

/* Files in the real outbox. */
static unsigned count_files(void) {
    static const char *const dirs[] = {"tmp", "new", "cur"};
    char path[128];
    unsigned n = 0;

    for (size_t i = 0; i < COUNT_OF(dirs); i++) {
        struct dirent *entry;
        DIR *d;

        snprintf(path, sizeof(path), "%s/outbox/%s", data_dir, dirs[i]);
        assert_non_null(d = opendir(path));
        while ((entry = readdir(d)) != NULL)
            n += entry->d_name[0] != '.';
        closedir(d);
    }
    return n;
}

static unsigned count_letters(bool sent) {
    unsigned n = 0;

    for (const struct scratch_letter *l = scratch_letters(rehearsal); l != NULL; l = l->next)
        n += l->sent == sent;
    return n;
}

static void test_letters_stay(void **state) {
    char draft[MAIL_ID_SIZE];

    (void)state;
    assert_int_equal(mail(rehearsal, MAIL_SEND, KEY, NULL), ERR_NONE);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_CREATE, OTHER, NULL), ERR_NONE);
    memcpy(draft, last.id, sizeof(draft));
    assert_int_equal(count_letters(false), 1);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_GET, OTHER, draft), ERR_NONE);
    assert_true(last.exists);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_FIND, OTHER, NULL), ERR_NONE);
    assert_int_equal(last.nfound, 1);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_SEND, OTHER, draft), ERR_NONE);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_SEND, OTHER, draft), ERR_NOT_FOUND);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_GET, OTHER, draft), ERR_NONE);
    assert_false(last.exists);
    assert_int_equal(last.fate, MAIL_FATE_SENT);
    assert_int_equal(count_letters(true), 2);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_CREATE, OTHER, NULL), ERR_NONE);
    memcpy(draft, last.id, sizeof(draft));
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_DELETE, OTHER, draft), ERR_NONE);
    assert_true(last.exists);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_DELETE, OTHER, draft), ERR_NONE);
    assert_false(last.exists);
    assert_int_equal(count_letters(false), 0);
    assert_int_equal(count_files(), 0);
}

/* A draft of the service is there, and nothing is done to it. */
static void test_real_drafts(void **state) {
    char draft[MAIL_ID_SIZE];

    (void)state;
    assert_int_equal(mail(NULL, MAIL_DRAFT_CREATE, KEY, NULL), ERR_NONE);
    memcpy(draft, last.id, sizeof(draft));
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_GET, KEY, draft), ERR_NONE);
    assert_true(last.exists);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_FIND, KEY, NULL), ERR_NONE);
    assert_int_equal(last.nfound, 1);
    assert_string_equal(last.found[0], draft);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_SEND, KEY, draft), ERR_NO_SEND);
    assert_non_null(strstr(last.err.message, "not sent"));
    assert_false(last.unknown);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_DELETE, KEY, draft), ERR_NO_SEND);
    assert_non_null(strstr(last.err.message, "not deleted"));
    assert_int_equal(count_files(), 1);
    assert_int_equal(mail(NULL, MAIL_DRAFT_GET, KEY, draft), ERR_NONE);
    assert_true(last.exists);
}

static void test_real_answers(void **state) {
    struct scratch *test = scratch_new();

    (void)state;
    assert_int_equal(mail(rehearsal, MAIL_SIGNATURE, KEY, NULL), ERR_NONE);
    assert_string_equal(last.signature, "<p>paraph</p>");
    assert_int_equal(mail(rehearsal, MAIL_PROFILE, KEY, NULL), ERR_NONE);
    assert_string_equal(last.mailbox, "me@example.org");
    assert_int_equal(mail(test, MAIL_SIGNATURE, KEY, NULL), ERR_NONE);
    assert_string_not_equal(last.signature, "<p>paraph</p>");
    scratch_unref(test);
}

/* The brake and the known senders are the service's. */
static void test_real_rules(void **state) {
    struct mail_request rq = {.verb = MAIL_SIGNATURE, .sender = "they@example.org"};

    (void)state;
    rq.scratch = rehearsal;
    assert_null(mail_start(&rq, on_mail, NULL));
    assert_int_equal(last.err.code, ERR_FORBIDDEN);
    env.no_send = true;
    assert_true(scratch_no_send(rehearsal));
    assert_int_equal(mail(rehearsal, MAIL_SEND, KEY, NULL), ERR_NO_SEND);
    assert_int_equal(mail(rehearsal, MAIL_DRAFT_CREATE, KEY, NULL), ERR_NO_SEND);
    env.no_send = false;
    assert_int_equal(count_letters(true) + count_letters(false), 0);
    mail_fini();
    assert_int_equal(mail(rehearsal, MAIL_SIGNATURE, KEY, NULL), ERR_SHUTTING_DOWN);
    assert_int_equal(mail(rehearsal, MAIL_SEND, KEY, NULL), ERR_NONE);
    assert_int_equal(mail_init(NULL), 0);
}

/* --- the clock ------------------------------------------------------------------------------- */

static struct scratch_timer *timer;

static void on_time(void *arg) {
    (void)arg;
    scratch_timer_stop(&timer);
    stop();
}

static bool is_time(void) {
    return timer == NULL;
}

static void test_clock(void **state) {
    int64_t before = clock_now_us(), now = scratch_now_us(rehearsal);
    uint64_t began = scratch_monotonic_us(rehearsal);
    struct scratch_timer *stopped;

    (void)state;
    assert_in_range(now, before, clock_now_us());
    assert_non_null(stopped = scratch_timer_start(rehearsal, 1, on_time, NULL));
    scratch_timer_stop(&stopped);
    assert_null(stopped);
    assert_non_null(timer = scratch_timer_start(rehearsal, 5, on_time, NULL));
    assert_false(scratch_wake(rehearsal));
    wait(is_time);
    assert_true(scratch_monotonic_us(rehearsal) - began >= 4000);
}

/* --- scripts --------------------------------------------------------------------------------- */

static char result[1000];

static void on_end(lua_State *co, int status, int nres, const char *trace, void *arg) {
    (void)arg;
    (void)nres;
    snprintf(result, sizeof(result), "%s", status == LUA_OK ? lua_tostring(co, -1) : trace);
    stop();
}

static bool are_tasks_over(void) {
    return task_count() == 0;
}

/* What the script returns in this world, or why it failed. */
static const char *run(struct scratch *world, uint64_t deadline_ms, const char *script) {
    struct err e = {0};
    struct tree *tree = tree_read(&e);
    struct gen *g = gen_load_in(tree, world, &e);
    lua_State *L;

    if (g == NULL)
        fail_msg("%s", e.message);
    L = gen_state(g);
    assert_int_equal(luaL_loadstring(L, script), LUA_OK);
    task_start(g, L, 0, deadline_ms, NULL, on_end, NULL);
    wait(are_tasks_over);
    gen_drop(g);
    tree_unref(tree);
    return result;
}

/* Nothing listens on port 1, and that is found out by asking. */
#define ASK(what)                                                                                  \
    "local reply, e = require 'paraph.fetch' { url = 'http://u:secret@127.0.0.1:1/x?secret', "     \
    "method = " what " } return e.code .. ' ' .. tostring(e.sent) .. ' ' .. e.message"
#define REFUSED(method)                                                                            \
    "no_send false a rehearsal sends nothing: " method                                             \
    " http://127.0.0.1:1 is not made; :live makes it"

static void test_scripts(void **state) {
    static const struct {
        const char *script, *begins;
    } cases[] = {
        {"local c = require 'paraph.config' return c.role .. ' ' .. tostring(c.no_send)",
         "tracker true"},
        {ASK("nil"), "fetch_error false "},
        {ASK("'HEAD'"), "fetch_error false "},
        {ASK("'POST'"), REFUSED("POST")},
        {ASK("'DELETE'"), REFUSED("DELETE")},
        {ASK("'get'"), REFUSED("get")},
        {"local ok, e = pcall(require 'paraph.fetch', { url = 'x', method = 'POST' }) "
         "return tostring(ok) .. ' ' .. e",
         "false the URL is not an absolute"},
        {"return tostring(require 'paraph.task'.sleep(1))", "true"},
        {"require 'paraph.jobs'.wake('expire', 0) return 'did'", "did"},
        {"local store = require 'paraph.store' assert(store.create('c', 'a', { n = 1 })) "
         "return tostring(store.get('c', 'a').n)",
         "1"},
        {"return tostring(require 'paraph.store'.get('c', 'a').n)", "1"}, /* it is there still */
    };

    (void)state;
    env.no_send = true;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        run(rehearsal, 60000, cases[i].script);
        result[strlen(cases[i].begins)] = '\0';
        assert_string_equal(result, cases[i].begins);
    }
    assert_string_equal(run(NULL, 60000, "return tostring(require 'paraph.store'.get('c', 'a'))"),
                        "nil");
}

static void test_deadline(void **state) {
    (void)state;
    run(rehearsal, 5, "local ok, e = require 'paraph.task'.sleep(60000) return e.code");
    assert_string_equal(result, "timeout");
}

/* A world outlives whoever made it as long as a generation is in it. */
static void test_generations(void **state) {
    struct err e = {0};
    struct tree *tree = tree_read(&e);
    struct gen *numbered = gen_load(tree, &e), *in = gen_load_in(tree, rehearsal, &e);
    struct gen *real = gen_load_in(tree, NULL, &e);
    size_t n, more;

    (void)state;
    scratch_unref(rehearsal);
    rehearsal = NULL;
    assert_int_equal(gen_number(in), gen_number(numbered));
    assert_int_equal(gen_number(real), gen_number(numbered));
    assert_true(scratch_is_rehearsal(gen_scratch(gen_state(in))));
    assert_false(gen_is_test(gen_state(in)));
    assert_null(gen_scratch(gen_state(real)));
    (void)gen_routes(numbered, &n);
    (void)gen_routes(in, &more);
    assert_int_equal(n, more);
    (void)gen_jobs(real, &more);
    assert_true(more > 0);
    gen_drop(in);
    gen_drop(real);
    gen_drop(numbered);
    in = gen_load(tree, &e);
    assert_int_equal(gen_number(in), 2);
    gen_drop(in);
    tree_unref(tree);
}

int main(void) {
#define OPEN(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        OPEN(test_letters_stay), OPEN(test_real_drafts), OPEN(test_real_answers),
        OPEN(test_real_rules),   OPEN(test_clock),       OPEN(test_scripts),
        OPEN(test_deadline),     OPEN(test_generations),
    };
    int failures;

    log_init(LOG_ERROR, false);
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    mail_reply_fini(&last);
    return failures;
}
