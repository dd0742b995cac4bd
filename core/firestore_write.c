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
static int add_own(struct buf *out, const char *tag, const struct firestore_parts *parts,
                   struct err *e) {
    json_t *plain;
    int rc = 0;

    buf_join(out,
             "\"" FIRESTORE_WIRE_OWN "\":{\"mapValue\":{\"fields\":{\"write\":{\"stringValue\":\"",
             tag, "\"}");
    if (parts != NULL && parts->n > 0) {
        plain = json_pack("{s:o}", "parts", firestore_parts_encode(parts));
        buf_addc(out, ',');
        rc = plain == NULL ? out_of_memory(e) : firestore_value_add_members(out, plain, e);
        json_decref(plain);
    }
    buf_adds(out, "}}}");
    return rc;
}

static char *take(struct buf *text, struct err *e) {
    char *taken = buf_take(text, NULL);

    if (taken == NULL)
        (void)out_of_memory(e);
    return taken;
}

/* The members of a document and our own, typed. */
static char *type_members(const json_t *plain, const char *tag, const struct firestore_parts *parts,
                          struct err *e) {
    struct buf text;
    char *typed = NULL;

    buf_init(&text, JSON_TEXT_MAX);
    (void)buf_reserve(&text, KIB); /* most are smaller */
    if (firestore_value_add_members(&text, plain, e) == 0) {
        if (json_object_size(plain) > 0)
            buf_addc(&text, ',');
        if (add_own(&text, tag, parts, e) == 0)
            typed = take(&text, e);
    }
    buf_free(&text);
    return typed;
}

/* What is in the mask and not among the fields is taken away. */
static char *make_mask(const json_t *fields, const struct store_request *rq, struct err *e) {
    struct buf mask;
    const char *name;
    json_t *value;
    char *text;

    buf_init(&mask, JSON_TEXT_MAX);
    for (size_t i = 0; i < rq->nremove; i++)
        firestore_wire_mask_add(&mask, rq->remove[i], NULL);
    json_object_foreach((json_t *)fields, name, value) {
        firestore_wire_mask_add(&mask, name, NULL);
    }
    firestore_wire_mask_add(&mask, FIRESTORE_WIRE_OWN, rq->set_parts ? NULL : "write");
    text = take(&mask, e);
    buf_free(&mask);
    return text;
}

static int refuse_own(const char *name, struct err *e) {
    if (strcmp(name, FIRESTORE_WIRE_OWN) != 0)
        return 0;
    return err_set_field(e, ERR_INVALID_FIELD, name, "%s: this member is the store's own", name);
}

/* A new reference to the members that are to be set. */
static json_t *fields_to_set(const struct store_request *rq) {
    json_t *fields = rq->nremove > 0 ? json_copy(rq->fields) : json_incref(rq->fields);

    for (size_t i = 0; i < rq->nremove; i++)
        (void)json_object_del(fields, rq->remove[i]);
    return fields;
}

static int type_request(struct firestore_op *op, const json_t *fields,
                        const struct store_request *rq, struct err *e) {
    if (fields == NULL)
        return out_of_memory(e);
    if (firestore_parts_plan(&op->parts, op->tag, rq->parts, rq->nparts, e) < 0 ||
        (op->members = type_members(fields, op->tag, &op->parts, e)) == NULL)
        return -1;
    return rq->verb == STORE_UPDATE && (op->mask = make_mask(fields, rq, e)) == NULL ? -1 : 0;
}

int firestore_write_prepare(struct firestore_op *op, const struct store_request *rq,
                            struct err *e) {
    json_t *fields;
    int rc;

    if (json_object_get(rq->fields, FIRESTORE_WIRE_OWN) != NULL)
        return refuse_own(FIRESTORE_WIRE_OWN, e);
    for (size_t i = 0; i < rq->nremove; i++)
        if (refuse_own(rq->remove[i], e) < 0)
            return -1;
    fields = fields_to_set(rq);
    rc = type_request(op, fields, rq, e);
    json_decref(fields);
    return rc;
}

/* --- what is written with it ----------------------------------------------------------------- */

int firestore_write_prepare_with(struct firestore_op *op, const struct store_request *rq,
                                 struct err *e) {
    for (size_t i = 0; i < rq->nwith; i++) {
        const struct store_companion *with = &rq->with[i];

        if (!firestore_value_is_id(with->collection) || !firestore_value_is_id(with->id))
            return err_set_field(e, ERR_INVALID_FIELD, "with",
                                 "with: Firestore has no collections or ids of this name");
        if ((json_object_get(with->fields, FIRESTORE_WIRE_OWN) != NULL &&
             refuse_own(FIRESTORE_WIRE_OWN, e) < 0) ||
            (op->with[i] = type_members(with->fields, op->tag, NULL, e)) == NULL)
            return -1;
    }
    return 0;
}

void firestore_write_add_with(struct firestore_op *op, struct buf *body) {
    for (size_t i = 0; i < op->rq->nwith; i++) {
        char *name = firestore_op_name(op->rq->with[i].collection, op->rq->with[i].id);

        if (name != NULL)
            firestore_wire_put(body, name, op->with[i]);
        else
            (void)out_of_memory(&op->reply.err);
        free(name);
    }
}

/* --- the end of a write ---------------------------------------------------------------------- */

static void add_deletes(struct buf *body, const json_t *names) {
    for (size_t i = 0; i < json_array_size(names); i++)
        firestore_wire_delete(body, json_string_value(json_array_get(names, i)), NULL);
}

static void on_cleaned(struct firestore_op *op, struct google_reply *r) {
    (void)r; /* what is left behind goes with the next parts or with the document */
    firestore_op_end(op);
}

/* Take back slices that no document names, and end. */
static void finish(struct firestore_op *op) {
    struct buf body;
    json_t *names;

    if (op->slice == 0 || op->keep) {
        firestore_op_end(op);
        return;
    }
    names = firestore_parts_names(&op->parts, op->name, 0, op->slice);
    firestore_wire_begin(&body);
    add_deletes(&body, names);
    json_decref(names);
    firestore_op_ask_blob(op, FIRESTORE_COMMIT, firestore_wire_end(&body), on_cleaned);
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
    struct buf body;

    if (names == NULL)
        (void)out_of_memory(&op->reply.err);
    firestore_wire_begin(&body);
    if (op->rq->verb == STORE_CREATE)
        firestore_wire_create(&body, op->name, op->members);
    else
        firestore_wire_update(&body, op->name, op->members, op->mask, op->rq->version, NULL);
    for (size_t i = 0; i < json_array_size(names); i++)
        firestore_wire_touch(&body, json_string_value(json_array_get(names, i)));
    json_decref(names);
    add_deletes(&body, op->below);
    firestore_write_add_with(op, &body);
    op->keep = true; /* until the outcome is known */
    free(op->members);
    free(op->mask);
    op->members = op->mask = NULL; /* they are in the body now */
    firestore_op_commit(op, &body, on_written);
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
    struct buf body;

    if (!take_below(op, r)) {
        firestore_op_end(op);
        return;
    }
    firestore_wire_begin(&body);
    firestore_wire_delete(&body, op->name, op->rq->version);
    add_deletes(&body, op->below);
    firestore_op_commit(op, &body, on_written);
}

void firestore_write_erase(struct firestore_op *op) {
    if (!is_version(op->rq->version))
        ask_why(op);
    else
        firestore_op_ask(op, FIRESTORE_BELOW, firestore_wire_below(NULL), on_below);
}
