/*
 * scratch_over.h - the store of a rehearsal: documents in memory that lie over those of the real
 *   store, which is only ever read.
 *
 * A document is the real store's until it is first written here.  That write begins with a copy of
 * it and of its parts, and from then on the document is ours alone, deleted or not.  Versions here
 * are none that the real store gives, so a precondition holds for whoever has read the document
 * last, wherever it was then.
 *
 * What others write to the real store is seen but for those documents; a count takes them for what
 * they were there when they were copied.  The rules for writing are SQLite's: Firestore may refuse
 * what is taken here, and does not list what has no created_at.
 */
#ifndef SCRATCH_OVER_H
#define SCRATCH_OVER_H

#include "sqlite_docs.h"
#include "store.h"

struct scratch_over {
    struct sqlite_docs *db; /* our documents; NULL: nobody has asked for anything yet */

    /* Collection, id: what the real store had there when we took it over.  null: nothing.  Else an
     * object with those of its members that are texts and that listings are narrowed by. */
    json_t *taken;
};

/* As store.h has it of a backend.  rq->scratch is held while the operation is under way. */
struct store_call *scratch_over_start(struct scratch_over *o, const struct store_request *rq,
                                      store_done_fn *done, void *arg);
void scratch_over_cancel(struct store_call *call);

/* Forget all of it. */
void scratch_over_clear(struct scratch_over *o);

/* How many documents are not as the real store has them. */
unsigned scratch_over_writes(const struct scratch_over *o);

/* --- for scratch_list.c ---------------------------------------------------------------------- */

/* What the real store had; NULL: the document is still its own. */
const json_t *scratch_over_taken(const struct scratch_over *o, const char *collection,
                                 const char *id);

/* How many documents that we took over the real store counts for this request. */
unsigned scratch_over_count(const struct scratch_over *o, const struct store_request *rq);

#endif
