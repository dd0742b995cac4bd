/*
 * route.h - which route of a generation serves a request.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "env.h"
#include "gen.h"

#define ROUTE_PARAMS_MAX 8

struct route_param {
    const char *name; /* in the route's pattern, not terminated */
    size_t name_len;
    const char *value; /* in the path, not terminated */
    size_t len;
};

struct route_match {
    const struct gen_route *route; /* NULL: none */
    struct route_param params[ROUTE_PARAMS_MAX];
    size_t nparams;
    char allow[64]; /* without a route: the methods that the path has, "" for an unknown path */
};

/* path is decoded and without the query; HEAD is served by GET. */
void route_find(const struct gen *g, enum env_role role, const char *method, const char *path,
                struct route_match *out);

#endif
