/*
 * scratch_list.h - listings and counts of a rehearsal: the real store's documents and ours in one
 *   order, without those of the real store that are ours by now.
 *
 * A page token names the first document of the next page, as sqlite_query.h has it, whatever the
 * real store: both listings begin just above it again, and what comes before it is left out.
 */
#ifndef SCRATCH_LIST_H
#define SCRATCH_LIST_H

#include "scratch_op.h"

/* How QUERY and COUNT of store.h begin. */
void scratch_list_query(struct scratch_op *op);
void scratch_list_count(struct scratch_op *op);

#endif
