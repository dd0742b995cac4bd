#include "auth_caller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth_key.h"
#include "auth_keys.h"
#include "auth_session.h"
#include "auth_token.h"
#include "clock.h"
#include "jwt.h"

struct auth_caller {
    struct auth_credentials given;
    auth_caller_done_fn *done;
    void *arg;
    size_t method;   /* the index in env.auths of the one that is tried */
    unsigned inside; /* functions on the stack that will go on with it */
    bool ended;      /* done was called: the last of them frees it */
    struct auth_identity who;
    struct err why; /* of all refusals so far */
    bool refused;   /* there was one */
    struct jwt token;
    struct auth_keys_call *keys;
    struct auth_session_call *session;
};

/* What trying a method came to. */
enum attempt { REFUSED, ACCEPTED, WAITING };

static void go_on(struct auth_caller *c);
static void accept(struct auth_caller *c);

static void caller_free(struct auth_caller *c) {
    jwt_free(&c->token);
    free(c);
}

/* True: it is over. */
static bool leave(struct auth_caller *c) {
    bool over = --c->inside == 0 && c->ended;

    if (over)
        caller_free(c);
    return over;
}

/* --- refusals -------------------------------------------------------------------------------- */

/* They are told one after another; what kept us from finding out says most, and gives the code. */
static void refuse(struct auth_caller *c, const char *what, const struct err *e) {
    struct err before = c->why;

    err_set(&c->why, c->refused && before.code != ERR_UNAUTHENTICATED ? before.code : e->code,
            "%.200s%s%s: %.250s", c->refused ? before.message : "", c->refused ? "; " : "", what,
            e->message);
    c->refused = true;
}

static void refuse_with(struct auth_caller *c, const char *what, const char *why) {
    struct err e;

    err_set(&e, ERR_UNAUTHENTICATED, "%s", why);
    refuse(c, what, &e);
}

/* --- key ------------------------------------------------------------------------------------- */

/* The token of "Bearer <token>" (RFC 6750 §2.1); NULL: it is something else. */
static const char *bearer(const char *authorization, size_t *n) {
    static const char scheme[] = "Bearer ";

    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return NULL;
    authorization += sizeof(scheme) - 1;
    authorization += strspn(authorization, " ");
    *n = strcspn(authorization, " \t");
    return authorization;
}

/* The value of our cookie (RFC 6265 §4.2.1); NULL: it is not there. */
static const char *session_token(const char *cookies, size_t *n) {
    static const char name[] = AUTH_SESSION_COOKIE "=";

    for (const char *s = cookies; s != NULL && *s != '\0'; s += strcspn(s, ";"), s += *s == ';') {
        s += strspn(s, " \t");
        if (strncmp(s, name, sizeof(name) - 1) != 0)
            continue;
        s += sizeof(name) - 1;
        *n = strcspn(s, "; \t");
        return s;
    }
    return NULL;
}

static void become_key(struct auth_caller *c, const struct env_key *key) {
    snprintf(c->who.name, sizeof(c->who.name), "%s", key->name);
    c->who.has_roles = true;
    c->who.roles = key->roles;
}

static void on_session(const struct err *e, const struct auth_session *s, void *arg) {
    struct auth_caller *c = arg;

    c->inside++;
    c->session = NULL;
    if (s != NULL) {
        become_key(c, s->key);
        c->who.ambient = true;
        memcpy(c->who.session, s->id, sizeof(c->who.session));
        accept(c);
    } else {
        if (e->code != ERR_NONE)
            refuse(c, "session", e);
        else
            refuse_with(c, "session", "it is over, or never was");
        c->method++;
        go_on(c);
    }
    leave(c);
}

static enum attempt try_key(struct auth_caller *c) {
    const char *keys[] = {c->given.api_key, NULL}, *cookie;
    size_t lengths[] = {c->given.api_key != NULL ? strlen(c->given.api_key) : 0, 0}, n;
    const struct env_key *found = NULL;

    keys[1] = bearer(c->given.authorization, &lengths[1]);
    for (size_t i = 0; i < COUNT_OF(keys) && found == NULL; i++)
        if (keys[i] != NULL && (found = auth_key_find(keys[i], lengths[i])) == NULL)
            refuse_with(c, "key", "it is none of API_KEYS");
    if (found != NULL) {
        become_key(c, found);
        return ACCEPTED;
    }
    if ((cookie = session_token(c->given.cookie, &n)) == NULL)
        return REFUSED;
    c->session = auth_session_find(cookie, n, on_session, c);
    return WAITING;
}

/* --- google and iap: signed tokens ----------------------------------------------------------- */

static bool is_allowed(struct auth_caller *c) {
    struct err e;

    if (c->who.method != ENV_GOOGLE_TOKEN || env_lists_address(env.auth_allowed, c->who.name))
        return true;
    err_set(&e, ERR_FORBIDDEN, "%s is not in AUTH_ALLOWED", c->who.name);
    refuse(c, "google", &e);
    return false;
}

static bool is_proven(struct auth_caller *c, const struct err *e, const struct crypto_key *key) {
    const char *method = env_auth_name(c->who.method);

    if (e->code != ERR_NONE)
        refuse(c, method, e);
    else if (key == NULL)
        refuse_with(c, method, "there is no key of the id that it names");
    else if (!jwt_is_signed(&c->token, key))
        refuse_with(c, method, "its signature is not Google's");
    else
        return true;
    return false;
}

