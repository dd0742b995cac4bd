/*
 * text.h - bodies from one form to another: plain text, Markdown, HTML.
 *
 * text*.c are the only files that know md4c.  Pure functions over valid UTF-8; those that return
 * nothing leave it to the caller to ask buf_failed().
 */
#ifndef TEXT_H
#define TEXT_H

#include "base.h"
#include "buf.h"
#include "err.h"

/* & < > " ' as entities. */
void text_escape_html(struct buf *out, const char *s, size_t n);

/* A plain-text message as HTML: escaped, paragraphs and line breaks kept, runs of spaces and
 * indentation kept, http(s) addresses made links. */
void text_to_html(struct buf *out, const char *s, size_t n);

/* CommonMark with tables, strikethrough and bare links; raw HTML in it is shown, not obeyed.
 * Links and images whose address does not begin with http:, https:, mailto:, tel: or cid: lose it
 * (relative ones too: a mail has no base), so that only their text is left.  At most 128 KiB. */
int text_markdown_to_html(struct buf *out, const char *s, size_t n, struct err *e);

/* HTML as a text part reads well (RFC 3676 not used, lines are not wrapped): blocks apart by blank
 * lines, lists with "- " and "1. ", quotes with "> ", links as "text <address>" unless the text is
 * the address, images as their alt, tables row by row, pre as it stands, script/style/head and
 * elements that are not displayed (hidden, display:none) left out; a signature
 * (data-smartmail="gmail_signature") set off by "-- ".  No line end at the end.  Takes time in
 * proportion to its input, whatever that is; fails only when *out reaches its ceiling. */
int text_from_html(struct buf *out, const char *html, size_t n, struct err *e);

#endif
