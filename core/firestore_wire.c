#include "firestore_wire.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encode.h"
#include "firestore_value.h"
#include "json_text.h"

#define TOKEN_MAX      (16 * KIB)
#define PATH_MAX_BYTES (8 * KIB)
#define ALIAS          "found" /* of a count */

static int unreadable(struct err *e) {
    return err_set(e, ERR_FIRESTORE_ERROR, "Firestore's answer is not of the form it should have");
}

/* --- writes ---------------------------------------------------------------------------------- */

/* Where an element of a list begins. */
static void separate(struct buf *list) {
    if (list->len > 0 && list->data[list->len - 1] != '[')
        buf_addc(list, ',');
}

static void add_text(struct buf *out, const char *s) {
    json_text_add_string(out, s, strlen(s));
}

void firestore_wire_begin(struct buf *body) {
    buf_init(body, JSON_TEXT_MAX);
    (void)buf_reserve(body, 2 * KIB); /* most are smaller */
    buf_adds(body, "{\"writes\":[");
}

struct blob *firestore_wire_end(struct buf *body) {
    struct blob *blob = NULL;
    char *text;
    size_t n;

    buf_adds(body, "]}");
    buf_trim(body); /* it waits for an answer, perhaps with a thousand others */
    if ((text = buf_take(body, &n)) != NULL && (blob = blob_own(text, n)) == NULL)
        free(text);
    buf_free(body);
    return blob;
}

void firestore_wire_document(struct buf *body, const char *name) {
    separate(body);
    buf_adds(body, "{\"update\":{\"name\":");
    add_text(body, name);
}

static void add_document(struct buf *body, const char *name, const char *fields) {
    firestore_wire_document(body, name);
    buf_join(body, ",\"fields\":{", fields, "}}");
}

void firestore_wire_create(struct buf *body, const char *name, const char *fields) {
    add_document(body, name, fields);
    buf_adds(body, ",\"currentDocument\":{\"exists\":false}}");
}

void firestore_wire_put(struct buf *body, const char *name, const char *fields) {
    add_document(body, name, fields);
    buf_addc(body, '}');
}

void firestore_wire_update(struct buf *body, const char *name, const char *fields, const char *mask,
                           const char *version, const char *transforms) {
    add_document(body, name, fields);
    buf_join(body, ",\"updateMask\":{\"fieldPaths\":[", mask, "]}");
    if (transforms != NULL)
        buf_join(body, ",\"updateTransforms\":[", transforms, "]");
    if (version == NULL) {
        buf_adds(body, ",\"currentDocument\":{\"exists\":true}}");
    } else {
        buf_adds(body, ",\"currentDocument\":{\"updateTime\":");
        add_text(body, version);
        buf_adds(body, "}}");
    }
}

void firestore_wire_delete(struct buf *body, const char *name, const char *version) {
    separate(body);
    buf_adds(body, "{\"delete\":");
    add_text(body, name);
    if (version != NULL) {
        buf_adds(body, ",\"currentDocument\":{\"updateTime\":");
        add_text(body, version);
        buf_addc(body, '}');
    }
    buf_addc(body, '}');
}

void firestore_wire_touch(struct buf *body, const char *name) {
    firestore_wire_document(body, name);
    buf_adds(body, "},\"updateMask\":{\"fieldPaths\":[\"" FIRESTORE_WIRE_OWN
                   "\"]},\"currentDocument\":{\"exists\":true}}");
}

static void add_path(struct buf *out, const char *name, const char *sub) {
    struct buf path;

    buf_init(&path, JSON_TEXT_MAX);
    firestore_value_add_path(&path, name);
    if (sub != NULL) {
        buf_addc(&path, '.');
        firestore_value_add_path(&path, sub);
    }
    json_text_add_string(out, path.data, path.len);
    buf_free(&path);
}

void firestore_wire_mask_add(struct buf *mask, const char *name, const char *sub) {
    separate(mask);
    add_path(mask, name, sub);
}