static void on_key(const struct err *e, const struct crypto_key *key, void *arg) {
    struct auth_caller *c = arg;

    c->inside++;
    c->keys = NULL;
    if (is_proven(c, e, key) && is_allowed(c)) {
        accept(c);
    } else {
        c->method++;
        go_on(c);
    }
    leave(c);
}

/* The key may be there at once: then c->keys is left alone, for the method after this one may wait
 * by now. */
static void find_key(struct auth_caller *c, enum auth_keys_source source) {
    struct auth_keys_call *keys = auth_keys_find(source, c->token.kid, on_key, c);

    if (keys != NULL)
        c->keys = keys;
}

static enum attempt try_token(struct auth_caller *c, const char *text, size_t n,
                              enum auth_keys_source source) {
    const char *method = env_auth_name(c->who.method);
    struct err e;

    jwt_free(&c->token);
    if (jwt_parse(&c->token, text, n, &e) == 0) {
        if (c->token.stripped)
            err_set(&e, ERR_UNAUTHENTICATED,
                    "Cloud Run's IAM check has taken its signature off, so it proves nothing here "
                    "(AUTH=iam trusts that check)");
        else if (c->token.kid == NULL)
            err_set(&e, ERR_UNAUTHENTICATED, "it names no key");
        else if (auth_token_check(&c->token, source, clock_now_us() / 1000000, c->who.name, &e) ==
                 0) {
            find_key(c, source);
            return WAITING;
        }
    }
    refuse(c, method, &e);
    return REFUSED;
}

static enum attempt try_google(struct auth_caller *c) {
    size_t n;
    const char *text = bearer(c->given.authorization, &n);

    return text != NULL ? try_token(c, text, n, AUTH_KEYS_GOOGLE) : REFUSED;
}

static enum attempt try_iap(struct auth_caller *c) {
    const char *text = c->given.iap_assertion;

    c->who.ambient = true;
    return text != NULL ? try_token(c, text, strlen(text), AUTH_KEYS_IAP) : REFUSED;
}

/* --- iam and none: trust --------------------------------------------------------------------- */

/* A caller with a token of his own for us gives that of the platform in another header, and then it
 * is the other one that was checked. */
static enum attempt try_iam(struct auth_caller *c) {
    size_t n = 0;
    const char *text =
        bearer(c->given.serverless_authorization != NULL ? c->given.serverless_authorization
                                                         : c->given.authorization,
               &n);
    struct err e;

    if (text == NULL)
        return REFUSED;
    jwt_free(&c->token);
    if (jwt_parse(&c->token, text, n, &e) == 0) {
        if (!c->token.stripped)
            err_set(&e, ERR_UNAUTHENTICATED,
                    "its signature is still there: Cloud Run's IAM has not checked it");
        else if (auth_token_read_email(&c->token, c->who.name, &e) == 0)
            return ACCEPTED;
    }
    refuse(c, "iam", &e);
    return REFUSED;
}

static enum attempt try_none(struct auth_caller *c) {
    snprintf(c->who.name, sizeof(c->who.name), "anonymous");
    c->who.ambient = true;
    return ACCEPTED;
}

/* --- in order -------------------------------------------------------------------------------- */

static void end(struct auth_caller *c, const struct err *e, const struct auth_identity *who) {
    c->ended = true;
    c->done(e, who, c->arg);
}

static void accept(struct auth_caller *c) {
    struct err none = {.code = ERR_NONE};

    end(c, &none, &c->who);
}

/* Try the methods from the one that is next on; what waits goes on from its callback. */
static void go_on(struct auth_caller *c) {
    static enum attempt (*const methods[])(struct auth_caller *) = {[ENV_KEY] = try_key,
                                                                    [ENV_GOOGLE_TOKEN] = try_google,
                                                                    [ENV_IAP] = try_iap,
                                                                    [ENV_IAM] = try_iam,
                                                                    [ENV_NONE] = try_none};

    for (; c->method < env.nauths; c->method++) {
        c->who = (struct auth_identity){.method = env.auths[c->method]};
        switch (methods[c->who.method](c)) {
        case ACCEPTED:
            accept(c);
            return;
        case WAITING:
            return;
        case REFUSED:
            break;
        }
    }
    if (!c->refused)
        err_set(&c->why, ERR_UNAUTHENTICATED, "no credentials");
    end(c, &c->why, NULL);
}

struct auth_caller *auth_caller_start(const struct auth_credentials *given,
                                      auth_caller_done_fn *done, void *arg) {
    struct auth_caller *c = calloc(1, sizeof(*c));
    struct err e;

    if (c == NULL) {
        err_set(&e, ERR_OVERLOADED, "there is not enough memory for this request just now");
        done(&e, NULL, arg);
        return NULL;
    }
    c->given = *given;
    c->done = done;
    c->arg = arg;
    c->inside++;
    go_on(c);
    return leave(c) ? NULL : c;
}

void auth_caller_cancel(struct auth_caller **cp) {
    struct auth_caller *c = *cp;

    if (c == NULL)
        return;
    *cp = NULL;
    auth_keys_cancel(&c->keys);
    auth_session_cancel(&c->session);
    caller_free(c);
}
