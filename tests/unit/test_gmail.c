#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "encode.h"
#include "env.h"
#include "gmail.h"
#include "gmail_line.h"
#include "gmail_sendas.h"
#include "gmail_text.h"
#include "google.h"
#include "log.h"

#define ME     "me@example.org"
#define KEY    "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
#define AUTH   "https://www.googleapis.com/auth/"
#define USERS  "https://gmail.test/gmail/v1/users/me/"
#define UPLOAD "https://gmail.test/upload/gmail/v1/users/me/"
#define SENDAS "Gmail sendAs.list"
#define SEND   "Gmail messages.send"
#define HEADERS                                                                                    \
    "?format=metadata&metadataHeaders=Message-ID&metadataHeaders=In-Reply-To"                      \
    "&metadataHeaders=References&metadataHeaders=X-Paraph-Id"

/* --- Google, played by the test: --wrap puts these in place of google.c and of the clock ----- */

struct google_call {
    bool live; /* nobody has answered or cancelled it */
    char step[64], mailbox[256], method[8], url[512], content_type[128];
    struct blob *body;
    bool repeatable;
    google_done_fn *done;
    void *arg;
};

static struct google_call asked[2100];
static unsigned nasked;
static bool down; /* every request fails before google_start() returns */
static uint64_t now_ms;

struct google_call *__wrap_google_start(const struct google_request *rq, google_done_fn *done,
                                        void *arg);
void __wrap_google_cancel(struct google_call **cp);
uint64_t __wrap_loop_now_ms(void);

static void put(char *to, size_t size, const char *s) {
    assert_true(snprintf(to, size, "%s", s != NULL ? s : "") < (int)size);
}

struct google_call *__wrap_google_start(const struct google_request *rq, google_done_fn *done,
                                        void *arg) {
    struct google_reply reply = {0};
    struct google_call *a = &asked[nasked++];

    assert_true(nasked <= COUNT_OF(asked));
    assert_int_equal(rq->api, GOOGLE_GMAIL);
    *a = (struct google_call){.repeatable = rq->repeatable, .done = done, .arg = arg};
    put(a->step, sizeof(a->step), rq->step);
    put(a->mailbox, sizeof(a->mailbox), rq->mailbox);
    put(a->method, sizeof(a->method), rq->method);
    put(a->url, sizeof(a->url), rq->url);
    put(a->content_type, sizeof(a->content_type), rq->content_type);
    if (down) {
        err_set(&reply.err, ERR_AUTH_ERROR, "no token");
        done(&reply, arg);
        return NULL;
    }
    a->live = true;
    a->body = rq->body != NULL ? blob_ref(rq->body) : NULL;
    return a;
}

static void end(struct google_call *a) {
    assert_true(a->live);
    a->live = false;
    blob_unref(a->body);
    a->body = NULL;
}

void __wrap_google_cancel(struct google_call **cp) {
    if (*cp != NULL)
        end(*cp);
    *cp = NULL;
}

uint64_t __wrap_loop_now_ms(void) {
    return now_ms;
}

/* The one timer there is: of a block. */
static struct {
    uint64_t at_ms; /* 0: not running */
    void (*fn)(void *arg);
    void *arg;
} timer;

struct loop_timer *__wrap_loop_timer_start(uint64_t ms, void (*fn)(void *arg), void *arg);
void __wrap_loop_timer_stop(struct loop_timer **tp);

struct loop_timer *__wrap_loop_timer_start(uint64_t ms, void (*fn)(void *arg), void *arg) {
    assert_int_equal(timer.at_ms, 0);
    timer.at_ms = now_ms + ms;
    timer.fn = fn;
    timer.arg = arg;
    return (struct loop_timer *)&timer;
}

void __wrap_loop_timer_stop(struct loop_timer **tp) {
    if (*tp != NULL)
        timer.at_ms = 0;
    *tp = NULL;
}

static void pass(uint64_t ms) {
    now_ms += ms;
    if (timer.at_ms != 0 && timer.at_ms <= now_ms)
        timer.fn(timer.arg);
}

/* The latest request, which nobody has answered. */
static struct google_call *latest(const char *step) {
    assert_true(nasked > 0);
    assert_string_equal(asked[nasked - 1].step, step);
    assert_true(asked[nasked - 1].live);
    return &asked[nasked - 1];
}

static void answer(struct google_call *a, const char *json) {
    struct google_reply reply = {.status = 200, .json = json_loads(json, 0, NULL)};

    assert_non_null(reply.json);
    end(a);
    a->done(&reply, a->arg);
    json_decref(reply.json);
}

static void refuse(struct google_call *a, int status, const char *reason, bool unknown) {
    struct google_reply reply = {.status = status, .unknown = unknown};

    err_set(&reply.err, status == 0 ? ERR_TIMEOUT : ERR_GMAIL_ERROR, "Gmail says no");
    put(reply.err.reason, sizeof(reply.err.reason), reason);
    end(a);
    a->done(&reply, a->arg);
}

static void limit(struct google_call *a, int seconds) {
    struct google_reply reply = {.status = 429};

    err_set(&reply.err, ERR_RATE_LIMITED, "slowly");
    reply.err.retry_after = seconds;
    end(a);
    a->done(&reply, a->arg);
}

static void assert_body(const struct google_call *a, const char *text) {
    assert_int_equal(a->body->len, strlen(text));
    assert_memory_equal(a->body->data, text, strlen(text));
}

static bool holds(const struct blob *body, const char *text) {
    return memmem(body->data, body->len, text, strlen(text)) != NULL;
}