void firestore_wire_add_one(struct buf *transforms, const char *member) {
    separate(transforms);
    buf_adds(transforms, "{\"fieldPath\":");
    add_path(transforms, member, NULL);
    buf_adds(transforms, ",\"increment\":{\"integerValue\":\"1\"}}");
}

int firestore_wire_append(struct buf *transforms, const char *member, const json_t *value,
                          struct err *e) {
    separate(transforms);
    buf_adds(transforms, "{\"fieldPath\":");
    add_path(transforms, member, NULL);
    buf_adds(transforms, ",\"appendMissingElements\":{\"values\":[");
    if (firestore_value_add_element(transforms, member, value, e) < 0)
        return -1;
    buf_adds(transforms, "]}}");
    return 0;
}

/* --- other requests -------------------------------------------------------------------------- */

static json_t *path_new(const char *name) {
    json_t *path = NULL;
    struct buf text;

    buf_init(&text, PATH_MAX_BYTES);
    firestore_value_add_path(&text, name);
    if (!buf_failed(&text))
        path = json_stringn(text.data, text.len);
    buf_free(&text);
    return path;
}

json_t *firestore_wire_get(json_t *names, const char *only) {
    if (only == NULL)
        return json_pack("{s:O}", "documents", names);
    return json_pack("{s:O,s:{s:[o]}}", "documents", names, "mask", "fieldPaths", path_new(only));
}

/* NULL also for all. */
static json_t *filter_new(const char *where, const char *is) {
    if (where == NULL)
        return NULL;
    return json_pack("{s:{s:{s:s},s:s,s:{s:s}}}", "fieldFilter", "field", "fieldPath", where, "op",
                     "EQUAL", "value", "stringValue", is);
}

json_t *firestore_wire_newest(const char *collection, const char *where, const char *is,
                              const json_t *cursor, unsigned limit) {
    return json_pack("{s:{s:[{s:s}],s:o*,s:[{s:{s:s},s:s},{s:{s:s},s:s}],s:O*,s:i}}",
                     "structuredQuery", "from", "collectionId", collection, "where",
                     filter_new(where, is), "orderBy", "field", "fieldPath", "created_at",
                     "direction", "DESCENDING", "field", "fieldPath", "__name__", "direction",
                     "DESCENDING", "startAt", cursor, "limit", (int)limit);
}

json_t *firestore_wire_how_many(const char *collection, const char *where, const char *is,
                                unsigned most) {
    char number[16];

    snprintf(number, sizeof(number), "%u", most);
    return json_pack("{s:{s:{s:[{s:s}],s:o*},s:[{s:s,s:{s:s}}]}}", "structuredAggregationQuery",
                     "structuredQuery", "from", "collectionId", collection, "where",
                     filter_new(where, is), "aggregations", "alias", ALIAS, "count", "upTo",
                     number);
}

json_t *firestore_wire_below(const char *collection) {
    json_t *from = collection == NULL ? json_pack("{s:b}", "allDescendants", 1)
                                      : json_pack("{s:s}", "collectionId", collection);

    return json_pack("{s:{s:{s:[{s:s}]},s:[o],s:i}}", "structuredQuery", "select", "fields",
                     "fieldPath", "__name__", "from", from, "limit", FIRESTORE_WIRE_BELOW_MAX);
}

/* --- answers --------------------------------------------------------------------------------- */

int firestore_wire_find(const json_t *answer, const char *name, const json_t **document,
                        struct err *e) {
    bool missing = false;

    for (size_t i = 0; i < json_array_size(answer); i++) {
        const json_t *element = json_array_get(answer, i);
        const json_t *found = json_object_get(element, "found");
        const char *none = json_string_value(json_object_get(element, "missing"));

        if (found != NULL && strcmp(firestore_wire_name(found), name) == 0) {
            *document = found;
            return 1;
        }
        missing = missing || (none != NULL && strcmp(none, name) == 0);
    }
    return missing ? 0 : unreadable(e);
}

