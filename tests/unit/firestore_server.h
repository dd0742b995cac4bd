/*
 * firestore_server.h - Google's own Firestore emulator as a child process, where it is installed,
 * and a server in front of it that does harm on demand: it loses answers, or gives canned ones.
 *
 * Included after cmocka.h, by one test.
 */
#ifndef FIRESTORE_SERVER_H
#define FIRESTORE_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base.h"

#define EMULATOR_JAR "platform/cloud-firestore-emulator/cloud-firestore-emulator.jar"

/* What is done to a request, one after another.  What no act is left for is passed on. */
enum harm {
    PASS, /* to the emulator, and its answer back */
    LOSE, /* to the emulator, but nothing back */
    ANSWER,
    HOLD /* until the client leaves, or `released` */
};

struct act {
    const char *to; /* only for a request with this in its first line or body; NULL: any */
    enum harm harm;
    int status;
    const char *body; /* of ANSWER; "$TAG" becomes that of the last write that was seen */
};

static struct {
    pid_t emulator; /* 0: there is none */
    unsigned emulator_port;
    int listener;
    unsigned port;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    const struct act *acts;
    size_t nacts;
    unsigned live; /* connections now */
    unsigned held;
    bool released; /* those held: without an answer */
    char tag[64];
} server = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* --- sockets --------------------------------------------------------------------------------- */

static int listen_anywhere(unsigned *port) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        abort();
    *port = ntohs(at.sin_port);
    return fd;
}

static int connect_to(unsigned port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
        return fd;
    close(fd);
    return -1;
}

static void put(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

        if (sent <= 0)
            return;
        p += sent;
        n -= (size_t)sent;
    }
}

/* Read on; false at the end.  What *data holds is followed by a NUL. */
static bool read_more(int fd, char **data, size_t *len, size_t *room) {
    ssize_t n;

    if (*len == *room) {
        *room = *room == 0 ? 64 * KIB : 2 * *room;
        if ((*data = realloc(*data, *room + 1)) == NULL)
            abort();
        (*data)[*len] = '\0';
    }
    if ((n = recv(fd, *data + *len, *room - *len, 0)) <= 0)
        return false;
    *len += (size_t)n;
    (*data)[*len] = '\0';
    return true;
}

/* Has all of an answer come, of which the head says the length? */
static bool is_whole(const char *answer, size_t len) {
    const char *end = strstr(answer, "\r\n\r\n"), *length;

    if (end == NULL || (length = strcasestr(answer, "\r\ncontent-length:")) == NULL)
        return false;
    return len >= (size_t)(end + 4 - answer) + strtoul(length + 17, NULL, 10);
}

/* The emulator's whole answer, head and all; the caller frees it.  It keeps the connection open,
 * whatever it is asked. */
static char *ask_emulator(const char *method, const char *path, const char *body, size_t len,
                          size_t *answer_len) {
    char *answer = NULL, head[8192];
    int fd = connect_to(server.emulator_port);
    size_t room = 0;

    *answer_len = 0;
    snprintf(head, sizeof(head),
             "%s %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer owner\r\n"
             "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
             method, path, len);
    put(fd, head, strlen(head));
    put(fd, body, len);
    while (read_more(fd, &answer, answer_len, &room) && !is_whole(answer, *answer_len))
        continue;
    close(fd);
    return answer;
}

/* --- the emulator ---------------------------------------------------------------------------- */

static bool find_emulator(char *jar, size_t size) {
    static const char *const roots[] = {"/usr/lib/google-cloud-sdk", "/opt/google-cloud-sdk",
                                        "/snap/google-cloud-cli/current",
                                        "/usr/share/google-cloud-sdk"};
    const char *named = getenv("FIRESTORE_EMULATOR_JAR"), *home = getenv("HOME");

    if (named != NULL) {
        snprintf(jar, size, "%s", named);
        return access(jar, R_OK) == 0;
    }
    for (size_t i = 0; i < COUNT_OF(roots); i++) {
        snprintf(jar, size, "%s/%s", roots[i], EMULATOR_JAR);
        if (access(jar, R_OK) == 0)
            return true;
    }
    snprintf(jar, size, "%s/google-cloud-sdk/%s", home == NULL ? "" : home, EMULATOR_JAR);
    return access(jar, R_OK) == 0;
}

static void run_emulator(const char *jar) {
    char port[32];

    snprintf(port, sizeof(port), "--port=%u", server.emulator_port);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    if (freopen("/dev/null", "w", stdout) == NULL || freopen("/dev/null", "w", stderr) == NULL)
        _exit(127);
    execlp("java", "java", "-Duser.language=en", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", jar,
           "com.google.cloud.datastore.emulator.firestore.CloudFirestore", "start",
           "--host=127.0.0.1", port, (char *)NULL);
    _exit(127);
}

/* False, and a line that says why, if there is none to be had. */
static bool emulator_start(void) {
    char jar[512];
    int fd;

    if (!find_emulator(jar, sizeof(jar))) {
        print_message("NOT RUN: Google's Firestore emulator is not installed (apt-get install "
                      "google-cloud-cli-firestore-emulator, or set FIRESTORE_EMULATOR_JAR)\n");
        return false;
    }
    fd = listen_anywhere(&server.emulator_port);
    close(fd);
    if ((server.emulator = fork()) == 0)
        run_emulator(jar);
    for (unsigned i = 0; i < 600; i++) { /* it says that it is ready by answering */
        if ((fd = connect_to(server.emulator_port)) >= 0) {
            close(fd);
            return true;
        }
        if (waitpid(server.emulator, NULL, WNOHANG) != 0)
            break;
        usleep(100000);
    }
    kill(server.emulator, SIGKILL);
    server.emulator = 0;
    print_message("NOT RUN: Google's Firestore emulator is installed, but does not start\n");
    return false;
}

