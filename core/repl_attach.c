#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "fetch.h"
#include "loop.h"
#include "repl.h"
#include "repl_peer.h"

#define TIMEOUT_MS 610000 /* longer than the route of the service */
#define LEAVE_MS   5000

static char *url;     /* of the route */
static char *bearer;  /* header, or NULL */
static char *session; /* NULL: none yet, or it is over */
static char name[256];
static bool is_live;

/* What is under way. */
static struct fetch *request;
static prompt_done_fn *on_answer;
static void *answer_arg;

static void answer(enum prompt_verb verb, const char *text, const char *more) {
    const struct prompt_answer a = {verb, text, more};

    on_answer(&a, answer_arg);
}

/* --- what comes back ------------------------------------------------------------------------- */

static const char *text_of(json_t *object, const char *member) {
    const char *text = json_string_value(json_object_get(object, member));

    return text != NULL ? text : "";
}

/* It stands in the prompt. */
static void set_name(const char *text) {
    char *clean = repl_printable(text);

    snprintf(name, sizeof(name), "%s", clean != NULL ? clean : "?");
    free(clean);
}

static void take(json_t *reply) {
    enum prompt_verb verb = prompt_verb(text_of(reply, "word"));

    free(session);
    session = verb != PROMPT_QUIT ? strdup(text_of(reply, "session")) : NULL;
    is_live = json_is_true(json_object_get(reply, "live"));
    set_name(text_of(reply, "name"));
    answer(verb != PROMPT_VERBS ? verb : PROMPT_FAILED, text_of(reply, "text"),
           text_of(reply, "more"));
}

static void refuse(int status, json_t *reply) {
    struct buf text;

    buf_init(&text, 64 * KIB);
    if (status == 404 && session != NULL && strcmp(text_of(reply, "code"), "not_found") == 0) {
        free(session);
        session = NULL;
        is_live = false;
        snprintf(name, sizeof(name), "dry");
        buf_adds(&text, "the session is over: the next line begins another, as a rehearsal");
    } else if (text_of(reply, "error")[0] != '\0') {
        buf_addf(&text, "%d %s: %s", status, text_of(reply, "code"), text_of(reply, "error"));
        if (status == 401)
            buf_adds(&text,
                     "\nPARAPH_KEY is to hold an API key with the roles `ops` and `review`, or "
                     "a token");
    } else {
        buf_addf(&text, "%d: this is no answer of paraph", status);
    }
    answer(PROMPT_FAILED, text.data, "");
    buf_free(&text);
}

static void on_reply(const struct fetch_reply *r, void *arg) {
    json_t *reply;

    (void)arg;
    request = NULL;
    if (r->err.code != ERR_NONE) {
        answer(PROMPT_FAILED, r->err.message, "");
        return;
    }
    reply = json_loadb((const char *)r->body->data, r->body->len, 0, NULL);
    if (r->status == 200 && json_is_object(reply))
        take(reply);
    else
        refuse(r->status, reply);
    json_decref(reply);
}

/* --- what is asked --------------------------------------------------------------------------- */

static struct blob *make_body(const char *member, const char *text, unsigned columns) {
    json_t *body =
        json_pack("{s:s?, s:i, s:s*}", member, text, "columns", (int)columns, "session", session);
    char *json = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    struct blob *blob = json != NULL ? blob_copy(json, strlen(json)) : NULL;

    free(json);
    json_decref(body);
    return blob;
}

/* The loop would not call back before a start that failed has returned. */
static void on_failed_start(void *arg) {
    struct loop_timer **timer = arg;

    loop_timer_stop(timer);
    answer(PROMPT_FAILED, "this line cannot be sent: it is no UTF-8, or there is no memory", "");
}

static void ask(const char *member, const char *text, unsigned columns, unsigned timeout_ms,
                prompt_done_fn *done, void *arg) {
    static struct loop_timer *failed;
    const struct fetch_header headers[] = {{"Content-Type", "application/json"},
                                           {"Authorization", bearer}};
    struct fetch_request rq = {.method = "POST",
                               .url = url,
                               .headers = headers,
                               .nheaders = bearer != NULL ? 2 : 1,
                               .timeout_ms = timeout_ms};
    struct err e;

    on_answer = done;
    answer_arg = arg;
    if ((rq.body = make_body(member, text, columns)) != NULL)
        request = fetch_start(&rq, on_reply, NULL, &e);
    blob_unref(rq.body);
    if (request == NULL)
        failed = loop_timer_start(0, on_failed_start, &failed);
}

