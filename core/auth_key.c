#include "auth_key.h"

#include <string.h>

#include "buf.h"
#include "encode.h"

#define RANDOM_LEN 32

void auth_key_make(char key[AUTH_KEY_SIZE], char sha256[CRYPTO_SHA256_HEX]) {
    unsigned char random[RANDOM_LEN];
    struct buf text;

    crypto_random(random, sizeof(random));
    buf_init(&text, AUTH_KEY_SIZE);
    buf_reserve(&text, AUTH_KEY_SIZE - 1); /* at once: it is wiped as a whole */
    buf_adds(&text, AUTH_KEY_PREFIX);
    encode_base64url(&text, random, sizeof(random));
    memcpy(key, text.data, AUTH_KEY_SIZE);
    crypto_sha256_hex(sha256, key, AUTH_KEY_SIZE - 1);
    explicit_bzero(random, sizeof(random));
    buf_wipe(&text);
}

const struct env_key *auth_key_find(const char *key, size_t n) {
    char sha256[CRYPTO_SHA256_HEX];
    const struct env_key *found = NULL;

    crypto_sha256_hex(sha256, key, n);
    for (size_t i = 0; i < env.nkeys; i++) /* all of them, each time */
        if (crypto_equal(env.keys[i].sha256, sha256, sizeof(sha256)))
            found = &env.keys[i];
    return found;
}
