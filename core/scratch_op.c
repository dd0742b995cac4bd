#include "scratch_op.h"

#include <stdlib.h>

#include "scratch.h"
#include "sqlite_query.h"

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_STORE_ERROR, "out of memory");
}

/* --- lifetime -------------------------------------------------------------------------------- */

static void op_free(struct scratch_op *op) {
    struct scratch *s = op->rq->scratch;

    store_request_free(op->rq);
    store_reply_fini(&op->answer);
    store_reply_fini(&op->reply);
    store_reply_fini(&op->theirs.reply);
    store_reply_fini(&op->own.reply);
    json_decref(op->fields);
    buf_free(&op->place);
    free(op);
    scratch_unref(s);
}

static struct scratch_op *op_new(struct scratch_over *o, const struct store_request *rq,
                                 store_done_fn *done, void *arg) {
    struct scratch_op *op = calloc(1, sizeof(*op));

    if (op == NULL || (op->rq = store_request_copy(rq)) == NULL) {
        free(op);
        return NULL;
    }
    op->call = (struct store_call){.done = done, .arg = arg};
    op->over = o;
    buf_init(&op->place, SQLITE_QUERY_TOKEN_MAX);
    scratch_ref(rq->scratch);
    return op;
}

static void deliver(struct scratch_op *op) {
    struct err e = op->reply.err;

    if (e.code != ERR_NONE) {
        store_reply_fini(&op->reply);
        op->reply.err = e;
    }
    op->call.done(&op->reply, op->call.arg);
    op_free(op);
}

void scratch_op_end(struct scratch_op *op) {
    op->ended = true;
}

void scratch_over_cancel(struct store_call *call) {
    struct scratch_op *op = CONTAINER_OF(call, struct scratch_op, call);

    store_cancel(&op->real);
    op_free(op);
}

/* --- steps ----------------------------------------------------------------------------------- */

/* The steps whose answers are there.  True: it was the end, and op is gone. */
static bool run(struct scratch_op *op) {
    op->running = true;
    while (op->answered) {
        struct store_reply real = op->answer;

        op->answer = (struct store_reply){0};
        op->answered = false;
        op->step(op, &real);
        store_reply_fini(&real);
    }
    op->running = false;
    if (!op->ended)
        return false;
    deliver(op);
    return true;
}

/* What is answered at once is taken when the step that asked has returned. */
static void on_real(struct store_reply *reply, void *arg) {
    struct scratch_op *op = arg;

    op->real = NULL;
    op->answer = *reply;
    *reply = (struct store_reply){0};
    op->answered = true;
    if (!op->running)
        (void)run(op);
}

void scratch_op_ask(struct scratch_op *op, const struct store_request *rq, scratch_step_fn *step) {
    struct store_request real = *rq;

    if (!sqlite_docs_reads(rq->verb)) { /* whatever else is wrong, nothing is written there */
        err_set(&op->reply.err, ERR_INTERNAL_ERROR, "a rehearsal only reads the real store");
        scratch_op_end(op);
        return;
    }
    real.scratch = NULL;
    op->step = step;
    op->real = store_start(&real, on_real, op);
}

struct store_call *scratch_op_start(struct scratch_over *o, const struct store_request *rq,
                                    store_done_fn *done, void *arg,
                                    void (*begin)(struct scratch_op *op)) {
    struct scratch_op *op = op_new(o, rq, done, arg);
    struct store_reply reply = {0};

    if (op == NULL) {
        (void)out_of_memory(&reply.err);
        done(&reply, arg);
        return NULL;
    }
    op->running = true;
    begin(op);
    return run(op) ? NULL : &op->call;
}
