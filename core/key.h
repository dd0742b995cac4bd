/*
 * key.h - `paraph key NAME [ROLE...]`: make an API key.
 */
#ifndef KEY_H
#define KEY_H

/* What callers and API_KEYS need on standard output, a line each; what to do with it on standard
 * error.  The exit code. */
int key_make(const char *name, char *const *roles, int nroles);

#endif
