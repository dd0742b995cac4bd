/*
 * address.c - mailboxes: a parser by recursive descent, without recursion on the input.
 *
 * Each read_ function starts at the character it is named for and leaves ps->p after what it has
 * read and the white space behind it.  The only file that knows libidn2.
 */
#include "address.h"

#include <idn2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"

enum {
    LOCAL_MAX = 64, /* octets, RFC 5321 §4.5.3.1 */
    SPEC_MAX = 254,
    LABEL_MAX = 63,
    DOMAIN_INPUT_MAX = 4 * SPEC_MAX, /* a character is at least an octet of an A-label */
    QUOTE_MAX = 80                   /* octets of the input that a sentence repeats */
};

struct parser {
    const char *p, *end;
    const char *start; /* of the element being read: what a sentence repeats */
    struct address_list *list;
    struct buf word; /* the last word read, unquoted */
    bool quoted;     /* it was a quoted string */
    struct buf name; /* all words of the phrase, a space between them */
    struct buf local;
    const char *group; /* where the group that is open began, or NULL */
    bool separated;    /* an element may follow here */
    struct err *e;
};

/* ---- sentences ---- */

/* The element at fault up to the comma that ends it, shortened, without control characters. */
static void add_piece(struct buf *out, const struct parser *ps) {
    const char *from = ps->start, *to = ps->p;
    size_t n, len = 0, step;
    uint32_t cp;

    while (to < ps->end && *to != ',' && (*to != ';' || ps->group == NULL))
        to++;
    while (to > from && to[-1] == ' ')
        to--;
    while (from < to && *from == ' ')
        from++;
    n = (size_t)(to - from);
    while (len < n && (step = encode_utf8_char(from + len, n - len, &cp)) > 0) {
        if (len + step > QUOTE_MAX)
            break;
        if (encode_control_at(from + len, step) < step)
            buf_addc(out, '?');
        else
            buf_add(out, from + len, step);
        len += step;
    }
    if (len < n)
        buf_adds(out, "…");
}

static int fail(struct parser *ps, const char *why) {
    struct buf piece;

    buf_init(&piece, QUOTE_MAX + sizeof("…"));
    add_piece(&piece, ps);
    err_set(ps->e, ERR_INVALID_RECIPIENT, "'%s' is not an e-mail address: %s", piece.data, why);
    buf_free(&piece);
    return -1;
}

static int fail_memory(struct err *e) {
    return err_set(e, ERR_INTERNAL_ERROR, "out of memory for e-mail addresses");
}

/* ---- lists ---- */

/* In words, and so in local parts, UTF-8 counts as letters (RFC 6532 §3.2). */
static bool is_word_char(char c) {
    return encode_is_atext(c) || (unsigned char)c >= 0x80;
}

/* Words with one separator between any two: what needs no quotes. */
static bool is_words(const char *s, char separator) {
    for (const char *prev = NULL; *s != '\0'; prev = s++)
        if (!is_word_char(*s) &&
            (*s != separator || prev == NULL || *prev == separator || s[1] == '\0'))
            return false;
    return true;
}

static void add_local(struct buf *out, const char *local) {
    if (is_words(local, '.'))
        buf_adds(out, local);
    else
        encode_quoted(out, local);
}

static int list_reserve(struct address_list *list) {
    size_t cap = 2 * list->cap + 1; /* most have one */
    struct address *v;

    if (list->n == ADDRESS_LIST_MAX)
        return -1;
    if (list->n < list->cap)
        return 0;
    if ((v = realloc(list->v, cap * sizeof(*v))) == NULL)
        return -1;
    list->v = v;
    list->cap = cap;
    return 0;
}

