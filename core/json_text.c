#include "json_text.h"

#include <errno.h>
#include <float.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

struct reader {
    const char *text, *p, *end;
    unsigned depth, max_depth;
    size_t values;
    struct buf scratch; /* the string that is being read, if it has escapes */
    struct err *e;
};

static json_t *read_value(struct reader *r, const struct json_text_path *path);

static void *out_of_memory(struct reader *r) {
    err_set(r->e, ERR_INTERNAL_ERROR, "not enough memory for the JSON document");
    return NULL;
}

PRINTF_LIKE(3, 4)
static void *malformed(struct reader *r, const char *at, const char *fmt, ...) {
    const char *line = r->text, *feed;
    size_t lines = 1, column = 1;
    char what[160];
    va_list ap;

    for (; (feed = memchr(line, '\n', (size_t)(at - line))) != NULL; line = feed + 1)
        lines++;
    for (; line < at; line++)
        column += ((unsigned char)*line & 0xC0) != 0x80;
    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    err_set(r->e, ERR_MALFORMED_JSON, "malformed JSON at line %zu, column %zu: %s", lines, column,
            what);
    return NULL;
}

/* The next character that is no white space, left at p; -1 at the end. */
static int skip_space(struct reader *r) {
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
    return r->p < r->end ? (unsigned char)*r->p : -1;
}

static void add_utf8(struct buf *out, unsigned cp) {
    char c[4] = {(char)(0xF0 | cp >> 18), (char)(0x80 | (cp >> 12 & 0x3F)),
                 (char)(0x80 | (cp >> 6 & 0x3F)), (char)(0x80 | (cp & 0x3F))};

    if (cp < 0x80) {
        buf_addc(out, (char)cp);
    } else if (cp < 0x800) {
        c[2] = (char)(0xC0 | cp >> 6);
        buf_add(out, c + 2, 2);
    } else if (cp < 0x10000) {
        c[1] = (char)(0xE0 | cp >> 12);
        buf_add(out, c + 1, 3);
    } else {
        buf_add(out, c, 4);
    }
}

/* The code unit of "\uXXXX" at p, or -1. */
static int code_unit(const char *p, const char *end) {
    int unit = 0;

    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int c = p[i] | 0x20;

        if (p[i] >= '0' && p[i] <= '9')
            unit = unit * 16 + p[i] - '0';
        else if (c >= 'a' && c <= 'f')
            unit = unit * 16 + c - 'a' + 10;
        else
            return -1;
    }
    return unit;
}

