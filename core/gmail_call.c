#include "gmail_call.h"

#include <stdlib.h>
#include <string.h>

#include "env.h"

static int copy(char **to, const char *s) {
    return s != NULL && (*to = strdup(s)) == NULL ? -1 : 0;
}

struct gmail_call *gmail_call_new(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct gmail_call *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->call = (struct mail_call){.done = done, .arg = arg};
    c->scope = log_hold();
    c->verb = rq->verb;
    c->place.deadline_ms = rq->deadline_ms;
    if (rq->message != NULL)
        c->message = blob_ref(rq->message);
    if (copy(&c->sender, rq->sender) == 0 && copy(&c->key, rq->key) == 0 &&
        copy(&c->message_id, rq->message_id) == 0 && copy(&c->draft_id, rq->draft_id) == 0 &&
        copy(&c->draft_mailbox, rq->mailbox) == 0 && copy(&c->thread_id, rq->thread_id) == 0 &&
        copy(&c->in_reply_to, rq->in_reply_to) == 0) {
        c->mailbox = c->draft_mailbox != NULL  ? c->draft_mailbox
                     : c->verb == MAIL_PROFILE ? c->sender
                                               : env_sender();
        return c;
    }
    gmail_call_free(c);
    return NULL;
}

void gmail_call_free(struct gmail_call *c) {
    blob_unref(c->message);
    free(c->sender);
    free(c->key);
    free(c->message_id);
    free(c->draft_id);
    free(c->draft_mailbox);
    free(c->thread_id);
    free(c->in_reply_to);
    log_release(c->scope);
    free(c);
}

void gmail_call_end(struct gmail_call *c, struct mail_reply *reply) {
    bool starting = c->starting;

    gmail_line_leave(&c->place);
    c->ended = true;
    mail_end(&c->call, reply);
    mail_reply_fini(reply);
    if (!starting)
        gmail_call_free(c);
}

void gmail_call_fail(struct gmail_call *c, const struct err *e) {
    gmail_call_end(c, &(struct mail_reply){.err = *e});
}

void gmail_call_wait(struct gmail_call *c, struct google_call *google) {
    if (google != NULL)
        c->google = google;
}
