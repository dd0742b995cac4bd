#include "auth.h"

#include <stdlib.h>
#include <string.h>

#include "auth_chain.h"
#include "clock.h"
#include "crypto.h"
#include "env.h"
#include "log.h"

/* Google's servers keep a token until 4 minutes before its end: asked earlier, they give the same
 * one again. */
#define MARGIN_MS         (225 * 1000)
#define FAULT_KEPT_MS     5000 /* what somebody has to put right */
#define TRANSIENT_KEPT_MS 1000
#define ENTRIES_MAX       1000

/* A value that can be asked for: at most one flight is under way to get it, however many wait. */
struct entry {
    struct entry *next; /* most recently asked for first */
    enum auth_chain_goal goal;
    char *mailbox, *scopes; /* MAILBOX, SIGNING_KEY */
    char *value;            /* NULL: none */
    char *quota_project;
    uint64_t refresh_ms, end_ms;
    struct err failure;
    uint64_t failure_end_ms;
    struct auth_call *waiting;

    bool flying;
    struct auth_call *need; /* of another entry: the account, the own token */
    struct auth_chain *chain;
    char *account;
    bool again; /* the own token was refused once */
    uint64_t deadline_ms;
};

/* One who waits. */
struct auth_call {
    struct auth_call *next, **link;
    auth_done_fn *token_done; /* one of the two */
    auth_value_fn *value_done;
    void *arg;
};

static struct entry *entries;
static unsigned nentries;
static bool open_for_work;

static void fly(struct entry *n);

/* --- those who wait -------------------------------------------------------------------------- */

static void unlink_call(struct auth_call *c) {
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
}

static void tell(const struct auth_call *c, const struct err *e, const char *value,
                 const char *quota_project) {
    struct auth_token token = {value, quota_project};

    if (c->token_done != NULL)
        c->token_done(e, value != NULL ? &token : NULL, c->arg);
    else
        c->value_done(e, value, c->arg);
}

/* To all who wait now; what they do in turn (ask again, cancel, refuse the token) does not disturb
 * it. */
static void tell_all(struct entry *n, const struct err *e, const char *value,
                     const char *quota_project) {
    struct auth_call *waiting = n->waiting, *c;

    n->waiting = NULL;
    if (waiting != NULL)
        waiting->link = &waiting;
    while ((c = waiting) != NULL) {
        if ((waiting = c->next) != NULL)
            waiting->link = &waiting;
        tell(c, e, value, quota_project);
        free(c);
    }
}

/* --- entries --------------------------------------------------------------------------------- */

static void drop_value(struct entry *n) {
    crypto_wipe(n->value);
    free(n->quota_project);
    n->value = n->quota_project = NULL;
}

static void stop(struct entry *n) {
    auth_cancel(&n->need);
    auth_chain_cancel(&n->chain);
    free(n->account);
    n->account = NULL;
    n->flying = false;
}

static void destroy(struct entry *n) {
    drop_value(n);
    free(n->mailbox);
    free(n->scopes);
    free(n);
}