/* Add what the escape at p stands for to scratch; the place after it, or NULL. */
static const char *read_escape(struct reader *r, const char *p) {
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    const char *letter = p + 1 < r->end && p[1] != '\0' ? strchr(letters, p[1]) : NULL;
    int unit, low;

    if (letter != NULL) {
        buf_addc(&r->scratch, bytes[letter - letters]);
        return p + 2;
    }
    if ((unit = code_unit(p, r->end)) < 0)
        return malformed(r, p, "this is no escape that JSON knows");
    if (unit < 0xD800 || unit > 0xDFFF) {
        add_utf8(&r->scratch, (unsigned)unit);
        return p + 6;
    }
    low = code_unit(p + 6, r->end);
    if (unit > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return malformed(r, p, "half of a surrogate pair stands alone");
    add_utf8(&r->scratch, 0x10000 + ((unsigned)unit - 0xD800) * 0x400 + (unsigned)low - 0xDC00);
    return p + 12;
}

/* The string at p: *len bytes of the document itself, or of scratch if it has escapes. */
static const char *read_text(struct reader *r, size_t *len) {
    const char *start = r->p + 1, *from = start, *p = start;
    bool ascii = true;
    size_t n;

    buf_reset(&r->scratch);
    for (;;) {
        p += json_text_plain_span(p, (size_t)(r->end - p));
        if (p == r->end)
            return malformed(r, p, "the text ends inside a string");
        if (*p == '"')
            break;
        if (*p == '\\') {
            buf_add(&r->scratch, from, (size_t)(p - from));
            if ((p = read_escape(r, p)) == NULL)
                return NULL;
            from = p;
        } else if ((unsigned char)*p < ' ') {
            return malformed(r, p, "a control character in a string must be escaped");
        } else {
            ascii = false;
            p++;
        }
    }
    n = (size_t)(p - start);
    r->p = p + 1;
    if (!ascii && encode_utf8_error(start, n) < n)
        return malformed(r, start + encode_utf8_error(start, n), "this is not UTF-8");
    *len = n;
    if (from == start)
        return start;
    buf_add(&r->scratch, from, (size_t)(p - from));
    *len = r->scratch.len;
    return buf_failed(&r->scratch) ? out_of_memory(r) : r->scratch.data;
}

static json_t *read_string(struct reader *r) {
    size_t n = 0;
    const char *text = read_text(r, &n);
    json_t *string = text == NULL ? NULL : json_stringn_nocheck(text, n);

    return string != NULL || text == NULL ? string : out_of_memory(r);
}

static bool integer_value(const char *s, size_t n, json_int_t *out) {
    char literal[24];

    if (n >= sizeof(literal))
        return false;
    memcpy(literal, s, n);
    literal[n] = '\0';
    errno = 0;
    *out = strtoll(literal, NULL, 10);
    return errno == 0;
}

/* A literal is carried exactly if its digits come back when the double is printed with as many.
 * So spell it as printf would, leading and trailing zeros aside, and compare. */
static bool real_value(const char *s, size_t n, double *out) {
    char digits[DBL_DECIMAL_DIG + 1] = "", want[64], got[64];
    const char *end = s + n;
    size_t count = 0, zeros = 0;
    long exponent = 0, before_point = 0;
    bool negative = *s == '-', point = false, small;

    for (s += negative; s < end && (*s | 0x20) != 'e'; s++) {
        if (*s == '.') {
            point = true;
        } else if (count == 0 && *s == '0') {
            before_point -= point;
        } else {
            before_point += !point;
            if (*s == '0') {
                zeros++;
                continue;
            }
            if (count + zeros >= DBL_DECIMAL_DIG)
                return false;
            for (; zeros > 0; zeros--)
                digits[count++] = '0';
            digits[count++] = *s;
        }
    }
    if (count == 0) {
        *out = negative ? -0.0 : 0.0;
        return true;
    }
    small = s + 1 < end && s[1] == '-';
    for (; s < end; s++)
        if (*s >= '0' && *s <= '9' && exponent < 1000000000)
            exponent = exponent * 10 + *s - '0';
    exponent = (small ? -exponent : exponent) + before_point - 1;
    snprintf(want, sizeof(want), "%s%c%s%se%c%02ld", negative ? "-" : "", digits[0],
             count > 1 ? "." : "", digits + 1, exponent < 0 ? '-' : '+', labs(exponent));
    *out = strtod(want, NULL);
    snprintf(got, sizeof(got), "%.*e", (int)count - 1, *out);
    return strcmp(want, got) == 0;
}

/* Skip digits; false if there is none. */
static bool skip_digits(struct reader *r) {
    const char *start = r->p;

    while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
        r->p++;
    return r->p > start;
}

static json_t *read_number(struct reader *r, const struct json_text_path *path) {
    const char *start = r->p;
    bool real = false, exact;
    json_int_t integer;
    double value;
    json_t *number;
    size_t n;

    r->p += *r->p == '-';
    if (r->p < r->end && *r->p == '0')
        r->p++;
    else if (!skip_digits(r))
        return malformed(r, r->p, "a digit was expected");
    if (r->p < r->end && *r->p == '.') {
        real = true;
        r->p++;
        if (!skip_digits(r))
            return malformed(r, r->p, "a digit was expected after the point");
    }
    if (r->p < r->end && (*r->p | 0x20) == 'e') {
        real = true;
        r->p++;
        r->p += r->p < r->end && (*r->p == '+' || *r->p == '-');
        if (!skip_digits(r))
            return malformed(r, r->p, "a digit was expected in the exponent");
    }
    n = (size_t)(r->p - start);
    exact = real ? real_value(start, n, &value) : integer_value(start, n, &integer);
    if (!exact) {
        json_text_err(r->e, path, "the number %.*s%s cannot be carried exactly; %s",
                      n > 24 ? 24 : (int)n, start, n > 24 ? "…" : "", "send it as a string");
        return NULL;
    }
    number = real ? json_real(value) : json_integer(integer);
    return number != NULL ? number : out_of_memory(r);
}

static json_t *read_word(struct reader *r, const char *word, json_t *value) {
    size_t n = strlen(word);

    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return malformed(r, r->p, "a value was expected");
    r->p += n;
    return value;
}

static json_t *read_array(struct reader *r, const struct json_text_path *up) {
    struct json_text_path path = {.up = up};
    json_t *array = json_array(), *value;
    int c;

    if (array == NULL)
        return out_of_memory(r);
    r->p++;
    if (skip_space(r) == ']') {
        r->p++;
        return array;
    }
    for (;; path.index++) {
        skip_space(r);
        if ((value = read_value(r, &path)) == NULL)
            goto fail;
        if (json_array_append_new(array, value) != 0) {
            out_of_memory(r);
            goto fail;
        }
        if ((c = skip_space(r)) != ',' && c != ']') {
            malformed(r, r->p, "',' or ']' was expected");
            goto fail;
        }
        r->p++;
        if (c == ']')
            return array;
    }
fail:
    json_decref(array);
    return NULL;
}

/* One member, from its name on, into object. */
static int read_member(struct reader *r, const struct json_text_path *up, json_t *object) {
    struct json_text_path path = {.up = up};
    const char *start = r->p;
    char *unescaped = NULL;
    json_t *value = NULL;

    if (start == r->end || *start != '"') {
        malformed(r, start, "a name in double quotes was expected");
        return -1;
    }
    if ((path.name = read_text(r, &path.len)) == NULL)
        return -1;
    if (path.name == r->scratch.data) /* which what is inside may need */
        path.name = unescaped = buf_take(&r->scratch, NULL);
    if (memchr(path.name, '\0', path.len) != NULL) {
        malformed(r, start, "a name cannot contain \\u0000");
    } else if (json_object_getn(object, path.name, path.len) != NULL) {
        malformed(r, start, "this name is there already");
    } else if (skip_space(r) != ':') {
        malformed(r, r->p, "':' was expected");
    } else {
        r->p++;
        skip_space(r);
        value = read_value(r, &path);
    }
    if (value != NULL && json_object_setn_new_nocheck(object, path.name, path.len, value) != 0)
        value = out_of_memory(r);
    free(unescaped);
    return value != NULL ? 0 : -1;
}

static json_t *read_object(struct reader *r, const struct json_text_path *path) {
    json_t *object = json_object();
    int c;

    if (object == NULL)
        return out_of_memory(r);
    r->p++;
    if (skip_space(r) == '}') {
        r->p++;
        return object;
    }
    for (;;) {
        skip_space(r);
        if (read_member(r, path, object) != 0)
            goto fail;
        if ((c = skip_space(r)) != ',' && c != '}') {
            malformed(r, r->p, "',' or '}' was expected");
            goto fail;
        }
        r->p++;
        if (c == '}')
            return object;
    }
fail:
    json_decref(object);
    return NULL;
}

/* The value that begins at p. */
static json_t *read_value(struct reader *r, const struct json_text_path *path) {
    int c = r->p < r->end ? (unsigned char)*r->p : -1;
    json_t *value;

    if (++r->values > JSON_TEXT_VALUES_MAX) {
        err_set(r->e, ERR_PAYLOAD_TOO_LARGE, "the JSON document has more than %d values",
                JSON_TEXT_VALUES_MAX);
        return NULL;
    }
    switch (c) {
    case '{':
    case '[':
        if (r->depth == r->max_depth)
            return malformed(r, r->p, "it is nested deeper than %u levels", r->max_depth);
        r->depth++;
        value = c == '{' ? read_object(r, path) : read_array(r, path);
        r->depth--;
        return value;
    case '"':
        return read_string(r);
    case 't':
        return read_word(r, "true", json_true());
    case 'f':
        return read_word(r, "false", json_false());
    case 'n':
        return read_word(r, "null", json_null());
    case -1:
        return malformed(r, r->p, "the text ends where a value was expected");
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number(r, path);
        return malformed(r, r->p, "a value was expected");
    }
}

json_t *json_text_parse(const char *text, size_t len, unsigned max_depth, struct err *e) {
    struct reader r = {.max_depth = max_depth, .e = e};
    json_t *value;

    if (max_depth > JSON_TEXT_DEPTH_MAX)
        r.max_depth = JSON_TEXT_DEPTH_MAX;
    r.text = r.p = text != NULL ? text : ""; /* an empty blob may have no bytes */
    r.end = r.text + len;
    buf_init(&r.scratch, len);
    skip_space(&r);
    value = read_value(&r, NULL);
    if (value != NULL && skip_space(&r) != -1) {
        json_decref(value);
        value = malformed(&r, r.p, "nothing may follow after the value");
    }
    buf_free(&r.scratch);
    return value;
}

static void add_path(struct buf *out, const struct json_text_path *path) {
    size_t n;

    if (path == NULL)
        return;
    add_path(out, path->up);
    if (path->name == NULL) {
        buf_addf(out, "[%zu]", path->index);
        return;
    }
    if (out->len > 0)
        buf_addc(out, '.');
    n = path->len;
    if (encode_control_at(path->name, n) < n) {
        buf_addc(out, '?');
    } else if (n <= 40) {
        buf_add(out, path->name, n);
    } else {
        for (n = 40; ((unsigned char)path->name[n] & 0xC0) == 0x80;)
            n--;
        buf_add(out, path->name, n);
        buf_adds(out, "…");
    }
}

int json_text_err(struct err *e, const struct json_text_path *path, const char *fmt, ...) {
    char field[sizeof(e->field)], what[sizeof(e->message)];
    struct buf out;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    buf_init(&out, sizeof(field) - sizeof("…"));
    add_path(&out, path);
    snprintf(field, sizeof(field), "%s%s", out.data, buf_failed(&out) ? "…" : "");
    buf_free(&out);
    return err_set_field(e, ERR_INVALID_FIELD, field, "%s%s%s", field, *field != '\0' ? ": " : "",
                         what);
}
