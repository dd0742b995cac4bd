/*
 * lua_string.c - find, match, gmatch, gsub and rep of the global `string`: the same as Lua's (and
 * derived from them; see lua_pattern.c), but patterns have a budget, plain searches are linear,
 * and rep refuses results beyond a ceiling.
 */
#include <ctype.h>
#include <lauxlib.h>
#include <string.h>

#include "bindings.h"
#include "lua_pattern.h"

#define REP_MAX (16 * MIB)

static bool is_plain(const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != '\0' && strchr("^$*+?.([%-", p[i]) != NULL)
            return false;
    return true;
}

/* The argument `init` as an offset into a subject of n bytes; over n: beyond its end. */
static size_t check_init(lua_State *L, int arg, size_t n) {
    lua_Integer init = luaL_optinteger(L, arg, 1);

    if (init > 0)
        return (size_t)init - 1;
    if (init == 0 || init < -(lua_Integer)n)
        return 0;
    return n + (size_t)init;
}

static int find_plain(lua_State *L, const char *s, size_t ls, size_t init, const char *p,
                      size_t lp) {
    const char *found = memmem(s + init, ls - init, p, lp);

    if (found == NULL) {
        luaL_pushfail(L);
        return 1;
    }
    lua_pushinteger(L, found - s + 1);
    lua_pushinteger(L, found - s + (lua_Integer)lp);
    return 2;
}

static int find_or_match(lua_State *L, bool find) {
    size_t ls, lp;
    const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp), *end;
    size_t init = check_init(L, 3, ls);
    bool anchored = *p == '^';
    struct lua_pattern m;

    if (init > ls) {
        luaL_pushfail(L);
        return 1;
    }
    if (find && (lua_toboolean(L, 4) || is_plain(p, lp)))
        return find_plain(L, s, ls, init, p, lp);
    lua_pattern_init(&m, L, s, ls, p + anchored, lp - anchored);
    for (const char *at = s + init; at <= m.subject_end; at++) {
        if ((end = lua_pattern_at(&m, at)) != NULL) {
            if (!find)
                return lua_pattern_push_captures(&m, at, end);
            lua_pushinteger(L, at - s + 1);
            lua_pushinteger(L, end - s);
            return lua_pattern_push_captures(&m, NULL, NULL) + 2;
        }
        if (anchored)
            break;
    }
    luaL_pushfail(L);
    return 1;
}

static int l_find(lua_State *L) {
    return find_or_match(L, true);
}

static int l_match(lua_State *L) {
    return find_or_match(L, false);
}

struct gmatch {
    struct lua_pattern m;
    const char *at;
    const char *last; /* end of the last match, where an empty one does not count again */
};

static int l_gmatch_next(lua_State *L) {
    struct gmatch *g = lua_touserdata(L, lua_upvalueindex(3));
    const char *end;

    lua_pattern_renew(&g->m, L);
    for (const char *at = g->at; at <= g->m.subject_end; at++) {
        if ((end = lua_pattern_at(&g->m, at)) != NULL && end != g->last) {
            g->at = g->last = end;
            return lua_pattern_push_captures(&g->m, at, end);
        }
    }
    return 0;
}

static int l_gmatch(lua_State *L) {
    size_t ls, lp;
    const char *s = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp);
    size_t init = check_init(L, 3, ls);
    struct gmatch *g;

    lua_settop(L, 2); /* upvalues 1 and 2 keep the strings alive */
    g = lua_newuserdatauv(L, sizeof(*g), 0);
    lua_pattern_init(&g->m, L, s, ls, p, lp);
    g->at = s + (init > ls ? ls + 1 : init);
    g->last = NULL;
    lua_pushcclosure(L, l_gmatch_next, 3);
    return 1;
}

