/*
 * mask.h - secrets, known by how they begin: access tokens, signed assertions and ID tokens,
 * refresh tokens, client secrets; and our own API keys and session cookies.
 *
 * log.c passes every text of every event through here, whoever wrote it; google_error.c the texts
 * that callers are told.
 */
#ifndef MASK_H
#define MASK_H

#include "base.h"

#define MASK_WORD "(masked)" /* in their place */

/* How many bytes at text[at] are a secret that begins there; 0: none does. */
size_t mask_secret(const char *text, size_t at, size_t len);

#endif
