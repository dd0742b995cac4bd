#include "json_text.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bool is_plain[256] = {
    [' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... 0x7F] = true};

/* Eight at a time: large bodies are one long string. */
size_t json_text_plain_span(const char *p, size_t n) {
    const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        uint64_t w, quote, backslash;

        memcpy(&w, p + i, 8);
        quote = w ^ ones * '"';
        backslash = w ^ ones * '\\';
        if (((w | (w - ones * ' ') | (quote - ones) | (backslash - ones)) & high) != 0)
            break;
    }
    while (i < n && is_plain[(unsigned char)p[i]])
        i++;
    return i;
}

void json_text_add_string(struct buf *out, const char *s, size_t n) {
    static const char letters[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
    size_t i = 0;

    buf_addc(out, '"');
    while (i < n) {
        size_t plain = json_text_plain_span(s + i, n - i);
        const char *byte;

        while (i + plain < n && (unsigned char)s[i + plain] >= 0x80)
            plain++;
        buf_add(out, s + i, plain);
        i += plain;
        if (plain > 0)
            continue;
        byte = s[i] != '\0' ? strchr(bytes, s[i]) : NULL;
        if (byte != NULL)
            buf_add(out, (char[]){'\\', letters[byte - bytes]}, 2);
        else
            buf_addf(out, "\\u%04x", s[i]);
        i++;
    }
    buf_addc(out, '"');
}

void json_text_add_real(struct buf *out, double v) {
    char text[32];

    for (int digits = 15; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_adds(out, text);
    if (strpbrk(text, ".e") == NULL)
        buf_adds(out, ".0");
}

void json_text_add_integer(struct buf *out, int64_t v) {
    char digits[24], *to = digits + sizeof(digits);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

    do {
        *--to = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (v < 0)
        *--to = '-';
    buf_add(out, to, (size_t)(digits + sizeof(digits) - to));
}

static void add_array(struct buf *out, const json_t *array) {
    for (size_t i = 0; i < json_array_size(array); i++) {
        buf_addc(out, i == 0 ? '[' : ',');
        json_text_add(out, json_array_get(array, i));
    }
    buf_adds(out, json_array_size(array) == 0 ? "[]" : "]");
}

static void add_object(struct buf *out, const json_t *object) {
    char before = '{';
    const char *name;
    json_t *value;
    size_t len;

    json_object_keylen_foreach((json_t *)object, name, len, value) {
        buf_addc(out, before);
        json_text_add_string(out, name, len);
        buf_addc(out, ':');
        json_text_add(out, value);
        before = ',';
    }
    buf_adds(out, before == '{' ? "{}" : "}");
}

/* Deep ones cannot come here: what reads or makes a tree limits its depth. */
void json_text_add(struct buf *out, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(out, value);
        break;
    case JSON_ARRAY:
        add_array(out, value);
        break;
    case JSON_STRING:
        json_text_add_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        json_text_add_integer(out, json_integer_value(value));
        break;
    case JSON_REAL:
        json_text_add_real(out, json_real_value(value));
        break;
    case JSON_TRUE:
        buf_adds(out, "true");
        break;
    case JSON_FALSE:
        buf_adds(out, "false");
        break;
    case JSON_NULL:
        buf_adds(out, "null");
        break;
    }
}

char *json_text_write(const json_t *value, size_t *len) {
    struct buf out;
    char *text;

    buf_init(&out, JSON_TEXT_MAX);
    json_text_add(&out, value);
    text = buf_take(&out, len);
    buf_free(&out);
    return text;
}
