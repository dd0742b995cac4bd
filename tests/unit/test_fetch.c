#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <malloc.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#include <curl/curl.h>

#include "canned_server.h"
#include "crypto.h"
#include "env.h"
#include "fetch.h"
#include "fetch_peer.h"
#include "loop.h"
#include "tls_server.h"

/* --- each test ------------------------------------------------------------------------------- */

static int fds_before;

static int open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static int set_up(void **state) {
    struct err e;

    (void)state;
    fds_before = open_fds();
    env.upstream_timeout = 5;
    server_start();
    return loop_init() == 0 && fetch_init(&e) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    fetch_fini();
    assert_int_equal(fetch_count(), 0);
    assert_int_equal(loop_fini(), 0);
    server_stop();
    assert_int_equal(open_fds(), fds_before);
    return 0;
}

struct outcome {
    unsigned calls;
    struct err err;
    bool sent, lasting;
    int status;
    const struct fetch_header *headers;
    size_t nheaders;
    struct blob *body;
};

static void on_done(const struct fetch_reply *reply, void *arg) {
    struct outcome *o = arg;

    o->calls++;
    o->err = reply->err;
    o->sent = reply->sent;
    o->lasting = reply->lasting;
    o->status = reply->status;
    o->headers = reply->headers;
    o->nheaders = reply->nheaders;
    o->body = reply->body != NULL ? blob_ref(reply->body) : NULL;
}

static void forget(struct outcome *o) {
    blob_unref(o->body);
    *o = (struct outcome){0};
}

static const char *header(const struct outcome *o, const char *name) {
    for (size_t i = 0; i < o->nheaders; i++)
        if (strcmp(o->headers[i].name, name) == 0)
            return o->headers[i].value;
    return NULL;
}

static const char *url_of(const char *path) {
    static char url[256];

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server.port, path);
    return url;
}

static struct fetch *start(struct fetch_request rq, const char *path, fetch_done_fn *done,
                           void *arg) {
    struct err e = {0};
    struct fetch *f;

    rq.url = url_of(path);
    f = fetch_start(&rq, done, arg, &e);
    assert_string_equal(e.message, "");
    assert_non_null(f);
    return f;
}

/* The whole exchange; the loop ends by itself when nothing is left to wait for. */
static void get(struct outcome *o, const char *path) {
    *o = (struct outcome){0};
    start((struct fetch_request){0}, path, on_done, o);
    assert_int_equal(fetch_count(), 1);
    assert_int_equal(o->calls, 0);
    loop_run();
    assert_int_equal(fetch_count(), 0);
    assert_int_equal(o->calls, 1);
}

static void assert_body(const struct outcome *o, const char *want) {
    assert_int_equal(o->err.code, ERR_NONE);
    assert_non_null(o->body);
    assert_int_equal(o->body->len, strlen(want));
    assert_memory_equal(o->body->data, want, strlen(want));
}

static void assert_contains(const char *text, const char *part) {
    if (strstr(text, part) == NULL)
        fail_msg("'%s' does not contain '%s'", text, part);
}

static void assert_lacks(const char *text, const char *part) {
    if (strcasestr(text, part) != NULL)
        fail_msg("'%s' contains '%s'", text, part);
}

static void test_answers(void **state) {
    static const struct {
        const char *path;
        int status;
        const char *body;
    } cases[] = {
        {"/hello", 200, "hello"},
        {"/204", 204, ""},
        {"/404", 404, "none"},
        {"/503", 503, ""},
        {"/redirect", 302, ""},
        {"/chunked", 200, "hello world"},
        {"/hints", 200, "ok"},
        {"/gzip", 200, "\x1f\x8b\x08"},
        {"/until-closed", 200, "all of it"},
        {"/many-headers", 200, "ok"},
    };
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        get(&o, cases[i].path);
        assert_body(&o, cases[i].body);
        assert_int_equal(o.status, cases[i].status);
        forget(&o);
    }
}