static void answer_identities(void) {
    answer(latest(SENDAS),
           "{\"sendAs\":["
           "{\"sendAsEmail\":\"" ME "\",\"isPrimary\":true,\"signature\":\"<img src=x>Me\"},"
           "{\"sendAsEmail\":\"sales@example.org\",\"verificationStatus\":\"accepted\"},"
           "{\"sendAsEmail\":\"new@example.org\",\"verificationStatus\":\"pending\"},"
           "{\"sendAsEmail\":\"Info@B\\u00fccher.example\",\"verificationStatus\":\"accepted\","
           "\"signature\":\"Info\"},"
           "{\"sendAsEmail\":\"not an address\"},{\"sendAsEmail\":7},7]}");
}

/* --- calls ----------------------------------------------------------------------------------- */

struct outcome {
    unsigned calls;
    struct mail_reply reply;
};

static void on_done(struct mail_reply *reply, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->reply = *reply;
    reply->signature = reply->in_reply_to = reply->references = NULL;
}

static struct mail_call *start(struct outcome *o, const struct mail_request *rq) {
    *o = (struct outcome){0};
    return mail_start(rq, on_done, o);
}

static struct mail_call *start_send(struct outcome *o, const char *sender, const char *thread_id) {
    struct blob *message = blob_copy("Hi!", 3);
    struct mail_call *c = start(
        o, &(struct mail_request){
               .verb = MAIL_SEND, .sender = sender, .message = message, .thread_id = thread_id});

    blob_unref(message);
    return c;
}

static struct mail_call *start_draft(struct outcome *o, enum mail_verb verb) {
    return start(
        o, &(struct mail_request){
               .verb = verb, .draft_id = "r-1", .mailbox = ME, .thread_id = "t1", .key = KEY});
}

static struct mail_call *start_signature(struct outcome *o, const char *sender) {
    return start(o, &(struct mail_request){.verb = MAIL_SIGNATURE, .sender = sender});
}

/* The identities of ME are in the cache. */
static void warm_up(void) {
    struct outcome o;

    assert_non_null(start_signature(&o, ME));
    answer_identities();
    assert_int_equal(o.calls, 1);
    free(o.reply.signature);
}

static int set_up(void **state) {
    (void)state;
    nasked = 0;
    down = false;
    now_ms = 1000000;
    log_init(LOG_ERROR, false);
    env = (struct env){.backend = ENV_GOOGLE,
                       .gmail_user = ME,
                       .allowed_senders = "@example.org, info@bücher.example, boss@example.com",
                       .gmail_scopes = "https://mail.google.com/",
                       .gmail_url = "https://gmail.test",
                       .gmail_concurrency = 4};
    return mail_init(NULL);
}

static int tear_down(void **state) {
    int left = 0;

    (void)state;
    mail_fini();
    for (unsigned i = 0; i < nasked; i++)
        left += asked[i].live;
    return left;
}

/* --- sending --------------------------------------------------------------------------------- */

static void test_send(void **state) {
    struct google_call *a;
    struct outcome o;

    (void)state;
    assert_non_null(start_send(&o, ME, NULL));
    a = latest(SENDAS);
    assert_string_equal(a->method, "GET");
    assert_string_equal(a->url, USERS "settings/sendAs");
    assert_string_equal(a->mailbox, ME);
    assert_true(a->repeatable);
    answer_identities();

    a = latest(SEND);
    assert_string_equal(a->method, "POST");
    assert_string_equal(a->url, USERS "messages/send");
    assert_string_equal(a->content_type, "application/json; charset=UTF-8");
    assert_string_equal(a->mailbox, ME);
    assert_false(a->repeatable);
    assert_body(a, "{\"raw\":\"SGkh\"}");
    assert_int_equal(o.calls, 0);
    answer(a, "{\"id\":\"m1\",\"threadId\":\"t1\",\"labelIds\":[\"SENT\"]}");
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.id, "m1");
    assert_string_equal(o.reply.thread_id, "t1");
}

static void test_warm_send_is_one_request(void **state) {
    struct outcome o;
    unsigned before;

    (void)state;
    warm_up();
    before = nasked;
    assert_non_null(start_send(&o, ME, "t1"));
    assert_int_equal(nasked, before + 1);
    assert_body(latest(SEND), "{\"threadId\":\"t1\",\"raw\":\"SGkh\"}");
    answer(latest(SEND), "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    assert_int_equal(o.calls, 1);
}

static void test_large_messages_are_uploaded(void **state) {
    struct blob *message = blob_own(calloc(1, GMAIL_JSON_MAX + 1), GMAIL_JSON_MAX + 1);
    struct mail_request rq = {.verb = MAIL_SEND, .sender = ME, .message = message};
    struct google_call *a;
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(start(&o, &rq));
    a = latest(SEND);
    assert_string_equal(a->url, UPLOAD "messages/send?uploadType=media");
    assert_string_equal(a->content_type, "message/rfc822");
    assert_ptr_equal(a->body, message); /* itself: nothing was copied */
    assert_int_equal(message->refs, 3); /* and the call's own, should it have to wait and repeat */
    answer(a, "{\"id\":\"m1\",\"threadId\":\"t1\"}");

    rq.thread_id = "t1";
    assert_non_null(start(&o, &rq));
    a = latest(SEND);
    assert_string_equal(a->url, UPLOAD "messages/send?uploadType=multipart");
    assert_memory_equal(a->content_type, "multipart/related; boundary=", 28);
    assert_true(holds(a->body, "{\"threadId\":\"t1\"}"));
    assert_true(a->body->len < message->len + KIB);
    answer(a, "{\"id\":\"m1\",\"threadId\":\"t1\"}");

    rq.verb = MAIL_DRAFT_CREATE;
    assert_non_null(start(&o, &rq));
    a = latest("Gmail drafts.create");
    assert_string_equal(a->url, UPLOAD "drafts?uploadType=multipart");
    assert_true(holds(a->body, "{\"message\":{\"threadId\":\"t1\"}}"));
    answer(a, "{\"id\":\"r1\",\"message\":{\"id\":\"m1\",\"threadId\":\"t1\"}}");
    assert_int_equal(o.reply.err.code, ERR_NONE);
    blob_unref(message);
}

static void test_failed_sends(void **state) {
    static const struct {
        int status;
        bool unknown;
        enum err_code code;
        const char *field;
    } cases[] = {
        {500, true, ERR_GMAIL_ERROR, ""},
        {0, true, ERR_TIMEOUT, ""},
        {403, false, ERR_GMAIL_ERROR, ""},
        {404, false, ERR_INVALID_FIELD, "thread_id"},
    };
    struct outcome o;

    (void)state;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_non_null(start_send(&o, ME, "t1"));
        refuse(latest(SEND), cases[i].status, "", cases[i].unknown);
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.reply.err.code, cases[i].code);
        assert_string_equal(o.reply.err.field, cases[i].field);
        assert_int_equal(o.reply.unknown, cases[i].unknown);
    }
}

