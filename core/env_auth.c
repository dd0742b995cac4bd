/*
 * env_auth.c - AUTH, and what its methods need.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "env.h"
#include "env_read.h"
#include "role.h"

#define KEYS_MAX 1000
#define BETWEEN  ", \t\r\n"

static const char *const names[] = {[ENV_KEY] = "key",
                                    [ENV_GOOGLE_TOKEN] = "google",
                                    [ENV_IAP] = "iap",
                                    [ENV_IAM] = "iam",
                                    [ENV_NONE] = "none"};
static const char all_names[] = "key, google, iap, iam, none";

static struct env_key *keys;

const char *env_auth_name(enum env_auth auth) {
    return names[auth];
}

/* --- lists ----------------------------------------------------------------------------------- */

const char *env_next_item(const char **list, size_t *n) {
    const char *s = *list + strspn(*list, BETWEEN);

    *n = strcspn(s, BETWEEN);
    *list = s + *n;
    return *n > 0 ? s : NULL;
}

const char *env_get_list(const char *name, const char *fallback) {
    const char *value = env_get(name, fallback), *rest = value;
    size_t n;

    if (value == fallback || env_next_item(&rest, &n) != NULL)
        return value;
    env_fault(name, "'%.40s' has no item: give one or more, with commas between them", value);
    return fallback;
}

bool env_lists(const char *list, const char *word) {
    const char *item;
    size_t n;

    while ((item = env_next_item(&list, &n)) != NULL)
        if (strlen(word) == n && memcmp(item, word, n) == 0)
            return true;
    return false;
}

bool env_lists_address(const char *list, const char *address) {
    const char *at = strrchr(address, '@'), *item, *wanted;
    size_t n;

    while (at != NULL && (item = env_next_item(&list, &n)) != NULL) {
        wanted = *item == '@' ? at : address;
        if (strlen(wanted) == n && strncasecmp(item, wanted, n) == 0)
            return true;
    }
    return false;
}

/* --- API_KEYS -------------------------------------------------------------------------------- */

/* Not that of a caller without a name, who is somebody else. */
static bool is_key_name(const char *s, size_t n) {
    static const char nobody[] = "anonymous";
    static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

    for (size_t i = 0; i < n; i++)
        if (s[i] == '\0' || strchr(chars, s[i]) == NULL)
            return false;
    return n > 0 && n <= ENV_KEY_NAME_MAX && (n != strlen(nobody) || memcmp(s, nobody, n) != 0);
}

/* "role+role"; 0: one of them is none. */
static unsigned read_roles(const char *s, size_t n) {
    unsigned roles = 0, bit;

    for (const char *end = s + n, *plus; s <= end; s = plus + 1) {
        if ((plus = memchr(s, '+', (size_t)(end - s))) == NULL)
            plus = end;
        if ((bit = role_named(s, (size_t)(plus - s))) == 0)
            return 0;
        roles |= bit;
    }
    return roles;
}

static int read_sha256(char out[CRYPTO_SHA256_HEX], const char *s, size_t n) {
    if (n != CRYPTO_SHA256_HEX - 1 || strspn(s, "0123456789abcdefABCDEF") < n)
        return -1;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i]);
    return 0;
}

/* "name=role+role:sha256-hex".  Nothing of the last part is told: it may be the key itself. */
static int read_key(struct env_key *key, size_t i, const char *s, size_t n) {
    static const char variable[] = "API_KEYS";
    const char *equals = memchr(s, '=', n), *colon = memchr(s, ':', n);
    size_t len = equals != NULL ? (size_t)(equals - s) : 0;

    if (equals == NULL || colon == NULL || colon < equals) {
        env_fault(variable,
                  "entry %zu is not name=role+role:sha256-hex (paraph key NAME prints such a line)",
                  i + 1);
        return -1;
    }
    if (!is_key_name(s, len)) {
        env_fault(variable, "entry %zu: the name is not 1 to %d letters, digits, '-', '_' or '.'",
                  i + 1, ENV_KEY_NAME_MAX);
        return -1;
    }
    memcpy(key->name, s, len);
    key->roles = read_roles(equals + 1, (size_t)(colon - equals) - 1);
    if (key->roles == 0)
        env_fault(variable,
                  "entry %zu ('%s'): '%.*s' is not one or more of draft, send, review, ops with + "
                  "between them",
                  i + 1, key->name, (int)(colon - equals) - 1 < 80 ? (int)(colon - equals) - 1 : 80,
                  equals + 1);
    if (read_sha256(key->sha256, colon + 1, n - (size_t)(colon + 1 - s)) == 0)
        return key->roles != 0 ? 0 : -1;
    env_fault(variable,
              "entry %zu ('%s'): what is behind ':' is not the SHA-256 of a key, 64 hexadecimal "
              "digits (nor is it the key itself: paraph key NAME prints both)",
              i + 1, key->name);
    return -1;
}

