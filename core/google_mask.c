#include "google_mask.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "google_error.h"
#include "json_text.h"

#define READ_MAX (256 * KIB) /* what is larger is a message: it is not read for a log's sake */
#define DEPTH    64

/* Names of members.  One that is not here is masked, with all that is in it. */
static const char *const harmless[] = {
    /* errors, in all dialects */
    "@type", "code", "details", "domain", "error", "error_description", "error_subtype", "errors",
    "location", "locationType", "message", "reason", "retryDelay", "status",
    /* tokens, and the claims of an assertion */
    "audience", "aud", "delegates", "exp", "expireTime", "expires_in", "grant_type", "iat",
    "includeEmail", "iss", "keyId", "lifetime", "payload", "scope", "sub", "token_type",
    "universe_domain",
    /* Gmail */
    "displayName", "emailAddress", "headers", "historyId", "id", "internalDate", "isDefault",
    "isPrimary", "labelIds", "messages", "messagesTotal", "name", "nextPageToken", "replyToAddress",
    "resultSizeEstimate", "sendAs", "sendAsEmail", "signature", "sizeEstimate", "threadId",
    "threadsTotal", "treatAsAlias", "value", "verificationStatus",
    /* Firestore: requests and answers */
    "aggregateFields", "aggregations", "alias", "allDescendants", "before", "collectionId",
    "commitTime", "count", "createTime", "currentDocument", "delete", "direction", "document",
    "documents", "done", "exists", "field", "fieldFilter", "fieldPath", "fieldPaths", "fields",
    "found", "from", "increment", "limit", "mask", "missing", "op", "orderBy", "readTime", "result",
    "select", "skippedResults", "startAt", "structuredAggregationQuery", "structuredQuery",
    "transformResults", "update", "updateMask", "updateTime", "updateTransforms", "upTo", "where",
    "writeResults", "writes",
    /* its types of values, but for bytesValue */
    "arrayValue", "booleanValue", "doubleValue", "integerValue", "mapValue", "nullValue",
    "referenceValue", "stringValue", "timestampValue", "values",
    /* members of our documents */
    "_paraph", "attempt", "counted_at", "created_at", "draft_id", "first_opened_at", "format",
    "gmail_draft_id", "gmail_mailbox", "gmail_thread_id", "last_opened_at", "message_id", "mode",
    "open_count", "parts", "pixel_id", "reviewed_at", "sending_since", "sent_at", "template",
    "thread_id", "trace_id", "tracking", "unsettled", "waiting", "write"};

static bool is_harmless(const char *name) {
    for (size_t i = 0; i < COUNT_OF(harmless); i++)
        if (strcmp(name, harmless[i]) == 0)
            return true;
    return false;
}

static void add_masked(struct buf *out, size_t n) {
    buf_addf(out, "\"(masked, %zu bytes)\"", n);
}

static size_t size_of(const json_t *value) {
    return json_is_string(value) ? json_string_length(value)
                                 : json_dumpb(value, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY);
}

static void add_text(struct buf *out, const char *s, size_t n) {
    struct buf clean;

    buf_init(&clean, out->max);
    google_error_add_clean(&clean, s, n);
    json_text_add_string(out, clean.data, clean.len);
    out->failed = out->failed || clean.failed;
    buf_free(&clean);
}

/* The claims that are to be signed: JSON inside of JSON. */
static void add_claims(struct buf *out, const json_t *text) {
    json_t *claims =
        json_text_parse(json_string_value(text), json_string_length(text), DEPTH, NULL);

    if (json_is_object(claims))
        google_mask_add_tree(out, claims);
    else
        add_masked(out, json_string_length(text));
    json_decref(claims);
}

static void add_value(struct buf *out, const json_t *value, bool shown);

static void add_member(struct buf *out, const char *name, const json_t *value) {
    json_text_add_string(out, name, strlen(name));
    buf_addc(out, ':');
    if (!is_harmless(name))
        add_masked(out, size_of(value));
    else if (json_is_string(value) && strcmp(name, "payload") == 0)
        add_claims(out, value);
    else
        add_value(out, value, true);
}

static void add_object(struct buf *out, const json_t *object) {
    const char *name, *comma = "";
    json_t *value;

    buf_addc(out, '{');
    json_object_foreach((json_t *)(uintptr_t)object, name, value) {
        buf_adds(out, comma);
        add_member(out, name, value);
        comma = ",";
    }
    buf_addc(out, '}');
}

static void add_array(struct buf *out, const json_t *array, bool shown) {
    const json_t *value;
    size_t i;

    buf_addc(out, '[');
    json_array_foreach(array, i, value) {
        if (i > 0)
            buf_addc(out, ',');
        add_value(out, value, shown);
    }
    buf_addc(out, ']');
}

/* shown: it stands under a harmless name. */
static void add_value(struct buf *out, const json_t *value, bool shown) {
    char *text;

    if (json_is_object(value)) {
        add_object(out, value);
    } else if (json_is_array(value)) {
        add_array(out, value, shown);
    } else if (!shown) {
        add_masked(out, size_of(value));
    } else if (json_is_string(value)) {
        add_text(out, json_string_value(value), json_string_length(value));
    } else {
        text = json_dumps(value, JSON_ENCODE_ANY);
        buf_adds(out, text != NULL ? text : "null");
        free(text);
    }
}

void google_mask_add_tree(struct buf *out, const json_t *tree) {
    add_value(out, tree, false);
}

/* --- bodies ---------------------------------------------------------------------------------- */

/* A field of a form, "name=value", as a member. */
static void add_field(struct buf *out, const char *field, size_t n) {
    const char *end = field + n, *value = memchr(field, '=', n);
    struct buf name, text;

    value = value != NULL ? value + 1 : end;
    buf_init(&name, READ_MAX);
    buf_init(&text, READ_MAX);
    buf_add(&name, field, (size_t)(value - field) - (value < end));
    add_text(out, name.data, name.len);
    buf_addc(out, ':');
    if (is_harmless(name.data) && encode_percent_decode(&text, value, (size_t)(end - value)) == 0)
        add_text(out, text.data, text.len);
    else
        add_masked(out, (size_t)(end - value));
    buf_free(&name);
    buf_free(&text);
}

static void add_form(struct buf *out, const struct blob *body) {
    const char *at = body->data, *end = at + body->len;

    buf_addc(out, '{');
    while (at < end) {
        const char *amp = memchr(at, '&', (size_t)(end - at));
        size_t n = (size_t)((amp != NULL ? amp : end) - at);

        if (at > body->data)
            buf_addc(out, ',');
        add_field(out, at, n);
        at += n + 1;
    }
    buf_addc(out, '}');
}

static bool is_type(const char *type, const char *wanted) {
    return type != NULL && strncmp(type, wanted, strlen(wanted)) == 0;
}

void google_mask_add_body(struct buf *out, const struct blob *body, const char *type) {
    json_t *tree = NULL;

    if (body->len <= READ_MAX && is_type(type, "application/json"))
        tree = json_text_parse(body->data, body->len, DEPTH, NULL);
    if (tree != NULL)
        google_mask_add_tree(out, tree);
    else if (body->len <= READ_MAX && is_type(type, "application/x-www-form-urlencoded"))
        add_form(out, body);
    else
        add_masked(out, body->len);
    json_decref(tree);
}
