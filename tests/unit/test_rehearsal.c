/*
 * The store of a rehearsal: over SQLite, over Google's own Firestore emulator where it is
 * installed, and over canned answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "buf.h"
#include "fetch.h"
#include "firestore_server.h"
#include "scratch.h"
#include "store_fixture.h"

#define ROOT   "projects/paraph-local/databases/(default)/documents"
#define DRAFTS ROOT "/drafts"
#define GET    ":batchGet"
#define TIME   "2026-03-01T09:30:00.000000Z"
/* What sorts by its first 64 characters alone. */
#define LONG  "2026-03-01T09:30:00.000000000000000000000000000000000000000000000"
#define OLDER "2026-03-01T09:29:59.999999Z"

static struct scratch *rehearsal;

/* --- the real store, as it is ---------------------------------------------------------------- */

static void add_rows(struct buf *out, sqlite3 *db, const char *sql) {
    sqlite3_stmt *st;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(st); i++)
            buf_addf(out, "%.*s|", sqlite3_column_bytes(st, i),
                     (const char *)sqlite3_column_blob(st, i));
        buf_addc(out, '\n');
    }
    sqlite3_finalize(st);
}

/* All that is in the file. */
static char *dump_sqlite(void) {
    sqlite3 *db = open_raw();
    struct buf out;
    char *text;

    buf_init(&out, 64 * MIB);
    add_rows(&out, db, "SELECT last FROM sequence");
    add_rows(&out, db, "SELECT collection, id, version, body FROM document ORDER BY 1, 2");
    add_rows(&out, db, "SELECT collection, id, n, bytes FROM part ORDER BY 1, 2, 3");
    sqlite3_close(db);
    text = buf_take(&out, NULL);
    assert_non_null(text);
    return text;
}

/* All documents at any depth, with the times of their last writes. */
static char *dump_firestore(void) {
    static const char all[] =
        "{\"structuredQuery\":{\"from\":[{\"allDescendants\":true}],\"limit\":1000}}";
    size_t len, i;
    char *answer = ask_emulator("POST", "/v1/" ROOT ":runQuery", all, sizeof(all) - 1, &len);
    json_t *rows = json_loads(strstr(answer, "\r\n\r\n"), 0, NULL), *row;
    char *text;

    assert_true(json_is_array(rows));
    json_array_foreach(rows, i, row) json_object_del(row, "readTime");
    text = json_dumps(rows, JSON_SORT_KEYS);
    json_decref(rows);
    free(answer);
    return text;
}

static char *dump(void) {
    return env.backend == ENV_LOCAL ? dump_sqlite() : dump_firestore();
}

/* --- set-up ---------------------------------------------------------------------------------- */

static int set_up_rehearsal(void **state) {
    set_up(state);
    rehearsal = scratch_new_rehearsal();
    return rehearsal == NULL;
}

static int tear_down_rehearsal(void **state) {
    scratch_unref(rehearsal);
    return tear_down(state);
}

static int set_up_firestore(void **state) {
    static char host[32];
    struct err e = {0};

    (void)state;
    snprintf(host, sizeof(host), "127.0.0.1:%u", server.port);
    env.backend = ENV_GOOGLE;
    env.firestore_emulator_host = host;
    env.firestore_database = "(default)";
    env.project = NULL;
    env.upstream_timeout = 20;
    waiting = 0;
    set_acts(NULL, 0);
    rehearsal = scratch_new_rehearsal();
    assert_non_null(rehearsal);
    assert_int_equal(loop_init(), 0);
    assert_int_equal(fetch_init(&e), 0);
    open_store();
    return 0;
}

static int tear_down_firestore(void **state) {
    size_t len;

    (void)state;
    store_reply_fini(&got.reply);
    store_reply_fini(&written.reply);
    scratch_unref(rehearsal);
    store_fini();
    fetch_fini();
    assert_int_equal(loop_fini(), 0);
    if (server.emulator != 0)
        free(ask_emulator("DELETE", "/emulator/v1/" ROOT, "", 0, &len));
    return 0;
}

/* --- one step after another ------------------------------------------------------------------ */

/* What the texts of a step may stand for: the version that was read before the first step, and that
 * which the last step gave. */
#define REAL "real"
#define LAST "last"

struct step {
    enum store_verb verb;
    const char *id, *version;
    const char *fields;
    enum err_code code;
    bool found;
    const char *document; /* it is this then, in the rehearsal; NULL: there is none */
    unsigned writes;      /* and so many documents are not the real store's */
};

static const char *version_of(const char *word, const char *real, const char *last) {
    if (word == NULL)
        return NULL;
    return strcmp(word, REAL) == 0 ? real : strcmp(word, LAST) == 0 ? last : word;
}

/* A document in the rehearsal: compact, sorted. */
static void assert_rehearsed(const char *id, const char *json) {
    struct call c = {.rq = {.verb = STORE_GET, .collection = "drafts", .id = id}};
    char *text;

    c.rq.scratch = rehearsal;
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.found, json != NULL);
    if (json == NULL)
        return;
    text = json_dumps(c.reply.fields, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(text, json);
    free(text);
    store_reply_fini(&c.reply);
}

