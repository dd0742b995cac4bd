/*
 * check_script.h - the steps of `paraph check` that scripts do.
 *
 * Only for check.c, check_policies.c and check_replay.c.
 */
#ifndef CHECK_SCRIPT_H
#define CHECK_SCRIPT_H

#include <lua.h>

#include "base.h"

struct gen;

/*
 * Run the function `lines` of a module as a task, which may take so many seconds, and tell what it
 * returns: a list of { state, step, sentence, note }, where state is "ok", "odd", "differs" or
 * "failed", and a note is one line more, or nil.  What keeps it from returning that is a failure of
 * `step`.  `arguments` is called as a lua_CFunction with `given` as light userdata, and leaves on
 * the stack what the function is to be called with.
 */
void check_script_run(struct gen *g, const char *step, const char *module, unsigned seconds,
                      lua_CFunction arguments, const void *given);

#endif
