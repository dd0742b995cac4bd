/*
 * env.h - the configuration: environment variables, read once, checked all together.
 *
 * `env` is written by env_load() alone and constant afterwards.  Strings live until it
 * is called again.  What is not set and has no default is NULL.
 */
#ifndef ENV_H
#define ENV_H

#include "base.h"
#include "buf.h"
#include "crypto.h"

enum env_backend { ENV_LOCAL, ENV_GOOGLE };
enum env_mode { ENV_DRAFT, ENV_SEND };
enum env_role { ENV_ALL, ENV_GATEWAY, ENV_TRACKER };
enum env_log_format { ENV_TEXT, ENV_JSON };
enum env_auth { ENV_KEY, ENV_GOOGLE_TOKEN, ENV_IAP, ENV_IAM, ENV_NONE };

#define ENV_AUTHS        5
#define ENV_KEY_NAME_MAX 64

/* One of API_KEYS.  Several may have one name: a caller whose key is being replaced. */
struct env_key {
    char name[ENV_KEY_NAME_MAX + 1];
    unsigned roles;                 /* role.h */
    char sha256[CRYPTO_SHA256_HEX]; /* in lower case */
};

#define ENV_WEBHOOKS_MAX        4
#define ENV_WEBHOOK_SECRETS_MAX 4

/* One of WEBHOOK_SECRET, without "whsec_" and base64. */
struct env_webhook_secret {
    unsigned char key[64];
    size_t n;
};

struct env {
    enum env_backend backend;
    bool cloud_run; /* K_SERVICE is set */
    const char *gmail_user;
    const char *service_account;
    const char *pixel_base_url; /* without trailing slash */
    bool tracking;
    enum env_mode send_mode;
    const char *pixel_collection;
    const char *draft_collection;
    const char *data_dir;
    const char *local_signature;
    const char *project;
    const char *firestore_database;
    const char *gmail_scopes;
    unsigned gmail_concurrency;
    bool no_send;
    const char *allowed_senders;    /* comma-separated; never NULL */
    const char *auth;               /* comma-separated methods; never NULL, "": nobody gets in */
    enum env_auth auths[ENV_AUTHS]; /* the same, in order */
    size_t nauths;
    const struct env_key *keys;
    size_t nkeys;
    const char *auth_audience, *auth_allowed, *iap_audience; /* lists with commas */
    const char *webhooks[ENV_WEBHOOKS_MAX]; /* WEBHOOK_URL: they may hold secrets */
    size_t nwebhooks;
    struct env_webhook_secret webhook_secrets[ENV_WEBHOOK_SECRETS_MAX];
    size_t nwebhook_secrets;
    bool webhook_allow_private;
    enum env_role role;
    const char *host;
    bool loopback; /* nobody but this machine reaches it */
    uint16_t port;
    unsigned workers;
    const char *scripts_dir, *templates_dir;                 /* the overlay, or NULL */
    const char *shipped_scripts_dir, *shipped_templates_dir; /* always there */
    unsigned reload_interval;                                /* seconds; 0: on SIGHUP alone */
    int log_level;                                           /* enum log_level */
    enum env_log_format log_format;
    size_t max_body_bytes;
    unsigned request_timeout, upstream_timeout; /* seconds */
    const char *gce_metadata_host, *firestore_emulator_host;
    const char *firestore_url, *gmail_url, *iam_credentials_url;
    const char *oauth_token_url, *google_jwks_url, *iap_jwks_url;
};

extern struct env env;

/* Fill `env` from the process environment.  On failure -1, and one line for every variable that
 * is wrong in *faults ("PORT: 'abc' is not a number from 1 to 65535"). */
int env_load(struct buf *faults);

/* A debug event with the whole of it, under the names of the variables; secrets are masked. */
void env_log(void);

/* PORT=0 took this one: from now on it is env.port, and part of our own pixel URL. */
void env_bound(uint16_t port);

/* The name of a method of AUTH. */
const char *env_auth_name(enum env_auth auth);

/* Does AUTH name it? */
bool env_uses_auth(enum env_auth auth);

/* May a key of API_KEYS be named so? */
bool env_key_name(const char *s);

/* Is it on a list such as AUTH_AUDIENCE, to the letter? */
bool env_lists(const char *list, const char *word);

/* Is the address on a list of addresses and "@domains" such as AUTH_ALLOWED?  Whatever the case. */
bool env_lists_address(const char *list, const char *address);

/* Is it an http or https address? */
bool env_is_url(const char *s);

/* The events there are for webhooks, by number; NULL: no more.  And does anybody want this one? */
const char *env_webhook_event(size_t i);
bool env_webhook_wants(size_t i);

/* The default sender: GMAIL_USER, or the sample address of the local backend. */
const char *env_sender(void);

#endif