/* It was accepted, but as what? */
static void test_strange_answers(void **state) {
    static const char *const answers[] = {"{}", "[]", "{\"id\":\"m1\"}",
                                          "{\"id\":7,\"threadId\":\"t1\"}"};
    struct outcome o;

    (void)state;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        assert_non_null(start_send(&o, ME, NULL));
        answer(latest(SEND), answers[i]);
        assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
        assert_true(o.reply.unknown);
    }
}

static void test_failures_at_once(void **state) {
    struct outcome o;

    (void)state;
    down = true;
    assert_null(start_send(&o, ME, NULL));
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.reply.err.code, ERR_AUTH_ERROR);
    assert_null(start_draft(&o, MAIL_DRAFT_SEND));
    assert_int_equal(o.calls, 1);
    down = false;
    now_ms += GMAIL_SENDAS_RETRY_S * 1000;
    warm_up();
    down = true;
    assert_null(start_send(&o, ME, NULL));
    assert_int_equal(o.calls, 1);
    assert_false(o.reply.unknown);
}

static void test_cancel(void **state) {
    struct outcome o, other;
    struct mail_call *c = start_send(&o, ME, NULL), *d = start_send(&other, ME, NULL);

    (void)state;
    assert_false(mail_cancel(&c)); /* it waited for identities */
    assert_int_equal(nasked, 1);
    answer_identities();
    assert_true(mail_cancel(&d));
    assert_int_equal(o.calls + other.calls, 0);
    assert_false(asked[1].live);
}

/* --- who writes, and from where -------------------------------------------------------------- */

static void test_identities(void **state) {
    static const struct {
        const char *sender, *mailbox; /* NULL: refused */
    } cases[] = {
        {ME, ME},
        {"ME@Example.org", ME},
        {"sales@example.org", ME},
        {"info@xn--bcher-kva.example", ME},
        {"new@example.org", NULL},
    };
    struct outcome o;

    (void)state;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unsigned before = nasked;
        struct mail_call *c = start_send(&o, cases[i].sender, NULL);

        assert_int_equal(c == NULL, cases[i].mailbox == NULL);
        if (c != NULL) {
            assert_string_equal(latest(SEND)->mailbox, cases[i].mailbox);
            answer(latest(SEND), "{\"id\":\"m1\",\"threadId\":\"t1\"}");
            continue;
        }
        assert_int_equal(nasked, before);
        assert_int_equal(o.reply.err.code, ERR_FORBIDDEN);
        assert_string_equal(o.reply.err.field, "from");
        assert_non_null(strstr(o.reply.err.message, cases[i].sender));
    }
}

static void test_a_mailbox_of_its_own(void **state) {
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(start_send(&o, "boss@example.com", NULL));
    assert_string_equal(latest(SENDAS)->mailbox, "boss@example.com");
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"Boss@example.com\"}]}");
    assert_string_equal(latest(SEND)->mailbox, "boss@example.com");
    answer(latest(SEND), "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    assert_int_equal(o.reply.err.code, ERR_NONE);
}

static void test_no_mailbox_of_its_own(void **state) {
    struct google_reply reply = {0};
    struct google_call *a;
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(start_send(&o, "boss@example.com", NULL));
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"chief@example.com\"}]}");
    assert_int_equal(o.reply.err.code, ERR_FORBIDDEN);

    assert_non_null(start_send(&o, "gone@example.org", NULL));
    a = latest(SENDAS);
    err_set(&reply.err, ERR_AUTH_ERROR, "there is no such mailbox");
    put(reply.err.reason, sizeof(reply.err.reason), "invalid_grant");
    end(a);
    a->done(&reply, a->arg);
    assert_int_equal(o.reply.err.code, ERR_FORBIDDEN);
    assert_string_equal(o.reply.err.field, "from");
    assert_non_null(strstr(o.reply.err.message, "gone@example.org"));
    assert_non_null(strstr(o.reply.err.message, "Send mail as"));

    now_ms += GMAIL_SENDAS_RETRY_S * 1000;
    assert_non_null(start_send(&o, "gone@example.org", NULL));
    refuse(latest(SENDAS), 503, "backendError", false);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);

    now_ms += GMAIL_SENDAS_RETRY_S * 1000;
    assert_non_null(start_send(&o, "gone@example.org", NULL));
    a = latest(SENDAS); /* the sentence alone says nothing */
    err_set(&reply.err, ERR_AUTH_ERROR, "the sign-in has expired (400 invalid_grant)");
    end(a);
    a->done(&reply, a->arg);
    assert_int_equal(o.reply.err.code, ERR_AUTH_ERROR);
}