static void run_step(const struct step *s, const char *real, char last[STORE_VERSION_SIZE]) {
    struct call c = {.rq = {.verb = s->verb, .collection = "drafts", .id = s->id}};

    c.rq.scratch = rehearsal;
    c.rq.version = version_of(s->version, real, last);
    c.rq.counter = "n";
    c.rq.now = TIME;
    c.rq.fields = s->fields == NULL ? NULL : json_loads(s->fields, 0, NULL);
    assert_int_equal(finish(&c), s->code);
    json_decref(c.rq.fields);
    if (s->verb != STORE_CREATE && s->verb != STORE_DELETE && s->code == ERR_NONE)
        assert_int_equal(c.reply.found, s->found);
    if (c.reply.version[0] != '\0')
        memcpy(last, c.reply.version, STORE_VERSION_SIZE);
    store_reply_fini(&c.reply);
    assert_rehearsed(s->id, s->document);
    assert_int_equal(scratch_writes(rehearsal), s->writes);
}

#define STEPS_MAX 6

/* Over a real store with {"n":1} under "a". */
static const struct step cases[][STEPS_MAX] = {
    {{STORE_UPDATE, "a", REAL, "{\"m\":2}", ERR_NONE, true, "{\"m\":2,\"n\":1}", 1},
     {STORE_UPDATE, "a", REAL, "{\"m\":3}", ERR_CONFLICT, true, "{\"m\":2,\"n\":1}", 1},
     {STORE_UPDATE, "a", LAST, "{\"m\":3}", ERR_NONE, true, "{\"m\":3,\"n\":1}", 1},
     {STORE_DELETE, "a", REAL, NULL, ERR_CONFLICT, true, "{\"m\":3,\"n\":1}", 1},
     {STORE_DELETE, "a", LAST, NULL, ERR_NONE, true, NULL, 1},
     {STORE_UPDATE, "a", NULL, "{}", ERR_NONE, false, NULL, 1}},
    {{STORE_UPDATE, "a", "7", "{\"m\":2}", ERR_CONFLICT, true, "{\"n\":1}", 0},
     {STORE_DELETE, "a", "7", NULL, ERR_CONFLICT, true, "{\"n\":1}", 0},
     {STORE_CREATE, "a", NULL, "{}", ERR_ALREADY_EXISTS, true, "{\"n\":1}", 0},
     {STORE_INCREMENT, "a", "7", NULL, ERR_NONE, true, "{\"n\":2}", 1},
     {STORE_CREATE, "a", NULL, "{}", ERR_ALREADY_EXISTS, true, "{\"n\":2}", 1}},
    {{STORE_DELETE, "a", REAL, NULL, ERR_NONE, true, NULL, 1},
     {STORE_DELETE, "a", REAL, NULL, ERR_NONE, true, NULL, 1},
     {STORE_INCREMENT, "a", NULL, NULL, ERR_NONE, false, NULL, 1},
     {STORE_CREATE, "a", NULL, "{\"o\":4}", ERR_NONE, true, "{\"o\":4}", 1},
     {STORE_UPDATE, "a", REAL, "{}", ERR_CONFLICT, true, "{\"o\":4}", 1},
     {STORE_DELETE, "a", LAST, NULL, ERR_NONE, true, NULL, 1}},
    {{STORE_UPDATE, "b", NULL, "{}", ERR_NONE, false, NULL, 0},
     {STORE_INCREMENT, "b", NULL, NULL, ERR_NONE, false, NULL, 0},
     {STORE_DELETE, "b", "7", NULL, ERR_NONE, true, NULL, 0},
     {STORE_CREATE, "b", NULL, "{}", ERR_NONE, true, "{}", 1},
     {STORE_CREATE, "b", NULL, "{}", ERR_ALREADY_EXISTS, true, "{}", 1},
     {STORE_DELETE, "b", LAST, NULL, ERR_NONE, true, NULL, 0}},
};

static void test_steps(void **state) {
    char real[STORE_VERSION_SIZE], last[STORE_VERSION_SIZE] = "";
    char *before, *after;

    (void)state;
    assert_created("a", "{\"n\":1}");
    memcpy(real, get("a")->reply.version, sizeof(real));
    before = dump();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        for (size_t k = 0; k < STEPS_MAX && cases[i][k].id != NULL; k++)
            run_step(&cases[i][k], real, last);
        scratch_unref(rehearsal);
        rehearsal = scratch_new_rehearsal();
    }
    after = dump();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* --- parts ----------------------------------------------------------------------------------- */

static void write_parts(enum store_verb verb, struct scratch *s, const char *id, const char *text) {
    struct blob *parts[STORE_PARTS_MAX];
    struct call c = {.rq = {.verb = verb, .scratch = s, .collection = "drafts", .id = id}};

    c.rq.set_parts = true;
    c.rq.parts = parts;
    c.rq.fields = json_object();
    for (; text[c.rq.nparts] != '\0'; c.rq.nparts++)
        parts[c.rq.nparts] = blob_copy(text + c.rq.nparts, 1);
    assert_int_equal(finish(&c), ERR_NONE);
    for (size_t i = 0; i < c.rq.nparts; i++)
        blob_unref(parts[i]);
    json_decref(c.rq.fields);
}

