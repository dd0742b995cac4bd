#include "firestore.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "firestore_op.h"
#include "firestore_value.h"
#include "firestore_wire.h"
#include "firestore_write.h"

#define PAGE_DOCUMENTS 25      /* in one exchange: each may hold 1 MiB */
#define PAGE_BYTES_MAX MIB     /* of documents in a listing, as JSON */
#define TRIES_MAX      10      /* while others write, too */
#define EVENTS         "opens" /* below a document that is counted */
#define NAME_BYTES_MAX (8 * KIB)

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

/* --- get ------------------------------------------------------------------------------------- */

static void on_got(struct firestore_op *op, struct google_reply *r) {
    json_t *own;

    (void)firestore_op_take_document(op, r, &own);
    json_decref(own);
    if (op->rq->without != NULL)
        (void)json_object_del(op->reply.fields, op->rq->without);
    firestore_op_end(op);
}

static void get(struct firestore_op *op) {
    firestore_op_ask_document(op, NULL, on_got);
}

/* --- query ----------------------------------------------------------------------------------- */

static int take_row(struct firestore_op *op, const json_t *document) {
    struct store_doc *doc = &op->reply.docs[op->reply.ndocs];
    json_t *own = NULL;

    if ((doc->id = strdup(firestore_wire_name(document) + strlen(op->name))) == NULL)
        return out_of_memory(&op->reply.err);
    op->reply.ndocs++;
    if (firestore_wire_read(document, doc->version, &doc->fields, &own, &op->reply.err) < 0)
        return -1;
    json_decref(own);
    op->bytes += json_dumpb(doc->fields, NULL, 0, JSON_COMPACT);
    json_decref(op->cursor);
    op->cursor = firestore_wire_cursor(document, &op->reply.err);
    return op->cursor == NULL ? -1 : 0;
}

/* Take the documents of an answer: how many there were, with the first that the page has no room
 * for; -1. */
static int take_rows(struct firestore_op *op, const json_t *answer) {
    size_t at = 0;
    const json_t *document;
    int rows = 0, rc;

    while ((rc = firestore_wire_next(answer, &at, &document, &op->reply.err)) > 0) {
        rows++;
        if (op->reply.ndocs == op->rq->limit || op->bytes >= PAGE_BYTES_MAX) {
            op->reply.next_page_token = firestore_wire_token(op->cursor, op->name, &op->reply.err);
            return op->reply.next_page_token == NULL ? -1 : rows;
        }
        if (strncmp(firestore_wire_name(document), op->name, strlen(op->name)) != 0)
            return err_set(&op->reply.err, ERR_FIRESTORE_ERROR,
                           "Firestore listed a document of another collection");
        if (take_row(op, document) < 0)
            return -1;
    }
    return rc < 0 ? -1 : rows;
}

static void next_page(struct firestore_op *op);

static void on_page(struct firestore_op *op, struct google_reply *r) {
    int rows;

    if (r->status == 200 && r->json == NULL && op->asked > 1) { /* it has more than can be read */
        op->most = op->asked / 2;
        next_page(op);
        return;
    }
    if (!firestore_op_answered(op, r)) {
        if (op->rq->where != NULL)
            (void)firestore_wire_index_err(r->json, op->rq->collection, op->rq->where,
                                           &op->reply.err);
        firestore_op_end(op);
        return;
    }
    rows = take_rows(op, r->json);
    if (rows < (int)op->asked || op->reply.next_page_token != NULL)
        firestore_op_end(op);
    else
        next_page(op);
}

/* One document more than fits tells that there is another page. */
static void next_page(struct firestore_op *op) {
    size_t left = op->rq->limit - op->reply.ndocs + 1;

    op->asked = left < op->most ? (unsigned)left : op->most;
    firestore_op_ask(
        op, FIRESTORE_QUERY,
        firestore_wire_newest(op->rq->collection, op->rq->where, op->rq->is, op->cursor, op->asked),
        on_page);
}

