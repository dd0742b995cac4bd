#include "host.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <lauxlib.h>

#include "caller.h"
#include "clock.h"
#include "crypto.h"
#include "encode.h"
#include "env.h"
#include "gen.h"
#include "http.h"
#include "log.h"
#include "loop.h"
#include "lua_blob.h"
#include "metrics.h"
#include "reply.h"
#include "request.h"
#include "route.h"
#include "served.h"
#include "task.h"
#include "trace.h"

#define INFLIGHT_MAX 20000 /* requests waiting; more are 503 */
#define ROUTE_MAX    64    /* of its pattern, in the metrics */
#define NEXT_MAX     1000  /* of a target that /sign-in leads on to */
#define LOCATION_MAX 1900  /* with that in it, encoded: REPLY_HEADER_BYTES is not much more */

struct request {
    struct request *next, **link; /* of all under way */
    struct http_request *http;
    struct gen *gen;   /* held: its route is of this one; NULL: not looked for */
    struct task *task; /* NULL: not started, or ended */
    struct caller caller;
    struct task_owner owner; /* once the caller is known */
    struct log_scope scope;
    char *path; /* decoded, without the query */
    struct route_match match;
    char route[ROUTE_MAX]; /* its pattern, which outlives the generation; "": none */
    uint64_t started_us;
    int status;
    bool gone, replied;
};

static struct request *requests;
static unsigned inflight;
static bool stopping;
static struct loop_timer *drain_timer;

static bool is_get(const struct request *q) {
    return strcmp(q->http->method, "GET") == 0;
}

/* --- the reply ------------------------------------------------------------------------------- */

static void send_reply(struct request *q, struct reply *r) {
    if (r->status == 401)
        reply_header(r, "WWW-Authenticate", "Bearer"); /* RFC 9110 §11.6.1 */
    reply_finish(r, q->scope.request_id, q->http);
    q->status = r->status;
    q->replied = true;
    http_reply(q->http, r->status, r->headers, r->nheaders, r->body);
    reply_fini(r);
}

static void send_error(struct request *q, const struct err *e) {
    struct reply r;

    reply_init(&r);
    reply_error(&r, e, q->scope.request_id, NULL);
    if (e->code == ERR_METHOD_NOT_ALLOWED)
        reply_header(&r, "Allow", q->match.allow);
    send_reply(q, &r);
}

static void log_policy_error(const struct request *q, const char *trace) {
    LOG(LOG_ERROR, &q->scope, "policy error", LOG_S("route", q->match.route->pattern),
        LOG_S("error", trace));
}

static void on_task_done(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct request *q = arg;
    struct log_scope here; /* by now it may be known which mail it is about */
    struct reply r;
    struct err e;
    char why[256];

    q->task = NULL;
    here = log_here();
    memcpy(q->scope.mail_trace_id, here.mail_trace_id, sizeof(here.mail_trace_id));
    reply_init(&r);
    if (status == LUA_OK) {
        reply_from_lua(&r, co, nres, q->scope.request_id, why, sizeof(why));
        if (why[0] != '\0')
            log_policy_error(q, why);
    } else if (!reply_from_raised(&r, co, q->scope.request_id)) {
        log_policy_error(q, trace);
    }
    /* A form to sign in by; what was refused before has been counted. */
    if (r.status == 401 && !is_get(q) && q->caller.why == NULL &&
        caller_failed(&q->caller, &e) != 0)
        reply_error(&r, &e, q->scope.request_id, NULL);
    if (r.err.code != ERR_NONE && r.status >= 500 && r.err.code != ERR_POLICY_ERROR)
        LOG(LOG_WARNING, &q->scope, "request failed", LOG_S("route", q->match.route->pattern),
            LOG_E(&r.err));
    send_reply(q, &r);
}

/* --- the request as Lua sees it -------------------------------------------------------------- */

