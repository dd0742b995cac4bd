#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    int status;
} codes[] = {[ERR_NONE] = {"", 500},
#define X(name, word, status) [ERR_##name] = {word, status},
             ERR_CODES(X)
#undef X
};

/* Cut a text that did not fit at a character, never inside one. */
static void trim_utf8(char *s, size_t size) {
    size_t n = strlen(s);

    if (n + 1 < size)
        return;
    while (n > 0 && ((unsigned char)s[n - 1] & 0xC0) == 0x80)
        n--;
    if (n > 0 && (unsigned char)s[n - 1] >= 0xC0)
        n--;
    s[n] = '\0';
}

static void fill(struct err *e, enum err_code code, const char *field, const char *fmt,
                 va_list ap) {
    if (e == NULL)
        return;
    e->code = code;
    e->retry_after = 0;
    e->reason[0] = '\0';
    snprintf(e->field, sizeof(e->field), "%s", field);
    trim_utf8(e->field, sizeof(e->field));
    vsnprintf(e->message, sizeof(e->message), fmt, ap);
    trim_utf8(e->message, sizeof(e->message));
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    fill(e, code, "", fmt, ap);
    va_end(ap);
    return -1;
}

int err_set_field(struct err *e, enum err_code code, const char *field, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    fill(e, code, field, fmt, ap);
    va_end(ap);
    return -1;
}

static const struct err no_memory = {.code = ERR_INTERNAL_ERROR, .message = "out of memory"};

const struct err *err_keep(const struct err *e) {
    struct err *kept;

    if (e == NULL || e->code == ERR_NONE)
        return NULL;
    if ((kept = malloc(sizeof(*kept))) == NULL)
        return &no_memory;
    *kept = *e;
    return kept;
}

void err_let_go(const struct err **kept) {
    if (*kept != &no_memory)
        free((struct err *)(uintptr_t)*kept);
    *kept = NULL;
}

const char *err_word(enum err_code code) {
    return codes[code].word;
}

int err_status(enum err_code code) {
    return codes[code].status;
}

enum err_code err_from_word(const char *word) {
    for (size_t i = 1; i < COUNT_OF(codes); i++)
        if (strcmp(codes[i].word, word) == 0)
            return (enum err_code)i;
    return ERR_NONE;
}
