#include "request.h"

#include <string.h>

#include "buf.h"
#include "encode.h"
#include "role.h"

char *request_path(const char *target, struct err *e) {
    size_t n = strcspn(target, "?");
    char *path;
    struct buf b;

    buf_init(&b, n);
    /* '+' is a plus sign in a path */
    for (size_t i = 0, step; i < n; i += step) {
        step = 1;
        if (target[i] == '+')
            buf_addc(&b, '+');
        else if (target[i] != '%')
            buf_addc(&b, target[i]);
        else if (n - i < 3 || encode_percent_decode(&b, target + i, step = 3) != 0)
            goto fail;
    }
    if (encode_utf8_error(b.data, b.len) != b.len || encode_control_at(b.data, b.len) != b.len)
        goto fail;
    path = buf_take(&b, NULL);
    buf_free(&b);
    if (path == NULL)
        err_set(e, ERR_OVERLOADED, "there is not enough memory for this request just now");
    return path;
fail:
    buf_free(&b);
    err_set(e, ERR_MALFORMED_REQUEST, "the path is not valid percent-encoded UTF-8");
    return NULL;
}

int request_route(const struct gen *g, enum env_role role, const char *method, const char *path,
                  struct route_match *m, struct err *e) {
    route_find(g, role, method, path, m);
    if (m->route != NULL)
        return 0;
    if (m->allow[0] != '\0')
        return err_set(e, ERR_METHOD_NOT_ALLOWED, "%.20s is not possible here; possible: %s",
                       method, m->allow);
    return err_set(e, ERR_NOT_FOUND, "there is nothing under this path");
}

int request_access(const struct gen_route *route, const struct task_owner *owner, struct err *e) {
    if (route->access == 0 || (route->access & owner->roles) != 0)
        return 0;
    return err_set(e, ERR_FORBIDDEN, "this caller may not do that");
}

/* --- as Lua sees it -------------------------------------------------------------------------- */

/* What is not percent-encoded UTF-8 is given as it was sent, so that the handler refuses it by name
 * if it matters there; the pixel must be an image whatever is asked. */
static void push_decoded(lua_State *L, const char *s, size_t n) {
    struct buf b;

    buf_init(&b, n);
    if (encode_percent_decode(&b, s, n) == 0 && encode_utf8_error(b.data, b.len) == b.len)
        lua_pushlstring(L, b.data, b.len);
    else if (encode_utf8_error(s, n) == n)
        lua_pushlstring(L, s, n);
    else
        lua_pushliteral(L, "\xEF\xBF\xBD"); /* U+FFFD */
    buf_free(&b);
}

void request_push_query(lua_State *L, const char *target) {
    const char *s = strchr(target, '?'), *equals;
    size_t n;

    lua_newtable(L);
    for (s = s != NULL ? s + 1 : ""; *s != '\0'; s += n + (s[n] == '&')) {
        n = strcspn(s, "&");
        if (n == 0)
            continue;
        equals = memchr(s, '=', n);
        push_decoded(L, s, equals != NULL ? (size_t)(equals - s) : n);
        push_decoded(L, equals != NULL ? equals + 1 : "",
                     equals != NULL ? n - (size_t)(equals - s) - 1 : 0);
        lua_rawset(L, -3);
    }
}

static bool is_secret(const char *name) {
    static const char *const secret[] = {"authorization",
                                         "cookie",
                                         "proxy-authorization",
                                         "x-api-key",
                                         "x-goog-iap-jwt-assertion",
                                         "x-serverless-authorization"};

    for (size_t i = 0; i < COUNT_OF(secret); i++)
        if (strcmp(name, secret[i]) == 0)
            return true;
    return false;
}

/* A value that is not UTF-8 is there all the same, as U+FFFD: a key or a condition that cannot be
 * read must not look like none. */
static void push_header(const char *name, const char *value, void *arg) {
    lua_State *L = arg;
    int headers = lua_gettop(L), key = headers + 1, text = headers + 2;
    char lower[128];
    size_t n = 0, len = strlen(value);

    for (; name[n] != '\0' && n < sizeof(lower) - 1; n++)
        lower[n] = (char)(name[n] >= 'A' && name[n] <= 'Z' ? name[n] + 32 : name[n]);
    lower[n] = '\0';
    if (is_secret(lower))
        return;
    lua_pushlstring(L, lower, n);
    if (encode_utf8_error(value, len) == len)
        lua_pushlstring(L, value, len);
    else
        lua_pushliteral(L, "\xEF\xBF\xBD");
    lua_pushvalue(L, key);
    if (lua_rawget(L, headers) == LUA_TSTRING) { /* one field in several lines */
        lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), lua_tostring(L, text));
        lua_replace(L, text);
    }
    lua_settop(L, text);
    lua_rawset(L, headers);
}

void request_push_headers(lua_State *L, const struct http_request *http) {
    lua_createtable(L, 0, 8);
    http_each_header(http, push_header, L);
}

void request_push_params(lua_State *L, const struct route_match *m) {
    lua_createtable(L, 0, (int)m->nparams);
    for (size_t i = 0; i < m->nparams; i++) {
        lua_pushlstring(L, m->params[i].name, m->params[i].name_len);
        lua_pushlstring(L, m->params[i].value, m->params[i].len);
        lua_rawset(L, -3);
    }
}

void request_push_caller(lua_State *L, const struct task_owner *owner) {
    const char *word;
    unsigned bit;

    lua_createtable(L, 0, 3);
    lua_pushstring(L, owner->caller);
    lua_setfield(L, -2, "name");
    lua_pushstring(L, owner->method);
    lua_setfield(L, -2, "method");
    lua_createtable(L, 0, 4);
    for (size_t i = 0; (word = role_at(i, &bit)) != NULL; i++)
        if (owner->roles & bit) {
            lua_pushboolean(L, true);
            lua_setfield(L, -2, word);
        }
    lua_setfield(L, -2, "roles");
}