/* text: a byte of each part; NULL: there is no such document. */
static void assert_parts(struct scratch *s, const char *id, const char *text) {
    struct call c = {.rq = {.verb = STORE_PARTS, .scratch = s, .collection = "drafts", .id = id}};

    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.found, text != NULL);
    assert_int_equal(c.reply.nparts, text == NULL ? 0 : strlen(text));
    for (size_t i = 0; i < c.reply.nparts; i++) {
        assert_int_equal(c.reply.parts[i]->len, 1);
        assert_int_equal(c.reply.parts[i]->data[0], text[i]);
    }
    store_reply_fini(&c.reply);
}

static void test_parts(void **state) {
    static const struct step update = {STORE_UPDATE, "a",  NULL,        "{\"n\":1}",
                                       ERR_NONE,     true, "{\"n\":1}", 1};
    static const struct step erase = {STORE_DELETE, "a", NULL, NULL, ERR_NONE, true, NULL, 1};
    char last[STORE_VERSION_SIZE];

    (void)state;
    write_parts(STORE_CREATE, NULL, "a", "xyz");
    assert_parts(rehearsal, "a", "xyz");
    run_step(&update, "", last);
    assert_parts(rehearsal, "a", "xyz");
    write_parts(STORE_UPDATE, rehearsal, "a", "v");
    assert_parts(rehearsal, "a", "v");
    run_step(&erase, "", last);
    assert_parts(rehearsal, "a", NULL);
    write_parts(STORE_CREATE, rehearsal, "a", "uv");
    assert_parts(rehearsal, "a", "uv");
    scratch_unref(rehearsal);
    rehearsal = scratch_new_rehearsal();
    write_parts(STORE_UPDATE, rehearsal, "a", "w"); /* the real ones are not needed */
    assert_parts(rehearsal, "a", "w");
    assert_parts(NULL, "a", "xyz");
}

static void assert_beside(const char *id, bool found) {
    struct call c = {.rq = {.verb = STORE_GET, .collection = "beside", .id = id}};

    c.rq.scratch = rehearsal;
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.found, found);
    store_reply_fini(&c.reply);
    c.rq.scratch = NULL;
    assert_int_equal(finish(&c), ERR_NONE);
    assert_false(c.reply.found);
    store_reply_fini(&c.reply);
}

/* What is written with a document stays in the rehearsal as it does, or is not written either. */
static void test_written_together(void **state) {
    static const struct {
        enum store_verb verb;
        const char *id, *with;
        enum err_code code;
        bool written;
    } steps[] = {
        {STORE_CREATE, "b", "c", ERR_NONE, true},
        {STORE_CREATE, "a", "c2", ERR_ALREADY_EXISTS, false},
        {STORE_UPDATE, "a", "u", ERR_NONE, true},
        {STORE_UPDATE, "a", "u", ERR_NONE, true},
        {STORE_UPDATE, "x", "u2", ERR_NONE, false},
        {STORE_INCREMENT, "b", "i", ERR_NONE, true},
        {STORE_INCREMENT, "x", "i2", ERR_NONE, false},
    };

    (void)state;
    assert_created("a", "{\"n\":1}");
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        json_t *fields = json_object();
        const struct store_companion with = {"beside", steps[i].with, fields};
        struct call c = {.rq = {.verb = steps[i].verb, .collection = "drafts", .counter = "n"}};

        c.rq.id = steps[i].id;
        c.rq.now = TIME;
        c.rq.fields = fields;
        c.rq.with = &with;
        c.rq.nwith = 1;
        c.rq.scratch = rehearsal;
        assert_int_equal(finish(&c), steps[i].code);
        store_reply_fini(&c.reply);
        json_decref(fields);
        assert_beside(steps[i].with, steps[i].written);
    }
    assert_int_equal(scratch_writes(rehearsal), 5); /* a, b, c, u, i */
    assert_document("a", "{\"n\":1}");
}

/* --- a service that goes on ------------------------------------------------------------------ */

/* What others write is seen until the rehearsal has written there itself. */
static void test_others_write(void **state) {
    static const struct step stale = {STORE_UPDATE, "a",  REAL,        "{\"m\":1}",
                                      ERR_CONFLICT, true, "{\"n\":2}", 0};
    static const struct step update = {STORE_UPDATE,        "a", NULL, "{\"m\":1}", ERR_NONE, true,
                                       "{\"m\":1,\"n\":2}", 1};
    char real[STORE_VERSION_SIZE], last[STORE_VERSION_SIZE];

    (void)state;
    assert_created("a", "{\"n\":1}");
    assert_rehearsed("a", "{\"n\":1}");
    memcpy(real, get("a")->reply.version, sizeof(real));
    write_json(STORE_UPDATE, "a", NULL, "{\"n\":2}");
    run_step(&stale, real, last);
    run_step(&update, real, last);
    write_json(STORE_UPDATE, "a", NULL, "{\"n\":3}");
    assert_rehearsed("a", "{\"m\":1,\"n\":2}");
    assert_document("a", "{\"n\":3}");
    write_json(STORE_DELETE, "a", NULL, NULL);
    assert_rehearsed("a", "{\"m\":1,\"n\":2}");
}