/* Add the replacement string, argument 3, for the match from s to e. */
static void add_template(struct lua_pattern *m, luaL_Buffer *b, const char *s, const char *e) {
    size_t n;
    const char *from = lua_tolstring(m->L, 3, &n), *end = from + n, *p;

    lua_pattern_spend(m, n / 32);
    while ((p = memchr(from, '%', (size_t)(end - from))) != NULL) {
        lua_pattern_spend(m, 8);
        luaL_addlstring(b, from, (size_t)(p - from));
        p++;
        if (*p == '%') {
            luaL_addchar(b, '%');
        } else if (*p == '0') {
            luaL_addlstring(b, s, (size_t)(e - s));
        } else if (isdigit((unsigned char)*p)) {
            lua_pattern_push_capture(m, *p - '1', s, e);
            luaL_addvalue(b);
        } else {
            luaL_error(m->L, "invalid use of '%%' in replacement string");
        }
        from = p + 1;
    }
    luaL_addlstring(b, from, (size_t)(end - from));
}

/* Add what replaces the match from s to e; false if that is the match itself. */
static bool add_replacement(struct lua_pattern *m, luaL_Buffer *b, const char *s, const char *e) {
    lua_State *L = m->L;

    switch (lua_type(L, 3)) {
    case LUA_TFUNCTION:
        lua_pushvalue(L, 3);
        lua_call(L, lua_pattern_push_captures(m, s, e), 1);
        break;
    case LUA_TTABLE:
        lua_pattern_push_capture(m, 0, s, e);
        lua_gettable(L, 3);
        break;
    default:
        add_template(m, b, s, e);
        return true;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, s, (size_t)(e - s));
        return false;
    }
    if (!lua_isstring(L, -1))
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    luaL_addvalue(b);
    return true;
}

static int l_gsub(lua_State *L) {
    size_t ls, lp;
    const char *at = luaL_checklstring(L, 1, &ls), *p = luaL_checklstring(L, 2, &lp);
    const char *last = NULL, *end;
    int type = lua_type(L, 3);
    lua_Integer max = luaL_optinteger(L, 4, (lua_Integer)ls + 1), n = 0;
    bool anchored = *p == '^', changed = false;
    struct lua_pattern m;
    luaL_Buffer b;

    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION ||
                         type == LUA_TTABLE,
                     3, "string/function/table");
    lua_pattern_init(&m, L, at, ls, p + anchored, lp - anchored);
    luaL_buffinit(L, &b);
    while (n < max) {
        if ((end = lua_pattern_at(&m, at)) != NULL && end != last) {
            n++;
            changed |= add_replacement(&m, &b, at, end);
            at = last = end;
        } else if (at < m.subject_end) {
            luaL_addchar(&b, *at++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    if (changed) {
        luaL_addlstring(&b, at, (size_t)(m.subject_end - at));
        luaL_pushresult(&b);
    } else {
        lua_pushvalue(L, 1);
    }
    lua_pushinteger(L, n);
    return 2;
}

static int l_rep(lua_State *L) {
    size_t ls, lsep, unit, filled, total;
    const char *s = luaL_checklstring(L, 1, &ls);
    lua_Integer n = luaL_checkinteger(L, 2);
    const char *sep = luaL_optlstring(L, 3, "", &lsep);
    luaL_Buffer b;
    char *to;

    unit = ls + lsep;
    if (n <= 0 || unit == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if ((lua_Unsigned)n > REP_MAX / unit + 1 || (total = (size_t)n * unit - lsep) > REP_MAX)
        return luaL_error(L, "resulting string too large (over %d bytes)", (int)REP_MAX);
    to = luaL_buffinitsize(L, &b, total + lsep);
    memcpy(to, s, ls);
    memcpy(to + ls, sep, lsep);
    for (filled = unit; filled < total; filled *= 2) /* what is there, once more */
        memcpy(to + filled, to, filled < total - filled ? filled : total - filled);
    luaL_pushresultsize(&b, total);
    return 1;
}

int lua_string_open(lua_State *L) {
    static const luaL_Reg functions[] = {{"find", l_find}, {"match", l_match}, {"gmatch", l_gmatch},
                                         {"gsub", l_gsub}, {"rep", l_rep},     {NULL, NULL}};

    lua_getglobal(L, "string");
    luaL_setfuncs(L, functions, 0);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    return 1;
}
