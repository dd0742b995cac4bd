/*
 * fuzz_url.c - targets of requests: a path that is taken is text, and finds at most the route that
 * its segments spell; a query becomes names and values of valid UTF-8, however it is written.
 *
 * The input is a line with a method, and the target.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "encode.h"
#include "request.h"
#include "task_budget.h"
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

/* Encoded anew, it is read as the same. */
static void check_path(const char *path) {
    size_t n = strlen(path);
    struct buf target;
    char *again = NULL;

    demand(encode_utf8_error(path, n) == n && encode_control_at(path, n) == n);
    buf_init(&target, 3 * n);
    encode_percent(&target, path, n);
    demand(!buf_failed(&target) && (again = request_path(target.data, NULL)) != NULL);
    demand(strcmp(again, path) == 0);
    free(again);
    buf_free(&target);
}

/* The pattern, with the parameters in their places, is the path. */
static void check_match(const struct route_match *m, const char *path) {
    struct buf spelt;
    size_t n = 0;

    buf_init(&spelt, strlen(path));
    for (const char *s = m->route->pattern; *s != '\0'; s++) {
        if (*s != '{') {
            buf_addc(&spelt, *s);
            continue;
        }
        demand(n < m->nparams && m->params[n].len > 0);
        demand(memchr(m->params[n].value, '/', m->params[n].len) == NULL);
        demand(strncmp(m->params[n].name, s + 1, m->params[n].name_len) == 0);
        buf_add(&spelt, m->params[n].value, m->params[n].len);
        s = strchr(s, '}');
        n++;
    }
    demand(n == m->nparams && !buf_failed(&spelt) && strcmp(spelt.data, path) == 0);
    buf_free(&spelt);
}

static void check_route(const char *method, const char *path) {
    struct route_match m, get;
    struct err e = {.code = ERR_NONE};

    if (request_route(world_gen(), ENV_ALL, method, path, &m, &e) == 0) {
        check_match(&m, path);
        demand(strcmp(method, "HEAD") == 0 || strcmp(m.route->method, method) == 0);
    } else {
        demand(e.code == (m.allow[0] != '\0' ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND));
        demand(encode_control_at(m.allow, strlen(m.allow)) == strlen(m.allow));
    }
    if (strcmp(method, "HEAD") == 0) {
        route_find(world_gen(), ENV_ALL, "GET", path, &get);
        demand(get.route == m.route);
    }
}

static void check_text(lua_State *L, int idx) {
    size_t n;
    const char *s = lua_tolstring(L, idx, &n);

    demand(lua_type(L, idx) == LUA_TSTRING && encode_utf8_error(s, n) == n);
}

static void check_query(const char *target) {
    lua_State *L = gen_state(world_gen());

    request_push_query(L, target);
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
        check_text(L, -2);
        check_text(L, -1);
    }
    lua_pop(L, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *method = strndup((const char *)data, size), *path;
    char *target = method + strcspn(method, "\n");
    struct err e = {.code = ERR_NONE};

    if (*target != '\0')
        *target++ = '\0';
    gen_allow(world_gen(), TASK_SLICE_MEM);
    if ((path = request_path(target, &e)) != NULL) {
        check_path(path);
        check_route(method, path);
    } else {
        demand(e.code == ERR_MALFORMED_REQUEST && e.message[0] != '\0');
    }
    check_query(target);
    free(path);
    free(method);
    return 0;
}
