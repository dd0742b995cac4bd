#include "gmail_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "crypto.h"
#include "encode.h"
#include "html.h"
#include "mime.h"

#define SCOPE(name)     "https://www.googleapis.com/auth/" name
#define ALL             "https://mail.google.com/"
#define OVERHEAD        (1 * KIB) /* of a body, besides the message */
#define SIGNATURE_MAX   (4 * MIB)
#define REFERENCES_SIZE (64 * KIB)

/* --- scopes ---------------------------------------------------------------------------------- */

static bool is_one_of(const char *word, size_t n, const char *const *list) {
    for (; *list != NULL; list++)
        if (strlen(*list) == n && memcmp(word, *list, n) == 0)
            return true;
    return false;
}

static bool names_one_of(const char *scopes, const char *const *list) {
    for (size_t n; *(scopes += strspn(scopes, " ")) != '\0'; scopes += n) {
        n = strcspn(scopes, " ");
        if (is_one_of(scopes, n, list))
            return true;
    }
    return false;
}

bool gmail_scopes_cover(const char *scopes, enum gmail_need need) {
    static const char *const enough[][6] = {
        [GMAIL_IDENTITIES] = {ALL, SCOPE("gmail.modify"), SCOPE("gmail.readonly"),
                              SCOPE("gmail.settings.basic"), NULL},
        [GMAIL_DRAFTS] = {ALL, SCOPE("gmail.modify"), SCOPE("gmail.compose"), NULL},
        [GMAIL_HEADERS] = {ALL, SCOPE("gmail.modify"), SCOPE("gmail.readonly"),
                           SCOPE("gmail.metadata"), NULL},
        [GMAIL_SEARCH] = {ALL, SCOPE("gmail.modify"), SCOPE("gmail.readonly"), NULL},
        [GMAIL_DRAFT_SEARCH] = {ALL, SCOPE("gmail.modify"), SCOPE("gmail.readonly"),
                                SCOPE("gmail.compose"), NULL},
        [GMAIL_PROFILE] = {ALL, SCOPE("gmail.modify"), SCOPE("gmail.compose"),
                           SCOPE("gmail.readonly"), SCOPE("gmail.metadata"), NULL},
    };
    /* Whoever has it, too, may not search: the narrow scope wins. */
    static const char *const no_search[] = {SCOPE("gmail.metadata"), NULL};

    if ((need == GMAIL_SEARCH || need == GMAIL_DRAFT_SEARCH) && names_one_of(scopes, no_search))
        return false;
    return names_one_of(scopes, enough[need]);
}

/* --- requests -------------------------------------------------------------------------------- */

static struct blob *take_blob(struct buf *b) {
    size_t len;
    char *data = buf_take(b, &len);
    struct blob *blob = data != NULL ? blob_own(data, len) : NULL;

    if (blob == NULL)
        free(data);
    buf_free(b);
    return blob;
}

static void add_thread(struct buf *out, const char *thread_id) {
    if (thread_id == NULL)
        return;
    buf_adds(out, "\"threadId\":");
    json_text_add_string(out, thread_id, strlen(thread_id));
}

struct blob *gmail_json_body(const struct blob *message, const char *thread_id, bool draft) {
    size_t size = message->len / 3 * 4 + OVERHEAD;
    struct buf b;

    buf_init(&b, size);
    buf_reserve(&b, size); /* at once: it is the message, once more */
    buf_adds(&b, draft ? "{\"message\":{" : "{");
    add_thread(&b, thread_id);
    buf_adds(&b, thread_id != NULL ? ",\"raw\":\"" : "\"raw\":\"");
    encode_base64url(&b, message->data, message->len);
    buf_adds(&b, draft ? "\"}}" : "\"}");
    buf_trim(&b);
    return take_blob(&b);
}

struct blob *gmail_id_body(const char *id) {
    struct buf b;

    buf_init(&b, OVERHEAD);
    buf_adds(&b, "{\"id\":");
    json_text_add_string(&b, id, strlen(id));
    buf_adds(&b, "}");
    return take_blob(&b);
}

struct blob *gmail_related_body(const struct blob *message, const char *thread_id, bool draft,
                                char content_type[GMAIL_TYPE_SIZE]) {
    char boundary[CRYPTO_UUID_SIZE]; /* random: nobody can have written it into the message */
    struct buf b;

    crypto_uuid4(boundary);
    snprintf(content_type, GMAIL_TYPE_SIZE, "multipart/related; boundary=%s", boundary);
    buf_init(&b, message->len + OVERHEAD);
    buf_reserve(&b, message->len + OVERHEAD);
    buf_addf(&b, "--%s\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n", boundary);
    buf_adds(&b, draft ? "{\"message\":{" : "{");
    add_thread(&b, thread_id);
    buf_adds(&b, draft ? "}}" : "}");
    buf_addf(&b, "\r\n--%s\r\nContent-Type: message/rfc822\r\n\r\n", boundary);
    buf_add(&b, message->data, message->len);
    buf_addf(&b, "\r\n--%s--\r\n", boundary);
    return take_blob(&b);
}

