/*
 * fuzz_mime.c - whatever is built is one message with our header fields and as many parts as were
 * put in, whoever wrote what is in it; and it is the same when it is built again.
 *
 * The input's fields are separated by bytes FF; "-" is an absent one.
 */
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "mime.h"

#define CEILING (16 * MIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok) {
    if (!ok)
        abort();
}

enum field {
    TO,
    SUBJECT,
    MESSAGE_ID,
    REFERENCES,
    SEED,
    TEXT,
    HTML,
    FILENAME,
    CONTENT_TYPE,
    CONTENT_ID,
    CONTENT,
    FIELDS
};

struct field_value {
    char *s; /* NULL: absent */
    size_t n;
};

static void split(struct field_value *fields, const char *s, size_t n) {
    for (size_t i = 0; i < FIELDS; i++) {
        const char *end = memchr(s, 0xFF, n);
        size_t len = end != NULL ? (size_t)(end - s) : n;

        fields[i] = (struct field_value){.n = len};
        if (len != 1 || s[0] != '-') {
            check((fields[i].s = malloc(len + 1)) != NULL);
            memcpy(fields[i].s, s, len);
            fields[i].s[len] = '\0';
        }
        s += end != NULL ? len + 1 : len;
        n -= end != NULL ? len + 1 : len;
    }
}

static bool is_ours(const char *line) {
    static const char *const names[] = {"From: ",
                                        "To:",
                                        "Subject:",
                                        "In-Reply-To:",
                                        "References:",
                                        "X-Paraph-Id:",
                                        "MIME-Version: ",
                                        "Content-Type: ",
                                        "Content-Transfer-Encoding: ",
                                        " "};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (strncmp(line, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static void check_lines(const struct buf *out, size_t stable) {
    size_t start = 0, subjects = 0;
    bool header = true;

    check(encode_utf8_error(out->data, out->len) == out->len);
    for (size_t i = 0; i < out->len; i++) {
        check(out->data[i] != '\0');
        check(out->data[i] != '\n' || (i > 0 && out->data[i - 1] == '\r'));
        check(out->data[i] != '\r' || (i + 1 < out->len && out->data[i + 1] == '\n'));
        if (out->data[i] != '\n')
            continue;
        check(i - 1 - start <= 998);
        header = header && i - 1 > start;
        if (header && start < stable)
            check(strncmp(out->data + start, "Message-ID:", 11) == 0 || out->data[start] == ' ');
        else if (header)
            check(is_ours(out->data + start));
        subjects += header && strncmp(out->data + start, "Subject:", 8) == 0;
        start = i + 1;
    }
    check(start == out->len && subjects == 1);
}

static size_t count(const struct buf *out, const char *what) {
    size_t n = 0;

    for (const char *s = out->data; (s = strstr(s, what)) != NULL; s += strlen(what))
        n++;
    return n;
}

/* Each multipart is as many delimiters as it has parts, and the one that ends it. */
static void check_structure(const struct buf *out, const struct mime_message *m) {
    size_t alternative = m->text != NULL && m->html != NULL ? 3 : 0;
    size_t related = 0, mixed = 0;

    if (m->nparts > 0 && m->html != NULL && m->parts[0].content_id != NULL)
        related = 2 + m->nparts;
    else if (m->nparts > 0)
        mixed = 2 + m->nparts;
    check(count(out, "\r\n--=_alternative_") == alternative);
    check(count(out, "\r\n--=_related_") == related);
    check(count(out, "\r\n--=_mixed_") == mixed);
}

static void build(const struct mime_message *m) {
    struct buf out, again;
    struct err e = {.code = ERR_NONE};
    size_t stable, same;

    buf_init(&out, CEILING);
    buf_init(&again, CEILING);
    if (mime_build(&out, m, &stable, &e) == 0) {
        check_lines(&out, stable);
        check_structure(&out, m);
        check(mime_build(&again, m, &same, &e) == 0 && same == stable);
        check(again.len == out.len && memcmp(again.data, out.data, out.len) == 0);
        check(mime_check(m, CEILING, &e) == 0 && mime_check(m, out.len, &e) == 0);
        check(mime_check(m, out.len - 1, &e) != 0 && e.code == ERR_PAYLOAD_TOO_LARGE);
    } else {
        check(mime_check(m, CEILING, &e) != 0);
        check(e.code == ERR_INVALID_FIELD && e.field[0] != '\0' && e.message[0] != '\0');
    }
    buf_free(&out);
    buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct field_value f[FIELDS];
    struct mime_part parts[2] = {{.filename = NULL}};
    struct mime_message m = {.date = -1};

    split(f, (const char *)data, size);
    check(address_parse(&m.from, "me@example.org", strlen("me@example.org"), NULL) == 0);
    if (f[TO].s != NULL)
        (void)address_parse(&m.to, f[TO].s, f[TO].n, NULL);
    m.subject = f[SUBJECT].s != NULL ? f[SUBJECT].s : "";
    m.message_id = m.in_reply_to = f[MESSAGE_ID].s;
    m.references = f[REFERENCES].s;
    m.seed = m.paraph_id = f[SEED].s != NULL ? f[SEED].s : "";
    m.text = f[TEXT].s;
    m.text_len = f[TEXT].n;
    m.html = f[HTML].s;
    m.html_len = f[HTML].n;
    parts[0] = (struct mime_part){.filename = f[FILENAME].s,
                                  .content_type = f[CONTENT_TYPE].s,
                                  .content_id = f[CONTENT_ID].s,
                                  .data = f[CONTENT].s,
                                  .len = f[CONTENT].n};
    parts[1] = parts[0];
    m.parts = parts;
    m.nparts = f[CONTENT].s != NULL ? 2 : 0;
    build(&m);
    address_list_fini(&m.from);
    address_list_fini(&m.to);
    for (size_t i = 0; i < FIELDS; i++)
        free(f[i].s);
    return 0;
}
