#include "mail.h"

#include "env.h"
#include "outbox.h"

static const struct mail_backend *const backends[] = {
    [ENV_LOCAL] = &outbox_backend,
    [ENV_GOOGLE] = NULL,
};

static const struct mail_backend *backend;

int mail_init(struct err *e) {
    const struct mail_backend *named = backends[env.backend];

    if (named == NULL)
        return err_set(e, ERR_GMAIL_ERROR,
                       "BACKEND: this program cannot send through Gmail; set BACKEND=local");
    if (named->init(e) != 0)
        return -1;
    backend = named;
    return 0;
}

void mail_fini(void) {
    if (backend != NULL && backend->fini != NULL)
        backend->fini();
    backend = NULL;
}

static int check(const struct mail_request *rq, struct err *e) {
    if (backend == NULL)
        return err_set(e, ERR_SHUTTING_DOWN, "the service is shutting down");
    if (rq->verb == MAIL_SEND && env.no_send)
        return err_set(
            e, ERR_NO_SEND,
            "nothing is sent while NO_SEND is set: unset it and restart to let mail out");
    return 0;
}

struct mail_call *mail_start(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct mail_reply refusal = {0};

    if (check(rq, &refusal.err) == 0)
        return backend->start(rq, done, arg);
    done(&refusal, arg);
    return NULL;
}

void mail_cancel(struct mail_call **cp) {
    if (*cp == NULL)
        return;
    backend->cancel(*cp);
    *cp = NULL;
}
