/*
 * json_line.h - what commands print for programs: a JSON object on a line (--json).
 */
#ifndef JSON_LINE_H
#define JSON_LINE_H

#include "buf.h"

/* A quoted string; bytes that are not UTF-8 become U+FFFD. */
void json_line_add_text(struct buf *out, const char *s);

/* "name":"text", with a comma in front of it unless it comes first in its object. */
void json_line_add_member(struct buf *out, const char *name, const char *text);

/* Print what was collected, and a line end; it is empty then. */
void json_line_print(struct buf *line);

#endif
