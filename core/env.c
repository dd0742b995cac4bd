#include "env.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "encode.h"
#include "env_read.h"
#include "log.h"
#include "mask.h"

#define LOCAL_SENDER "paraph@example.test"
#define SIGNATURE                                                                                  \
    "<div>Sent with <b>paraph</b><br>"                                                             \
    "<a href=\"https://example.test/\">example.test</a></div>"

struct env env;

static struct buf *faults; /* of the env_load() under way */

/* Strings that are no part of the process environment; the next env_load() frees them. */
static char *owned[32];
static size_t nowned;

char *env_own(char *s) {
    if (s == NULL || nowned == COUNT_OF(owned))
        abort();
    return owned[nowned++] = s;
}

void env_fault(const char *name, const char *fmt, ...) {
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = '?'; /* a fault is one line, whatever is in the value */
    buf_addf(faults, "%s: %s\n", name, text);
}

/* --- one variable of each kind --------------------------------------------------------------- */

/* An empty variable counts as not set, since deployment tools cannot always unset one. */
const char *env_get(const char *name, const char *fallback) {
    const char *value = getenv(name);

    return value != NULL && *value != '\0' ? value : fallback;
}

static bool is_unset(const char *name) {
    return env_get(name, NULL) == NULL;
}

static uint64_t get_number(const char *name, uint64_t fallback, uint64_t min, uint64_t max) {
    const char *value = env_get(name, NULL);
    unsigned long long n;
    char *end;

    if (value == NULL)
        return fallback;
    errno = 0;
    n = strtoull(value, &end, 10);
    if (errno != 0 || *end != '\0' || *value < '0' || *value > '9' || n < min || n > max) {
        env_fault(name, "'%.40s' is not a whole number from %llu to %llu", value,
                  (unsigned long long)min, (unsigned long long)max);
        return fallback;
    }
    return n;
}

bool env_get_bool(const char *name, bool fallback) {
    const char *value = env_get(name, NULL);

    if (value == NULL)
        return fallback;
    for (const char *const *yes = (const char *const[]){"true", "1", "yes", NULL}; *yes; yes++)
        if (strcasecmp(value, *yes) == 0)
            return true;
    for (const char *const *no = (const char *const[]){"false", "0", "no", NULL}; *no; no++)
        if (strcasecmp(value, *no) == 0)
            return false;
    env_fault(name, "'%.40s' is neither true, 1, yes nor false, 0, no", value);
    return fallback;
}

/* The index of the value among `words`, which a NULL ends. */
static int get_choice(const char *name, int fallback, const char *const words[]) {
    const char *value = env_get(name, NULL);
    char list[128] = "";

    if (value == NULL)
        return fallback;
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(value, words[i]) == 0)
            return i;
        snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i > 0 ? ", " : "",
                 words[i]);
    }
    env_fault(name, "'%.40s' is not one of: %s", value, list);
    return fallback;
}

/* What ends up in mail and in answers. */
static const char *get_text(const char *name, const char *fallback) {
    const char *value = env_get(name, fallback);

    if (encode_utf8_error(value, strlen(value)) == strlen(value))
        return value;
    env_fault(name, "is not UTF-8 text");
    return fallback;
}

/* Is this "host" or "host:port", as it stands between "//" and the path of an address? */
static bool is_authority(const char *s, size_t n) {
    const char *colon = n > 0 && s[n - 1] != ']' ? memrchr(s, ':', n) : NULL;
    size_t host = colon != NULL ? (size_t)(colon - s) : n, digits;

    if (host == 0)
        return false;
    if (colon != NULL) {
        digits = strspn(colon + 1, "0123456789");
        if (digits == 0 || digits > 5 || host + 1 + digits != n ||
            strtol(colon + 1, NULL, 10) > 65535)
            return false;
    }
    return s[0] == '[' ? s[host - 1] == ']' : memchr(s, ':', host) == NULL;
}

bool env_is_url(const char *s) {
    const char *host = strstr(s, "://");

    if (strncmp(s, "https://", 8) != 0 && strncmp(s, "http://", 7) != 0)
        return false;
    for (const char *c = s; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7F || strchr("\"'<>\\^`{|}", *c) != NULL)
            return false;
    return strlen(s) <= 1024 && is_authority(host + 3, strcspn(host + 3, "/?#"));
}

bool env_holds_user(const char *url) {
    const char *host = strstr(url, "://");

    return host != NULL && strcspn(host + 3, "@") < strcspn(host + 3, "/?#");
}

