/*
 * launch.c - starts a program that listens on a port of loopback, and asks it until it answers.
 *
 *   launch PORT REQUEST COMMAND [ARGUMENT...]
 *
 * prints how many milliseconds that took, from exec to the answer, and the answer's first line,
 * then ends the program.  It is small, so that what is measured is the program's time alone.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAUSE_US 200
#define TRIES    50000 /* ten seconds */

extern char **environ;

static double now_ms(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* The first bytes of the answer; 0: there is none yet. */
static ssize_t ask(int port, const char *request, char *answer, size_t size) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t len = strlen(request);
    ssize_t n = 0;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
        send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len)
        n = recv(fd, answer, size - 1, 0);
    close(fd);
    return n > 0 ? n : 0;
}

int main(int argc, char **argv) {
    char answer[4096] = "no answer";
    double began, took;
    pid_t pid;

    if (argc < 4)
        return 2;
    began = now_ms();
    if (posix_spawn(&pid, argv[3], NULL, NULL, argv + 3, environ) != 0)
        return 1;
    for (int i = 0; i < TRIES && ask(atoi(argv[1]), argv[2], answer, sizeof(answer)) == 0; i++) {
        if (waitpid(pid, NULL, WNOHANG) == pid)
            return 1; /* it has said why */
        usleep(PAUSE_US);
    }
    took = now_ms() - began;
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    printf("%.3f %.*s\n", took, (int)strcspn(answer, "\r\n"), answer);
    return 0;
}
