#include "firestore_write.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "firestore_value.h"
#include "firestore_wire.h"

/* --- what is written ------------------------------------------------------------------------- */

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

/* Our own member: the tag, and where the parts are (or NULL). */
static int add_own(json_t *fields, const char *tag, const struct firestore_parts *parts,
                   struct err *e) {
    json_t *own = json_pack("{s:{s:s}}", FIRESTORE_WIRE_OWN, "write", tag);
    json_t *inside = json_object_get(own, FIRESTORE_WIRE_OWN), *typed;
    int rc = 0;

    if (parts != NULL && parts->n > 0)
        rc = json_object_set_new(inside, "parts", firestore_parts_encode(parts));
    if (own == NULL || rc < 0) {
        json_decref(own);
        return out_of_memory(e);
    }
    typed = firestore_value_encode(own, e);
    json_decref(own);
    if (typed == NULL)
        return -1;
    rc = json_object_update(fields, typed);
    json_decref(typed);
    return rc < 0 ? out_of_memory(e) : 0;
}

/* What is in the mask and not among the fields is taken away. */
static int make_mask(struct firestore_op *op, const struct store_request *rq, struct err *e) {
    const char *name, *sub = rq->set_parts ? NULL : "write";
    json_t *value;
    int rc = 0;

    op->mask = json_array();
    for (size_t i = 0; i < rq->nremove; i++) {
        (void)json_object_del(op->fields, rq->remove[i]);
        rc |= firestore_wire_mask_add(op->mask, rq->remove[i], NULL);
    }
    json_object_foreach(op->fields, name, value) {
        rc |= firestore_wire_mask_add(op->mask, name, NULL);
    }
    rc |= firestore_wire_mask_add(op->mask, FIRESTORE_WIRE_OWN, sub);
    return rc < 0 ? out_of_memory(e) : 0;
}

static int refuse_own(const char *name, struct err *e) {
    if (strcmp(name, FIRESTORE_WIRE_OWN) != 0)
        return 0;
    return err_set_field(e, ERR_INVALID_FIELD, name, "%s: this member is the store's own", name);
}

int firestore_write_prepare(struct firestore_op *op, const struct store_request *rq,
                            struct err *e) {
    if (json_object_get(rq->fields, FIRESTORE_WIRE_OWN) != NULL)
        return refuse_own(FIRESTORE_WIRE_OWN, e);
    for (size_t i = 0; i < rq->nremove; i++)
        if (refuse_own(rq->remove[i], e) < 0)
            return -1;
    if ((op->fields = firestore_value_encode(rq->fields, e)) == NULL ||
        firestore_parts_plan(&op->parts, op->tag, rq->parts, rq->nparts, e) < 0)
        return -1;
    if (rq->verb == STORE_UPDATE && make_mask(op, rq, e) < 0)
        return -1;
    return add_own(op->fields, op->tag, &op->parts, e);
}

/* --- what is written with it ----------------------------------------------------------------- */

int firestore_write_prepare_with(struct firestore_op *op, const struct store_request *rq,
                                 struct err *e) {
    op->with = json_array();
    for (size_t i = 0; i < rq->nwith; i++) {
        const struct store_companion *with = &rq->with[i];
        json_t *typed;

        if (!firestore_value_is_id(with->collection) || !firestore_value_is_id(with->id))
            return err_set_field(e, ERR_INVALID_FIELD, "with",
                                 "with: Firestore has no collections or ids of this name");
        if ((json_object_get(with->fields, FIRESTORE_WIRE_OWN) != NULL &&
             refuse_own(FIRESTORE_WIRE_OWN, e) < 0) ||
            (typed = firestore_value_encode(with->fields, e)) == NULL)
            return -1;
        if (json_array_append(op->with, typed) < 0)
            (void)out_of_memory(e);
        json_decref(typed);
        if (json_array_size(op->with) <= i || add_own(typed, op->tag, NULL, e) < 0)
            return -1;
    }
    return 0;
}

json_t *firestore_write_add_with(const struct firestore_op *op, json_t *writes) {
    for (size_t i = 0; i < json_array_size(op->with); i++) {
        char *name = firestore_op_name(op->rq->with[i].collection, op->rq->with[i].id);
        json_t *write = name == NULL ? NULL : firestore_wire_put(name, json_array_get(op->with, i));

        free(name);
        if (json_array_append_new(writes, write) < 0) {
            json_decref(writes);
            writes = NULL;
        }
    }
    return writes;
}

/* --- the end of a write ---------------------------------------------------------------------- */

static void add_deletes(json_t *writes, const json_t *names) {
    for (size_t i = 0; i < json_array_size(names); i++)
        (void)json_array_append_new(
            writes, firestore_wire_delete(json_string_value(json_array_get(names, i)), NULL));
}

static void on_cleaned(struct firestore_op *op, struct google_reply *r) {
    (void)r; /* what is left behind goes with the next parts or with the document */
    firestore_op_end(op);
}

/* Take back slices that no document names, and end. */
static void finish(struct firestore_op *op) {
    json_t *names, *writes;

    if (op->slice == 0 || op->keep) {
        firestore_op_end(op);
        return;
    }
    writes = json_array();
    names = firestore_parts_names(&op->parts, op->name, 0, op->slice);
    add_deletes(writes, names);
    json_decref(names);
    firestore_op_ask(op, FIRESTORE_COMMIT, json_pack("{s:o}", "writes", writes), on_cleaned);
}

static void conflict(struct firestore_op *op) {
    err_set(&op->reply.err, ERR_CONFLICT, "%s/%s was changed by someone else meanwhile",
            op->rq->collection, op->rq->id);
}

/* A write was refused, and this is the document: was it an earlier attempt of ours that stands in
 * the way?  `own` bears the tag of who wrote last. */