/* A whole address. */
static const char *get_url(const char *name, const char *fallback) {
    const char *value = env_get(name, NULL);
    char *copy;

    if (value == NULL)
        return fallback;
    if (env_holds_user(value)) {
        env_fault(name, "holds a user or a password, which is of no use here: leave it out");
        return fallback;
    }
    if (!env_is_url(value)) {
        env_fault(name, "'%.80s' is not an address such as https://mail.example.org", value);
        return fallback;
    }
    copy = env_own(strdup(value));
    for (size_t n = strlen(copy); n > 0 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    return copy;
}

/* One that paths are appended to. */
static const char *get_base_url(const char *name, const char *fallback) {
    const char *value = get_url(name, fallback);

    if (value == NULL || strpbrk(value, "?#") == NULL)
        return value;
    env_fault(name, "'%.80s' cannot be the base of other addresses: it has a query or a fragment",
              value);
    return fallback;
}

static const char *get_host_port(const char *name) {
    const char *value = env_get(name, NULL);

    if (value != NULL && (strpbrk(value, "/ \t\r\n@?#\"") != NULL || strlen(value) > 255 ||
                          !is_authority(value, strlen(value)))) {
        env_fault(name, "'%.80s' is not host:port (without http://)", value);
        return NULL;
    }
    return value;
}

/* A bare address, without a name. */
static bool is_mailbox(const char *s) {
    struct address_list list = {0};
    bool is = strpbrk(s, " \t,;<>()") == NULL && address_parse(&list, s, strlen(s), NULL) == 0 &&
              list.n == 1;

    address_list_fini(&list);
    return is;
}

static const char *get_mailbox(const char *name) {
    const char *value = env_get(name, NULL);

    if (value == NULL || is_mailbox(value))
        return value;
    env_fault(name, "'%.80s' is not an e-mail address", value);
    return NULL;
}

/* Addresses and "@domains", between commas. */
const char *env_get_addresses(const char *name) {
    const char *value = env_get(name, ""), *item = value;
    char text[300];

    while (*(item += strspn(item, ", \t")) != '\0') {
        size_t n = strcspn(item, ", \t");

        snprintf(text, sizeof(text), "%s%.*s", *item == '@' ? "x" : "", (int)n, item);
        if (n + 2 > sizeof(text) || !is_mailbox(text)) {
            env_fault(name,
                      "'%.*s' is neither an e-mail address nor a domain such as @example.org (list "
                      "them with commas)",
                      n < 80 ? (int)n : 80, item);
            return "";
        }
        item += n;
    }
    return value;
}

/* Firestore's rules, so that a name does for both stores. */
static const char *get_collection(const char *name, const char *fallback) {
    const char *value = env_get(name, fallback);
    size_t n = strlen(value);

    if (encode_utf8_error(value, n) != n || strchr(value, '/') != NULL || strcmp(value, ".") == 0 ||
        strcmp(value, "..") == 0 || n > 200 || encode_control_at(value, n) != n ||
        (n >= 4 && strncmp(value, "__", 2) == 0 && strcmp(value + n - 2, "__") == 0))
        env_fault(name,
                  "'%.80s' cannot be the name of a collection (UTF-8, no '/', no control "
                  "characters, not __between underscores__, at most 200 bytes)",
                  value);
    return value; /* even then: the default may be the other collection's name */
}

static bool is_loopback(const struct sockaddr *sa) {
    if (sa->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr) >> 24 == 127;
    return sa->sa_family == AF_INET6 &&
           IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr);
}

/* Whether only this machine reaches it, too: what a name stands for counts, not how it looks. */
static const char *get_host(const char *name, const char *fallback, bool *loopback) {
    const char *value = env_get(name, fallback);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    int why = getaddrinfo(value, NULL, &hints, &found);

    *loopback = true;
    if (why != 0) {
        env_fault(name,
                  "'%.80s' is not an address such as 127.0.0.1, ::1 or 0.0.0.0 (the port is "
                  "PORT): %s",
                  value, gai_strerror(why));
        return fallback;
    }
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next)
        *loopback &= is_loopback(a->ai_addr);
    freeaddrinfo(found);
    return value;
}

/* --- groups of variables --------------------------------------------------------------------- */

static void load_places(void) {
    env.host = get_host("HOST", env.cloud_run ? "0.0.0.0" : "127.0.0.1", &env.loopback);
    env.port = (uint16_t)get_number("PORT", 8080, 0, 65535);
    env.workers = (unsigned)get_number("WORKERS", 1, 1, 64);
    env.scripts_dir = env_get_dir("SCRIPTS_DIR");
    env.templates_dir = env_get_dir("TEMPLATES_DIR");
    env.shipped_scripts_dir = env_shipped_dir("scripts");
    env.shipped_templates_dir = env_shipped_dir("templates");
    env.reload_interval = (unsigned)get_number("RELOAD_INTERVAL", 1, 0, 86400);
    env.max_body_bytes = get_number("MAX_BODY_BYTES", 33554432, 1024, 1 << 30);
    env.request_timeout = (unsigned)get_number("REQUEST_TIMEOUT", 60, 1, 3600);
    env.upstream_timeout = (unsigned)get_number("UPSTREAM_TIMEOUT", 20, 1, 3600);
    env.data_dir = env_get_data_dir("DATA_DIR", "./data");
    env.local_signature = get_text("LOCAL_SIGNATURE", SIGNATURE);
}

