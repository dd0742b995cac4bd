/*
 * lua_testing.c - paraph.testing: what scripts/lib/testing.lua builds the world of a test from.
 */
#include "lua_testing.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "gen.h"
#include "lua_blob.h"
#include "lua_rehearsal.h"
#include "scratch.h"
#include "task.h"

#define ROOT "paraph.testing.root" /* in the registry */

/* --- what every test has --------------------------------------------------------------------- */

static int l_blob(lua_State *L) {
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);

    lua_blob_push_copy(L, s, n);
    return 1;
}

static int l_read_file(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    char path[PATH_MAX];
    luaL_Buffer b;
    FILE *f;
    size_t n;

    if (lua_getfield(L, LUA_REGISTRYINDEX, ROOT) != LUA_TLIGHTUSERDATA)
        return luaL_error(L, "files are read by `paraph test` alone");
    snprintf(path, sizeof(path), "%s/%s", (const char *)lua_touserdata(L, -1), name);
    if ((f = fopen(path, "re")) == NULL)
        return luaL_error(L, "%s: %s", path, strerror(errno));
    luaL_buffinit(L, &b);
    do {
        char *to = luaL_prepbuffer(&b);

        n = fread(to, 1, LUAL_BUFFERSIZE, f);
        luaL_addsize(&b, n);
    } while (n > 0);
    fclose(f);
    luaL_pushresult(&b);
    return 1;
}

/* --- the scratch ----------------------------------------------------------------------------- */

static struct scratch *check_scratch(lua_State *L) {
    struct scratch *s = gen_scratch(L);

    if (!gen_is_test(L))
        luaL_error(L, "under --real there is no other world than the real one");
    return s;
}

static int l_is_scratch(lua_State *L) {
    lua_pushboolean(L, gen_is_test(L));
    return 1;
}

static int l_refresh(lua_State *L) {
    scratch_refresh(check_scratch(L));
    return 0;
}

static int l_set_now(lua_State *L) {
    struct scratch *s = check_scratch(L);
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    int64_t us;

    luaL_argcheck(L, clock_parse(text, n, &us) == 0, 1, "an RFC 3339 time is needed");
    scratch_set_now(s, us);
    return 0;
}

static int l_advance(lua_State *L) {
    struct scratch *s = check_scratch(L);
    lua_Number seconds = luaL_checknumber(L, 1);

    luaL_argcheck(L, seconds >= 0 && seconds <= 1e10, 1, "seconds, not below 0");
    scratch_advance(s, (uint64_t)llround(seconds * 1e6));
    return 0;
}

static int l_set_no_send(lua_State *L) {
    scratch_set_no_send(check_scratch(L), lua_toboolean(L, 1));
    return 0;
}

/* The number of a verb by the name of its function; SCRATCH_ANY_VERB for nil. */
static int check_verb(lua_State *L, int idx, enum scratch_part part) {
    static const struct {
        const char *name;
        enum scratch_part part;
        int verb;
    } verbs[] = {
        {"get", SCRATCH_STORE, STORE_GET},
        {"create", SCRATCH_STORE, STORE_CREATE},
        {"update", SCRATCH_STORE, STORE_UPDATE},
        {"claim", SCRATCH_STORE, STORE_UPDATE},
        {"delete", SCRATCH_STORE, STORE_DELETE},
        {"query", SCRATCH_STORE, STORE_QUERY},
        {"count", SCRATCH_STORE, STORE_COUNT},
        {"increment", SCRATCH_STORE, STORE_INCREMENT},
        {"parts", SCRATCH_STORE, STORE_PARTS},
        {"send", SCRATCH_MAIL, MAIL_SEND},
        {"signature", SCRATCH_MAIL, MAIL_SIGNATURE},
        {"reply_headers", SCRATCH_MAIL, MAIL_REPLY},
        {"profile", SCRATCH_MAIL, MAIL_PROFILE},
        {"draft_create", SCRATCH_MAIL, MAIL_DRAFT_CREATE},
        {"draft_send", SCRATCH_MAIL, MAIL_DRAFT_SEND},
        {"draft_exists", SCRATCH_MAIL, MAIL_DRAFT_GET},
        {"draft_delete", SCRATCH_MAIL, MAIL_DRAFT_DELETE},
        {"drafts_of", SCRATCH_MAIL, MAIL_DRAFT_FIND},
    };

    if (lua_isnoneornil(L, idx))
        return SCRATCH_ANY_VERB;
    for (size_t i = 0; i < COUNT_OF(verbs); i++)
        if (verbs[i].part == part && strcmp(verbs[i].name, luaL_checkstring(L, idx)) == 0)
            return verbs[i].verb;
    return luaL_error(L, "there is no function '%s' that could fail", luaL_checkstring(L, idx));
}

/* fail_next(part, err, function) */
static int l_fail_next(lua_State *L) {
    static const char *const parts[] = {"store", "mail", NULL};
    struct scratch *s = check_scratch(L);
    enum scratch_part part =
        luaL_checkoption(L, 1, NULL, parts) == 0 ? SCRATCH_STORE : SCRATCH_MAIL;
    struct scratch_failure failure = {.verb = check_verb(L, 3, part)};

    luaL_checktype(L, 2, LUA_TTABLE);
    task_read_err(L, 2, &failure.err);
    if (lua_getfield(L, 2, "code") != LUA_TSTRING || err_from_word(lua_tostring(L, -1)) == ERR_NONE)
        return luaL_error(L, "'%s' is no code of an error", luaL_tolstring(L, -1, NULL));
    lua_getfield(L, 2, "unknown");
    failure.unknown = lua_toboolean(L, -1);
    lua_getfield(L, 2, "happened");
    failure.happened = lua_toboolean(L, -1);
    scratch_fail_next(s, part, &failure);
    return 0;
}

static int l_letters(lua_State *L) {
    lua_rehearsal_push_letters(L, check_scratch(L));
    return 1;
}

/* answers(f): f in place of paraph.fetch */
static int l_answers(lua_State *L) {
    check_scratch(L);
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, LUA_FETCH_ANSWERS);
    return 0;
}

/* --- the module ------------------------------------------------------------------------------ */

void lua_testing_load(lua_State *L, const char *root) {
    static const luaL_Reg functions[] = {
        {"advance", l_advance},
        {"answers", l_answers},
        {"blob", l_blob},
        {"fail_next", l_fail_next},
        {"is_scratch", l_is_scratch},
        {"letters", l_letters},
        {"read_file", l_read_file},
        {"refresh", l_refresh},
        {"set_no_send", l_set_no_send},
        {"set_now", l_set_now},
        {NULL, NULL},
    };

    if (root != NULL) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)root);
        lua_setfield(L, LUA_REGISTRYINDEX, ROOT);
    }
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "paraph.loaded");
    luaL_newlib(L, functions);
    lua_setfield(L, -2, "paraph.testing");
    lua_pop(L, 1);
    lua_getglobal(L, "require");
    lua_pushliteral(L, "lib.testing");
    lua_call(L, 1, 1);
}
