/*
 * text_element.h - what the elements of HTML mean for a text: text_html.c's vocabulary.
 */
#ifndef TEXT_ELEMENT_H
#define TEXT_ELEMENT_H

#include "base.h"

enum text_role {
    INLINE, /* no mark on the text: span, b, and what is not known */
    EMPTY,  /* no content, nothing to show: meta, input */
    BREAK,
    RULE,
    IMAGE,
    LINK,
    SKIP, /* content that is not shown */
    /* From here on an open element has a frame. */
    PLAIN,
    PARAGRAPH,
    QUOTE,
    BULLETS,
    NUMBERS,
    ITEM,
    TERMS,
    TERM,
    DETAIL,
    PRE,
    TABLE,
    ROW,
    CELL,
    ROLES
};

struct text_element {
    char name[12];
    uint8_t role;
    uint8_t margin; /* line ends before and after */
};

/* The element of a tag's name, in whatever case; one that is not known is INLINE. */
const struct text_element *text_element_find(const char *name, size_t n);

#endif
