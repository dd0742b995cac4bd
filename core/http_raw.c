#include "http_raw.h"

#include <sys/socket.h>

#include <microhttpd.h>

#include "buf.h"

#define RAW_MAX ((size_t)64 * KIB)

void http_raw_reply(int fd, int status, const struct http_header *headers, size_t nheaders,
                    const struct blob *body) {
    struct buf b;

    buf_init(&b, RAW_MAX);
    buf_addf(&b, "HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: %zu\r\n", status,
             MHD_get_reason_phrase_for((unsigned)status), body != NULL ? body->len : 0);
    for (size_t i = 0; i < nheaders; i++)
        buf_addf(&b, "%s: %s\r\n", headers[i].name, headers[i].value);
    buf_adds(&b, "\r\n");
    if (body != NULL)
        buf_add(&b, body->data, body->len);
    if (!buf_failed(&b))
        (void)!send(fd, b.data, b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    buf_free(&b);
}
