#include "mask.h"

#include <string.h>

static bool is_word_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_secret_char(char c) {
    return is_word_char(c) || (c != '\0' && strchr("-._~+/=", c) != NULL);
}

size_t mask_secret(const char *text, size_t at, size_t len) {
    static const char *const prefixes[] = {"ya29.", "eyJ", "1//", "GOCSPX-"};
    const char *s = text + at;
    size_t n = len - at, span = 0;

    if (at > 0 && is_word_char(text[at - 1]))
        return 0; /* inside a word */
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (n > strlen(prefixes[i]) && memcmp(s, prefixes[i], strlen(prefixes[i])) == 0)
            for (span = strlen(prefixes[i]); span < n && is_secret_char(s[span]);)
                span++;
    return span;
}
