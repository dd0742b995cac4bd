/*
 * sqlite.h - the embedded store: documents in {DATA_DIR}/paraph.db.
 *
 * Reads are answered inline, on the loop thread.  Writes go to one writer thread: those of one turn
 * of the loop are handed over together, and the writer takes all that is queued, commits it as one
 * group (one fsync for all), and hands the replies back to the loop, which goes on meanwhile.  A
 * write that is refused does not touch its neighbours; a commit that fails fails them all, so that
 * nothing is acknowledged that is not on disk.  Other processes may use the same file at the same
 * time.
 *
 * A write belongs to the writer thread between queue and reply, but for its `call`, which is the
 * loop's.  The two threads share two lists under one lock, and nothing else: JSON crosses as text,
 * blobs are held by the loop and only read by the writer.
 */
#ifndef SQLITE_H
#define SQLITE_H

#include "store.h"

extern const struct store_backend sqlite_backend;

/* DATA_DIR, made if it is not there. */
MUST_CHECK int sqlite_make_dir(struct err *e);

#endif
