#include "scratch_mail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "crypto.h"
#include "outbox.h"

#define SIGNATURE "<b>Ann Example</b><br>Example Ltd."

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
}

static void copy_text(char *to, size_t size, const char *text) {
    snprintf(to, size, "%s", text != NULL ? text : "");
}

/* --- letters --------------------------------------------------------------------------------- */

static void letter_free(struct scratch_letter *l) {
    blob_unref(l->message);
    free(l->recipients);
    free(l);
}

static void append(struct scratch_mailbox *m, struct scratch_letter *l) {
    l->next = NULL;
    *m->end = l;
    m->end = &l->next;
}

static void take_out(struct scratch_mailbox *m, struct scratch_letter *l) {
    struct scratch_letter **at = &m->first;

    while (*at != l)
        at = &(*at)->next;
    if ((*at = l->next) == NULL)
        m->end = at;
}

static char *join_recipients(const struct mail_request *rq) {
    struct buf lines;
    char *text;

    buf_init(&lines, MIB);
    for (size_t i = 0; i < rq->nrecipients; i++) {
        buf_adds(&lines, rq->recipients[i]);
        buf_addc(&lines, '\n');
    }
    text = buf_take(&lines, NULL);
    buf_free(&lines);
    return text;
}

/* Ids are like those of the outbox. */
static int name_letter(struct scratch_letter *l, const struct mail_request *rq, struct err *e) {
    char fresh[CRYPTO_UUID_SIZE], key[CRYPTO_UUID_SIZE];

    crypto_uuid4(fresh);
    copy_text(l->id, sizeof(l->id), fresh);
    copy_text(l->key, sizeof(l->key), rq->key);
    copy_text(l->thread_id, sizeof(l->thread_id), rq->thread_id != NULL ? rq->thread_id : fresh);
    if (rq->verb == MAIL_SEND)
        return 0;
    if (outbox_key(key, rq->key, e) != 0)
        return -1;
    snprintf(l->id, sizeof(l->id), "%s.%s", key, fresh);
    copy_text(l->draft_id, sizeof(l->draft_id), l->id);
    if (rq->thread_id == NULL)
        copy_text(l->thread_id, sizeof(l->thread_id), rq->key);
    return 0;
}

static struct scratch_letter *letter_new(const struct mail_request *rq, struct err *e) {
    struct scratch_letter *l = calloc(1, sizeof(*l));

    if (l == NULL || (l->recipients = join_recipients(rq)) == NULL) {
        free(l);
        out_of_memory(e);
        return NULL;
    }
    copy_text(l->mailbox, sizeof(l->mailbox), rq->sender);
    l->message = blob_ref(rq->message);
    l->sent = rq->verb == MAIL_SEND;
    if (name_letter(l, rq, e) == 0)
        return l;
    letter_free(l);
    return NULL;
}

static void free_letters(struct scratch_letter *l) {
    struct scratch_letter *next;

    for (; l != NULL; l = next) {
        next = l->next;
        letter_free(l);
    }
}

static struct scratch_letter *find_draft(const struct scratch_mailbox *m, const char *id) {
    struct scratch_letter *l = m->first;

    while (l != NULL && (l->sent || strcmp(l->id, id) != 0))
        l = l->next;
    return l;
}

void scratch_mailbox_init(struct scratch_mailbox *m) {
    *m = (struct scratch_mailbox){.first = NULL, .end = &m->first};
}

void scratch_mailbox_clear(struct scratch_mailbox *m) {
    free_letters(m->first);
    free_letters(m->deleted);
    scratch_mailbox_init(m);
}

static bool is_among(const struct scratch_letter *l, const struct mail_request *rq) {
    while (l != NULL && (rq->draft_id != NULL ? strcmp(l->draft_id, rq->draft_id)
                                              : strcasecmp(l->key, rq->key)) != 0)
        l = l->next;
    return l != NULL;
}

bool scratch_mailbox_knows(const struct scratch_mailbox *m, const struct mail_request *rq) {
    return is_among(m->first, rq) || is_among(m->deleted, rq);
}

/* --- verbs ----------------------------------------------------------------------------------- */

static void report(const struct scratch_letter *l, struct mail_reply *reply) {
    copy_text(reply->id, sizeof(reply->id), l->id);
    copy_text(reply->thread_id, sizeof(reply->thread_id), l->thread_id);
    copy_text(reply->mailbox, sizeof(reply->mailbox), l->mailbox);
}

static void add(struct scratch_mailbox *m, const struct mail_request *rq,
                struct mail_reply *reply) {
    struct scratch_letter *l = letter_new(rq, &reply->err);

    if (l == NULL)
        return;
    append(m, l);
    report(l, reply);
}

static void send_draft(struct scratch_mailbox *m, struct scratch_letter *l,
                       struct mail_reply *reply) {
    if (l == NULL) {
        err_set(&reply->err, ERR_NOT_FOUND, "there is no such draft in the mailbox");
        return;
    }
    take_out(m, l);
    l->sent = true;
    (void)outbox_draft_key(l->id, l->draft_id, NULL);
    append(m, l);
    report(l, reply);
}

/* What became of a draft.  Of one that was taken away nothing is known, as in the outbox. */
static void look_for_sent(const struct scratch_mailbox *m, const char *draft_id,
                          struct mail_reply *reply) {
    for (const struct scratch_letter *l = m->first; l != NULL; l = l->next)
        if (l->sent && strcmp(l->draft_id, draft_id) == 0) {
            reply->fate = MAIL_FATE_SENT;
            report(l, reply);
        }
}

/* DRAFT_SEND, _GET, _DELETE */
static void treat_draft(struct scratch_mailbox *m, const struct mail_request *rq, const char *id,
                        struct mail_reply *reply) {
    struct scratch_letter *l = find_draft(m, id);
    char key[CRYPTO_UUID_SIZE];

    if (outbox_draft_key(key, id, &reply->err) != 0)
        return;
    if (rq->verb == MAIL_DRAFT_SEND) {
        send_draft(m, l, reply);
        return;
    }
    reply->exists = l != NULL;
    if (rq->verb == MAIL_DRAFT_GET) {
        look_for_sent(m, id, reply);
    } else if (l != NULL) {
        take_out(m, l);
        l->next = m->deleted;
        m->deleted = l;
    }
}

static void find_drafts(const struct scratch_mailbox *m, const struct mail_request *rq,
                        struct mail_reply *reply) {
    copy_text(reply->mailbox, sizeof(reply->mailbox), rq->sender);
    for (const struct scratch_letter *l = m->first; l != NULL; l = l->next)
        if (!l->sent && strcasecmp(l->key, rq->key) == 0)
            mail_reply_add(reply, l->id, strlen(l->id));
}

static void answer_signature(struct mail_reply *reply) {
    if ((reply->signature = strdup(SIGNATURE)) == NULL)
        out_of_memory(&reply->err);
}

void scratch_mailbox_carry_out(struct scratch_mailbox *m, const struct mail_request *rq,
                               struct mail_reply *reply) {
    if (rq->draft_id != NULL) {
        treat_draft(m, rq, rq->draft_id, reply);
        return;
    }
    switch (rq->verb) {
    case MAIL_SEND:
    case MAIL_DRAFT_CREATE:
        if (outbox_rehearse(rq, &reply->err) == 0)
            add(m, rq, reply);
        break;
    case MAIL_DRAFT_FIND:
        find_drafts(m, rq, reply);
        break;
    case MAIL_SIGNATURE:
        answer_signature(reply);
        break;
    default: /* MAIL_REPLY, MAIL_PROFILE */
        outbox_answer(rq, reply);
    }
}
