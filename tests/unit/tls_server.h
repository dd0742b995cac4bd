/*
 * tls_server.h - a server with TLS: another program, on a free port of the loopback interface, with
 * a certificate for 127.0.0.1 that nobody vouches for.  Included after cmocka.h; the program ends
 * with the test.
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

struct tls_server {
    pid_t pid;
    unsigned port;
    char dir[32], key[40], cert[40];
};

static pid_t run_program(char *const argv[], int out) {
    pid_t pid = fork();

    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(out, STDOUT_FILENO);
        if (freopen("/dev/null", "w", stderr) != NULL)
            execvp(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static void make_certificate(struct tls_server *s) {
    char *const argv[] = {(char[]){"openssl"},
                          (char[]){"req"},
                          (char[]){"-x509"},
                          (char[]){"-newkey"},
                          (char[]){"ec"},
                          (char[]){"-pkeyopt"},
                          (char[]){"ec_paramgen_curve:P-256"},
                          (char[]){"-nodes"},
                          (char[]){"-subj"},
                          (char[]){"/CN=127.0.0.1"},
                          (char[]){"-addext"},
                          (char[]){"subjectAltName=IP:127.0.0.1"},
                          (char[]){"-keyout"},
                          s->key,
                          (char[]){"-out"},
                          s->cert,
                          NULL};
    int status;

    strcpy(s->dir, "/tmp/tls_server.XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->key, sizeof(s->key), "%s/key", s->dir);
    snprintf(s->cert, sizeof(s->cert), "%s/cert", s->dir);
    assert_true(waitpid(run_program(argv, STDOUT_FILENO), &status, 0) > 0);
    assert_int_equal(status, 0);
}

/* argv may name s->key and s->cert, once make_certificate() was called; one of the first lines that
 * the program writes must fit `line`, which scans the port. */
static void start_tls(struct tls_server *s, char *const argv[], const char *line) {
    char said[256];
    FILE *lines;
    int out[2];

    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    s->pid = run_program(argv, out[1]);
    close(out[1]);
    lines = fdopen(out[0], "r");
    s->port = 0;
    while (s->port == 0 && fgets(said, sizeof(said), lines) != NULL)
        sscanf(said, line, &s->port);
    fclose(lines);
    assert_true(s->port > 0);
}

static void stop_tls(struct tls_server *s) {
    kill(s->pid, SIGKILL);
    waitpid(s->pid, NULL, 0);
    unlink(s->key);
    unlink(s->cert);
    rmdir(s->dir);
}

#endif
