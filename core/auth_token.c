#include "auth_token.h"

#include <string.h>

#include "encode.h"
#include "env.h"

#define AHEAD_MAX_S 86400 /* a token that lives longer is none of Google's */

static const char *const issuers[AUTH_KEYS_SOURCES][2] = {
    [AUTH_KEYS_GOOGLE] = {"https://accounts.google.com", "accounts.google.com"},
    [AUTH_KEYS_IAP] = {"https://cloud.google.com/iap", "https://cloud.google.com/iap"}};

/* A claim without a NUL in it; NULL: it is absent, or no text. */
static const char *read_text(const json_t *claims, const char *name) {
    const json_t *value = json_object_get(claims, name);
    const char *s = json_string_value(value);

    return s != NULL && strlen(s) == json_string_length(value) ? s : NULL;
}

static int check_issuer(const struct jwt *t, enum auth_keys_source source, struct err *e) {
    const char *iss = read_text(t->claims, "iss");

    for (size_t i = 0; iss != NULL && i < COUNT_OF(issuers[source]); i++)
        if (strcmp(iss, issuers[source][i]) == 0)
            return 0;
    return err_set(e, ERR_UNAUTHENTICATED, "its issuer is '%.80s', not %s", iss != NULL ? iss : "",
                   issuers[source][0]);
}

static int check_audience(const struct jwt *t, enum auth_keys_source source, struct err *e) {
    bool google = source == AUTH_KEYS_GOOGLE;
    const char *wanted = google ? env.auth_audience : env.iap_audience;
    const char *aud = read_text(t->claims, "aud");

    if (aud != NULL && wanted != NULL && env_lists(wanted, aud))
        return 0;
    return err_set(e, ERR_UNAUTHENTICATED, "its audience is '%.200s', not that of %s",
                   aud != NULL ? aud : "", google ? "AUTH_AUDIENCE" : "IAP_AUDIENCE");
}

/* RFC 7519 §4.1.4 to §4.1.6, in whole or broken seconds. */
static int check_times(const struct jwt *t, int64_t now_s, struct err *e) {
    const json_t *exp = json_object_get(t->claims, "exp");
    double now = (double)now_s, end = json_number_value(exp);

    if (!json_is_number(exp))
        return err_set(e, ERR_UNAUTHENTICATED, "it does not say when it expires");
    if (now >= end + AUTH_TOKEN_SKEW_S)
        return err_set(e, ERR_UNAUTHENTICATED, "it expired %.0f seconds ago", now - end);
    if (end > now + AHEAD_MAX_S + AUTH_TOKEN_SKEW_S)
        return err_set(e, ERR_UNAUTHENTICATED, "it is valid for longer than a day");
    for (const char *const *name = (const char *const[]){"iat", "nbf", NULL}; *name; name++) {
        const json_t *from = json_object_get(t->claims, *name);

        if (from != NULL && !json_is_number(from))
            return err_set(e, ERR_UNAUTHENTICATED, "its '%s' is no time", *name);
        if (json_number_value(from) > now + AUTH_TOKEN_SKEW_S)
            return err_set(e, ERR_UNAUTHENTICATED, "it is not valid yet");
    }
    return 0;
}

int auth_token_read_email(const struct jwt *t, char email[AUTH_TOKEN_EMAIL_MAX + 1],
                          struct err *e) {
    const char *s = read_text(t->claims, "email");
    size_t n = s != NULL ? strlen(s) : 0;

    if (n == 0 || n > AUTH_TOKEN_EMAIL_MAX || strchr(s, '@') == NULL ||
        encode_utf8_error(s, n) < n || encode_control_at(s, n) < n)
        return err_set(e, ERR_UNAUTHENTICATED, "it names no e-mail address");
    for (size_t i = 0; i <= n; i++)
        email[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
    return 0;
}

int auth_token_check(const struct jwt *t, enum auth_keys_source source, int64_t now_s,
                     char email[AUTH_TOKEN_EMAIL_MAX + 1], struct err *e) {
    if (check_issuer(t, source, e) != 0 || check_audience(t, source, e) != 0 ||
        check_times(t, now_s, e) != 0 || auth_token_read_email(t, email, e) != 0)
        return -1;
    if (source == AUTH_KEYS_GOOGLE && !json_is_true(json_object_get(t->claims, "email_verified")))
        return err_set(e, ERR_UNAUTHENTICATED, "its e-mail address is not verified");
    return 0;
}
