/*
 * fuzz_google_error.c - whatever a server answers, what is made of it can be told: a code, one
 * sentence of valid UTF-8 without control characters, a time to come again in bounds.
 *
 * The input is a byte that chooses the status, lines with headers, an empty line, the body.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "env.h"
#include "google_error.h"
#include "google_remedy.h"
#include "json_text.h"

#define HEADERS_MAX 8
#define NOW_US      1773162000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static void demand_tellable(const char *text, size_t size) {
    size_t n = strnlen(text, size);

    demand(n < size && encode_utf8_error(text, n) == n && encode_control_at(text, n) == n);
}

/* "Name: value" lines, with names in lower case as they come from fetch.c; the rest of the text. */
static char *read_headers(char *text, struct fetch_header *headers, size_t *n) {
    for (*n = 0; *text != '\0' && *n < HEADERS_MAX;) {
        char *end = text + strcspn(text, "\n"), *colon = strstr(text, ": ");

        if (end == text || *end == '\0' || colon == NULL || colon > end)
            break;
        *end = *colon = '\0';
        for (char *s = text; *s != '\0'; s++)
            *s |= *s >= 'A' && *s <= 'Z' ? 0x20 : 0;
        headers[(*n)++] = (struct fetch_header){text, colon + 2};
        text = end + 1;
    }
    return *text == '\n' ? text + 1 : text;
}

static void check(int status, char *text) {
    static const struct google_names names = {.step = "step", .scopes = "a b", .mailbox = "m"};
    struct fetch_header headers[HEADERS_MAX];
    size_t nheaders;
    const char *body = read_headers(text, headers, &nheaders);
    json_t *json = json_text_parse(body, strlen(body), JSON_TEXT_DEPTH_MAX, NULL);
    struct google_error ge;
    struct err e;

    google_error_read(&ge, status, headers, nheaders, json, NOW_US);
    demand_tellable(ge.message, sizeof(ge.message));
    demand_tellable(ge.legacy, sizeof(ge.legacy));
    demand_tellable(ge.info, sizeof(ge.info));
    demand_tellable(ge.word, sizeof(ge.word));
    demand_tellable(ge.subtype, sizeof(ge.subtype));
    demand_tellable(ge.scopes, sizeof(ge.scopes));
    demand_tellable(ge.consumer, sizeof(ge.consumer));
    demand(ge.retry_after >= 0 && ge.retry_after <= 86400);
    for (unsigned peer = GOOGLE_PEER_METADATA; peer <= GOOGLE_PEER_FIRESTORE; peer <<= 1) {
        google_remedy_tell(&e, (enum google_peer)peer, &ge, &names);
        demand_tellable(e.message, 501);
        demand(e.code != ERR_NONE && strncmp(e.message, "step: ", 6) == 0);
    }
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int statuses[] = {403, 429, 401, 400, 502, 403, 200, 404, 409, 500};
    char *text;

    env.firestore_database = "(default)";
    if (size == 0 || (text = strndup((const char *)data + 1, size - 1)) == NULL)
        return 0;
    check(statuses[data[0] % COUNT_OF(statuses)], text);
    free(text);
    return 0;
}