static void test_failures(void **state) {
    static const struct {
        const char *path, *says;
        bool lasting;
    } cases[] = {
        {"/truncated", "41 bytes remaining", false},
        {"/truncated-chunk", "", false},
        {"/truncated-head", "in its head", false},
        {"/bad-chunk", "", false},
        {"/garbage", "", false},
        {"/silent", "Empty reply", false},
        {"/reset", "reset", false},
        {"/too-many-headers", "the answer's head has more than 65536 bytes", true},
        {"/large", "8388608 bytes", true},
    };
    struct outcome o;
    char origin[64];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        get(&o, cases[i].path);
        assert_int_equal(o.err.code, ERR_FETCH_ERROR);
        assert_contains(o.err.message, cases[i].says);
        snprintf(origin, sizeof(origin), "http://127.0.0.1:%u failed", server.port);
        assert_contains(o.err.message, origin);
        assert_true(o.sent);
        assert_int_equal(o.lasting, cases[i].lasting);
        assert_int_equal(o.status, 0);
        assert_null(o.body);
    }
}

static void test_reply_headers(void **state) {
    struct outcome o;

    (void)state;
    get(&o, "/hello");
    assert_int_equal(o.nheaders, 6);
    assert_string_equal(header(&o, "x-mixed-case"), "A b");
    assert_string_equal(header(&o, "x-empty"), "");
    assert_string_equal(header(&o, "x-folded"), "one two");
    assert_string_equal(o.headers[3].name, "set-cookie");
    assert_string_equal(o.headers[3].value, "a=1");
    assert_string_equal(o.headers[4].value, "b=2");
    forget(&o);

    get(&o, "/hints"); /* of the last response alone */
    assert_null(header(&o, "link"));
    assert_string_equal(header(&o, "x-final"), "1");
    forget(&o);

    get(&o, "/chunked"); /* trailers are not headers */
    assert_null(header(&o, "x-late"));
    forget(&o);
}

static void test_request_head(void **state) {
    static const struct fetch_header headers[] = {{"X-One", "1"},
                                                  {"Authorization", "Bearer secret"},
                                                  {"X-Empty", ""},
                                                  {"X-Utf8", "gr\xc3\xbc\xc3\x9f"}};
    static const struct {
        const char *method;
        const char *body;
        const char *line, *has, *lacks;
    } cases[] = {
        {NULL, NULL, "GET /echo-head?q=1 HTTP/1.1\r\n", "\r\nUser-Agent: paraph/", "Content-"},
        {"DELETE", NULL, "DELETE /echo-head?q=1 HTTP/1.1\r\n", "", "Content-"},
        {"POST", NULL, "POST /echo-head?q=1 HTTP/1.1\r\n", "\r\nContent-Length: 0\r\n", "Expect"},
        {"POST", "", "POST /echo-head?q=1 HTTP/1.1\r\n", "\r\nContent-Length: 0\r\n", "-Type"},
        {"PATCH", "abc", "PATCH /echo-head?q=1 HTTP/1.1\r\n", "\r\nContent-Length: 3\r\n", "-Type"},
        {"DELETE", "ab", "DELETE /echo-head?q=1 HTTP/1.1\r\n", "\r\nContent-Length: 2\r\n", "-Enc"},
        {"GET", NULL, "GET /echo-head?q=1 HTTP/1.1\r\n", "", "Content-"}, /* nothing is left */
    };
    struct fetch_request rq = {.headers = headers, .nheaders = COUNT_OF(headers)};
    struct outcome o = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct blob *body =
            cases[i].body != NULL ? blob_copy(cases[i].body, strlen(cases[i].body)) : NULL;
        char *head;

        rq.method = cases[i].method;
        rq.body = body;
        start(rq, "/echo-head?q=1", on_done, &o);
        blob_unref(body);
        loop_run();
        assert_int_equal(o.status, 200);
        head = strndup(o.body->data, o.body->len);
        assert_memory_equal(head, cases[i].line, strlen(cases[i].line));
        assert_contains(head, cases[i].has);
        assert_lacks(head, cases[i].lacks);
        assert_contains(head, "\r\nX-One: 1\r\n");
        assert_contains(head, "\r\nX-Empty:\r\n");
        assert_contains(head, "\r\nX-Utf8: gr\xc3\xbc\xc3\x9f\r\n");
        free(head);
        forget(&o);
    }
}

