#include "google_remedy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "env.h"

#define SENTENCE_MAX 500
#define SAID_MIN     24 /* Google's own words are left out where fewer bytes of them would fit */

/* Quotas count by the minute, but for the one that counts by the day. */
#define MINUTE_S 60
#define HOUR_S   3600

#define METADATA  GOOGLE_PEER_METADATA
#define REFRESH   GOOGLE_PEER_REFRESH
#define IAM       GOOGLE_PEER_IAM
#define EXCHANGE  GOOGLE_PEER_EXCHANGE
#define TOKEN     (REFRESH | EXCHANGE)
#define GMAIL     GOOGLE_PEER_GMAIL
#define FIRESTORE GOOGLE_PEER_FIRESTORE

#define LOGIN "`gcloud auth application-default login`"

/*
 * The symptoms: the first row that fits is told.  peers: who may have answered; status: HTTP, 0
 * any; words: one of these is among google_error's words; says: one of these is part of the
 * message, in any case; wait: seconds, if this is a rate limit that does not say itself how long.
 * Names in braces are put in by add_name().
 */
static const struct symptom {
    unsigned peers;
    int status;
    const char *words, *says;
    int wait;
    const char *sentence;
} symptoms[] = {
    /* --- the metadata server --- */
    {METADATA, 403, NULL, NULL, 0,
     "the metadata server does not give out a token: the service account of this machine or its "
     "scopes do not allow it; give it the scope cloud-platform"},
    {METADATA, 404, NULL, NULL, 0,
     "no service account is attached: deploy with one (`gcloud run deploy --service-account "
     "ADDRESS`)"},

    /* --- a person's credentials, on a laptop --- */
    {REFRESH, 0, "invalid_rapt|rapt_required", NULL, 0,
     "the Workspace admin asks for a new sign-in from time to time: run " LOGIN " again"},
    {REFRESH, 0, "invalid_grant", NULL, 0,
     "the sign-in has expired or was revoked: run " LOGIN " again"},
    {REFRESH, 0, "unauthorized_client", NULL, 0,
     "the credentials file's client may not refresh this sign-in: run " LOGIN " again"},
    {REFRESH, 0, "invalid_scope", NULL, 0,
     "the sign-in does not cover the scopes asked for: run " LOGIN " again, without --scopes"},

    /* --- IAM Credentials, and what it shares with Firestore --- */
    {IAM | FIRESTORE, 403, NULL, "end user credentials|requires a quota project", 0,
     "a person's credentials need a quota project here: set GOOGLE_CLOUD_QUOTA_PROJECT, or run "
     "`gcloud auth application-default set-quota-project PROJECT`"},
    {IAM | FIRESTORE, 403, "USER_PROJECT_DENIED", NULL, 0,
     "these credentials may not use the quota project {quota_project}: grant them "
     "roles/serviceusage.serviceUsageConsumer on it, or name another one in "
     "GOOGLE_CLOUD_QUOTA_PROJECT"},
    {IAM, 403, "SERVICE_DISABLED", NULL, 0,
     "the IAM Credentials API is off in the project {consumer}: run `gcloud services enable "
     "iamcredentials.googleapis.com --project={consumer}` and wait a minute"},
    {IAM, 403, "accessNotConfigured", NULL, 0,
     "the IAM Credentials API is off in the project {consumer}, or the credentials are a person's "
     "without a quota project: run `gcloud services enable iamcredentials.googleapis.com "
     "--project={consumer}`, or set GOOGLE_CLOUD_QUOTA_PROJECT"},
    {IAM, 403, NULL, "has not been used in project", 0,
     "the IAM Credentials API is off in the project {consumer}: run `gcloud services enable "
     "iamcredentials.googleapis.com --project={consumer}` and wait a minute"},
    {IAM, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", NULL, 0,
     "the token of this machine lacks a scope, {needed}: give the machine the scope "
     "https://www.googleapis.com/auth/cloud-platform"},
    {IAM, 403, NULL, NULL, 0,
     "no right to sign as {account}, or there is no such account (Google does not say which): "
     "check the address, and run `gcloud iam service-accounts add-iam-policy-binding {account} "
     "--member=serviceAccount:{account} --role=roles/iam.serviceAccountTokenCreator` (from a "
     "laptop: --member=user:YOU); a new grant takes a minute or more to work"},
    {IAM, 401, NULL, NULL, 0,
     "the caller's own token was refused, and a fresh one too: on a laptop run " LOGIN
     " again; elsewhere, GCE_METADATA_HOST must lead to Google's server"},
    {IAM, 400, NULL, NULL, 0,
     "the claims were refused: is the clock of this machine right, and are {account} "
     "(GOOGLE_SERVICE_ACCOUNT_EMAIL) and {mailbox} plain addresses?"},
    {IAM, 404, NULL, NULL, 0,
     "there is no service account {account}: check GOOGLE_SERVICE_ACCOUNT_EMAIL"},
    {IAM, 429, NULL, NULL, 0,
     "the quota of requests to sign (60,000 per minute and project) is used up: wait a minute"},

    /* --- the exchange of an assertion: domain-wide delegation --- */
    {EXCHANGE, 0, "unauthorized_client", "unauthorized client or scope", 0,
     "{account} is not delegated in the Workspace domain of {mailbox}, or not for the scopes "
     "{scopes}: add it under Domain-wide delegation in the Admin console of that very domain, by "
     "its numeric client id ({client_id}); a new entry takes minutes to 24 h to work"},
    {EXCHANGE, 0, "unauthorized_client", NULL, 0,
     "{account} is not delegated the scopes {scopes}: in the Admin console, Security > Access and "
     "data control > API controls > Domain-wide delegation, the entry must have exactly these and "
     "the numeric client id ({client_id}), not the address or a group; it takes minutes to 24 h to "
     "work"},
    {EXCHANGE, 0, "access_denied", "account restricted", 0,
     "the account {mailbox} is restricted: a Workspace admin has to lift that"},
    {EXCHANGE, 0, "access_denied", NULL, 0,
     "the delegation of {account} lacks one or more of the scopes {scopes}: add every one of "
     "them to its entry under Domain-wide delegation in the Admin console, or set GMAIL_SCOPES "
     "to those that are there"},
    {EXCHANGE, 0, "admin_policy_enforced", NULL, 0,
     "a Workspace policy restricts the scopes {scopes}: an admin has to mark the client "
     "({client_id}) as trusted under API controls"},
    {EXCHANGE, 0, "invalid_grant", "invalid email or user id|not a valid email", 0,
     "{mailbox} does not exist, is suspended, is a group or an alias, or is no Workspace mailbox: "
     "use the primary address of a user of the domain (GMAIL_USER)"},
    {EXCHANGE, 0, "invalid_grant", "has been deleted|account not found", 0,
     "{mailbox} was deleted, or the service account {account} does not exist: check GMAIL_USER and "
     "GOOGLE_SERVICE_ACCOUNT_EMAIL"},
    {EXCHANGE, 0, "invalid_grant", "short-lived token", 0,
     "the times in the assertion were refused: the clock of this machine is wrong, set it"},
    {EXCHANGE, 0, "invalid_grant", "invalid jwt signature", 0,
     "the signature is not by a key of {account}: it must be the account that signed, and exist "
     "and be enabled; check GOOGLE_SERVICE_ACCOUNT_EMAIL and IAM_CREDENTIALS_URL"},
    {EXCHANGE, 0, "invalid_grant", "audience", 0,
     "the audience was refused: OAUTH_TOKEN_URL leads to a server that does not go by Google's "
     "name (https://oauth2.googleapis.com/token)"},
    {EXCHANGE, 0, "invalid_grant", "no valid verifier", 0,
     "{account} is no service account: check GOOGLE_SERVICE_ACCOUNT_EMAIL"},
    {EXCHANGE, 0, "invalid_grant", NULL, 0,
     "the mailbox {mailbox} was refused: it must be the primary address of a user of the Workspace "
     "domain, not suspended, no group and no alias (GMAIL_USER)"},
    {EXCHANGE, 0, "invalid_request", "impersonation", 0,
     "{mailbox} is no well-formed address: check GMAIL_USER"},
    {EXCHANGE, 0, "invalid_request", NULL, 0,
     "the assertion could not be read: does IAM_CREDENTIALS_URL lead to Google's server?"},
    {EXCHANGE, 0, "invalid_scope", NULL, 0,
     "the scopes {scopes} were refused: GMAIL_SCOPES holds whole scope addresses with spaces "
     "between them, not commas"},
    {EXCHANGE, 200, "id_token", NULL, 0,
     "one of the scopes {scopes} does not exist, so Google gave an ID token instead of an access "
     "token: correct the spelling in GMAIL_SCOPES"},

    /* --- both uses of the token endpoint --- */
    {TOKEN, 0, "invalid_client", NULL, 0,
     "the service account or OAuth client is unknown: was it deleted? One can be restored for 30 "
     "days"},
    {TOKEN, 0, "deleted_client", NULL, 0,
     "the service account or OAuth client was deleted: restore it (possible for 30 days) or use "
     "another"},
    {TOKEN, 0, "disabled_client", NULL, 0,
     "the service account or OAuth client is disabled: enable it (`gcloud iam service-accounts "
     "enable`)"},
    {TOKEN, 0, "org_internal", NULL, 0,
     "the client is restricted to its own organisation: use a service account of the organisation "
     "of {mailbox}"},
    {TOKEN, 0, "internal_failure|server_error|temporarily_unavailable", NULL, 0,
     "Google failed: try again in a moment"},

    /* --- quotas; before what else is 403 or 429 --- */
    {GMAIL, 0, "dailyLimitExceeded", NULL, HOUR_S,
     "the project's quota of the day is used up: more at midnight, Pacific time"},
    {GMAIL, 0, "userRateLimitExceeded", NULL, MINUTE_S, "the quota of {mailbox} is used up"},
    {GMAIL, 0, "rateLimitExceeded", NULL, MINUTE_S, "the rate limit for {mailbox} is reached"},
    {GMAIL | FIRESTORE, 0, "RATE_LIMIT_EXCEEDED", NULL, MINUTE_S, "the rate limit is reached"},
    {GMAIL | FIRESTORE, 403, NULL, "quota exceeded", MINUTE_S, "the quota is used up"},
    {GMAIL, 429, NULL, NULL, MINUTE_S, "the sending or request limit of {mailbox} is reached"},
    {FIRESTORE, 429, NULL, NULL, MINUTE_S,
     "Firestore's quota or capacity is used up: if it is the free quota of the day, enable "
     "billing"},

    /* --- Gmail --- */
    {GMAIL, 400, "failedPrecondition", "mail service not enabled", 0,
     "{mailbox} has no Gmail: a Workspace admin has to give the user a licence and turn the "
     "service on"},
    {GMAIL, 400, "failedPrecondition", NULL, 0,
     "{mailbox} cannot be used: the token is not that of a Workspace user with Gmail; check "
     "GMAIL_USER and the delegation (`paraph check --live`)"},
    {GMAIL, 400, NULL, NULL, 0, "Gmail does not take the request: {said}"},
    {GMAIL, 401, NULL, NULL, 0,
     "Gmail refused the token of {mailbox}, and a fresh one too: was the delegation withdrawn or "
     "the user suspended?"},
    {GMAIL, 403, NULL, "metadata scope", 0,
     "the scope gmail.metadata spoils a token for searches: take it out of GMAIL_SCOPES"},
    {GMAIL, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT|insufficientPermissions", NULL, 0,
     "the scopes {scopes} do not cover this; needed is {needed}: add it to GMAIL_SCOPES and to the "
     "entry under Domain-wide delegation in the Admin console"},
    {GMAIL, 403, "SERVICE_DISABLED|accessNotConfigured", NULL, 0,
     "the Gmail API is off in the project of the service account, {consumer}: run `gcloud services "
     "enable gmail.googleapis.com --project={consumer}` and wait a minute"},
    {GMAIL, 403, "domainPolicy", NULL, 0,
     "the Workspace domain does not allow this: an admin has to allow the app or Gmail's API under "
     "API controls"},
    {GMAIL, 403, NULL, "delegation denied", 0,
     "the token is not one of {mailbox}: use the primary address of the mailbox, no alias"},
    {GMAIL, 403, NULL, NULL, 0, "Gmail does not allow this for {mailbox}"},
    {GMAIL, 404, NULL, NULL, 0, "there is no such thing in {mailbox}"},
    {GMAIL, 413, NULL, NULL, 0, "the message is larger than Gmail takes (35 MiB)"},

    /* --- Firestore --- */
    {FIRESTORE, 400, "FAILED_PRECONDITION", "requires a", 0,
     "a composite index is missing; create it: {said}"},
    {FIRESTORE, 400, "FAILED_PRECONDITION", NULL, 0,
     "the document is not in the state that was expected"},
    {FIRESTORE, 400, NULL, "transaction has expired", 0,
     "the transaction is over: it has to be begun again"},
    {FIRESTORE, 400, NULL, NULL, 0, "Firestore does not take the request: {said}"},
    {FIRESTORE, 401, NULL, NULL, 0,
     "Firestore refused the token, and a fresh one too: if it comes from a laptop, run " LOGIN
     " again"},
    {FIRESTORE, 403, "SERVICE_DISABLED", NULL, 0,
     "the Firestore API is off in the project {consumer}: run `gcloud services enable "
     "firestore.googleapis.com --project={consumer}` and wait a minute"},
    {FIRESTORE, 403, NULL, "has not been used in project", 0,
     "the Firestore API is off in the project {consumer}: run `gcloud services enable "
     "firestore.googleapis.com --project={consumer}` and wait a minute"},
    {FIRESTORE, 403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", NULL, 0,
     "the token lacks a scope, {needed}: give the machine "
     "https://www.googleapis.com/auth/cloud-platform"},
    {FIRESTORE, 403, NULL, NULL, 0,
     "no right to use the database: grant roles/datastore.user on the project {project} to the "
     "service account that runs this"},
    {FIRESTORE, 404, NULL, "the database ", 0,
     "there is no database {database} in the project {project}: create it (`gcloud firestore "
     "databases create`), or name another in FIRESTORE_DATABASE and GOOGLE_CLOUD_PROJECT"},
    {FIRESTORE, 404, NULL, NULL, 0, "there is no such document"},
    {FIRESTORE, 409, "ALREADY_EXISTS", NULL, 0, "the document is there already"},
    {FIRESTORE, 0, "ABORTED", NULL, 0, "others are writing to the same documents: try again"},
    {FIRESTORE, 499, NULL, NULL, 0, "the request was cancelled: try again"},
    {FIRESTORE, 504, NULL, NULL, 0, "Firestore ran out of time; it may have done it all the same"},

    /* --- all --- */
    {~0u, 408, NULL, NULL, 0, "Google did not get the request in time: try again"},
    {~0u, 429, NULL, NULL, 0, "too many requests: try again in a moment"},
    {~0u, 500, NULL, NULL, 0, "Google failed: try again in a moment"},
    {~0u, 502, NULL, NULL, 0, "Google failed: try again in a moment"},
    {~0u, 503, NULL, NULL, 0, "Google is overloaded: try again in a moment"},
    {~0u, 504, NULL, NULL, 0, "Google ran out of time: try again in a moment"},
    {~0u, 0, NULL, NULL, 0, "refused"},
};