/* The document that the page begins behind, as it is now. */
static void on_place(struct firestore_op *op, struct google_reply *r) {
    const char *name = firestore_wire_cursor_lacks(op->cursor);
    const json_t *document = NULL;
    json_t *cursor = NULL;

    if (firestore_op_answered(op, r) &&
        firestore_wire_find(r->json, name, &document, &op->reply.err) >= 0 &&
        (document == NULL || (cursor = firestore_wire_cursor(document, &op->reply.err)) == NULL))
        err_set_field(&op->reply.err, ERR_INVALID_FIELD, "page_token",
                      "page_token: the document that this page begins behind is gone; begin again");
    json_decref(op->cursor);
    op->cursor = cursor;
    if (cursor == NULL)
        firestore_op_end(op);
    else
        next_page(op);
}

static void ask_place(struct firestore_op *op, const char *name) {
    json_t *names = json_pack("[s]", name);

    firestore_op_ask(op, FIRESTORE_GET, firestore_wire_get(names, "created_at"), on_place);
    json_decref(names);
}

static void query(struct firestore_op *op) {
    const char *token = op->rq->page_token;

    op->most = PAGE_DOCUMENTS;
    op->reply.docs = calloc(op->rq->limit, sizeof(*op->reply.docs));
    if (op->reply.docs == NULL)
        (void)out_of_memory(&op->reply.err);
    else if (token != NULL)
        op->cursor = firestore_wire_token_read(token, op->name, &op->reply.err);
    else if (op->rq->before != NULL && (op->cursor = firestore_wire_before(op->rq->before)) == NULL)
        (void)out_of_memory(&op->reply.err);
    if (op->reply.err.code != ERR_NONE)
        firestore_op_end(op);
    else if (firestore_wire_cursor_lacks(op->cursor) != NULL)
        ask_place(op, firestore_wire_cursor_lacks(op->cursor));
    else
        next_page(op);
}

/* --- how many -------------------------------------------------------------------------------- */

static void on_number(struct firestore_op *op, struct google_reply *r) {
    if (firestore_op_answered(op, r))
        (void)firestore_wire_number(r->json, &op->reply.count, &op->reply.err);
    firestore_op_end(op);
}

static void how_many(struct firestore_op *op) {
    firestore_op_ask(
        op, FIRESTORE_COUNT,
        firestore_wire_how_many(op->rq->collection, op->rq->where, op->rq->is, op->rq->limit + 1),
        on_number);
}

/* --- increment ------------------------------------------------------------------------------- */

/* The document that stands for this one occurrence. */
static char *event_name(const struct firestore_op *op) {
    struct buf name;
    char *text;

    buf_init(&name, NAME_BYTES_MAX);
    buf_join(&name, op->name, "/" EVENTS "/", op->tag);
    text = buf_take(&name, NULL);
    buf_free(&name);
    return text;
}

static void add_event(struct firestore_op *op, struct buf *body) {
    json_t *plain = json_pack("{s:s*}", "counted_at", op->rq->now);
    char *name = event_name(op);
    struct buf fields;

    buf_init(&fields, JSON_TEXT_MAX);
    if (firestore_value_add_members(&fields, plain, &op->reply.err) == 0 && name != NULL)
        firestore_wire_create(body, name, fields.data);
    else
        (void)out_of_memory(&op->reply.err);
    buf_free(&fields);
    free(name);
    json_decref(plain);
}

/* The members to set; `first` is left alone where it is NULL. */
static json_t *fields_to_count(const struct firestore_op *op, const char *first) {
    const char *const names[] = {op->rq->last, first};
    json_t *plain = op->fields == NULL ? json_object() : json_copy(op->fields);

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (names[i] != NULL)
            (void)json_object_set_new(plain, names[i], json_string(op->rq->now));
    return plain;
}

