#include "slab.h"

#include <stdlib.h>
#include <string.h>

#define STEP      ((size_t)16)
#define FINE_MAX  ((size_t)256) /* up to here by STEP, then by WIDE_STEP */
#define WIDE_STEP ((size_t)64)

/* A slab begins at a multiple of this, which is how a block finds its own.  It is shorter by
 * malloc's own header, so that slabs can lie side by side. */
#define SLAB_ALIGN (16 * KIB)
#define SLAB_BYTES (SLAB_ALIGN - STEP)

struct block {
    struct block *next; /* while it is free */
};

struct slab {
    struct slab *next, **link; /* of those with room; link NULL: it is full */
    struct block *free;        /* that were used before */
    size_t fresh;              /* from this offset on nothing was used yet */
    size_t used;               /* blocks */
};

#define FIRST_BLOCK ((sizeof(struct slab) + STEP - 1) / STEP * STEP)

static size_t class_of(size_t n) {
    return n <= FINE_MAX ? (n - 1) / STEP : FINE_MAX / STEP + (n - FINE_MAX - 1) / WIDE_STEP;
}

static size_t class_bytes(size_t class) {
    return class < FINE_MAX / STEP ? (class + 1) * STEP
                                   : FINE_MAX + (class - FINE_MAX / STEP + 1) * WIDE_STEP;
}

static struct slab *slab_of(void *block) {
    return (struct slab *)((char *)block - ((uintptr_t)block & (SLAB_ALIGN - 1)));
}

/* --- the list of those with room ------------------------------------------------------------- */

static void list(struct slab **first, struct slab *slab) {
    slab->next = *first;
    slab->link = first;
    if (slab->next != NULL)
        slab->next->link = &slab->next;
    *first = slab;
}

static void unlist(struct slab *slab) {
    *slab->link = slab->next;
    if (slab->next != NULL)
        slab->next->link = slab->link;
    slab->link = NULL;
}

/* --- blocks ---------------------------------------------------------------------------------- */

static bool has_room(const struct slab *slab, size_t bytes) {
    return slab->free != NULL || slab->fresh + bytes <= SLAB_BYTES;
}

static struct slab *slab_new(struct slab **first) {
    struct slab *slab;
    void *at;

    if (posix_memalign(&at, SLAB_ALIGN, SLAB_BYTES) != 0)
        return NULL;
    slab = at;
    *slab = (struct slab){.fresh = FIRST_BLOCK};
    list(first, slab);
    return slab;
}

static void *take(struct slabs *s, size_t class) {
    struct slab *slab = s->room[class] != NULL ? s->room[class] : slab_new(&s->room[class]);
    size_t bytes = class_bytes(class);
    void *block;

    if (slab == NULL)
        return NULL;
    if (slab->free != NULL) {
        block = slab->free;
        slab->free = slab->free->next;
    } else {
        block = (char *)slab + slab->fresh;
        slab->fresh += bytes;
    }
    slab->used++;
    if (!has_room(slab, bytes))
        unlist(slab);
    return block;
}

/* The only slab with room stays, empty or not: what comes and goes must not cost one each time. */
static void give_back(struct slabs *s, void *p, size_t class) {
    struct slab *slab = slab_of(p);
    struct block *block = p;

    block->next = slab->free;
    slab->free = block;
    if (slab->link == NULL)
        list(&s->room[class], slab);
    if (--slab->used > 0 || (s->room[class] == slab && slab->next == NULL))
        return;
    unlist(slab);
    free(slab);
}

static void *get(struct slabs *s, size_t n) {
    return n > SLAB_BLOCK_MAX ? malloc(n) : take(s, class_of(n));
}

static void put(struct slabs *s, void *block, size_t n) {
    if (n > SLAB_BLOCK_MAX)
        free(block);
    else if (n > 0)
        give_back(s, block, class_of(n));
}

void *slabs_realloc(struct slabs *s, void *block, size_t old, size_t size) {
    void *to;

    if (size == 0) {
        put(s, block, old);
        return NULL;
    }
    if (old > SLAB_BLOCK_MAX && size > SLAB_BLOCK_MAX)
        return realloc(block, size);
    if (old > 0 && old <= SLAB_BLOCK_MAX && size <= SLAB_BLOCK_MAX &&
        class_of(old) == class_of(size))
        return block;
    if ((to = get(s, size)) == NULL || old == 0)
        return to;
    memcpy(to, block, old < size ? old : size);
    put(s, block, old);
    return to;
}

void slabs_fini(struct slabs *s) {
    for (size_t i = 0; i < SLAB_CLASSES; i++) {
        free(s->room[i]);
        s->room[i] = NULL;
    }
}
