/*
 * spread.c - loaded into wrk (LD_PRELOAD): its connections come from four addresses of loopback in
 *   turn, since paraph gives one address no more than half of its connections.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define ADDRESSES 4

typedef int connect_fn(int fd, const struct sockaddr *to, socklen_t n);

connect_fn connect;

int connect(int fd, const struct sockaddr *to, socklen_t n) {
    static unsigned turn;
    struct sockaddr_in from = {.sin_family = AF_INET};
    connect_fn *next;
    int on = 1;

    *(void **)&next = dlsym(RTLD_NEXT, "connect");
    if (to->sa_family == AF_INET) {
        from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + turn++ % ADDRESSES);
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
        bind(fd, (struct sockaddr *)&from, sizeof(from));
    }
    return next(fd, to, n);
}