static void test_user_agent_is_the_callers(void **state) {
    static const struct fetch_header headers[] = {{"user-agent", "theirs"}};
    struct outcome o = {0};

    (void)state;
    start((struct fetch_request){.headers = headers, .nheaders = 1}, "/echo-head", on_done, &o);
    loop_run();
    assert_non_null(memmem(o.body->data, o.body->len, "\r\nuser-agent: theirs\r\n", 22));
    assert_null(memmem(o.body->data, o.body->len, "paraph/", 7));
    forget(&o);
}

/* What is in blocks when they are freed, while something is planted (volatile: to compilers free()
 * is no function that looks at variables).  --wrap puts this in place of it. */
static const char *volatile planted;
static volatile unsigned blocks_readable;

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p) {
    if (planted != NULL && p != NULL &&
        memmem(p, malloc_usable_size(p), planted, strlen(planted)) != NULL)
        blocks_readable++;
    __real_free(p);
}

static void test_search_of_freed_blocks_finds(void **state) {
    char *copy = strdup("a-token-of-ours");

    (void)state;
    blocks_readable = 0;
    planted = "a-token-of-ours";
    free(copy);
    planted = NULL;
    assert_int_equal(blocks_readable, 1);
}

static void test_request_head_is_wiped(void **state) {
    static const struct fetch_header headers[] = {{"X-Token", "a-token-of-ours"}};
    struct outcome o = {0};

    (void)state;
    blocks_readable = 0;
    planted = headers[0].value;
    start((struct fetch_request){.headers = headers, .nheaders = 1}, "/hello", on_done, &o);
    loop_run();
    planted = NULL;
    assert_int_equal(o.calls, 1);
    assert_int_equal(blocks_readable, 0);
    forget(&o);
}

static void test_answer_is_wiped(void **state) {
    static const struct fetch_header headers[] = {{"X-Token", "a-token-of-ours"}};
    struct fetch *f;
    struct outcome o = {0};

    (void)state;
    blocks_readable = 0;
    start((struct fetch_request){.headers = headers, .nheaders = 1}, "/echo-head", on_done, &o);
    loop_run();
    assert_non_null(memmem(o.body->data, o.body->len, headers[0].value, 15));
    planted = headers[0].value;
    forget(&o);
    /* Nor one that nobody waits for any more. */
    f = start((struct fetch_request){.headers = headers, .nheaders = 1}, "/echo-head", on_done, &o);
    fetch_cancel(&f);
    planted = NULL;
    assert_int_equal(blocks_readable, 0);
}

static void test_head(void **state) {
    struct outcome o = {0};

    (void)state;
    start((struct fetch_request){.method = "HEAD", .max_bytes = 1}, "/404", on_done, &o);
    loop_run();
    assert_body(&o, "");
    assert_int_equal(o.status, 404);
    assert_string_equal(header(&o, "content-length"), "4");
    forget(&o);
}

static void test_content_type_is_the_callers(void **state) {
    static const struct fetch_header headers[] = {{"content-TYPE", "text/plain"}};
    struct outcome o = {0};

    (void)state;
    start((struct fetch_request){.method = "POST", .headers = headers, .nheaders = 1}, "/echo-head",
          on_done, &o);
    loop_run();
    assert_int_equal(o.status, 200);
    assert_non_null(memmem(o.body->data, o.body->len, "\r\ncontent-TYPE: text/plain\r\n", 28));
    assert_null(memmem(o.body->data, o.body->len, "urlencoded", 10));
    forget(&o);
}

