/*
 * html.h - reads HTML as a browser's tokenizer does (WHATWG HTML §13.2.5): tags and text.
 *
 * A pull parser over bytes that the caller keeps: no tree, no allocation, no recursion, one pass.
 * Whatever it is given, its work grows with the length of the input and nothing else.  Comments,
 * doctypes and the content of script, style, title and their like are passed over.
 */
#ifndef HTML_H
#define HTML_H

#include "base.h"
#include "buf.h"

enum html_kind { HTML_END, HTML_TEXT, HTML_OPEN, HTML_CLOSE };

/* s and n: the text as it was written (html_decode() gives what it means), or a tag's name. */
struct html {
    const char *s;
    size_t n;
    const char *attributes; /* OPEN: from behind the name to the tag's end */
    const char *inside;     /* OPEN: behind the tag, where what it holds begins */
    const char *at, *end;   /* what is still to be read */
};

/* As they are written; "" where there is no value. */
struct html_pair {
    const char *name, *value;
    size_t name_len, value_len;
};

void html_init(struct html *h, const char *s, size_t n);
enum html_kind html_next(struct html *h);

/* After HTML_OPEN: append the attribute's value, decoded; false if the tag has none. */
bool html_attribute(const struct html *h, const char *name, struct buf *value);

/* After HTML_OPEN: the next attribute, from its name up to h->attributes; false: that was all. */
bool html_next_attribute(struct html *h, struct html_pair *pair);

/* Append text with its character references resolved; it never gets longer. */
void html_decode(struct buf *out, const char *s, size_t n);

#endif
