/*
 * encode.c - UTF-8, hex, base64, quoted-printable and percent; headers are in encode_header.c.
 */
#include "encode.h"

#include <string.h>

static const char capitals[] = "0123456789ABCDEF";

/* ---- UTF-8 ---- */

static bool is_continuation(unsigned char c) {
    return (c & 0xC0) == 0x80;
}

size_t encode_utf8_char(const char *s, size_t n, uint32_t *cp) {
    const unsigned char *u = (const unsigned char *)s;
    uint32_t c;

    if (n >= 1 && u[0] < 0x80) {
        *cp = u[0];
        return 1;
    }
    if (n >= 2 && u[0] >= 0xC2 && u[0] <= 0xDF && is_continuation(u[1])) {
        *cp = (u[0] & 0x1Fu) << 6 | (u[1] & 0x3Fu);
        return 2;
    }
    if (n >= 3 && (u[0] & 0xF0) == 0xE0 && is_continuation(u[1]) && is_continuation(u[2])) {
        c = (u[0] & 0x0Fu) << 12 | (u[1] & 0x3Fu) << 6 | (u[2] & 0x3Fu);
        *cp = c;
        return c < 0x800 || (c >= 0xD800 && c <= 0xDFFF) ? 0 : 3;
    }
    if (n >= 4 && (u[0] & 0xF8) == 0xF0 && is_continuation(u[1]) && is_continuation(u[2]) &&
        is_continuation(u[3])) {
        c = (u[0] & 0x07u) << 18 | (u[1] & 0x3Fu) << 12 | (u[2] & 0x3Fu) << 6 | (u[3] & 0x3Fu);
        *cp = c;
        return c < 0x10000 || c > 0x10FFFF ? 0 : 4;
    }
    return 0;
}

size_t encode_utf8_error(const char *s, size_t n) {
    size_t i = 0;

    while (i < n) {
        uint32_t cp;
        uint64_t eight;
        size_t len;

        if (n - i >= sizeof(eight)) { /* most text is ASCII */
            memcpy(&eight, s + i, sizeof(eight));
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                i += sizeof(eight);
                continue;
            }
        }
        if ((unsigned char)s[i] < 0x80)
            len = 1;
        else if ((len = encode_utf8_char(s + i, n - i, &cp)) == 0)
            return i;
        i += len;
    }
    return n;
}

bool encode_is_token(const char *s, size_t n) {
    /* strspn() would make such a table on each call */
    static const bool in_tokens[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
        ['#'] = true,         ['$'] = true,         ['%'] = true,         ['&'] = true,
        ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true,
        ['.'] = true,         ['^'] = true,         ['_'] = true,         ['`'] = true,
        ['|'] = true,         ['~'] = true,
    };
    size_t i = 0;

    while (i < n && in_tokens[(unsigned char)s[i]])
        i++;
    return n > 0 && i == n;
}

size_t encode_control_at(const char *s, size_t n) {
    const unsigned char *u = (const unsigned char *)s;

    for (size_t i = 0; i < n; i++) {
        if (u[i] >= 0x20 && u[i] < 0x7F)
            continue;
        if (u[i] < 0x20 || u[i] == 0x7F)
            return i;
        if (u[i] == 0xC2 && i + 1 < n && u[i + 1] >= 0x80 && u[i + 1] <= 0x9F)
            return i;
        if (u[i] == 0xE2 && i + 2 < n && u[i + 1] == 0x80 && (u[i + 2] == 0xA8 || u[i + 2] == 0xA9))
            return i;
    }
    return n;
}

static bool is_printable(const char *s, size_t n, uint32_t cp) {
    if (cp == '\t' || cp == '\n')
        return true;
    return encode_control_at(s, n) == n && !(cp >= 0x202A && cp <= 0x202E) &&
           !(cp >= 0x2066 && cp <= 0x2069);
}

