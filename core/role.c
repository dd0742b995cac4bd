#include "role.h"

#include <string.h>

static const struct {
    const char *word;
    unsigned bit;
} roles[] = {
    {"draft", ROLE_DRAFT}, {"send", ROLE_SEND}, {"review", ROLE_REVIEW}, {"ops", ROLE_OPS}};

unsigned role_named(const char *word, size_t n) {
    for (size_t i = 0; i < COUNT_OF(roles); i++)
        if (strlen(roles[i].word) == n && memcmp(roles[i].word, word, n) == 0)
            return roles[i].bit;
    return 0;
}

const char *role_at(size_t i, unsigned *bit) {
    if (i >= COUNT_OF(roles))
        return NULL;
    *bit = roles[i].bit;
    return roles[i].word;
}
