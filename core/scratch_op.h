/*
 * scratch_op.h - an operation of a rehearsal's store: reads of the real store, one after another,
 *   and what comes of them.
 *
 * Each read names the step that takes its answer; a step asks once more or ends the operation.
 * Steps run one after another, never one within another, and done() is called when none is left on
 * the stack.
 */
#ifndef SCRATCH_OP_H
#define SCRATCH_OP_H

#include "buf.h"
#include "scratch_over.h"

struct scratch_op;
typedef void scratch_step_fn(struct scratch_op *op, struct store_reply *real);

/* A listing on its way into another. */
struct scratch_page {
    struct store_reply reply;
    size_t at; /* the next document */
};

struct scratch_op {
    struct store_call call;
    struct scratch_over *over;
    struct store_request *rq; /* a copy; it holds the scratch */
    struct store_call *real;  /* the read under way */
    scratch_step_fn *step;
    struct store_reply answer; /* for the step */
    bool answered, running, ended;
    struct store_reply reply;

    /* A document that is being taken over. */
    json_t *fields;
    char version[STORE_VERSION_SIZE];
    unsigned tries;

    /* COUNT: what the real store counts and we have taken over. */
    unsigned taken;

    /* QUERY */
    struct buf place;                /* that the page token names: created_at, NUL, id */
    const char *place_id;            /* in it; NULL: from the top */
    struct scratch_page theirs, own; /* the real store's documents, and ours */
    bool full;                       /* it has its share of bytes */
};

/* Run begin(op), and on from there.  NULL if it has ended already. */
struct store_call *scratch_op_start(struct scratch_over *o, const struct store_request *rq,
                                    store_done_fn *done, void *arg,
                                    void (*begin)(struct scratch_op *op));

/* The one way to the real store, which takes reads alone. */
void scratch_op_ask(struct scratch_op *op, const struct store_request *rq, scratch_step_fn *step);

/* Deliver op->reply: of a failure just the reason. */
void scratch_op_end(struct scratch_op *op);

#endif