int firestore_wire_next(const json_t *answer, size_t *at, const json_t **document, struct err *e) {
    if (!json_is_array(answer))
        return unreadable(e);
    while (*at < json_array_size(answer)) {
        *document = json_object_get(json_array_get(answer, (*at)++), "document");
        if (*document != NULL)
            return 1;
    }
    return 0;
}

const char *firestore_wire_name(const json_t *document) {
    const char *name = json_string_value(json_object_get(document, "name"));

    return name == NULL ? "" : name;
}

static int read_version(const json_t *holder, char version[STORE_VERSION_SIZE], struct err *e) {
    const char *time = json_string_value(json_object_get(holder, "updateTime"));

    if (time == NULL || strlen(time) >= STORE_VERSION_SIZE)
        return unreadable(e);
    memcpy(version, time, strlen(time) + 1);
    return 0;
}

int firestore_wire_read(const json_t *document, char version[STORE_VERSION_SIZE], json_t **fields,
                        json_t **own, struct err *e) {
    if (read_version(document, version, e) < 0 ||
        (*fields = firestore_value_decode(json_object_get(document, "fields"), e)) == NULL)
        return -1;
    *own = json_incref(json_object_get(*fields, FIRESTORE_WIRE_OWN));
    (void)json_object_del(*fields, FIRESTORE_WIRE_OWN);
    return 0;
}

int firestore_wire_written(const json_t *answer, char version[STORE_VERSION_SIZE], struct err *e) {
    return read_version(json_array_get(json_object_get(answer, "writeResults"), 0), version, e);
}

int firestore_wire_number(const json_t *answer, unsigned *n, struct err *e) {
    const json_t *result = json_object_get(json_array_get(answer, 0), "result");
    const json_t *typed = json_object_get(json_object_get(result, "aggregateFields"), ALIAS);
    const char *text = json_string_value(json_object_get(typed, "integerValue"));
    char *end;
    unsigned long number;

    if (text == NULL || *text < '0' || *text > '9')
        return unreadable(e);
    number = strtoul(text, &end, 10);
    if (*end != '\0' || number > UINT_MAX)
        return unreadable(e);
    *n = (unsigned)number;
    return 0;
}

static const json_t *error_of(const json_t *answer) {
    return json_object_get(json_is_array(answer) ? json_array_get(answer, 0) : answer, "error");
}

bool firestore_wire_is_refusal(const json_t *answer) {
    static const char *const words[] = {"ALREADY_EXISTS", "FAILED_PRECONDITION", "NOT_FOUND"};
    const char *status = json_string_value(json_object_get(error_of(answer), "status"));

    for (size_t i = 0; i < COUNT_OF(words) && status != NULL; i++)
        if (strcmp(status, words[i]) == 0)
            return true;
    return false;
}

/* The message has a link, to where the index is made, or is being built; it is of no use unless it
 * is whole. */
bool firestore_wire_index_err(const json_t *answer, const char *collection, const char *where,
                              struct err *e) {
    static const char name[] = "index of %s on %s and created_at (descending)";
    const char *message = json_string_value(json_object_get(error_of(answer), "message"));
    const char *link = message == NULL ? NULL : strstr(message, "https://");
    size_t len = link == NULL ? 0 : strcspn(link, " \t\r\n");
    bool building = message != NULL && strstr(message, "currently building") != NULL;
    struct buf text;

    if (message == NULL || strstr(message, "requires an index") == NULL)
        return false;
    buf_init(&text, sizeof(e->message) - 1);
    buf_adds(&text, building ? "Firestore is still building its " : "Firestore has no ");
    buf_addf(&text, name, collection, where);
    buf_adds(&text, building ? "; see " : "; create it at ");
    buf_add(&text, link, len);
    if (len == 0 || buf_failed(&text)) {
        buf_reset(&text);
        buf_adds(&text, "Firestore has no ");
        buf_addf(&text, name, collection, where);
        buf_addf(&text,
                 "; create it with `gcloud firestore indexes composite create"
                 " --collection-group=%s --field-config=field-path=%s,order=ascending"
                 " --field-config=field-path=created_at,order=descending`",
                 collection, where);
    }
    err_set(e, ERR_FIRESTORE_ERROR, "%s", text.data);
    buf_free(&text);
    return true;
}

