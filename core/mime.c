/*
 * mime.c - building a message.
 *
 * Attachments are always base64.  RFC 2046 §5.2.1 forbids that for message/rfc822 and its kin, and
 * a multipart one would have to be taken apart; such a part goes out as application/octet-stream
 * under its file name, byte for byte.
 *
 * Every boundary has "=_" in it, which neither quoted-printable nor base64 ever writes, so no
 * content can end a part.
 */
#include "mime.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "clock.h"
#include "encode.h"
#include "mime_rules.h"

#define VALUE_SIZE 256
#define WIDEST     16                /* bytes that one byte of a text can become */
#define HEAD_MAX   ((size_t)4 * KIB) /* of the message or a part, but for the texts in it */

/* ---- content types (RFC 2045 §5.1) ---- */

static size_t token_length(const char *s) {
    size_t n = 0;

    while (s[n] > ' ' && s[n] <= '~' && strchr("()<>@,;:\\\"/[]?=", s[n]) == NULL)
        n++;
    return n;
}

/* The value of a parameter, a token or quoted string; returns what follows it, or NULL. */
static const char *read_value(const char *s, char value[VALUE_SIZE]) {
    size_t n = token_length(s);

    if (*s != '"') {
        if (n == 0 || n >= VALUE_SIZE)
            return NULL;
        memcpy(value, s, n);
        value[n] = '\0';
        return s + n;
    }
    for (n = 0, s++; *s != '"'; s++) {
        if (*s == '\\')
            s++;
        if (*s < ' ' || *s > '~' || n + 1 == VALUE_SIZE)
            return NULL;
        value[n++] = *s;
    }
    value[n] = '\0';
    return s + 1;
}

/* "; name=value"; returns what follows it, or NULL. */
static const char *read_parameter(const char *s, char name[VALUE_SIZE], char value[VALUE_SIZE]) {
    size_t n;

    if (*s != ';')
        return NULL;
    s += 1 + strspn(s + 1, " ");
    n = token_length(s);
    if (n == 0 || n >= VALUE_SIZE || s[n] != '=' || memchr(s, '*', n) != NULL)
        return NULL;
    memcpy(name, s, n);
    name[n] = '\0';
    s = read_value(s + n + 1, value);
    return s != NULL ? s + strspn(s, " ") : NULL;
}

static bool has_filename(const struct mime_part *p) {
    return p->filename != NULL && p->filename[0] != '\0';
}

static bool is_composite(const char *type) {
    return strncasecmp(type, "message/", 8) == 0 || strncasecmp(type, "multipart/", 10) == 0;
}

/* Content-Type with the part's own parameters and its file name. */
static int add_content_type(struct buf *out, const struct mime_part *p, const char *field,
                            struct err *e) {
    const char *type = p->content_type != NULL ? p->content_type : "application/octet-stream";
    size_t major = token_length(type),
           minor = type[major] == '/' ? token_length(type + major + 1) : 0;
    const char *rest = type + major + 1 + minor, *next;
    char name[VALUE_SIZE], value[VALUE_SIZE];
    size_t start = out->len, col;

    if (major == 0 || minor == 0 || major + minor >= VALUE_SIZE)
        goto fail;
    buf_adds(out, "Content-Type: ");
    if (is_composite(type))
        buf_adds(out, "application/octet-stream");
    else
        buf_add(out, type, major + 1 + minor);
    col = out->len - start;
    for (rest += strspn(rest, " "); *rest != '\0'; rest = next) {
        next = read_parameter(rest, name, value);
        if (next == NULL)
            goto fail;
        if (!is_composite(type) && (!has_filename(p) || strcasecmp(name, "name") != 0))
            encode_parameter(out, &col, name, value);
    }
    if (has_filename(p))
        encode_parameter(out, &col, "name", p->filename);
    buf_adds(out, "\r\n");
    return 0;
fail:
    return err_set_field(e, ERR_INVALID_FIELD, field,
                         "%s: this is not a content type such as image/png", field);
}

/* ---- parts ---- */

