/*
 * request.h - what a request is before a handler sees it: its path, its route, who may take that
 *   route, and the parts of the table that the handler gets.
 *
 * Shared by the host, which has requests from HTTP, and by tests, which make them up.
 */
#ifndef REQUEST_H
#define REQUEST_H

#include <lua.h>

#include "err.h"
#include "gen.h"
#include "http.h"
#include "route.h"
#include "task.h"

/* The path of a target, decoded and without the query; the caller frees it.  NULL: it is malformed,
 * or out of memory. */
char *request_path(const char *target, struct err *e);

/* The route of a ROLE; -1: ERR_NOT_FOUND, or ERR_METHOD_NOT_ALLOWED with what m->allow lists. */
int request_route(const struct gen *g, enum env_role role, const char *method, const char *path,
                  struct route_match *m, struct err *e);

/* May he take the route?  -1: ERR_FORBIDDEN. */
int request_access(const struct gen_route *route, const struct task_owner *owner, struct err *e);

/* Members of the request as scripts see it. */
void request_push_query(lua_State *L, const char *target);
void request_push_headers(lua_State *L,
                          const struct http_request *http); /* but for the secret ones */
void request_push_params(lua_State *L, const struct route_match *m);
void request_push_caller(lua_State *L, const struct task_owner *owner);

#endif