/* Protected; leaves the handler and its argument. */
static int l_push_request(lua_State *L) {
    struct request *q = lua_touserdata(L, 1);
    bool head = strcmp(q->http->method, "HEAD") == 0;

    lua_settop(L, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, q->match.route->handler);
    lua_createtable(L, 0, 10);
    lua_pushstring(L, head ? "GET" : q->http->method);
    lua_setfield(L, 2, "method");
    lua_pushboolean(L, head);
    lua_setfield(L, 2, "head");
    lua_pushstring(L, q->path);
    lua_setfield(L, 2, "path");
    request_push_query(L, q->http->target);
    lua_setfield(L, 2, "query");
    request_push_headers(L, q->http);
    lua_setfield(L, 2, "headers");
    request_push_params(L, &q->match);
    lua_setfield(L, 2, "params");
    lua_blob_push(L, q->http->body);
    lua_setfield(L, 2, "body");
    lua_pushstring(L, q->scope.request_id);
    lua_setfield(L, 2, "id");
    lua_pushstring(L, http_remote(q->http));
    lua_setfield(L, 2, "remote");
    request_push_caller(L, &q->owner);
    lua_setfield(L, 2, "caller");
    return 2;
}

/* Who it comes from has taken some of its time. */
static uint64_t time_left_ms(const struct request *q) {
    uint64_t taken_ms = (clock_monotonic_us() - q->started_us) / 1000;

    return taken_ms < q->match.route->deadline_ms ? q->match.route->deadline_ms - taken_ms : 1;
}

static void start_task(struct request *q) {
    lua_State *L = gen_state(q->gen);
    struct task *t;
    struct err e;

    gen_allow(q->gen, TASK_SLICE_MEM);
    lua_pushcfunction(L, l_push_request);
    lua_pushlightuserdata(L, q);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK) {
        err_set(&e, ERR_OVERLOADED, "there is not enough memory for this request just now");
        lua_pop(L, 1);
        send_error(q, &e);
        return;
    }
    blob_unref(q->http->body); /* the script alone has it now, and may let go of it */
    q->http->body = NULL;
    t = task_start(q->gen, L, 1, time_left_ms(q), &q->owner, on_task_done, q);
    if (!q->replied)
        q->task = t;
}

/* --- people at browsers ---------------------------------------------------------------------- */

/* He asks for HTML, and does not send but what a form sends. */
static bool is_person(const struct request *q) {
    static const char form[] = "application/x-www-form-urlencoded";
    const char *accept = http_header(q->http, "Accept");
    const char *type = http_header(q->http, "Content-Type");

    return accept != NULL && strstr(accept, "text/html") != NULL &&
           (is_get(q) || (type != NULL && strncasecmp(type, form, strlen(form)) == 0));
}

/* A page in place of an error.  It is no redirect: the address stays, and with it what a form has
 * posted, which the browser can send once more. */
static bool take_page(struct request *q, const char *path) {
    struct route_match page;
    struct err none;

    if (request_route(q->gen, env.role, "GET", path, &page, &none) != 0)
        return false;
    q->match = page;
    return true;
}

static void send_to_sign_in(struct request *q, const struct err *e) {
    const char *target = q->http->target;
    struct buf next;
    struct reply r;

    buf_init(&next, LOCATION_MAX);
    buf_adds(&next, "/sign-in?next=");
    encode_percent(&next, target, strlen(target));
    reply_init(&r);
    r.status = 303;
    r.err = *e;
    reply_header(&r, "Location",
                 strlen(target) > NEXT_MAX || buf_failed(&next) ? "/sign-in" : next.data);
    buf_free(&next);
    send_reply(q, &r);
}

/* A person who is not signed in is shown where that is done; a program gets 401. */
static bool ask_to_sign_in(struct request *q, const struct err *e) {
    if (e->code != ERR_UNAUTHENTICATED || !env_uses_auth(ENV_KEY) || !is_person(q))
        return false;
    if (is_get(q)) {
        send_to_sign_in(q, e);
        return true;
    }
    if (!take_page(q, "/error/unauthenticated"))
        return false;
    start_task(q);
    return true;
}

