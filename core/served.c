#include "served.h"

#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "caller.h"
#include "json_line.h"
#include "measure.h"
#include "metrics.h"

#define AGENT_MAX 500 /* bytes of a User-Agent that are told */
#define TOLD_MAX  (64 * KIB)

/* --- the event ------------------------------------------------------------------------------- */

/* Cloud Logging's HttpRequest: what has 64 bits there is text. */
static void add_http_request(struct buf *out, const struct served *s) {
    const char *agent = http_header(s->http, "User-Agent");
    char address[CALLER_ADDRESS_SIZE], told[AGENT_MAX + 1];

    caller_address(s->http, address);
    snprintf(told, sizeof(told), "%s", agent != NULL ? agent : "");
    buf_addc(out, '{');
    json_line_add_member(out, "requestMethod", s->http->method);
    if (s->path != NULL)
        json_line_add_member(out, "requestUrl", s->path);
    buf_addf(out, ",\"status\":%d,\"requestSize\":\"%zu\",\"responseSize\":\"%zu\"", s->status,
             s->http->body_length, s->http->reply_length);
    json_line_add_member(out, "userAgent", told);
    json_line_add_member(out, "remoteIp", address);
    buf_addf(out, ",\"latency\":\"%.6fs\"", (double)s->us / 1e6);
    if (s->http->version != NULL)
        json_line_add_member(out, "protocol", s->http->version);
    buf_addc(out, '}');
}

static void add_labels(struct buf *out, const struct served *s) {
    buf_addc(out, '{');
    if (s->owner->roles != 0)
        json_line_add_member(out, "caller", s->owner->caller);
    if (s->route[0] != '\0')
        json_line_add_member(out, "route", s->route);
    buf_addc(out, '}');
}

/* What was made, as a field's value. */
static const char *text_of(const struct buf *b) {
    return buf_failed(b) || b->len == 0 ? NULL : b->data;
}

void served_tell(const struct served *s) {
    bool known = s->owner->roles != 0;
    struct buf http, labels; /* for programs alone */

    if (!log_on(LOG_INFO))
        return;
    buf_init(&http, TOLD_MAX);
    buf_init(&labels, TOLD_MAX);
    if (log_is_json()) {
        add_http_request(&http, s);
        add_labels(&labels, s);
    }
    LOG(LOG_INFO, s->scope, "request", LOG_S("method", s->http->method), LOG_S("path", s->path),
        LOG_I("status", s->status), LOG_N("ms", (double)s->us / 1000),
        LOG_S("caller", known ? s->owner->caller : NULL),
        LOG_S("auth", known ? s->owner->method : NULL), LOG_S("refused", s->why),
        LOG_I("bytes_in", s->http->body_length), LOG_I("bytes_out", s->http->reply_length),
        LOG_S("remote", http_remote(s->http)), LOG_J("httpRequest", text_of(&http)),
        LOG_J("logging.googleapis.com/labels", text_of(&labels)));
    buf_free(&http);
    buf_free(&labels);
}

/* --- the figures ----------------------------------------------------------------------------- */

/* Anybody can make up methods; series are not to be had for that. */
static const char *known_method(const char *method) {
    static const char *const known[] = {"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"};

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(method, known[i]) == 0)
            return known[i];
    return "other";
}

void served_count(const struct served *s) {
    const char *route = s->route[0] != '\0' ? s->route : "other";
    char status[METRICS_NUMBER_SIZE];

    METRICS_COUNT(METRIC_HTTP_REQUESTS, known_method(s->http->method), route,
                  metrics_number(status, s->status));
    metrics_observe(METRIC_HTTP_SECONDS, s->us, METRICS_LABELS(route));
    measure_seldom();
}
