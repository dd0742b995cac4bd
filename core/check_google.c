#include "check_google.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "auth.h"
#include "auth_adc.h"
#include "buf.h"
#include "check_step.h"
#include "env.h"
#include "gmail_sendas.h"
#include "gmail_text.h"
#include "loop.h"
#include "mail.h"

#define AUTH     "https://www.googleapis.com/auth/"
#define SETTINGS AUTH "gmail.settings.basic"

/* --- tokens ---------------------------------------------------------------------------------- */

static void on_token(const struct err *e, const struct auth_token *token, void *arg) {
    (void)token;
    check_step_end(arg, e);
}

static void on_value(const struct err *e, const char *value, void *arg) {
    struct check_step_outcome *o = arg;

    if (e->code == ERR_NONE)
        snprintf(o->text, sizeof(o->text), "%s", value);
    check_step_end(o, e);
}

static bool check_credentials(const char *step) {
    struct check_step_outcome o = {0};
    struct auth_adc adc;

    auth_start(NULL, NULL, on_token, &o);
    if (!check_step_wait(step, &o))
        return false;
    if (auth_adc_load(&adc, &o.err) != 0) { /* the file was there a moment ago */
        check_step_failed(step, "%s", o.err.message);
        return false;
    }
    if (adc.kind == AUTH_ADC_METADATA)
        check_step_ok(step, "a token of this machine's service account, from the metadata server");
    else if (adc.kind == AUTH_ADC_USER)
        check_step_ok(step, "a token of a person, from %s", adc.path);
    else
        check_step_ok(step, "a token of %s, impersonated by a person, from %s", adc.account,
                      adc.path);
    auth_adc_free(&adc);
    return true;
}

static bool check_account(const char *step) {
    struct check_step_outcome o = {0};

    auth_service_account(on_value, &o);
    if (!check_step_wait(step, &o))
        return false;
    check_step_ok(step, "%s signs", o.text);
    return true;
}

static bool check_sign_jwt(const char *step) {
    struct check_step_outcome o = {0};

    auth_signing_key(env.gmail_user, env.gmail_scopes, on_value, &o);
    if (!check_step_wait(step, &o))
        return false;
    check_step_ok(step, "an assertion for %s, signed with the key %.16s", env.gmail_user, o.text);
    return true;
}

/* What the entry of the delegation must say, to be pasted. */
static void note_delegation(void) {
    struct check_step_outcome account = {0}, id = {0};
    const char *scope = env.gmail_scopes;
    struct buf scopes;

    auth_service_account(on_value, &account);
    auth_client_id(on_value, &id);
    while (!account.done || !id.done)
        loop_run();
    buf_init(&scopes, 64 * KIB);
    for (size_t n; *(scope += strspn(scope, " ")) != '\0'; scope += n) {
        n = strcspn(scope, " ");
        buf_addf(&scopes, "%s%.*s", scopes.len > 0 ? "," : "", (int)n, scope);
    }
    check_step_note("In admin.google.com > Security > Access and data control > API controls >");
    check_step_note("Domain-wide delegation, the entry must be:");
    if (id.err.code == ERR_NONE)
        check_step_note("  Client ID     %s", id.text);
    else
        check_step_note(
            "  Client ID     (the Unique ID of %s: `gcloud iam service-accounts describe "
            "%s --format='value(uniqueId)'`)",
            account.text, account.text);
    check_step_note("  OAuth scopes  %s", scopes.data);
    buf_free(&scopes);
}

static bool check_exchange(const char *step) {
    struct check_step_outcome o = {0};

    auth_start(env.gmail_user, env.gmail_scopes, on_token, &o);
    if (!check_step_wait(step, &o)) {
        if (o.err.code == ERR_AUTH_ERROR)
            note_delegation();
        return false;
    }
    check_step_ok(step, "a token of %s for %s", env.gmail_user, env.gmail_scopes);
    return true;
}

/* --- the mailbox ----------------------------------------------------------------------------- */

static void on_profile(struct mail_reply *r, void *arg) {
    struct check_step_outcome *o = arg;

    snprintf(o->text, sizeof(o->text), "%s", r->mailbox);
    check_step_end(o, &r->err);
}

static bool check_profile(const char *step) {
    struct mail_request rq = {.verb = MAIL_PROFILE, .sender = env.gmail_user};
    struct check_step_outcome o = {0};

    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_PROFILE)) {
        check_step_skipped(step,
                           "GMAIL_SCOPES does not allow to ask for it; nothing else needs it");
        return true;
    }
    mail_start(&rq, on_profile, &o);
    if (!check_step_wait(step, &o))
        return false;
    if (strcasecmp(o.text, env.gmail_user) != 0) {
        check_step_failed(step,
                          "Gmail answers for %s: set GMAIL_USER to that, the mailbox's primary "
                          "address",
                          o.text);
        return false;
    }
    check_step_ok(step, "the mailbox of %s", o.text);
    return true;
}

struct identity {
    struct check_step_outcome outcome;
    bool readable, found, accepted;
    size_t others, signature;
};