/* `version`: the document's while its `first` was not set yet; NULL: leave it alone. */
static void add_count(struct firestore_op *op, const char *version, struct buf *body) {
    json_t *plain = fields_to_count(op, version == NULL ? NULL : op->rq->first), *value;
    struct buf fields, mask;
    const char *name;

    buf_init(&fields, JSON_TEXT_MAX);
    buf_init(&mask, JSON_TEXT_MAX);
    json_object_foreach(plain, name, value) {
        firestore_wire_mask_add(&mask, name, NULL);
    }
    (void)firestore_value_add_members(&fields, plain, &op->reply.err);
    if (plain == NULL || buf_failed(&fields) || buf_failed(&mask))
        (void)out_of_memory(&op->reply.err);
    firestore_wire_update(body, op->name, fields.data, mask.data, version, op->transforms);
    buf_free(&mask);
    buf_free(&fields);
    json_decref(plain);
}

static void count(struct firestore_op *op);

/* A refusal has several reasons: ask again how things are. */
static void on_counted(struct firestore_op *op, struct google_reply *r) {
    if (r->err.code != ERR_NONE && firestore_wire_is_refusal(r->json) && ++op->tries < TRIES_MAX) {
        count(op);
        return;
    }
    op->reply.found = firestore_op_answered(op, r);
    firestore_op_end(op);
}

static void commit_count(struct firestore_op *op, const char *version) {
    struct buf body;

    firestore_wire_begin(&body);
    add_event(op, &body);
    add_count(op, version, &body);
    firestore_write_add_with(op, &body);
    firestore_op_commit(op, &body, on_counted);
}

/* Did an earlier attempt succeed, of which the answer was lost?  1, 0, -1. */
static int was_counted(struct firestore_op *op, const json_t *answer) {
    char *name = event_name(op);
    const json_t *event;
    int rc = name == NULL ? out_of_memory(&op->reply.err)
                          : firestore_wire_find(answer, name, &event, &op->reply.err);

    free(name);
    return rc;
}

static void on_counter(struct firestore_op *op, struct google_reply *r) {
    json_t *own, *first;

    if (!firestore_op_take_document(op, r, &own) || !op->reply.found ||
        (op->tries > 0 && was_counted(op, r->json) != 0)) {
        firestore_op_end(op);
    } else {
        first =
            op->rq->first == NULL ? json_true() : json_object_get(op->reply.fields, op->rq->first);
        commit_count(op, first == NULL || json_is_null(first) ? op->reply.version : NULL);
    }
    json_decref(own);
}

/* An occurrence that is not the first one stands in nobody's way: it has no precondition but that
 * the document exists. */
static void count(struct firestore_op *op) {
    const char *only = op->rq->first != NULL ? op->rq->first : op->rq->counter;
    json_t *names = json_pack("[s]", op->name);
    char *event = event_name(op);

    if (op->tries == 0 && (op->rq->first == NULL || op->rq->version != NULL)) {
        commit_count(op, op->rq->first == NULL ? NULL : op->rq->version);
    } else {
        if (op->tries > 0)
            (void)json_array_append_new(names, json_string(event));
        firestore_op_ask(op, FIRESTORE_GET, firestore_wire_get(names, only), on_counter);
    }
    free(event);
    json_decref(names);
}

/* --- parts ----------------------------------------------------------------------------------- */

static void read_slices(struct firestore_op *op);

static void forget_parts(struct store_reply *r) {
    for (size_t i = 0; i < r->nparts; i++)
        blob_unref(r->parts[i]);
    free(r->parts);
    r->parts = NULL;
    r->nparts = 0;
}

/* A slice is missing when others were written meanwhile, which the document then says. */
static void on_layout(struct firestore_op *op, struct google_reply *r) {
    struct firestore_parts parts = {.n = 0};
    json_t *own;

    if (!firestore_op_take_document(op, r, &own) || !op->reply.found ||
        firestore_parts_decode(&parts, json_object_get(own, "parts"), &op->reply.err) < 0)
        goto end;
    if (op->tries > 0 && (strcmp(parts.set, op->parts.set) == 0 || op->tries == TRIES_MAX)) {
        err_set(&op->reply.err, ERR_FIRESTORE_ERROR, "%s/%s has lost some of its parts",
                op->rq->collection, op->rq->id);
        goto end;
    }
    forget_parts(&op->reply);
    op->parts = parts;
    op->slice = 0;
    if (firestore_parts_alloc(&op->parts, &op->reply) < 0) {
        (void)out_of_memory(&op->reply.err);
        goto end;
    }
    json_decref(own);
    read_slices(op);
    return;
end:
    json_decref(own);
    firestore_op_end(op);
}