void encode_printable(struct buf *out, const char *s, size_t n) {
    uint32_t cp;

    for (size_t i = 0, len; i<n; i += len> 0 ? len : 1) {
        len = encode_utf8_char(s + i, n - i, &cp);
        if (len > 0 && is_printable(s + i, len, cp))
            buf_add(out, s + i, len);
        else
            buf_adds(out, "\xEF\xBF\xBD");
    }
}

/* ---- hex ---- */

void encode_hex(struct buf *out, const void *p, size_t n) {
    static const char digits[] = "0123456789abcdef";
    const unsigned char *u = p;
    char *to = n > SIZE_MAX / 2 ? NULL : buf_reserve(out, 2 * n);

    if (to == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        *to++ = digits[u[i] >> 4];
        *to++ = digits[u[i] & 15];
    }
    *to = '\0';
    out->len += 2 * n;
}

/* ---- base64 (RFC 4648) ---- */

enum {
    LINE_BYTES = 57, /* what 76 columns of base64 hold */
    LINE_COLUMNS = 76
};

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *put_triples(char *to, const unsigned char *u, size_t n, const char *alphabet) {
    for (; n >= 3; n -= 3, u += 3, to += 4) {
        unsigned bits = (unsigned)u[0] << 16 | u[1] << 8 | u[2];

        to[0] = alphabet[bits >> 18];
        to[1] = alphabet[bits >> 12 & 63];
        to[2] = alphabet[bits >> 6 & 63];
        to[3] = alphabet[bits & 63];
    }
    if (n > 0) {
        *to++ = alphabet[u[0] >> 2];
        *to++ = alphabet[(u[0] & 3) << 4 | (n == 2 ? u[1] >> 4 : 0)];
        if (n == 2)
            *to++ = alphabet[(u[1] & 15) << 2];
    }
    return to;
}

static char *put_padded(char *to, const unsigned char *u, size_t n) {
    to = put_triples(to, u, n, standard);
    for (size_t i = n; i % 3 != 0; i++)
        *to++ = '=';
    return to;
}

/* Room for n bytes as base64, generously; NULL on failure. */
static char *reserve_base64(struct buf *out, size_t n) {
    if (n > SIZE_MAX / 4) {
        out->failed = true;
        return NULL;
    }
    return buf_reserve(out, (n + 2) / 3 * 4);
}

static void finish(struct buf *out, char *to) {
    *to = '\0';
    out->len = (size_t)(to - out->data);
}

void encode_base64(struct buf *out, const void *p, size_t n) {
    char *to = reserve_base64(out, n);

    if (to != NULL)
        finish(out, put_padded(to, p, n));
}

void encode_base64url(struct buf *out, const void *p, size_t n) {
    char *to = reserve_base64(out, n);

    if (to != NULL)
        finish(out, put_triples(to, p, n, url_safe));
}

size_t encode_base64_lines_size(size_t n) {
    size_t rest = n % LINE_BYTES;

    return n / LINE_BYTES * (LINE_COLUMNS + 2) + (rest > 0 ? (rest + 2) / 3 * 4 + 2 : 0);
}

void encode_base64_lines(struct buf *out, const void *p, size_t n) {
    const unsigned char *u = p;
    char *to = n > SIZE_MAX / 4 ? NULL : buf_reserve(out, encode_base64_lines_size(n));

    if (to == NULL)
        return;
    for (size_t len; n > 0; u += len, n -= len) {
        len = n < LINE_BYTES ? n : LINE_BYTES;
        to = put_padded(to, u, len);
        *to++ = '\r';
        *to++ = '\n';
    }
    finish(out, to);
}

/* The six bits of a character, and in which alphabets it is not: a character that is in neither
 * has both marks, and so have two characters of different alphabets together. */
enum { NOT_URL = 0x40, NOT_STANDARD = 0x80, NEITHER = NOT_URL | NOT_STANDARD };

struct decoder {
    unsigned char table[256];
    unsigned marks; /* of all characters so far */
    unsigned bits;  /* not yet written */
    unsigned nbits;
};

