#include "google_error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encode.h"
#include "mask.h"

#define RETRY_MAX_S (24 * 3600)

/* --- text that may be told ------------------------------------------------------------------- */

void google_error_add_clean(struct buf *out, const char *s, size_t n) {
    uint32_t cp;

    for (size_t i = 0, len; i < n; i += len) {
        if ((len = mask_secret(s, i, n)) > 0) {
            buf_adds(out, MASK_WORD);
        } else if ((len = encode_utf8_char(s + i, n - i, &cp)) == 0 ||
                   encode_control_at(s + i, len) < len) {
            buf_addc(out, ' ');
            len = len > 0 ? len : 1;
        } else {
            buf_add(out, s + i, len);
        }
    }
}

/* Clean and cut at a character. */
static void put_text(char *to, size_t size, const char *s, size_t n) {
    struct buf b;

    buf_init(&b, 16 * KIB);
    google_error_add_clean(&b, s, n < 2 * KIB ? n : 2 * KIB);
    n = b.len < size ? b.len : size - 1;
    while (n < b.len && n > 0 && ((unsigned char)b.data[n] & 0xC0) == 0x80)
        n--;
    memcpy(to, b.data, n);
    to[n] = '\0';
    buf_free(&b);
}

/* The text under a name of an object, unless there is one already; "" where it is no text. */
static void put_member(char *to, size_t size, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);

    if (*to == '\0' && json_is_string(value))
        put_text(to, size, json_string_value(value), json_string_length(value));
}

/* --- when to come again ---------------------------------------------------------------------- */

static int clamp_seconds(double s) {
    if (!(s > 1))
        return 1;
    return s >= RETRY_MAX_S ? RETRY_MAX_S : (int)s + (s > (int)s);
}

/* Digits with an optional fraction, up to `end`. */
static bool read_seconds(const char *s, const char *end, int *out) {
    size_t n = strspn(s, "0123456789.");

    if (n == 0 || n > 32 || *s == '.' || strcmp(s + n, end) != 0)
        return false;
    *out = clamp_seconds(strtod(s, NULL));
    return true;
}

/* From now until an instant; one that has gone by says nothing, or that a clock is wrong. */
static bool read_until(double at_s, int64_t now_us, int *out) {
    double s = at_s - (double)now_us / 1e6;

    if (s > 0)
        *out = clamp_seconds(s);
    return s > 0;
}

static bool read_http_date(const char *s, int64_t now_us, int *out) {
    int64_t us;

    return clock_parse_http(s, &us) == 0 && read_until((double)us / 1e6, now_us, out);
}

/* Gmail hides it: "User-rate limit exceeded.  Retry after 2026-03-10T17:41:45.544Z" */
static bool read_instant(const char *message, int64_t now_us, int *out) {
    const char *at = strcasestr(message, "retry after ");
    int64_t us;
    size_t n;

    if (at == NULL)
        return false;
    at += strlen("retry after ");
    n = strspn(at, "0123456789-:.+TZtz");
    while (n > 0 && at[n - 1] == '.')
        n--; /* of the sentence */
    return clock_parse(at, n, &us) == 0 && read_until((double)us / 1e6, now_us, out);
}

/* --- the dialects ---------------------------------------------------------------------------- */

static void read_detail(struct google_error *out, const json_t *detail) {
    static const char projects[] = "projects/";
    const char *delay = json_string_value(json_object_get(detail, "retryDelay"));
    const char *consumer =
        json_string_value(json_object_get(json_object_get(detail, "metadata"), "consumer"));

    put_member(out->info, sizeof(out->info), detail, "reason");
    if (delay != NULL && out->retry_after == 0)
        read_seconds(delay, "s", &out->retry_after);
    if (consumer != NULL && strncmp(consumer, projects, strlen(projects)) == 0)
        put_text(out->consumer, sizeof(out->consumer), consumer + strlen(projects),
                 strlen(consumer + strlen(projects)));
}

static void read_envelope(struct google_error *out, const json_t *error) {
    const json_t *first = json_array_get(json_object_get(error, "errors"), 0), *detail;
    size_t i;

    put_member(out->message, sizeof(out->message), error, "message");
    put_member(out->message, sizeof(out->message), first, "message");
    put_member(out->legacy, sizeof(out->legacy), first, "reason");
    put_member(out->word, sizeof(out->word), error, "status");
    json_array_foreach(json_object_get(error, "details"), i, detail) read_detail(out, detail);
}

/* RFC 6750 §3: Bearer error="insufficient_scope", scope="…" */
static void read_challenge(struct google_error *out, const char *value) {
    static const char needed[] = "scope=\"";
    const char *at = strstr(value, needed);

    if (strstr(value, "insufficient_scope") == NULL)
        return;
    if (out->info[0] == '\0')
        snprintf(out->info, sizeof(out->info), "ACCESS_TOKEN_SCOPE_INSUFFICIENT");
    if (at != NULL)
        put_text(out->scopes, sizeof(out->scopes), at + strlen(needed),
                 strcspn(at + strlen(needed), "\""));
}

const json_t *google_error_in_stream(const json_t *body, int *status) {
    const json_t *element;
    size_t i;

    json_array_foreach(body, i, element) {
        const json_t *error = json_object_get(element, "error");
        json_int_t code = json_integer_value(json_object_get(error, "code"));

        if (!json_is_object(error))
            continue;
        *status = code >= 400 && code <= 599 ? (int)code : 500;
        return element;
    }
    return NULL;
}

void google_error_read(struct google_error *out, int status, const struct fetch_header *headers,
                       size_t nheaders, const json_t *body, int64_t now_us) {
    const json_t *root = json_is_array(body) ? json_array_get(body, 0) : body, *error;
    int ignored;

    *out = (struct google_error){.status = status};
    if (json_is_array(body) && google_error_in_stream(body, &ignored) != NULL)
        root = google_error_in_stream(body, &ignored);
    error = json_object_get(root, "error");
    if (json_is_string(error)) {
        put_member(out->word, sizeof(out->word), root, "error");
        put_member(out->subtype, sizeof(out->subtype), root, "error_subtype");
        put_member(out->message, sizeof(out->message), root, "error_description");
    } else {
        read_envelope(out, error);
    }
    for (size_t i = 0; i < nheaders; i++) {
        const char *value = headers[i].value;

        if (strcmp(headers[i].name, "www-authenticate") == 0)
            read_challenge(out, value);
        else if (strcmp(headers[i].name, "retry-after") == 0 && out->retry_after == 0 &&
                 !read_seconds(value, "", &out->retry_after))
            read_http_date(value, now_us, &out->retry_after);
    }
    if (out->retry_after == 0)
        read_instant(out->message, now_us, &out->retry_after);
}

const char *google_error_reason(const struct google_error *ge) {
    return ge->legacy[0] != '\0' ? ge->legacy : ge->info[0] != '\0' ? ge->info : ge->word;
}

bool google_error_is(const struct google_error *ge, const char *word) {
    return strcmp(ge->legacy, word) == 0 || strcmp(ge->info, word) == 0 ||
           strcmp(ge->word, word) == 0 || strcmp(ge->subtype, word) == 0;
}