/* Gmail would send as somebody else. */
static void test_the_default_sender_is_checked_too(void **state) {
    struct outcome o;

    (void)state;
    assert_non_null(start_send(&o, ME, NULL));
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"other@example.org\"}]}");
    assert_int_equal(o.reply.err.code, ERR_FORBIDDEN);
    assert_string_equal(o.reply.err.field, "from");
}

static void expect_own_mailbox(const char *sender) {
    struct outcome o;

    assert_non_null(start_send(&o, sender, NULL));
    if (strcmp(asked[nasked - 1].step, SENDAS) == 0)
        refuse(latest(SENDAS), 403, "insufficientPermissions", false);
    assert_string_equal(latest(SEND)->mailbox, sender);
    answer(latest(SEND), "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    assert_int_equal(o.reply.err.code, ERR_NONE);
}

static void test_identities_that_may_not_be_read(void **state) {
    struct outcome o;

    (void)state;
    assert_non_null(start_signature(&o, ME));
    refuse(latest(SENDAS), 403, "insufficientPermissions", false);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.signature, "");
    free(o.reply.signature);
    expect_own_mailbox(ME);
    expect_own_mailbox("sales@example.org"); /* as far as anybody knows */
}

static void test_scopes_are_not_tried_in_vain(void **state) {
    struct outcome o;

    (void)state;
    env.gmail_scopes = AUTH "gmail.send";
    assert_null(start_signature(&o, ME));
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.signature, "");
    free(o.reply.signature);
    assert_int_equal(nasked, 0);
    expect_own_mailbox(ME);
    expect_own_mailbox("boss@example.com");
    assert_int_equal(nasked, 2);
}

/* --- signatures and their cache -------------------------------------------------------------- */

static void expect_signature(const char *sender, const char *html) {
    struct outcome o;

    assert_null(start_signature(&o, sender));
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.signature, html);
    free(o.reply.signature);
}

static void test_signatures(void **state) {
    (void)state;
    warm_up();
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    expect_signature("sales@example.org", "");
    expect_signature("info@xn--bcher-kva.example", "Info");
    assert_int_equal(nasked, 1);
}

static void test_one_request_for_all_who_wait(void **state) {
    struct mail_call *calls[4];
    struct outcome o[4];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        calls[i] = start_signature(&o[i], ME);
    assert_int_equal(nasked, 1);
    mail_cancel(&calls[0]);
    mail_cancel(&calls[2]);
    answer_identities();
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_int_equal(o[i].calls, i % 2);
        free(o[i].reply.signature);
    }
    assert_int_equal(nasked, 1);
}

static void test_refreshed_in_the_background(void **state) {
    (void)state;
    warm_up();
    now_ms += GMAIL_SENDAS_FRESH_S * 1000 - 1;
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    assert_int_equal(nasked, 1);
    now_ms++;
    expect_signature(ME, "<img alt=\"\" src=x>Me"); /* nobody waits */
    assert_int_equal(nasked, 2);
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    assert_int_equal(nasked, 2);
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"" ME "\",\"signature\":\"New\"}]}");
    expect_signature(ME, "New");
}

static void test_what_cannot_be_read_again_stays(void **state) {
    (void)state;
    warm_up();
    now_ms += GMAIL_SENDAS_FRESH_S * 1000;
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    refuse(latest(SENDAS), 503, "backendError", false);
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    assert_int_equal(nasked, 2); /* not at once */
    now_ms += GMAIL_SENDAS_RETRY_S * 1000;
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    answer(latest(SENDAS), "{}"); /* no answer either */
    expect_signature(ME, "<img alt=\"\" src=x>Me");
    assert_int_equal(nasked, 3);
    now_ms += GMAIL_SENDAS_RETRY_S * 1000;
    down = true;
    expect_signature(ME, "<img alt=\"\" src=x>Me");
}

/* Never silently unsigned. */
static void test_no_signature_is_an_error(void **state) {
    static const char *const strange[] = {"{}", "{\"sendAs\":[]}", "{\"sendAs\":7}", "[]"};
    struct outcome o;

    (void)state;
    assert_non_null(start_signature(&o, ME));
    refuse(latest(SENDAS), 503, "backendError", false);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
    for (size_t i = 0; i < COUNT_OF(strange); i++) {
        assert_non_null(start_signature(&o, ME));
        answer(latest(SENDAS), strange[i]);
        assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
        assert_null(o.reply.signature);
    }
}

static void test_mailboxes_are_forgotten(void **state) {
    char sender[64], json[128];
    struct outcome o;

    (void)state;
    warm_up();
    for (int i = 0; i < GMAIL_SENDAS_BOXES_MAX; i++) {
        snprintf(sender, sizeof(sender), "u%d@example.org", i);
        snprintf(json, sizeof(json), "{\"sendAs\":[{\"sendAsEmail\":\"%s\"}]}", sender);
        assert_non_null(start_signature(&o, sender));
        answer(latest(SENDAS), json);
        assert_int_equal(o.reply.err.code, ERR_NONE);
        free(o.reply.signature);
    }
    expect_signature(ME, "<img alt=\"\" src=x>Me"); /* asked for all the time */
    assert_null(start_signature(&o, "u1@example.org"));
    free(o.reply.signature);
    assert_non_null(start_signature(&o, "u0@example.org"));
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"u0@example.org\"}]}");
    free(o.reply.signature);
}

/* --- in line --------------------------------------------------------------------------------- */