static bool is_said(const struct google_error *ge, const char *part) {
    return strcasestr(ge->message, part) != NULL;
}

/* Does it hold for one of "a|b|c"?  NULL asks nothing. */
static bool holds(const char *list, const struct google_error *ge,
                  bool (*test)(const struct google_error *ge, const char *item)) {
    char item[64];

    for (size_t n; list != NULL; list += n + 1) {
        n = strcspn(list, "|");
        snprintf(item, sizeof(item), "%.*s", (int)n, list);
        if (test(ge, item))
            return true;
        if (list[n] == '\0')
            return false;
    }
    return true;
}

static const struct symptom *find(enum google_peer peer, const struct google_error *ge) {
    const struct symptom *s = symptoms;

    while ((s->peers & peer) == 0 || (s->status != 0 && s->status != ge->status) ||
           !holds(s->words, ge, google_error_is) || !holds(s->says, ge, is_said))
        s++;
    return s; /* the last one fits all */
}

/* "a b" as "a, b": how the Admin console wants them. */
static void add_scopes(struct buf *out, const char *scopes) {
    for (; *scopes != '\0'; scopes++)
        if (*scopes == ' ')
            buf_adds(out, ", ");
        else
            buf_addc(out, *scopes);
}

static const char *or_else(const char *name, const char *fallback) {
    return name != NULL && *name != '\0' ? name : fallback;
}