/* --- places in a listing --------------------------------------------------------------------- */

json_t *firestore_wire_before(const char *time) {
    return json_pack("{s:[{s:s}],s:b}", "values", "timestampValue", time, "before", 0);
}

json_t *firestore_wire_cursor(const json_t *document, struct err *e) {
    json_t *place = json_object_get(json_object_get(document, "fields"), "created_at");
    json_t *cursor = json_pack("{s:[O,{s:s}],s:b}", "values", place, "referenceValue",
                               firestore_wire_name(document), "before", 0);

    if (cursor == NULL)
        (void)unreadable(e);
    return cursor;
}

/* The time and the id, with a NUL between them. */
char *firestore_wire_token(const json_t *cursor, const char *prefix, struct err *e) {
    const json_t *values = json_object_get(cursor, "values");
    const char *time =
        json_string_value(json_object_get(json_array_get(values, 0), "timestampValue"));
    const char *name =
        json_string_value(json_object_get(json_array_get(values, 1), "referenceValue"));
    struct buf plain, token;
    char *text = NULL;

    buf_init(&plain, TOKEN_MAX);
    buf_init(&token, TOKEN_MAX);
    buf_adds(&plain, time == NULL ? "" : time);
    buf_addc(&plain, '\0');
    buf_adds(&plain, name + strlen(prefix));
    if (!buf_failed(&plain)) {
        encode_base64url(&token, plain.data, plain.len);
        text = buf_take(&token, NULL);
    }
    if (text == NULL)
        err_set(e, ERR_STORE_ERROR, "out of memory");
    buf_free(&token);
    buf_free(&plain);
    return text;
}

/* The time, or "", and the id, both in *plain; false if it is no token. */
static bool token_parse(const char *token, struct buf *plain, const char **time, const char **id) {
    int64_t us;

    if (encode_base64_decode(plain, token, strlen(token), NULL) < 0 || buf_failed(plain))
        return false;
    *time = plain->data;
    if (strlen(*time) >= plain->len)
        return false;
    *id = *time + strlen(*time) + 1;
    return *id + strlen(*id) == plain->data + plain->len && firestore_value_is_id(*id) &&
           (**time == '\0' || clock_parse(*time, strlen(*time), &us) == 0);
}

json_t *firestore_wire_token_read(const char *token, const char *prefix, struct err *e) {
    struct buf plain, name;
    const char *time, *id;
    json_t *cursor = NULL;

    buf_init(&plain, TOKEN_MAX);
    buf_init(&name, TOKEN_MAX);
    if (token_parse(token, &plain, &time, &id)) {
        json_t *created_at =
            *time == '\0' ? json_null() : json_pack("{s:s}", "timestampValue", time);

        buf_join(&name, prefix, id);
        cursor = json_pack("{s:[o,{s:s}],s:b}", "values", created_at, "referenceValue", name.data,
                           "before", 0);
    }
    if (cursor == NULL)
        err_set_field(e, ERR_INVALID_FIELD, "page_token",
                      "page_token: this is not a token that a listing gave");
    buf_free(&name);
    buf_free(&plain);
    return cursor;
}

const char *firestore_wire_cursor_lacks(const json_t *cursor) {
    const json_t *values = json_object_get(cursor, "values");

    if (!json_is_null(json_array_get(values, 0)))
        return NULL;
    return json_string_value(json_object_get(json_array_get(values, 1), "referenceValue"));
}