static void test_concurrency(void **state) {
    struct mail_call *calls[5], *other;
    struct outcome o[5], of_other;

    (void)state;
    env.gmail_concurrency = 2;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        calls[i] = start_send(&o[i], ME, NULL);
    assert_int_equal(nasked, 1 + 2);
    assert_false(mail_cancel(&calls[2])); /* has surely not left */

    other = start_send(&of_other, "boss@example.com", NULL); /* another line */
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"boss@example.com\"}]}");
    answer(latest(SEND), "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    assert_non_null(other);
    assert_int_equal(of_other.calls, 1);

    answer(&asked[2], "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    assert_int_equal(o[1].calls, 1);
    assert_int_equal(nasked, 1 + 2 + 2 + 1);
    assert_true(mail_cancel(&calls[0]));
    assert_int_equal(nasked, 1 + 2 + 2 + 2);
    answer(latest(SEND), "{\"id\":\"m5\",\"threadId\":\"t1\"}");
    assert_string_equal(o[4].reply.id, "m5"); /* first come, first served */
    answer(&asked[5], "{\"id\":\"m4\",\"threadId\":\"t1\"}");
    assert_string_equal(o[3].reply.id, "m4");
    assert_int_equal(o[0].calls + o[2].calls, 0);
}

static void test_the_line_has_an_end(void **state) {
    static struct mail_call *calls[GMAIL_LINE_MAX + 1];
    static struct outcome o[GMAIL_LINE_MAX + 1];
    struct outcome one_more;

    (void)state;
    env.gmail_concurrency = 1;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        assert_non_null(calls[i] = start_send(&o[i], ME, NULL));
    assert_null(start_send(&one_more, ME, NULL));
    assert_int_equal(one_more.reply.err.code, ERR_OVERLOADED);
    assert_true(one_more.reply.err.retry_after > 0);
    down = true; /* all of them fail at once, one after the other */
    answer(latest(SEND), "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    for (size_t i = 0; i < COUNT_OF(calls); i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].reply.err.code, i == 0 ? ERR_NONE : ERR_AUTH_ERROR);
    }
}

#define SENT "{\"id\":\"m1\",\"threadId\":\"t1\"}"

static struct mail_call *start_until(struct outcome *o, uint64_t ms) {
    struct blob *message = blob_copy("Hi!", 3);
    struct mail_call *c = start(
        o, &(struct mail_request){
               .verb = MAIL_SEND, .sender = ME, .message = message, .deadline_ms = now_ms + ms});

    blob_unref(message);
    return c;
}

static void test_a_limited_mailbox_waits_until_the_instant(void **state) {
    struct outcome o[3];

    (void)state;
    env.gmail_concurrency = 2;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(o); i++)
        assert_non_null(start_until(&o[i], 60000));
    limit(&asked[1], 20);
    answer(&asked[2], SENT); /* asked before */
    assert_int_equal(o[1].calls, 1);
    assert_int_equal(nasked, 3); /* but nobody else goes */
    pass(19999);
    assert_int_equal(nasked, 3);
    pass(1);
    assert_int_equal(nasked, 5);
    assert_body(&asked[3], "{\"raw\":\"SGkh\"}");
    answer(&asked[3], SENT); /* the one that was refused goes first */
    assert_int_equal(o[0].calls, 1);
    answer(&asked[4], SENT);
    assert_int_equal(o[2].calls, 1);
    assert_int_equal(o[0].reply.err.code + o[2].reply.err.code, ERR_NONE);
}

static void test_who_would_wait_too_long_is_told_when_to_come_again(void **state) {
    struct outcome first, patient, hasty;

    (void)state;
    warm_up();
    assert_non_null(start_until(&first, 60000));
    limit(latest(SEND), 120);
    assert_int_equal(first.reply.err.code, ERR_RATE_LIMITED);
    assert_int_equal(first.reply.err.retry_after, 120);

    assert_null(start_until(&hasty, 60000));
    assert_int_equal(hasty.reply.err.code, ERR_RATE_LIMITED);
    assert_in_range(hasty.reply.err.retry_after, 120, 121);
    assert_non_null(start_until(&patient, 180000));
    assert_int_equal(nasked, 2);
    pass(120000);
    answer(latest(SEND), SENT);
    assert_int_equal(patient.reply.err.code, ERR_NONE);

    assert_non_null(start_until(&first, 60000)); /* the block is over */
    answer(latest(SEND), SENT);
}

static void test_a_line_longer_than_the_deadline_refuses(void **state) {
    struct outcome o[5], hasty;

    (void)state;
    env.gmail_concurrency = 1;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(o); i++)
        assert_non_null(start_until(&o[i], 60000));
    pass(1000); /* that is how long one takes */
    answer(latest(SEND), SENT);
    assert_null(start_until(&hasty, 3000)); /* three wait before it */
    assert_int_equal(hasty.reply.err.code, ERR_RATE_LIMITED);
    assert_in_range(hasty.reply.err.retry_after, 3, 4);
    assert_non_null(start_until(&hasty, 4000));
    for (size_t i = 1; i < COUNT_OF(o) + 1; i++)
        answer(latest(SEND), SENT);
    assert_int_equal(hasty.reply.err.code, ERR_NONE);
}

static void test_cancelled_while_blocked(void **state) {
    struct mail_call *c;
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(c = start_until(&o, 60000));
    limit(latest(SEND), 20);
    assert_false(mail_cancel(&c)); /* has surely not left */
    pass(20000);
    assert_int_equal(nasked, 2);
    assert_int_equal(o.calls, 0);
}