static void test_malformed_requests(void **state) {
    static const struct {
        const char *url, *method, *name, *value, *says;
    } cases[] = {
        {"", NULL, NULL, NULL, "URL"},
        {"example.com/x", NULL, NULL, NULL, "URL"},
        {"/path", NULL, NULL, NULL, "URL"},
        {"ftp://example.com/", NULL, NULL, NULL, "URL"},
        {"file:///etc/passwd", NULL, NULL, NULL, "URL"},
        {"http://", NULL, NULL, NULL, "URL"},
        {"http://a b/", NULL, NULL, NULL, "URL"},
        {"http://a/\r\nX: 1", NULL, NULL, NULL, "URL"},
        {"http://a:99999/", NULL, NULL, NULL, "URL"},
        {"http://a/", "GE T", NULL, NULL, "method"},
        {"http://a/", "", NULL, NULL, "method"},
        {"http://a/", "GET\r\nX: 1", NULL, NULL, "method"},
        {"http://a/", NULL, "", "x", "token"},
        {"http://a/", NULL, "X Y", "x", "token"},
        {"http://a/", NULL, "X:", "x", "token"},
        {"http://a/", NULL, "X\r\nY", "x", "token"},
        {"http://a/", NULL, "X", "a\r\nY: b", "control"},
        {"http://a/", NULL, "X", "a\nb", "control"},
        {"http://a/", NULL, "X", "\x7f", "control"},
        {"http://a/", NULL, "Content-Length", "5", "not for callers"},
        {"http://a/", NULL, "transfer-encoding", "chunked", "not for callers"},
        {"http://a/", NULL, "Expect", "100-continue", "not for callers"},
    };
    struct outcome o = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct fetch_header h = {cases[i].name, cases[i].value};
        struct fetch_request rq = {.url = cases[i].url, .method = cases[i].method};
        struct err e = {0};

        if (h.name != NULL) {
            rq.headers = &h;
            rq.nheaders = 1;
        }
        assert_null(fetch_start(&rq, on_done, &o, &e));
        assert_int_equal(e.code, ERR_INTERNAL_ERROR);
        assert_contains(e.message, cases[i].says);
        assert_int_equal(fetch_count(), 0);
    }
    loop_run();
    assert_int_equal(o.calls, 0);
}

static void test_nothing_sent(void **state) {
    static const char *const urls[] = {"http://127.0.0.1:%u/?key=topsecret", /* nobody listens */
                                       "http://user:topsecret@127.0.0.1:%u/",
                                       "http://name.invalid:%u/topsecret"};
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct fetch_header h = {"Authorization", "Bearer topsecret"};
    struct fetch_request rq = {.method = "POST", .headers = &h, .nheaders = 1};
    struct outcome o = {0};
    struct err e;
    char url[64];

    (void)state;
    assert_int_equal(bind(taken, (struct sockaddr *)&at, sizeof(at)), 0); /* and never listens */
    assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
    rq.url = url;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        snprintf(url, sizeof(url), urls[i], ntohs(at.sin_port));
        assert_non_null(fetch_start(&rq, on_done, &o, &e));
        loop_run();
        assert_int_equal(o.calls, 1);
        assert_true(o.err.code == ERR_FETCH_ERROR || o.err.code == ERR_TIMEOUT);
        assert_false(o.sent);
        assert_false(o.lasting);
        assert_lacks(o.err.message, "topsecret");
        assert_contains(o.err.message, i == 2 ? "http://name.invalid:" : "http://127.0.0.1:");
        forget(&o);
    }
    close(taken);
}

/* A name that the resolver's thread looks up. */
static void test_names(void **state) {
    char name[128] = "", url[256];
    struct addrinfo hints = {.ai_family = AF_INET}, *found = NULL;
    struct outcome o = {0};
    struct err e;
    bool here;

    (void)state;
    gethostname(name, sizeof(name) - 1);
    here = getaddrinfo(name, NULL, &hints, &found) == 0 &&
           ((struct sockaddr_in *)found->ai_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
    if (found != NULL)
        freeaddrinfo(found);
    if (!here)
        skip();
    snprintf(url, sizeof(url), "http://%s:%u/until-closed", name, server.port);
    for (int i = 0; i < 3; i++) {
        assert_non_null(fetch_start(&(struct fetch_request){.url = url}, on_done, &o, &e));
        loop_run();
        assert_body(&o, "all of it");
        forget(&o);
    }
}

static void test_timeouts(void **state) {
    static const char *const paths[] = {"/never", "/half"};
    struct outcome o = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        start((struct fetch_request){.timeout_ms = 100}, paths[i], on_done, &o);
        loop_run();
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.err.code, ERR_TIMEOUT);
        assert_contains(o.err.message, "timed out");
        assert_true(o.sent);
        forget(&o);
    }
}