static bool same(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* The entry, moved to the front; NULL if there is none. */
static struct entry *find(enum auth_chain_goal goal, const char *mailbox, const char *scopes) {
    for (struct entry **np = &entries, *n; (n = *np) != NULL; np = &n->next)
        if (n->goal == goal && same(n->mailbox, mailbox) && same(n->scopes, scopes)) {
            *np = n->next;
            n->next = entries;
            entries = n;
            return n;
        }
    return NULL;
}

/* Let go of the entry that nobody has asked for the longest; false if all are in use. */
static bool evict(void) {
    struct entry **last = NULL, *n;

    for (struct entry **np = &entries; *np != NULL; np = &(*np)->next)
        if (!(*np)->flying && (*np)->waiting == NULL)
            last = np;
    if (last == NULL)
        return false;
    n = *last;
    *last = n->next;
    nentries--;
    destroy(n);
    return true;
}

static struct entry *add(enum auth_chain_goal goal, const char *mailbox, const char *scopes) {
    struct entry *n;

    /* There is always room for what mailboxes need. */
    if ((mailbox != NULL && nentries >= ENTRIES_MAX && !evict()) ||
        (n = calloc(1, sizeof(*n))) == NULL)
        return NULL;
    n->goal = goal;
    n->mailbox = mailbox != NULL ? strdup(mailbox) : NULL;
    n->scopes = scopes != NULL ? strdup(scopes) : NULL;
    if ((mailbox != NULL && n->mailbox == NULL) || (scopes != NULL && n->scopes == NULL)) {
        destroy(n);
        return NULL;
    }
    n->next = entries;
    entries = n;
    nentries++;
    return n;
}

/* After a new sign-in the own token is still that of the old one. */
static void forget_own(void) {
    struct entry *own = find(AUTH_CHAIN_OWN, NULL, NULL);

    if (own != NULL)
        drop_value(own);
}

/* --- flights --------------------------------------------------------------------------------- */

static void land_badly(struct entry *n, const struct err *e, bool transient) {
    struct err failure = *e;
    uint64_t now = clock_monotonic_ms();

    stop(n);
    n->failure = failure;
    n->failure_end_ms = now + (transient ? TRANSIENT_KEPT_MS : FAULT_KEPT_MS);
    if (n->waiting == NULL && n->value != NULL &&
        now < n->end_ms) /* nobody else would tell of it */
        LOG(LOG_WARNING, NULL, "token not refreshed", LOG_S("mailbox", n->mailbox),
            LOG_E(&failure));
    tell_all(n, &failure, NULL, NULL);
}

static void land(struct entry *n, const struct auth_chain_result *r) {
    uint64_t now = clock_monotonic_ms();
    char *value = strdup(r->value);
    char *quota_project = r->quota_project != NULL ? strdup(r->quota_project) : NULL;
    struct err none = {.code = ERR_NONE};

    stop(n);
    n->failure_end_ms = 0;
    if (n->goal == AUTH_CHAIN_ACCOUNT && n->value != NULL && strcmp(n->value, r->value) != 0)
        forget_own();
    drop_value(n);
    n->value = value;
    n->quota_project = quota_project;
    n->end_ms = r->life_ms == UINT64_MAX ? UINT64_MAX : now + r->life_ms;
    /* A new token that is inside the margin already is used, and not asked for again at once. */
    n->refresh_ms = r->life_ms > MARGIN_MS ? n->end_ms - MARGIN_MS : now + r->life_ms / 4;
    tell_all(n, &none, r->value, r->quota_project);
}

static void on_chain_done(const struct auth_chain_result *r, void *arg) {
    struct entry *n = arg;

    n->chain = NULL;
    if (r->refused && !n->again) {
        n->again = true;
        auth_refused(NULL, NULL, r->value);
        fly(n);
    } else if (r->err.code != ERR_NONE) {
        land_badly(n, &r->err, r->transient);
    } else {
        land(n, r);
    }
}

static void start_chain(struct entry *n, const struct auth_token *own) {
    struct auth_chain_order order = {.goal = n->goal,
                                     .deadline_ms = n->deadline_ms,
                                     .mailbox = n->mailbox,
                                     .scopes = n->scopes,
                                     .account = n->account,
                                     .bearer = own != NULL ? own->bearer : NULL,
                                     .quota_project = own != NULL ? own->quota_project : NULL};
    struct err e;

    if ((n->chain = auth_chain_start(&order, on_chain_done, n, &e)) == NULL)
        land_badly(n, &e, false);
}

static void on_own(const struct err *e, const struct auth_token *own, void *arg) {
    struct entry *n = arg;
    struct err failure = *e;

    n->need = NULL;
    if (e->code == ERR_NONE) {
        start_chain(n, own);
        return;
    }
    failure.reason[0] = '\0';      /* it was not given for the mailbox */
    land_badly(n, &failure, true); /* the own token's entry knows for how long */
}

static void on_account(const struct err *e, const char *value, void *arg) {
    struct entry *n = arg;
    struct err failure = *e;

    n->need = NULL;
    if (value != NULL && (n->account = strdup(value)) == NULL)
        err_set(&failure, ERR_INTERNAL_ERROR, "out of memory");
    if (n->account == NULL)
        land_badly(n, &failure, true);
    else
        fly(n);
}

/* The next leg of a flight.  What it needs may be there at once: then n->need is left alone, for
 * the leg after that may have set it. */
static void fly(struct entry *n) {
    struct auth_call *need;

    if (n->goal < AUTH_CHAIN_MAILBOX) {
        start_chain(n, NULL);
        return;
    }
    need = n->account == NULL ? auth_service_account(on_account, n)
                              : auth_start(NULL, NULL, on_own, n);
    if (need != NULL)
        n->need = need;
}

static void take_off(struct entry *n, uint64_t now) {
    n->flying = true;
    n->again = false;
    n->deadline_ms = now + env.upstream_timeout * 1000ULL;
    fly(n);
}

/* --- asking ---------------------------------------------------------------------------------- */

static void tell_value(const struct auth_call *c, const struct entry *n) {
    struct err e = {.code = ERR_NONE};
    char *value = strdup(n->value); /* the listener may refuse it, and so end the entry's own */
    char *quota_project = n->quota_project != NULL ? strdup(n->quota_project) : NULL;

    if (value == NULL)
        err_set(&e, ERR_INTERNAL_ERROR, "out of memory");
    tell(c, &e, value, quota_project);
    crypto_wipe(value);
    free(quota_project);
}

static struct auth_call *refuse(const struct auth_call *c, enum err_code code, const char *why) {
    struct err e;

    err_set(&e, code, "%s", why);
    tell(c, &e, NULL, NULL);
    return NULL;
}

static struct auth_call *wait_for(struct entry *n, const struct auth_call *asked) {
    struct auth_call *c = malloc(sizeof(*c));

    if (c == NULL)
        return refuse(asked, ERR_INTERNAL_ERROR, "out of memory");
    *c = *asked;
    c->next = n->waiting;
    c->link = &n->waiting;
    if (c->next != NULL)
        c->next->link = &c->next;
    n->waiting = c;
    return c;
}

static struct auth_call *ask(enum auth_chain_goal goal, const char *mailbox, const char *scopes,
                             const struct auth_call *asked) {
    uint64_t now = clock_monotonic_ms();
    struct entry *n;
    struct err failure;

    if (!open_for_work)
        return refuse(asked, ERR_SHUTTING_DOWN, "the process is shutting down");
    if ((n = find(goal, mailbox, scopes)) == NULL && (n = add(goal, mailbox, scopes)) == NULL)
        return refuse(asked, ERR_OVERLOADED, "too many mailboxes wait for a token at once");
    if (!n->flying && now >= n->failure_end_ms && (n->value == NULL || now >= n->refresh_ms))
        take_off(n, now);
    if (n->value != NULL && now < n->end_ms) {
        tell_value(asked, n);
        return NULL;
    }
    if (n->flying)
        return wait_for(n, asked);
    failure = n->failure;
    tell(asked, &failure, NULL, NULL);
    return NULL;
}

struct auth_call *auth_start(const char *mailbox, const char *scopes, auth_done_fn *done,
                             void *arg) {
    const struct auth_call asked = {.token_done = done, .arg = arg};

    if (mailbox == NULL)
        return ask(AUTH_CHAIN_OWN, NULL, NULL, &asked);
    return ask(AUTH_CHAIN_MAILBOX, mailbox, scopes, &asked);
}

struct auth_call *auth_service_account(auth_value_fn *done, void *arg) {
    const struct auth_call asked = {.value_done = done, .arg = arg};

    return ask(AUTH_CHAIN_ACCOUNT, NULL, NULL, &asked);
}

struct auth_call *auth_project(auth_value_fn *done, void *arg) {
    const struct auth_call asked = {.value_done = done, .arg = arg};

    return ask(AUTH_CHAIN_PROJECT, NULL, NULL, &asked);
}

struct auth_call *auth_signing_key(const char *mailbox, const char *scopes, auth_value_fn *done,
                                   void *arg) {
    const struct auth_call asked = {.value_done = done, .arg = arg};

    return ask(AUTH_CHAIN_SIGNING_KEY, mailbox, scopes, &asked);
}

struct auth_call *auth_client_id(auth_value_fn *done, void *arg) {
    const struct auth_call asked = {.value_done = done, .arg = arg};

    return ask(AUTH_CHAIN_CLIENT_ID, NULL, NULL, &asked);
}

void auth_cancel(struct auth_call **cp) {
    struct auth_call *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    unlink_call(c);
    free(c);
}

void auth_refused(const char *mailbox, const char *scopes, const char *bearer) {
    struct entry *n = find(mailbox != NULL ? AUTH_CHAIN_MAILBOX : AUTH_CHAIN_OWN, mailbox,
                           mailbox != NULL ? scopes : NULL);

    if (n != NULL && n->value != NULL && strcmp(n->value, bearer) == 0)
        drop_value(n);
}

int auth_init(struct err *e) {
    (void)e;
    open_for_work = true;
    return 0;
}

void auth_fini(void) {
    struct err e;
    struct entry *n;

    open_for_work = false;
    err_set(&e, ERR_SHUTTING_DOWN, "the process is shutting down");
    for (n = entries; n != NULL; n = n->next)
        stop(n);
    while ((n = entries) != NULL) {
        entries = n->next;
        tell_all(n, &e, NULL, NULL);
        destroy(n);
    }
    nentries = 0;
}