/* One is under way, one waits in line, one for identities: the first alone may have left. */
static void test_end(void **state) {
    static const char *const senders[] = {ME, ME, "boss@example.com"};
    struct outcome o[COUNT_OF(senders)];
    unsigned before;

    (void)state;
    warm_up();
    env.gmail_concurrency = 1;
    for (size_t i = 0; i < COUNT_OF(senders); i++)
        assert_non_null(start_send(&o[i], senders[i], NULL));
    before = nasked;
    mail_fini();
    assert_int_equal(nasked, before);
    for (size_t i = 0; i < COUNT_OF(senders); i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].reply.err.code, ERR_SHUTTING_DOWN);
        assert_int_equal(o[i].reply.unknown, i == 0);
    }
}

/* --- drafts ---------------------------------------------------------------------------------- */

static struct mail_call *start_create(struct outcome *o) {
    struct blob *message = blob_copy("Hi!", 3);
    struct mail_call *c =
        start(o, &(struct mail_request){
                     .verb = MAIL_DRAFT_CREATE, .sender = ME, .message = message, .key = KEY});

    blob_unref(message);
    return c;
}

static void test_draft_create(void **state) {
    struct google_call *a;
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(start_create(&o));
    a = latest("Gmail drafts.create");
    assert_string_equal(a->method, "POST");
    assert_string_equal(a->url, USERS "drafts");
    assert_body(a, "{\"message\":{\"raw\":\"SGkh\"}}");
    assert_false(a->repeatable);
    answer(a, "{\"id\":\"r-1\",\"message\":{\"id\":\"m0\",\"threadId\":\"t1\"}}");
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.id, "r-1");
    assert_string_equal(o.reply.thread_id, "t1");
    assert_string_equal(o.reply.mailbox, ME);

    assert_non_null(start_create(&o));
    answer(latest("Gmail drafts.create"), "{\"message\":{\"id\":\"m0\",\"threadId\":\"t1\"}}");
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
}

static void test_no_drafts(void **state) {
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(start_create(&o));
    refuse(latest("Gmail drafts.create"), 403, "insufficientPermissions", false);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.id, "");
    env.gmail_scopes = AUTH "gmail.send " AUTH "gmail.settings.basic";
    assert_null(start_create(&o));
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_string_equal(o.reply.id, "");
    assert_int_equal(nasked, 2);
}

static void test_draft_send(void **state) {
    struct google_call *a;
    struct outcome o;

    (void)state;
    assert_non_null(start_draft(&o, MAIL_DRAFT_SEND));
    a = latest("Gmail drafts.send"); /* the mailbox is written down: nothing else is asked */
    assert_string_equal(a->url, USERS "drafts/send");
    assert_body(a, "{\"id\":\"r-1\"}");
    assert_false(a->repeatable);
    answer(a, "{\"id\":\"m1\",\"threadId\":\"t1\"}");
    assert_string_equal(o.reply.id, "m1");

    assert_non_null(start_draft(&o, MAIL_DRAFT_SEND));
    refuse(latest("Gmail drafts.send"), 404, "notFound", false);
    assert_int_equal(o.reply.err.code, ERR_NOT_FOUND);
    assert_false(o.reply.unknown);

    assert_non_null(start_draft(&o, MAIL_DRAFT_SEND));
    refuse(latest("Gmail drafts.send"), 503, "backendError", true);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
    assert_true(o.reply.unknown);
}

static void test_draft_get(void **state) {
    struct google_call *a;
    struct outcome o;

    (void)state;
    assert_non_null(start_draft(&o, MAIL_DRAFT_GET));
    a = latest("Gmail drafts.get");
    assert_string_equal(a->url, USERS "drafts/r-1?format=minimal");
    assert_true(a->repeatable);
    answer(a, "{\"id\":\"r-1\"}");
    assert_true(o.reply.exists);
    assert_int_equal(o.reply.err.code, ERR_NONE);

    assert_non_null(start_draft(&o, MAIL_DRAFT_GET));
    refuse(latest("Gmail drafts.get"), 500, "backendError", true);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
    assert_false(o.reply.unknown); /* nothing could leave */
}

#define MESSAGE(id, key, label)                                                                    \
    "{\"id\":\"" id "\",\"labelIds\":[\"" label "\"],\"payload\":{\"headers\":["                   \
    "{\"name\":\"X-Paraph-Id\",\"value\":\"" key "\"}]}}"

static void test_draft_gone(void **state) {
    static const struct {
        const char *thread, *id; /* NULL: it fails */
    } cases[] = {
        {"{\"messages\":[" MESSAGE("m1", KEY, "SENT") "]}", "m1"},
        {"{\"messages\":[7," MESSAGE("m0", "other", "SENT") "," MESSAGE("m1", KEY, "SENT") "]}",
         "m1"},
        {"{\"messages\":[" MESSAGE("m0", KEY, "DRAFT") "]}", ""},
        {"{\"messages\":[{\"id\":\"m0\",\"labelIds\":[\"SENT\"]}]}", ""},
        {"{}", ""},
        {NULL, ""},
    };
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_non_null(start_draft(&o, MAIL_DRAFT_GET));
        refuse(latest("Gmail drafts.get"), 404, "notFound", false);
        assert_string_equal(latest("Gmail threads.get")->url, USERS "threads/t1" HEADERS);
        if (cases[i].thread != NULL)
            answer(latest("Gmail threads.get"), cases[i].thread);
        else
            refuse(latest("Gmail threads.get"), 500, "backendError", false);
        assert_int_equal(o.reply.err.code, ERR_NONE);
        assert_false(o.reply.exists);
        assert_string_equal(o.reply.id, cases[i].id);
        assert_string_equal(o.reply.thread_id, "t1");
    }
    env.gmail_scopes = AUTH "gmail.compose";
    assert_non_null(start_draft(&o, MAIL_DRAFT_GET));
    refuse(latest("Gmail drafts.get"), 404, "notFound", false);
    assert_int_equal(o.calls, 1);
    assert_false(o.reply.exists);
}