static void test_max_bytes(void **state) {
    static const char *const paths[] = {"/hello", "/chunked", "/until-closed"};
    static const size_t sizes[] = {5, 11, 9};
    struct outcome o = {0};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        start((struct fetch_request){.max_bytes = sizes[i]}, paths[i], on_done, &o);
        loop_run();
        assert_int_equal(o.status, 200);
        forget(&o);
        start((struct fetch_request){.max_bytes = sizes[i] - 1}, paths[i], on_done, &o);
        loop_run();
        assert_int_equal(o.err.code, ERR_FETCH_ERROR);
        assert_contains(o.err.message, "the answer has more than");
        forget(&o);
    }
}

static void test_connection_is_reused(void **state) {
    struct outcome o;

    (void)state;
    for (int i = 0; i < 20; i++) {
        get(&o, i % 2 == 0 ? "/hello" : "/chunked");
        assert_int_equal(o.status, 200);
        forget(&o);
    }
    assert_int_equal(server.requests, 20);
    assert_int_equal(server.connections, 1);
}

/* The server closes an idle connection: the next request takes another. */
static void test_idle_connection_is_closed(void **state) {
    struct outcome o;

    (void)state;
    for (int i = 0; i < 5; i++) {
        get(&o, "/hello");
        assert_int_equal(o.status, 200);
        forget(&o);
        get(&o, "/until-closed");
        assert_int_equal(o.status, 200);
        forget(&o);
    }
    assert_int_equal(server.requests, 10);
    assert_int_equal(server.connections, 5);
}

/* All are held until the last has arrived, twice: so all were under way at once. */
static void test_parallel(void **state) {
    static struct outcome o[PARALLEL];

    (void)state;
    for (int round = 0; round < 2; round++) {
        server.waiting = 0;
        for (size_t i = 0; i < PARALLEL; i++)
            start((struct fetch_request){0}, "/together", on_done, &o[i]);
        assert_int_equal(fetch_count(), PARALLEL);
        loop_run();
        for (size_t i = 0; i < PARALLEL; i++) {
            assert_int_equal(o[i].calls, 1);
            assert_body(&o[i], "together");
            forget(&o[i]);
        }
        assert_int_equal(server.connections, PARALLEL);
    }
}

static void test_large_body(void **state) {
    const size_t size = 5 * MIB;
    char *bytes = malloc(size), hex[CRYPTO_SHA256_HEX];
    struct blob *body;
    struct outcome o = {0};

    (void)state;
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    crypto_sha256_hex(hex, bytes, size);
    body = blob_own(bytes, size);
    for (int i = 0; i < 2; i++) {
        start((struct fetch_request){.method = i == 0 ? "POST" : "PUT", .body = body}, "/digest",
              on_done, &o);
        assert_int_equal(body->refs, 2);
        loop_run();
        assert_body(&o, hex);
        assert_int_equal(body->refs, 1);
        forget(&o);
    }
    blob_unref(body);
}

/* More than all the buffers on the way hold, so that it cannot be sent to the end. */
static void test_early_refusal(void **state) {
    const size_t size = 64 * MIB;
    struct blob *body = blob_own(calloc(1, size), size);
    struct outcome o = {0};

    (void)state;
    start((struct fetch_request){.method = "POST", .body = body}, "/early", on_done, &o);
    blob_unref(body);
    loop_run();
    assert_int_equal(o.calls, 1);
    assert_body(&o, "too");
    assert_int_equal(o.status, 413);
    assert_string_equal(header(&o, "x-early"), "yes");
    forget(&o);
}

/* --- cancelling, starting from done, ending -------------------------------------------------- */

struct chain {
    struct fetch *other;
    struct outcome outcome;
    unsigned calls;
};

static void cancel_the_other(const struct fetch_reply *reply, void *arg) {
    struct chain *c = arg;

    assert_int_equal(reply->status, 200);
    c->calls++;
    fetch_cancel(&c->other);
    assert_null(c->other);
    fetch_cancel(&c->other);
}

