#include "services.h"

#include "auth.h"
#include "base.h"
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
