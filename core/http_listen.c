#include "http_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

static int listen_fd = -1;

/* The port stands at the same place in the addresses of IPv4 and of IPv6. */
static uint16_t bound_port(int fd) {
    struct sockaddr_in6 a = {0};
    socklen_t n = sizeof(a);

    return getsockname(fd, (struct sockaddr *)&a, &n) == 0 ? ntohs(a.sin6_port) : 0;
}

int http_listen(const char *host, uint16_t *port, bool shared, struct err *e) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char service[8];
    int on = 1, why;

    snprintf(service, sizeof(service), "%u", *port);
    if ((why = getaddrinfo(host, service, &hints, &found)) != 0)
        return err_set(e, ERR_INTERNAL_ERROR, "HOST '%.100s' is not an address of this machine: %s",
                       host, gai_strerror(why));
    listen_fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listen_fd < 0)
        goto fail;
    setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    /* Otherwise two programs would share a port without anybody noticing. */
    if (shared)
        setsockopt(listen_fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (bind(listen_fd, found->ai_addr, found->ai_addrlen) != 0 || listen(listen_fd, 4096) != 0)
        goto fail;
    freeaddrinfo(found);
    *port = bound_port(listen_fd);
    return 0;
fail:
    err_set(e, ERR_INTERNAL_ERROR, "cannot listen on %.100s port %u: %s%s", host, *port,
            strerror(errno), errno == EADDRINUSE ? " (is it running already?)" : "");
    freeaddrinfo(found);
    http_listen_close();
    return -1;
}

int http_probe(const char *host, uint16_t *port, struct err *e) {
    if (http_listen(host, port, false, e) != 0)
        return -1;
    http_listen_close();
    return 0;
}

int http_listen_fd(void) {
    return listen_fd;
}

void http_listen_close(void) {
    if (listen_fd >= 0)
        close(listen_fd);
    listen_fd = -1;
}