static void test_rehearsals_are_apart(void **state) {
    static const struct step erase = {STORE_DELETE, "a", NULL, NULL, ERR_NONE, true, NULL, 1};
    struct scratch *other = rehearsal;
    char last[STORE_VERSION_SIZE];

    (void)state;
    assert_created("a", "{}");
    run_step(&erase, "", last);
    rehearsal = scratch_new_rehearsal();
    assert_rehearsed("a", "{}");
    assert_int_equal(scratch_writes(rehearsal), 0);
    scratch_unref(other);
}

/* --- against a store that is written for good ------------------------------------------------ */

#define DOCUMENTS 24
#define SIDES     2

/* The same is done to both, and has to look the same. */
static struct {
    uint64_t random;
    struct scratch *sides[SIDES];
    char versions[SIDES][DOCUMENTS][2][STORE_VERSION_SIZE]; /* read last, and before */
    struct store_request listing;                           /* that goes on; limit 0: none does */
    char *tokens[SIDES];
} model;

/* xorshift64: the same for the same start. */
static unsigned any(unsigned n) {
    model.random ^= model.random << 13;
    model.random ^= model.random >> 7;
    model.random ^= model.random << 17;
    return (unsigned)((model.random >> 11) % n);
}

static const char *any_created_at(void) {
    static const char *const times[] = {TIME, OLDER, "2026-03-01T09:30:00.500000Z",
                                        "2026-03-02T00:00:00.000000Z"};
    static const char *const odd[] = {"2026-03-01T09:30:00Z",
                                      "2026-03-01T09:30:00.0000005Z",
                                      "2026-03-01T11:30:00+02:00",
                                      "2026-03-01t09:30:00Z",
                                      LONG "1",
                                      LONG "2",
                                      "soon",
                                      ""};

    if (env.backend == ENV_LOCAL && any(3) == 0)
        return odd[any(COUNT_OF(odd))];
    return times[any(COUNT_OF(times))];
}

static json_t *any_fields(bool whole) {
    json_t *fields = json_pack("{s:i}", "n", (int)any(1000));

    if (whole && (env.backend == ENV_GOOGLE || any(8) > 0))
        json_object_set_new(fields, "created_at", json_string(any_created_at()));
    if (any(2) == 0)
        json_object_set_new(fields, "status", json_string(any(2) == 0 ? "pending" : "sent"));
    if (any(4) == 0)
        json_object_set_new(fields, "waiting", any(3) == 0 ? json_null() : json_string("yes"));
    return fields;
}

static void assert_same_parts(const struct store_reply *a, const struct store_reply *b) {
    assert_int_equal(a->nparts, b->nparts);
    for (size_t i = 0; i < a->nparts; i++) {
        assert_int_equal(a->parts[i]->len, b->parts[i]->len);
        assert_memory_equal(a->parts[i]->data, b->parts[i]->data, a->parts[i]->len);
    }
}

static void assert_same(enum store_verb verb, const struct store_reply *a,
                        const struct store_reply *b) {
    assert_int_equal(a->err.code, b->err.code);
    if (a->err.code != ERR_NONE)
        return;
    if (verb != STORE_CREATE && verb != STORE_DELETE)
        assert_int_equal(a->found, b->found);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->ndocs, b->ndocs);
    assert_int_equal(a->next_page_token != NULL, b->next_page_token != NULL);
    if (verb == STORE_GET && a->found)
        assert_true(json_equal(a->fields, b->fields));
    for (size_t i = 0; i < a->ndocs; i++) {
        assert_string_equal(a->docs[i].id, b->docs[i].id);
        assert_true(json_equal(a->docs[i].fields, b->docs[i].fields));
    }
    assert_same_parts(a, b);
}

/* What was asked of both; the replies are the caller's. */
static void ask_both(const struct store_request *rq, const char *const versions[SIDES],
                     const char *const tokens[SIDES], struct call calls[SIDES]) {
    for (size_t i = 0; i < SIDES; i++) {
        calls[i] = (struct call){.rq = *rq};
        calls[i].rq.scratch = model.sides[i];
        calls[i].rq.version = versions[i];
        calls[i].rq.page_token = tokens[i];
        finish(&calls[i]);
    }
    assert_same(rq->verb, &calls[0].reply, &calls[1].reply);
}

static void forget(struct call calls[SIDES]) {
    for (size_t i = 0; i < SIDES; i++)
        store_reply_fini(&calls[i].reply);
}

static const char *const none[SIDES];

static void list_on(void) {
    static const char *const befores[] = {NULL, TIME, "2026-03-01T09:30:00.400000Z"};
    struct call calls[SIDES];

    if (model.listing.limit == 0) {
        model.listing = (struct store_request){.verb = STORE_QUERY, .collection = "drafts"};
        model.listing.where = any(2) == 0 ? NULL : any(2) == 0 ? "status" : "waiting";
        model.listing.is = any(2) == 0 ? "pending" : "yes";
        model.listing.before = befores[any(COUNT_OF(befores))];
        model.listing.limit = 1 + any(any(2) == 0 ? 3 : 30);
    }
    ask_both(&model.listing, none, (const char *const *)model.tokens, calls);
    assert_int_equal(calls[0].reply.err.code, ERR_NONE);
    for (size_t i = 0; i < SIDES; i++) {
        free(model.tokens[i]);
        model.tokens[i] = calls[i].reply.next_page_token;
        calls[i].reply.next_page_token = NULL;
    }
    if (model.tokens[0] == NULL)
        model.listing.limit = 0;
    forget(calls);
}

