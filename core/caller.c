#include "caller.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth_keys.h"
#include "clock.h"
#include "env.h"
#include "log.h"
#include "metrics.h"
#include "origin.h"
#include "reply.h"
#include "request.h"
#include "role.h"
#include "throttle.h"

#define NETWORK_LEN 8 /* bytes of an IPv6 address that are one customer's: 64 bits */

/* Enough for a crowd behind one address whose keys have been replaced. */
#define FAILURES ((struct throttle_rate){10, 1000})

static struct throttle *failures; /* of authentication, by address */
static struct throttle *requests; /* of identities that access.lua gives a rate */

/* What whoever configured it may not have meant. */
static void warn(void) {
    if (env_uses_auth(ENV_NONE) && !env.loopback)
        LOG(LOG_WARNING, NULL, "AUTH=none: everybody who reaches this service may do everything",
            LOG_S("host", env.host));
    if (env_uses_auth(ENV_IAM) && !env.cloud_run)
        LOG(LOG_WARNING, NULL,
            "AUTH=iam trusts a check that Cloud Run makes, and this is not Cloud Run: whoever "
            "reaches this service can be whom he likes");
}

int caller_init(struct err *e) {
    warn();
    failures = throttle_new();
    requests = throttle_new();
    if (failures == NULL || requests == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return auth_keys_init(e);
}

void caller_fini(void) {
    auth_keys_fini();
    throttle_free(failures);
    throttle_free(requests);
    failures = requests = NULL;
}

/* --- where from ------------------------------------------------------------------------------ */

/* Cloud Run's front end adds the address that it was asked from to the end of the list. */
void caller_address(const struct http_request *http, char out[CALLER_ADDRESS_SIZE]) {
    const char *list = env.cloud_run ? http_header(http, "X-Forwarded-For") : NULL, *last;

    if (list != NULL) {
        last = strrchr(list, ',');
        last = last != NULL ? last + 1 : list;
        last += strspn(last, " \t");
        snprintf(out, CALLER_ADDRESS_SIZE, "%.*s", (int)strcspn(last, " \t"), last);
    } else {
        snprintf(out, CALLER_ADDRESS_SIZE, "%s", http_remote(http));
    }
}

/* What failures are counted for: of IPv6 the network. */
static void read_network(char out[CALLER_ADDRESS_SIZE], const struct http_request *http) {
    struct in6_addr v6;

    caller_address(http, out);
    if (inet_pton(AF_INET6, out, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
        return;
    memset(&v6.s6_addr[NETWORK_LEN], 0, sizeof(v6.s6_addr) - NETWORK_LEN);
    inet_ntop(AF_INET6, &v6, out, CALLER_ADDRESS_SIZE);
}

static bool is_safe(const struct http_request *http) {
    return strcmp(http->method, "GET") == 0 || strcmp(http->method, "HEAD") == 0;
}

static struct origin origin_of(const struct caller *c) {
    return (struct origin){.host = http_header(c->http, "Host"),
                           .origin = http_header(c->http, "Origin"),
                           .fetch_site = http_header(c->http, "Sec-Fetch-Site")};
}

/* --- how often ------------------------------------------------------------------------------- */

static int too_often(struct err *e, uint64_t wait_ms, const char *what) {
    err_set(e, ERR_RATE_LIMITED, "%s; try again later", what);
    e->retry_after = (int)(wait_ms / 1000) + 1;
    return -1;
}

int caller_failed(const struct caller *c, struct err *e) {
    char address[CALLER_ADDRESS_SIZE];
    uint64_t wait;

    read_network(address, c->http);
    wait = throttle_take(failures, FAILURES, address, strlen(address), clock_monotonic_ms());
    return wait == 0 ? 0 : too_often(e, wait, "too many requests without valid credentials");
}

static int check_rate(const struct caller *c, double per_minute, struct err *e) {
    struct throttle_rate rate = {per_minute / 60, per_minute > 1 ? per_minute : 1};
    char key[AUTH_CALLER_NAME_MAX + 16];
    uint64_t wait;

    snprintf(key, sizeof(key), "%s %s", env_auth_name(c->who.method), c->who.name);
    wait = throttle_take(requests, rate, key, strlen(key), clock_monotonic_ms());
    return wait == 0 ? 0 : too_often(e, wait, "this caller has made too many requests");
}

/* --- whether --------------------------------------------------------------------------------- */

/* The reason is for the log; he learns no more than that. */
static int forbid(struct caller *c, enum err_code code, const char *why, struct err *e) {
    c->why = strdup(why);
    if (code == ERR_UNAUTHENTICATED)
        return err_set(e, code, "this needs valid credentials");
    if (code == ERR_FORBIDDEN)
        return err_set(e, code, "this caller may not do that");
    return err_set(e, code, "the caller's identity cannot be checked just now; try again");
}

/* Of what a browser does without being asked to by the person at it. */
static int check_origin(struct caller *c, struct err *e) {
    struct origin o = origin_of(c);
    bool signed_in = c->who.session[0] != '\0';

    if (!c->who.ambient)
        return 0;
    if ((c->who.method == ENV_NONE && env.loopback && c->route->access != 0 &&
         origin_check_loopback(&o, env.host, e) != 0) ||
        (!is_safe(c->http) && origin_check(&o, signed_in, e) != 0)) {
        c->why = strdup(e->message); /* which he may read */
        return -1;
    }
    return 0;
}

static int ask_policies(struct caller *c, struct err *e) {
    struct gen_identity who = {.method = env_auth_name(c->who.method),
                               .name = c->who.name,
                               .has_roles = c->who.has_roles,
                               .roles = c->who.roles};
    uint64_t began = clock_monotonic_us();
    char trace[4096];
    bool failed;

    failed = gen_access(c->gen, &who, trace, sizeof(trace)) != 0;
    metrics_observe(METRIC_POLICY_SECONDS, clock_monotonic_us() - began, METRICS_LABELS("access"));
    if (failed) {
        METRICS_COUNT(METRIC_POLICY_ERRORS, "access");
        LOG(LOG_ERROR, c->scope, "policy error", LOG_S("route", c->route->pattern),
            LOG_S("error", trace));
        return err_set(e, ERR_POLICY_ERROR, REPLY_POLICY_ERROR);
    }
    c->who.roles = who.roles;
    if (who.per_minute > 0 && check_rate(c, who.per_minute, e) != 0)
        return -1;
    if ((c->route->access & who.roles) == 0)
        return forbid(c, ERR_FORBIDDEN, "none of his roles has access", e);
    return 0;
}

static void on_identity(const struct err *why, const struct auth_identity *who, void *arg) {
    struct caller *c = arg;
    struct err e = {.code = ERR_NONE};

    c->asking = NULL;
    loop_timer_stop(&c->deadline);
    if (who == NULL) {
        forbid(c, why->code, why->message, &e);
        if (why->code == ERR_UNAUTHENTICATED)
            (void)caller_failed(c, &e);
    } else {
        c->who = *who;
        if (check_origin(c, &e) == 0)
            ask_policies(c, &e);
    }
    c->done(&e, c->arg);
}

static void on_deadline(void *arg) {
    struct caller *c = arg;
    struct err e;

    loop_timer_stop(&c->deadline);
    auth_caller_cancel(&c->asking);
    err_set(&e, ERR_TIMEOUT, "there was no answer in time");
    c->done(&e, c->arg);
}

static void start_public(struct caller *c) {
    struct err e = {.code = ERR_NONE};

    c->who = (struct auth_identity){.method = ENV_NONE, .ambient = true, .name = "anonymous"};
    check_origin(c, &e);
    c->done(&e, c->arg);
}

static struct auth_credentials credentials_of(const struct http_request *http) {
    return (struct auth_credentials){.authorization = http_header(http, "Authorization"),
                                     .serverless_authorization =
                                         http_header(http, "X-Serverless-Authorization"),
                                     .api_key = http_header(http, "X-API-Key"),
                                     .iap_assertion = http_header(http, "X-Goog-IAP-JWT-Assertion"),
                                     .cookie = http_header(http, "Cookie")};
}

bool caller_shows_credentials(const struct http_request *http) {
    struct auth_credentials c = credentials_of(http);

    return env_uses_auth(ENV_NONE) || c.authorization != NULL ||
           c.serverless_authorization != NULL || c.api_key != NULL || c.iap_assertion != NULL ||
           c.cookie != NULL;
}

void caller_start(struct caller *c, const struct http_request *http, struct gen *g,
                  const struct gen_route *route, const struct log_scope *scope,
                  caller_done_fn *done, void *arg) {
    struct auth_credentials given = credentials_of(http);

    *c = (struct caller){
        .http = http, .gen = g, .route = route, .scope = scope, .done = done, .arg = arg};
    if (route->access == 0)
        start_public(c);
    else if ((c->asking = auth_caller_start(&given, on_identity, c)) != NULL)
        c->deadline = loop_timer_start(route->deadline_ms, on_deadline, c);
}

void caller_end(struct caller *c) {
    loop_timer_stop(&c->deadline);
    auth_caller_cancel(&c->asking);
    free(c->why);
    c->why = NULL;
}
