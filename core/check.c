#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth.h"
#include "check_google.h"
#include "check_policies.h"
#include "check_replay.h"
#include "check_step.h"
#include "clock.h"
#include "crypto.h"
#include "env.h"
#include "excerpt.h"
#include "fetch.h"
#include "gen.h"
#include "loop.h"
#include "mail.h"
#include "outbox.h"
#include "store.h"
#include "task.h"
#include "tree.h"

#define LIVE_S     60 /* in which every step must have begun; none takes long beyond it */
#define COLLECTION "paraph_check"
#define REHEARSED  "a rehearsal writes nothing: :live"

static bool rehearsed; /* nothing is written */

/* --- without a network ----------------------------------------------------------------------- */

static void check_settings(void) {
    bool google = env.backend == ENV_GOOGLE;
    char told[48] = "";

    if (env.nwebhooks > 0)
        snprintf(told, sizeof(told), ", events are told to %zu", env.nwebhooks);
    check_step_ok("settings", "BACKEND=%s%s%s%s%s", google ? "google" : "local",
                  google && env.gmail_user != NULL ? ", GMAIL_USER=" : "",
                  google && env.gmail_user != NULL ? env.gmail_user : "",
                  env.no_send ? ", NO_SEND: nothing leaves" : "", told);
}

/* The chain of --live tells them itself. */
static void check_scopes(const struct check_options *options) {
    if (!options->live && env.backend == ENV_GOOGLE && env.role != ENV_TRACKER)
        check_google_scopes();
}

/* The error, and below it the line that it is about. */
static void scripts_failed(const struct tree *t, const struct err *e) {
    struct buf text;
    char *next, *line;

    buf_init(&text, 64 * KIB);
    excerpt_add(&text, t, e->message);
    next = text.data;
    check_step_failed("scripts", "%s", strsep(&next, "\n"));
    while ((line = strsep(&next, "\n")) != NULL)
        check_step_note("%s", line);
    buf_free(&text);
}

/* NULL: they do not load, and that is told. */
static struct gen *check_scripts(void) {
    struct err e;
    struct tree *tree = tree_read(&e);
    struct gen *g = tree != NULL ? gen_load(tree, &e) : NULL;
    size_t n;

    if (g != NULL) {
        gen_routes(g, &n);
        check_step_ok("scripts", "%zu routes; every template compiles", n);
    } else {
        scripts_failed(tree, &e);
    }
    tree_unref(tree);
    return g;
}

/* --- the store ------------------------------------------------------------------------------- */

struct stored {
    struct check_step_outcome outcome;
    bool found;
};

static void on_stored(struct store_reply *r, void *arg) {
    struct stored *o = arg;

    o->found = r->found;
    check_step_end(&o->outcome, &r->err);
}

/* False: it has failed, and that is told. */
static bool do_store(const char *step, const struct store_request *rq, struct stored *o) {
    *o = (struct stored){0};
    if (!check_step_may_begin(step))
        return false;
    store_start(rq, on_stored, o);
    return check_step_wait(step, &o->outcome);
}

/* A document of its own, which is gone afterwards. */
static void check_document(void) {
    char id[CRYPTO_UUID_SIZE], now[CLOCK_TEXT_SIZE];
    struct store_request rq = {.verb = STORE_CREATE, .collection = COLLECTION, .id = id};
    struct stored o;
    bool written;

    crypto_uuid4(id);
    clock_format(now, clock_now_us());
    rq.fields = json_pack("{s:s}", "created_at", now);
    if ((written = do_store("store write", &rq, &o)))
        check_step_ok("store write", "%s/%s in %s", COLLECTION, id,
                      env.backend == ENV_GOOGLE ? "Firestore" : "paraph.db");
    json_decref(rq.fields);
    rq.fields = NULL;
    rq.verb = STORE_GET;
    if (do_store("store read", &rq, &o)) {
        if (o.found == written)
            check_step_ok("store read", "%s", written ? "it is there" : "nothing is there");
        else
            check_step_failed("store read", "what was written is not there");
    }
    rq.verb = STORE_DELETE;
    if (written && do_store("store delete", &rq, &o))
        check_step_ok("store delete", "it is gone");
}

/* In Firestore that takes an index. */
static void check_listing(const char *step, const char *where, const char *is) {
    struct store_request rq = {.verb = STORE_QUERY,
                               .collection = env.draft_collection,
                               .where = where,
                               .is = is,
                               .limit = 1};
    struct stored o;

    if (env.role == ENV_TRACKER)
        check_step_skipped(step, "ROLE=tracker lists nothing");
    else if (do_store(step, &rq, &o))
        check_step_ok(step, "%s by %s, the newest first", env.draft_collection, where);
}

