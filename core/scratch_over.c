#include "scratch_over.h"

#include <string.h>

#include "scratch_list.h"
#include "scratch_op.h"
#include "sqlite_db.h"

#define TRIES_MAX 10 /* to read a document that others are writing */

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

/* --- what was taken over --------------------------------------------------------------------- */

static const char *const narrowing[] = {"status", "waiting"};

const json_t *scratch_over_taken(const struct scratch_over *o, const char *collection,
                                 const char *id) {
    return json_object_get(json_object_get(o->taken, collection), id);
}

/* `fields`: of the document in the real store; NULL: there is none. */
static json_t *entry_new(const json_t *fields) {
    json_t *entry = fields == NULL ? json_null() : json_object(), *value;

    for (size_t i = 0; i < COUNT_OF(narrowing); i++)
        if (json_is_string(value = json_object_get(fields, narrowing[i])) &&
            json_object_set(entry, narrowing[i], value) < 0) {
            json_decref(entry);
            return NULL;
        }
    return entry;
}

static int take(struct scratch_over *o, const char *collection, const char *id, json_t *entry,
                struct err *e) {
    json_t *ids;

    if (o->taken == NULL)
        o->taken = json_object();
    if ((ids = json_object_get(o->taken, collection)) == NULL) {
        ids = json_object();
        if (json_object_set_new_nocheck(o->taken, collection, ids) < 0) {
            json_decref(entry);
            return out_of_memory(e);
        }
    }
    return json_object_set_new_nocheck(ids, id, entry) < 0 ? out_of_memory(e) : 0;
}

static int take_over(struct scratch_op *op, const json_t *fields) {
    return take(op->over, op->rq->collection, op->rq->id, entry_new(fields), &op->reply.err);
}

/* The document is the real store's again. */
static void give_back(struct scratch_op *op) {
    (void)json_object_del(json_object_get(op->over->taken, op->rq->collection), op->rq->id);
}

unsigned scratch_over_count(const struct scratch_over *o, const struct store_request *rq) {
    const char *id, *text;
    json_t *entry;
    unsigned n = 0;

    json_object_foreach(json_object_get(o->taken, rq->collection), id, entry) {
        text = rq->where == NULL ? NULL : json_string_value(json_object_get(entry, rq->where));
        n += json_is_object(entry) &&
             (rq->where == NULL || (text != NULL && strcmp(text, rq->is) == 0));
    }
    return n;
}

unsigned scratch_over_writes(const struct scratch_over *o) {
    const char *collection;
    json_t *ids;
    size_t n = 0;

    json_object_foreach(o->taken, collection, ids) n += json_object_size(ids);
    return (unsigned)n;
}

/* --- documents that are ours ----------------------------------------------------------------- */

static bool is_ours(const struct scratch_op *op) {
    return scratch_over_taken(op->over, op->rq->collection, op->rq->id) != NULL;
}

/* What is written with a document has an id of its own, which the real store does not know. */
static void write_all(struct scratch_op *op, const struct store_request *rqs, size_t n) {
    struct scratch_over *o = op->over;
    bool written;

    sqlite_docs_write_all(o->db, rqs, n, &op->reply);
    written = op->rq->verb == STORE_CREATE || op->reply.found;
    for (size_t i = 0; i < op->rq->nwith && written && op->reply.err.code == ERR_NONE; i++)
        if (scratch_over_taken(o, op->rq->with[i].collection, op->rq->with[i].id) == NULL)
            (void)take(o, op->rq->with[i].collection, op->rq->with[i].id, json_null(),
                       &op->reply.err);
}

/* What neither the real store had nor we have any more is forgotten. */
static void carry_out(struct scratch_op *op) {
    const struct scratch_over *o = op->over;

    if (sqlite_docs_reads(op->rq->verb))
        sqlite_docs_read(o->db, op->rq, &op->reply);
    else
        write_all(op, op->rq, 1);
    if (op->rq->verb == STORE_DELETE && op->reply.err.code == ERR_NONE &&
        json_is_null(scratch_over_taken(o, op->rq->collection, op->rq->id)))
        give_back(op);
    scratch_op_end(op);
}

/* --- documents that become ours -------------------------------------------------------------- */

static void take_new(struct scratch_op *op) {
    if (take_over(op, NULL) == 0) {
        write_all(op, op->rq, 1);
        if (op->reply.err.code != ERR_NONE)
            give_back(op);
    }
    scratch_op_end(op);
}

