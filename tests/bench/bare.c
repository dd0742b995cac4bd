/*
 * bare.c - a peer: libmicrohttpd alone, as paraph uses it (one thread, epoll), that reads a request
 *   and answers always the same bytes.
 *
 *   bare PORT BODY [NAME VALUE]...     the headers
 */
#include <microhttpd.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const char *body;
static char **headers; /* name, value, name ... NULL */

static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data, size_t *n,
                              void **ctx) {
    static int seen;
    struct MHD_Response *r;
    enum MHD_Result queued;

    (void)cls, (void)url, (void)method, (void)version, (void)data;
    if (*ctx == NULL) {
        *ctx = &seen;
        return MHD_YES;
    }
    if (*n > 0) {
        *n = 0;
        return MHD_YES;
    }
    r = MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body,
                                        MHD_RESPMEM_PERSISTENT);
    for (char **h = headers; *h != NULL; h += 2)
        MHD_add_response_header(r, h[0], h[1]);
    queued = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return queued;
}

int main(int argc, char **argv) {
    struct pollfd set = {.events = POLLIN};
    struct MHD_Daemon *d;
    MHD_UNSIGNED_LONG_LONG ms;

    if (argc < 3 || argc % 2 == 0)
        return 2;
    body = argv[2];
    headers = argv + 3;
    d = MHD_start_daemon(MHD_USE_EPOLL, (uint16_t)atoi(argv[1]), NULL, NULL, answer, NULL,
                         MHD_OPTION_CONNECTION_LIMIT, 20000u, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)16384, MHD_OPTION_END);
    if (d == NULL)
        return 1;
    /* Not MHD_run_wait(), which waits on when as many connections are ready as it asks for. */
    set.fd = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    do
        poll(&set, 1, MHD_get_timeout(d, &ms) == MHD_YES ? (int)ms : -1);
    while (MHD_run(d) == MHD_YES);
    return 1;
}
