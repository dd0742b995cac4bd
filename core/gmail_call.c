#include "gmail_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env.h"

static int copy(char **to, const char *s) {
    return s != NULL && (*to = strdup(s)) == NULL ? -1 : 0;
}

struct gmail_call *gmail_call_new(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct gmail_call *c = calloc(1, sizeof(*c));
    const char *mailbox = rq->mailbox != NULL        ? rq->mailbox
                          : rq->verb == MAIL_PROFILE ? rq->sender
                                                     : env_sender();

    if (c == NULL)
        return NULL;
    c->call = (struct mail_call){.done = done, .arg = arg};
    c->scope = log_here();
    c->verb = rq->verb;
    c->place.deadline_ms = rq->deadline_ms;
    if (rq->message != NULL)
        c->message = blob_ref(rq->message);
    snprintf(c->mailbox, sizeof(c->mailbox), "%s", mailbox);
    if (copy(&c->sender, rq->sender) == 0 && copy(&c->key, rq->key) == 0 &&
        copy(&c->message_id, rq->message_id) == 0 && copy(&c->draft_id, rq->draft_id) == 0 &&
        copy(&c->thread_id, rq->thread_id) == 0 && copy(&c->in_reply_to, rq->in_reply_to) == 0)
        return c;
    gmail_call_free(c);
    return NULL;
}

void gmail_call_free(struct gmail_call *c) {
    mail_reply_fini(&c->reply);
    blob_unref(c->message);
    free(c->sender);
    free(c->key);
    free(c->message_id);
    free(c->draft_id);
    free(c->thread_id);
    free(c->in_reply_to);
    free(c);
}

void gmail_call_end(struct gmail_call *c) {
    bool starting = c->starting;

    gmail_line_leave(&c->place);
    c->ended = true;
    mail_end(&c->call, &c->reply);
    if (!starting)
        gmail_call_free(c);
}

void gmail_call_wait(struct gmail_call *c, struct google_call *google) {
    if (google != NULL)
        c->google = google;
}