/* --- answers --------------------------------------------------------------------------------- */

bool gmail_lacks_scope(int status, const char *reason) {
    return status == 403 && (strcmp(reason, "insufficientPermissions") == 0 ||
                             strcmp(reason, "ACCESS_TOKEN_SCOPE_INSUFFICIENT") == 0);
}

bool gmail_read_text(char *out, size_t size, const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    size_t n = json_string_length(value);

    out[0] = '\0';
    if (n == 0 || n >= size || strlen(json_string_value(value)) != n)
        return false;
    memcpy(out, json_string_value(value), n + 1);
    return true;
}

const char *gmail_header(const json_t *message, const char *name) {
    const json_t *headers = json_object_get(json_object_get(message, "payload"), "headers");
    const json_t *header;
    size_t i;

    json_array_foreach(headers, i, header) {
        const char *its = json_string_value(json_object_get(header, "name"));

        if (its != NULL && strcasecmp(its, name) == 0)
            return json_string_value(json_object_get(header, "value"));
    }
    return NULL;
}

bool gmail_has_label(const json_t *message, const char *label) {
    const json_t *its;
    size_t i;

    json_array_foreach(json_object_get(message, "labelIds"), i, its) {
        if (json_is_string(its) && strcmp(json_string_value(its), label) == 0)
            return true;
    }
    return false;
}

/* The next message id in <> of a header, without them, and its length; NULL at the end.  What is
 * malformed is passed over: other programs wrote it. */
static const char *next_id(const char **rest, size_t *n) {
    const char *s = *rest;

    while ((s = strchr(s, '<')) != NULL) {
        *n = strcspn(++s, "<>");
        if (s[*n] == '>' && mime_is_message_id(s, *n)) {
            *rest = s + *n + 1;
            return s;
        }
    }
    return NULL;
}

char *gmail_message_id(const json_t *message) {
    const char *header = gmail_header(message, "Message-ID"), *id;
    size_t n;

    if (header == NULL || (id = next_id(&header, &n)) == NULL)
        return NULL;
    return strndup(id, n);
}

static size_t count_ids(const char *header) {
    size_t count = 0, n;

    while (header != NULL && next_id(&header, &n) != NULL)
        count++;
    return count;
}

/* RFC 5322 §3.6.4 */
char *gmail_references(const json_t *message, const char *message_id) {
    const char *header = gmail_header(message, "References"), *rest, *id;
    size_t count = count_ids(header), i = 0, n;
    struct buf b;
    char *all;

    if (count == 0) { /* of several that a message answers, none is the beginning of its thread */
        header = gmail_header(message, "In-Reply-To");
        count = count_ids(header) == 1 ? 1 : 0;
    }
    buf_init(&b, REFERENCES_SIZE);
    for (rest = header; i < count && (id = next_id(&rest, &n)) != NULL; i++)
        if (i == 0 || i + GMAIL_REFERENCES_MAX > count + 1)
            buf_addf(&b, "<%.*s> ", (int)n, id);
    buf_addf(&b, "<%s>", message_id);
    all = buf_failed(&b) ? NULL : buf_take(&b, NULL);
    buf_free(&b);
    return all;
}

static bool needs_alt(const struct html *h) {
    struct buf value;
    bool has;

    if (h->n != strlen("img") || strncasecmp(h->s, "img", h->n) != 0)
        return false;
    buf_init(&value, SIGNATURE_MAX);
    has = html_attribute(h, "alt", &value);
    buf_free(&value);
    return !has;
}

char *gmail_signature(const char *html, size_t n) {
    const char *from = html;
    enum html_kind kind;
    struct html h;
    struct buf b;
    char *clean;

    buf_init(&b, SIGNATURE_MAX);
    html_init(&h, html, n);
    while ((kind = html_next(&h)) != HTML_END) {
        if (kind != HTML_OPEN || !needs_alt(&h))
            continue;
        buf_add(&b, from, (size_t)(h.s + h.n - from));
        buf_adds(&b, " alt=\"\"");
        from = h.s + h.n;
    }
    buf_add(&b, from, (size_t)(html + n - from));
    if (strspn(b.data, " \t\r\n") == b.len)
        buf_reset(&b);
    clean = buf_failed(&b) ? NULL : buf_take(&b, NULL);
    buf_free(&b);
    return clean;
}
