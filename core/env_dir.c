/*
 * env_dir.c - directories: those of variables, and those that are shipped.
 */
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env.h"
#include "env_read.h"

/* --- of variables ---------------------------------------------------------------------------- */

const char *env_get_dir(const char *name) {
    const char *value = env_get(name, NULL);
    struct stat st;
    char *real;

    if (value == NULL)
        return NULL;
    if (stat(value, &st) != 0 || (real = realpath(value, NULL)) == NULL) {
        env_fault(name, "'%.200s' cannot be opened: %s", value, strerror(errno));
        return NULL;
    }
    if (!S_ISDIR(st.st_mode)) {
        env_fault(name, "'%.200s' is not a directory", value);
        free(real);
        return NULL;
    }
    return env_own(real);
}

/* Why it cannot be made, as far as that shows beforehand; 0: it can. */
static int why_not_made(const char *path) {
    char *copy = strdup(path);
    int why = copy == NULL || access(dirname(copy), W_OK | X_OK) != 0 ? errno : 0;

    free(copy);
    return why;
}

const char *env_get_data_dir(const char *name, const char *fallback) {
    const char *value = env_get(name, fallback);
    struct stat st;
    int why = 0;

    if (env.backend != ENV_LOCAL)
        return value;
    if (stat(value, &st) == 0)
        why = S_ISDIR(st.st_mode) ? 0 : EEXIST;
    else if (value != fallback) /* not every command makes the default's */
        why = errno == ENOENT ? why_not_made(value) : errno;
    if (why != 0)
        env_fault(name, "'%.200s' is not a directory, nor can one be made there: %s", value,
                  strerror(why));
    return value;
}

/* --- shipped --------------------------------------------------------------------------------- */

/* The shipped scripts lie beside the program: installed, or else in the checkout it was built in.
 * In that order: /usr/local/scripts is somebody else's. */
const char *env_shipped_dir(const char *tree) {
    static const char *const places[] = {"%s/../share/paraph/%s", "%s/../%s", "%s/../../%s"};
    char exe[PATH_MAX], path[PATH_MAX + 64];
    struct stat st;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    char *slash, *real;

    if (n > 0) {
        exe[n] = '\0';
        if ((slash = strrchr(exe, '/')) != NULL)
            *slash = '\0';
        for (size_t i = 0; i < COUNT_OF(places); i++) {
            snprintf(path, sizeof(path), places[i], exe, tree);
            if (stat(path, &st) == 0 && S_ISDIR(st.st_mode) &&
                (real = realpath(path, NULL)) != NULL)
                return env_own(real);
        }
    }
    snprintf(path, sizeof(path), "%s/%s", PARAPH_SHARE_DIR, tree);
    return env_own(strdup(path));
}