/* The four strings of an address are one block, which begins with the name. */
static int list_push(struct address_list *list, const char *name, const char *local,
                     const char *domain) {
    size_t nname = strlen(name) + 1, nlocal = strlen(local) + 1, ndomain = strlen(domain) + 1;
    struct buf block;
    char *at;

    if (list_reserve(list) != 0)
        return -1;
    buf_init(&block, nname + nlocal + ndomain + 2 * nlocal + 2 + ndomain + 1);
    (void)buf_reserve(&block, nname + 2 * (nlocal + ndomain)); /* unless it has to be quoted */
    buf_add(&block, name, nname);
    buf_add(&block, local, nlocal);
    buf_add(&block, domain, ndomain);
    add_local(&block, local);
    buf_join(&block, "@", domain);
    if ((at = buf_take(&block, NULL)) == NULL) {
        buf_free(&block);
        return -1;
    }
    list->v[list->n++] = (struct address){
        .name = at,
        .local = at + nname,
        .domain = at + nname + nlocal,
        .spec = at + nname + nlocal + ndomain,
    };
    return 0;
}

static void list_truncate(struct address_list *list, size_t n) {
    while (list->n > n)
        free(list->v[--list->n].name);
}

int address_list_add(struct address_list *list, const struct address *from, const char *name) {
    return list_push(list, name != NULL ? name : from->name, from->local, from->domain);
}

void address_list_fini(struct address_list *list) {
    list_truncate(list, 0);
    free(list->v);
    *list = (struct address_list){.n = 0};
}

/* ---- lexical tokens ---- */

static bool at(const struct parser *ps, char c) {
    return ps->p < ps->end && *ps->p == c;
}

/* White space and comments, which may nest. */
static int skip(struct parser *ps) {
    size_t depth = 0;

    for (; ps->p < ps->end; ps->p++) {
        if (*ps->p == '(')
            depth++;
        else if (depth == 0 && *ps->p != ' ')
            return 0;
        else if (*ps->p == ')')
            depth--;
        else if (depth > 0 && *ps->p == '\\' && ps->p + 1 < ps->end)
            ps->p++;
    }
    return depth > 0 ? fail(ps, "a comment is not closed by ')'") : 0;
}

static int read_quoted(struct parser *ps) {
    for (ps->p++; !at(ps, '"'); ps->p++) {
        if (at(ps, '\\'))
            ps->p++;
        if (ps->p >= ps->end)
            return fail(ps, "a quote is not closed");
        buf_addc(&ps->word, *ps->p);
    }
    ps->p++;
    return 0;
}

/* One quoted string, or a run of atoms and dots, which may be empty. */
static int read_word(struct parser *ps) {
    const char *from = ps->p;

    buf_reset(&ps->word);
    ps->quoted = at(ps, '"');
    if (ps->quoted)
        return read_quoted(ps);
    while (ps->p < ps->end && (is_word_char(*ps->p) || *ps->p == '.'))
        ps->p++;
    buf_add(&ps->word, from, (size_t)(ps->p - from));
    return 0;
}

/* Words up to the character that tells what they were. */
static int read_phrase(struct parser *ps, size_t *words) {
    buf_reset(&ps->name);
    buf_reset(&ps->word);
    for (*words = 0;; ++*words) {
        if (skip(ps) != 0)
            return -1;
        if (ps->p == ps->end || strchr("<@:,;", *ps->p) != NULL)
            return 0;
        if (*ps->p != '"' && *ps->p != '.' && !is_word_char(*ps->p)) {
            ps->p++;
            return fail(ps, "it has a special character outside quotes");
        }
        if (read_word(ps) != 0)
            return -1;
        if (*words > 0)
            buf_addc(&ps->name, ' ');
        buf_add(&ps->name, ps->word.data, ps->word.len);
    }
}

/* ---- grammar (RFC 5322 §3.4) ---- */

