#include "confine.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "confine_calls.h"
#include "confine_files.h"
#include "log.h"

static int calls_error; /* errno of the first filter; 0: it is on */

static bool dumps_core(void) {
    struct rlimit limit;

    return getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_max != 0;
}

void confine_memory(void) {
    static const struct rlimit none = {0, 0};

    setrlimit(RLIMIT_CORE, &none);
#ifndef INSTRUMENTED
    /* A pipe in core_pattern gets the whole of it in spite of the limit; and no other process of
     * this user reads our memory or environment.  (The leak sanitizer does.) */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

void confine_process(void) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    calls_error = confine_calls_to_service() == 0 ? 0 : errno;
}

void confine_server(const struct tree *tree) {
    int landlock = confine_files(tree);
    int files_error = landlock < 0 ? errno : 0;

    if (calls_error == 0 && confine_calls_to_requests() != 0)
        calls_error = errno;
    LOG(LOG_INFO, NULL, "confined", LOG_I("landlock", landlock < 0 ? 0 : landlock),
        LOG_S("no_landlock", files_error != 0 ? strerror(files_error) : NULL),
        LOG_B("seccomp", calls_error == 0),
        LOG_S("no_seccomp", calls_error != 0 ? strerror(calls_error) : NULL),
        LOG_S("core_dumps", dumps_core() ? "on" : "off"));
}
