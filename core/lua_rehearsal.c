/*
 * lua_rehearsal.c - paraph.rehearsal: is this one, and what would have left.
 */
#include "lua_rehearsal.h"

#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "gen.h"
#include "lua_blob.h"

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void push_recipients(lua_State *L, const char *lines) {
    size_t n;

    lua_newtable(L);
    for (lua_Integer i = 1; *lines != '\0'; lines += n + 1, i++) {
        n = strcspn(lines, "\n");
        lua_pushlstring(L, lines, n);
        lua_rawseti(L, -2, i);
    }
}

void lua_rehearsal_push_letters(lua_State *L, const struct scratch *s) {
    const struct scratch_letter *l = scratch_letters(s);

    lua_newtable(L);
    for (lua_Integer i = 1; l != NULL; l = l->next, i++) {
        lua_createtable(L, 0, 7);
        lua_pushboolean(L, l->sent);
        lua_setfield(L, -2, "sent");
        set_text(L, "id", l->id);
        set_text(L, "thread_id", l->thread_id);
        set_text(L, "key", l->key);
        set_text(L, "mailbox", l->mailbox);
        push_recipients(L, l->recipients);
        lua_setfield(L, -2, "to");
        lua_blob_push(L, l->message);
        lua_setfield(L, -2, "bytes");
        lua_rawseti(L, -2, i);
    }
}

/* NULL: these scripts run in another world. */
static struct scratch *rehearsal_of(lua_State *L) {
    struct scratch *s = gen_scratch(L);

    return s != NULL && scratch_is_rehearsal(s) ? s : NULL;
}

/* active() -> true in a rehearsal */
static int l_active(lua_State *L) {
    lua_pushboolean(L, rehearsal_of(L) != NULL);
    return 1;
}

/* letters() -> what has left, and what waits in the mailbox */
static int l_letters(lua_State *L) {
    const struct scratch *s = rehearsal_of(L);

    if (s == NULL)
        return luaL_error(L, "this is no rehearsal: what leaves here has left");
    lua_rehearsal_push_letters(L, s);
    return 1;
}

int lua_rehearsal_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"active", l_active},
        {"letters", l_letters},
        {NULL, NULL},
    };

    luaL_newlib(L, functions);
    return 1;
}
