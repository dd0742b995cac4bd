/* fuzz_mustache.c - see scripts/fuzz_mustache.lua */
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world_run("fuzz_mustache", data, size);
    return 0;
}
