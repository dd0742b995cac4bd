/*
 * fuzz_address.c - whatever parses is written, and parses again to the same; whatever does not is
 * refused with a sentence.
 */
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "encode.h"

#define CEILING (16 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok)
        abort();
}

static void check_same(const struct address *a, const struct address *b) {
    check(strcmp(a->name, b->name) == 0 && strcmp(a->local, b->local) == 0);
    check(strcmp(a->domain, b->domain) == 0 && strcmp(a->spec, b->spec) == 0);
}

static void check_address(const struct address *a) {
    size_t nspec = strlen(a->spec), ndomain = strlen(a->domain);

    check(a->local[0] != '\0' && ndomain > 0 && nspec <= 254);
    check(nspec - ndomain - 1 <= 64 && a->spec[nspec - ndomain - 1] == '@');
    check(strcmp(a->spec + nspec - ndomain, a->domain) == 0);
    check(strspn(a->domain, "abcdefghijklmnopqrstuvwxyz0123456789-.") == ndomain);
    check(encode_control_at(a->name, strlen(a->name)) == strlen(a->name));
    check(encode_control_at(a->spec, nspec) == nspec);
}

static void check_format(const struct address_list *list) {
    struct address_list again = {.n = 0};
    struct buf text;

    buf_init(&text, CEILING);
    for (size_t i = 0; i < list->n; i++) {
        if (i > 0)
            buf_adds(&text, ", ");
        address_format(&text, &list->v[i]);
    }
    check(address_parse(&again, text.data, text.len, NULL) == 0 && again.n == list->n);
    for (size_t i = 0; i < list->n; i++)
        check_same(&again.v[i], &list->v[i]);
    address_list_fini(&again);
    buf_free(&text);
}

/* Folded with CRLF and a space, every line short of 998; the same addresses, whatever the names
 * look like. */
static void check_header(const struct address_list *list) {
    struct address_list again = {.n = 0};
    struct buf out, text;
    size_t at = 0;

    buf_init(&out, CEILING);
    buf_init(&text, CEILING);
    address_header(&out, "To", list);
    check(list->n > 0 || out.len == 0);
    for (size_t i = 0; i < out.len; i++) {
        check(out.data[i] != '\n' && out.data[i] != '\0');
        if (out.data[i] != '\r') {
            buf_addc(&text, out.data[i]);
            continue;
        }
        check(out.data[i + 1] == '\n' && i - at <= 998 && strspn(out.data + at, " ") < i - at);
        check(i + 2 == out.len || (out.data[i + 2] == ' ' && out.data[i + 3] != ' '));
        i++;
        at = i + 1;
    }
    check(at == out.len);
    if (list->n > 0) {
        check(address_parse(&again, text.data + 3, text.len - 3, NULL) == 0);
        check(again.n == list->n);
        for (size_t i = 0; i < list->n; i++)
            check(strcmp(again.v[i].spec, list->v[i].spec) == 0);
    }
    address_list_fini(&again);
    buf_free(&out);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct address_list list = {.n = 0};
    struct err e = {.code = ERR_NONE};

    if (address_parse(&list, (const char *)data, size, &e) == 0) {
        for (size_t i = 0; i < list.n; i++)
            check_address(&list.v[i]);
        check_format(&list);
        check_header(&list);
    } else {
        check(list.n == 0 && e.code == ERR_INVALID_RECIPIENT && e.message[0] != '\0');
        check(encode_utf8_error(e.message, strlen(e.message)) == strlen(e.message));
        check(encode_control_at(e.message, strlen(e.message)) == strlen(e.message));
    }
    address_list_fini(&list);
    return 0;
}
