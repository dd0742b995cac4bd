#include "check_replay.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <lua.h>

#include "auth.h"
#include "check_script.h"
#include "check_step.h"
#include "env.h"
#include "fetch.h"
#include "store.h"

#define SECONDS 60 /* within which it must be done */

static const char step[] = "replay";

static int l_arguments(lua_State *L) {
    const unsigned *drafts = lua_touserdata(L, 1);

    lua_pushinteger(L, *drafts);
    return 1;
}

/* A store that is not there would be made. */
static bool has_store(void) {
    char path[PATH_MAX];

    if (env.backend == ENV_GOOGLE)
        return true;
    snprintf(path, sizeof(path), "%s/paraph.db", env.data_dir);
    if (access(path, F_OK) == 0)
        return true;
    check_step_failed(step, "there is no store: %s: %s", path, strerror(errno));
    return false;
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

    if (!has_store())
        return;
    if (fetch_init(&e) != 0 || auth_init(&e) != 0) {
        check_step_failed(step, "%s", e.message);
        return;
    }
    replay(g, drafts);
    auth_fini();
    fetch_fini();
}