static void test_cancel_in_flight(void **state) {
    struct chain c = {0};

    (void)state;
    c.other = start((struct fetch_request){0}, "/never", on_done, &c.outcome);
    start((struct fetch_request){0}, "/after-never", cancel_the_other, &c);
    loop_run();
    assert_int_equal(c.calls, 1);
    assert_int_equal(c.outcome.calls, 0);
    assert_int_equal(fetch_count(), 0);
}

static void test_cancel_before_the_first_turn(void **state) {
    struct blob *body = blob_copy("x", 1);
    struct outcome o = {0};
    struct fetch *f = start((struct fetch_request){.body = body}, "/hello", on_done, &o);

    (void)state;
    fetch_cancel(&f);
    assert_int_equal(body->refs, 1);
    blob_unref(body);
    loop_run();
    assert_int_equal(o.calls, 0);
    assert_int_equal(server.requests, 0);
}

static void start_another(const struct fetch_reply *reply, void *arg) {
    struct chain *c = arg;

    assert_int_equal(reply->status, 200);
    if (++c->calls < 10)
        start((struct fetch_request){0}, "/hello", start_another, c);
    else
        start((struct fetch_request){0}, "/404", on_done, &c->outcome);
}

static void test_start_from_done(void **state) {
    struct chain c = {0};

    (void)state;
    start((struct fetch_request){0}, "/hello", start_another, &c);
    loop_run();
    assert_int_equal(c.calls, 10);
    assert_int_equal(c.outcome.status, 404);
    assert_int_equal(server.connections, 1);
    forget(&c.outcome);
}

static void refused_at_the_end(const struct fetch_reply *reply, void *arg) {
    struct outcome *o = arg;
    struct fetch_request rq = {.url = url_of("/hello")};
    struct err e = {0};

    on_done(reply, o);
    assert_null(fetch_start(&rq, on_done, o, &e));
    assert_int_equal(e.code, ERR_SHUTTING_DOWN);
}

static void test_fini_ends_what_is_under_way(void **state) {
    struct outcome o[3] = {0};
    struct err e;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(o); i++)
        start((struct fetch_request){0}, "/never", refused_at_the_end, &o[i]);
    uv_run(loop_uv(), UV_RUN_NOWAIT);
    fetch_fini();
    for (size_t i = 0; i < COUNT_OF(o); i++) {
        assert_int_equal(o[i].calls, 1);
        assert_int_equal(o[i].err.code, ERR_FETCH_ERROR);
        assert_contains(o[i].err.message, "shutting down");
    }
    uv_run(loop_uv(), UV_RUN_NOWAIT); /* so that tear_down() can begin anew */
    assert_int_equal(fetch_init(&e), 0);
}

/* --- once and no more ------------------------------------------------------------------------ */

/* A reused connection breaks after the request has been read: the server may have acted on it. */
static void test_post_is_not_repeated(void **state) {
    static const char *const bodies[] = {"x", NULL};
    struct outcome o;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        struct blob *body = bodies[i] != NULL ? blob_copy(bodies[i], strlen(bodies[i])) : NULL;
        unsigned before = server.requests;

        get(&o, "/once");
        assert_body(&o, "once");
        forget(&o);
        start((struct fetch_request){.method = "POST", .body = body}, "/once", on_done, &o);
        blob_unref(body);
        loop_run();
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.err.code, ERR_FETCH_ERROR);
        assert_contains(o.err.message, "the connection broke before an answer came");
        assert_true(o.sent);
        assert_int_equal(server.requests - before, 2);
    }
}

static void test_get_is_repeated(void **state) {
    struct outcome o;

    (void)state;
    get(&o, "/once");
    forget(&o);
    get(&o, "/once");
    assert_body(&o, "once");
    forget(&o);
    assert_int_equal(server.requests, 3);
    assert_int_equal(server.connections, 2);
}

/* However often before: curl has a limit of five for as long as a handle lives. */
static void test_get_is_repeated_each_time(void **state) {
    struct outcome o;

    (void)state;
    for (int i = 0; i < 20; i++) {
        get(&o, "/once");
        assert_body(&o, "once");
        forget(&o);
    }
}

