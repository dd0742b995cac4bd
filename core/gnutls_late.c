/*
 * gnutls_late.c - GnuTLS comes along with libmicrohttpd, and starts when it is needed: not at all,
 * as long as TLS towards callers is left to who stands before us, and libcurl's is OpenSSL.
 *
 * The dynamic linker finds what is defined here before what the library defines.
 */
#include <dlfcn.h>

#include "base.h"

int _gnutls_global_init_skip(void);
int gnutls_global_init(void);

static bool linked;

/* Ours is the last: those of the libraries have run. */
__attribute__((constructor)) static void end_linking(void) {
    linked = true;
}

/* GnuTLS asks this in its constructor. */
int _gnutls_global_init_skip(void) {
    return 1;
}

/* libmicrohttpd calls this in its own.  Whoever does later means it. */
int gnutls_global_init(void) {
    int (*start)(void);

    if (!linked)
        return 0;
    *(void **)&start = dlsym(RTLD_NEXT, "gnutls_global_init");
    return start != NULL ? start() : -1;
}