static void on_identities(const struct gmail_identities *ids, const struct err *e, void *arg) {
    struct identity *id = arg;
    const struct gmail_identity *found = gmail_sendas_find(ids, env_sender());

    id->readable = ids->readable;
    id->found = found != NULL;
    id->accepted = found != NULL && found->accepted;
    id->signature = found != NULL ? strlen(found->signature) : 0;
    id->others = ids->n - id->found;
    check_step_end(&id->outcome, e);
}

static bool skip_identity(const char *step) {
    check_step_skipped(step, "mail leaves from the mailbox's own address alone, since GMAIL_SCOPES "
                             "does not allow to read who else it may write as");
    check_step_skipped("signature", "mail leaves without signature: to have Gmail's, add " SETTINGS
                                    " to GMAIL_SCOPES and to the delegation");
    return true;
}

static bool check_identity(const char *step) {
    struct gmail_sendas_wait wait = {0};
    struct identity id = {0};

    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_IDENTITIES))
        return skip_identity(step);
    gmail_sendas_read(env_sender(), &wait, on_identities, &id);
    if (!check_step_wait(step, &id.outcome))
        return false;
    if (!id.readable)
        return skip_identity(step);
    if (!id.accepted) {
        check_step_failed(
            step,
            "%s %s, and Gmail would put another sender in its place: set GMAIL_USER to the "
            "primary address, or confirm it under \"Send mail as\"",
            env_sender(), id.found ? "is not confirmed" : "is no identity of the mailbox");
        return false;
    }
    check_step_ok(step, "mail leaves as %s; the mailbox has %zu others", env_sender(), id.others);
    if (id.signature > 0)
        check_step_ok("signature", "%zu bytes of HTML, as set in Gmail", id.signature);
    else
        check_step_ok("signature", "none is set in Gmail for %s", env_sender());
    return true;
}

/* --- what the scopes allow ------------------------------------------------------------------- */

static bool check_drafts(const char *step) {
    if (gmail_scopes_cover(env.gmail_scopes, GMAIL_DRAFTS))
        check_step_ok(step, "a send whose answer is lost is settled by its draft: once only");
    else
        check_step_skipped(step,
                           "a send whose answer is lost cannot be settled, and may have to be "
                           "looked up by hand: to have it leave once only, add " AUTH
                           "gmail.compose to GMAIL_SCOPES and to the delegation");
    return true;
}

static bool check_replies(const char *step) {
    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_HEADERS))
        check_step_skipped(step, "what is answered cannot be looked up: name it by its Message-ID, "
                                 "or add " AUTH "gmail.readonly to GMAIL_SCOPES and to the "
                                 "delegation");
    else if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_SEARCH))
        check_step_skipped(step, "what is answered is looked up by thread and Gmail's id, but not "
                                 "by Message-ID: gmail.metadata does not allow to search");
    else
        check_step_ok(step, "what is answered is looked up: thread, In-Reply-To, References");
    return true;
}

/* Only what is missing: nobody has been asked whether the rest is granted. */
void check_google_scopes(void) {
    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_IDENTITIES))
        skip_identity("identity");
    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_DRAFTS))
        check_drafts("drafts");
    if (!gmail_scopes_cover(env.gmail_scopes, GMAIL_SEARCH)) /* which takes the most */
        check_replies("replies");
}

/* --- the project ----------------------------------------------------------------------------- */

static bool check_project(const char *step) {
    struct check_step_outcome o = {0};

    if (env.firestore_emulator_host != NULL) {
        check_step_ok(step, "the emulator at %s needs none", env.firestore_emulator_host);
        return true;
    }
    auth_project(on_value, &o);
    if (!check_step_wait(step, &o))
        return false;
    check_step_ok(step, "%s, database %s", o.text, env.firestore_database);
    return true;
}

/* --- the chain ------------------------------------------------------------------------------- */

struct link {
    const char *step;
    bool (*check)(const char *step); /* false: what comes after it cannot be done */
};

/* Go from link to link while they hold; where `may` is false, not even begin.  True: all hold. */
static bool walk(const struct link *links, size_t n, bool may) {
    for (size_t i = 0; i < n; i++)
        if (may)
            may = check_step_may_begin(links[i].step) && links[i].check(links[i].step);
        else
            check_step_skipped(links[i].step, "needs a step that has failed");
    return may;
}

bool check_google(void) {
    static const struct link credentials[] = {{"credentials", check_credentials}};
    static const struct link mailbox[] = {
        {"account", check_account},         {"signJwt", check_sign_jwt},
        {"token exchange", check_exchange}, {"profile", check_profile},
        {"identity", check_identity},       {"drafts", check_drafts},
        {"replies", check_replies},
    };
    static const struct link project[] = {{"project", check_project}};
    bool own = walk(credentials, COUNT_OF(credentials), true);

    if (env.role == ENV_TRACKER)
        check_step_skipped("mailbox", "ROLE=tracker sends no mail");
    else
        walk(mailbox, COUNT_OF(mailbox), own);
    return walk(project, COUNT_OF(project), own || env.firestore_emulator_host != NULL);
}
