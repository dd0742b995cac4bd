/*
 * late.h - libraries that are opened when they are first needed: few who run the program need them
 * all, and each takes time and memory for being there.
 *
 *     #define LIBRARY "libedit.so.2"
 *     #define FUNCTIONS(X) X(el_gets) X(el_set)
 *     static struct { FUNCTIONS(LATE_MEMBER) } edit LATE_TABLE;
 *     static const char *const names[] = {FUNCTIONS(LATE_NAME)};
 *
 * Once late_open(LIBRARY, names, COUNT_OF(names), &edit, e) is 0, edit.el_gets() is the function.
 * deploy/assemble reads LIBRARY.
 */
#ifndef LATE_H
#define LATE_H

#include "base.h"
#include "err.h"

/* Read-only, as is what the dynamic linker fills in: calls go through it. */
#define LATE_TABLE        __attribute__((section(".data.rel.ro")))
#define LATE_MEMBER(name) __typeof__(&(name)) name;
#define LATE_NAME(name)   #name,

/* Open the library until the process ends, and set the n pointers of a table to its functions of
 * these names.  From any thread. */
int late_open(const char *library, const char *const *names, size_t n, void *table, struct err *e);

#endif