/* --- TLS ------------------------------------------------------------------------------------- */

static void test_unknown_certificate(void **state) {
    struct tls_server s; /* OpenSSL's own, for tests */
    char *const argv[] = {(char[]){"openssl"},
                          (char[]){"s_server"},
                          (char[]){"-accept"},
                          (char[]){"127.0.0.1:0"},
                          (char[]){"-www"},
                          (char[]){"-key"},
                          s.key,
                          (char[]){"-cert"},
                          s.cert,
                          NULL};
    struct outcome o = {0};
    struct err e;
    char url[64];

    (void)state;
    make_certificate(&s);
    start_tls(&s, argv, "ACCEPT 127.0.0.1:%u");
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/?key=topsecret", s.port);
    assert_non_null(fetch_start(&(struct fetch_request){.url = url}, on_done, &o, &e));
    loop_run();
    stop_tls(&s);
    assert_int_equal(o.err.code, ERR_FETCH_ERROR);
    assert_contains(o.err.message, "certificate");
    assert_contains(o.err.message, "https://127.0.0.1:");
    assert_lacks(o.err.message, "topsecret");
    assert_false(o.sent);
    assert_true(o.lasting);
}

/* A server that does not speak TLS at all. */
static void test_tls_with_a_plain_server(void **state) {
    struct outcome o = {0};
    struct err e;
    char url[64];

    (void)state;
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", server.port);
    assert_non_null(
        fetch_start(&(struct fetch_request){.url = url, .timeout_ms = 200}, on_done, &o, &e));
    loop_run();
    assert_int_equal(o.calls, 1);
    assert_true(o.err.code == ERR_TIMEOUT || o.err.code == ERR_FETCH_ERROR);
    assert_false(o.sent);
}

static void test_metadata_addresses(void **state) {
    static const struct {
        const char *ip;
        bool refused;
    } cases[] = {{"169.254.169.254", true}, {"169.254.0.1", true},
                 {"169.253.0.1", false},    {"127.0.0.1", false},
                 {"fe80::1", true},         {"::ffff:169.254.169.254", true},
                 {"fd20:ce::254", true},    {"fd00:ec2::254", true},
                 {"fd00::1", false},        {"::1", false},
                 {"nonsense", false}};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (fetch_peer_is_metadata(cases[i].ip) != cases[i].refused)
            fail_msg("%s", cases[i].ip);
}

/* Neither a connection of its own, nor one that others have opened, be it by a name. */
static void test_private_peers_are_refused(void **state) {
    struct outcome o = {0};

    (void)state;
    for (int others = 0; others <= 1; others++) {
        if (others == 1) {
            get(&o, "/hello");
            forget(&o);
        }
        o = (struct outcome){0};
        start((struct fetch_request){.public_only = true}, "/hello", on_done, &o);
        loop_run();
        assert_int_equal(o.calls, 1);
        assert_int_equal(o.err.code, ERR_FETCH_ERROR);
        assert_contains(o.err.message, "this address is private");
        assert_int_equal(server.requests, others);
        assert_int_equal(server.connections, others);
    }
}

/* By hand from IANA's registries of special-purpose addresses, each block at both of its ends and
 * beside them. */
