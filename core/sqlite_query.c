#include "sqlite_query.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define PAGE_BYTES_MAX MIB /* of documents in a listing: 20 ms of parsing, on the loop */

/* The statement of three that asks for what the request asks for. */
static sqlite3_stmt *choose(struct sqlite_docs *d, const struct store_request *rq,
                            enum sqlite_statement all, enum sqlite_statement by_status,
                            enum sqlite_statement by_waiting) {
    if (rq->where == NULL)
        return sqlite_statement(d, all);
    return sqlite_statement(d, strcmp(rq->where, "status") == 0 ? by_status : by_waiting);
}

/* created_at, NUL, id */
char *sqlite_query_token(const char *created_at, const char *id) {
    struct buf place, token;
    char *text = NULL;

    buf_init(&place, SQLITE_QUERY_TOKEN_MAX);
    buf_init(&token, 2 * SQLITE_QUERY_TOKEN_MAX);
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

const char *sqlite_query_token_read(struct buf *place, const char *token, struct err *e) {
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
        return sqlite_statement_no_memory(&r->err);
    r->ndocs++;
    return sqlite_statement_document(st, 1, rq, id, doc->version, &doc->fields, &r->err);
}

/* One row more than fits tells that there is another page, and where it begins. */
static int take_page(struct sqlite_docs *d, sqlite3_stmt *st, const struct store_request *rq,
                     struct store_reply *r) {
    size_t bytes = 0;
    int rc;

    if ((r->docs = calloc(rq->limit, sizeof(*r->docs))) == NULL)
        return sqlite_statement_no_memory(&r->err);
    while ((rc = sqlite_statement_step(d, st, &r->err)) > 0 && r->ndocs < rq->limit &&
           bytes < PAGE_BYTES_MAX) {
        if (take_row(st, rq, r) < 0)
            return -1;
        bytes += (size_t)sqlite3_column_bytes(st, 2) + (size_t)sqlite3_column_bytes(st, 3);
    }
    if (rc <= 0)
        return rc;
    r->next_page_token = sqlite_query_token((const char *)sqlite3_column_text(st, 4),
                                            (const char *)sqlite3_column_text(st, 0));
    return r->next_page_token == NULL ? sqlite_statement_no_memory(&r->err) : 0;
}

/* In the form of created_at, without the zeros that do not count: what was created at that very
 * moment must not sort before it. */
static void bind_before(sqlite3_stmt *st, const char *before) {
    size_t n = strlen(before);

    while (n > 0 && strchr("Z0", before[n - 1]) != NULL)
        n--;
    n -= n > 0 && before[n - 1] == '.';
    sqlite3_bind_text64(st, 2, before, n, SQLITE_STATIC, SQLITE_UTF8);
    sqlite_statement_bind(st, 3, "");
}

int sqlite_query_page(struct sqlite_docs *d, const struct store_request *rq,
                      struct store_reply *r) {
    sqlite3_stmt *st = choose(d, rq, ST_NEWEST, ST_NEWEST_BY_STATUS, ST_NEWEST_BY_WAITING);
    struct buf place;
    const char *id;
    int rc = -1;

    buf_init(&place, SQLITE_QUERY_TOKEN_MAX);
    if (rq->page_token != NULL) {
        if ((id = sqlite_query_token_read(&place, rq->page_token, &r->err)) == NULL)
            goto out;
        sqlite_statement_bind(st, 2, place.data);
        sqlite_statement_bind(st, 3, id);
    } else if (rq->before != NULL) {
        bind_before(st, rq->before);
    } else {
        sqlite3_bind_zeroblob(st, 2, 0); /* in SQLite's order a blob comes after every text */
    }
    sqlite_statement_bind(st, 1, rq->collection);
    sqlite3_bind_int64(st, 4, (sqlite3_int64)rq->limit + 1);
    if (rq->where != NULL)
        sqlite_statement_bind(st, 5, rq->is);
    rc = take_page(d, st, rq, r);
    sqlite_statement_finish(st);
out:
    buf_free(&place);
    return rc;
}

int sqlite_query_count(struct sqlite_docs *d, const struct store_request *rq,
                       struct store_reply *r) {
    sqlite3_stmt *st = choose(d, rq, ST_COUNT, ST_COUNT_BY_STATUS, ST_COUNT_BY_WAITING);
    int rc;

    sqlite_statement_bind(st, 1, rq->collection);
    sqlite3_bind_int64(st, 2, (sqlite3_int64)rq->limit + 1);
    if (rq->where != NULL)
        sqlite_statement_bind(st, 3, rq->is);
    rc = sqlite_statement_step(d, st, &r->err);
    r->count = rc > 0 ? (unsigned)sqlite3_column_int64(st, 0) : 0;
    sqlite_statement_finish(st);
    return rc;
}
