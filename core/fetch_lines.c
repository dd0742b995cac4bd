#include "fetch_lines.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "fetch_head.h"

struct fetch_lines {
    size_t size;
    struct curl_slist list[]; /* and behind it, the text */
};

/* Where the caller has none of them.  curl adds some of its own: an empty one takes that away. */
static const struct {
    const char *name, *line;
} own[] = {{"Expect", "Expect:"},
           {"Content-Type", "Content-Type:"},
           {"User-Agent", "User-Agent: paraph/" PARAPH_VERSION}};

static bool is_among(const char *name, const struct fetch_header *headers, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(name, headers[i].name) == 0)
            return true;
    return false;
}

static int check(const struct fetch_header *h, size_t name, size_t value, struct err *e) {
    static const struct fetch_header framing[] = {{"Connection", ""},
                                                  {"Content-Length", ""},
                                                  {"Expect", ""},
                                                  {"Transfer-Encoding", ""},
                                                  {"Upgrade", ""}};

    if (!encode_is_token(h->name, name))
        return err_set(e, ERR_INTERNAL_ERROR, "a header's name is not an HTTP token");
    if (encode_control_at(h->value, value) < value)
        return err_set(e, ERR_INTERNAL_ERROR, "header %.40s: control characters are not allowed",
                       h->name);
    if (is_among(h->name, framing, COUNT_OF(framing)))
        return err_set(e, ERR_INTERNAL_ERROR, "header %s is not for callers to set", h->name);
    if (name + value + 2 > FETCH_HEAD_MAX)
        return err_set(e, ERR_INTERNAL_ERROR, "header %.40s is too long", h->name);
    return 0;
}

/* "name: value", or as curl wants it for an empty value; returns where it ends. */
static char *write_line(char *to, const struct fetch_header *h) {
    to = stpcpy(to, h->name);
    to = stpcpy(to, *h->value != '\0' ? ": " : ";");
    return stpcpy(to, h->value) + 1;
}

struct fetch_lines *fetch_lines_new(const struct fetch_header *headers, size_t n, struct err *e) {
    size_t size = sizeof(struct fetch_lines) + (n + COUNT_OF(own)) * sizeof(struct curl_slist);
    struct fetch_lines *lines;
    struct curl_slist *line;
    char *text;

    for (size_t i = 0; i < n; i++) {
        size_t name = strlen(headers[i].name), value = strlen(headers[i].value);

        if (check(&headers[i], name, value, e) != 0)
            return NULL;
        size += name + strlen(": ") + value + 1;
    }
    if ((lines = malloc(size)) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    lines->size = size;
    line = lines->list;
    text = (char *)(lines->list + n + COUNT_OF(own));
    for (size_t i = 0; i < n; i++) {
        *line = (struct curl_slist){text, line + 1};
        text = write_line(text, &headers[i]);
        line++;
    }
    for (size_t i = 0; i < COUNT_OF(own); i++)
        if (!is_among(own[i].name, headers, n)) {
            *line = (struct curl_slist){(char *)(uintptr_t)own[i].line, line + 1};
            line++;
        }
    line[-1].next = NULL; /* "Expect:" at least is there */
    return lines;
}

struct curl_slist *fetch_lines_list(struct fetch_lines *lines) {
    return lines->list;
}

void fetch_lines_free(struct fetch_lines *lines) {
    if (lines != NULL)
        explicit_bzero(lines, lines->size);
    free(lines);
}
