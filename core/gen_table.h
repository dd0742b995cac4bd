/*
 * gen_table.h - what routes.lua and jobs.lua return, read and checked: a part of gen.c.
 */
#ifndef GEN_TABLE_H
#define GEN_TABLE_H

#include <lua.h>

#include "gen.h"

struct gen_table {
    struct gen_route *routes;
    size_t nroutes;
    struct gen_job *jobs;
    size_t njobs;
};

/* That of the generation; gen.c's. */
struct gen_table *gen_table_of(lua_State *L);

/* Called by Lua with what the script returned.  They raise a sentence that names the entry. */
int gen_table_read_routes(lua_State *L);
int gen_table_read_jobs(lua_State *L);

void gen_table_free(struct gen_table *t);

#endif
