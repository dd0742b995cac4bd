/*
 * lua_pattern.c - derived from lstrlib.c of Lua 5.4 (MIT licence):
 * Copyright (C) 1994-2022 Lua.org, PUC-Rio.
 */
#include "lua_pattern.h"

#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "task.h"

#define STEPS_BASE     4000000 /* of one call, and ... */
#define STEPS_PER_BYTE 32      /* ... for each byte of the subject */
#define STEPS_AT_ONCE  100000  /* then it is asked whether there is time left */
#define RECURSION_MAX  200

#define ESCAPE   '%'
#define OPEN     ((ptrdiff_t)-1) /* length of a capture that is not closed yet */
#define POSITION ((ptrdiff_t)-2) /* length of a capture "()" */

static const char *match_here(struct lua_pattern *m, const char *s, const char *p);

void lua_pattern_init(struct lua_pattern *m, lua_State *L, const char *subject, size_t ls,
                      const char *pattern, size_t lp) {
    m->subject = subject;
    m->subject_end = subject + ls;
    m->pattern = pattern;
    m->pattern_end = pattern + lp;
    lua_pattern_renew(m, L);
}

void lua_pattern_renew(struct lua_pattern *m, lua_State *L) {
    m->L = L;
    m->steps = 0;
    m->reserve = STEPS_BASE + STEPS_PER_BYTE * (size_t)(m->subject_end - m->subject);
}

/* More steps from the reserve, at least so many. */
static void take_steps(struct lua_pattern *m, size_t steps) {
    size_t n = steps + STEPS_AT_ONCE;

    if (n > m->reserve)
        n = m->reserve;
    m->steps += n;
    m->reserve -= n;
    if (steps > m->steps)
        luaL_error(m->L, "pattern too complex (this call has used up its steps)");
    task_check_time(m->L);
}

void lua_pattern_spend(struct lua_pattern *m, size_t steps) {
    if (steps > m->steps)
        take_steps(m, steps);
    m->steps -= steps;
}

/* The end of the single-character class that begins at p. */
static const char *class_end(struct lua_pattern *m, const char *p) {
    const char *start = p;

    if (*p == ESCAPE) {
        if (p + 1 == m->pattern_end)
            luaL_error(m->L, "malformed pattern (ends with '%%')");
        return p + 2;
    }
    if (*p++ != '[')
        return p;
    if (*p == '^')
        p++;
    do { /* the first character belongs to the set even if it is a ']' */
        if (p == m->pattern_end)
            luaL_error(m->L, "malformed pattern (missing ']')");
        if (*p++ == ESCAPE && p < m->pattern_end)
            p++;
    } while (*p != ']');
    lua_pattern_spend(m, (size_t)(p - start) / 4);
    return p + 1;
}

/* Is c in the class of the letter after a '%'? */
static bool class_has(int c, int letter) {
    int (*test)(int);

    switch (tolower(letter)) {
    case 'a':
        test = isalpha;
        break;
    case 'c':
        test = iscntrl;
        break;
    case 'd':
        test = isdigit;
        break;
    case 'g':
        test = isgraph;
        break;
    case 'l':
        test = islower;
        break;
    case 'p':
        test = ispunct;
        break;
    case 's':
        test = isspace;
        break;
    case 'u':
        test = isupper;
        break;
    case 'w':
        test = isalnum;
        break;
    case 'x':
        test = isxdigit;
        break;
    case 'z': /* not in the manual any more, but in Lua */
        return (c == '\0') == (letter == 'z');
    default:
        return letter == c;
    }
    return (test(c) != 0) == (islower(letter) != 0);
}

/* Is c in the set from the '[' at p to the ']' at last? */
static bool set_has(struct lua_pattern *m, int c, const char *p, const char *last) {
    bool found = true;

    lua_pattern_spend(m, (size_t)(last - p) / 4);
    if (p[1] == '^') {
        found = false;
        p++;
    }
    while (++p < last) {
        if (*p == ESCAPE) {
            p++;
            if (class_has(c, (unsigned char)*p))
                return found;
        } else if (p[1] == '-' && p + 2 < last) {
            p += 2;
            if ((unsigned char)p[-2] <= c && c <= (unsigned char)*p)
                return found;
        } else if ((unsigned char)*p == c) {
            return found;
        }
    }
    return !found;
}

/* Does the character at s fit the class from p to end? */
static bool single_fits(struct lua_pattern *m, const char *s, const char *p, const char *end) {
    int c;

    if (s >= m->subject_end)
        return false;
    c = (unsigned char)*s;
    switch (*p) {
    case '.':
        return true;
    case ESCAPE:
        return class_has(c, (unsigned char)p[1]);
    case '[':
        return set_has(m, c, p, end - 1);
    default:
        return (unsigned char)*p == c;
    }
}

static const char *expand_most(struct lua_pattern *m, const char *s, const char *p,
                               const char *end) {
    const char *last = s, *found;

    for (; single_fits(m, last, p, end); last++)
        lua_pattern_spend(m, 1);
    for (; last >= s; last--) {
        lua_pattern_spend(m, 1);
        if ((found = match_here(m, last, end + 1)) != NULL)
            return found;
    }
    return NULL;
}

static const char *expand_least(struct lua_pattern *m, const char *s, const char *p,
                                const char *end) {
    const char *found;

    while ((found = match_here(m, s, end + 1)) == NULL) {
        lua_pattern_spend(m, 1);
        if (!single_fits(m, s, p, end))
            return NULL;
        s++;
    }
    return found;
}