static bool is_label(const char *s, size_t n) {
    size_t i = 0;

    while (i < n && ((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '-'))
        i++;
    return i == n;
}

static int check_labels(struct parser *ps, const char *domain) {
    for (const char *label = domain;; label++) {
        size_t n = strcspn(label, ".");

        if (n == 0)
            return fail(ps, "the domain has a dot too many");
        if (n > LABEL_MAX)
            return fail(ps, "a label of the domain is longer than 63 characters");
        if (!is_label(label, n))
            return fail(ps, "a domain has only letters, digits and hyphens");
        if (label[0] == '-' || label[n - 1] == '-')
            return fail(ps, "a label of the domain begins or ends with a hyphen");
        label += n;
        if (*label == '\0')
            return 0;
    }
}

/* Only what is not ASCII goes through IDNA, which refuses names in use ("r3---sn.example"). */
static bool needs_idna(const char *domain) {
    for (const char *s = domain; *s != '\0'; s++)
        if ((unsigned char)*s >= 0x80)
            return true;
    return strstr(domain, "xn--") != NULL;
}

/* ps->word, a domain as people write it, becomes lower-case A-labels (IDNA 2008). */
static int domain_to_ascii(struct parser *ps) {
    struct buf *domain = &ps->word;
    uint8_t *ascii = NULL;
    int rc;

    for (size_t i = 0; i < domain->len; i++)
        if (domain->data[i] >= 'A' && domain->data[i] <= 'Z')
            domain->data[i] = (char)(domain->data[i] - 'A' + 'a');
    if (needs_idna(domain->data)) {
        rc = idn2_lookup_u8((const uint8_t *)domain->data, &ascii,
                            IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
        if (rc == IDN2_MALLOC)
            return fail_memory(ps->e);
        if (rc != IDN2_OK)
            return fail(ps, "the domain is not a valid internationalized name");
        buf_reset(domain);
        buf_adds(domain, (const char *)ascii);
        idn2_free(ascii);
    }
    return check_labels(ps, domain->data);
}

/* From the @ on: the local part is ps->word and stays in ps->local, the domain is put there. */
static int read_domain(struct parser *ps) {
    if (ps->word.len == 0)
        return fail(ps, "nothing stands before the @");
    if (!ps->quoted && !is_words(ps->word.data, '.'))
        return fail(ps, "the part before the @ has a dot too many");
    buf_reset(&ps->local);
    buf_add(&ps->local, ps->word.data, ps->word.len);
    ps->p++;
    if (skip(ps) != 0)
        return -1;
    if (at(ps, '['))
        return fail(ps, "an address literal is not accepted, only a domain name");
    if (read_word(ps) != 0)
        return -1;
    if (ps->quoted || ps->word.len == 0)
        return fail(ps, "the domain is missing");
    if (ps->word.len > DOMAIN_INPUT_MAX)
        return fail(ps, "the domain is too long");
    return domain_to_ascii(ps) != 0 ? -1 : skip(ps);
}

static int add_mailbox(struct parser *ps, const char *name) {
    const struct address *a;

    if (ps->list->n == ADDRESS_LIST_MAX)
        return err_set(ps->e, ERR_INVALID_RECIPIENT, "there are more than %d e-mail addresses",
                       ADDRESS_LIST_MAX);
    if (buf_failed(&ps->name) || buf_failed(&ps->local) || buf_failed(&ps->word) ||
        list_push(ps->list, name, ps->local.data, ps->word.data) != 0)
        return fail_memory(ps->e);
    a = &ps->list->v[ps->list->n - 1];
    if (strlen(a->spec) - strlen(a->domain) - 1 > LOCAL_MAX)
        return fail(ps, "the part before the @ is longer than 64 octets");
    if (strlen(a->spec) > SPEC_MAX)
        return fail(ps, "it is longer than 254 octets");
    return 0;
}

/* From the < on, after the name. */
static int read_angle(struct parser *ps) {
    ps->p++;
    if (skip(ps) != 0 || read_word(ps) != 0 || skip(ps) != 0)
        return -1;
    if (ps->p == ps->end || at(ps, '>') || at(ps, ','))
        return fail(ps, "the @ is missing");
    if (!at(ps, '@'))
        return fail(ps, "the part before the @ needs quotes");
    if (read_domain(ps) != 0)
        return -1;
    if (!at(ps, '>'))
        return fail(ps, "the '>' is missing");
    ps->p++;
    return skip(ps) != 0 ? -1 : add_mailbox(ps, ps->name.data);
}

/* A mailbox, or the name that opens a group. */
static int read_element(struct parser *ps) {
    size_t words;

    ps->start = ps->p;
    if (read_phrase(ps, &words) != 0)
        return -1;
    if (at(ps, '<'))
        return read_angle(ps);
    if (at(ps, ':') && ps->group == NULL && words > 0) {
        ps->p++;
        ps->group = ps->start;
        ps->separated = true;
        return 0;
    }
    if (!at(ps, '@'))
        return fail(ps, "the @ is missing");
    if (words > 1)
        return fail(ps, "an address after a name needs < and >");
    return read_domain(ps) != 0 ? -1 : add_mailbox(ps, "");
}

static int read_list(struct parser *ps) {
    for (;;) {
        if (skip(ps) != 0)
            return -1;
        if (ps->p == ps->end)
            break;
        if (at(ps, ',')) {
            ps->separated = true;
            ps->p++;
        } else if (at(ps, ';') && ps->group != NULL) {
            ps->group = NULL;
            ps->separated = false;
            ps->p++;
        } else if (!ps->separated) {
            return fail(ps, "only a comma may follow an address");
        } else {
            ps->separated = false;
            if (read_element(ps) != 0)
                return -1;
        }
    }
    if (ps->group == NULL)
        return 0;
    ps->start = ps->group;
    return fail(ps, "the group is not closed by ';'");
}

/* Point the parser at a character that no address may have. */
static int fail_control(struct parser *ps, size_t offset) {
    ps->p += offset;
    for (const char *s = ps->start; s < ps->p; s++)
        if (*s == ',')
            ps->start = s + 1;
    return fail(ps, "it has a control character");
}

int address_parse(struct address_list *list, const char *s, size_t n, struct err *e) {
    struct parser ps = {.p = s, .end = s + n, .start = s, .list = list, .separated = true, .e = e};
    size_t before = list->n, offset;
    int rc;

    if ((offset = encode_utf8_error(s, n)) < n)
        return err_set(e, ERR_INVALID_RECIPIENT, "the addresses are not UTF-8 (byte %zu)", offset);
    if ((offset = encode_control_at(s, n)) < n)
        return fail_control(&ps, offset);
    buf_init(&ps.word, n + SPEC_MAX); /* no longer than the input, but for an A-label */
    buf_init(&ps.name, n);
    buf_init(&ps.local, n);
    if ((rc = read_list(&ps)) != 0)
        list_truncate(list, before);
    buf_free(&ps.word);
    buf_free(&ps.name);
    buf_free(&ps.local);
    return rc;
}

/* ---- writing ---- */

void address_header(struct buf *out, const char *name, const struct address_list *list) {
    size_t col = strlen(name) + 1;

    if (list->n == 0)
        return;
    buf_join(out, name, ":");
    for (size_t i = 0; i < list->n; i++) {
        const struct address *a = &list->v[i];
        bool named = a->name[0] != '\0', last = i + 1 == list->n;

        if (named) {
            encode_phrase(out, &col, a->name);
            encode_token(out, &col, "<", a->spec, last ? ">" : ">,");
        } else {
            encode_token(out, &col, "", a->spec, last ? "" : ",");
        }
    }
    buf_adds(out, "\r\n");
}

void address_format(struct buf *out, const struct address *a) {
    if (a->name[0] == '\0') {
        buf_adds(out, a->spec);
        return;
    }
    if (is_words(a->name, ' '))
        buf_adds(out, a->name);
    else
        encode_quoted(out, a->name);
    buf_join(out, " <", a->spec, ">");
}
