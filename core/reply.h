/*
 * reply.h - answers: from what a handler returned, or from an err.
 */
#ifndef REPLY_H
#define REPLY_H

#include <lua.h>

#include "base.h"
#include "blob.h"
#include "buf.h"
#include "err.h"
#include "http.h"

#define REPLY_HEADERS_MAX  16        /* of a handler */
#define REPLY_ADDED_MAX    8         /* by reply_finish() */
#define REPLY_HEADER_BYTES (2 * KIB) /* of them all */

/* All that a caller learns of a script that failed. */
#define REPLY_POLICY_ERROR "a policy script failed; the log says where, under this request's id"

struct reply {
    int status;
    struct blob *body; /* owned; NULL: empty */
    struct buf text;   /* of JSON, while it is written: here it outlives an error of Lua */
    struct http_header headers[REPLY_HEADERS_MAX + REPLY_ADDED_MAX];
    size_t nheaders;
    size_t header_bytes;                /* of those that were added */
    char *texts[2 * REPLY_HEADERS_MAX]; /* owned copies of names and values */
    size_t ntexts;
    struct err err; /* code ERR_NONE: a handler's answer */
};

void reply_init(struct reply *r);
void reply_fini(struct reply *r);

/* Add a header (copied).  -1 if there is no room, or a character in it that may not be there. */
int reply_header(struct reply *r, const char *name, const char *value);

/* The answer to an err: {"status":"error", "code", "error", "field", "request_id"}, and further
 * members from `details`, the text of a JSON object (NULL: none). */
void reply_error(struct reply *r, const struct err *e, const char *request_id, const char *details);

/*
 * The answer a handler returned: nres values at the top of co, `reply` or `nil, err`.  Something
 * that is neither becomes a policy_error, with the reason in *why (text for the log, or "").
 */
void reply_from_lua(struct reply *r, lua_State *co, int nres, const char *request_id, char *why,
                    size_t size);

/* The answer to an error that a handler raised; an error table raised by assert() counts as
 * returned.  True if it was one. */
bool reply_from_raised(struct reply *r, lua_State *co, const char *request_id);

/*
 * Add what every answer carries, just before it is sent: X-Request-Id (not copied), and what keeps
 * browsers from guessing, framing, embedding and storing it; Strict-Transport-Security only if the
 * request came to the proxy in front by https.  A header that the handler gave itself stays as it
 * is.
 */
void reply_finish(struct reply *r, const char *request_id, const struct http_request *http);

#endif