static void count(void) {
    struct store_request rq = {.verb = STORE_COUNT, .collection = "drafts"};
    struct call calls[SIDES];

    rq.where = any(2) == 0 ? NULL : "status";
    rq.is = "pending";
    rq.limit = 1 + any(DOCUMENTS);
    ask_both(&rq, none, none, calls);
    forget(calls);
}

static void name(char id[16], unsigned n) {
    snprintf(id, 16, "d%u", n);
}

static void read_version(unsigned n) {
    char id[16];
    struct store_request rq = {.verb = STORE_GET, .collection = "drafts", .id = id};
    struct call calls[SIDES];

    name(id, n);
    ask_both(&rq, none, none, calls);
    for (size_t i = 0; i < SIDES; i++) {
        memcpy(model.versions[i][n][1], model.versions[i][n][0], STORE_VERSION_SIZE);
        memcpy(model.versions[i][n][0], calls[i].reply.version, STORE_VERSION_SIZE);
    }
    forget(calls);
}

/* Of a document that was read: the version then, or before, or none. */
static void any_versions(unsigned n, const char *versions[SIDES]) {
    unsigned which = any(3);

    for (size_t i = 0; i < SIDES; i++)
        if (which < 2 && model.versions[0][n][which][0] != '\0')
            versions[i] = model.versions[i][n][which];
}

static void write_any(enum store_verb verb, unsigned n) {
    static const char *const removed[] = {"status"};
    char id[16], byte = (char)('a' + any(26));
    struct blob *parts[] = {blob_copy(&byte, 1), blob_copy("x", 1)};
    struct store_request rq = {.verb = verb, .collection = "drafts", .id = id, .parts = parts};
    const char *versions[SIDES] = {NULL};
    struct call calls[SIDES];

    name(id, n);
    rq.counter = "opens";
    rq.first = "first_at";
    rq.now = TIME;
    rq.set_parts = any(3) == 0 && verb != STORE_INCREMENT && verb != STORE_DELETE;
    rq.nparts = rq.set_parts ? any(COUNT_OF(parts) + 1) : 0;
    rq.fields = verb == STORE_DELETE ? NULL : any_fields(verb == STORE_CREATE || any(4) == 0);
    rq.remove = removed;
    rq.nremove = verb == STORE_UPDATE && any(4) == 0;
    if (verb == STORE_UPDATE || verb == STORE_DELETE)
        any_versions(n, versions);
    ask_both(&rq, versions, none, calls);
    forget(calls);
    json_decref(rq.fields);
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        blob_unref(parts[i]);
}

static void read_parts(unsigned n) {
    char id[16];
    struct store_request rq = {.verb = STORE_PARTS, .collection = "drafts", .id = id};
    struct call calls[SIDES];

    name(id, n);
    ask_both(&rq, none, none, calls);
    forget(calls);
}

static void do_anything(void) {
    static const enum store_verb verbs[] = {STORE_CREATE, STORE_UPDATE, STORE_UPDATE, STORE_DELETE,
                                            STORE_INCREMENT};
    unsigned n = any(DOCUMENTS);

    switch (any(6)) {
    case 0:
    case 1:
        list_on();
        break;
    case 2:
        count();
        break;
    case 3:
        any(2) == 0 ? read_version(n) : read_parts(n);
        break;
    default:
        write_any(verbs[any(COUNT_OF(verbs))], n);
    }
}

/* Two of three documents are there from the beginning, in the real store and in a plain one. */
static void run_model(uint64_t start, unsigned steps) {
    char *before, *after;

    memset(&model, 0, sizeof(model));
    model.random = start;
    model.sides[1] = scratch_new();
    for (unsigned n = 0; n < DOCUMENTS; n++)
        if (n % 3 != 0)
            write_any(STORE_CREATE, n);
    model.sides[0] = rehearsal;
    before = dump();
    for (unsigned i = 0; i < steps; i++)
        do_anything();
    after = dump();
    assert_string_equal(before, after);
    assert_true(scratch_writes(rehearsal) > 0);
    for (size_t i = 0; i < SIDES; i++)
        free(model.tokens[i]);
    scratch_unref(model.sides[1]);
    free(before);
    free(after);
}

static void test_model(void **state) {
    (void)state;
    for (uint64_t start = 1; start <= 16; start++) {
        run_model(start, 400);
        tear_down_rehearsal(state);
        set_up_rehearsal(state);
    }
}

static void test_model_emulated(void **state) {
    (void)state;
    run_model(7, 400);
}

/* --- long listings --------------------------------------------------------------------------- */