/* Where the next line of s ends that has only a LF, from `at` on; n: there is none. */
static size_t find_bare_lf(const char *s, size_t at, size_t n) {
    const char *lf;

    for (; at < n && (lf = memchr(s + at, '\n', n - at)) != NULL; at++) {
        at = (size_t)(lf - s);
        if (at == 0 || s[at - 1] != '\r')
            return at;
    }
    return n;
}

/* Lines must end in CRLF before they become base64 (RFC 2045 §6.8). */
static size_t crlf_size(const char *s, size_t n) {
    size_t size = n;

    for (size_t at = find_bare_lf(s, 0, n); at < n; at = find_bare_lf(s, at + 1, n))
        size++;
    return size;
}

static void add_crlf(struct buf *out, const char *s, size_t n) {
    for (size_t from = 0, at; from < n; from = at + 1) {
        at = find_bare_lf(s, from, n);
        buf_add(out, s + from, at - from);
        if (at < n)
            buf_adds(out, "\r\n");
    }
}

static int add_base64_text(struct buf *out, const char *s, size_t n, struct err *e) {
    struct buf lines;
    bool failed;

    buf_adds(out, "Content-Transfer-Encoding: base64\r\n\r\n");
    buf_init(&lines, 2 * n);
    add_crlf(&lines, s, n);
    encode_base64_lines(out, lines.data, lines.len);
    failed = buf_failed(&lines);
    buf_free(&lines);
    if (failed)
        return err_set(e, ERR_INTERNAL_ERROR, "no memory left for the message");
    return 0;
}

