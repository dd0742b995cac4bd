#include "firestore_op.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "env.h"
#include "firestore_value.h"
#include "firestore_wire.h"
#include "json_text.h"

#define NAME_BYTES_MAX   (8 * KIB)
#define URL_BYTES_MAX    (24 * KIB)
#define ANSWER_BYTES_MAX (64 * MIB) /* a page of documents of 1 MiB each */
#define EMULATOR_PROJECT "paraph-local"

static char *base;      /* "https://firestore.googleapis.com" */
static char *documents; /* "projects/P/databases/D/documents"; NULL: the project is not known yet */
static char *address;   /* of them, as in URLs */
static struct firestore_op *under_way;

/* NULL when out of memory. */
static char *PRINTF_LIKE(1, 2) format(const char *fmt, ...) {
    va_list ap;
    char *text;
    int n;

    va_start(ap, fmt);
    n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

/* Both of what all documents are below, or none where there is no memory. */
static void set_documents(const char *project) {
    struct buf url;

    documents = format("projects/%s/databases/%s/documents", project, env.firestore_database);
    if (documents == NULL)
        return;
    buf_init(&url, URL_BYTES_MAX);
    firestore_value_add_url(&url, base, documents, "");
    if ((address = buf_take(&url, NULL)) == NULL) {
        free(documents);
        documents = NULL;
    }
    buf_free(&url);
}

static void set_project(const char *project) {
    if (documents == NULL)
        set_documents(project);
    log_set_project(project);
}

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

int firestore_op_init(struct err *e) {
    const char *emulator = env.firestore_emulator_host;
    const char *project = env.project;

    if (project == NULL && emulator != NULL)
        project = EMULATOR_PROJECT;
    base = emulator != NULL ? format("http://%s", emulator) : format("%s", env.firestore_url);
    if (base != NULL && project != NULL)
        set_project(project);
    if (base != NULL && (documents != NULL || project == NULL))
        return 0;
    firestore_op_fini();
    return out_of_memory(e);
}

/* --- lifetime -------------------------------------------------------------------------------- */

static void release(struct firestore_op *op) {
    store_request_free(op->rq);
    free(op->name);
    free(op->members);
    free(op->mask);
    for (size_t i = 0; i < STORE_WITH_MAX; i++)
        free(op->with[i]);
    json_decref(op->fields);
    free(op->transforms);
    json_decref(op->below);
    json_decref(op->cursor);
    store_reply_fini(&op->reply);
    log_release(op->scope);
    free(op);
}

/* True: op is gone. */
static bool leave(struct firestore_op *op) {
    if (--op->inside > 0 || !op->over)
        return false;
    release(op);
    return true;
}

static void retire(struct firestore_op *op) {
    google_cancel(&op->google);
    auth_cancel(&op->auth);
    op->over = true;
    *op->link = op->next;
    if (op->next != NULL)
        op->next->link = op->link;
}

void firestore_op_end(struct firestore_op *op) {
    struct err e = op->reply.err;

    retire(op);
    if (e.code != ERR_NONE) {
        store_reply_fini(&op->reply);
        op->reply.err = e;
    }
    op->call.done(&op->reply, op->call.arg);
}

void firestore_op_cancel(struct store_call *call) {
    struct firestore_op *op = CONTAINER_OF(call, struct firestore_op, call);

    op->inside++;
    retire(op);
    leave(op);
}

void firestore_op_fini(void) {
    while (under_way != NULL) {
        struct firestore_op *op = under_way;

        op->inside++;
        err_set(&op->reply.err, ERR_SHUTTING_DOWN, "the service is shutting down");
        firestore_op_end(op);
        leave(op);
    }
    free(base);
    free(documents);
    free(address);
    base = documents = address = NULL;
}

struct firestore_op *firestore_op_new(const struct store_request *rq, store_done_fn *done,
                                      void *arg) {
    struct firestore_op *op = calloc(1, sizeof(*op));
    struct store_request bare = *rq;

    if (op == NULL)
        return NULL;
    bare.fields = bare.append = NULL;
    if ((op->rq = store_request_copy(&bare)) == NULL) {
        release(op);
        return NULL;
    }
    crypto_uuid4(op->tag);
    op->call = (struct store_call){.done = done, .arg = arg};
    op->next = under_way;
    op->link = &under_way;
    if (op->next != NULL)
        op->next->link = &op->next;
    under_way = op;
    return op;
}

char *firestore_op_name(const char *collection, const char *id) {
    struct buf name;
    char *text;

    buf_init(&name, NAME_BYTES_MAX);
    buf_join(&name, documents, "/", collection, "/", id);
    text = buf_take(&name, NULL);
    buf_free(&name);
    return text;
}

static void begin(struct firestore_op *op) {
    op->name = firestore_op_name(op->rq->collection, op->rq->id == NULL ? "" : op->rq->id);
    if (op->name != NULL) {
        op->begin(op);
        return;
    }
    (void)out_of_memory(&op->reply.err);
    firestore_op_end(op);
}

static void on_project(const struct err *e, const char *project, void *arg) {
    struct firestore_op *op = arg;
    const struct log_scope *scope = log_hold_too(op->scope);
    const struct log_scope *before = log_enter(scope);

    op->auth = NULL;
    op->inside++;
    if (e->code == ERR_NONE)
        set_project(project);
    if (e->code == ERR_NONE && documents != NULL) {
        begin(op);
    } else {
        op->reply.err = *e;
        if (e->code == ERR_NONE)
            (void)out_of_memory(&op->reply.err);
        firestore_op_end(op);
    }
    leave(op);
    log_enter(before);
    log_release(scope);
}

struct store_call *firestore_op_start(struct firestore_op *op,
                                      void (*first)(struct firestore_op *op)) {
    struct auth_call *auth;

    op->begin = first;
    op->inside++;
    if (op->reply.err.code != ERR_NONE) {
        firestore_op_end(op);
    } else if (documents != NULL) {
        begin(op);
    } else {
        op->scope = log_hold();
        if ((auth = auth_project(on_project, op)) != NULL) /* else it has called back */
            op->auth = auth;
    }
    return leave(op) ? NULL : &op->call;
}

/* --- exchanges ------------------------------------------------------------------------------- */

static void on_reply(struct google_reply *r, void *arg) {
    struct firestore_op *op = arg;

    op->google = NULL;
    op->inside++;
    op->step(op, r);
    leave(op);
}

static void send(struct firestore_op *op, enum firestore_method method, const char *url,
                 struct blob *body) {
    static const char *const steps[] = {
        [FIRESTORE_COMMIT] = "Firestore documents.commit",
        [FIRESTORE_GET] = "Firestore documents.batchGet",
        [FIRESTORE_QUERY] = "Firestore documents.runQuery",
        [FIRESTORE_COUNT] = "Firestore documents.runAggregationQuery",
        [FIRESTORE_BELOW] = "Firestore documents.runQuery",
    };
    const struct google_request rq = {
        .api = GOOGLE_FIRESTORE,
        .step = steps[method],
        .method = "POST",
        .url = url,
        .content_type = "application/json",
        .body = body,
        .repeatable = true,
        .max_bytes = ANSWER_BYTES_MAX,
    };
    struct google_call *call = google_start(&rq, on_reply, op);

    if (call != NULL)
        op->google = call;
}

void firestore_op_ask_blob(struct firestore_op *op, enum firestore_method method, struct blob *body,
                           firestore_step_fn *step) {
    static const char *const verbs[] = {
        [FIRESTORE_COMMIT] = ":commit",  [FIRESTORE_GET] = ":batchGet",
        [FIRESTORE_QUERY] = ":runQuery", [FIRESTORE_COUNT] = ":runAggregationQuery",
        [FIRESTORE_BELOW] = ":runQuery",
    };
    struct buf url;

    op->step = step;
    buf_init(&url, URL_BYTES_MAX);
    if (method == FIRESTORE_BELOW)
        firestore_value_add_url(&url, base, op->name, verbs[method]);
    else
        buf_join(&url, address, verbs[method]);
    if (body != NULL && !buf_failed(&url)) {
        send(op, method, url.data, body);
    } else {
        if (op->reply.err.code == ERR_NONE)
            (void)out_of_memory(&op->reply.err);
        firestore_op_end(op);
    }
    buf_free(&url);
    blob_unref(body);
}

void firestore_op_ask(struct firestore_op *op, enum firestore_method method, json_t *body,
                      firestore_step_fn *step) {
    size_t n = 0;
    char *text = body != NULL ? json_text_write(body, &n) : NULL;
    struct blob *blob = text != NULL ? blob_own(text, n) : NULL;

    if (blob == NULL)
        free(text);
    json_decref(body);
    firestore_op_ask_blob(op, method, blob, step);
}

void firestore_op_commit(struct firestore_op *op, struct buf *body, firestore_step_fn *step) {
    struct blob *blob = firestore_wire_end(body);

    if (op->reply.err.code != ERR_NONE) {
        blob_unref(blob);
        blob = NULL;
    }
    firestore_op_ask_blob(op, FIRESTORE_COMMIT, blob, step);
}

bool firestore_op_answered(struct firestore_op *op, const struct google_reply *r) {
    op->reply.err = r->err;
    return r->err.code == ERR_NONE;
}

void firestore_op_ask_document(struct firestore_op *op, const char *only, firestore_step_fn *step) {
    json_t *names = json_pack("[s]", op->name);

    firestore_op_ask(op, FIRESTORE_GET, firestore_wire_get(names, only), step);
    json_decref(names);
}

bool firestore_op_take_document(struct firestore_op *op, const struct google_reply *r,
                                json_t **own) {
    const json_t *document;
    int rc;

    *own = NULL;
    if (!firestore_op_answered(op, r))
        return false;
    rc = firestore_wire_find(r->json, op->name, &document, &op->reply.err);
    op->reply.found = rc > 0;
    json_decref(op->reply.fields);
    op->reply.fields = NULL;
    return rc == 0 || (rc > 0 && firestore_wire_read(document, op->reply.version, &op->reply.fields,
                                                     own, &op->reply.err) == 0);
}
