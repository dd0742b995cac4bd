/*
 * fuzz_encode.c - whatever goes in comes out again by an independent reader, and nothing that is
 * written breaks a line.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define CEILING (16 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok)
        abort();
}

static void check_same(const struct buf *got, const void *want, size_t n) {
    check(!buf_failed(got) && got->len == n && memcmp(got->data, want, n) == 0);
}

/* ---- a reader ---- */

static int hex_value(char c) {
    const char *digits = "0123456789ABCDEF", *at = strchr(digits, c);

    check(c != '\0' && at != NULL);
    return (int)(at - digits);
}

static char read_hex(const char *s) {
    return (char)(hex_value(s[0]) << 4 | hex_value(s[1]));
}

static void read_quoted_printable(struct buf *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] != '=') {
            buf_addc(out, s[i]);
        } else if (s[i + 1] == '\r') {
            check(s[i + 2] == '\n');
            i += 2;
        } else {
            buf_addc(out, read_hex(s + i + 1));
            i += 2;
        }
    }
}

/* One encoded word; returns what follows it. */
static const char *read_word(struct buf *out, const char *s) {
    const char *text = s + strlen("=?UTF-8?Q?"), *end = strstr(text, "?=");

    check(strncmp(s, "=?UTF-8?", 8) == 0 && (s[8] == 'Q' || s[8] == 'B') && s[9] == '?');
    check(end != NULL && end > text && end + 2 - s <= 75);
    if (s[8] == 'B') {
        check(encode_base64_decode(out, text, (size_t)(end - text), NULL) == 0);
        return end + 2;
    }
    for (; text < end; text++) {
        if (*text == '=') {
            buf_addc(out, read_hex(text + 1));
            text += 2;
        } else {
            buf_addc(out, *text == '_' ? ' ' : *text);
        }
    }
    return end + 2;
}

/* Unfold and decode (RFC 2047 §6.2): white space between encoded words is none. */
static void read_text(struct buf *out, const char *s) {
    struct buf line;

    buf_init(&line, CEILING);
    for (; *s != '\0'; s++)
        if (*s != '\r' && *s != '\n')
            buf_addc(&line, *s);
    for (s = line.data; *s != '\0';) {
        if (strncmp(s, "=?", 2) == 0) {
            s = read_word(out, s);
            if (strncmp(s, " =?", 3) == 0)
                s++;
        } else {
            buf_addc(out, *s++);
        }
    }
    buf_free(&line);
}

/* ---- properties ---- */

/* CRLF alone ends lines, none too long, none blank. */
static void check_lines(const struct buf *b, size_t max) {
    size_t at = 0;

    for (size_t i = 0; i < b->len; i++) {
        check(b->data[i] != '\n' && b->data[i] != '\0');
        if (b->data[i] == '\r') {
            check(b->data[i + 1] == '\n' && i - at <= max);
            check(strspn(b->data + at, " ") < i - at);
            at = i + 2;
            i++;
        }
    }
    check(b->len - at <= max);
}

static void check_binary(const uint8_t *data, size_t size) {
    struct buf out, back;

    buf_init(&out, CEILING);
    buf_init(&back, CEILING);
    for (int i = 0; i < 3; i++) {
        void (*const encoders[])(struct buf *, const void *,
                                 size_t) = {encode_base64, encode_base64url, encode_base64_lines};

        buf_reset(&out);
        buf_reset(&back);
        encoders[i](&out, data, size);
        check(encode_base64_decode(&back, out.data, out.len, NULL) == 0);
        check_same(&back, data, size);
    }
    check_lines(&out, 76);
    check(out.len == encode_base64_lines_size(size));

    buf_reset(&out);
    buf_reset(&back);
    encode_percent(&out, (const char *)data, size);
    check(encode_percent_decode(&back, out.data, out.len) == 0);
    check_same(&back, data, size);
    buf_free(&out);
    buf_free(&back);
}