static void decoder_init(struct decoder *d) {
    *d = (struct decoder){.nbits = 0};
    memset(d->table, NEITHER, sizeof(d->table));
    for (unsigned i = 0; i < 64; i++) {
        d->table[(unsigned char)standard[i]] = (unsigned char)(i < 62 ? i : i | NOT_URL);
        d->table[(unsigned char)url_safe[i]] = (unsigned char)(i < 62 ? i : i | NOT_STANDARD);
    }
}

/* Whole groups of four from u on; how many characters that were. */
static size_t decode_groups(struct decoder *d, const unsigned char *u, size_t n, char **to) {
    char *o = *to;
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        unsigned a = d->table[u[i]], b = d->table[u[i + 1]];
        unsigned c = d->table[u[i + 2]], e = d->table[u[i + 3]];
        unsigned marks = d->marks | ((a | b | c | e) & NEITHER);

        if (marks == NEITHER)
            break;
        d->marks = marks;
        *o++ = (char)(a << 2 | (b >> 4 & 3));
        *o++ = (char)(b << 4 | (c >> 2 & 15));
        *o++ = (char)(c << 6 | (e & 63));
    }
    *to = o;
    return i;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* What may follow the last digit: white space, and all of the padding or none. */
static int decode_end(const struct decoder *d, const char *s, size_t i, size_t n, struct err *e) {
    size_t due = d->nbits == 4 ? 2 : d->nbits == 2 ? 1 : 0;
    size_t pads = 0;

    if (d->nbits == 6)
        return err_set(e, ERR_INVALID_FIELD, "the base64 is cut short at offset %zu", i);
    for (; i < n; i++) {
        if (s[i] == '=' && pads < due)
            pads++;
        else if (!is_space(s[i]))
            return err_set(e, ERR_INVALID_FIELD, "what stands at offset %zu is not base64", i);
    }
    if (pads > 0 && pads < due)
        return err_set(e, ERR_INVALID_FIELD, "the base64 is cut short at offset %zu", n);
    if ((d->bits & ((1u << d->nbits) - 1)) != 0)
        return err_set(e, ERR_INVALID_FIELD, "the base64 ends in stray bits at offset %zu", n);
    return 0;
}

int encode_base64_decode(struct buf *out, const char *s, size_t n, struct err *e) {
    struct decoder d;
    char *to = buf_reserve(out, n / 4 * 3 + n % 4 * 3 / 4);
    size_t i = 0;

    if (to == NULL)
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the base64 holds too many bytes");
    decoder_init(&d);
    while (i < n) {
        unsigned v;

        if (d.nbits == 0)
            i += decode_groups(&d, (const unsigned char *)s + i, n - i, &to);
        if (i == n)
            break;
        if (is_space(s[i])) {
            i++;
            continue;
        }
        v = d.table[(unsigned char)s[i]];
        if (((d.marks | v) & NEITHER) == NEITHER)
            break;
        d.marks |= v & NEITHER;
        d.bits = d.bits << 6 | (v & 63);
        d.nbits += 6;
        if (d.nbits >= 8) {
            d.nbits -= 8;
            *to++ = (char)(d.bits >> d.nbits);
        }
        i++;
    }
    if (decode_end(&d, s, i, n, e) != 0) {
        out->data[out->len] = '\0';
        return -1;
    }
    finish(out, to);
    return 0;
}

/* ---- quoted-printable (RFC 2045 §6.7) ---- */

/* Length of the line end at s: 2 for CRLF, 1 for LF, 0 if there is none. */
static size_t line_end(const char *s, size_t n) {
    if (n >= 1 && s[0] == '\n')
        return 1;
    return n >= 2 && s[0] == '\r' && s[1] == '\n' ? 2 : 0;
}

static bool is_literal(char c) {
    static const bool literal[256] = {['\t'] = true, [' ' ... '<'] = true, ['>' ... '~'] = true};

    return literal[(unsigned char)c];
}