static bool is(const char *name, size_t n, const char *what) {
    return strlen(what) == n && memcmp(name, what, n) == 0;
}

static void add_name(struct buf *out, const char *name, size_t n, const struct google_error *ge,
                     const struct google_names *names) {
    if (is(name, n, "account"))
        buf_adds(out, or_else(names->account, "the service account"));
    else if (is(name, n, "client_id") && names->client_id != NULL)
        buf_adds(out, names->client_id);
    else if (is(name, n, "client_id"))
        buf_addf(out, "`gcloud iam service-accounts describe %s --format='value(uniqueId)'`",
                 or_else(names->account, "ADDRESS"));
    else if (is(name, n, "consumer"))
        buf_adds(out, or_else(ge->consumer, "PROJECT"));
    else if (is(name, n, "database"))
        buf_adds(out, env.firestore_database);
    else if (is(name, n, "mailbox"))
        buf_adds(out, or_else(names->mailbox, "the mailbox"));
    else if (is(name, n, "needed"))
        add_scopes(out, or_else(ge->scopes, "a wider one"));
    else if (is(name, n, "project"))
        buf_adds(out, or_else(env.project, "PROJECT"));
    else if (is(name, n, "quota_project"))
        buf_adds(out, or_else(names->quota_project, "PROJECT"));
    else if (is(name, n, "said"))
        buf_adds(out, or_else(ge->message, "it does not say why"));
    else if (is(name, n, "scopes"))
        add_scopes(out, or_else(names->scopes, "asked for"));
}