/* How often each document of a listing, page after page, is in it. */
static void list_all(unsigned limit, const char *ids, unsigned times[128], unsigned *pages) {
    struct call c = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = limit}};
    char *token = NULL;

    memset(times, 0, 128 * sizeof(*times));
    *pages = 0;
    do {
        c.rq.scratch = rehearsal;
        c.rq.page_token = token;
        assert_int_equal(finish(&c), ERR_NONE);
        free(token);
        token = c.reply.next_page_token;
        c.reply.next_page_token = NULL;
        for (size_t i = 0; i < c.reply.ndocs; i++)
            times[(unsigned char)c.reply.docs[i].id[0] & 0x7F]++;
        ++*pages;
    } while (token != NULL);
    store_reply_fini(&c.reply);
    for (; *ids != '\0'; ids++)
        assert_int_equal(times[(unsigned char)*ids], 1);
}

/* Documents of 600,000 bytes, so that no page has three of them. */
static void test_large_documents(void **state) {
    char id[2] = "a", *large = malloc(600001);
    struct call c = {.rq = {.collection = "drafts", .id = id}};
    unsigned times[128], pages;

    (void)state;
    memset(large, 'x', 600000);
    large[600000] = '\0';
    for (unsigned i = 0; i < 8; i++, id[0]++) {
        c.rq.verb = STORE_CREATE;
        c.rq.scratch = i % 3 == 0 ? rehearsal : NULL;
        c.rq.fields = json_pack("{s:s,s:s}", "created_at", TIME, "large", large);
        assert_int_equal(finish(&c), ERR_NONE);
        json_decref(c.rq.fields);
    }
    list_all(200, "abcdefgh", times, &pages);
    assert_in_range(pages, 3, 8);
    free(large);
    store_reply_fini(&c.reply);
}

/* What is left out of a page costs neither the page nor the stack anything. */
static void test_most_are_deleted(void **state) {
    char id[16];
    struct call c = {.rq = {.collection = "drafts", .id = id}};
    unsigned times[128], pages;

    (void)state;
    c.rq.fields = json_pack("{s:s}", "created_at", TIME);
    for (unsigned i = 0; i < 500; i++) {
        snprintf(id, sizeof(id), "%c%03u", i == 0 ? 'a' : i == 499 ? 'z' : 'm', i);
        c.rq.verb = STORE_CREATE;
        c.rq.scratch = NULL;
        assert_int_equal(finish(&c), ERR_NONE);
        c.rq.verb = STORE_DELETE;
        c.rq.scratch = rehearsal;
        if (i != 0 && i != 499)
            assert_int_equal(finish(&c), ERR_NONE);
    }
    json_decref(c.rq.fields);
    c.rq.fields = NULL;
    assert_int_equal(scratch_writes(rehearsal), 498);
    list_all(1, "az", times, &pages);
    assert_int_equal(times['m'], 0);
    assert_int_equal(pages, 2);
    c.rq = (struct store_request){
        .verb = STORE_COUNT, .scratch = rehearsal, .collection = "drafts", .limit = 1};
    assert_int_equal(finish(&c), ERR_NONE);
    assert_int_equal(c.reply.count, 2);
}

static void test_bad_token(void **state) {
    struct call c = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 1}};

    (void)state;
    c.rq.scratch = rehearsal;
    c.rq.page_token = "no token";
    assert_int_equal(finish(&c), ERR_INVALID_FIELD);
    assert_string_equal(c.reply.err.field, "page_token");
}

/* --- at the same time ------------------------------------------------------------------------ */

static void test_writes_at_once(void **state) {
    struct call updates[3] = {0}, counts[5] = {0}, creates[2] = {0};
    unsigned refused = 0, there = 0;

    (void)state;
    assert_created("a", "{}");
    assert_created("b", "{\"n\":1}");
    get("a");
    for (size_t i = 0; i < COUNT_OF(updates); i++) {
        updates[i].rq = (struct store_request){.verb = STORE_UPDATE,
                                               .scratch = rehearsal,
                                               .collection = "drafts",
                                               .id = "a",
                                               .version = got.reply.version};
        updates[i].rq.fields = json_pack("{s:i}", "n", 1);
        begin(&updates[i]);
        json_decref(updates[i].rq.fields);
    }
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        counts[i].rq = (struct store_request){.verb = STORE_INCREMENT,
                                              .scratch = rehearsal,
                                              .collection = "drafts",
                                              .id = "b",
                                              .counter = "n"};
        begin(&counts[i]);
    }
    for (size_t i = 0; i < COUNT_OF(creates); i++) {
        creates[i].rq = (struct store_request){
            .verb = STORE_CREATE, .scratch = rehearsal, .collection = "drafts", .id = "c"};
        begin(&creates[i]);
    }
    wait_for_all();
    for (size_t i = 0; i < COUNT_OF(creates); i++)
        there += creates[i].reply.err.code == ERR_ALREADY_EXISTS;
    assert_int_equal(there, 1);
    assert_rehearsed("c", "{}");
    for (size_t i = 0; i < COUNT_OF(updates); i++)
        refused += updates[i].reply.err.code == ERR_CONFLICT;
    assert_int_equal(refused, COUNT_OF(updates) - 1);
    assert_rehearsed("a", "{\"n\":1}");
    assert_rehearsed("b", "{\"n\":6}");
    assert_int_equal(scratch_writes(rehearsal), 3);
}