static void test_draft_delete(void **state) {
    struct outcome o;

    (void)state;
    assert_non_null(start_draft(&o, MAIL_DRAFT_DELETE));
    assert_string_equal(latest("Gmail drafts.delete")->method, "DELETE");
    assert_string_equal(latest("Gmail drafts.delete")->url, USERS "drafts/r-1");
    answer(latest("Gmail drafts.delete"), "{}");
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_non_null(start_draft(&o, MAIL_DRAFT_DELETE));
    refuse(latest("Gmail drafts.delete"), 404, "notFound", false);
    assert_int_equal(o.reply.err.code, ERR_NONE);
    assert_non_null(start_draft(&o, MAIL_DRAFT_DELETE));
    refuse(latest("Gmail drafts.delete"), 500, "backendError", false);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
}

static void test_profile(void **state) {
    struct outcome o;

    (void)state;
    assert_non_null(start(&o, &(struct mail_request){.verb = MAIL_PROFILE, .sender = ME}));
    assert_string_equal(latest("Gmail getProfile")->url, USERS "profile");
    answer(latest("Gmail getProfile"), "{\"emailAddress\":\"me@example.org\"}");
    assert_string_equal(o.reply.mailbox, ME);
    assert_non_null(start(&o, &(struct mail_request){.verb = MAIL_PROFILE, .sender = ME}));
    answer(latest("Gmail getProfile"), "{}");
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
}

/* --- answers --------------------------------------------------------------------------------- */

#define HEADER(id, references)                                                                     \
    "\"payload\":{\"headers\":[{\"name\":\"Message-ID\",\"value\":\"<" id ">\"},"                  \
    "{\"name\":\"References\",\"value\":\"" references "\"}]}"
#define THREAD                                                                                     \
    "{\"messages\":["                                                                              \
    "{\"id\":\"a1\",\"threadId\":\"t1\"," HEADER(                                                  \
        "1@x",                                                                                     \
        "") "},"                                                                                   \
            "{\"id\":\"a2\",\"threadId\":\"t1\"," HEADER(                                          \
                "2@x",                                                                             \
                "<1@x>") "},"                                                                      \
                         "{\"id\":\"a3\",\"threadId\":\"t1\",\"labelIds\":[\"DRAFT\"]," HEADER(    \
                             "3@x", "") "}]}"
#define FOUND  "{\"messages\":[{\"id\":\"a2\",\"threadId\":\"t9\"}]}"
#define SECOND "{\"id\":\"a2\",\"threadId\":\"t9\"," HEADER("2@x", "<1@x>") "}"

/* What Gmail is asked, in order; NULL: no more.  An answer NULL: 404; "403": no scope. */
static const struct answer_case {
    const char *scopes, *thread_id, *in_reply_to;
    struct {
        const char *url, *answer;
    } steps[2];
    const char *id, *references, *thread; /* the reply; id NULL: none */
    const char *field;                    /* ERR_INVALID_FIELD */
} answer_cases[] = {
    {NULL, NULL, NULL, {{0}}, NULL, NULL, "", NULL},
    {NULL, "t1", NULL, {{"threads/t1" HEADERS, THREAD}}, "2@x", "<1@x> <2@x>", "t1", NULL},
    {NULL, "t1", "a1", {{"threads/t1" HEADERS, THREAD}}, "1@x", "<1@x>", "t1", NULL},
    {NULL, "t1", "1@x", {{"threads/t1" HEADERS, THREAD}}, "1@x", "<1@x>", "t1", NULL},
    {NULL, "t1", "9@x", {{"threads/t1" HEADERS, THREAD}}, "9@x", NULL, "t1", NULL},
    {NULL, "t1", "a9", {{"threads/t1" HEADERS, THREAD}}, NULL, NULL, NULL, "in_reply_to"},
    {NULL, "t1", NULL, {{"threads/t1" HEADERS, "{}"}}, NULL, NULL, "t1", NULL},
    {NULL, "t/1?", NULL, {{"threads/t%2F1%3F" HEADERS, NULL}}, NULL, NULL, NULL, "thread_id"},
    {NULL, "t1", "1@x", {{"threads/t1" HEADERS, NULL}}, NULL, NULL, NULL, "thread_id"},
    {NULL, "t1", NULL, {{"threads/t1" HEADERS, "403"}}, NULL, NULL, "", NULL},
    {NULL, NULL, "a2", {{"messages/a2" HEADERS, SECOND}}, "2@x", "<1@x> <2@x>", "t9", NULL},
    {NULL, NULL, "a2", {{"messages/a2" HEADERS, NULL}}, NULL, NULL, NULL, "in_reply_to"},
    {NULL, NULL, "a2", {{"messages/a2" HEADERS, "403"}}, NULL, NULL, NULL, "in_reply_to"},
    {NULL, NULL, "a2", {{"messages/a2" HEADERS, "{\"threadId\":\"t9\"}"}}, NULL, NULL, "t9", NULL},
    {NULL,
     NULL,
     "2@x",
     {{"messages?maxResults=1&q=rfc822msgid:2%40x", FOUND}, {"messages/a2" HEADERS, SECOND}},
     "2@x",
     "<1@x> <2@x>",
     "t9",
     NULL},
    {NULL,
     NULL,
     "8@x",
     {{"messages?maxResults=1&q=rfc822msgid:8%40x", FOUND}, {"messages/a2" HEADERS, SECOND}},
     "8@x",
     NULL,
     "",
     NULL},
    {NULL,
     NULL,
     "2@x",
     {{"messages?maxResults=1&q=rfc822msgid:2%40x", FOUND}, {"messages/a2" HEADERS, NULL}},
     "2@x",
     NULL,
     "",
     NULL},
    {NULL,
     NULL,
     "8@x",
     {{"messages?maxResults=1&q=rfc822msgid:8%40x", "{}"}},
     "8@x",
     NULL,
     "",
     NULL},
    {NULL,
     NULL,
     "8@x",
     {{"messages?maxResults=1&q=rfc822msgid:8%40x", "403"}},
     "8@x",
     NULL,
     "",
     NULL},
    {NULL, NULL, "not an id", {{0}}, NULL, NULL, NULL, "in_reply_to"},
    {NULL, "t1", "../x", {{0}}, NULL, NULL, NULL, "in_reply_to"},
    {AUTH "gmail.metadata " AUTH "gmail.settings.basic", NULL, "8@x", {{0}}, "8@x", NULL, "", NULL},
    {AUTH "gmail.compose", NULL, "8@x", {{0}}, "8@x", NULL, "", NULL},
    {AUTH "gmail.compose", NULL, "a8", {{0}}, NULL, NULL, NULL, "in_reply_to"},
    {AUTH "gmail.compose", "t1", NULL, {{0}}, NULL, NULL, "", NULL},
};

