/*
 * google_server.h - Google's servers in the test's own process: metadata, IAM, the token endpoint,
 * an API.  Each endpoint counts its calls, keeps the last request, and gives the answers that the
 * test lined up, the last of them again and again.  Included after cmocka.h, by tests of auth.c and
 * google.c, which also find their set-up and tear-down here.
 */
#ifndef GOOGLE_SERVER_H
#define GOOGLE_SERVER_H

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "auth.h"
#include "env.h"
#include "fetch.h"
#include "log.h"
#include "loop.h"

#define REQUEST_MAX (256 * KIB)
#define ANSWERS_MAX 8

enum endpoint {
    OWN,
    EMAIL,
    PROJECT,
    IDENTITY,
    SIGN,
    IMPERSONATE,
    ID_TOKEN,
    REFRESH,
    EXCHANGE,
    API,
    ENDPOINTS
};

struct answer {
    int status; /* 0: close the connection without a word; -1: never answer */
    const char *body;
    const char *headers; /* each with its CRLF */
};

static const struct {
    const char *path, *in_body;
    struct answer good;
} endpoints[ENDPOINTS] = {
    [OWN] = {"/computeMetadata/v1/instance/service-accounts/default/token",
             "",
             {200, "{\"access_token\":\"ya29.own\",\"expires_in\":3600,\"token_type\":\"Bearer\"}",
              "Metadata-Flavor: Google\r\nContent-Type: application/json; charset=utf-8\r\n"}},
    [EMAIL] = {"/computeMetadata/v1/instance/service-accounts/default/email",
               "",
               {200, "sa@project.iam.gserviceaccount.com\n", "Metadata-Flavor: Google\r\n"}},
    [PROJECT] = {"/computeMetadata/v1/project/project-id",
                 "",
                 {200, "the-project", "Metadata-Flavor: Google\r\n"}},
    [IDENTITY] = {"/computeMetadata/v1/instance/service-accounts/default/identity",
                  "",
                  {404, "none", "Metadata-Flavor: Google\r\n"}},
    [SIGN] = {":signJwt",
              "",
              {200, "{\"keyId\":\"k1\",\"signedJwt\":\"eyJhbGciOiJS.eyJpc3Mi.c2ln\"}", ""}},
    [IMPERSONATE] = {":generateAccessToken",
                     "",
                     {200,
                      "{\"accessToken\":\"ya29.impersonated\","
                      "\"expireTime\":\"2999-01-01T00:00:00Z\"}",
                      ""}},
    [ID_TOKEN] = {":generateIdToken", "", {403, "{\"error\":{\"code\":403}}", ""}},
    [REFRESH] = {"/token",
                 "grant_type=refresh_token",
                 {200, "{\"access_token\":\"ya29.person\",\"expires_in\":3599}", ""}},
    [EXCHANGE] = {"/token",
                  "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&",
                  {200, "{\"access_token\":\"ya29.mailbox\",\"expires_in\":3599}", ""}},
    [API] = {"/api", "", {200, "{\"id\":\"m1\"}", "Content-Type: application/json\r\n"}},
};

static struct {
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned live; /* connections */
    bool closed;   /* the gate: answers wait */
    struct {
        unsigned calls;
        struct answer answers[ANSWERS_MAX];
        unsigned nanswers;
        char last[REQUEST_MAX + 1];
    } at[ENDPOINTS];
    unsigned strays;      /* requests to no endpoint */
    const char *outdated; /* token that the API refuses, whatever else it would answer; or NULL */
} google = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* --- the server's side ----------------------------------------------------------------------- */

static void put(int fd, const char *p, size_t n) {
    for (ssize_t sent; n > 0; p += sent, n -= (size_t)sent)
        if ((sent = send(fd, p, n, MSG_NOSIGNAL)) <= 0)
            return;
}