/* Is it a person who has gone where there is nothing to be seen?  He gets a page. */
static bool is_astray(struct request *q, const struct err *e) {
    return (e->code == ERR_NOT_FOUND || e->code == ERR_METHOD_NOT_ALLOWED) && is_get(q) &&
           is_person(q) && take_page(q, "/error/not_found");
}

/* --- admission ------------------------------------------------------------------------------- */

/* The caller's id, if it can be logged and sent back, and his trace; else fresh ones. */
static void take_ids(struct request *q) {
    static const char sane[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "-_.:+/=@";
    const char *given = http_header(q->http, "X-Request-Id");
    size_t n = given != NULL ? strlen(given) : 0;
    bool sound = n > 0 && n <= LOG_REQUEST_ID_MAX && strspn(given, sane) == n;
    bool traced = trace_read(&q->scope.trace, http_header(q->http, "traceparent"),
                             http_header(q->http, "X-Cloud-Trace-Context"));
    char uuid[CRYPTO_UUID_SIZE];

    if (!sound || !traced)
        crypto_uuid4(uuid);
    if (!traced)
        trace_make(&q->scope.trace, uuid);
    memcpy(q->scope.request_id, sound ? given : uuid, sound ? n : CRYPTO_UUID_LEN);
}

/* As far as it can be said without knowing who it comes from. */
static int admit(struct request *q, struct err *e) {
    if ((q->path = request_path(q->http->target, e)) == NULL)
        return -1;
    gen_hold(q->gen = gen_live());
    if (request_route(q->gen, env.role, q->http->method, q->path, &q->match, e) != 0)
        return -1;
    strncpy(q->route, q->match.route->pattern, sizeof(q->route) - 1);
    if (q->match.route->access == 0)
        return 0;
    if (stopping)
        return err_set(e, ERR_SHUTTING_DOWN, "the service is shutting down; try again");
    if (inflight >= INFLIGHT_MAX)
        return err_set(e, ERR_OVERLOADED, "%u requests are under way already; try again", inflight);
    return 0;
}

/* What only waits for a client is not begun for one who has left, nor at the end. */
static bool is_in_vain(const struct request *q, struct err *e) {
    if (!q->match.route->waits || !(q->gone || stopping))
        return false;
    if (stopping)
        err_set(e, ERR_SHUTTING_DOWN, "the service is shutting down; try again");
    else
        err_set(e, ERR_CANCELLED, "the client has left");
    return true;
}

static void on_caller(const struct err *e, void *arg) {
    struct request *q = arg;
    struct err vain;

    q->owner = (struct task_owner){.trace = &q->scope.trace,
                                   .request_id = q->scope.request_id,
                                   .caller = q->caller.who.name,
                                   .method = env_auth_name(q->caller.who.method),
                                   .session = q->caller.who.session,
                                   .roles = q->caller.who.roles};
    if (e->code == ERR_NONE && is_in_vain(q, &vain))
        send_error(q, &vain);
    else if (e->code == ERR_NONE)
        start_task(q);
    else if (!ask_to_sign_in(q, e))
        send_error(q, e);
}

static struct request *request_new(struct http_request *http) {
    struct request *q = calloc(1, sizeof(*q));

    if (q == NULL)
        return NULL;
    q->http = http;
    http->user = q;
    take_ids(q);
    q->started_us = clock_monotonic_us();
    q->next = requests;
    q->link = &requests;
    if (requests != NULL)
        requests->link = &q->next;
    requests = q;
    inflight++;
    metrics_set(METRIC_HTTP_IN_FLIGHT, inflight, METRICS_LABELS());
    return q;
}

static void reply_without_memory(struct http_request *http) {
    http_reply(http, 503, NULL, 0, NULL);
}

/* Nobody fills our memory with what is refused anyway. */
static bool keeps_body(const struct http_request *http) {
    struct route_match m;
    struct err e;
    char *path = request_path(http->target, &e);
    bool keeps = path != NULL &&
                 request_route(gen_live(), env.role, http->method, path, &m, &e) == 0 &&
                 (m.route->access == 0 || caller_shows_credentials(http));

    free(path);
    return keeps;
}

static void on_request(struct http_request *http) {
    struct request *q = request_new(http);
    const struct log_scope *before;
    struct err e;

    if (q == NULL) {
        reply_without_memory(http);
        return;
    }
    before = log_enter(&q->scope);
    if (admit(q, &e) != 0 && !is_astray(q, &e))
        send_error(q, &e);
    else
        caller_start(&q->caller, http, q->gen, q->match.route, &q->scope, on_caller, q);
    log_enter(before);
}

static void on_refused(struct http_request *http, const struct err *e) {
    struct request *q = request_new(http);

    if (q == NULL)
        reply_without_memory(http);
    else
        send_error(q, e);
}

/* Others go on to their end: they may write, and a client that has closed his half still reads. */
static void on_gone(struct http_request *http) {
    struct request *q = http->user;
    struct err e;

    if (q == NULL || q->gone)
        return;
    q->gone = true;
    if (q->task == NULL || !q->match.route->waits)
        return;
    err_set(&e, ERR_CANCELLED, "the client has left");
    task_abort(q->task, &e);
}

static void on_end(struct http_request *http) {
    struct request *q = http->user;
    struct served served;

    if (q == NULL)
        return;
    served = (struct served){.http = http,
                             .scope = &q->scope,
                             .owner = &q->owner,
                             .path = q->path,
                             .route = q->route,
                             .why = q->caller.why,
                             .status = q->gone ? SERVED_GONE : q->status,
                             .us = clock_monotonic_us() - q->started_us};
    served_tell(&served);
    served_count(&served);
    caller_end(&q->caller);
    if (q->gen != NULL)
        gen_release(q->gen);
    *q->link = q->next;
    if (q->next != NULL)
        q->next->link = q->link;
    inflight--;
    metrics_set(METRIC_HTTP_IN_FLIGHT, inflight, METRICS_LABELS());
    free(q->path);
    free(q);
    if (stopping && inflight == 0)
        loop_stop();
}

/* --- birth and death ------------------------------------------------------------------------- */

int host_init(struct err *e) {
    static const struct http_handler handler = {keeps_body, on_request, on_refused, on_gone,
                                                on_end};

    stopping = false;
    if (caller_init(e) != 0)
        return -1;
    return http_init(&handler, env.max_body_bytes, e);
}

static void on_last_second(void *arg) {
    (void)arg;
    loop_stop();
}

static void cut_off(bool all) {
    struct err e;

    err_set(&e, ERR_SHUTTING_DOWN, "the service is shutting down; try again");
    for (struct request *q = requests, *next; q != NULL; q = next) {
        next = q->next;
        if (q->task != NULL && (all || q->match.route->waits))
            task_abort(q->task, &e);
    }
}

static void on_drain_end(void *arg) {
    (void)arg;
    loop_timer_stop(&drain_timer);
    LOG(LOG_WARNING, NULL, "shutdown: requests are cut off", LOG_I("requests", inflight));
    cut_off(true);
    /* A handler that goes on in spite of that has one more second. */
    drain_timer = loop_timer_start(1000, on_last_second, NULL);
}

void host_drain(unsigned ms) {
    if (stopping)
        return;
    stopping = true;
    LOG(LOG_INFO, NULL, "shutting down", LOG_I("requests", inflight));
    http_quiesce();
    cut_off(false);
    if (inflight == 0)
        loop_stop();
    else
        drain_timer = loop_timer_start(ms, on_drain_end, NULL);
}

void host_fini(void) {
    struct err e;

    loop_timer_stop(&drain_timer);
    cut_off(true);
    while (task_run_ready()) /* none may outlive its request */
        ;
    err_set(&e, ERR_SHUTTING_DOWN, "the service is shutting down; try again");
    for (struct request *q = requests; q != NULL; q = q->next) {
        caller_end(&q->caller);
        if (!q->replied)
            send_error(q, &e); /* MHD may not be stopped with a request suspended */
    }
    http_fini();
    caller_fini();
}
