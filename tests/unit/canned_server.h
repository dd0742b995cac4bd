/*
 * canned_server.h - a small HTTP server in the test's own process: one thread a connection, canned
 * answers by path, faults on demand.  Included after cmocka.h, by one test.
 */
#ifndef CANNED_SERVER_H
#define CANNED_SERVER_H

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto.h"

#define REQUEST_MAX (6 * MIB)
#define PARALLEL    200

static struct {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned connections, requests; /* so far */
    unsigned live;                  /* connections now */
    unsigned waiting;               /* requests that nobody will answer, and /together */
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

struct conn {
    int fd;
    unsigned served; /* requests on this connection */
    char *data;      /* one request: head, then body */
    size_t len, head_len, body_len;
};

static void count(unsigned *counter, unsigned by) {
    pthread_mutex_lock(&server.lock);
    *counter += by;
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.lock);
}

static void await(const unsigned *counter, unsigned at_least) {
    pthread_mutex_lock(&server.lock);
    while (*counter < at_least)
        pthread_cond_wait(&server.changed, &server.lock);
    pthread_mutex_unlock(&server.lock);
}

static void put(int fd, const void *data, size_t n) {
    for (const char *p = data; n > 0;) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        p += sent;
        n -= (size_t)sent;
    }
}

static void puts_to(int fd, const char *s) {
    put(fd, s, strlen(s));
}

static void put_answer(int fd, const char *body) {
    char head[96];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    puts_to(fd, head);
    puts_to(fd, body);
}

static bool is(const struct conn *c, const char *path) {
    const char *at = strchr(c->data, ' ');
    size_t n = strlen(path);

    return at != NULL && strncmp(at + 1, path, n) == 0 && strchr(" ?", at[1 + n]) != NULL;
}

/* One whole request into c->data, but the body of one to /early; false at the end of the
 * connection. */
static bool read_request(struct conn *c) {
    char *end = NULL, *length;
    ssize_t n;

    c->len = c->head_len = c->body_len = 0;
    while (end == NULL || c->len < c->head_len + c->body_len) {
        if ((n = recv(c->fd, c->data + c->len, REQUEST_MAX - c->len, 0)) <= 0)
            return false;
        c->len += (size_t)n;
        c->data[c->len] = '\0';
        if (end == NULL && (end = strstr(c->data, "\r\n\r\n")) != NULL) {
            c->head_len = (size_t)(end + 4 - c->data);
            length = strcasestr(c->data, "\r\ncontent-length:");
            c->body_len = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
            if (is(c, "/early"))
                return true;
        }
    }
    return true;
}

/* Wait until the client leaves. */
static void hold(struct conn *c) {
    char byte;

    count(&server.waiting, 1);
    while (recv(c->fd, &byte, 1, 0) > 0)
        continue;
}

/* Refuse while the body is coming in, and break off in the answer. */
static void refuse_early(struct conn *c) {
    puts_to(c->fd, "HTTP/1.1 413 Too Large\r\nContent-Length: 50\r\nX-Early: yes\r\n\r\ntoo");
    shutdown(c->fd, SHUT_WR);
    while (recv(c->fd, c->data, REQUEST_MAX, 0) > 0)
        continue;
}