/* One whole request as text; false at the end of the connection. */
static bool read_request(int fd, char *text) {
    size_t len = 0, want = 0;

    while (want == 0 || len < want) {
        ssize_t n = recv(fd, text + len, REQUEST_MAX - len, 0);
        char *end, *length;

        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        if (want == 0 && (end = strstr(text, "\r\n\r\n")) != NULL) {
            length = strcasestr(text, "\r\ncontent-length:");
            want = (size_t)(end + 4 - text) +
                   (length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0);
        }
    }
    return true;
}

static enum endpoint endpoint_of(const char *request) {
    size_t line = strcspn(request, "\r");
    enum endpoint at = 0;

    for (; at < ENDPOINTS; at++) {
        const char *path = strstr(request, endpoints[at].path);

        if (path != NULL && path < request + line && strstr(request, endpoints[at].in_body) != NULL)
            break;
    }
    return at;
}

static struct answer next_answer(enum endpoint at, const char *request) {
    struct answer a = endpoints[at].good;
    unsigned call;

    pthread_mutex_lock(&google.lock);
    call = google.at[at].calls++;
    memcpy(google.at[at].last, request, strlen(request) + 1);
    if (google.at[at].nanswers > 0)
        a = google.at[at]
                .answers[call < google.at[at].nanswers ? call : google.at[at].nanswers - 1];
    if (at == API && google.outdated != NULL && strstr(request, google.outdated) != NULL)
        a = (struct answer){401, "{\"error\":{\"code\":401,\"status\":\"UNAUTHENTICATED\"}}", ""};
    pthread_cond_broadcast(&google.changed);
    while (google.closed)
        pthread_cond_wait(&google.changed, &google.lock);
    pthread_mutex_unlock(&google.lock);
    return a;
}

static bool answer(int fd, const char *request) {
    enum endpoint at = endpoint_of(request);
    struct answer a = {404, "stray", ""};
    char head[1024], byte;
    int n, now = 1;

    if (at == ENDPOINTS) {
        pthread_mutex_lock(&google.lock);
        google.strays++;
        pthread_mutex_unlock(&google.lock);
    } else {
        a = next_answer(at, request);
    }
    while (a.status < 0 && recv(fd, &byte, 1, 0) > 0)
        continue;
    if (a.status <= 0)
        return false;
    n = snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%sContent-Length: %zu\r\n\r\n", a.status,
                 a.headers != NULL ? a.headers : "", strlen(a.body));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &now, sizeof(now));
    put(fd, head, (size_t)n);
    put(fd, a.body, strlen(a.body));
    return true;
}

static void *serve_connection(void *arg) {
    int fd = (int)(intptr_t)arg;
    char *request = malloc(REQUEST_MAX + 1);

    while (request != NULL && read_request(fd, request) && answer(fd, request))
        continue;
    free(request);
    close(fd);
    pthread_mutex_lock(&google.lock);
    google.live--;
    pthread_cond_broadcast(&google.changed);
    pthread_mutex_unlock(&google.lock);
    return NULL;
}