static void emulator_stop(void) {
    if (server.emulator == 0)
        return;
    kill(server.emulator, SIGKILL);
    waitpid(server.emulator, NULL, 0);
    server.emulator = 0;
}

/* --- the server in front --------------------------------------------------------------------- */

/* Head and body in one block; NULL at the end of the connection. */
static char *read_request(int fd, size_t *head, size_t *len) {
    char *data = NULL, *length;
    size_t body = 0, room = 0;

    *len = *head = 0;
    while (*head == 0 || *len < *head + body) {
        if (!read_more(fd, &data, len, &room)) {
            free(data);
            return NULL;
        }
        if (*head == 0 && strstr(data, "\r\n\r\n") != NULL) {
            *head = (size_t)(strstr(data, "\r\n\r\n") + 4 - data);
            length = strcasestr(data, "\r\ncontent-length:");
            body = length == NULL ? 0 : strtoul(length + 17, NULL, 10);
            if (strcasestr(data, "\r\nexpect: 100-continue") != NULL)
                put(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        }
    }
    return data;
}

static void note_tag(const char *request) {
    static const char before[] = "\"write\":{\"stringValue\":\"";
    const char *at = strstr(request, before);

    if (at != NULL)
        snprintf(server.tag, sizeof(server.tag), "%.36s", at + strlen(before));
}

static struct act next_act(const char *request) {
    struct act act = {.harm = PASS};

    pthread_mutex_lock(&server.lock);
    note_tag(request);
    if (server.nacts > 0 && (server.acts->to == NULL || strstr(request, server.acts->to) != NULL)) {
        act = *server.acts++;
        server.nacts--;
    }
    server.held += act.harm == HOLD;
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.lock);
    return act;
}

static void put_answer(int fd, const struct act *act) {
    char head[160], body[4096];
    const char *tag = strstr(act->body, "$TAG");

    if (tag == NULL)
        snprintf(body, sizeof(body), "%s", act->body);
    else
        snprintf(body, sizeof(body), "%.*s%s%s", (int)(tag - act->body), act->body, server.tag,
                 tag + 4);
    snprintf(head, sizeof(head),
             "HTTP/1.1 %d Canned\r\nContent-Length: %zu\r\nMetadata-Flavor: Google\r\n"
             "Connection: close\r\n\r\n",
             act->status, strlen(body));
    put(fd, head, strlen(head));
    put(fd, body, strlen(body));
}

static void pass_on(int fd, const char *request, size_t head, size_t len, bool lose) {
    char method[16], path[6000], *answer;
    size_t n, line;

    if (server.emulator == 0 || sscanf(request, "%15s %5999s", method, path) != 2)
        return;
    answer = ask_emulator(method, path, request + head, len - head, &n);
    line = strcspn(answer, "\r");
    if (!lose && n > 0) {
        put(fd, answer, line);
        put(fd, "\r\nConnection: close", 19);
        put(fd, answer + line, n - line);
    }
    free(answer);
}

static bool is_released(void) {
    bool released;

    pthread_mutex_lock(&server.lock);
    released = server.released;
    pthread_mutex_unlock(&server.lock);
    return released;
}

static void hold(int fd) {
    const struct timeval look = {.tv_usec = 10000};
    char byte;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &look, sizeof(look));
    while (!is_released() && recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN)
        continue;
}

static void release_held(void) {
    pthread_mutex_lock(&server.lock);
    server.released = true;
    pthread_mutex_unlock(&server.lock);
}

static unsigned count_held(void) {
    unsigned held;

    pthread_mutex_lock(&server.lock);
    held = server.held;
    pthread_mutex_unlock(&server.lock);
    return held;
}

static size_t acts_left(void) {
    size_t n;

    pthread_mutex_lock(&server.lock);
    n = server.nacts;
    pthread_mutex_unlock(&server.lock);
    return n;
}

/* One request, then the connection is closed. */
static void *serve_connection(void *arg) {
    int fd = (int)(intptr_t)arg;
    size_t head, len;
    char *request = read_request(fd, &head, &len);

    if (request != NULL) {
        struct act act = next_act(request);

        if (act.harm == ANSWER)
            put_answer(fd, &act);
        else if (act.harm == HOLD)
            hold(fd);
        else
            pass_on(fd, request, head, len, act.harm == LOSE);
    }
    free(request);
    close(fd);
    pthread_mutex_lock(&server.lock);
    server.live--;
    pthread_cond_broadcast(&server.changed);
    pthread_mutex_unlock(&server.lock);
    return NULL;
}

static void *serve(void *arg) {
    pthread_attr_t detached;
    int fd;

    (void)arg;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    while ((fd = accept4(server.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        pthread_t thread;

        pthread_mutex_lock(&server.lock);
        server.live++;
        pthread_mutex_unlock(&server.lock);
        if (pthread_create(&thread, &detached, serve_connection, (void *)(intptr_t)fd) != 0)
            abort();
    }
    pthread_attr_destroy(&detached);
    return NULL;
}

static void server_start(void) {
    server.listener = listen_anywhere(&server.port);
    pthread_create(&server.thread, NULL, serve, NULL);
}

static void server_stop(void) {
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    pthread_mutex_lock(&server.lock);
    while (server.live > 0)
        pthread_cond_wait(&server.changed, &server.lock);
    pthread_mutex_unlock(&server.lock);
}

static void set_acts(const struct act *acts, size_t n) {
    pthread_mutex_lock(&server.lock);
    server.acts = acts;
    server.nacts = n;
    server.held = 0;
    server.released = false;
    pthread_mutex_unlock(&server.lock);
}

#endif