/* A document that is taken over while the second page of the real store is asked for is in the
 * listing once, whether it was in the first page or is in the second. */
static void test_writes_while_listing(void **state) {
    static const struct act acts[] = {{":runQuery", PASS, 0, NULL}, {":runQuery", HOLD, 0, NULL}};
    static const struct step erase[] = {{STORE_DELETE, "h", NULL, NULL, ERR_NONE, true, NULL, 1},
                                        {STORE_DELETE, "g", NULL, NULL, ERR_NONE, true, NULL, 2},
                                        {STORE_DELETE, "f", NULL, NULL, ERR_NONE, true, NULL, 3}};
    struct call list = {.rq = {.verb = STORE_QUERY, .collection = "drafts", .limit = 3}};
    char id[2] = "a", last[STORE_VERSION_SIZE];

    (void)state;
    for (; id[0] <= 'h'; id[0]++)
        assert_created(id, "{\"created_at\":\"" TIME "\"}");
    for (size_t i = 0; i < COUNT_OF(erase); i++)
        run_step(&erase[i], "", last);
    set_acts(acts, COUNT_OF(acts));
    list.rq.scratch = rehearsal;
    begin(&list);
    while (count_held() == 0)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    for (id[0] = 'd'; id[0] <= 'e'; id[0]++) {
        struct call c = {.rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = id}};

        c.rq.scratch = rehearsal;
        c.rq.counter = "n";
        begin(&c);
        while (c.handle != NULL)
            uv_run(loop_uv(), UV_RUN_ONCE);
        assert_int_equal(c.reply.err.code, ERR_NONE);
    }
    release_held();
    wait_for_all();
    assert_int_equal(list.reply.err.code, ERR_NONE);
    assert_int_equal(list.reply.ndocs, 3);
    assert_non_null(list.reply.next_page_token);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(list.reply.docs[i].id[0], "edc"[i]);
    store_reply_fini(&list.reply);
}

/* What is taken over while the real store counts is not counted twice, nor left out. */
static void test_writes_while_counting(void **state) {
    static const struct act act = {":runAggregationQuery", HOLD, 0, NULL};
    struct call c = {.rq = {.verb = STORE_COUNT, .collection = "drafts", .limit = 1}};
    struct call gone = {.rq = {.verb = STORE_DELETE, .collection = "drafts", .id = "a"}};

    (void)state;
    assert_created("a", "{}");
    assert_created("b", "{}");
    assert_created("c", "{}");
    set_acts(&act, 1);
    c.rq.scratch = gone.rq.scratch = rehearsal;
    begin(&c);
    while (count_held() == 0)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    begin(&gone);
    while (gone.handle != NULL)
        uv_run(loop_uv(), UV_RUN_ONCE);
    release_held();
    wait_for_all();
    assert_int_equal(c.reply.err.code, ERR_NONE);
    assert_int_equal(c.reply.count, 2); /* that is, more than the limit */
}

/* --- over canned answers --------------------------------------------------------------------- */

#define FOUND(time)                                                                                \
    "[{\"found\":{\"name\":\"" DRAFTS "/a\",\"updateTime\":\"" time "\",\"fields\":{}}}]"
#define MISSING "[{\"missing\":\"" DRAFTS "/a\",\"readTime\":\"" TIME "\"}]"
#define REFUSED "{\"error\":{\"code\":0,\"message\":\"said\",\"status\":\"INVALID_ARGUMENT\"}}"

#define ACTS_MAX 2

static const struct {
    enum store_verb verb;
    struct act acts[ACTS_MAX]; /* the last one is what it waits for */
} waits[] = {
    {STORE_GET, {{GET, HOLD, 0, NULL}}},
    {STORE_PARTS, {{GET, HOLD, 0, NULL}}},
    {STORE_CREATE, {{GET, HOLD, 0, NULL}}},
    {STORE_UPDATE, {{GET, HOLD, 0, NULL}}},
    {STORE_UPDATE, {{GET, ANSWER, 200, FOUND(TIME)}, {GET, HOLD, 0, NULL}}},
    {STORE_INCREMENT, {{GET, ANSWER, 200, FOUND(TIME)}, {GET, HOLD, 0, NULL}}},
    {STORE_DELETE, {{GET, HOLD, 0, NULL}}},
    {STORE_QUERY, {{":runQuery", HOLD, 0, NULL}}},
    {STORE_COUNT, {{":runAggregationQuery", HOLD, 0, NULL}}},
};

static void start_waiting(size_t i, struct call *c) {
    size_t n = waits[i].acts[1].to == NULL ? 1 : 2;

    *c = (struct call){.rq = {.verb = waits[i].verb,
                              .scratch = rehearsal,
                              .collection = "drafts",
                              .id = "a",
                              .counter = "n",
                              .limit = 1}};
    set_acts(waits[i].acts, n);
    begin(c);
    assert_non_null(c->handle);
    while (count_held() == 0)
        uv_run(loop_uv(), UV_RUN_NOWAIT);
    assert_int_equal(acts_left(), 0);
}