static void *serve(void *arg) {
    pthread_attr_t detached;
    pthread_t thread;
    int fd;

    (void)arg;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    while ((fd = accept4(google.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_mutex_lock(&google.lock);
        google.live++;
        pthread_mutex_unlock(&google.lock);
        if (pthread_create(&thread, &detached, serve_connection, (void *)(intptr_t)fd) != 0)
            abort();
    }
    pthread_attr_destroy(&detached);
    return NULL;
}

/* --- the test's side ------------------------------------------------------------------------- */

static inline void line_up(enum endpoint at, const struct answer *answers, unsigned n) {
    pthread_mutex_lock(&google.lock);
    google.at[at].nanswers = n;
    for (unsigned i = 0; i < n; i++)
        google.at[at].answers[i] = answers[i];
    google.at[at].calls = 0;
    pthread_mutex_unlock(&google.lock);
}

#define ANSWERS(at, ...)                                                                           \
    line_up(at, (const struct answer[]){__VA_ARGS__},                                              \
            sizeof((const struct answer[]){__VA_ARGS__}) / sizeof(struct answer))

static unsigned calls(enum endpoint at) {
    unsigned n;

    pthread_mutex_lock(&google.lock);
    n = google.at[at].calls;
    pthread_mutex_unlock(&google.lock);
    return n;
}

static inline const char *last(enum endpoint at) {
    return google.at[at].last;
}

static void gate(bool closed) {
    pthread_mutex_lock(&google.lock);
    google.closed = closed;
    pthread_cond_broadcast(&google.changed);
    pthread_mutex_unlock(&google.lock);
}

static inline void assert_contains(const char *text, const char *part) {
    if (strcasestr(text, part) == NULL)
        fail_msg("'%s' does not contain '%s'", text, part);
}

static inline void assert_lacks(const char *text, const char *part) {
    if (strcasestr(text, part) != NULL)
        fail_msg("'%s' contains '%s'", text, part);
}

static void on_pause(void *arg) {
    loop_timer_stop(arg);
    loop_stop();
}

/* Let the loop run for so long. */
static inline void run_for(uint64_t ms) {
    struct loop_timer *timer = loop_timer_start(ms, on_pause, &timer);

    loop_run();
    assert_null(timer);
}

struct look {
    enum endpoint at;
    unsigned calls;
    struct loop_timer *timer;
};

static void on_look(void *arg) {
    struct look *look = arg;

    loop_timer_stop(&look->timer);
    if (calls(look->at) < look->calls)
        look->timer = loop_timer_start(2, on_look, look);
    else
        loop_stop();
}

/* Until an endpoint has been called: for requests that are never answered. */
static inline void run_until_called(enum endpoint at, unsigned n) {
    struct look look = {.at = at, .calls = n};

    look.timer = loop_timer_start(0, on_look, &look);
    loop_run();
}

static int fds_before;
static char url_base[64], metadata_host_port[64], token_url[80];

static int open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static void listen_somewhere(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);

    google.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(google.listener, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(google.listener, 1024), 0);
    assert_int_equal(getsockname(google.listener, (struct sockaddr *)&at, &len), 0);
    google.port = ntohs(at.sin_port);
    pthread_create(&google.thread, NULL, serve, NULL);
}

/* On Cloud Run, with all that there is to configure. */
static int set_up(void **state) {
    struct err e;

    (void)state;
    if (loop_init() != 0 || loop_fini() != 0) /* libuv keeps a pipe for signals, once for all */
        return -1;
    fds_before = open_fds();
    memset(google.at, 0, sizeof(google.at));
    google.strays = 0;
    listen_somewhere();
    snprintf(url_base, sizeof(url_base), "http://127.0.0.1:%u", google.port);
    snprintf(metadata_host_port, sizeof(metadata_host_port), "127.0.0.1:%u", google.port);
    snprintf(token_url, sizeof(token_url), "%s/token", url_base);
    unsetenv("GOOGLE_APPLICATION_CREDENTIALS");
    unsetenv("GOOGLE_CLOUD_QUOTA_PROJECT");
    unsetenv("CLOUDSDK_CONFIG");
    setenv("HOME", "/nonexistent", 1);
    env = (struct env){.cloud_run = true,
                       .upstream_timeout = 5,
                       .gce_metadata_host = metadata_host_port,
                       .iam_credentials_url = url_base,
                       .oauth_token_url = token_url,
                       .gmail_scopes = "https://mail.google.com/",
                       .firestore_database = "(default)"};
    log_init(LOG_ERROR, false);
    return loop_init() == 0 && fetch_init(&e) == 0 && auth_init(&e) == 0 ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    gate(false);
    auth_fini();
    assert_int_equal(fetch_count(), 0);
    fetch_fini();
    assert_int_equal(loop_fini(), 0);
    shutdown(google.listener, SHUT_RDWR);
    pthread_join(google.thread, NULL);
    close(google.listener);
    pthread_mutex_lock(&google.lock);
    while (google.live > 0)
        pthread_cond_wait(&google.changed, &google.lock);
    pthread_mutex_unlock(&google.lock);
    assert_int_equal(google.strays, 0);
    assert_int_equal(open_fds(), fds_before);
    return 0;
}

#endif
