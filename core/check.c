#include "check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "auth.h"
#include "clock.h"
#include "crypto.h"
#include "env.h"
#include "fetch.h"
#include "gen.h"
#include "google.h"
#include "loop.h"
#include "mail.h"
#include "store.h"
#include "task.h"

static unsigned failures;

/* --- lines ----------------------------------------------------------------------------------- */

static void line(const char *state, const char *step, const char *detail) {
    bool color = isatty(STDOUT_FILENO);
    const char *on = strcmp(state, "ok") == 0 ? "\033[32m" : "\033[31m";

    if (strcmp(state, "skipped") == 0)
        on = "\033[33m";
    printf("%s%-7s%s  %-12s  %s\n", color ? on : "", state, color ? "\033[0m" : "", step, detail);
}

static void ok(const char *step, const char *detail) {
    line("ok", step, detail);
}

static void failed(const char *step, const char *why) {
    failures++;
    line("failed", step, why);
}

static void skipped(const char *step, const char *why) {
    line("skipped", step, why);
}

/* --- waiting for one operation --------------------------------------------------------------- */

struct outcome {
    bool done;
    struct err err;
    char text[256]; /* what there is to say about a success */
    char version[STORE_VERSION_SIZE];
};

static void finish(struct outcome *o, const struct err *e) {
    if (e != NULL)
        o->err = *e;
    o->done = true;
    loop_stop();
}

static bool wait_for(struct outcome *o) {
    while (!o->done)
        loop_run();
    return o->err.code == ERR_NONE;
}

/* --- the mailbox's chain --------------------------------------------------------------------- */

static void on_token(const struct err *e, const struct auth_token *token, void *arg) {
    (void)token;
    finish(arg, e);
}

static void on_value(const struct err *e, const char *value, void *arg) {
    struct outcome *o = arg;

    if (e->code == ERR_NONE)
        snprintf(o->text, sizeof(o->text), "%s", value);
    finish(o, e);
}

static bool check_token(const char *step, const char *mailbox, const char *good) {
    struct outcome o = {0};

    auth_start(mailbox, env.gmail_scopes, on_token, &o);
    if (wait_for(&o))
        ok(step, good);
    else
        failed(step, o.err.message);
    return o.err.code == ERR_NONE;
}

static bool check_value(const char *step, struct auth_call *(*start)(auth_value_fn *, void *)) {
    struct outcome o = {0};

    start(on_value, &o);
    if (wait_for(&o))
        ok(step, o.text);
    else
        failed(step, o.err.message);
    return o.err.code == ERR_NONE;
}

static void on_profile(struct google_reply *r, void *arg) {
    struct outcome *o = arg;
    const char *address = json_string_value(json_object_get(r->json, "emailAddress"));

    snprintf(o->text, sizeof(o->text), "%s", address != NULL ? address : "");
    finish(o, &r->err);
}

static void check_profile(void) {
    struct outcome o = {0};
    char url[1200];
    struct google_request rq = {.api = GOOGLE_GMAIL,
                                .step = "Gmail getProfile",
                                .mailbox = env.gmail_user,
                                .method = "GET",
                                .url = url,
                                .repeatable = true};

    snprintf(url, sizeof(url), "%s/gmail/v1/users/me/profile", env.gmail_url);
    google_start(&rq, on_profile, &o);
    if (!wait_for(&o))
        failed("mailbox", o.err.message);
    else if (strcasecmp(o.text, env.gmail_user) != 0)
        failed("mailbox",
               "Gmail answers for another mailbox: GMAIL_USER must be the primary address");
    else
        ok("mailbox", o.text);
}

static void on_signature(struct mail_reply *r, void *arg) {
    struct outcome *o = arg;

    if (r->err.code == ERR_NONE)
        snprintf(o->text, sizeof(o->text), "%zu bytes of HTML", strlen(r->signature));
    finish(o, &r->err);
}

static void check_signature(void) {
    struct outcome o = {0};
    struct mail_request rq = {.verb = MAIL_SIGNATURE, .sender = env_sender()};

    mail_start(&rq, on_signature, &o);
    if (wait_for(&o))
        ok("signature", o.text);
    else
        failed("signature", o.err.message);
}

static void check_chain(void) {
    bool chain;

    if (env.role == ENV_TRACKER) {
        skipped("mailbox", "ROLE=tracker sends no mail");
        return;
    }
    chain = check_token("credentials", NULL, "the service has a token of its own") &&
            check_value("account", auth_service_account) &&
            check_token("delegation", env.gmail_user, "signJwt and token exchange for GMAIL_USER");
    if (chain) {
        check_profile();
        check_signature();
        return;
    }
    skipped("mailbox", "needs the step above");
    skipped("signature", "needs the step above");
}

/* --- the store ------------------------------------------------------------------------------- */

static void on_stored(struct store_reply *r, void *arg) {
    struct outcome *o = arg;

    if (r->err.code == ERR_NONE && !r->found && r->version[0] == '\0' && o->text[0] != '\0')
        err_set(&r->err, ERR_STORE_ERROR, "what was written just now is not there");
    finish(o, &r->err);
}

static bool store_step(const struct store_request *rq, const char *step) {
    struct outcome o = {0};

    snprintf(o.text, sizeof(o.text), "%s", rq->verb == STORE_GET ? "read" : "");
    store_start(rq, on_stored, &o);
    if (!wait_for(&o))
        failed(step, o.err.message);
    return o.err.code == ERR_NONE;
}

static void check_store(void) {
    char id[CRYPTO_UUID_SIZE], now[CLOCK_TEXT_SIZE];
    struct store_request rq = {.collection = "paraph_check", .id = id};
    bool good;

    crypto_uuid4(id);
    clock_format(now, clock_now_us());
    rq.fields = json_pack("{s:s}", "created_at", now);
    rq.verb = STORE_CREATE;
    good = store_step(&rq, "store");
    json_decref(rq.fields);
    rq.fields = NULL;
    rq.verb = STORE_GET;
    good = good && store_step(&rq, "store");
    rq.verb = STORE_DELETE;
    if (good && store_step(&rq, "store"))
        ok("store", "a document was written, read and deleted");
}

/* --- without a network ----------------------------------------------------------------------- */

static void check_scripts(void) {
    struct err e;
    struct gen *g = gen_load(&e);
    char text[64];
    size_t n;

    if (g == NULL) {
        failed("scripts", e.message);
        return;
    }
    gen_routes(g, &n);
    snprintf(text, sizeof(text), "%zu routes; every template compiles", n);
    ok("scripts", text);
    gen_drop(g);
}

static void check_live(void) {
    struct err e;

    if (store_init(&e) != 0) {
        failed("store", e.message);
    } else {
        check_store();
        store_fini();
    }
    if (mail_init(&e) != 0) {
        failed("mail", e.message);
        return;
    }
    if (env.backend == ENV_GOOGLE)
        check_chain();
    else
        ok("outbox", env.data_dir);
    mail_fini();
}

static void check_all(bool live) {
    struct err e;

    ok("settings", env.backend == ENV_GOOGLE ? "BACKEND=google" : "BACKEND=local");
    check_scripts();
    if (!live)
        return;
    if (fetch_init(&e) != 0 || auth_init(&e) != 0) {
        failed("network", e.message);
        return;
    }
    check_live();
    auth_fini();
    fetch_fini();
}

int check_run(bool live) {
    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_MS) != 0) {
        fprintf(stderr, "paraph check: %s\n", strerror(errno));
        return 1;
    }
    loop_on_turn(task_run_ready);
    check_all(live);
    task_watchdog_stop();
    loop_fini();
    return failures == 0 ? 0 : 1;
}
