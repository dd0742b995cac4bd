#include "check_script.h"

#include <string.h>

#include <lauxlib.h>

#include "check_step.h"
#include "gen.h"
#include "loop.h"
#include "task.h"
#include "terminal.h"

struct run {
    const char *step, *module;
    lua_CFunction arguments;
    const void *given;
    bool ended;
};

/* --- what comes of it ------------------------------------------------------------------------ */

/* Nothing here can raise, since it is not protected. */
static void tell_line(lua_State *L, int line) {
    static const struct {
        const char *word;
        void (*tell)(const char *step, const char *fmt, ...) PRINTF_LIKE(2, 3);
    } states[] = {{"ok", check_step_ok},
                  {"odd", check_step_odd},
                  {"differs", check_step_differs},
                  {"failed", check_step_failed}};
    const char *text[4];

    for (int i = 0; i < 4; i++) {
        lua_rawgeti(L, line, i + 1);
        text[i] = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    }
    for (size_t i = 0; i < COUNT_OF(states) && text[0] != NULL; i++)
        if (strcmp(states[i].word, text[0]) == 0)
            states[i].tell(text[1], "%s", text[2]);
    if (text[3] != NULL)
        check_step_note("%s", text[3]);
    lua_pop(L, 4); /* their table keeps the texts */
}

static void tell(lua_State *L, int lines, const char *step) {
    struct err e;

    if (!lua_istable(L, lines)) {
        task_read_err(L, -1, &e);
        check_step_failed(step, "%s", e.message);
        return;
    }
    for (lua_Integer i = 1; lua_rawgeti(L, lines, i) == LUA_TTABLE; i++) {
        tell_line(L, lua_gettop(L));
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static void on_ended(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct run *run = arg;

    if (status != LUA_OK)
        check_step_failed(run->step, "%s", trace);
    else if (!lua_checkstack(co, LUA_MINSTACK))
        check_step_failed(run->step, "not enough memory");
    else
        tell(co, lua_gettop(co) - nres + 1, run->step);
    run->ended = true;
    loop_stop();
}

/* --- running it ------------------------------------------------------------------------------ */

/* Returns the function and its arguments. */
static int l_prepare(lua_State *L) {
    const struct run *run = lua_touserdata(L, 1);

    lua_settop(L, 0);
    lua_getglobal(L, "require");
    lua_pushstring(L, run->module);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, "lines");
    lua_replace(L, 1);
    lua_pushcfunction(L, run->arguments);
    lua_pushlightuserdata(L, (void *)(uintptr_t)run->given);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L);
}

void check_script_run(struct gen *g, const char *step, const char *module, unsigned seconds,
                      lua_CFunction arguments, const void *given) {
    static const struct task_owner owner = {"check", "paraph", "check", NULL, 0, NULL};
    struct run run = {step, module, arguments, given, false};
    lua_State *L = gen_state(g);
    int before = lua_gettop(L);

    terminal_progress("%s ...", step);
    lua_pushcfunction(L, l_prepare);
    lua_pushlightuserdata(L, &run);
    if (task_pcall(g, L, 1, LUA_MULTRET) != LUA_OK) {
        check_step_failed(step, "%s", lua_tostring(L, -1));
        lua_settop(L, before);
        return;
    }
    task_start(g, L, lua_gettop(L) - before - 1, seconds * 1000ULL, &owner, on_ended, &run);
    while (!run.ended)
        loop_run();
}
