#include "key.h"

#include <stdio.h>
#include <string.h>

#include "auth_key.h"
#include "env.h"
#include "role.h"
#include "usage.h"

/* Each once and in the order of role.h. */
static void print_roles(unsigned roles, const char *quote, const char *comma) {
    const char *word, *between = "";
    unsigned bit;

    for (size_t i = 0; (word = role_at(i, &bit)) != NULL; i++)
        if (roles & bit) {
            printf("%s%s%s%s", between, quote, word, quote);
            between = comma;
        }
}

static void print_line(const char *name, unsigned roles, const char *sha256) {
    printf("%s=", name);
    print_roles(roles, "", "+");
    printf(":%s", sha256);
}

/* No member has a character that JSON escapes. */
static void print_json(const char *name, unsigned roles, const char *key, const char *sha256) {
    printf("{\"name\":\"%s\",\"roles\":[", name);
    print_roles(roles, "\"", ",");
    printf("],\"secret\":\"%s\",\"line\":\"", key);
    print_line(name, roles, sha256);
    printf("\"}\n");
}

static void print_text(const char *name, unsigned roles, const char *key, const char *sha256) {
    fprintf(stderr, "The key, which is shown this once (Authorization: Bearer KEY, or X-API-Key), "
                    "and the line for\nAPI_KEYS (behind a comma, if there are others):\n\n");
    printf("%s\n", key);
    print_line(name, roles, sha256);
    printf("\n");
}

int key_make(const char *name, char *const *words, int nwords, bool json) {
    char key[AUTH_KEY_SIZE], sha256[CRYPTO_SHA256_HEX];
    unsigned roles = nwords == 0 ? ROLE_DRAFT : 0, bit;

    if (!env_key_name(name)) {
        fprintf(
            stderr,
            "paraph key: the name of a key is 1 to %d letters, digits, '-', '_' or '.', and not "
            "'anonymous'; it cannot be '%.80s'\n",
            ENV_KEY_NAME_MAX, name);
        return USAGE_EXIT;
    }
    for (int i = 0; i < nwords; i++) {
        if ((bit = role_named(words[i], strlen(words[i]))) == 0) {
            fprintf(stderr, "paraph key: '%.80s' is not one of: draft, send, review, ops\n",
                    words[i]);
            return USAGE_EXIT;
        }
        roles |= bit;
    }
    auth_key_make(key, sha256);
    (json ? print_json : print_text)(name, roles, key, sha256);
    explicit_bzero(key, sizeof(key));
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