static void load_google(void) {
    env.service_account = get_mailbox("GOOGLE_SERVICE_ACCOUNT_EMAIL");
    env.project = env_get_project("GOOGLE_CLOUD_PROJECT");
    env.firestore_database = env_get_database("FIRESTORE_DATABASE");
    env.gmail_scopes = env_get_scopes("GMAIL_SCOPES", "https://mail.google.com/");
    env.gmail_concurrency = (unsigned)get_number("GMAIL_CONCURRENCY", 4, 1, 10000);
    env.gce_metadata_host = get_host_port("GCE_METADATA_HOST");
    env.firestore_emulator_host = get_host_port("FIRESTORE_EMULATOR_HOST");
    env.firestore_url = get_base_url("FIRESTORE_URL", "https://firestore.googleapis.com");
    env.gmail_url = get_base_url("GMAIL_URL", "https://gmail.googleapis.com");
    env.iam_credentials_url =
        get_base_url("IAM_CREDENTIALS_URL", "https://iamcredentials.googleapis.com");
    env.oauth_token_url = get_url("OAUTH_TOKEN_URL", "https://oauth2.googleapis.com/token");
    env.google_jwks_url = get_url("GOOGLE_JWKS_URL", "https://www.googleapis.com/oauth2/v3/certs");
    env.iap_jwks_url = get_url("IAP_JWKS_URL", "https://www.gstatic.com/iap/verify/public_key-jwk");
    if (env.backend == ENV_GOOGLE && env.role != ENV_TRACKER && is_unset("GMAIL_USER"))
        env_fault("GMAIL_USER", "is missing: the mailbox that mail leaves through (or set "
                                "BACKEND=local to try without Google)");
}

/* What the service keeps beside the drafts, and sweeps (scripts/lib): "_webhooks" is "_webhooks_2",
 * too. */
static bool is_kept_beside_drafts(const char *collection) {
    static const char *const kept[] = {"_counts",  "_domains", "_editions", "_idempotency",
                                       "_secrets", "_strays",  "_webhooks"};
    size_t n = strlen(env.draft_collection);

    if (strncmp(collection, env.draft_collection, n) != 0)
        return false;
    for (size_t i = 0; i < COUNT_OF(kept); i++)
        if (strncmp(collection + n, kept[i], strlen(kept[i])) == 0)
            return true;
    return collection[n] == '\0';
}

static void load_collections(void) {
    env.pixel_collection = get_collection("PIXEL_COLLECTION", "email_opens");
    env.draft_collection = get_collection("DRAFT_COLLECTION", "email_drafts");
    if (is_kept_beside_drafts(env.pixel_collection))
        env_fault("PIXEL_COLLECTION",
                  "'%.80s' holds the drafts, or what the service keeps beside them: give another "
                  "name",
                  env.pixel_collection);
}

static const char *own_url(void) {
    static char url[300];
    bool v6 = strchr(env.host, ':') != NULL;

    snprintf(url, sizeof(url), "http://%s%.200s%s:%u", v6 ? "[" : "", env.host, v6 ? "]" : "",
             env.port);
    return url;
}

void env_bound(uint16_t port) {
    bool own = env.pixel_base_url == own_url();

    env.port = port;
    if (own)
        env.pixel_base_url = own_url();
}

static void load_tracking(void) {
    env.pixel_base_url =
        get_base_url("PIXEL_TRACKER_BASE_URL", env.backend == ENV_LOCAL ? own_url() : NULL);
    env.tracking = env_get_bool("ENABLE_TRACKING", env.pixel_base_url != NULL);
    if (env.tracking && env.pixel_base_url == NULL && is_unset("PIXEL_TRACKER_BASE_URL"))
        env_fault("ENABLE_TRACKING",
                  "is true, but PIXEL_TRACKER_BASE_URL is not set: give the address "
                  "under which recipients reach /pixel, or set it to false");
}

/* In place of a wrong value stands the one that asks least of others: one mistake is one line. */
static void load_roles(void) {
    static const char *const roles[] = {"all", "gateway", "tracker", NULL};
    static const char *const backends[] = {"local", "google", NULL};
    bool google = env.cloud_run || !is_unset("GMAIL_USER");

    env.role = (enum env_role)get_choice("ROLE", is_unset("ROLE") ? ENV_ALL : ENV_TRACKER, roles);
    env.backend = (enum env_backend)get_choice(
        "BACKEND", is_unset("BACKEND") && google ? ENV_GOOGLE : ENV_LOCAL, backends);
}

