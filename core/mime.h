/*
 * mime.h - an e-mail message as bytes (RFC 5322, 2045-2047, 2231, 2387).
 *
 * mime_build() is deterministic: the same message and seed give the same bytes.  Structure, from
 * the inside out: text and HTML in multipart/alternative (either alone if the other is missing),
 * inline parts around them in multipart/related, the rest in multipart/mixed.
 *
 * The message borrows everything it points to until mime_build() returns.
 */
#ifndef MIME_H
#define MIME_H

#include "address.h"
#include "base.h"
#include "buf.h"
#include "err.h"

struct mime_part {
    const char *filename;     /* UTF-8, or NULL */
    const char *content_type; /* "image/png" or with parameters; NULL: application/octet-stream;
                                 message and multipart types go out as that, too (see mime.c) */
    const char *content_id;   /* without <>; not NULL makes the part inline */
    const char *data;
    size_t len;
};

struct mime_message {
    struct address_list from, to, cc, bcc, reply_to;
    const char *subject;     /* UTF-8, not NULL */
    int64_t date;            /* seconds since 1970, written as UTC; negative: no Date header */
    const char *message_id;  /* without <>; NULL: no Message-ID header */
    const char *in_reply_to; /* without <>; NULL: none; sets References too unless given */
    const char *references;  /* message ids with <>, separated by spaces; NULL: none */
    const char *paraph_id;   /* X-Paraph-Id; NULL: none */
    const char *seed;        /* boundaries are made from it; not NULL */
    const char *text;        /* UTF-8 bodies; NULL: no such part */
    size_t text_len;
    const char *html;
    size_t html_len;
    const struct mime_part *parts;
    size_t nparts;
};

/*
 * Append the message to *out, CRLF line ends.  Date and Message-ID are the first lines, and
 * *stable is set to the offset after them: what follows is what a recipient gets and what an etag
 * is made of.
 *
 * Refused with ERR_INVALID_FIELD and the field's name ("subject", "attachments[0].filename"):
 * control characters (CR, LF, NUL, ...) in any header value, a malformed content type, content id
 * or message id, no sender or more than one, invalid UTF-8, a NUL in a body;
 * ERR_PAYLOAD_TOO_LARGE when *out reaches its ceiling.  *out is then to be thrown away.
 */
int mime_build(struct buf *out, const struct mime_message *m, size_t *stable, struct err *e);

/* What mime_build() would say of it, were *out no longer than `max`; without building it, unless it
 * may be too long. */
int mime_check(const struct mime_message *m, size_t max, struct err *e);

/* Would mime_build() take it as in_reply_to, and in <> as one of the references? */
bool mime_is_message_id(const char *s, size_t n);

#endif
