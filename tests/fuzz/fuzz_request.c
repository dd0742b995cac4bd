/* fuzz_request.c - see scripts/fuzz_request.lua */
#include "world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    world_run("fuzz_request", data, size);
    return 0;
}