static void settle(struct firestore_op *op, const json_t *own) {
    const char *write = json_string_value(json_object_get(own, "write"));
    const char *set = json_string_value(json_object_get(json_object_get(own, "parts"), "set"));

    op->keep = set != NULL && strcmp(set, op->tag) == 0;
    if (op->reply.found && write != NULL && strcmp(write, op->tag) == 0)
        return;
    if (op->reply.found && op->rq->verb == STORE_CREATE)
        err_set(&op->reply.err, ERR_ALREADY_EXISTS, "there is a document %s/%s already",
                op->rq->collection, op->rq->id);
    else if (op->reply.found || op->rq->verb == STORE_CREATE)
        conflict(op);
}

static void on_settled(struct firestore_op *op, struct google_reply *r) {
    json_t *own;

    if (firestore_op_take_document(op, r, &own))
        settle(op, own);
    json_decref(own);
    finish(op);
}

static void ask_why(struct firestore_op *op) {
    firestore_op_ask_document(op, FIRESTORE_WIRE_OWN, on_settled);
}

static void on_written(struct firestore_op *op, struct google_reply *r) {
    if (r->err.code != ERR_NONE && firestore_wire_is_refusal(r->json)) {
        ask_why(op);
        return;
    }
    op->keep = r->err.code == ERR_NONE || r->unknown;
    if (firestore_op_answered(op, r)) {
        op->reply.found = true;
        if (op->rq->verb != STORE_DELETE)
            (void)firestore_wire_written(r->json, op->reply.version, &op->reply.err);
    }
    finish(op);
}

static void commit(struct firestore_op *op, json_t *writes) {
    firestore_op_ask(op, FIRESTORE_COMMIT, json_pack("{s:o}", "writes", writes), on_written);
}

/* A version is the time of a write; what is none, no document has. */
static bool is_version(const char *version) {
    int64_t us;

    return version == NULL || (clock_parse(version, strlen(version), &us) == 0 && us > 0);
}

/* --- the documents below --------------------------------------------------------------------- */

/* Keep the names in the answer. */
static bool take_below(struct firestore_op *op, const struct google_reply *r) {
    const json_t *document;
    size_t at = 0, n = strlen(op->name);
    int rc;

    if (!firestore_op_answered(op, r))
        return false;
    op->below = json_array();
    while ((rc = firestore_wire_next(r->json, &at, &document, &op->reply.err)) > 0) {
        const char *name = firestore_wire_name(document);

        if (strncmp(name, op->name, n) == 0 && name[n] == '/' &&
            json_array_append_new(op->below, json_string(name)) < 0)
            return out_of_memory(&op->reply.err) == 0;
    }
    return rc == 0;
}

/* --- create, update -------------------------------------------------------------------------- */

/* The document first, since its version is asked for.  It names its slices, so all of them must be
 * there: somebody may have taken them for left behind, and then the whole commit fails. */
static void write_document(struct firestore_op *op) {
    size_t n = firestore_parts_slices(&op->parts);
    json_t *names = firestore_parts_names(&op->parts, op->name, 0, n);
    json_t *writes = json_pack(
        "[o]", op->rq->verb == STORE_CREATE
                   ? firestore_wire_create(op->name, op->fields)
                   : firestore_wire_update(op->name, op->fields, op->mask, op->rq->version));

    for (size_t i = 0; i < n; i++)
        if (json_array_append_new(
                writes, firestore_wire_touch(json_string_value(json_array_get(names, i)))) < 0) {
            json_decref(writes);
            writes = NULL;
        }
    json_decref(names);
    add_deletes(writes, op->below);
    writes = firestore_write_add_with(op, writes);
    op->keep = true; /* until the outcome is known */
    json_decref(op->fields);
    json_decref(op->mask);
    op->fields = op->mask = NULL; /* from now on they are text */
    commit(op, writes);
}

static void write_slices(struct firestore_op *op);

static void on_slices(struct firestore_op *op, struct google_reply *r) {
    if (firestore_op_answered(op, r))
        write_slices(op);
    else
        finish(op);
}

static void write_slices(struct firestore_op *op) {
    size_t from = op->slice;

    if (from >= firestore_parts_slices(&op->parts)) {
        write_document(op);
        return;
    }
    op->slice += FIRESTORE_PARTS_GROUP;
    firestore_op_ask_blob(op, FIRESTORE_COMMIT,
                          firestore_parts_body(&op->parts, op->name, op->rq->parts, from),
                          on_slices);
}

static void on_old_slices(struct firestore_op *op, struct google_reply *r) {
    if (take_below(op, r))
        write_slices(op);
    else
        firestore_op_end(op);
}

void firestore_write_begin(struct firestore_op *op) {
    bool parts = op->rq->set_parts && (op->rq->verb == STORE_UPDATE || op->rq->nparts > 0);

    if (!is_version(op->rq->version))
        ask_why(op);
    else if (parts)
        firestore_op_ask(op, FIRESTORE_BELOW, firestore_wire_below(FIRESTORE_PARTS_COLLECTION),
                         on_old_slices);
    else
        write_document(op);
}

/* --- delete ---------------------------------------------------------------------------------- */

static void on_below(struct firestore_op *op, struct google_reply *r) {
    json_t *writes;

    if (!take_below(op, r)) {
        firestore_op_end(op);
        return;
    }
    writes = json_pack("[o]", firestore_wire_delete(op->name, op->rq->version));
    add_deletes(writes, op->below);
    commit(op, writes);
}

void firestore_write_erase(struct firestore_op *op) {
    if (!is_version(op->rq->version))
        ask_why(op);
    else
        firestore_op_ask(op, FIRESTORE_BELOW, firestore_wire_below(NULL), on_below);
}
