#include "trace.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS   "0123456789abcdef"
#define ID_LEN   32
#define SPAN_LEN 16

/* n hexadecimal digits in lower case? */
static bool is_hex(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!(s[i] >= '0' && s[i] <= '9') && !(s[i] >= 'a' && s[i] <= 'f'))
            return false;
    return true;
}

static bool is_id(const char *s, size_t n) {
    return is_hex(s, n) && strspn(s, "0") < n;
}

bool trace_is_id(const char *s, size_t n) {
    return n == ID_LEN && is_id(s, n);
}

/* version "-" trace-id "-" parent-id "-" trace-flags; a version after 00 may have more behind it,
 * and ff is none. */
static bool read_traceparent(struct log_trace *t, const char *s) {
    const char *id = s + 3, *span = id + ID_LEN + 1, *flags = span + SPAN_LEN + 1, *end = flags + 2;

    if (!is_hex(s, 2) || s[2] != '-' || !is_id(id, ID_LEN) || id[ID_LEN] != '-' ||
        !is_id(span, SPAN_LEN) || span[SPAN_LEN] != '-' || !is_hex(flags, 2))
        return false;
    if (memcmp(s, "ff", 2) == 0 || (*end != '\0' && (*end != '-' || memcmp(s, "00", 2) == 0)))
        return false;
    memcpy(t->id, id, ID_LEN);
    memcpy(t->span, span, SPAN_LEN);
    t->sampled = (strchr(DIGITS, flags[1]) - DIGITS) & 1;
    return true;
}

/* TRACE_ID [ "/" SPAN_ID [ ";o=" OPTIONS ] ]: the span is a decimal number. */
static bool read_cloud(struct log_trace *t, const char *s) {
    size_t n = strcspn(s, "/"), digits;
    uint64_t span;

    if (n != ID_LEN)
        return false;
    for (size_t i = 0; i < n; i++)
        t->id[i] = (char)(s[i] >= 'A' && s[i] <= 'F' ? s[i] + 32 : s[i]);
    if (!is_id(t->id, n))
        return false;
    s += n;
    if (*s == '\0')
        return true;
    digits = strspn(++s, "0123456789");
    span = strtoull(s, NULL, 10);
    s += digits;
    if (digits == 0 || digits > 20 ||
        (*s != '\0' && strcmp(s, ";o=0") != 0 && strcmp(s, ";o=1") != 0))
        return false;
    if (span != 0 && span != UINT64_MAX) {
        snprintf(t->span, sizeof(t->span), "%016" PRIx64, span);
        t->sampled = strcmp(s, ";o=1") == 0;
    }
    return true;
}

void trace_make(struct log_trace *t, const char *uuid) {
    size_t n = 0;

    *t = (struct log_trace){0};
    for (; *uuid != '\0' && n < ID_LEN; uuid++)
        if (*uuid != '-')
            t->id[n++] = *uuid;
}

bool trace_read(struct log_trace *t, const char *traceparent, const char *cloud) {
    *t = (struct log_trace){0};
    if (traceparent != NULL && read_traceparent(t, traceparent))
        return true;
    if (cloud != NULL && read_cloud(t, cloud))
        return true;
    *t = (struct log_trace){0}; /* what was read before it turned out to be none */
    return false;
}
