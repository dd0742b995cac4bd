/*
 * tree_stamp.h - what the file system says of scripts and templates, without reading them: whether
 * they can have changed.
 *
 * The same stamp twice: nothing has changed in between.  That holds only for what the kernel dates
 * itself, at each change, whatever a program sets the other dates to; and only once the last change
 * is older than two moments that the clock of a file system cannot tell apart.
 */
#ifndef TREE_STAMP_H
#define TREE_STAMP_H

#include <fts.h>
#include <time.h>

#include "base.h"

/* Of what the directories that env names hold, from any thread.  0: only reading them can tell. */
uint64_t tree_stamp_now(void);

/* The same, made by who walks through these directories, in their order, and looks at each entry
 * before he reads it. */
struct tree_stamp {
    uint64_t hash; /* the stamp */
    time_t began_s;
    dev_t device; /* known to date what it holds */
    bool has_device;
};
void tree_stamp_begin(struct tree_stamp *s);
void tree_stamp_add(struct tree_stamp *s, const FTSENT *f);

#endif
