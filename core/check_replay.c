#include "check_replay.h"

#include <lua.h>

#include "auth.h"
#include "check_script.h"
#include "check_step.h"
#include "fetch.h"
#include "services.h"
#include "store.h"

#define SECONDS 60 /* within which it must be done */

static const char step[] = "replay";

static int l_arguments(lua_State *L) {
    const unsigned *drafts = lua_touserdata(L, 1);

    lua_pushinteger(L, *drafts);
    return 1;
}

static void replay(struct gen *g, unsigned drafts) {
    struct err e;

    if (store_init(&e) != 0) {
        check_step_failed(step, "%s", e.message);
        return;
    }
    check_script_run(g, step, "lib.replay", SECONDS, l_arguments, &drafts);
    store_fini();
}

void check_replay(struct gen *g, unsigned drafts) {
    struct err e;

    if (services_need_store(&e) != 0 || fetch_init(&e) != 0 || auth_init(&e) != 0) {
        check_step_failed(step, "%s", e.message);
        return;
    }
    replay(g, drafts);
    auth_fini();
    fetch_fini();
}
