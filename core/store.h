/*
 * store.h - documents in collections: one interface, two backends (SQLite, Firestore).
 *
 * A document is a JSON object under a collection and an id, with a version that changes at every
 * write and that a later write may demand as its precondition.  Top-level members named *_at or
 * *_since that hold an RFC 3339 UTC text are times (Firestore timestamps).  Large contents are not
 * members but parts: numbered blobs beside the document, written and deleted together with it.
 * An id is 1 to STORE_ID_MAX bytes of UTF-8 without "/"; another is ERR_INVALID_FIELD.
 *
 * An operation is started with a request and ends by exactly one done(), on the loop thread,
 * possibly before store_start() returns; or by store_cancel(), after which done is not called (a
 * write already on its way may still happen).  The request is borrowed until store_start()
 * returns; the reply until done() returns, but what done() takes out of it by setting the member
 * to NULL.
 */
#ifndef STORE_H
#define STORE_H

#include <jansson.h>

#include "base.h"
#include "blob.h"
#include "err.h"

struct scratch;

#define STORE_ID_MAX       1500 /* bytes: Firestore's limit */
#define STORE_VERSION_SIZE 40
#define STORE_LIMIT_MAX    200
#define STORE_COUNT_MAX    10000
#define STORE_PARTS_MAX    64
#define STORE_WITH_MAX     4

enum store_verb {
    STORE_GET,    /* a document */
    STORE_CREATE, /* a new document: ERR_ALREADY_EXISTS if there is one */
    STORE_UPDATE, /* some members: ERR_CONFLICT if the version is another */
    STORE_DELETE, /* the document and its parts; gone already is success */
    STORE_QUERY,  /* newest first by created_at, then by id; Firestore leaves out what has none */
    STORE_COUNT,  /* how many there are, but no more than limit + 1: then it is more than limit */
    STORE_INCREMENT, /* count an occurrence */
    STORE_PARTS      /* the parts of a document */
};

/* A document that another write brings along. */
struct store_companion {
    const char *collection, *id;
    json_t *fields;
};

struct store_request {
    enum store_verb verb;
    struct scratch *scratch; /* scratch.h: in place of the store that env names; NULL: that one */
    const char *collection;
    const char *id; /* all but QUERY and COUNT */

    /* CREATE: the whole document.  UPDATE: the members to set, others stay. */
    json_t *fields;
    const char *const *remove; /* UPDATE: members to take away */
    size_t nremove;
    const char *version; /* UPDATE, DELETE: the precondition, or NULL.  INCREMENT: see there */
    struct blob **parts; /* CREATE, UPDATE: with set_parts, all parts of the document */
    size_t nparts;
    bool set_parts;

    /* CREATE, UPDATE, INCREMENT: written together with the document, or not at all; each whole, in
     * place of what was under its id, and without parts. */
    const struct store_companion *with; /* up to STORE_WITH_MAX */
    size_t nwith;

    /* GET */
    const char *without; /* a member that is not wanted, or NULL: it may be long */

    /* QUERY, COUNT */
    const char *where; /* "status" or "waiting": only documents in which this member is ... */
    const char *is;    /* ... this text.  NULL: all of the collection */
    unsigned limit;    /* 1 .. STORE_LIMIT_MAX, or STORE_COUNT_MAX */

    /* QUERY */
    const char *before;     /* only what was created before this time, or NULL; as clock_format()
                               writes it.  A page_token goes on behind it */
    const char *page_token; /* from an earlier reply, or NULL; ERR_INVALID_FIELD if it is none */

    /* INCREMENT: members `counter` and `also` (or NULL) by one, `first` set to `now` unless set,
     * `last` set to `now`, and `fields` as for UPDATE (or NULL).  Each member of `append` (or NULL)
     * is an array, or becomes one, and grows by the value here unless it holds an equal one.  A
     * `version` is no precondition: it is that of the document while `first` was not set, and
     * spares Firestore a look. */
    const char *counter, *also, *first, *last, *now;
    json_t *append;
};

struct store_doc {
    char *id;
    char version[STORE_VERSION_SIZE];
    json_t *fields;
};

struct store_reply {
    struct err err;                   /* code ERR_NONE: success */
    bool found;                       /* GET, UPDATE, INCREMENT, PARTS: the document exists */
    char version[STORE_VERSION_SIZE]; /* GET, CREATE, UPDATE, PARTS: of the document now */
    json_t *fields;                   /* GET */
    struct store_doc *docs;           /* QUERY */
    size_t ndocs;
    unsigned count;        /* COUNT */
    char *next_page_token; /* QUERY; NULL: no more.  A page of large documents ends early. */
    struct blob **parts;   /* PARTS */
    size_t nparts;
};

typedef void store_done_fn(struct store_reply *reply, void *arg);

/* For done(): the whole reply in a block of its own; NULL: out of memory. */
struct store_reply *store_reply_take(struct store_reply *reply);
void store_reply_free(struct store_reply *reply); /* NULL-safe */

int store_init(struct err *e); /* opens the backend that env names */
void store_fini(void);         /* waits for writes under way */

struct store_call;

/* NULL when the operation has ended already (done was called). */
struct store_call *store_start(const struct store_request *rq, store_done_fn *done, void *arg);
void store_cancel(struct store_call **cp); /* NULL-safe, sets *cp to NULL */

/* Free what is left in a reply, but not the reply itself. */
void store_reply_fini(struct store_reply *r);

/* --- for the backends ------------------------------------------------------------------------ */

/* What an operation under way begins with, whatever the backend keeps behind it. */
struct store_call {
    store_done_fn *done;
    void *arg;
    const struct store_backend *backend; /* store.c's */
};

/* A request that outlives its caller, with copies of its texts and references to its parts and
 * trees; NULL: out of memory. */
struct store_request *store_request_copy(const struct store_request *rq);
void store_request_free(struct store_request *rq); /* NULL-safe */

/* fini delivers every reply that is still due. */
struct store_backend {
    int (*init)(struct err *e);
    void (*fini)(void);
    struct store_call *(*start)(const struct store_request *rq, store_done_fn *done, void *arg);
    void (*cancel)(struct store_call *call);
};

#endif