/* What decodes is, encoded again, what it was but for white space, padding and alphabet. */
static void check_decoders(const char *s, size_t n) {
    struct err e = {.code = ERR_NONE};
    struct buf out, again;

    buf_init(&out, CEILING);
    buf_init(&again, CEILING);
    if (encode_base64_decode(&out, s, n, &e) == 0) {
        const char *digit;

        encode_base64(&again, out.data, out.len);
        digit = again.data;
        for (size_t i = 0; i < n; i++) {
            char c = s[i] == '-' ? '+' : s[i] == '_' ? '/' : s[i];

            if (c != '=' && c != ' ' && (c < '\t' || c > '\r'))
                check(*digit++ == c);
        }
        check(*digit == '\0' || *digit == '=');
    } else {
        check(e.code == ERR_INVALID_FIELD && e.message[0] != '\0' && out.len == 0);
    }
    buf_reset(&out);
    (void)encode_percent_decode(&out, s, n);
    buf_free(&out);
    buf_free(&again);
}

static void check_quoted_printable(const char *s, size_t n) {
    struct buf out, back, want;

    buf_init(&out, CEILING);
    buf_init(&back, CEILING);
    buf_init(&want, CEILING);
    for (size_t i = 0; i < n; i++) { /* every line end is CRLF */
        if (s[i] == '\n' && (i == 0 || s[i - 1] != '\r'))
            buf_addc(&want, '\r');
        buf_addc(&want, s[i]);
    }
    encode_quoted_printable(&out, s, n, encode_quoted_printable_size(s, n));
    check(out.len == encode_quoted_printable_size(s, n));
    read_quoted_printable(&back, out.data, out.len);
    check_same(&back, want.data, want.len);
    for (size_t at = 0, i = 0; i <= out.len; i++) {
        if (i == out.len || out.data[i] == '\r') {
            check(i - at <= 76 && (i == at || (out.data[i - 1] != ' ' && out.data[i - 1] != '\t')));
            at = i + 2;
        }
    }
    buf_free(&out);
    buf_free(&back);
    buf_free(&want);
}

static void check_header(const char *value) {
    struct buf out, back;

    buf_init(&out, CEILING);
    buf_init(&back, CEILING);
    encode_header(&out, "Subject", value);
    check_lines(&out, 998);
    read_text(&back, out.data);
    check(strncmp(back.data, "Subject:", 8) == 0);
    check(strcmp(back.data + (back.data[8] == ' ' ? 9 : 8), value) == 0);
    buf_free(&out);
    buf_free(&back);
}

static void check_phrase(const char *text) {
    struct buf out, back;
    size_t col = 3;
    const char *s;

    buf_init(&out, CEILING);
    buf_init(&back, CEILING);
    buf_adds(&out, "To:");
    encode_phrase(&out, &col, text);
    check_lines(&out, 76);
    read_text(&back, out.data);
    s = back.data + 3;
    if (text[0] == '\0') {
        check(*s == '\0');
    } else if (strncmp(s, " \"", 2) == 0 && strstr(out.data, "=?") == NULL) {
        for (s += 2; *text != '\0'; text++) {
            s += *s == '\\';
            check(*s++ == *text);
        }
        check(strcmp(s, "\"") == 0);
    } else {
        check(*s == ' ' && strcmp(s + 1, text) == 0);
    }
    buf_free(&out);
    buf_free(&back);
}

/* The sections of an RFC 2231 parameter, in order. */
static void check_parameter(const char *value) {
    struct buf out, back;
    size_t col = 10;

    buf_init(&out, CEILING);
    buf_init(&back, CEILING);
    encode_parameter(&out, &col, "filename", value);
    check_lines(&out, 77);
    if (strncmp(out.data, ";\r\n filename*", 13) == 0) {
        for (const char *s = out.data; (s = strstr(s, "\r\n filename*")) != NULL;) {
            s = strchr(s, '=') + 1;
            if (back.len == 0 && strncmp(s, "UTF-8''", 7) == 0)
                s += 7;
            check(encode_percent_decode(&back, s, strcspn(s, ";\r")) == 0);
        }
        check_same(&back, value, strlen(value));
    } else {
        check(encode_control_at(value, strlen(value)) == strlen(value));
    }
    buf_free(&out);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buf text;
    size_t valid;

    buf_init(&text, CEILING);
    buf_add(&text, data, size);
    valid = encode_utf8_error(text.data, text.len);
    check(valid <= size && encode_utf8_error(text.data, valid) == valid);
    check(encode_control_at(text.data, text.len) <= size);
    check_binary(data, size);
    check_decoders(text.data, text.len);
    check_quoted_printable(text.data, text.len);
    check_header(text.data);
    check_phrase(text.data);
    check_parameter(text.data);
    buf_free(&text);
    return 0;
}
