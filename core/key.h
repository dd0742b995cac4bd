/*
 * key.h - `paraph key [--json] NAME [ROLE...]`: make an API key.
 */
#ifndef KEY_H
#define KEY_H

#include "base.h"

/* What callers and API_KEYS need on standard output, a line each, and what to do with it on
 * standard error; or all of it as a JSON object.  The exit code. */
int key_make(const char *name, char *const *roles, int nroles, bool json);

#endif
