/* slab.h against malloc: blocks of every size keep their bytes while others come and go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "slab.h"

#define BLOCKS 600
#define STEPS  60000

struct held {
    unsigned char *bytes, fill;
    size_t n;
};

static void fill(struct held *h, unsigned char with) {
    h->fill = with;
    if (h->n > 0)
        memset(h->bytes, with, h->n);
}

static void check(const struct held *h, size_t n) {
    for (size_t i = 0; i < n; i++)
        assert_int_equal(h->bytes[i], h->fill);
}

static void blocks_keep_their_bytes(void **state) {
    struct slabs slabs = {0};
    struct held held[BLOCKS] = {0};

    (void)state;
    srand(1);
    for (size_t step = 0; step < STEPS; step++) {
        struct held *h = &held[(size_t)rand() % BLOCKS];
        size_t n = (size_t)rand() % (rand() % 4 == 0 ? 3000 : 300);

        check(h, h->n);
        h->bytes = slabs_realloc(&slabs, h->bytes, h->n, n);
        assert_int_equal(h->bytes == NULL, n == 0);
        assert_int_equal((uintptr_t)h->bytes % 16, 0);
        check(h, n < h->n ? n : h->n);
        h->n = n;
        fill(h, (unsigned char)step);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        check(&held[i], held[i].n);
        (void)slabs_realloc(&slabs, held[i].bytes, held[i].n, 0);
    }
    slabs_fini(&slabs); /* the leak checker counts */
}

/* Each size, so many that several slabs are full, freed from both ends. */
static void slabs_fill_and_empty(void **state) {
    static void *blocks[2000];
    struct slabs slabs = {0};

    (void)state;
    for (size_t n = 1; n <= SLAB_BLOCK_MAX + 1; n += 61) {
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            blocks[i] = slabs_realloc(&slabs, NULL, 0, n);
            memset(blocks[i], (int)i, n);
        }
        for (size_t i = 0; i < COUNT_OF(blocks); i++) {
            size_t at = i % 2 == 0 ? i / 2 : COUNT_OF(blocks) - 1 - i / 2;

            assert_int_equal(((unsigned char *)blocks[at])[n - 1], (unsigned char)at);
            (void)slabs_realloc(&slabs, blocks[at], n, 0);
        }
    }
    slabs_fini(&slabs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_keep_their_bytes),
        cmocka_unit_test(slabs_fill_and_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
