#include "sqlite_docs.h"

#include <stdlib.h>
#include <string.h>

#include "sqlite_db.h"
#include "sqlite_json.h"
#include "sqlite_lists.h"
#include "sqlite_query.h"
#include "sqlite_statement.h"

struct sqlite_docs *sqlite_docs_open(const char *path, int busy_ms, struct err *e) {
    struct sqlite_docs *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        err_set(e, ERR_STORE_ERROR, "%s: out of memory", path);
        return NULL;
    }
    /* A file that is not what it says is refused now, not by the first request. */
    if (sqlite_db_open(&d->db, path, busy_ms, e) == 0 &&
        (sqlite_statement(d, ST_LAST) != NULL || sqlite_db_err(d->db, e) == 0))
        return d;
    sqlite_docs_close(d);
    return NULL;
}

void sqlite_docs_close(struct sqlite_docs *d) {
    if (d == NULL)
        return;
    sqlite_statement_finalize(d);
    sqlite_db_close(d->db);
    free(d);
}

/* --- reading --------------------------------------------------------------------------------- */

/* 1: there is the document; 0: there is none; -1. */
static int get(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    sqlite3_stmt *st = sqlite_statement_about(d, ST_GET, rq);
    int rc;

    if (rq->without != NULL)
        sqlite_statement_bind(st, 3, rq->without);
    else
        sqlite3_bind_zeroblob(st, 3, 0); /* every text comes before it */
    rc = sqlite_statement_step(d, st, &r->err);
    r->found = rc > 0;
    if (r->found)
        rc = sqlite_statement_document(st, 0, rq, rq->id, r->version, &r->fields, &r->err);
    sqlite_statement_finish(st);
    if (rq->without != NULL)
        (void)json_object_del(r->fields, rq->without);
    return rc;
}

