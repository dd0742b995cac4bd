/* fuzz_bindings.c - see scripts/fuzz_bindings.lua */
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world_run("fuzz_bindings", data, size);
    return 0;
}
