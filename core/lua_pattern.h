/*
 * lua_pattern.h - Lua's patterns, as the reference manual has them (§6.4.1), with a budget.
 *
 * Lua's own pattern functions backtrack without bound, and no hook reaches into a C function: one
 * subject of 31 bytes kept the thread busy for 397 s.  Here a match counts its steps and raises
 * when it has used them up; it raises too where Lua would, for malformed patterns.
 */
#ifndef LUA_PATTERN_H
#define LUA_PATTERN_H

#include <lua.h>

#include "base.h"

#define LUA_PATTERN_CAPTURES_MAX 32

/* One call's matching of a pattern against a subject; both are borrowed and followed by a NUL. */
struct lua_pattern {
    lua_State *L;
    const char *subject, *subject_end;
    const char *pattern, *pattern_end;
    size_t steps, reserve; /* left: until the time is asked for, and behind that */
    int recursion;         /* left */
    int level;             /* captures, open and closed */
    struct {
        const char *start;
        ptrdiff_t len;
    } captures[LUA_PATTERN_CAPTURES_MAX];
};

void lua_pattern_init(struct lua_pattern *m, lua_State *L, const char *subject, size_t ls,
                      const char *pattern, size_t lp);

/* A new budget, for another call, on L. */
void lua_pattern_renew(struct lua_pattern *m, lua_State *L);

/* Take from the budget, for work that a caller does; a step is a few nanoseconds.  Raises when
 * nothing is left. */
void lua_pattern_spend(struct lua_pattern *m, size_t steps);

/* Match at s and nowhere else: the end of the match, or NULL.  Does not look for an anchor. */
const char *lua_pattern_at(struct lua_pattern *m, const char *s);

/* Push capture i, from 0, of the match from s to e; capture 0 is the whole match if the pattern
 * has none. */
void lua_pattern_push_capture(struct lua_pattern *m, int i, const char *s, const char *e);

/* Push all captures (the whole match if there are none, unless s is NULL); how many. */
int lua_pattern_push_captures(struct lua_pattern *m, const char *s, const char *e);

#endif
