/*
 * role.h - what a caller may do: draft, send, review, ops.
 *
 * A set of roles is an or of their bits.
 */
#ifndef ROLE_H
#define ROLE_H

#include "base.h"

enum role { ROLE_DRAFT = 1, ROLE_SEND = 2, ROLE_REVIEW = 4, ROLE_OPS = 8 };

#define ROLE_ALL (ROLE_DRAFT | ROLE_SEND | ROLE_REVIEW | ROLE_OPS)

/* The role of that name; 0: there is none. */
unsigned role_named(const char *word, size_t n);

/* The name of the i-th role, from 0, and its bit; NULL behind the last one. */
const char *role_at(size_t i, unsigned *bit);

#endif
