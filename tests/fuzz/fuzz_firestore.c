/*
 * fuzz_firestore.c - what Firestore answers, and what callers make us tell it: values that were
 * read can be written and read again, names and paths can be taken apart again, and no answer,
 * token or list of parts is too odd.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "firestore_parts.h"
#include "firestore_value.h"
#include "firestore_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

/* NULL and *e: Firestore cannot hold it. */
static json_t *encode(const json_t *plain, struct err *e) {
    json_t *typed = NULL;
    struct buf text;

    buf_init(&text, 64 * MIB);
    buf_addc(&text, '{');
    if (firestore_value_add_members(&text, plain, e) == 0) {
        buf_addc(&text, '}');
        demand(!buf_failed(&text));
        typed = json_text_parse(text.data, text.len, JSON_TEXT_DEPTH_MAX, e);
    }
    buf_free(&text);
    return typed;
}

/* From the second time on nothing changes any more: what looks like a time has become one. */
static void round_trip(const json_t *typed) {
    json_t *plain = firestore_value_decode(typed, NULL), *before = NULL;

    for (unsigned i = 0; i < 3 && plain != NULL; i++) {
        struct err e = {0};
        json_t *again = encode(plain, &e);

        demand((again != NULL) == (e.code == ERR_NONE));
        demand(before == NULL || json_equal(plain, before));
        json_decref(before);
        before = i > 0 ? json_incref(plain) : NULL;
        json_decref(plain);
        plain = again == NULL ? NULL : firestore_value_decode(again, &e);
        demand(again == NULL || plain != NULL);
        json_decref(again);
    }
    json_decref(before);
    json_decref(plain);
}

static void read_answer(const json_t *answer) {
    json_t *fields = NULL, *own = NULL;
    char version[STORE_VERSION_SIZE];
    struct firestore_parts parts;
    const json_t *document;
    struct store_reply r = {0};
    struct err e = {0};
    size_t at = 0;
    unsigned number;

    (void)firestore_wire_is_refusal(answer);
    (void)firestore_wire_number(answer, &number, &e);
    (void)firestore_wire_index_err(answer, "drafts", "status", &e);
    (void)firestore_wire_written(answer, version, &e);
    while (firestore_wire_next(answer, &at, &document, &e) > 0) {
        json_decref(firestore_wire_cursor(document, &e));
    }
    if (firestore_wire_find(answer, "d", &document, &e) <= 0)
        return;
    if (firestore_wire_read(document, version, &fields, &own, &e) == 0 &&
        firestore_parts_decode(&parts, json_object_get(own, "parts"), &e) == 0) {
        size_t bytes = 0;

        for (size_t i = 0; i < parts.n; i++)
            bytes += parts.sizes[i];
        demand(bytes <= FIRESTORE_PARTS_BYTES_MAX);
        if (bytes < MIB && firestore_parts_alloc(&parts, &r) == 0)
            (void)firestore_parts_take(&parts, "d", answer, 0, &r, &e);
    }
    store_reply_fini(&r);
    json_decref(fields);
    json_decref(own);
}

/* A quoted path says which name it was. */
static void quote(const char *name) {
    struct buf path;
    const char *at;

    buf_init(&path, 2 * strlen(name) + 2);
    firestore_value_add_path(&path, name);
    demand(!buf_failed(&path));
    if (strcmp(path.data, name) != 0) {
        demand(*path.data == '`' && path.data[path.len - 1] == '`');
        for (at = path.data + 1; at < path.data + path.len - 1; at++) {
            demand(*at != '`');
            at += *at == '\\';
            demand(*at == *name++);
        }
        demand(*name == '\0');
    }
    buf_free(&path);
}

/* An address has no more segments than the name, and no method but ours. */
static void address(const char *name) {
    struct buf url, back;

    buf_init(&url, 64 * MIB);
    buf_init(&back, 64 * MIB);
    firestore_value_add_url(&url, "b", name, ":m");
    demand(!buf_failed(&url) && strpbrk(url.data, "?# \r\n") == NULL);
    demand(strchr(url.data, ':') == url.data + url.len - 2);
    demand(encode_percent_decode(&back, url.data, url.len - 2) == 0);
    if (firestore_value_is_id(name))
        demand(strncmp(back.data, "b/v1/", 5) == 0 && strcmp(back.data + 5, name) == 0);
    buf_free(&url);
    buf_free(&back);
}

static void read_token(const char *text) {
    struct err e = {0};
    json_t *cursor = firestore_wire_token_read(text, "c/", &e), *again;
    char *token;

    demand((cursor != NULL) == (e.code == ERR_NONE));
    if (cursor == NULL)
        return;
    token = firestore_wire_token(cursor, "c/", &e);
    again = firestore_wire_token_read(token, "c/", &e);
    demand(again != NULL && json_equal(cursor, again));
    json_decref(again);
    free(token);
    json_decref(cursor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    json_t *tree;
    struct err e;

    demand(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    quote(text);
    address(text);
    read_token(text);
    if ((tree = json_text_parse(text, size, JSON_TEXT_DEPTH_MAX, &e)) != NULL) {
        round_trip(tree);
        read_answer(tree);
    }
    json_decref(tree);
    free(text);
    return 0;
}
