/*
 * gen.h - a generation: one Lua state with the scripts and templates as they were when loaded.
 *
 * It holds the tree that it was loaded from, and takes from there what is required later, too.  A
 * generation is immutable once live; a reload builds another, checks it, and swaps one pointer. The
 * old one closes when its last task ends.
 */
#ifndef GEN_H
#define GEN_H

#include <lua.h>

#include "base.h"
#include "err.h"

struct gen_route {
    const char *method;
    const char *pattern; /* "/drafts/{id}/message" */
    unsigned access;     /* any of these roles (role.h); 0: public */
    unsigned deadline_ms;
    bool tracker, gateway; /* which ROLE serves it */
    bool waits;            /* for its client alone: cut off when he leaves, and at shutdown */
    int handler;           /* registry reference */
};

struct gen_job {
    const char *name;
    unsigned every_ms;
    bool tracker, gateway; /* which ROLE does it */
    int run;               /* registry reference */
};

struct gen;
struct tree;
struct scratch;

/* Build a generation from a tree: find every hook, run routes.lua and jobs.lua, check every route
 * and job, load access.lua, check every template.  NULL and a sentence with file and line on
 * failure. */
struct gen *gen_load(struct tree *tree, struct err *e);

/* A generation without routes, for tests and the prompt: bindings, sandbox, scripts to require. */
struct gen *gen_load_bare(struct tree *tree, struct err *e);

/* The same for a test: what its scripts store, send, fetch and wait for ends in a scratch of its
 * own (scratch.h). */
struct gen *gen_load_scratch(struct tree *tree, struct err *e);

/* All that gen_load() builds, in this world (scratch.h), to which it holds a reference; NULL: the
 * real one.  It has no number of its own, and is never swapped in. */
struct gen *gen_load_in(struct tree *tree, struct scratch *world, struct err *e);

/* Close a generation that was never swapped in, at the latest when its last task ends. */
void gen_drop(struct gen *g);

struct gen *gen_live(void);
void gen_swap(struct gen *g); /* NULL: retire the live one */

/* Why what is on the disk now is not live, and since when something is not; ERR_NONE: it is.
 * gen_swap() ends a refusal, and so does gen_refuse(NULL). */
struct gen_refusal {
    struct err err;
    int64_t since_us;
};
void gen_refuse(const struct err *e);
const struct gen_refusal *gen_refused(void);

lua_State *gen_state(struct gen *g);
struct gen *gen_of(lua_State *L);
struct tree *gen_tree(const struct gen *g); /* the generation's own reference */
size_t gen_bytes(const struct gen *g);      /* memory of its state */
size_t gen_bytes_of_all(void);              /* the same of all there are */
unsigned gen_number(const struct gen *g);   /* 1, 2, 3 …; what has none of its own: the last */
unsigned gen_tasks(const struct gen *g);    /* alive */

/* What stands in for the world of these scripts; NULL: nothing does, or L is of no generation. */
struct scratch *gen_scratch(lua_State *L);

/* Is it that of a test? */
bool gen_is_test(lua_State *L);

/* What these scripts take for now, in microseconds since 1970. */
int64_t gen_now_us(lua_State *L);

/* Load routes.lua and access.lua into a generation that was made without.  Raises. */
void gen_need_routes(lua_State *L);
const struct gen_route *gen_routes(const struct gen *g, size_t *n);
const struct gen_job *gen_jobs(const struct gen *g, size_t *n);

/* What access.lua says of an identity: its roles, unless it brings those, and how many requests a
 * minute it may make (0: as many as it likes).  -1 if the script fails, with the reason and its
 * chain of calls in `why`. */
struct gen_identity {
    const char *method; /* of AUTH, by which it is known */
    const char *name;
    bool has_roles;
    unsigned roles;
    double per_minute;
};
int gen_access(struct gen *g, struct gen_identity *who, char *why, size_t size);

/* A task holds its generation; what is held stays open after it was replaced. */
void gen_hold(struct gen *g);
void gen_release(struct gen *g);

/* A coroutine to begin in, with its reference in the registry: one that a task has left behind,
 * whose stack is empty, or a new one.  Raises when out of memory. */
lua_State *gen_take_thread(struct gen *g, int *ref);

/* What a task began in, and no longer needs.  `ended`: it has returned, and can be begun anew. */
void gen_leave_thread(struct gen *g, lua_State *co, int ref, bool ended);

/* By how much the memory of its state may grow from now on before an allocation is refused, at most
 * to GEN_BYTES_MAX in all; the limit before, for gen_allow_until().  The task machine sets it for
 * each slice. */
#define GEN_BYTES_MAX (512 * MIB)
size_t gen_allow(struct gen *g, size_t growth);
void gen_allow_until(struct gen *g, size_t limit);
size_t gen_limit(const struct gen *g);

/* The bytes of its state, and by how many it has grown since it was loaded. */
size_t gen_growth(const struct gen *g);

#endif