/* The same of eight; no if one of them is a tab. */
static bool are_literal(const char *s) {
    const uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
    uint64_t w;

    memcpy(&w, s, 8);
    return ((w | (w + ones) | (w - ones * ' ') | ((w ^ ones * '=') - ones)) & high) == 0;
}

/* How many bytes from s on, for one line at most, stand for themselves: a blank does not at the end
 * of a line. */
static size_t literal_span(const char *s, size_t n) {
    size_t span = 0, most = n < LINE_COLUMNS ? n : LINE_COLUMNS;

    while (span + 8 <= most && are_literal(s + span))
        span += 8;
    while (span < most && is_literal(s[span]))
        span++;
    if (span > 0 && (s[span - 1] == ' ' || s[span - 1] == '\t') &&
        (span == n || line_end(s + span, n - span) > 0))
        span--;
    return span;
}

/* What quoted-printable makes of a text, or, with `to` NULL, how long that is. */
struct quoting {
    char *to;
    size_t len, col;
};

static void put(struct quoting *q, const void *p, size_t n) {
    if (q->to != NULL)
        memcpy(q->to + q->len, p, n);
    q->len += n;
    q->col += n;
}

static void put_break(struct quoting *q, const char *line_break) {
    put(q, line_break, strlen(line_break));
    q->col = 0;
}

static void put_quoted(struct quoting *q, unsigned char c) {
    put(q, (char[]){'=', capitals[c >> 4], capitals[c & 15]}, 3);
}

/* A soft break takes a column, which the last of a line has for itself. */
static size_t quote_printable(char *to, const char *s, size_t n) {
    struct quoting q = {.to = to};
    size_t eol, span, room, width;
    bool last;

    for (size_t i = 0; i < n;) {
        span = literal_span(s + i, n - i);
        room = q.col < LINE_COLUMNS - 1 ? LINE_COLUMNS - 1 - q.col : 0;
        if (span > 0 && room > 0) {
            span = span < room ? span : room;
            put(&q, s + i, span);
            i += span;
            continue;
        }
        if ((eol = line_end(s + i, n - i)) > 0) {
            put_break(&q, "\r\n");
            i += eol;
            continue;
        }
        width = span > 0 ? 1 : 3;
        last = i + 1 == n || line_end(s + i + 1, n - i - 1) > 0;
        if (q.col + width > LINE_COLUMNS - (last ? 0 : 1))
            put_break(&q, "=\r\n");
        if (span > 0)
            put(&q, s + i, 1);
        else
            put_quoted(&q, (unsigned char)s[i]);
        i++;
    }
    return q.len;
}

size_t encode_quoted_printable_size(const char *s, size_t n) {
    return quote_printable(NULL, s, n);
}

void encode_quoted_printable(struct buf *out, const char *s, size_t n, size_t size) {
    char *to = buf_reserve(out, size);

    if (to != NULL)
        finish(out, to + quote_printable(to, s, n));
}

/* ---- percent (RFC 3986 §2) ---- */

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void encode_percent(struct buf *out, const char *s, size_t n) {
    for (size_t i = 0, span; i < n; i += span) {
        for (span = 0; i + span < n && is_unreserved(s[i + span]);)
            span++;
        buf_add(out, s + i, span);
        if (span > 0)
            continue;
        buf_add(out, (char[]){'%', capitals[(unsigned char)s[i] >> 4], capitals[s[i] & 15]}, 3);
        span = 1;
    }
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int encode_percent_decode(struct buf *out, const char *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int high, low;

        if (s[i] != '%') {
            buf_addc(out, s[i] == '+' ? ' ' : s[i]);
            continue;
        }
        if (n - i < 3 || (high = hex_digit(s[i + 1])) < 0 || (low = hex_digit(s[i + 2])) < 0)
            return -1;
        buf_addc(out, (char)(high << 4 | low));
        i += 2;
    }
    return 0;
}
