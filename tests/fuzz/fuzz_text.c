/*
 * fuzz_text.c - whatever is converted to HTML is text, markup of ours, and no address but safe
 * ones; whatever HTML is converted to text is text.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "encode.h"
#include "html.h"
#include "text.h"

#define CEILING (16 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok)
        abort();
}

static bool is_one_of(const char *s, size_t n, const char *const *list) {
    for (; *list != NULL; list++)
        if (strlen(*list) == n && strncasecmp(s, *list, n) == 0)
            return true;
    return false;
}

/* Links and images have one address, and it begins as it must. */
static void check_address(const struct html *h, const char *name) {
    static const char *const schemes[] = {"http:", "https:", "mailto:", "tel:", "cid:"};
    struct buf value;
    size_t i = 0;

    buf_init(&value, CEILING);
    check(html_attribute(h, name, &value));
    while (i < COUNT_OF(schemes) && strncasecmp(value.data, schemes[i], strlen(schemes[i])) != 0)
        i++;
    check(i < COUNT_OF(schemes));
    buf_free(&value);
}

static void check_html(const struct buf *out, const char *const *tags) {
    static const char *const handlers[] = {"onclick", "onerror", "onload", "style", "srcset"};
    enum html_kind kind;
    struct html h;
    struct buf ignored;

    check(!buf_failed(out));
    html_init(&h, out->data, out->len);
    while ((kind = html_next(&h)) != HTML_END) {
        if (kind == HTML_TEXT)
            continue;
        check(is_one_of(h.s, h.n, tags));
        if (kind == HTML_CLOSE)
            continue;
        if (h.n == 1 && h.s[0] == 'a')
            check_address(&h, "href");
        else if (h.n == 3 && strncasecmp(h.s, "img", 3) == 0)
            check_address(&h, "src");
        buf_init(&ignored, CEILING);
        for (size_t i = 0; i < COUNT_OF(handlers); i++)
            check(!html_attribute(&h, handlers[i], &ignored) ||
                  (h.n == 2 && strcmp(handlers[i], "style") == 0)); /* th, td */
        buf_free(&ignored);
    }
    check(h.at == h.end && (out->len == 0 || out->data[out->len - 1] == '\n'));
}

static void check_escaped(const struct buf *out, const char *s, size_t n) {
    struct buf back;

    check(!buf_failed(out) && strpbrk(out->data, "<>\"'") == NULL);
    buf_init(&back, CEILING);
    html_decode(&back, out->data, out->len);
    check(back.len == n && memcmp(back.data, s, n) == 0);
    buf_free(&back);
}

/* Lines without white space at their ends, but for the one that sets off a signature. */
static void check_text(const struct buf *out, bool utf8) {
    check(!buf_failed(out) && memchr(out->data, '\0', out->len) == NULL);
    check(!utf8 || encode_utf8_error(out->data, out->len) == out->len);
    for (size_t i = 0; i < out->len; i++) {
        bool last = i + 1 == out->len || out->data[i + 1] == '\n';

        check((unsigned char)out->data[i] >= ' ' || strchr("\n\t", out->data[i]) != NULL);
        check(out->data[i] != ' ' || !last || (i >= 2 && memcmp(out->data + i - 2, "--", 2) == 0));
    }
}

static void check_decoding(const char *s, size_t n) {
    struct buf out;

    buf_init(&out, n);
    html_decode(&out, s, n);
    check(!buf_failed(&out));
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const plain[] = {"p", "br", "a", NULL};
    static const char *const markdown[] = {
        "p",     "br",    "a",  "img", "blockquote", "ul", "ol",     "li",   "hr",
        "h1",    "h2",    "h3", "h4",  "h5",         "h6", "pre",    "code", "table",
        "thead", "tbody", "tr", "th",  "td",         "em", "strong", "del",  NULL};
    const char *s = (const char *)data;
    struct buf out;

    buf_init(&out, CEILING);
    text_escape_html(&out, s, size);
    check_escaped(&out, s, size);

    buf_reset(&out);
    text_to_html(&out, s, size);
    check_html(&out, plain);

    buf_reset(&out);
    if (text_markdown_to_html(&out, s, size, NULL) == 0)
        check_html(&out, markdown);

    buf_reset(&out);
    check(text_from_html(&out, s, size, NULL) == 0);
    check_text(&out, encode_utf8_error(s, size) == size);
    check_decoding(s, size);
    buf_free(&out);
    return 0;
}
