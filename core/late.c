#include "late.h"

#include <dlfcn.h>

static int cannot_open(const char *library, struct err *e) {
    return err_set(e, ERR_INTERNAL_ERROR, "%s cannot be loaded: %s", library, dlerror());
}

int late_open(const char *library, const char *const *names, size_t n, void *functions,
              struct err *e) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL), **function = functions;

    if (handle == NULL)
        return cannot_open(library, e);
    for (size_t i = 0; i < n; i++)
        if ((function[i] = dlsym(handle, names[i])) == NULL)
            return cannot_open(library, e);
    return 0;
}