static void test_public_addresses(void **state) {
    static const struct {
        const char *ip;
        bool is_public;
    } cases[] = {
        {"0.0.0.0", false},
        {"0.255.255.255", false},
        {"1.0.0.0", true},
        {"9.255.255.255", true},
        {"10.0.0.0", false},
        {"10.255.255.255", false},
        {"11.0.0.0", true},
        {"100.63.255.255", true},
        {"100.64.0.0", false},
        {"100.127.255.255", false},
        {"100.128.0.0", true},
        {"126.255.255.255", true},
        {"127.0.0.1", false},
        {"127.255.255.255", false},
        {"128.0.0.0", true},
        {"169.253.255.255", true},
        {"169.254.0.0", false},
        {"169.254.169.254", false},
        {"169.255.0.0", true},
        {"172.15.255.255", true},
        {"172.16.0.0", false},
        {"172.31.255.255", false},
        {"172.32.0.0", true},
        {"191.255.255.255", true},
        {"192.0.0.0", false},
        {"192.0.0.255", false},
        {"192.0.1.0", true},
        {"192.0.2.0", false},
        {"192.0.2.255", false},
        {"192.0.3.0", true},
        {"192.88.98.255", true},
        {"192.88.99.0", false},
        {"192.88.100.0", true},
        {"192.167.255.255", true},
        {"192.168.0.0", false},
        {"192.168.255.255", false},
        {"192.169.0.0", true},
        {"198.17.255.255", true},
        {"198.18.0.0", false},
        {"198.19.255.255", false},
        {"198.20.0.0", true},
        {"198.51.99.255", true},
        {"198.51.100.0", false},
        {"198.51.101.0", true},
        {"203.0.112.255", true},
        {"203.0.113.255", false},
        {"203.0.114.0", true},
        {"223.255.255.255", true},
        {"224.0.0.0", false},
        {"239.255.255.255", false},
        {"240.0.0.0", false},
        {"255.255.255.255", false},
        {"8.8.8.8", true},
        {"::", false},
        {"::1", false},
        {"::127.0.0.1", false},
        {"::8.8.8.8", false},
        {"::ffff:127.0.0.1", false},
        {"::ffff:10.1.2.3", false},
        {"::ffff:8.8.8.8", true},
        {"::ffff:0:8.8.8.8", false},
        {"64:ff9b::127.0.0.1", false},
        {"64:ff9b::169.254.169.254", false},
        {"64:ff9b::8.8.8.8", true},
        {"64:ff9b:1::8.8.8.8", false},
        {"100::1", false},
        {"2001::1", false},
        {"2001:1ff:ffff::1", false},
        {"2001:200::1", true},
        {"2001:db7:ffff::1", true},
        {"2001:db8::1", false},
        {"2001:db9::1", true},
        {"2002:7f00:1::1", false},
        {"2002:c0a8:101::1", false},
        {"2002:808:808::1", true},
        {"2003::1", true},
        {"2600:1901::1", true},
        {"2a00:1450:4001::1", true},
        {"3ffe:ffff::1", true},
        {"3fff::1", false},
        {"3fff:fff:ffff::1", false},
        {"3fff:1000::1", true},
        {"4000::1", false},
        {"5f00::1", false},
        {"fc00::1", false},
        {"fdff::1", false},
        {"fe80::1", false},
        {"fec0::1", false},
        {"ff02::1", false},
        {"fe80::1%eth0", false},
        {"nonsense", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        if (fetch_peer_is_public(cases[i].ip) != cases[i].is_public)
            fail_msg("%s", cases[i].ip);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata_addresses),
        cmocka_unit_test(test_public_addresses),
        TEST(test_answers),
        TEST(test_failures),
        TEST(test_reply_headers),
        TEST(test_request_head),
        TEST(test_user_agent_is_the_callers),
        TEST(test_request_head_is_wiped),
        TEST(test_search_of_freed_blocks_finds),
        TEST(test_answer_is_wiped),
        TEST(test_head),
        TEST(test_content_type_is_the_callers),
        TEST(test_malformed_requests),
        TEST(test_nothing_sent),
        TEST(test_names),
        TEST(test_timeouts),
        TEST(test_max_bytes),
        TEST(test_connection_is_reused),
        TEST(test_private_peers_are_refused),
        TEST(test_idle_connection_is_closed),
        TEST(test_parallel),
        TEST(test_large_body),
        TEST(test_early_refusal),
        TEST(test_cancel_in_flight),
        TEST(test_cancel_before_the_first_turn),
        TEST(test_start_from_done),
        TEST(test_fini_ends_what_is_under_way),
        TEST(test_post_is_not_repeated),
        TEST(test_get_is_repeated),
        TEST(test_get_is_repeated_each_time),
        TEST(test_unknown_certificate),
        TEST(test_tls_with_a_plain_server),
    };

    /* libuv keeps a pair of descriptors from its first loop on, which would look like a leak */
    if (loop_init() != 0 || loop_fini() != 0)
        return 1;
    setenv("http_proxy", "http://127.0.0.1:1", 1); /* has no say */
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