static void add_sentence(struct buf *out, const char *sentence, const struct google_error *ge,
                         const struct google_names *names) {
    while (*sentence != '\0') {
        size_t n = strcspn(sentence, "{");

        buf_add(out, sentence, n);
        sentence += n;
        if (*sentence == '{') {
            n = strcspn(++sentence, "}");
            add_name(out, sentence, n, ge, names);
            sentence += n + 1;
        }
    }
}

/* Cut to what fits, at a character. */
static void cut(struct buf *b, size_t max) {
    if (b->len <= max)
        return;
    b->len = max - strlen("…");
    while (b->len > 0 && ((unsigned char)b->data[b->len] & 0xC0) == 0x80)
        b->len--;
    b->data[b->len] = '\0';
    buf_adds(b, "…");
}

enum err_code google_remedy_code(enum google_peer peer) {
    return peer == GOOGLE_PEER_GMAIL       ? ERR_GMAIL_ERROR
           : peer == GOOGLE_PEER_FIRESTORE ? ERR_FIRESTORE_ERROR
                                           : ERR_AUTH_ERROR;
}

const char *google_remedy_place(enum google_peer peer) {
    static const struct {
        unsigned peers;
        const char *name;
    } places[] = {{METADATA, "GCE_METADATA_HOST"},
                  {TOKEN, "OAUTH_TOKEN_URL"},
                  {IAM, "IAM_CREDENTIALS_URL"},
                  {GMAIL, "GMAIL_URL"},
                  {FIRESTORE, "FIRESTORE_EMULATOR_HOST"}, /* goes before the other */
                  {FIRESTORE, "FIRESTORE_URL"}};
    const char *value;

    for (size_t i = 0; i < COUNT_OF(places); i++) {
        if ((places[i].peers & peer) == 0)
            continue;
        value = getenv(places[i].name);
        if (value != NULL && *value != '\0')
            return places[i].name;
    }
    return NULL;
}

void google_remedy_tell(struct err *e, enum google_peer peer, const struct google_error *ge,
                        const struct google_names *names) {
    const struct symptom *s = find(peer, ge);
    const char *reason = google_error_reason(ge);
    struct buf b;

    buf_init(&b, 16 * KIB);
    buf_addf(&b, "%s: ", names->step);
    add_sentence(&b, s->sentence, ge, names);
    cut(&b, SENTENCE_MAX);
    if (ge->status != 200 && b.len + strlen(reason) + SAID_MIN < SENTENCE_MAX) {
        buf_addf(&b, " (%d%s%s", ge->status, *reason != '\0' ? " " : "", reason);
        if (ge->message[0] != '\0' && strstr(s->sentence, "{said}") == NULL)
            buf_addf(&b, ": %s", ge->message);
        cut(&b, SENTENCE_MAX - 1);
        buf_addc(&b, ')');
    }
    err_set(e, s->wait > 0 ? ERR_RATE_LIMITED : google_remedy_code(peer), "%s", b.data);
    snprintf(e->reason, sizeof(e->reason), "%s", reason);
    e->retry_after = s->wait > 0 && ge->retry_after == 0 ? s->wait : ge->retry_after;
    buf_free(&b);
}
