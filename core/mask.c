#include "mask.h"

#include <string.h>

static bool is_word_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_secret_char(char c) {
    return is_word_char(c) || (c != '\0' && strchr("-._~+/=", c) != NULL);
}

/* How they begin, and how long they are at least: a word of ours may begin like a key of ours. */
static const struct {
    const char *text;
    size_t least;
} prefixes[] = {{"ya29.", 6}, {"eyJ", 4}, {"1//", 4}, {"GOCSPX-", 8}, {"paraph_", 50}};

size_t mask_secret(const char *text, size_t at, size_t len) {
    const char *s = text + at;
    size_t n = len - at, span = 0;

    if (at > 0 && is_word_char(text[at - 1]))
        return 0; /* inside a word */
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        size_t begin = strlen(prefixes[i].text);

        if (n < prefixes[i].least || memcmp(s, prefixes[i].text, begin) != 0)
            continue;
        for (span = begin; span < n && is_secret_char(s[span]);)
            span++;
        return span >= prefixes[i].least ? span : 0;
    }
    return 0;
}
