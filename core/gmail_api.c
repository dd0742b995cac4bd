#include "gmail_api.h"

#include <string.h>

#include "buf.h"
#include "encode.h"
#include "env.h"
#include "gmail_text.h"

#define URL_MAX (8 * KIB)
#define USERS   "/gmail/v1/users/me/" /* me: whoever the token is for */
#define JSON    "application/json; charset=UTF-8"
#define METADATA                                                                                   \
    "?format=metadata&metadataHeaders=Message-ID&metadataHeaders=In-Reply-To"                      \
    "&metadataHeaders=References&metadataHeaders=X-Paraph-Id"

struct place {
    const char *before;
    const char *name; /* percent-encoded in between; NULL: nothing there */
    const char *after;
};

static struct google_call *fail(google_done_fn *done, void *arg) {
    struct google_reply reply = {0};

    err_set(&reply.err, ERR_INTERNAL_ERROR, "out of memory");
    done(&reply, arg);
    return NULL;
}

static struct google_call *start(struct google_request *rq, const struct place *at,
                                 google_done_fn *done, void *arg) {
    struct google_call *call;
    struct buf url;

    buf_init(&url, URL_MAX);
    buf_join(&url, env.gmail_url, at->before);
    if (at->name != NULL)
        encode_percent(&url, at->name, strlen(at->name));
    if (at->after != NULL)
        buf_adds(&url, at->after);
    rq->api = GOOGLE_GMAIL;
    rq->url = url.data;
    call = buf_failed(&url) ? fail(done, arg) : google_start(rq, done, arg);
    buf_free(&url);
    return call;
}

static struct google_call *get(const char *mailbox, const char *step, const struct place *at,
                               google_done_fn *done, void *arg) {
    struct google_request rq = {
        .step = step, .mailbox = mailbox, .method = "GET", .repeatable = true};

    return start(&rq, at, done, arg);
}

/* Takes over the body; NULL: there was no memory for it. */
static struct google_call *post(const char *mailbox, const char *step, const char *path,
                                const char *content_type, struct blob *body, google_done_fn *done,
                                void *arg) {
    struct google_request rq = {.step = step,
                                .mailbox = mailbox,
                                .method = "POST",
                                .content_type = content_type,
                                .body = body};
    struct google_call *call =
        body == NULL ? fail(done, arg) : start(&rq, &(struct place){.before = path}, done, arg);

    blob_unref(body);
    return call;
}

/*
 * A message goes out as JSON up to a size, and from there on as an upload: as it is, where it need
 * not name a thread, so that a large one is never copied.
 */
static struct google_call *post_message(const char *mailbox, const char *step, const char *path,
                                        struct blob *message, const char *thread_id, bool draft,
                                        google_done_fn *done, void *arg) {
    char type[GMAIL_TYPE_SIZE] = JSON, at[128];
    struct blob *body;

    if (message->len <= GMAIL_JSON_MAX) {
        body = gmail_json_body(message, thread_id, draft);
        stpcpy(stpcpy(at, USERS), path);
    } else if (thread_id == NULL) {
        body = blob_ref(message);
        stpcpy(type, "message/rfc822");
        stpcpy(stpcpy(stpcpy(at, "/upload" USERS), path), "?uploadType=media");
    } else {
        body = gmail_related_body(message, thread_id, draft, type);
        stpcpy(stpcpy(stpcpy(at, "/upload" USERS), path), "?uploadType=multipart");
    }
    return post(mailbox, step, at, type, body, done, arg);
}

struct google_call *gmail_api_send(const char *mailbox, struct blob *message, const char *thread_id,
                                   google_done_fn *done, void *arg) {
    return post_message(mailbox, "Gmail messages.send", "messages/send", message, thread_id, false,
                        done, arg);
}

struct google_call *gmail_api_draft_create(const char *mailbox, struct blob *message,
                                           const char *thread_id, google_done_fn *done, void *arg) {
    return post_message(mailbox, "Gmail drafts.create", "drafts", message, thread_id, true, done,
                        arg);
}

struct google_call *gmail_api_draft_send(const char *mailbox, const char *id, google_done_fn *done,
                                         void *arg) {
    return post(mailbox, "Gmail drafts.send", USERS "drafts/send", JSON, gmail_id_body(id), done,
                arg);
}

struct google_call *gmail_api_draft_get(const char *mailbox, const char *id, google_done_fn *done,
                                        void *arg) {
    return get(mailbox, "Gmail drafts.get", &(struct place){USERS "drafts/", id, "?format=minimal"},
               done, arg);
}

struct google_call *gmail_api_draft_delete(const char *mailbox, const char *id,
                                           google_done_fn *done, void *arg) {
    struct google_request rq = {
        .step = "Gmail drafts.delete", .mailbox = mailbox, .method = "DELETE", .repeatable = true};

    return start(&rq, &(struct place){USERS "drafts/", id, NULL}, done, arg);
}

struct google_call *gmail_api_draft_find(const char *mailbox, const char *message_id,
                                         google_done_fn *done, void *arg) {
    return get(mailbox, "Gmail drafts.list",
               &(struct place){USERS "drafts?q=rfc822msgid:", message_id, NULL}, done, arg);
}

struct google_call *gmail_api_identities(const char *mailbox, google_done_fn *done, void *arg) {
    return get(mailbox, "Gmail sendAs.list", &(struct place){.before = USERS "settings/sendAs"},
               done, arg);
}

struct google_call *gmail_api_profile(const char *mailbox, google_done_fn *done, void *arg) {
    return get(mailbox, "Gmail getProfile", &(struct place){.before = USERS "profile"}, done, arg);
}

struct google_call *gmail_api_message(const char *mailbox, const char *id, google_done_fn *done,
                                      void *arg) {
    return get(mailbox, "Gmail messages.get", &(struct place){USERS "messages/", id, METADATA},
               done, arg);
}

struct google_call *gmail_api_thread(const char *mailbox, const char *id, google_done_fn *done,
                                     void *arg) {
    return get(mailbox, "Gmail threads.get", &(struct place){USERS "threads/", id, METADATA}, done,
               arg);
}

struct google_call *gmail_api_find(const char *mailbox, const char *message_id,
                                   google_done_fn *done, void *arg) {
    return get(mailbox, "Gmail messages.list",
               &(struct place){USERS "messages?maxResults=1&q=rfc822msgid:", message_id, NULL},
               done, arg);
}
