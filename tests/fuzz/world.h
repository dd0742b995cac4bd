/*
 * world.h - for targets that are written in Lua: the service's scripts in a generation of their
 *   own, with a scratch for a world.
 *
 * The first run loads the generation; each runs a function as a task, which may wait, and begins in
 * a fresh world.  It fails (abort(), for the fuzzer to see) if the function raises, or leaves
 * anything behind.  Budgets hold: a task that has used one up has ended well.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stddef.h>
#include <stdint.h>

struct gen;

/* Run the function that tests/fuzz/scripts/<module>.lua returns with the input as a string, and the
 * modules loaded so far by their names. */
void world_run(const char *module, const uint8_t *data, size_t size);

/* The generation itself, with its routes: for a target in C that needs one. */
struct gen *world_gen(void);

#endif
