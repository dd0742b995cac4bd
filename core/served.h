/*
 * served.h - what is told and counted of a request that has ended.
 */
#ifndef SERVED_H
#define SERVED_H

#include "base.h"
#include "http.h"
#include "log.h"
#include "task.h"

#define SERVED_GONE 499 /* the status, if the client left before the answer */

struct served {
    const struct http_request *http;
    const struct log_scope *scope;
    const struct task_owner *owner; /* without roles: nobody known */
    const char *path;               /* NULL: malformed */
    const char *route;              /* its pattern; "": none */
    const char *why;                /* it was refused; NULL: it was not */
    int status;
    uint64_t us;
};

/* One event, as Cloud Logging shows requests. */
void served_tell(const struct served *s);

void served_count(const struct served *s);

#endif
