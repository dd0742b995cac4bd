/*
 * firestore_op.h - an operation of the store in Firestore: a chain of exchanges, one after another.
 *
 * Each exchange names the step that takes its answer; a step starts the next exchange or ends the
 * operation.  An operation is on the list of those under way from start to end or cancel, and is
 * freed when no step of it is left on the stack: after firestore_op_end() a step just returns.
 */
#ifndef FIRESTORE_OP_H
#define FIRESTORE_OP_H

#include "auth.h"
#include "base.h"
#include "buf.h"
#include "crypto.h"
#include "firestore_parts.h"
#include "google.h"
#include "log.h"
#include "store.h"

struct firestore_op;
typedef void firestore_step_fn(struct firestore_op *op, struct google_reply *r);

struct firestore_op {
    struct store_call call;
    struct firestore_op *next, **link;
    struct google_call *google;
    struct auth_call *auth;
    const struct log_scope *scope; /* with auth: held, of who asked; or NULL */
    void (*begin)(struct firestore_op *op);
    firestore_step_fn *step;
    unsigned inside; /* steps on the stack */
    bool over;

    struct store_request *rq;   /* a copy, without the trees */
    char tag[CRYPTO_UUID_SIZE]; /* of what it writes */
    char *name;                 /* of the document, or of what all documents are below; whole */
    struct store_reply reply;
    unsigned tries;

    char *members;              /* CREATE, UPDATE: typed, as text */
    char *mask;                 /* UPDATE, the same */
    char *with[STORE_WITH_MAX]; /* members of what is written with it, the same */
    json_t *fields;             /* INCREMENT: as they are in the request */
    char *transforms;           /* INCREMENT: as text */
    json_t *below;              /* names of documents below it that are to go */
    json_t *cursor;             /* QUERY: the last document taken */
    size_t bytes;               /* QUERY: of the documents taken */
    unsigned most;              /* QUERY: documents to ask for at once */
    unsigned asked;             /* QUERY: documents asked for last */
    struct firestore_parts parts;
    size_t slice; /* the next one */
    bool keep;    /* the slices that were written may be in use */
};

enum firestore_method {
    FIRESTORE_COMMIT,
    FIRESTORE_GET,
    FIRESTORE_QUERY,
    FIRESTORE_COUNT,
    FIRESTORE_BELOW /* a query below the document */
};

int firestore_op_init(struct err *e);
void firestore_op_fini(void); /* fails those under way */

/* A copy of rq; NULL when out of memory. */
struct firestore_op *firestore_op_new(const struct store_request *rq, store_done_fn *done,
                                      void *arg);

/* The whole name of a document, from begin() on; malloc'd, NULL when out of memory. */
char *firestore_op_name(const char *collection, const char *id);

/* Run begin(op) when the project is known, with op->name filled; unless op->reply.err says that
 * it has failed already.  NULL if it has ended. */
struct store_call *firestore_op_start(struct firestore_op *op,
                                      void (*begin)(struct firestore_op *op));
void firestore_op_cancel(struct store_call *call);

/* One exchange, harmless to repeat.  Takes the body; where it is NULL, the operation fails for the
 * reason in op->reply.err, or for want of memory. */
void firestore_op_ask(struct firestore_op *op, enum firestore_method method, json_t *body,
                      firestore_step_fn *step);
void firestore_op_ask_blob(struct firestore_op *op, enum firestore_method method, struct blob *body,
                           firestore_step_fn *step);

/* The same of a commit, unless there is a reason in op->reply.err already. */
void firestore_op_commit(struct firestore_op *op, struct buf *body, firestore_step_fn *step);

/* The answer of an exchange; false: there is none, and why is in op->reply.err. */
bool firestore_op_answered(struct firestore_op *op, const struct google_reply *r);

/* Read the document: whole, or just its member `only`. */
void firestore_op_ask_document(struct firestore_op *op, const char *only, firestore_step_fn *step);

/* What was read goes into op->reply (found, version, fields), but for FIRESTORE_WIRE_OWN, which is
 * returned: a reference, or NULL.  false: it failed, and why is in op->reply.err. */
bool firestore_op_take_document(struct firestore_op *op, const struct google_reply *r,
                                json_t **own);

/* Deliver op->reply: of a failure just the reason. */
void firestore_op_end(struct firestore_op *op);

#endif