/* Nobody else may hold the rehearsal by then. */
static void test_cancel(void **state) {
    struct call c;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        start_waiting(i, &c);
        assert_int_equal(scratch_writes(rehearsal), 0);
        scratch_unref(rehearsal);
        store_cancel(&c.handle);
        assert_null(c.handle);
        for (size_t k = 0; k < 20; k++)
            uv_run(loop_uv(), UV_RUN_NOWAIT);
        assert_int_equal(c.dones, 0);
        rehearsal = scratch_new_rehearsal();
    }
    waiting = 0;
}

/* What the rehearsal has for itself is there as long as it is. */
static void test_shutting_down(void **state) {
    static const struct act missing = {GET, ANSWER, 200, MISSING};
    static const struct step create = {STORE_CREATE, "a", NULL, "{}", ERR_NONE, true, "{}", 1};
    struct call c = {.rq = {.verb = STORE_GET, .collection = "drafts", .id = "b"}};
    char last[STORE_VERSION_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        start_waiting(i, &c);
        store_fini();
        assert_int_equal(c.dones, 1);
        assert_int_equal(c.reply.err.code, ERR_SHUTTING_DOWN);
        open_store();
    }
    set_acts(&missing, 1);
    run_step(&create, "", last);
    store_fini();
    assert_rehearsed("a", "{}");
    c.rq = (struct store_request){
        .verb = STORE_UPDATE, .scratch = rehearsal, .collection = "drafts", .id = "b"};
    assert_int_equal(finish(&c), ERR_SHUTTING_DOWN);
    open_store();
}

static void test_refused_reads(void **state) {
    static const struct act refused = {NULL, ANSWER, 400, REFUSED};
    struct call c = {0};

    (void)state;
    for (enum store_verb verb = STORE_GET; verb <= STORE_PARTS; verb++) {
        set_acts(&refused, 1);
        c.rq = (struct store_request){.verb = verb,
                                      .scratch = rehearsal,
                                      .collection = "drafts",
                                      .id = "a",
                                      .counter = "n",
                                      .limit = 1};
        assert_int_equal(finish(&c), ERR_FIRESTORE_ERROR);
        assert_non_null(strstr(c.reply.err.message, "said"));
        assert_int_equal(scratch_writes(rehearsal), 0);
    }
}

/* Document and parts are of the same moment. */
static void test_copy_of_one_moment(void **state) {
    static const struct act once[] = {{GET, ANSWER, 200, FOUND(OLDER)},
                                      {GET, ANSWER, 200, FOUND(TIME)},
                                      {GET, ANSWER, 200, FOUND(TIME)},
                                      {GET, ANSWER, 200, FOUND(TIME)}};
    static const struct step update = {STORE_UPDATE, "a",  NULL,        "{\"n\":1}",
                                       ERR_NONE,     true, "{\"n\":1}", 1};
    struct act ever[20];
    struct call c = {.rq = {.verb = STORE_INCREMENT, .collection = "drafts", .id = "a"}};
    char last[STORE_VERSION_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ever); i++)
        ever[i] = once[i % 2];
    set_acts(ever, COUNT_OF(ever));
    c.rq.scratch = rehearsal;
    c.rq.counter = "n";
    assert_int_equal(finish(&c), ERR_CONFLICT);
    assert_int_equal(acts_left(), 0);
    assert_int_equal(scratch_writes(rehearsal), 0);
    set_acts(once, COUNT_OF(once));
    run_step(&update, "", last);
    assert_int_equal(acts_left(), 0);
}

int main(void) {
#define LOCAL(f) cmocka_unit_test_setup_teardown(f, set_up_rehearsal, tear_down_rehearsal)
#define OPEN(f)  cmocka_unit_test_setup_teardown(f, set_up_firestore, tear_down_firestore)
    const struct CMUnitTest local[] = {
        LOCAL(test_steps),
        LOCAL(test_parts),
        LOCAL(test_written_together),
        LOCAL(test_others_write),
        LOCAL(test_rehearsals_are_apart),
        LOCAL(test_large_documents),
        LOCAL(test_most_are_deleted),
        LOCAL(test_bad_token),
        LOCAL(test_writes_at_once),
        LOCAL(test_model),
    };
    const struct CMUnitTest emulated[] = {
        OPEN(test_steps),
        OPEN(test_parts),
        OPEN(test_written_together),
        OPEN(test_others_write),
        OPEN(test_writes_at_once),
        OPEN(test_writes_while_listing),
        OPEN(test_writes_while_counting),
        OPEN(test_model_emulated),
    };
    const struct CMUnitTest canned[] = {
        OPEN(test_cancel),
        OPEN(test_shutting_down),
        OPEN(test_refused_reads),
        OPEN(test_copy_of_one_moment),
    };
    int failures = cmocka_run_group_tests_name("rehearsal, SQLite", local, NULL, NULL);

    server_start();
    failures += cmocka_run_group_tests_name("rehearsal, canned", canned, NULL, NULL);
    if (emulator_start())
        failures += cmocka_run_group_tests_name("rehearsal, emulated", emulated, NULL, NULL);
    emulator_stop();
    server_stop();
    return failures;
}
