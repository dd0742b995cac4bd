/*
 * lua_config.c - paraph.config: the settings that scripts may read.
 */
#include <lauxlib.h>

#include "bindings.h"
#include "env.h"
#include "gen.h"

static void set_string(lua_State *L, const char *name, const char *value) {
    lua_pushstring(L, value); /* nil for NULL */
    lua_setfield(L, -2, name);
}

static void set_bool(lua_State *L, const char *name, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, name);
}

static void set_webhook_events(lua_State *L) {
    const char *name;

    lua_newtable(L);
    for (size_t i = 0; (name = env_webhook_event(i)) != NULL; i++)
        if (env_webhook_wants(i))
            set_bool(L, name, true);
    lua_setfield(L, -2, "webhook_events");
}

static void set_auth(lua_State *L) {
    lua_createtable(L, (int)env.nauths, 0);
    for (size_t i = 0; i < env.nauths; i++) {
        lua_pushstring(L, env_auth_name(env.auths[i]));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "auth");
}

int lua_config_open(lua_State *L) {
    static const char *const roles[] = {
        [ENV_ALL] = "all", [ENV_GATEWAY] = "gateway", [ENV_TRACKER] = "tracker"};

    bool test = gen_is_test(L); /* its brake and its routes are its own */

    lua_newtable(L);
    set_string(L, "backend", env.backend == ENV_GOOGLE ? "google" : "local");
    set_string(L, "draft_collection", env.draft_collection);
    set_string(L, "pixel_collection", env.pixel_collection);
    set_string(L, "pixel_base_url", env.pixel_base_url);
    set_bool(L, "tracking", env.tracking);
    set_string(L, "send_mode", env.send_mode == ENV_SEND ? "send" : "draft");
    set_bool(L, "no_send", !test && env.no_send);
    set_string(L, "gmail_user", env.gmail_user);
    set_string(L, "role", roles[test ? ENV_ALL : env.role]);
    set_auth(L);
    set_integer(L, "request_timeout", env.request_timeout);
    set_integer(L, "webhooks", gen_scratch(L) != NULL ? 0 : (lua_Integer)env.nwebhooks);
    set_bool(L, "webhooks_delivered", env.nwebhook_secrets > 0);
    set_webhook_events(L);
    set_string(L, "version", PARAPH_VERSION);
    set_integer(L, "generation", gen_number(gen_of(L)));
    return 1;
}
