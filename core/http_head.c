#include "http_head.h"

#include <string.h>
#include <strings.h>

#include "encode.h"

#define ANSWER_ROOM                                                                                \
    (4 * KIB) /* its head, and up to 1 KiB by which the buffer has grown too far                   \
               */

/* --- parts ----------------------------------------------------------------------------------- */

static bool has_control(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)s[i] < 0x20 && s[i] != '\t') || s[i] == 0x7F)
            return true;
    return false;
}

/* White space behind a value is no part of it (RFC 9110 §5.5); libmicrohttpd leaves it. */
static void trim(struct http_head *h) {
    for (size_t i = 0; i < h->nfields; i++) {
        struct http_field *f = &h->fields[i];

        while (f->value_len > 0 && strchr(" \t", f->value[f->value_len - 1]) != NULL)
            f->value[--f->value_len] = '\0';
    }
}

/* How many fields have the name, and the first of them. */
static size_t find(const struct http_head *h, const char *name, const struct http_field **first) {
    size_t found = 0, len = strlen(name);

    *first = NULL;
    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];

        if (f->name_len != len || strcasecmp(f->name, name) != 0)
            continue;
        if (found++ == 0)
            *first = f;
    }
    return found;
}

static bool is_http_1_0(const struct http_head *h) {
    return strcmp(h->version, "HTTP/1.0") == 0;
}

/* --- checks ---------------------------------------------------------------------------------- */

/* How much of the pool is taken: by the head itself, a list of its headers, a copy of its cookies
 * and a list of these. */
static size_t taken(const struct http_head *h) {
    static const size_t entry = 64;
    size_t n = h->size + h->nfields * entry;

    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];

        if (strcasecmp(f->name, "Cookie") != 0)
            continue;
        n += f->value_len + entry;
        for (const char *s = f->value; (s = strchr(s, ';')) != NULL; s++)
            n += entry;
    }
    return n;
}

int http_head_check_size(const struct http_head *h, struct err *e) {
    if (h->nfields > HTTP_FIELDS_MAX)
        return err_set(e, ERR_HEADERS_TOO_LARGE, "the request has more than %d headers",
                       HTTP_FIELDS_MAX);
    if (taken(h) > HTTP_POOL - ANSWER_ROOM)
        return err_set(e, ERR_HEADERS_TOO_LARGE,
                       "the request's target, headers and cookies are too large");
    return 0;
}

/*
 * libmicrohttpd ends a line at a bare LF and a text at a NUL, joins a folded line to the one
 * before, and skips spaces, all without telling.  But then what it has found no longer covers the
 * head byte by byte, with one space, one colon, one CR LF between the parts.
 */
static bool is_covered(const struct http_head *h) {
    const char *at = h->method + strlen(h->method) + 1;

    if (h->path != at)
        return false;
    at += strlen(h->target) + 1;
    if (h->version != at)
        return false;
    at += strlen(h->version) + 2;
    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];

        if (f->name != at)
            return false;
        at += f->name_len + 1;
        while (*at == ' ' || *at == '\t')
            at++;
        if (f->value != at)
            return false;
        at += f->value_len + 2;
    }
    return at + 2 == h->method + h->size;
}

static int check_request_line(const struct http_head *h, struct err *e) {
    const char *t = h->target;
    size_t n = strlen(t);

    if (!encode_is_token(h->method, strlen(h->method)))
        return err_set(e, ERR_MALFORMED_REQUEST, "the request's method is malformed");
    if (has_control(t, n) || strpbrk(t, " \t") != NULL)
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "the request's target has a space or a control character in it");
    if (t[0] != '/' && !(strcmp(t, "*") == 0 && strcmp(h->method, "OPTIONS") == 0))
        return err_set(e, ERR_MALFORMED_REQUEST, "the request's target does not begin with '/'");
    return 0;
}

static int check_fields(const struct http_head *h, struct err *e) {
    for (size_t i = 0; i < h->nfields; i++) {
        const struct http_field *f = &h->fields[i];

        if (!encode_is_token(f->name, f->name_len))
            return err_set(e, ERR_MALFORMED_REQUEST, "a header has a malformed name");
        if (has_control(f->value, f->value_len))
            return err_set(e, ERR_MALFORMED_REQUEST, "a header has a malformed value");
    }
    return 0;
}