/* "(" or "()", p behind the parenthesis. */
static const char *open_capture(struct lua_pattern *m, const char *s, const char *p) {
    bool position = *p == ')';
    const char *found;

    if (m->level >= LUA_PATTERN_CAPTURES_MAX)
        luaL_error(m->L, "too many captures");
    m->captures[m->level].start = s;
    m->captures[m->level].len = position ? POSITION : OPEN;
    m->level++;
    if ((found = match_here(m, s, p + position)) == NULL)
        m->level--;
    return found;
}

static const char *close_capture(struct lua_pattern *m, const char *s, const char *p) {
    int i = m->level - 1;
    const char *found;

    while (i >= 0 && m->captures[i].len != OPEN)
        i--;
    if (i < 0)
        luaL_error(m->L, "invalid pattern capture");
    m->captures[i].len = s - m->captures[i].start;
    if ((found = match_here(m, s, p)) == NULL)
        m->captures[i].len = OPEN;
    return found;
}

/* "%bxy", p at the x. */
static const char *match_balance(struct lua_pattern *m, const char *s, const char *p) {
    int depth = 1;

    if (p >= m->pattern_end - 1)
        luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
    if (*s != *p)
        return NULL;
    while (++s < m->subject_end) {
        lua_pattern_spend(m, 1);
        if (*s == p[1]) {
            if (--depth == 0)
                return s + 1;
        } else if (*s == *p) {
            depth++;
        }
    }
    return NULL;
}

/* "%1": the text of that capture again. */
static const char *match_back(struct lua_pattern *m, const char *s, int digit) {
    int i = digit - '1';
    size_t len;

    if (i < 0 || i >= m->level || m->captures[i].len == OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    len = (size_t)m->captures[i].len; /* of a position: larger than any subject */
    if ((size_t)(m->subject_end - s) < len)
        return NULL;
    lua_pattern_spend(m, len / 32);
    return memcmp(m->captures[i].start, s, len) == 0 ? s + len : NULL;
}

/* "%f[set]", with *p at the set: passes it if the set begins to fit at s. */
static const char *match_frontier(struct lua_pattern *m, const char *s, const char **p) {
    const char *set = *p;
    int before = s == m->subject ? '\0' : (unsigned char)s[-1];

    if (*set != '[')
        luaL_error(m->L, "missing '[' after '%%f' in pattern");
    *p = class_end(m, set);
    if (set_has(m, before, set, *p - 1) || !set_has(m, (unsigned char)*s, set, *p - 1))
        return NULL;
    return s;
}

/* A single-character class with its suffix, if any.  True: go on with the new *s (NULL: no match)
 * and *p.  False: *s is the end of the whole match, or NULL. */
static bool match_single(struct lua_pattern *m, const char **s, const char **p) {
    const char *end = class_end(m, *p), *found;
    bool fits = single_fits(m, *s, *p, end);

    switch (*end) {
    case '?':
        if (fits && (found = match_here(m, *s + 1, end + 1)) != NULL) {
            *s = found;
            return false;
        }
        *p = end + 1;
        return true;
    case '*':
    case '-':
        if (!fits) {
            *p = end + 1;
            return true;
        }
        *s = *end == '*' ? expand_most(m, *s, *p, end) : expand_least(m, *s, *p, end);
        return false;
    case '+':
        *s = fits ? expand_most(m, *s + 1, *p, end) : NULL;
        return false;
    default:
        *s = fits ? *s + 1 : NULL;
        *p = end;
        return true;
    }
}

/* Match the rest of the pattern from p on at s: the end of the match, or NULL. */
static const char *match_here(struct lua_pattern *m, const char *s, const char *p) {
    bool more = true;

    if (m->recursion-- == 0)
        luaL_error(m->L, "pattern too complex");
    while (more && s != NULL && p != m->pattern_end) {
        int kind = *p == ESCAPE ? (unsigned char)p[1] : 0;

        lua_pattern_spend(m, 1);
        if (*p == '(') {
            s = open_capture(m, s, p + 1);
            more = false;
        } else if (*p == ')') {
            s = close_capture(m, s, p + 1);
            more = false;
        } else if (*p == '$' && p + 1 == m->pattern_end) {
            s = s == m->subject_end ? s : NULL;
            more = false;
        } else if (kind == 'b') {
            s = match_balance(m, s, p + 2);
            p += 4;
        } else if (kind == 'f') {
            p += 2;
            s = match_frontier(m, s, &p);
        } else if (isdigit(kind)) {
            s = match_back(m, s, kind);
            p += 2;
        } else {
            more = match_single(m, &s, &p);
        }
    }
    m->recursion++;
    return s;
}

const char *lua_pattern_at(struct lua_pattern *m, const char *s) {
    m->level = 0;
    m->recursion = RECURSION_MAX;
    lua_pattern_spend(m, 1);
    return match_here(m, s, m->pattern);
}

void lua_pattern_push_capture(struct lua_pattern *m, int i, const char *s, const char *e) {
    if (i >= m->level) {
        if (i != 0)
            luaL_error(m->L, "invalid capture index %%%d", i + 1);
        lua_pushlstring(m->L, s, (size_t)(e - s));
    } else if (m->captures[i].len == POSITION) {
        lua_pushinteger(m->L, m->captures[i].start - m->subject + 1);
    } else if (m->captures[i].len == OPEN) {
        luaL_error(m->L, "unfinished capture");
    } else {
        lua_pushlstring(m->L, m->captures[i].start, (size_t)m->captures[i].len);
    }
}

int lua_pattern_push_captures(struct lua_pattern *m, const char *s, const char *e) {
    int n = m->level == 0 && s != NULL ? 1 : m->level;

    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        lua_pattern_push_capture(m, i, s, e);
    return n;
}
