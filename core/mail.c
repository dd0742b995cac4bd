#include "mail.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "address.h"
#include "env.h"
#include "gmail.h"
#include "outbox.h"
#include "scratch.h"

static const struct mail_backend *const backends[] = {
    [ENV_LOCAL] = &outbox_backend,
    [ENV_GOOGLE] = &gmail_backend,
};

static const struct mail_backend *backend;
static bool accepting;
static struct mail_call *under_way; /* the latest first */

int mail_init(struct err *e) {
    backend = backends[env.backend];
    if (backend->init(e) != 0)
        return -1;
    accepting = true;
    return 0;
}

static void unlink_call(struct mail_call *c) {
    if (c->link == NULL)
        return;
    *c->link = c->next;
    if (c->next != NULL)
        c->next->link = c->link;
    c->link = NULL;
}

/* The latest first: those who wait in line leave it before it is their turn. */
void mail_fini(void) {
    if (!accepting)
        return;
    accepting = false; /* what the last replies start is refused */
    while (under_way != NULL) {
        struct mail_call *c = under_way;
        mail_done_fn *done = c->done;
        struct mail_reply reply = {0};
        void *arg = c->arg;

        reply.unknown = mail_cancel(&c);
        err_set(&reply.err, ERR_SHUTTING_DOWN, "the service is shutting down");
        done(&reply, arg);
    }
    if (backend->fini != NULL)
        backend->fini();
}

/* --- who may be written for ------------------------------------------------------------------ */

/* Does this item of ALLOWED_SENDERS, an address or "@domain", or the default sender, name him?
 * Both are compared in their parsed form, so that the spelling of a domain does not matter. */
static bool names_sender(const char *item, size_t n, const struct address *sender) {
    bool domain_alone = n > 0 && item[0] == '@', same = false;
    struct address_list list = {0};
    struct buf spec;

    buf_init(&spec, 1 + n);
    if (domain_alone)
        buf_addc(&spec, 'x');
    buf_add(&spec, item, n);
    if (!buf_failed(&spec) && address_parse(&list, spec.data, spec.len, NULL) == 0 && list.n == 1)
        same = domain_alone ? strcmp(list.v[0].domain, sender->domain) == 0
                            : strcasecmp(list.v[0].spec, sender->spec) == 0;
    address_list_fini(&list);
    buf_free(&spec);
    return same;
}

static bool is_allowed(const struct address *sender) {
    const char *item = env.allowed_senders;

    if (names_sender(env_sender(), strlen(env_sender()), sender))
        return true;
    while (*(item += strspn(item, ", \t")) != '\0') {
        size_t n = strcspn(item, ", \t");

        if (names_sender(item, n, sender))
            return true;
        item += n;
    }
    return false;
}

int mail_check_sender(const char *address, struct err *e) {
    struct address_list list = {0};
    int rc = 0;

    if (strcmp(address, env_sender()) == 0) /* a mailbox, as env.c has checked */
        return 0;
    if (address_parse(&list, address, strlen(address), NULL) != 0 || list.n != 1)
        rc = err_set_field(e, ERR_FORBIDDEN, "from", "from: this is not one e-mail address");
    else if (!is_allowed(&list.v[0]))
        rc = err_set_field(e, ERR_FORBIDDEN, "from",
                           "from: %s is not a sender that ALLOWED_SENDERS allows", list.v[0].spec);
    address_list_fini(&list);
    return rc;
}

bool mail_line(struct mail_line *line) {
    if (backend == NULL || backend->line == NULL)
        return false;
    *line = backend->line(env_sender());
    return true;
}

/* --- calls ----------------------------------------------------------------------------------- */

bool mail_acts(enum mail_verb verb) {
    return verb == MAIL_SEND || verb == MAIL_DRAFT_CREATE || verb == MAIL_DRAFT_SEND;
}

/* A rehearsal looks into the real mailboxes. */
static bool is_real(const struct mail_request *rq) {
    return rq->scratch == NULL || scratch_asks_mailbox(rq);
}

static int check(const struct mail_request *rq, struct err *e) {
    bool no_send = rq->scratch != NULL ? scratch_no_send(rq->scratch) : env.no_send;

    if (!accepting && is_real(rq))
        return err_set(e, ERR_SHUTTING_DOWN, "the service is shutting down");
    if (mail_acts(rq->verb) && no_send)
        return err_set(
            e, ERR_NO_SEND,
            "nothing is sent while NO_SEND is set: unset it and restart to let mail out");
    return mail_check_sender(rq->mailbox != NULL ? rq->mailbox : rq->sender, e);
}

struct mail_call *mail_start(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct mail_reply refusal = {0};
    struct mail_call *c;

    if (check(rq, &refusal.err) != 0) {
        done(&refusal, arg);
        return NULL;
    }
    if ((c = (is_real(rq) ? backend : &scratch_mail)->start(rq, done, arg)) == NULL)
        return NULL;
    c->next = under_way;
    c->link = &under_way;
    if (c->next != NULL)
        c->next->link = &c->next;
    under_way = c;
    return c;
}

bool mail_cancel(struct mail_call **cp) {
    struct mail_call *c = *cp;

    if (c == NULL)
        return false;
    *cp = NULL;
    unlink_call(c);
    return backend->cancel(c);
}

void mail_end(struct mail_call *c, struct mail_reply *reply) {
    unlink_call(c);
    c->done(reply, c->arg);
}

void mail_reply_add(struct mail_reply *reply, const char *id, size_t n) {
    if (reply->found == NULL && (reply->found = calloc(MAIL_FOUND_MAX, MAIL_ID_SIZE)) == NULL)
        err_set(&reply->err, ERR_INTERNAL_ERROR, "out of memory");
    else if (reply->nfound < MAIL_FOUND_MAX && n < MAIL_ID_SIZE)
        memcpy(reply->found[reply->nfound++], id, n);
}

struct mail_reply *mail_reply_take(struct mail_reply *reply) {
    struct mail_reply *own = malloc(sizeof(*own));

    if (own == NULL)
        return NULL;
    *own = *reply;
    reply->found = NULL;
    reply->signature = reply->in_reply_to = reply->references = NULL;
    return own;
}

void mail_reply_free(struct mail_reply *reply) {
    if (reply != NULL)
        mail_reply_fini(reply);
    free(reply);
}

void mail_reply_fini(struct mail_reply *reply) {
    free(reply->found);
    free(reply->signature);
    free(reply->in_reply_to);
    free(reply->references);
    reply->found = NULL;
    reply->signature = reply->in_reply_to = reply->references = NULL;
}