/* A row of the join: a part, or NULL for a document without any. */
static int take_part(sqlite3_stmt *st, struct store_reply *r) {
    struct blob **more;

    if (sqlite3_column_type(st, 0) == SQLITE_NULL)
        return 0;
    more = reallocarray(r->parts, r->nparts + 1, sizeof(struct blob *));
    if (more == NULL)
        return sqlite_statement_no_memory(&r->err);
    r->parts = more;
    more[r->nparts] = blob_copy(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
    if (more[r->nparts] == NULL)
        return sqlite_statement_no_memory(&r->err);
    r->nparts++;
    return 0;
}

static int parts(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    sqlite3_stmt *st = sqlite_statement_about(d, ST_PARTS, rq);
    int rc;

    while ((rc = sqlite_statement_step(d, st, &r->err)) > 0) {
        r->found = true;
        sqlite_statement_version(st, 1, r->version);
        if ((rc = take_part(st, r)) < 0)
            break;
    }
    sqlite_statement_finish(st);
    return rc;
}

bool sqlite_docs_reads(enum store_verb verb) {
    return verb == STORE_GET || verb == STORE_QUERY || verb == STORE_COUNT || verb == STORE_PARTS;
}

void sqlite_docs_read(struct sqlite_docs *d, const struct store_request *rq,
                      struct store_reply *r) {
    if (rq->verb == STORE_GET)
        (void)get(d, rq, r);
    else if (rq->verb == STORE_QUERY)
        (void)sqlite_query_page(d, rq, r);
    else if (rq->verb == STORE_COUNT)
        (void)sqlite_query_count(d, rq, r);
    else
        (void)parts(d, rq, r);
}

/* --- writing --------------------------------------------------------------------------------- */

/* So that this write can be undone alone when one of its statements fails.  It costs a copy of each
 * page that it changes: what is one statement, which undoes itself, goes without. */
static int begin_several(struct sqlite_docs *d, struct err *e) {
    if (d->savepoint)
        return 0;
    d->savepoint = sqlite_statement_run(d, sqlite_statement(d, ST_SAVEPOINT), e) == 0;
    return d->savepoint ? 0 : -1;
}

/* INSERT or UPDATE of a body, under a version that no document ever had. */
static int put(struct sqlite_docs *d, enum sqlite_statement s, const struct store_request *rq,
               const char *body, struct store_reply *r) {
    sqlite3_int64 version = ++d->last;
    sqlite3_stmt *st = sqlite_statement_about(d, s, rq);

    sqlite3_bind_int64(st, 3, version);
    sqlite_statement_bind(st, 4, body);
    sqlite3_snprintf(STORE_VERSION_SIZE, r->version, "%lld", version);
    return sqlite_statement_run(d, st, &r->err);
}

static int put_tree(struct sqlite_docs *d, const struct store_request *rq, const json_t *fields,
                    struct store_reply *r) {
    char *body = sqlite_json_write(fields);
    int rc = body == NULL ? sqlite_statement_no_memory(&r->err) : put(d, ST_UPDATE, rq, body, r);

    free(body);
    return rc;
}

static int put_parts(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    for (size_t i = 0; i < rq->nparts; i++) {
        sqlite3_stmt *st = sqlite_statement_about(d, ST_INSERT_PART, rq);
        const struct blob *part = rq->parts[i];

        sqlite3_bind_int64(st, 3, (sqlite3_int64)i);
        sqlite3_bind_blob64(st, 4, part->len > 0 ? part->data : "", part->len, SQLITE_STATIC);
        if (sqlite_statement_run(d, st, &r->err) < 0)
            return -1;
    }
    return 0;
}

/* Is there the document, and in which version: 1, 0, -1. */
static int look(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r,
                struct sqlite_lists_doc *doc) {
    sqlite3_stmt *st = sqlite_statement_about(d, ST_LOOK, rq);
    int rc = sqlite_statement_step(d, st, &r->err);

    if (rc > 0)
        sqlite_statement_version(st, 0, r->version);
    if (rc > 0 && doc != NULL) {
        doc->beside = sqlite3_column_int(st, 2) != 0;
        if (sqlite_statement_document(st, 0, rq, rq->id, r->version, &doc->body, &r->err) < 0)
            rc = -1;
    }
    sqlite_statement_finish(st);
    return rc;
}

static int check_version(const struct store_request *rq, const char *version, struct err *e) {
    if (rq->version == NULL || strcmp(rq->version, version) == 0)
        return 0;
    return err_set(e, ERR_CONFLICT, "%s/%s was changed by someone else meanwhile", rq->collection,
                   rq->id);
}

static int create(struct sqlite_docs *d, const struct store_request *rq,
                  const struct sqlite_docs_texts *texts, struct store_reply *r) {
    if (rq->nparts > 0 && begin_several(d, &r->err) < 0)
        return -1;
    if (put(d, ST_INSERT, rq, texts->fields != NULL ? texts->fields : "{}", r) < 0)
        return -1;
    if (sqlite3_changes(d->db) == 0) {
        d->last--; /* nothing has that version */
        return err_set(&r->err, ERR_ALREADY_EXISTS, "there is a document %s/%s already",
                       rq->collection, rq->id);
    }
    return put_parts(d, rq, r);
}

/* The members in a text (or NULL); a new reference, or NULL. */
static json_t *members_of(const char *text) {
    return text == NULL ? json_object() : sqlite_json_read(text, strlen(text));
}

/* A member that is set or taken away goes wherever it is: in the body, or else beside it. */
static int leave_lists(struct sqlite_docs *d, const struct store_request *rq,
                       const struct sqlite_lists_doc *doc, const char *member, struct err *e) {
    if (!doc->beside || json_object_get(doc->body, member) != NULL)
        return 0;
    return begin_several(d, e) < 0 ? -1 : sqlite_lists_drop(d, rq, member, e);
}

/* Set the members, and take away what the request removes. */
static int merge(struct sqlite_docs *d, const struct store_request *rq,
                 const struct sqlite_lists_doc *doc, json_t *members, struct err *e) {
    const char *member;
    json_t *value;

    if (members == NULL)
        return sqlite_statement_no_memory(e);
    json_object_foreach(members, member, value) {
        if (leave_lists(d, rq, doc, member, e) < 0)
            return -1;
        if (json_object_set(doc->body, member, value) < 0)
            return sqlite_statement_no_memory(e);
    }
    for (size_t i = 0; i < rq->nremove; i++) {
        if (leave_lists(d, rq, doc, rq->remove[i], e) < 0)
            return -1;
        (void)json_object_del(doc->body, rq->remove[i]);
    }
    return 0;
}

static int replace_parts(struct sqlite_docs *d, const struct store_request *rq,
                         struct store_reply *r) {
    if (sqlite_statement_run(d, sqlite_statement_about(d, ST_DELETE_PARTS, rq), &r->err) < 0)
        return -1;
    return put_parts(d, rq, r);
}

static int update(struct sqlite_docs *d, const struct store_request *rq,
                  const struct sqlite_docs_texts *texts, struct store_reply *r) {
    struct sqlite_lists_doc doc = {NULL, false};
    json_t *members = members_of(texts->fields);
    int rc = look(d, rq, r, &doc);

    r->found = rc > 0;
    if (!r->found)
        goto out;
    rc = -1;
    if (check_version(rq, r->version, &r->err) < 0 ||
        (rq->set_parts && begin_several(d, &r->err) < 0) ||
        merge(d, rq, &doc, members, &r->err) < 0 || put_tree(d, rq, doc.body, r) < 0 ||
        (rq->set_parts && replace_parts(d, rq, r) < 0))
        goto out;
    rc = 0;
out:
    json_decref(members);
    json_decref(doc.body);
    return rc;
}

static int erase(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    int rc = look(d, rq, r, NULL);

    if (rc <= 0)
        return rc;
    if (check_version(rq, r->version, &r->err) < 0)
        return -1;
    return sqlite_statement_run(d, sqlite_statement_about(d, ST_DELETE, rq),
                                &r->err); /* its parts go with it */
}

/* What is no integer counts as 0. */
static int add_one(json_t *document, const char *member) {
    json_int_t n = json_integer_value(json_object_get(document, member));

    return json_object_set_new(document, member, json_integer(n < INT64_MAX ? n + 1 : n));
}

static int count(json_t *document, const struct store_request *rq) {
    json_t *first = rq->first == NULL ? NULL : json_object_get(document, rq->first);
    int rc = add_one(document, rq->counter);

    if (rq->also != NULL)
        rc |= add_one(document, rq->also);

    if (rq->first != NULL && (first == NULL || json_is_null(first)))
        rc |= json_object_set_new(document, rq->first, json_string(rq->now));
    if (rq->last != NULL)
        rc |= json_object_set_new(document, rq->last, json_string(rq->now));
    return rc;
}

/* To arrays, what is not in them already: as Firestore does. */
static int append(struct sqlite_docs *d, const struct store_request *rq,
                  const struct sqlite_lists_doc *doc, const char *text, struct err *e) {
    json_t *values = members_of(text);
    int rc = -1;

    if (values == NULL)
        (void)sqlite_statement_no_memory(e);
    else
        rc = sqlite_lists_append(d, rq, doc, values, e);
    json_decref(values);
    return rc;
}

static int increment(struct sqlite_docs *d, const struct store_request *rq,
                     const struct sqlite_docs_texts *texts, struct store_reply *r) {
    struct sqlite_lists_doc doc = {NULL, false};
    json_t *members = members_of(texts->fields);
    int rc = look(d, rq, r, &doc);

    r->found = rc > 0;
    if (!r->found)
        goto out;
    if (count(doc.body, rq) < 0)
        rc = sqlite_statement_no_memory(&r->err);
    else if (merge(d, rq, &doc, members, &r->err) < 0 ||
             (texts->append != NULL && append(d, rq, &doc, texts->append, &r->err) < 0))
        rc = -1;
    else
        rc = put_tree(d, rq, doc.body, r);
out:
    json_decref(members);
    json_decref(doc.body);
    return rc;
}

static int apply(struct sqlite_docs *d, const struct store_request *rq,
                 const struct sqlite_docs_texts *texts, struct store_reply *r) {
    switch (rq->verb) {
    case STORE_CREATE:
        return create(d, rq, texts, r);
    case STORE_UPDATE:
        return update(d, rq, texts, r);
    case STORE_DELETE:
        return erase(d, rq, r);
    default:
        return increment(d, rq, texts, r);
    }
}

/* What goes with it, whatever was there: that goes with its parts. */
static int write_with(struct sqlite_docs *d, const struct store_companion *with, const char *body,
                      struct err *e) {
    const struct store_request rq = {.collection = with->collection, .id = with->id};
    struct store_reply own = {0};

    if (sqlite_statement_run(d, sqlite_statement_about(d, ST_DELETE, &rq), &own.err) == 0)
        (void)put(d, ST_INSERT, &rq, body, &own);
    if (own.err.code != ERR_NONE)
        *e = own.err;
    return own.err.code != ERR_NONE ? -1 : 0;
}

static int apply_all(struct sqlite_docs *d, const struct store_request *rq,
                     const struct sqlite_docs_texts *texts, struct store_reply *r) {
    if (apply(d, rq, texts, r) < 0)
        return -1;
    for (size_t i = 0; i < rq->nwith && (rq->verb == STORE_CREATE || r->found); i++)
        if (write_with(d, &rq->with[i], texts->with[i], &r->err) < 0)
            return -1;
    return 0;
}

static int dump(char **text, const json_t *tree) {
    *text = tree == NULL ? NULL : sqlite_json_write(tree);
    return tree != NULL && *text == NULL ? -1 : 0;
}

int sqlite_docs_texts_make(struct sqlite_docs_texts *texts, const struct store_request *rq) {
    *texts = (struct sqlite_docs_texts){0};
    for (size_t i = 0; i < rq->nwith; i++)
        if (dump(&texts->with[i], rq->with[i].fields) < 0)
            return -1;
    return dump(&texts->fields, rq->fields) < 0 ? -1 : dump(&texts->append, rq->append);
}

void sqlite_docs_texts_free(struct sqlite_docs_texts *texts) {
    free(texts->fields);
    free(texts->append);
    for (size_t i = 0; i < COUNT_OF(texts->with); i++)
        free(texts->with[i]);
}

/* The numbers that a group uses up are counted here, and written down with it. */
static int read_sequence(struct sqlite_docs *d, struct err *e) {
    sqlite3_stmt *st = sqlite_statement(d, ST_LAST);
    int rc = sqlite_statement_step(d, st, e);

    if (rc > 0)
        d->last = d->kept = sqlite3_column_int64(st, 0);
    sqlite_statement_finish(st);
    if (rc == 0)
        err_set(e, ERR_STORE_ERROR, "%s: its table sequence is empty; restore a backup",
                sqlite3_db_filename(d->db, "main"));
    return rc > 0 ? 0 : -1;
}

static int keep_sequence(struct sqlite_docs *d, struct err *e) {
    sqlite3_stmt *st = sqlite_statement(d, ST_KEEP);

    if (d->last == d->kept)
        return 0;
    sqlite3_bind_int64(st, 1, d->last);
    return sqlite_statement_run(d, st, e);
}

int sqlite_docs_begin(struct sqlite_docs *d, struct err *e) {
    d->savepoint = false;
    if (sqlite_db_check_file(d->db, e) == 0 &&
        sqlite_statement_run(d, sqlite_statement(d, ST_BEGIN), e) == 0 && read_sequence(d, e) == 0)
        return 0;
    sqlite_db_rollback(d->db);
    return -1;
}

/* End what begin_several() began: keep it all, or undo it all. */
static int end_several(struct sqlite_docs *d, bool undo, struct err *e) {
    d->savepoint = false;
    if (undo && sqlite_statement_run(d, sqlite_statement(d, ST_UNDO), e) < 0)
        return -1;
    return sqlite_statement_run(d, sqlite_statement(d, ST_RELEASE), e);
}

/* What fails halfway without a savepoint takes the group with it. */
int sqlite_docs_write(struct sqlite_docs *d, const struct store_request *rq,
                      const struct sqlite_docs_texts *texts, struct store_reply *r) {
    int before = sqlite3_total_changes(d->db);
    bool refused = apply_all(d, rq, texts, r) < 0;
    bool halfway = refused && !d->savepoint && sqlite3_total_changes(d->db) != before;

    if (sqlite_db_in_transaction(d->db) && !halfway &&
        (!d->savepoint || end_several(d, refused, &r->err) == 0))
        return 0;
    sqlite_db_rollback(d->db); /* or SQLite has given up the whole transaction by itself */
    return -1;
}

int sqlite_docs_commit(struct sqlite_docs *d, struct err *e) {
    if (keep_sequence(d, e) == 0 && sqlite_statement_run(d, sqlite_statement(d, ST_COMMIT), e) == 0)
        return 0;
    sqlite_db_rollback(d->db);
    return -1;
}

static int write_one(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    struct sqlite_docs_texts texts;
    int rc;

    if (sqlite_docs_texts_make(&texts, rq) < 0)
        rc = sqlite_statement_no_memory(&r->err);
    else
        rc = sqlite_docs_write(d, rq, &texts, r);
    sqlite_docs_texts_free(&texts);
    return rc < 0 || r->err.code != ERR_NONE ? -1 : 0;
}

void sqlite_docs_write_all(struct sqlite_docs *d, const struct store_request *rqs, size_t n,
                           struct store_reply *r) {
    struct err e = {0};
    int rc = sqlite_docs_begin(d, &e);

    for (size_t i = 0; i < n && rc == 0; i++) {
        store_reply_fini(r); /* that of the write before it */
        rc = write_one(d, &rqs[i], r);
        e = r->err;
    }
    if (rc < 0)
        sqlite_db_rollback(d->db);
    else
        (void)sqlite_docs_commit(d, &e);
    r->err = e;
}

int sqlite_docs_set_apart(struct sqlite_docs *d, struct err *e) {
    return sqlite_db_exec(d->db, "UPDATE sequence SET last = last + (1 << 60)", e);
}
