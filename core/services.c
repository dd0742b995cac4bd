#include "services.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auth.h"
#include "base.h"
#include "env.h"
#include "fetch.h"
#include "mail.h"
#include "store.h"

static const struct {
    const char *name;
    int (*init)(struct err *e);
    void (*fini)(void);
} services[] = {
    {"fetch", fetch_init, fetch_fini},
    {"credentials", auth_init, auth_fini},
    {"store", store_init, store_fini},
    {"mail", mail_init, mail_fini},
};

int services_need_store(struct err *e) {
    char path[PATH_MAX];

    if (env.backend == ENV_GOOGLE)
        return 0;
    snprintf(path, sizeof(path), "%s/paraph.db", env.data_dir);
    if (access(path, F_OK) == 0)
        return 0;
    return err_set(e, ERR_NOT_FOUND, "there is no store: %s: %s", path, strerror(errno));
}

static void close_first(size_t n) {
    while (n-- > 0)
        services[n].fini();
}

int services_init(const char **step, struct err *e) {
    for (size_t i = 0; i < COUNT_OF(services); i++)
        if (services[i].init(e) != 0) {
            *step = services[i].name;
            close_first(i);
            return -1;
        }
    return 0;
}

void services_fini(void) {
    close_first(COUNT_OF(services));
}
