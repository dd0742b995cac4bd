/*
 * text_link.h - the links of HTML in a text: text_html.c's reading of an href.
 */
#ifndef TEXT_LINK_H
#define TEXT_LINK_H

#include "base.h"
#include "buf.h"
#include "html.h"

struct text_link {
    const char *address; /* without "mailto:" or "tel:" */
    bool phone;
};

/* The address that a link's tag leads to, kept in *room; false if it is none that a reader can use,
 * or if there is no memory. */
bool text_link_read(struct text_link *l, const struct html *tag, struct buf *room);

/* Does the link's text say the address already? */
bool text_link_is_said(const struct text_link *l, const char *text);

#endif