/* Where the body ends. */
static int check_framing(const struct http_head *h, struct err *e) {
    const struct http_field *length, *encoding;
    size_t lengths = find(h, "Content-Length", &length);
    size_t encodings = find(h, "Transfer-Encoding", &encoding);

    if (lengths + encodings > 1)
        return err_set(e, ERR_MALFORMED_REQUEST, "the length of the body is given more than once");
    if (encoding != NULL && is_http_1_0(h))
        return err_set(e, ERR_MALFORMED_REQUEST, "there is no Transfer-Encoding in HTTP/1.0");
    /* With white space behind it libmicrohttpd would not know it. */
    if (encoding != NULL && strcasecmp(encoding->value, "chunked") != 0)
        return err_set(e, ERR_MALFORMED_REQUEST, "the only Transfer-Encoding known is 'chunked'");
    if (length != NULL &&
        (length->value_len == 0 || strspn(length->value, "0123456789") != length->value_len))
        return err_set(e, ERR_MALFORMED_REQUEST, "Content-Length is not a number");
    return 0;
}

/* A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. */
static bool is_authority(const char *s, size_t n) {
    static const char name[] = "-._~!$&'()*+,;=%0123456789abcdefghijklmnopqrstuvwxyz"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t i = s[0] == '[' ? 1 + strspn(s + 1, "0123456789abcdefABCDEF:.") : strspn(s, name);

    if (s[0] == '[' && (i == 1 || s[i++] != ']'))
        return false;
    if (i == 0 || i > n)
        return false;
    if (s[i] == ':')
        i += 1 + strspn(s + i + 1, "0123456789");
    return i == n;
}

static int check_host(const struct http_head *h, struct err *e) {
    const struct http_field *host;
    size_t hosts = find(h, "Host", &host);

    if (hosts > 1 || (hosts == 0 && !is_http_1_0(h)))
        return err_set(e, ERR_MALFORMED_REQUEST, "the request needs exactly one Host header");
    if (host != NULL && !is_authority(host->value, host->value_len))
        return err_set(e, ERR_MALFORMED_REQUEST, "the Host header is not a name with a port");
    return 0;
}

/* One without a body is against RFC 9110 §10.1.1, and what is pipelined behind it would be taken
 * for that body. */
static int check_expectation(const struct http_head *h, struct err *e) {
    const struct http_field *expect;
    size_t n = is_http_1_0(h) ? 0 : find(h, "Expect", &expect);

    if (n == 0)
        return 0;
    if (n > 1 || strcasecmp(expect->value, "100-continue") != 0)
        return err_set(e, ERR_EXPECTATION_FAILED, "the only expectation known is '100-continue'");
    if (http_head_length(h) == 0 && !http_head_is_chunked(h))
        return err_set(e, ERR_EXPECTATION_FAILED, "the request expects to continue without a body");
    return 0;
}

int http_head_check(struct http_head *h, struct err *e) {
    if (!is_covered(h))
        return err_set(e, ERR_MALFORMED_REQUEST,
                       "the request's head has a line that is folded, does not end with CR LF, or "
                       "has a NUL or a space too many");
    if (check_request_line(h, e) != 0 || check_fields(h, e) != 0 || check_framing(h, e) != 0)
        return -1;
    trim(h);
    return check_host(h, e) != 0 ? -1 : check_expectation(h, e);
}

/* --- what it says of the body ---------------------------------------------------------------- */

bool http_head_is_chunked(const struct http_head *h) {
    const struct http_field *encoding;

    return find(h, "Transfer-Encoding", &encoding) > 0;
}

size_t http_head_length(const struct http_head *h) {
    const struct http_field *length;
    size_t sum = 0;

    if (find(h, "Content-Length", &length) == 0)
        return 0;
    for (size_t i = 0; i < length->value_len; i++) {
        size_t digit = (size_t)(length->value[i] - '0');

        if (sum > (SIZE_MAX - digit) / 10)
            return SIZE_MAX;
        sum = sum * 10 + digit;
    }
    return sum;
}