/* A copy, and the write on it.  That the version is right is known already. */
static void take_written(struct scratch_op *op, struct blob **parts, size_t nparts) {
    struct store_request writes[] = {
        {.verb = STORE_CREATE, .fields = op->fields, .parts = parts, .nparts = nparts}, *op->rq};

    writes[0].collection = op->rq->collection;
    writes[0].id = op->rq->id;
    writes[1].version = NULL;
    if (take_over(op, op->fields) == 0) {
        write_all(op, writes, COUNT_OF(writes));
        if (op->reply.err.code != ERR_NONE)
            give_back(op);
    }
    scratch_op_end(op);
}

static void ask_document(struct scratch_op *op, enum store_verb verb, scratch_step_fn *step) {
    const struct store_request real = {
        .verb = verb, .collection = op->rq->collection, .id = op->rq->id};

    scratch_op_ask(op, &real, step);
}

static void on_document(struct scratch_op *op, struct store_reply *real);

/* Somebody may have written in between, here or there. */
static void on_parts(struct scratch_op *op, struct store_reply *real) {
    if (is_ours(op)) {
        carry_out(op);
    } else if (real->err.code != ERR_NONE) {
        op->reply.err = real->err;
        scratch_op_end(op);
    } else if (real->found && strcmp(real->version, op->version) == 0) {
        take_written(op, real->parts, real->nparts);
    } else if (++op->tries < TRIES_MAX) {
        ask_document(op, STORE_GET, on_document);
    } else {
        err_set(&op->reply.err, ERR_CONFLICT, "%s/%s is written too often to be copied",
                op->rq->collection, op->rq->id);
        scratch_op_end(op);
    }
}

/* Refuse what the real store would refuse to do with this document; true: it is settled. */
static bool settle(struct scratch_op *op, const struct store_reply *real) {
    const struct store_request *rq = op->rq;
    bool demands = rq->version != NULL && rq->verb != STORE_INCREMENT;

    if (real->err.code != ERR_NONE)
        op->reply.err = real->err;
    else if (real->found && rq->verb == STORE_CREATE)
        err_set(&op->reply.err, ERR_ALREADY_EXISTS, "there is a document %s/%s already",
                rq->collection, rq->id);
    else if (real->found && demands && strcmp(rq->version, real->version) != 0)
        err_set(&op->reply.err, ERR_CONFLICT, "%s/%s was changed by someone else meanwhile",
                rq->collection, rq->id);
    return op->reply.err.code != ERR_NONE || (!real->found && rq->verb != STORE_CREATE);
}

/* The real document, or that there is none, before the first write of it here. */
static void on_document(struct scratch_op *op, struct store_reply *real) {
    const struct store_request *rq = op->rq;

    if (is_ours(op)) {
        carry_out(op);
    } else if (settle(op, real)) {
        scratch_op_end(op);
    } else if (rq->verb == STORE_CREATE) {
        take_new(op);
    } else if (rq->verb == STORE_DELETE) {
        (void)take_over(op, real->fields);
        scratch_op_end(op);
    } else {
        json_decref(op->fields);
        op->fields = real->fields;
        real->fields = NULL;
        memcpy(op->version, real->version, sizeof(op->version));
        if (rq->verb == STORE_UPDATE && rq->set_parts)
            take_written(op, NULL, 0);
        else
            ask_document(op, STORE_PARTS, on_parts);
    }
}

/* --- the verbs ------------------------------------------------------------------------------- */

static void on_read(struct scratch_op *op, struct store_reply *real) {
    op->reply = *real;
    *real = (struct store_reply){0};
    scratch_op_end(op);
}

static void begin_document(struct scratch_op *op) {
    if (is_ours(op))
        carry_out(op);
    else if (sqlite_docs_reads(op->rq->verb))
        ask_document(op, op->rq->verb, on_read);
    else
        ask_document(op, STORE_GET, on_document);
}

static int open_db(struct scratch_over *o, struct err *e) {
    if (o->db != NULL)
        return 0;
    if ((o->db = sqlite_docs_open(SQLITE_DB_MEMORY, 0, e)) == NULL)
        return -1;
    if (sqlite_docs_set_apart(o->db, e) == 0)
        return 0;
    scratch_over_clear(o);
    return -1;
}

struct store_call *scratch_over_start(struct scratch_over *o, const struct store_request *rq,
                                      store_done_fn *done, void *arg) {
    struct store_reply reply = {0};

    if (open_db(o, &reply.err) < 0) {
        done(&reply, arg);
        return NULL;
    }
    if (rq->verb == STORE_QUERY)
        return scratch_op_start(o, rq, done, arg, scratch_list_query);
    if (rq->verb == STORE_COUNT)
        return scratch_op_start(o, rq, done, arg, scratch_list_count);
    return scratch_op_start(o, rq, done, arg, begin_document);
}

void scratch_over_clear(struct scratch_over *o) {
    sqlite_docs_close(o->db);
    json_decref(o->taken);
    *o = (struct scratch_over){NULL, NULL};
}