static void walk_store(void) {
    if (rehearsed)
        check_step_skipped("store write", REHEARSED);
    else
        check_document();
    check_listing("store listing", "status", "pending");
    check_listing("store waiting", "waiting", "held");
}

static void check_store(void) {
    struct err e;

    if (store_init(&e) != 0) {
        check_step_failed("store write", "%s", e.message);
        return;
    }
    walk_store();
    store_fini();
}

/* --- the outbox ------------------------------------------------------------------------------ */

static void on_outbox(struct mail_reply *r, void *arg) {
    struct check_step_outcome *o = arg;

    snprintf(o->text, sizeof(o->text), "%s", r->id);
    check_step_end(o, &r->err);
}

/* A draft, written and removed; behind mail.h, where NO_SEND would stop it. */
static void check_outbox(void) {
    static const char step[] = "outbox";
    char key[CRYPTO_UUID_SIZE];
    struct check_step_outcome written = {0}, removed = {0};
    struct mail_request rq = {.verb = MAIL_DRAFT_CREATE, .sender = env_sender(), .key = key};

    crypto_uuid4(key);
    if ((rq.message = blob_copy("paraph check\r\n", 14)) == NULL) {
        check_step_failed(step, "out of memory");
        return;
    }
    outbox_backend.start(&rq, on_outbox, &written);
    blob_unref(rq.message);
    if (!check_step_wait(step, &written))
        return;
    rq = (struct mail_request){.verb = MAIL_DRAFT_DELETE, .draft_id = written.text};
    outbox_backend.start(&rq, on_outbox, &removed);
    if (check_step_wait(step, &removed))
        check_step_ok(step, "a file in %s/outbox/tmp, written and removed", env.data_dir);
}

/* --- all ------------------------------------------------------------------------------------- */

static void check_local(void) {
    struct err e;

    check_store();
    if (mail_init(&e) != 0) {
        check_step_failed("outbox", "%s", e.message);
        return;
    }
    check_outbox();
    mail_fini();
}

static void skip_store(void) {
    static const char *const steps[] = {"store write", "store read", "store delete",
                                        "store listing", "store waiting"};

    for (size_t i = 0; i < COUNT_OF(steps); i++)
        check_step_skipped(steps[i], "needs a step that has failed");
}

static void check_remote(void) {
    bool reachable;
    struct err e;

    if (mail_init(&e) != 0) {
        check_step_failed("mailbox", "%s", e.message);
        return;
    }
    reachable = check_google();
    mail_fini();
    if (reachable)
        check_store();
    else
        skip_store();
}

static void check_live(void) {
    struct err e;

    if (fetch_init(&e) != 0 || auth_init(&e) != 0) {
        check_step_failed("network", "%s", e.message);
        return;
    }
    check_step_start_clock(LIVE_S);
    if (env.backend == ENV_GOOGLE)
        check_remote();
    else
        check_local();
    auth_fini();
    fetch_fini();
}

void check_chain(bool write) {
    rehearsed = !write;
    check_step_start_clock(LIVE_S);
    if (env.backend == ENV_GOOGLE && !check_google()) {
        skip_store();
        return;
    }
    walk_store();
    if (env.backend == ENV_GOOGLE)
        return;
    if (rehearsed)
        check_step_skipped("outbox", REHEARSED);
    else
        check_outbox();
}

int check_run(const struct check_options *options) {
    struct gen *g;

    setvbuf(stdout, NULL, _IOLBF, 0); /* each step is told when it has ended */
    if (options->json)
        check_step_use_json();
    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_MS) != 0) {
        fprintf(stderr, "paraph check: %s\n", strerror(errno));
        return 1;
    }
    loop_on_turn(task_run_ready);
    check_settings();
    check_scopes(options);
    if ((g = check_scripts()) != NULL)
        check_policies(g);
    if (options->live)
        check_live();
    if (options->replay > 0 && g == NULL)
        check_step_skipped("replay", "needs a step that has failed");
    else if (options->replay > 0)
        check_replay(g, options->replay);
    if (g != NULL)
        gen_drop(g);
    check_step_flush();
    task_watchdog_stop();
    loop_fini();
    return check_step_failures() == 0 ? 0 : 1;
}
