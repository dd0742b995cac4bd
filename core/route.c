#include "route.h"

#include <string.h>

/* Does path have the shape of pattern?  A {name} takes one segment that is not empty. */
static bool matches(const char *pattern, const char *path, struct route_match *m) {
    const char *end;
    size_t n;

    m->nparams = 0;
    while (*pattern != '\0') {
        if (*pattern != '{') {
            if (*pattern++ != *path++)
                return false;
            continue;
        }
        end = strchr(pattern, '}');
        n = strcspn(path, "/");
        if (end == NULL || n == 0 || m->nparams == ROUTE_PARAMS_MAX)
            return false;
        m->params[m->nparams++] =
            (struct route_param){pattern + 1, (size_t)(end - pattern) - 1, path, n};
        pattern = end + 1;
        path += n;
    }
    return *path == '\0';
}

static void add_allowed(char *allow, size_t size, const char *method) {
    if (allow[0] != '\0')
        strncat(allow, ", ", size - strlen(allow) - 1);
    strncat(allow, method, size - strlen(allow) - 1);
    if (strcmp(method, "GET") == 0)
        strncat(allow, ", HEAD", size - strlen(allow) - 1);
}

/* A tracker is the public half: what takes a role is there if AUTH says who may have one. */
static bool is_served(const struct gen_route *r, enum env_role role) {
    if (role == ENV_TRACKER)
        return r->tracker && (r->access == 0 || env.nauths > 0);
    return role != ENV_GATEWAY || r->gateway;
}

void route_find(const struct gen *g, enum env_role role, const char *method, const char *path,
                struct route_match *out) {
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    struct route_match m = {0};
    const struct gen_route *r;
    size_t n;

    r = gen_routes(g, &n);
    *out = (struct route_match){0};
    for (; n > 0; n--, r++) {
        if (!is_served(r, role) || !matches(r->pattern, path, &m))
            continue;
        if (strcmp(r->method, wanted) != 0) {
            add_allowed(out->allow, sizeof(out->allow), r->method);
            continue;
        }
        memcpy(out->params, m.params, sizeof(m.params));
        out->nparams = m.nparams;
        out->route = r;
        return;
    }
}
