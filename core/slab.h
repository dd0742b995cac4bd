/*
 * slab.h - memory for the many small objects of a Lua state.
 *
 * Who frees a block says how long it is, so none needs a header: blocks of one size come from slabs
 * of their own, and a slab that is empty again goes back to malloc.  What is longer is malloc's.
 * A state runs on one thread, so there is no lock.
 */
#ifndef SLAB_H
#define SLAB_H

#include "base.h"

#define SLAB_BLOCK_MAX 1024 /* bytes; longer blocks are malloc's */
#define SLAB_CLASSES   28   /* 16 to 256 by 16, 320 to 1024 by 64 */

struct slab;
struct slabs {
    struct slab *room[SLAB_CLASSES]; /* those with a free block, by the size of their blocks */
};

/* As realloc(), with the length of the block so far (0: there is none); size 0 frees it.  NULL when
 * out of memory, and then the block is what it was.  Begin with a struct slabs of zeros. */
void *slabs_realloc(struct slabs *s, void *block, size_t old, size_t size);

/* Once all blocks are freed. */
void slabs_fini(struct slabs *s);

#endif
