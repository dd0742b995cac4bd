#include "key.h"

#include <stdio.h>
#include <string.h>

#include "auth_key.h"
#include "env.h"
#include "role.h"

#define EXIT_USAGE 2

/* "draft+send", each once and in the order of role.h. */
static void print_roles(unsigned roles) {
    const char *word, *between = "";
    unsigned bit;

    for (size_t i = 0; (word = role_at(i, &bit)) != NULL; i++)
        if (roles & bit) {
            printf("%s%s", between, word);
            between = "+";
        }
}

int key_make(const char *name, char *const *words, int nwords) {
    char key[AUTH_KEY_SIZE], sha256[CRYPTO_SHA256_HEX];
    unsigned roles = nwords == 0 ? ROLE_DRAFT : 0, bit;

    if (!env_key_name(name)) {
        fprintf(
            stderr,
            "paraph key: the name of a key is 1 to %d letters, digits, '-', '_' or '.', and not "
            "'anonymous'; it cannot be '%.80s'\n",
            ENV_KEY_NAME_MAX, name);
        return EXIT_USAGE;
    }
    for (int i = 0; i < nwords; i++) {
        if ((bit = role_named(words[i], strlen(words[i]))) == 0) {
            fprintf(stderr, "paraph key: '%.80s' is not one of: draft, send, review, ops\n",
                    words[i]);
            return EXIT_USAGE;
        }
        roles |= bit;
    }
    auth_key_make(key, sha256);
    fprintf(stderr, "The key, which is shown this once (Authorization: Bearer KEY, or X-API-Key), "
                    "and the line for\nAPI_KEYS (behind a comma, if there are others):\n\n");
    printf("%s\n%s=", key, name);
    print_roles(roles);
    printf(":%s\n", sha256);
    explicit_bzero(key, sizeof(key));
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
