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

enum gen_access { /* bits; 0: public */
                  GEN_DRAFT = 1,
                  GEN_SEND = 2,
                  GEN_REVIEW = 4,
                  GEN_OPS = 8
};

struct gen_route {
    const char *method;
    const char *pattern; /* "/drafts/{id}/message" */
    unsigned access;     /* any of these roles; 0: public */
    unsigned deadline_ms;
    bool tracker, gateway; /* which ROLE serves it */
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

/* Build a generation from a tree: find every hook, run routes.lua and jobs.lua, check every route
 * and job, load access.lua, compile every template.  NULL and a sentence with file and line on
 * failure. */
struct gen *gen_load(struct tree *tree, struct err *e);

/* A generation without routes, for tests and the prompt: bindings, sandbox, scripts to require. */
struct gen *gen_load_bare(struct tree *tree, struct err *e);

/* Close a generation that was never swapped in and has no tasks. */
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
unsigned gen_number(const struct gen *g);   /* 1, 2, 3 … */
size_t gen_bytes(const struct gen *g);      /* memory of its state */
const struct gen_route *gen_routes(const struct gen *g, size_t *n);
const struct gen_job *gen_jobs(const struct gen *g, size_t *n);

/* The roles, bits of enum gen_access, that access.lua gives an identity.  -1 if the script fails,
 * with the reason and its chain of calls in `why`. */
int gen_roles(struct gen *g, const char *method, const char *name, unsigned *bits, char *why,
              size_t size);

/* A task holds its generation; what is held stays open after it was replaced. */
void gen_hold(struct gen *g);
void gen_release(struct gen *g);

/* By how much the memory of its state may grow from now on before an allocation is refused, at most
 * to GEN_BYTES_MAX in all; the limit before, for gen_allow_until().  The task machine sets it for
 * each slice. */
#define GEN_BYTES_MAX (512 * MIB)
size_t gen_allow(struct gen *g, size_t growth);
void gen_allow_until(struct gen *g, size_t limit);
size_t gen_limit(const struct gen *g);

/* The bytes of its state, and by how many it has grown since it was loaded. */
size_t gen_bytes(const struct gen *g);
size_t gen_growth(const struct gen *g);

#endif