static void put_many_headers(int fd, unsigned n) {
    char line[1100];

    puts_to(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
    for (unsigned i = 0; i < n; i++) {
        int len = snprintf(line, sizeof(line), "X-Header-%u: %01000u\r\n", i, i);

        put(fd, line, (size_t)len);
    }
    puts_to(fd, "\r\nok");
}

static void put_large(int fd, size_t n) {
    static const char block[64 * 1024];
    char head[96];

    snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
    puts_to(fd, head);
    for (size_t left = n; left > 0;) {
        size_t part = left < sizeof(block) ? left : sizeof(block);

        put(fd, block, part);
        left -= part;
    }
}

static void reset(int fd) {
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static const struct {
    const char *path, *answer;
    bool keep; /* the connection */
} canned[] = {
    {"/hello",
     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Mixed-CASE:  A b \r\nX-Empty:\r\n"
     "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Folded: one\r\n  two\r\n\r\nhello",
     true},
    {"/204", "HTTP/1.1 204 No Content\r\n\r\n", true},
    {"/404", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", true},
    {"/503", "HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nRetry-After: 7\r\n\r\n", true},
    {"/redirect", "HTTP/1.1 302 Found\r\nLocation: /hello\r\nContent-Length: 0\r\n\r\n", true},
    {"/chunked",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
     "5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Late: yes\r\n\r\n",
     true},
    {"/hints",
     "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Final: 1\r\n\r\nok",
     true},
    {"/gzip", "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
     true},
    {"/until-closed", "HTTP/1.1 200 OK\r\n\r\nall of it", false},
    {"/truncated", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nonly this", false},
    {"/truncated-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nonly this",
     false},
    {"/truncated-head", "HTTP/1.1 200 OK\r\nContent-Le", false},
    {"/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n", false},
    {"/garbage", "\x01\x02 what is this\r\n\r\n", false},
    {"/silent", "", false},
};

/* Answer one request; false if the connection is to be closed. */
static bool answer(struct conn *c) {
    char hex[CRYPTO_SHA256_HEX];

    for (size_t i = 0; i < COUNT_OF(canned); i++)
        if (is(c, canned[i].path)) {
            puts_to(c->fd, canned[i].answer);
            return canned[i].keep;
        }
    if (is(c, "/echo-head")) {
        c->data[c->head_len] = '\0';
        put_answer(c->fd, c->data);
    } else if (is(c, "/digest")) {
        crypto_sha256_hex(hex, c->data + c->head_len, c->body_len);
        put_answer(c->fd, hex);
    } else if (is(c, "/never")) {
        hold(c);
        return false;
    } else if (is(c, "/half")) {
        puts_to(c->fd, "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhalf");
        hold(c);
        return false;
    } else if (is(c, "/early")) {
        refuse_early(c);
        return false;
    } else if (is(c, "/after-never")) { /* answered when a request to /never has arrived */
        await(&server.waiting, 1);
        put_answer(c->fd, "now");
    } else if (is(c, "/together")) { /* answered when all have arrived */
        count(&server.waiting, 1);
        await(&server.waiting, PARALLEL);
        put_answer(c->fd, "together");
    } else if (is(c, "/many-headers")) {
        put_many_headers(c->fd, 50);
    } else if (is(c, "/too-many-headers")) {
        put_many_headers(c->fd, 80);
    } else if (is(c, "/large")) {
        put_large(c->fd, 9 * MIB);
    } else if (is(c, "/reset")) {
        reset(c->fd);
        return false;
    } else if (is(c, "/once")) { /* a connection's first request alone */
        if (c->served > 1)
            return false;
        put_answer(c->fd, "once");
    }
    return true;
}

static void *serve_connection(void *arg) {
    struct conn c = {.fd = (int)(intptr_t)arg, .data = malloc(REQUEST_MAX + 1)};

    while (c.data != NULL && read_request(&c)) {
        c.served++;
        count(&server.requests, 1);
        if (!answer(&c))
            break;
    }
    free(c.data);
    close(c.fd);
    count(&server.live, (unsigned)-1);
    return NULL;
}

static void *serve(void *arg) {
    pthread_attr_t detached;
    int fd;

    (void)arg;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 256 * KIB);
    while ((fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_t thread;

        count(&server.connections, 1);
        count(&server.live, 1);
        if (pthread_create(&thread, &detached, serve_connection, (void *)(intptr_t)fd) != 0)
            abort();
    }
    pthread_attr_destroy(&detached);
    return NULL;
}

/* On a free port of the loopback interface. */
static void server_start(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    server.connections = server.requests = server.live = server.waiting = 0;
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(server.listener, 1024), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&at, &len), 0);
    server.port = ntohs(at.sin_port);
    pthread_create(&server.thread, NULL, serve, NULL);
}

/* Its clients have left. */
static void server_stop(void) {
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    pthread_mutex_lock(&server.lock);
    while (server.live > 0)
        pthread_cond_wait(&server.changed, &server.lock);
    pthread_mutex_unlock(&server.lock);
}

#endif