static void assert_text(const char *text, const char *wanted) {
    assert_int_equal(text == NULL, wanted == NULL);
    if (text != NULL)
        assert_string_equal(text, wanted);
}

static void try_answer(const struct answer_case *c) {
    struct mail_request rq = {
        .verb = MAIL_REPLY, .sender = ME, .thread_id = c->thread_id, .in_reply_to = c->in_reply_to};
    unsigned before = nasked, steps = 0;
    struct outcome o;

    env.gmail_scopes = c->scopes != NULL ? c->scopes : "https://mail.google.com/";
    start(&o, &rq);
    for (; steps < 2 && c->steps[steps].url != NULL; steps++) {
        struct google_call *a = &asked[nasked - 1];

        assert_true(a->live);
        assert_string_equal(a->url + strlen(USERS), c->steps[steps].url);
        if (c->steps[steps].answer == NULL)
            refuse(a, 404, "notFound", false);
        else if (strcmp(c->steps[steps].answer, "403") == 0)
            refuse(a, 403, "insufficientPermissions", false);
        else
            answer(a, c->steps[steps].answer);
    }
    assert_int_equal(nasked, before + steps);
    assert_int_equal(o.calls, 1);
    assert_int_equal(o.reply.err.code, c->field != NULL ? ERR_INVALID_FIELD : ERR_NONE);
    assert_string_equal(o.reply.err.field, c->field != NULL ? c->field : "");
    assert_text(o.reply.in_reply_to, c->id);
    assert_text(o.reply.references, c->references);
    if (c->thread != NULL)
        assert_string_equal(o.reply.thread_id, c->thread);
    free(o.reply.in_reply_to);
    free(o.reply.references);
}

static void test_answers(void **state) {
    (void)state;
    warm_up();
    for (size_t i = 0; i < COUNT_OF(answer_cases); i++)
        try_answer(&answer_cases[i]);
}

static void test_answers_from_a_mailbox_of_its_own(void **state) {
    struct outcome o;

    (void)state;
    warm_up();
    assert_non_null(start(&o, &(struct mail_request){.verb = MAIL_REPLY,
                                                     .sender = "boss@example.com",
                                                     .thread_id = "t1"}));
    answer(latest(SENDAS), "{\"sendAs\":[{\"sendAsEmail\":\"boss@example.com\"}]}");
    assert_string_equal(latest("Gmail threads.get")->mailbox, "boss@example.com");
    refuse(latest("Gmail threads.get"), 503, "backendError", false);
    assert_int_equal(o.reply.err.code, ERR_GMAIL_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_send),
        TEST(test_warm_send_is_one_request),
        TEST(test_large_messages_are_uploaded),
        TEST(test_failed_sends),
        TEST(test_strange_answers),
        TEST(test_failures_at_once),
        TEST(test_cancel),
        TEST(test_identities),
        TEST(test_a_mailbox_of_its_own),
        TEST(test_no_mailbox_of_its_own),
        TEST(test_the_default_sender_is_checked_too),
        TEST(test_identities_that_may_not_be_read),
        TEST(test_scopes_are_not_tried_in_vain),
        TEST(test_signatures),
        TEST(test_one_request_for_all_who_wait),
        TEST(test_refreshed_in_the_background),
        TEST(test_what_cannot_be_read_again_stays),
        TEST(test_no_signature_is_an_error),
        TEST(test_mailboxes_are_forgotten),
        TEST(test_concurrency),
        TEST(test_the_line_has_an_end),
        TEST(test_a_limited_mailbox_waits_until_the_instant),
        TEST(test_who_would_wait_too_long_is_told_when_to_come_again),
        TEST(test_a_line_longer_than_the_deadline_refuses),
        TEST(test_cancelled_while_blocked),
        TEST(test_end),
        TEST(test_draft_create),
        TEST(test_no_drafts),
        TEST(test_draft_send),
        TEST(test_draft_get),
        TEST(test_draft_gone),
        TEST(test_draft_delete),
        TEST(test_profile),
        TEST(test_answers),
        TEST(test_answers_from_a_mailbox_of_its_own),
    };

    return cmocka_run_group_tests_name("gmail", tests, NULL, NULL);
}
