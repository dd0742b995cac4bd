#include "sqlite_docs.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "sqlite_db.h"

#define PAGE_BYTES_MAX MIB /* of documents in a listing: 20 ms of parsing, on the loop */
#define TOKEN_MAX      (8 * KIB)

/* Reading gives back exactly what writing was given: integers of 64 bits, reals of 17 digits,
 * strings with NUL. */
#define JSON_READ  (JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL)
#define JSON_WRITE JSON_COMPACT

/* Wherever a statement names a document, ?1 is the collection and ?2 the id. */
enum statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_SAVEPOINT,
    ST_RELEASE,
    ST_UNDO,
    ST_NEXT_VERSION,
    ST_GET,
    ST_INSERT,
    ST_UPDATE,
    ST_DELETE,
    ST_NEWEST,
    ST_NEWEST_BY_STATUS,
    ST_PARTS,
    ST_INSERT_PART,
    ST_DELETE_PARTS,
    STATEMENTS
};

static const char *const sql[STATEMENTS] = {
    [ST_BEGIN] = "BEGIN IMMEDIATE",
    [ST_COMMIT] = "COMMIT",
    [ST_SAVEPOINT] = "SAVEPOINT one",
    [ST_RELEASE] = "RELEASE one",
    [ST_UNDO] = "ROLLBACK TO one",
    [ST_NEXT_VERSION] = "UPDATE sequence SET last = last + 1 RETURNING last",
    [ST_GET] = "SELECT version, body FROM document WHERE collection = ?1 AND id = ?2",
    [ST_INSERT] = "INSERT INTO document (collection, id, version, body) VALUES (?1, ?2, ?3, ?4)",
    [ST_UPDATE] = "UPDATE document SET version = ?3, body = ?4 WHERE collection = ?1 AND id = ?2",
    [ST_DELETE] = "DELETE FROM document WHERE collection = ?1 AND id = ?2",
    [ST_NEWEST] = "SELECT id, version, body, created_at FROM document"
                  " WHERE collection = ?1 AND (created_at, id) <= (?2, ?3)"
                  " ORDER BY created_at DESC, id DESC LIMIT ?4",
    [ST_NEWEST_BY_STATUS] = "SELECT id, version, body, created_at FROM document"
                            " WHERE collection = ?1 AND status = ?5"
                            " AND (created_at, id) <= (?2, ?3)"
                            " ORDER BY created_at DESC, id DESC LIMIT ?4",
    [ST_PARTS] = "SELECT bytes FROM document LEFT JOIN part USING (collection, id)"
                 " WHERE collection = ?1 AND id = ?2 ORDER BY n",
    [ST_INSERT_PART] = "INSERT INTO part (collection, id, n, bytes) VALUES (?1, ?2, ?3, ?4)",
    [ST_DELETE_PARTS] = "DELETE FROM part WHERE collection = ?1 AND id = ?2",
};

struct sqlite_docs {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
};

struct sqlite_docs *sqlite_docs_open(const char *path, int busy_ms, struct err *e) {
    struct sqlite_docs *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        err_set(e, ERR_STORE_ERROR, "%s: out of memory", path);
        return NULL;
    }
    if (sqlite_db_open(&d->db, path, busy_ms, e) < 0)
        goto fail;
    for (size_t i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3(d->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &d->statements[i],
                               NULL) != SQLITE_OK) {
            (void)sqlite_db_err(d->db, e);
            goto fail;
        }
    return d;
fail:
    sqlite_docs_close(d);
    return NULL;
}

