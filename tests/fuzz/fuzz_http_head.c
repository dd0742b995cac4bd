/*
 * fuzz_http_head.c - heads of requests: one that is taken can be read in one way alone. Its lines
 * end with CR LF, none is folded, its body has one length, and what it says of where it comes from
 * has one meaning.
 *
 * Heads with a NUL are left out: libmicrohttpd takes one before a LF for a CR, and tells nobody.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../unit/http_head_split.h"
#include "origin.h"

#define HEAD_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static const struct http_field *find(const struct http_head *h, const char *name, size_t *n) {
    const struct http_field *first = NULL;

    *n = 0;
    for (size_t i = 0; i < h->nfields; i++)
        if (strcasecmp(h->fields[i].name, name) == 0 && (*n)++ == 0)
            first = &h->fields[i];
    return first;
}

static void check_lines(const char *raw, size_t n) {
    for (size_t i = 0; i < n; i++) {
        demand(raw[i] != '\n' || (i > 0 && raw[i - 1] == '\r'));
        demand(raw[i] != '\r' || (i + 1 < n && raw[i + 1] == '\n'));
        demand(raw[i] != '\n' || i + 1 == n || (raw[i + 1] != ' ' && raw[i + 1] != '\t'));
    }
}

static void check_body(const struct http_head *h) {
    size_t lengths, encodings;
    const struct http_field *length = find(h, "Content-Length", &lengths);

    find(h, "Transfer-Encoding", &encodings);
    demand(lengths + encodings <= 1);
    demand(http_head_is_chunked(h) == (encodings == 1));
    if (length != NULL && length->value_len <= 18)
        demand(http_head_length(h) == strtoull(length->value, NULL, 10));
    else
        demand(http_head_length(h) == 0 || lengths == 1);
}

/* An address of this machine, a name that is reserved for it, or one without a dot. */
static bool is_near(const char *host) {
    size_t n = strcspn(host, ":");

    return host[0] == '[' || strncmp(host, "127.", 4) == 0 || memchr(host, '.', n) == NULL ||
           (n >= 10 && strncasecmp(host + n - 10, ".localhost", 10) == 0);
}

/* Who passes as this machine's own page is none of another's. */
static void check_origin(const struct http_head *h) {
    size_t n;
    const struct http_field *host = find(h, "Host", &n), *from = find(h, "Origin", &n);
    const struct http_field *site = find(h, "Sec-Fetch-Site", &n);
    struct origin o = {.host = host != NULL ? host->value : NULL,
                       .origin = from != NULL ? from->value : NULL,
                       .fetch_site = site != NULL ? site->value : NULL};
    struct err e;

    if (origin_check(&o, true, &e) == 0) {
        demand(o.origin != NULL || o.fetch_site != NULL);
        demand(o.fetch_site == NULL || strstr(o.fetch_site, "cross") == NULL);
        demand(o.origin == NULL || strcmp(o.origin, "null") == 0 ||
               strcasecmp(strstr(o.origin, "://") + 3, o.host) == 0);
    } else {
        demand(e.code == ERR_FORBIDDEN && e.message[0] != '\0');
    }
    if (origin_check_loopback(&o, NULL, &e) == 0)
        demand(is_near(o.host));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static char raw[HEAD_MAX + 1], target[HEAD_MAX + 1];
    struct http_head h;
    struct err e;

    if (size > HEAD_MAX || memchr(data, '\0', size) != NULL)
        return 0;
    memcpy(raw, data, size);
    raw[size] = '\0';
    if (!split_head(raw, size, target, &h))
        return 0;
    if (http_head_check_size(&h, &e) == 0 && http_head_check(&h, &e) == 0) {
        check_lines((const char *)data, h.size);
        check_body(&h);
        check_origin(&h);
    } else {
        demand(e.message[0] != '\0');
    }
    return 0;
}
