#include "sqlite_lists.h"

#include <stdlib.h>

static sqlite3_stmt *about(struct sqlite_docs *d, enum sqlite_statement s,
                           const struct store_request *rq, const char *member, const char *text) {
    sqlite3_stmt *st = sqlite_statement_about(d, s, rq);

    sqlite_statement_bind(st, 3, member);
    sqlite_statement_bind(st, 4, text);
    return st;
}

/* At the end: once, or (`again`) even if there is an equal one. */
static int add(struct sqlite_docs *d, const struct store_request *rq, const char *member,
               const json_t *value, bool again, struct err *e) {
    /* What is equal has one text. */
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    sqlite3_stmt *st;
    int rc = 0;

    if (text == NULL)
        return sqlite_statement_no_memory(e);
    if (!again)
        rc = sqlite_statement_run(d, about(d, ST_HAS_ELEMENT, rq, member, text), e);
    if (rc == 0) {
        st = about(d, ST_ADD_ELEMENT, rq, member, text);
        sqlite3_bind_int64(st, 5, ++d->last);
        rc = sqlite_statement_run(d, st, e);
    }
    free(text);
    return rc < 0 ? -1 : 0;
}

int sqlite_lists_append(struct sqlite_docs *d, const struct store_request *rq, json_t *body,
                        const json_t *values, struct err *e) {
    const char *member;
    json_t *value, *element;
    size_t i;

    json_object_foreach((json_t *)values, member, value) {
        json_array_foreach(json_object_get(body, member), i, element) {
            if (add(d, rq, member, element, true, e) < 0)
                return -1;
        }
        (void)json_object_del(body, member);
        if (add(d, rq, member, value, false, e) < 0)
            return -1;
    }
    return 0;
}

int sqlite_lists_drop(struct sqlite_docs *d, const struct store_request *rq, const char *member,
                      struct err *e) {
    sqlite3_stmt *st = sqlite_statement_about(d, ST_DELETE_ELEMENTS, rq);

    sqlite_statement_bind(st, 3, member);
    return sqlite_statement_run(d, st, e);
}
