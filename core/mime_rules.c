#include "mime_rules.h"

#include <string.h>

#include "encode.h"

#define DATE_MAX INT64_C(253402300799) /* the end of the year 9999 */

int mime_check_line(const char *s, const char *field, struct err *e) {
    size_t n = strlen(s);

    if (encode_utf8_error(s, n) < n)
        return err_set_field(e, ERR_INVALID_FIELD, field, "%s: this is not valid UTF-8", field);
    if (encode_control_at(s, n) < n)
        return err_set_field(e, ERR_INVALID_FIELD, field,
                             "%s: line ends and control characters are not allowed", field);
    return 0;
}

static int check_mailboxes(const struct address_list *list, const char *field, struct err *e) {
    for (size_t i = 0; i < list->n; i++)
        if (mime_check_line(list->v[i].name, field, e) != 0 ||
            mime_check_line(list->v[i].spec, field, e) != 0)
            return -1;
    return 0;
}

bool mime_is_id(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~' || s[i] == '<' || s[i] == '>')
            return false;
    return n > 0 && n <= MIME_ID_MAX;
}

bool mime_is_message_id(const char *s, size_t n) {
    const char *at = memchr(s, '@', n);

    return mime_is_id(s, n) && at != NULL && at != s && at != s + n - 1;
}

static int check_message_id(const char *s, const char *field, struct err *e) {
    if (mime_is_message_id(s, strlen(s)))
        return 0;
    return err_set_field(e, ERR_INVALID_FIELD, field,
                         "%s: this is not a message id (local@domain, without <>)", field);
}

const char *mime_next_reference(const char **rest, char token[MIME_TOKEN_SIZE]) {
    const char *s = *rest + strspn(*rest, " ");
    size_t n = strcspn(s, " ");

    *rest = s;
    if (n < 2 || s[0] != '<' || s[n - 1] != '>' || !mime_is_message_id(s + 1, n - 2))
        return NULL;
    *rest = s + n;
    memcpy(token, s, n);
    token[n] = '\0';
    return token;
}

static int check_references(const char *s, const char *field, struct err *e) {
    char token[MIME_TOKEN_SIZE];
    size_t count = 0;

    while (mime_next_reference(&s, token) != NULL)
        count++;
    if (count > 0 && *s == '\0')
        return 0;
    return err_set_field(e, ERR_INVALID_FIELD, field,
                         "%s: these are not message ids in <>, separated by spaces", field);
}

static int check_body(const char *s, size_t n, const char *field, struct err *e) {
    size_t bad;

    if (s == NULL)
        return 0;
    if ((bad = encode_utf8_error(s, n)) < n)
        return err_set_field(e, ERR_INVALID_FIELD, field,
                             "%s: this is not valid UTF-8, from byte %zu on", field, bad);
    if (memchr(s, '\0', n) != NULL)
        return err_set_field(e, ERR_INVALID_FIELD, field, "%s: a NUL character is not text", field);
    return 0;
}

int mime_check_message(const struct mime_message *m, struct err *e) {
    if (m->from.n != 1)
        return err_set_field(e, ERR_INVALID_FIELD, "from", "from: a message has one sender");
    if (m->date > DATE_MAX)
        return err_set_field(e, ERR_INVALID_FIELD, "date", "date: this is after the year 9999");
    if (check_mailboxes(&m->from, "from", e) != 0 || check_mailboxes(&m->to, "to", e) != 0 ||
        check_mailboxes(&m->cc, "cc", e) != 0 || check_mailboxes(&m->bcc, "bcc", e) != 0 ||
        check_mailboxes(&m->reply_to, "reply_to", e) != 0 ||
        mime_check_line(m->subject, "subject", e) != 0)
        return -1;
    if ((m->message_id != NULL && check_message_id(m->message_id, "message_id", e) != 0) ||
        (m->in_reply_to != NULL && check_message_id(m->in_reply_to, "in_reply_to", e) != 0) ||
        (m->references != NULL && check_references(m->references, "references", e) != 0) ||
        (m->paraph_id != NULL && mime_check_line(m->paraph_id, "paraph_id", e) != 0))
        return -1;
    if (check_body(m->text, m->text_len, "text", e) != 0 ||
        check_body(m->html, m->html_len, "html", e) != 0)
        return -1;
    return 0;
}
