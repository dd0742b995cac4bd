#include "store.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "env.h"
#include "firestore.h"
#include "scratch.h"
#include "sqlite.h"

static const struct store_backend *const backends[] = {
    [ENV_LOCAL] = &sqlite_backend,
    [ENV_GOOGLE] = &firestore_backend,
};

static const struct store_backend *backend;
static bool accepting;

int store_init(struct err *e) {
    backend = backends[env.backend];
    if (backend == NULL)
        return err_set(e, ERR_STORE_ERROR,
                       "BACKEND: this program has no Firestore store; set BACKEND=local");
    if (backend->init(e) < 0)
        return -1;
    accepting = true;
    return 0;
}

void store_fini(void) {
    if (!accepting)
        return;
    accepting = false; /* what the last replies start is refused */
    backend->fini();
}

static int check_id(const char *id, struct err *e) {
    size_t n = id == NULL ? 0 : strlen(id);

    if (n > 0 && n <= STORE_ID_MAX && memchr(id, '/', n) == NULL && encode_utf8_error(id, n) == n)
        return 0;
    return err_set_field(e, ERR_INVALID_FIELD, "id",
                         "id: an id is 1 to %d bytes of UTF-8 without '/'", STORE_ID_MAX);
}

static int check(const struct store_request *rq, struct err *e) {
    if (!accepting && rq->scratch == NULL)
        return err_set(e, ERR_SHUTTING_DOWN, "the service is shutting down");
    if (rq->verb == STORE_QUERY || rq->verb == STORE_COUNT)
        return 0;
    if (check_id(rq->id, e) < 0)
        return -1;
    for (size_t i = 0; i < rq->nwith; i++)
        if (check_id(rq->with[i].id, e) < 0)
            return -1;
    if (rq->nparts > STORE_PARTS_MAX)
        return err_set_field(e, ERR_INVALID_FIELD, "parts",
                             "parts: a document has at most %d of them", STORE_PARTS_MAX);
    return 0;
}

struct store_call *store_start(const struct store_request *rq, store_done_fn *done, void *arg) {
    const struct store_backend *b = rq->scratch != NULL ? &scratch_store : backend;
    struct store_reply refusal = {0};
    struct store_call *call;

    if (check(rq, &refusal.err) < 0) {
        done(&refusal, arg);
        return NULL;
    }
    if ((call = b->start(rq, done, arg)) != NULL)
        call->backend = b;
    return call;
}

void store_cancel(struct store_call **cp) {
    if (*cp == NULL)
        return;
    (*cp)->backend->cancel(*cp);
    *cp = NULL;
}

struct store_reply *store_reply_take(struct store_reply *reply) {
    struct store_reply *own = malloc(sizeof(*own));

    if (own == NULL)
        return NULL;
    *own = *reply;
    *reply = (struct store_reply){0};
    return own;
}

void store_reply_free(struct store_reply *reply) {
    if (reply != NULL)
        store_reply_fini(reply);
    free(reply);
}

void store_reply_fini(struct store_reply *r) {
    json_decref(r->fields);
    for (size_t i = 0; i < r->ndocs; i++) {
        free(r->docs[i].id);
        json_decref(r->docs[i].fields);
    }
    free(r->docs);
    free(r->next_page_token);
    for (size_t i = 0; i < r->nparts; i++)
        blob_unref(r->parts[i]);
    free(r->parts);
    *r = (struct store_reply){0};
}

/* --- requests that outlive their caller ------------------------------------------------------ */

static const char *copy_text(char **at, const char *text) {
    char *copy = *at;

    if (text == NULL)
        return NULL;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static size_t bytes_of(const char *text) {
    return text == NULL ? 0 : strlen(text) + 1;
}

/* In one block: the request, three arrays, the texts. */
struct store_request *store_request_copy(const struct store_request *rq) {
    struct store_request own = *rq, *copy;
    const char **texts[] = {&own.collection, &own.id,     &own.version,    &own.without, &own.where,
                            &own.is,         &own.before, &own.page_token, &own.counter, &own.also,
                            &own.first,      &own.last,   &own.now};
    size_t size = sizeof(own) + rq->nwith * sizeof(*rq->with) + rq->nremove * sizeof(char *) +
                  rq->nparts * sizeof(struct blob *);
    struct store_companion *with;
    const char **remove;
    char *at;

    for (size_t i = 0; i < COUNT_OF(texts); i++)
        size += bytes_of(*texts[i]);
    for (size_t i = 0; i < rq->nremove; i++)
        size += bytes_of(rq->remove[i]);
    for (size_t i = 0; i < rq->nwith; i++)
        size += bytes_of(rq->with[i].collection) + bytes_of(rq->with[i].id);
    if ((copy = malloc(size)) == NULL)
        return NULL;
    own.with = with = (struct store_companion *)(copy + 1);
    own.remove = remove = (const char **)(with + rq->nwith);
    own.parts = (struct blob **)(remove + rq->nremove);
    at = (char *)(own.parts + rq->nparts);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        *texts[i] = copy_text(&at, *texts[i]);
    for (size_t i = 0; i < rq->nremove; i++)
        remove[i] = copy_text(&at, rq->remove[i]);
    for (size_t i = 0; i < rq->nwith; i++)
        with[i] = (struct store_companion){copy_text(&at, rq->with[i].collection),
                                           copy_text(&at, rq->with[i].id),
                                           json_incref(rq->with[i].fields)};
    for (size_t i = 0; i < rq->nparts; i++)
        own.parts[i] = blob_ref(rq->parts[i]);
    json_incref(own.fields);
    json_incref(own.append);
    *copy = own;
    return copy;
}

void store_request_free(struct store_request *rq) {
    if (rq == NULL)
        return;
    for (size_t i = 0; i < rq->nparts; i++)
        blob_unref(rq->parts[i]);
    for (size_t i = 0; i < rq->nwith; i++)
        json_decref(rq->with[i].fields);
    json_decref(rq->fields);
    json_decref(rq->append);
    free(rq);
}