static void load_keys(const char *list) {
    const char *item;
    size_t n;

    if (list == NULL)
        return;
    if ((keys = calloc(KEYS_MAX, sizeof(*keys))) == NULL)
        abort();
    env.keys = keys;
    for (size_t i = 0; (item = env_next_item(&list, &n)) != NULL; i++) {
        if (i == KEYS_MAX) {
            env_fault("API_KEYS", "holds more than %d keys", KEYS_MAX);
            return;
        }
        if (read_key(&keys[env.nkeys], i, item, n) == 0)
            env.nkeys++;
    }
}

void env_free_auth(void) {
    free(keys);
    keys = NULL;
}

bool env_key_name(const char *s) {
    return is_key_name(s, strlen(s));
}

/* --- AUTH ------------------------------------------------------------------------------------ */

static void add_method(const char *s, size_t n) {
    size_t auth = 0;

    while (auth < ENV_AUTHS && (strlen(names[auth]) != n || memcmp(names[auth], s, n) != 0))
        auth++;
    if (auth == ENV_AUTHS) {
        env_fault("AUTH", "'%.*s' is not one of: %s", n < 40 ? (int)n : 40, s, all_names);
        return;
    }
    if (env.nauths == ENV_AUTHS || env_uses_auth((enum env_auth)auth)) {
        env_fault("AUTH", "names %s twice", names[auth]);
        return;
    }
    env.auths[env.nauths++] = (enum env_auth)auth;
}

bool env_uses_auth(enum env_auth auth) {
    for (size_t i = 0; i < env.nauths; i++)
        if (env.auths[i] == auth)
            return true;
    return false;
}

/* What a method cannot do without.  NULL: it is not used, or that is told. */
static const char *get_needed(enum env_auth auth, const char *name, const char *what) {
    if (!env_uses_auth(auth))
        return NULL;
    if (env_get(name, NULL) == NULL)
        env_fault(name, "is not set, and AUTH names %s: give %s", names[auth], what);
    return env_get_list(name, NULL);
}

/* Not set: a tracker has what is public, and nothing else (route.c); on loopback it is open;
 * anything else has to say. */
static const char *default_auth(void) {
    if (env.role == ENV_TRACKER)
        return "";
    if (env.loopback && !env.cloud_run)
        return "none";
    env_fault("AUTH", "is not set, and %s: say who may call with one or more of %s",
              env.cloud_run ? "this is Cloud Run" : "HOST is not a loopback address", all_names);
    return "";
}

void env_load_auth(void) {
    const char *list, *item;
    size_t n;

    env.auth = env_get("AUTH", NULL) != NULL ? env_get_list("AUTH", "") : default_auth();
    list = env.auth;
    while ((item = env_next_item(&list, &n)) != NULL)
        add_method(item, n);
    load_keys(
        get_needed(ENV_KEY, "API_KEYS", "name=role+role:sha256-hex, as paraph key NAME prints it"));
    env.auth_audience = get_needed(
        ENV_GOOGLE_TOKEN, "AUTH_AUDIENCE",
        "the audience that callers ask their ID tokens for, such as this service's address");
    env.auth_allowed = "";
    if (get_needed(ENV_GOOGLE_TOKEN, "AUTH_ALLOWED",
                   "the addresses of those who may call, or their @domains") != NULL)
        env.auth_allowed = env_get_addresses("AUTH_ALLOWED");
    env.iap_audience = get_needed(
        ENV_IAP, "IAP_AUDIENCE",
        "what IAP names this service, such as /projects/NUMBER/locations/REGION/services/NAME");
}
