/*
 * google_mask.h - what a debug event may tell of a body that goes to Google or comes from there:
 * its shape, and the members that are known to be harmless.
 *
 * Everything else is masked, whole, and told by its size: tokens, assertions, messages,
 * attachments, what people wrote into documents, and whatever nobody has thought of yet.  The one
 * place that decides this; google_exchange.c passes every body through it.
 *
 * Pure functions, which append JSON text.
 */
#ifndef GOOGLE_MASK_H
#define GOOGLE_MASK_H

#include <jansson.h>

#include "base.h"
#include "blob.h"
#include "buf.h"

void google_mask_add_tree(struct buf *out, const json_t *tree);

/* A body of JSON, a form, or of any other type: of that the size.  type: NULL if it has none. */
void google_mask_add_body(struct buf *out, const struct blob *body, const char *type);

#endif