void sqlite_docs_close(struct sqlite_docs *d) {
    if (d == NULL)
        return;
    for (size_t i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(d->statements[i]);
    sqlite_db_close(d->db);
    free(d);
}

/* --- statements ------------------------------------------------------------------------------ */

/* What is bound is only borrowed: finish() forgets it. */
static void bind_text(sqlite3_stmt *st, int i, const char *s) {
    sqlite3_bind_text64(st, i, s, strlen(s), SQLITE_STATIC, SQLITE_UTF8);
}

static sqlite3_stmt *about(struct sqlite_docs *d, enum statement s,
                           const struct store_request *rq) {
    bind_text(d->statements[s], 1, rq->collection);
    bind_text(d->statements[s], 2, rq->id);
    return d->statements[s];
}

/* 1: there is a row; 0: there is none; -1: it failed. */
static int step(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e) {
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sqlite_db_err(d->db, e);
}

static void finish(sqlite3_stmt *st) {
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
}

/* A statement that gives no rows, from start to end. */
static int run(struct sqlite_docs *d, sqlite3_stmt *st, struct err *e) {
    int rc = step(d, st, e);

    finish(st);
    return rc;
}

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

/* --- reading --------------------------------------------------------------------------------- */

static void read_version(sqlite3_stmt *st, int column, char version[STORE_VERSION_SIZE]) {
    sqlite3_snprintf(STORE_VERSION_SIZE, version, "%lld", sqlite3_column_int64(st, column));
}

/* The document in two columns of a row: version, body. */
static int read_document(sqlite3_stmt *st, int column, const struct store_request *rq,
                         const char *id, char version[STORE_VERSION_SIZE], json_t **fields,
                         struct err *e) {
    const char *body = (const char *)sqlite3_column_text(st, column + 1);

    if (body == NULL)
        return out_of_memory(e);
    read_version(st, column, version);
    *fields = json_loadb(body, (size_t)sqlite3_column_bytes(st, column + 1), JSON_READ, NULL);
    if (json_is_object(*fields))
        return 0;
    json_decref(*fields);
    *fields = NULL;
    return err_set(e, ERR_STORE_ERROR,
                   "the stored document %s/%s is not a JSON object; repair or delete it",
                   rq->collection, id);
}

/* 1: there is the document; 0: there is none; -1. */
static int load(struct sqlite_docs *d, const struct store_request *rq,
                char version[STORE_VERSION_SIZE], json_t **fields, struct err *e) {
    sqlite3_stmt *st = about(d, ST_GET, rq);
    int rc = step(d, st, e);

    if (rc > 0 && read_document(st, 0, rq, rq->id, version, fields, e) < 0)
        rc = -1;
    finish(st);
    return rc;
}

/* The first document of the next page: created_at, NUL, id. */
static char *token_make(const char *created_at, const char *id) {
    struct buf place, token;
    char *text = NULL;

    buf_init(&place, TOKEN_MAX);
    buf_init(&token, 2 * TOKEN_MAX);
    buf_add(&place, created_at, strlen(created_at) + 1);
    buf_adds(&place, id);
    if (!buf_failed(&place)) {
        encode_base64url(&token, place.data, place.len);
        text = buf_take(&token, NULL);
    }
    buf_free(&place);
    buf_free(&token);
    return text;
}

/* created_at is left at the start of *place, which the caller frees; the id, in it too, is
 * returned. */
static const char *token_read(struct buf *place, const char *token, struct err *e) {
    const char *nul = NULL;

    if (encode_base64_decode(place, token, strlen(token), NULL) == 0 && !buf_failed(place))
        nul = memchr(place->data, '\0', place->len);
    if (nul != NULL && nul[1] != '\0' && nul + 1 + strlen(nul + 1) == place->data + place->len)
        return nul + 1;
    err_set_field(e, ERR_INVALID_FIELD, "page_token",
                  "page_token: this is not a token that a listing gave");
    return NULL;
}

/* The row becomes the next document of the page. */
static int take_row(sqlite3_stmt *st, const struct store_request *rq, struct store_reply *r) {
    struct store_doc *doc = &r->docs[r->ndocs];
    const char *id = (const char *)sqlite3_column_text(st, 0);

    if (id == NULL || (doc->id = strdup(id)) == NULL)
        return out_of_memory(&r->err);
    r->ndocs++;
    return read_document(st, 1, rq, id, doc->version, &doc->fields, &r->err);
}

/* One row more than fits tells that there is another page, and where it begins. */
static int take_page(struct sqlite_docs *d, sqlite3_stmt *st, const struct store_request *rq,
                     struct store_reply *r) {
    size_t bytes = 0;
    int rc;

    if ((r->docs = calloc(rq->limit, sizeof(*r->docs))) == NULL)
        return out_of_memory(&r->err);
    while ((rc = step(d, st, &r->err)) > 0 && r->ndocs < rq->limit && bytes < PAGE_BYTES_MAX) {
        if (take_row(st, rq, r) < 0)
            return -1;
        bytes += (size_t)sqlite3_column_bytes(st, 2);
    }
    if (rc <= 0)
        return rc;
    r->next_page_token = token_make((const char *)sqlite3_column_text(st, 3),
                                    (const char *)sqlite3_column_text(st, 0));
    return r->next_page_token == NULL ? out_of_memory(&r->err) : 0;
}

/* In the form of created_at, without the zeros that do not count: what was created at that very
 * moment must not sort before it. */
static void bind_before(sqlite3_stmt *st, const char *before) {
    size_t n = strlen(before);

    while (n > 0 && strchr("Z0", before[n - 1]) != NULL)
        n--;
    n -= n > 0 && before[n - 1] == '.';
    sqlite3_bind_text64(st, 2, before, n, SQLITE_STATIC, SQLITE_UTF8);
    bind_text(st, 3, "");
}

static int query(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    sqlite3_stmt *st = d->statements[rq->status == NULL ? ST_NEWEST : ST_NEWEST_BY_STATUS];
    struct buf place;
    const char *id;
    int rc = -1;

    buf_init(&place, TOKEN_MAX);
    if (rq->page_token != NULL) {
        if ((id = token_read(&place, rq->page_token, &r->err)) == NULL)
            goto out;
        bind_text(st, 2, place.data);
        bind_text(st, 3, id);
    } else if (rq->before != NULL) {
        bind_before(st, rq->before);
    } else {
        sqlite3_bind_zeroblob(st, 2, 0); /* in SQLite's order a blob comes after every text */
    }
    bind_text(st, 1, rq->collection);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)rq->limit + 1);
    if (rq->status != NULL)
        bind_text(st, 5, rq->status);
    rc = take_page(d, st, rq, r);
    finish(st);