static void run(const char *line, unsigned columns, prompt_done_fn *done, void *arg) {
    ask("line", line, columns, TIMEOUT_MS, done, arg);
}

static void complete(const char *text, unsigned columns, prompt_done_fn *done, void *arg) {
    ask("complete", text, columns, TIMEOUT_MS, done, arg);
}

/* The service notices that nobody waits any more, and cuts off what runs. */
static void interrupt(void) {
    if (request == NULL)
        return;
    fetch_cancel(&request);
    answer(PROMPT_FAILED, "interrupted", "");
}

static const char *get_name(void) {
    return name;
}

static bool get_live(void) {
    return is_live;
}

/* --- the beginning and the end --------------------------------------------------------------- */

static void on_left(const struct prompt_answer *a, void *arg) {
    bool *left = arg;

    (void)a;
    *left = true;
    loop_stop();
}

/* The service has room for a few sessions, and would keep this one for a while. */
static void leave_session(void) {
    bool left = session == NULL;

    if (!left)
        ask("line", ":quit", 80, LEAVE_MS, on_left, &left);
    while (!left)
        loop_run();
}

static void close_all(void) {
    char **texts[] = {&url, &bearer, &session};

    fetch_cancel(&request);
    leave_session();
    fetch_fini();
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
}

static char *join(const char *a, const char *b) {
    struct buf text;
    char *result;

    buf_init(&text, 64 * KIB);
    buf_addf(&text, "%s%s", a, b);
    result = buf_take(&text, NULL);
    buf_free(&text);
    return result;
}

/* An address as one writes it of this machine: no name that only begins like one, and no user. */
static bool stays_here(const char *to) {
    static const char scheme[] = "http://";
    size_t n;
    char host[32];
    struct in_addr v4;

    if (strncmp(to, scheme, strlen(scheme)) != 0)
        return strncmp(to, "https://", 8) == 0;
    to += strlen(scheme);
    n = to[0] == '[' ? strcspn(to, "]") + 1 : strcspn(to, ":/?#");
    if (memchr(to, '@', strcspn(to, "/?#")) != NULL || n >= sizeof(host))
        return false;
    snprintf(host, sizeof(host), "%.*s", (int)n, to);
    return strcmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

struct greeting {
    bool ended, well;
};

static void on_greeting(const struct prompt_answer *a, void *arg) {
    struct greeting *g = arg;

    g->ended = true;
    g->well = a->verb == PROMPT_SHOWN;
    if (!g->well) {
        char *text = repl_printable(a->text);

        fprintf(stderr, "paraph repl: %s: ", url);
        repl_show(stderr, text != NULL ? text : "out of memory");
        free(text);
    }
    loop_stop();
}

/* An empty line begins a session. */
static bool greet(void) {
    struct greeting g = {0};

    run("", 80, on_greeting, &g);
    while (!g.ended)
        loop_run();
    return g.well;
}

const struct repl_peer *repl_attach_open(const char *service) {
    static const struct repl_peer peer = {run,      complete, interrupt, get_name,
                                          get_live, NULL,     close_all};
    const char *key = getenv("PARAPH_KEY");
    size_t n = strlen(service);
    struct err e;

    if (key != NULL && !stays_here(service)) {
        fprintf(stderr, "paraph repl: PARAPH_KEY would be sent in the clear to %s: use https\n",
                service);
        return NULL;
    }
    if (fetch_init(&e) != 0) {
        fprintf(stderr, "paraph repl: %s\n", e.message);
        return NULL;
    }
    url = join(service, n > 0 && service[n - 1] == '/' ? "repl" : "/repl");
    bearer = key != NULL ? join("Bearer ", key) : NULL;
    snprintf(name, sizeof(name), "dry");
    if (url != NULL && greet())
        return &peer;
    close_all();
    return NULL;
}
