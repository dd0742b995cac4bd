/*
 * replay.c - a main() for a fuzz target without a fuzzer: every file of the corpus, then random
 * variations of them.
 *
 * usage: fuzz_x CORPUS [VARIATIONS [SEED]].  The seed is fixed, so that a failure comes again.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX  65536
#define INPUTS_MAX 4096
#define VARIATIONS 20000
#define SEED       20260301

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    uint8_t *data;
    size_t size;
};

static struct input inputs[INPUTS_MAX];
static size_t ninputs;
static uint64_t state;

static uint64_t next_random(void) {
    /* splitmix64 */
    uint64_t z = (state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static size_t below(size_t n) {
    return n == 0 ? 0 : (size_t)(next_random() % n);
}

/* In a block of its exact size, so that reading past the end is found. */
static void feed(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int read_file(const char *path) {
    struct input *in = &inputs[ninputs];
    FILE *f = fopen(path, "rb");

    if (f == NULL || (in->data = malloc(INPUT_MAX)) == NULL) {
        perror(path);
        return -1;
    }
    in->size = fread(in->data, 1, INPUT_MAX, f);
    fclose(f);
    ninputs++;
    return 0;
}

static int read_corpus(const char *path) {
    DIR *dir = opendir(path);
    struct dirent *entry;
    char file[4096];

    if (dir == NULL) {
        perror(path);
        return -1;
    }
    while ((entry = readdir(dir)) != NULL && ninputs < INPUTS_MAX) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
        if (read_file(file) != 0) {
            closedir(dir);
            return -1;
        }
    }
    closedir(dir);
    return 0;
}

/* Another byte, a bit, a cut, a piece doubled, a piece of another input. */
static size_t vary(uint8_t *data, size_t size) {
    const struct input *other = &inputs[below(ninputs)];
    size_t at = below(size), from = below(other->size), n = below(17);

    switch (below(5)) {
    case 0:
        if (size > 0)
            data[at] = (uint8_t)next_random();
        return size;
    case 1:
        if (size > 0)
            data[at] ^= (uint8_t)(1u << below(8));
        return size;
    case 2:
        n = n < size - at ? n : size - at;
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 3:
        n = n < size - at ? n : size - at;
        n = n < INPUT_MAX - size ? n : INPUT_MAX - size;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    default:
        n = n < other->size - from ? n : other->size - from;
        n = n < size - at ? n : size - at;
        memcpy(data + at, other->data + from, n);
        return size;
    }
}

int main(int argc, char **argv) {
    static uint8_t data[INPUT_MAX];
    unsigned long variations = argc > 2 ? strtoul(argv[2], NULL, 10) : VARIATIONS;
    unsigned long seed = argc > 3 ? strtoul(argv[3], NULL, 10) : SEED;

    if (argc < 2 || read_corpus(argv[1]) != 0)
        return 2;
    if (ninputs == 0) {
        fprintf(stderr, "%s: an empty corpus\n", argv[1]);
        return 2;
    }
    printf("%zu inputs, %lu variations, seed %lu\n", ninputs, variations, seed);
    fflush(stdout);
    for (size_t i = 0; i < ninputs; i++)
        feed(inputs[i].data, inputs[i].size);
    state = seed;
    for (unsigned long i = 0; i < variations; i++) {
        const struct input *in = &inputs[below(ninputs)];
        size_t size = in->size;

        memcpy(data, in->data, size);
        for (size_t times = 1 + below(8); times > 0; times--)
            size = vary(data, size);
        feed(data, size);
    }
    for (size_t i = 0; i < ninputs; i++)
        free(inputs[i].data);
    return 0;
}
