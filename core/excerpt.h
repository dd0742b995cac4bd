/*
 * excerpt.h - an error of a script or template, with the line that it is about:
 *
 *     policy/review.lua:3: unexpected symbol near '+'
 *         3 | return review +
 *           |               ^
 *           in /srv/paraph/policy/review.lua
 */
#ifndef EXCERPT_H
#define EXCERPT_H

#include "base.h"
#include "buf.h"
#include "tree.h"

/* Add the error without its chain of calls; then, if it names a line of a file of the tree, that
 * line, a caret under the word that the error is about (else under the first one), and the path if
 * the file is in an overlay.  Valid UTF-8 whatever was in the error and the file; no newline at the
 * end.  The tree may be NULL. */
void excerpt_add(struct buf *out, const struct tree *t, const char *error);

/* Add the error alone. */
void excerpt_add_sentence(struct buf *out, const char *error);

#endif