static int add_text(struct buf *out, const char *subtype, const char *s, size_t n, struct err *e) {
    size_t size = encode_quoted_printable_size(s, n);

    buf_join(out, "Content-Type: text/", subtype, "; charset=utf-8\r\n");
    if (size > encode_base64_lines_size(crlf_size(s, n)))
        return add_base64_text(out, s, n, e);
    buf_adds(out, "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    encode_quoted_printable(out, s, n, size);
    return 0;
}

/* All that stands before the content. */
static int add_part_head(struct buf *out, const struct mime_message *m, size_t i, struct err *e) {
    const struct mime_part *p = &m->parts[i];
    char field[64];
    size_t col;

    snprintf(field, sizeof(field), "attachments[%zu].filename", i);
    if (has_filename(p) && mime_check_line(p->filename, field, e) != 0)
        return -1;
    snprintf(field, sizeof(field), "attachments[%zu].content_id", i);
    if (p->content_id != NULL && !mime_is_id(p->content_id, strlen(p->content_id)))
        return err_set_field(e, ERR_INVALID_FIELD, field,
                             "%s: a content id has no spaces, no <> and only ASCII", field);
    snprintf(field, sizeof(field), "attachments[%zu].content_type", i);
    if (add_content_type(out, p, field, e) != 0)
        return -1;
    buf_adds(out, "Content-Transfer-Encoding: base64\r\n");
    if (p->content_id != NULL)
        buf_join(out, "Content-ID: <", p->content_id, ">\r\n");
    col = out->len;
    buf_join(out, "Content-Disposition: ", p->content_id != NULL ? "inline" : "attachment");
    col = out->len - col;
    if (has_filename(p))
        encode_parameter(out, &col, "filename", p->filename);
    buf_adds(out, "\r\n\r\n");
    return 0;
}

static int add_part(struct buf *out, const struct mime_message *m, size_t i, struct err *e) {
    if (add_part_head(out, m, i, e) != 0)
        return -1;
    encode_base64_lines(out, m->parts[i].data, m->parts[i].len);
    return 0;
}

/* ---- structure ---- */

/* From here to end_multipart(): next_part() before each part. */
struct multipart {
    char boundary[48];
};

static struct multipart begin_multipart(struct buf *out, const struct mime_message *m,
                                        const char *subtype, const char *root_type) {
    struct multipart mp;
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    size_t col = out->len, at;
    char *digits;

    for (const char *s = m->seed; *s != '\0'; s++)
        hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
    digits = stpcpy(stpcpy(stpcpy(mp.boundary, "=_"), subtype), "_");
    for (at = 16; at-- > 0; hash >>= 4)
        digits[at] = "0123456789abcdef"[hash & 15];
    digits[16] = '\0';
    buf_join(out, "Content-Type: multipart/", subtype);
    col = out->len - col;
    encode_parameter(out, &col, "boundary", mp.boundary);
    if (root_type != NULL)
        encode_parameter(out, &col, "type", root_type);
    buf_adds(out, "\r\n");
    return mp;
}

static void next_part(struct buf *out, const struct multipart *mp) {
    buf_join(out, "\r\n--", mp->boundary, "\r\n");
}

static void end_multipart(struct buf *out, const struct multipart *mp) {
    buf_join(out, "\r\n--", mp->boundary, "--\r\n");
}

/* A message without a body is an empty text. */
static int add_alternative(struct buf *out, const struct mime_message *m, struct err *e) {
    struct multipart mp;

    if (m->html == NULL)
        return add_text(out, "plain", m->text != NULL ? m->text : "", m->text_len, e);
    if (m->text == NULL)
        return add_text(out, "html", m->html, m->html_len, e);
    mp = begin_multipart(out, m, "alternative", NULL);
    next_part(out, &mp);
    if (add_text(out, "plain", m->text, m->text_len, e) != 0)
        return -1;
    next_part(out, &mp);
    if (add_text(out, "html", m->html, m->html_len, e) != 0)
        return -1;
    end_multipart(out, &mp);
    return 0;
}

/* Only HTML can refer to a part; without it all of them are attached. */
static bool is_related(const struct mime_message *m, size_t i) {
    return m->html != NULL && m->parts[i].content_id != NULL;
}

static size_t count_related(const struct mime_message *m) {
    size_t count = 0;

    for (size_t i = 0; i < m->nparts; i++)
        count += is_related(m, i);
    return count;
}

static int add_parts(struct buf *out, const struct mime_message *m, const struct multipart *mp,
                     bool related, struct err *e) {
    for (size_t i = 0; i < m->nparts; i++) {
        if (is_related(m, i) != related)
            continue;
        next_part(out, mp);
        if (add_part(out, m, i, e) != 0)
            return -1;
    }
    return 0;
}

static int add_related(struct buf *out, const struct mime_message *m, struct err *e) {
    struct multipart mp;

    if (count_related(m) == 0)
        return add_alternative(out, m, e);
    mp =
        begin_multipart(out, m, "related", m->text != NULL ? "multipart/alternative" : "text/html");
    next_part(out, &mp);
    if (add_alternative(out, m, e) != 0 || add_parts(out, m, &mp, true, e) != 0)
        return -1;
    end_multipart(out, &mp);
    return 0;
}

static int add_mixed(struct buf *out, const struct mime_message *m, struct err *e) {
    struct multipart mp;

    if (count_related(m) == m->nparts)
        return add_related(out, m, e);
    mp = begin_multipart(out, m, "mixed", NULL);
    next_part(out, &mp);
    if (add_related(out, m, e) != 0 || add_parts(out, m, &mp, false, e) != 0)
        return -1;
    end_multipart(out, &mp);
    return 0;
}

/* ---- the message ---- */

/* RFC 5322 §3.3, whatever the locale. */
static void add_date(struct buf *out, int64_t seconds) {
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    int64_t weekday = (seconds / 86400 + 4) % 7; /* 1970 began on a Thursday */
    char utc[CLOCK_TEXT_SIZE];                   /* 2026-03-01T09:30:00.000000Z */
    int month;

    clock_format(utc, seconds * 1000000);
    month = 10 * (utc[5] - '0') + utc[6] - '0';
    buf_adds(out, "Date: ");
    buf_add(out, days + 3 * weekday, 3);
    buf_adds(out, ", ");
    buf_add(out, utc + 8, 2);
    buf_addc(out, ' ');
    buf_add(out, months + 3 * (month - 1), 3);
    buf_addc(out, ' ');
    buf_add(out, utc, 4);
    buf_addc(out, ' ');
    buf_add(out, utc + 11, 8);
    buf_adds(out, " +0000\r\n");
}

/* "Name: <id> <id>\r\n", folded. */
static void add_references(struct buf *out, const char *name, const char *ids) {
    char token[MIME_TOKEN_SIZE];
    size_t col = strlen(name) + 1;

    buf_join(out, name, ":");
    while (mime_next_reference(&ids, token) != NULL)
        encode_token(out, &col, "", token, "");
    buf_adds(out, "\r\n");
}

static void add_id(struct buf *out, const char *name, const char *id) {
    size_t col = strlen(name) + 1;

    buf_join(out, name, ":");
    encode_token(out, &col, "<", id, ">");
    buf_adds(out, "\r\n");
}

static void add_header(struct buf *out, const struct mime_message *m) {
    address_header(out, "From", &m->from);
    address_header(out, "To", &m->to);
    address_header(out, "Cc", &m->cc);
    address_header(out, "Bcc", &m->bcc);
    address_header(out, "Reply-To", &m->reply_to);
    encode_header(out, "Subject", m->subject);
    if (m->in_reply_to != NULL)
        add_id(out, "In-Reply-To", m->in_reply_to);
    if (m->references != NULL)
        add_references(out, "References", m->references);
    else if (m->in_reply_to != NULL)
        add_id(out, "References", m->in_reply_to);
    if (m->paraph_id != NULL)
        encode_header(out, "X-Paraph-Id", m->paraph_id);
    buf_adds(out, "MIME-Version: 1.0\r\n");
}

/* Room for the whole message at once, so that its megabytes are written in place. */
static void reserve(struct buf *out, const struct mime_message *m) {
    size_t size = 2 * KIB + 2 * (m->text_len + m->html_len), room = out->max - out->len;

    for (size_t i = 0; i < m->nparts; i++)
        size += KIB + encode_base64_lines_size(m->parts[i].len);
    (void)buf_reserve(out, size < room ? size : room);
}

int mime_build(struct buf *out, const struct mime_message *m, size_t *stable, struct err *e) {
    if (mime_check_message(m, e) != 0)
        return -1;
    reserve(out, m);
    if (m->date >= 0)
        add_date(out, m->date);
    if (m->message_id != NULL)
        add_id(out, "Message-ID", m->message_id);
    *stable = out->len;
    add_header(out, m);
    if (add_mixed(out, m, e) != 0)
        return -1;
    if (out->len < 2 || memcmp(out->data + out->len - 2, "\r\n", 2) != 0)
        buf_adds(out, "\r\n");
    if (buf_failed(out))
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the message is longer than %zu bytes", out->max);
    return 0;
}

/* ---- without building it ---- */

static size_t bytes_of(const struct address_list *list) {
    size_t bytes = 0;

    for (size_t i = 0; i < list->n; i++)
        bytes += strlen(list->v[i].name) + strlen(list->v[i].spec);
    return bytes;
}

static size_t length_of(const char *s) {
    return s != NULL ? strlen(s) : 0;
}

/* More than it can be without the heads of its parts: no encoding of a text makes more than WIDEST
 * bytes of one, folding included. */
static size_t most_bytes(const struct mime_message *m) {
    size_t texts = m->text_len + m->html_len + strlen(m->subject) + length_of(m->message_id) +
                   length_of(m->in_reply_to) + length_of(m->references) + length_of(m->paraph_id) +
                   bytes_of(&m->from) + bytes_of(&m->to) + bytes_of(&m->cc) + bytes_of(&m->bcc) +
                   bytes_of(&m->reply_to);
    size_t rest = HEAD_MAX;

    for (size_t i = 0; i < m->nparts; i++)
        rest += HEAD_MAX + encode_base64_lines_size(m->parts[i].len);
    return rest + WIDEST * texts;
}

/* The heads of the parts, one after the other. */
static int add_heads(struct buf *out, const struct mime_message *m, struct err *e) {
    for (size_t i = 0; i < m->nparts; i++)
        if (add_part_head(out, m, i, e) != 0)
            return -1;
    return 0;
}

int mime_check(const struct mime_message *m, size_t max, struct err *e) {
    struct buf out;
    size_t stable, most;
    int status;

    buf_init(&out, max);
    status = mime_check_message(m, e) != 0 ? -1 : add_heads(&out, m, e);
    most = most_bytes(m) + out.len;
    if (status == 0 && (most > max || buf_failed(&out))) {
        buf_reset(&out);
        status = mime_build(&out, m, &stable, e);
    }
    buf_free(&out);
    return status;
}