out:
    buf_free(&place);
    return rc;
}

/* A row of the join: a part, or NULL for a document without any. */
static int take_part(sqlite3_stmt *st, struct store_reply *r) {
    struct blob **more;

    if (sqlite3_column_type(st, 0) == SQLITE_NULL)
        return 0;
    more = reallocarray(r->parts, r->nparts + 1, sizeof(struct blob *));
    if (more == NULL)
        return out_of_memory(&r->err);
    r->parts = more;
    more[r->nparts] = blob_copy(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
    if (more[r->nparts] == NULL)
        return out_of_memory(&r->err);
    r->nparts++;
    return 0;
}

static int parts(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    sqlite3_stmt *st = about(d, ST_PARTS, rq);
    int rc;

    while ((rc = step(d, st, &r->err)) > 0) {
        r->found = true;
        if ((rc = take_part(st, r)) < 0)
            break;
    }
    finish(st);
    return rc;
}

void sqlite_docs_read(struct sqlite_docs *d, const struct store_request *rq,
                      struct store_reply *r) {
    if (rq->verb == STORE_GET)
        r->found = load(d, rq, r->version, &r->fields, &r->err) > 0;
    else if (rq->verb == STORE_QUERY)
        (void)query(d, rq, r);
    else
        (void)parts(d, rq, r);
}

/* --- writing --------------------------------------------------------------------------------- */

/* INSERT or UPDATE of a whole document, under a version that no document ever had. */
static int put(struct sqlite_docs *d, enum statement s, const struct store_request *rq,
               const char *body, struct store_reply *r) {
    sqlite3_stmt *next = d->statements[ST_NEXT_VERSION];
    sqlite3_int64 version;
    sqlite3_stmt *st;

    if (step(d, next, &r->err) <= 0) {
        finish(next);
        return -1;
    }
    version = sqlite3_column_int64(next, 0);
    finish(next);
    st = about(d, s, rq);
    sqlite3_bind_int64(st, 3, version);
    bind_text(st, 4, body);
    sqlite3_snprintf(STORE_VERSION_SIZE, r->version, "%lld", version);
    return run(d, st, &r->err);
}

static int put_tree(struct sqlite_docs *d, const struct store_request *rq, const json_t *fields,
                    struct store_reply *r) {
    char *body = json_dumps(fields, JSON_WRITE);
    int rc = body == NULL ? out_of_memory(&r->err) : put(d, ST_UPDATE, rq, body, r);

    free(body);
    return rc;
}

static int put_parts(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    for (size_t i = 0; i < rq->nparts; i++) {
        sqlite3_stmt *st = about(d, ST_INSERT_PART, rq);
        const struct blob *part = rq->parts[i];

        sqlite3_bind_int64(st, 3, (sqlite3_int64)i);
        sqlite3_bind_blob64(st, 4, part->len > 0 ? part->data : "", part->len, SQLITE_STATIC);
        if (run(d, st, &r->err) < 0)
            return -1;
    }
    return 0;
}

/* Is there the document, and in which version: 1, 0, -1. */
static int look(struct sqlite_docs *d, const struct store_request *rq,
                char version[STORE_VERSION_SIZE], struct err *e) {
    sqlite3_stmt *st = about(d, ST_GET, rq);
    int rc = step(d, st, e);

    if (rc > 0)
        read_version(st, 0, version);
    finish(st);
    return rc;
}

static int check_version(const struct store_request *rq, const char *version, struct err *e) {
    if (rq->version == NULL || strcmp(rq->version, version) == 0)
        return 0;
    return err_set(e, ERR_CONFLICT, "%s/%s was changed by someone else meanwhile", rq->collection,
                   rq->id);
}

static int create(struct sqlite_docs *d, const struct store_request *rq, const char *fields,
                  struct store_reply *r) {
    int rc = look(d, rq, r->version, &r->err);

    if (rc > 0)
        return err_set(&r->err, ERR_ALREADY_EXISTS, "there is a document %s/%s already",
                       rq->collection, rq->id);
    if (rc < 0 || put(d, ST_INSERT, rq, fields, r) < 0)
        return -1;
    return put_parts(d, rq, r);
}

static int merge(json_t *document, const struct store_request *rq, const char *fields,
                 struct err *e) {
    json_t *members = json_loads(fields, JSON_READ, NULL);
    int rc = json_object_update(document, members);

    json_decref(members);
    if (rc < 0)
        return out_of_memory(e);
    for (size_t i = 0; i < rq->nremove; i++)
        (void)json_object_del(document, rq->remove[i]);
    return 0;
}

static int update(struct sqlite_docs *d, const struct store_request *rq, const char *fields,
                  struct store_reply *r) {
    json_t *document = NULL;
    int rc = load(d, rq, r->version, &document, &r->err);

    r->found = rc > 0;
    if (!r->found)
        return rc;
    rc = -1;
    if (check_version(rq, r->version, &r->err) < 0 || merge(document, rq, fields, &r->err) < 0 ||
        put_tree(d, rq, document, r) < 0)
        goto out;
    if (rq->set_parts &&
        (run(d, about(d, ST_DELETE_PARTS, rq), &r->err) < 0 || put_parts(d, rq, r) < 0))
        goto out;
    rc = 0;
out:
    json_decref(document);
    return rc;
}

static int erase(struct sqlite_docs *d, const struct store_request *rq, struct store_reply *r) {
    int rc = look(d, rq, r->version, &r->err);

    if (rc <= 0)
        return rc;
    if (check_version(rq, r->version, &r->err) < 0)
        return -1;
    return run(d, about(d, ST_DELETE, rq), &r->err); /* its parts go with it */
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

static int increment(struct sqlite_docs *d, const struct store_request *rq, const char *fields,
                     struct store_reply *r) {
    json_t *document = NULL;
    int rc = load(d, rq, r->version, &document, &r->err);

    r->found = rc > 0;
    if (!r->found)
        return rc;
    rc = count(document, rq) < 0 ? out_of_memory(&r->err) : merge(document, rq, fields, &r->err);
    if (rc == 0)
        rc = put_tree(d, rq, document, r);
    json_decref(document);
    return rc;
}

static int apply(struct sqlite_docs *d, const struct store_request *rq, const char *fields,
                 struct store_reply *r) {
    switch (rq->verb) {
    case STORE_CREATE:
        return create(d, rq, fields, r);
    case STORE_UPDATE:
        return update(d, rq, fields, r);
    case STORE_DELETE:
        return erase(d, rq, r);
    default:
        return increment(d, rq, fields, r);
    }
}

int sqlite_docs_begin(struct sqlite_docs *d, struct err *e) {
    return run(d, d->statements[ST_BEGIN], e);
}

int sqlite_docs_write(struct sqlite_docs *d, const struct store_request *rq, const char *fields,
                      struct store_reply *r) {
    if (run(d, d->statements[ST_SAVEPOINT], &r->err) < 0)
        goto fail;
    if (apply(d, rq, fields, r) < 0 &&
        (!sqlite_db_in_transaction(d->db) || run(d, d->statements[ST_UNDO], &r->err) < 0))
        goto fail; /* SQLite gave up the whole transaction */
    if (run(d, d->statements[ST_RELEASE], &r->err) < 0)
        goto fail;
    return 0;
fail:
    sqlite_db_rollback(d->db);
    return -1;
}

int sqlite_docs_commit(struct sqlite_docs *d, struct err *e) {
    if (run(d, d->statements[ST_COMMIT], e) == 0)
        return 0;
    sqlite_db_rollback(d->db);
    return -1;
}
