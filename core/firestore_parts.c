#include "firestore_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "encode.h"
#include "firestore_wire.h"

#define SLICE_BYTES    ((size_t)900000)
#define NAME_BYTES_MAX (8 * KIB)

struct slice {
    size_t part, number; /* which of its part */
    size_t at, len;      /* bytes of its part */
};

static size_t slices_of(size_t bytes) {
    return (bytes + SLICE_BYTES - 1) / SLICE_BYTES;
}

int firestore_parts_plan(struct firestore_parts *p, const char *set, struct blob *const *parts,
                         size_t n, struct err *e) {
    size_t bytes = 0;

    *p = (struct firestore_parts){.n = n};
    if (n > 0)
        snprintf(p->set, sizeof(p->set), "%s", set);
    for (size_t i = 0; i < n; i++) {
        if (parts[i]->len > FIRESTORE_PARTS_BYTES_MAX - bytes)
            return err_set_field(e, ERR_PAYLOAD_TOO_LARGE, "parts",
                                 "parts: together they are more than %zu bytes",
                                 FIRESTORE_PARTS_BYTES_MAX);
        p->sizes[i] = (uint32_t)parts[i]->len;
        bytes += parts[i]->len;
    }
    return 0;
}

json_t *firestore_parts_encode(const struct firestore_parts *p) {
    json_t *sizes = json_array();

    for (size_t i = 0; i < p->n; i++)
        if (json_array_append_new(sizes, json_integer((json_int_t)p->sizes[i])) < 0) {
            json_decref(sizes);
            return NULL;
        }
    return json_pack("{s:s,s:o}", "set", p->set, "sizes", sizes);
}

int firestore_parts_decode(struct firestore_parts *p, const json_t *plain, struct err *e) {
    const char *set = json_string_value(json_object_get(plain, "set"));
    const json_t *sizes = json_object_get(plain, "sizes");
    size_t bytes = 0;

    *p = (struct firestore_parts){.n = json_array_size(sizes)};
    if (plain == NULL)
        return 0;
    if (set == NULL || strlen(set) >= sizeof(p->set) || p->n > STORE_PARTS_MAX)
        goto fail;
    memcpy(p->set, set, strlen(set) + 1);
    for (size_t i = 0; i < p->n; i++) {
        json_int_t size = json_integer_value(json_array_get(sizes, i));

        if (size < 0 || (size_t)size > FIRESTORE_PARTS_BYTES_MAX - bytes)
            goto fail;
        p->sizes[i] = (uint32_t)size;
        bytes += p->sizes[i];
    }
    return 0;
fail:
    return err_set(e, ERR_FIRESTORE_ERROR, "the stored list of a document's parts is damaged");
}

size_t firestore_parts_slices(const struct firestore_parts *p) {
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++)
        n += slices_of(p->sizes[i]);
    return n;
}

/* The slice with this number among those of all parts; false if there are not so many. */
static bool find_slice(const struct firestore_parts *p, size_t number, struct slice *s) {
    for (size_t i = 0; i < p->n; i++) {
        size_t n = slices_of(p->sizes[i]);

        if (number < n) {
            *s = (struct slice){.part = i, .number = number, .at = number * SLICE_BYTES};
            s->len = p->sizes[i] - s->at < SLICE_BYTES ? p->sizes[i] - s->at : SLICE_BYTES;
            return true;
        }
        number -= n;
    }
    return false;
}

static void add_name(struct buf *out, const struct firestore_parts *p, const char *document,
                     const struct slice *s) {
    buf_addf(out, "%s/%s/%s-%zu-%zu", document, FIRESTORE_PARTS_COLLECTION, p->set, s->part,
             s->number);
}

json_t *firestore_parts_names(const struct firestore_parts *p, const char *document, size_t from,
                              size_t n) {
    json_t *names = json_array();
    struct slice s;
    struct buf name;

    buf_init(&name, NAME_BYTES_MAX);
    for (size_t i = 0; i < n && find_slice(p, from + i, &s); i++) {
        buf_reset(&name);
        add_name(&name, p, document, &s);
        if (buf_failed(&name) || json_array_append_new(names, json_string(name.data)) < 0) {
            json_decref(names);
            names = NULL;
            break;
        }
    }
    buf_free(&name);
    return names;
}

struct blob *firestore_parts_body(const struct firestore_parts *p, const char *document,
                                  struct blob *const *parts, size_t from) {
    struct buf body, name;
    struct slice s;

    firestore_wire_begin(&body);
    buf_init(&name, NAME_BYTES_MAX);
    for (size_t i = 0; i < FIRESTORE_PARTS_GROUP && find_slice(p, from + i, &s); i++) {
        buf_reset(&name);
        add_name(&name, p, document, &s);
        firestore_wire_document(&body, name.data);
        buf_adds(&body, ",\"fields\":{\"bytes\":{\"bytesValue\":\"");
        encode_base64(&body, parts[s.part]->data + s.at, s.len);
        buf_adds(&body, "\"}}}}");
    }
    buf_free(&name);
    return firestore_wire_end(&body);
}

int firestore_parts_alloc(const struct firestore_parts *p, struct store_reply *r) {
    if (p->n > 0 && (r->parts = calloc(p->n, sizeof(struct blob *))) == NULL)
        return -1;
    for (; r->nparts < p->n; r->nparts++) {
        size_t len = p->sizes[r->nparts];
        char *data = malloc(len + 1);

        if (data == NULL || (r->parts[r->nparts] = blob_own(data, len)) == NULL) {
            free(data);
            return -1;
        }
    }
    return 0;
}

static int take_slice(const json_t *document, const struct slice *s, struct blob *part,
                      struct err *e) {
    const json_t *bytes = json_object_get(json_object_get(document, "fields"), "bytes");
    const json_t *text = json_object_get(bytes, "bytesValue");
    struct buf raw;
    bool whole;

    buf_init(&raw, SLICE_BYTES);
    whole =
        json_is_string(text) &&
        encode_base64_decode(&raw, json_string_value(text), json_string_length(text), NULL) == 0 &&
        !buf_failed(&raw) && raw.len == s->len;
    if (whole) /* nobody else holds the blob before it is full */
        memcpy((char *)part->data + s->at, raw.data, s->len);
    buf_free(&raw);
    return whole ? 0 : err_set(e, ERR_FIRESTORE_ERROR, "a stored part of a document is damaged");
}

int firestore_parts_take(const struct firestore_parts *p, const char *document,
                         const json_t *answer, size_t from, struct store_reply *r, struct err *e) {
    json_t *names = firestore_parts_names(p, document, from, FIRESTORE_PARTS_GROUP);
    struct slice s;
    int rc = 1;

    if (names == NULL)
        return err_set(e, ERR_STORE_ERROR, "out of memory");
    for (size_t i = 0; i < json_array_size(names) && rc > 0; i++) {
        const json_t *found;

        rc = firestore_wire_find(answer, json_string_value(json_array_get(names, i)), &found, e);
        if (rc > 0 && find_slice(p, from + i, &s) && take_slice(found, &s, r->parts[s.part], e) < 0)
            rc = -1;
    }
    json_decref(names);
    return rc;
}