static void read_layout(struct firestore_op *op) {
    firestore_op_ask_document(op, FIRESTORE_WIRE_OWN, on_layout);
}

static void on_slices(struct firestore_op *op, struct google_reply *r) {
    int rc = -1;

    if (firestore_op_answered(op, r))
        rc = firestore_parts_take(&op->parts, op->name, r->json, op->slice, &op->reply,
                                  &op->reply.err);
    if (rc > 0) {
        op->slice += FIRESTORE_PARTS_GROUP;
        read_slices(op);
    } else if (rc == 0) {
        op->tries++;
        read_layout(op);
    } else {
        firestore_op_end(op);
    }
}

static void read_slices(struct firestore_op *op) {
    json_t *names;

    if (op->slice >= firestore_parts_slices(&op->parts)) {
        firestore_op_end(op);
        return;
    }
    names = firestore_parts_names(&op->parts, op->name, op->slice, FIRESTORE_PARTS_GROUP);
    firestore_op_ask(op, FIRESTORE_GET, firestore_wire_get(names, NULL), on_slices);
    json_decref(names);
}

/* --- the backend ----------------------------------------------------------------------------- */

static int add_transforms(struct buf *out, const struct store_request *rq, struct err *e) {
    const char *member;
    json_t *value;

    firestore_wire_add_one(out, rq->counter);
    if (rq->also != NULL)
        firestore_wire_add_one(out, rq->also);
    json_object_foreach(rq->append, member, value) {
        if (firestore_wire_append(out, member, value, e) < 0)
            return -1;
    }
    return 0;
}

static int prepare_count(struct firestore_op *op, const struct store_request *rq, struct err *e) {
    struct buf transforms;
    int rc;

    op->fields = json_incref(rq->fields);
    buf_init(&transforms, JSON_TEXT_MAX);
    rc = add_transforms(&transforms, rq, e);
    if (rc == 0 && (op->transforms = buf_take(&transforms, NULL)) == NULL)
        rc = out_of_memory(e);
    buf_free(&transforms);
    return rc;
}

static int prepare(struct firestore_op *op, const struct store_request *rq, struct err *e) {
    if (!firestore_value_is_id(rq->collection))
        return err_set_field(e, ERR_INVALID_FIELD, "collection",
                             "collection: Firestore has no collections of this name");
    if (rq->verb != STORE_QUERY && rq->verb != STORE_COUNT && !firestore_value_is_id(rq->id))
        return err_set_field(e, ERR_INVALID_FIELD, "id",
                             "id: Firestore has no ids like ., .. and __x__");
    if (rq->nwith > 0 && firestore_write_prepare_with(op, rq, e) < 0)
        return -1;
    if (rq->verb == STORE_CREATE || rq->verb == STORE_UPDATE)
        return firestore_write_prepare(op, rq, e);
    return rq->verb == STORE_INCREMENT ? prepare_count(op, rq, e) : 0;
}

static struct store_call *start(const struct store_request *rq, store_done_fn *done, void *arg) {
    static void (*const begin[])(struct firestore_op *) = {
        [STORE_GET] = get,
        [STORE_CREATE] = firestore_write_begin,
        [STORE_UPDATE] = firestore_write_begin,
        [STORE_DELETE] = firestore_write_erase,
        [STORE_QUERY] = query,
        [STORE_COUNT] = how_many,
        [STORE_INCREMENT] = count,
        [STORE_PARTS] = read_layout,
    };
    struct firestore_op *op = firestore_op_new(rq, done, arg);
    struct store_reply reply = {0};

    if (op == NULL) {
        (void)out_of_memory(&reply.err);
        done(&reply, arg);
        return NULL;
    }
    (void)prepare(op, rq, &op->reply.err);
    return firestore_op_start(op, begin[rq->verb]);
}

const struct store_backend firestore_backend = {firestore_op_init, firestore_op_fini, start,
                                                firestore_op_cancel};
