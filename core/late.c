#include "late.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int cannot_open(const char *library, const char *why, struct err *e) {
    return err_set(e, ERR_INTERNAL_ERROR, "%s cannot be loaded: %s", library, why);
}

/* Whole pages; what else is in them is of the same kind. */
static int protect(const void *table, size_t bytes, int protection) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), into = (uintptr_t)table % page;

    return mprotect((char *)(uintptr_t)table - into, into + bytes, protection);
}

static int find(void *handle, const char *const *names, size_t n, void **table) {
    for (size_t i = 0; i < n; i++)
        if ((table[i] = dlsym(handle, names[i])) == NULL)
            return -1;
    return 0;
}

static int open_and_find(const char *library, const char *const *names, size_t n, void *table,
                         struct err *e) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    size_t bytes = n * sizeof(void *);
    int status;

    if (handle == NULL)
        return cannot_open(library, dlerror(), e);
    if (protect(table, bytes, PROT_READ | PROT_WRITE) != 0)
        return cannot_open(library, strerror(errno), e);
    if ((status = find(handle, names, n, table)) != 0)
        (void)cannot_open(library, dlerror(), e);
    if (protect(table, bytes, PROT_READ) != 0)
        return cannot_open(library, strerror(errno), e);
    return status;
}

/* Two tables may be in one page. */
int late_open(const char *library, const char *const *names, size_t n, void *table, struct err *e) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    int status;

    pthread_mutex_lock(&lock);
    status = open_and_find(library, names, n, table, e);
    pthread_mutex_unlock(&lock);
    return status;
}
