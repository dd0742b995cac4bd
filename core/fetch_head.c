#include "fetch_head.h"

#include <string.h>

#define USUAL_SIZE 500 /* of a head, in bytes */

void fetch_head_init(struct fetch_head *h) {
    *h = (struct fetch_head){0};
    buf_init(&h->text, FETCH_HEAD_MAX);
}

void fetch_head_free(struct fetch_head *h) {
    buf_free(&h->text);
}

/* Control characters become spaces (RFC 9110 §5.5), and there are none around it. */
static void add_text(struct buf *b, const char *p, size_t n) {
    size_t from = b->len;

    while (n > 0 && (unsigned char)p[n - 1] <= ' ')
        n--;
    while (n > 0 && (unsigned char)*p <= ' ')
        p++, n--;
    buf_add(b, p, n);
    for (char *s = b->data + from; s < b->data + b->len; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7F)
            *s = ' ';
}

static void add_field(struct fetch_head *h, const char *line, size_t n) {
    const char *colon = memchr(line, ':', n);
    size_t name = h->text.len;

    if (colon == NULL || colon == line)
        return;
    add_text(&h->text, line, (size_t)(colon - line));
    for (char *s = h->text.data + name; *s != '\0'; s++)
        *s |= *s >= 'A' && *s <= 'Z' ? 0x20 : 0;
    buf_addc(&h->text, '\0');
    add_text(&h->text, colon + 1, n - (size_t)(colon + 1 - line));
    buf_addc(&h->text, '\0');
    h->n++;
}

bool fetch_head_add(struct fetch_head *h, const char *line, size_t n) {
    if (n > 5 && memcmp(line, "HTTP/", 5) == 0) {
        buf_reset(&h->text);
        (void)buf_reserve(&h->text, USUAL_SIZE);
        h->n = 0;
        h->open = true;
    } else if (h->open && (*line == '\r' || *line == '\n')) {
        h->open = false;
    } else if (h->open && (*line == ' ' || *line == '\t') && h->n > 0) {
        h->text.data[h->text.len - 1] = ' '; /* folded, RFC 9112 §5.2 */
        add_text(&h->text, line, n);
        buf_addc(&h->text, '\0');
    } else if (h->open) {
        add_field(h, line, n);
    }
    return !buf_failed(&h->text) && h->n <= FETCH_HEADERS_MAX;
}