int env_load(struct buf *out) {
    size_t before = out->len;

    faults = out;
    while (nowned > 0)
        free(owned[--nowned]);
    env_free_auth();
    env = (struct env){.cloud_run = env_get("K_SERVICE", NULL) != NULL};
    load_roles();
    env.gmail_user = get_mailbox("GMAIL_USER");
    env.send_mode = (enum env_mode)get_choice("SEND_MODE", ENV_DRAFT,
                                              (const char *const[]){"draft", "send", NULL});
    load_collections();
    env.no_send = env_get_bool("NO_SEND", false);
    env.allowed_senders = env_get_addresses("ALLOWED_SENDERS");
    env.log_level = get_choice("LOG_LEVEL", LOG_INFO,
                               (const char *const[]){"debug", "info", "warning", "error", NULL});
    env.log_format =
        (enum env_log_format)get_choice("LOG_FORMAT", isatty(STDERR_FILENO) ? ENV_TEXT : ENV_JSON,
                                        (const char *const[]){"text", "json", NULL});
    load_places();
    load_google();
    load_tracking();
    env_load_auth();
    env_load_webhooks();
    faults = NULL;
    return out->len > before ? -1 : 0;
}

void env_log(void) {
    static const char *const roles[] = {"all", "gateway", "tracker"};

    LOG(LOG_DEBUG, NULL, "configuration",
        LOG_S("BACKEND", env.backend == ENV_GOOGLE ? "google" : "local"),
        LOG_B("cloud_run", env.cloud_run), LOG_S("ROLE", roles[env.role]), LOG_S("HOST", env.host),
        LOG_I("PORT", env.port), LOG_I("WORKERS", env.workers), LOG_S("AUTH", env.auth),
        LOG_S("API_KEYS", env_get("API_KEYS", NULL) != NULL ? MASK_WORD : NULL),
        LOG_S("WEBHOOK_URL", env.nwebhooks > 0 ? MASK_WORD : NULL),
        LOG_S("WEBHOOK_SECRET", env.nwebhook_secrets > 0 ? MASK_WORD : NULL),
        LOG_S("WEBHOOK_EVENTS", env_get("WEBHOOK_EVENTS", NULL)),
        LOG_B("WEBHOOK_ALLOW_PRIVATE", env.webhook_allow_private),
        LOG_S("AUTH_AUDIENCE", env.auth_audience), LOG_S("AUTH_ALLOWED", env.auth_allowed),
        LOG_S("IAP_AUDIENCE", env.iap_audience), LOG_S("GMAIL_USER", env.gmail_user),
        LOG_S("GMAIL_SCOPES", env.gmail_scopes), LOG_I("GMAIL_CONCURRENCY", env.gmail_concurrency),
        LOG_S("GOOGLE_SERVICE_ACCOUNT_EMAIL", env.service_account),
        LOG_S("GOOGLE_CLOUD_PROJECT", env.project),
        LOG_S("FIRESTORE_DATABASE", env.firestore_database),
        LOG_S("SEND_MODE", env.send_mode == ENV_SEND ? "send" : "draft"),
        LOG_B("NO_SEND", env.no_send), LOG_S("ALLOWED_SENDERS", env.allowed_senders),
        LOG_B("ENABLE_TRACKING", env.tracking), LOG_S("PIXEL_TRACKER_BASE_URL", env.pixel_base_url),
        LOG_S("PIXEL_COLLECTION", env.pixel_collection),
        LOG_S("DRAFT_COLLECTION", env.draft_collection), LOG_S("DATA_DIR", env.data_dir),
        LOG_S("SCRIPTS_DIR", env.scripts_dir), LOG_S("TEMPLATES_DIR", env.templates_dir),
        LOG_I("RELOAD_INTERVAL", env.reload_interval), LOG_I("MAX_BODY_BYTES", env.max_body_bytes),
        LOG_I("REQUEST_TIMEOUT", env.request_timeout),
        LOG_I("UPSTREAM_TIMEOUT", env.upstream_timeout),
        LOG_S("GCE_METADATA_HOST", env.gce_metadata_host),
        LOG_S("FIRESTORE_EMULATOR_HOST", env.firestore_emulator_host),
        LOG_S("FIRESTORE_URL", env.firestore_url), LOG_S("GMAIL_URL", env.gmail_url),
        LOG_S("IAM_CREDENTIALS_URL", env.iam_credentials_url),
        LOG_S("OAUTH_TOKEN_URL", env.oauth_token_url),
        LOG_S("GOOGLE_JWKS_URL", env.google_jwks_url), LOG_S("IAP_JWKS_URL", env.iap_jwks_url));
}

const char *env_sender(void) {
    return env.gmail_user != NULL ? env.gmail_user : LOCAL_SENDER;
}
