#include "repl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "encode.h"
#include "env.h"
#include "loop.h"
#include "repl_line.h"
#include "repl_peer.h"
#include "task.h"
#include "terminal.h"
#include "usage.h"

#define LINES_MAX   (1 * MIB) /* of one statement */
#define COLUMNS     100       /* where nobody has a terminal */
#define COLUMNS_MIN 20

static const struct repl_peer *peer;
static bool on_terminal;
static bool ended; /* SIGTERM */

/* --- what is shown --------------------------------------------------------------------------- */

static unsigned columns(void) {
    unsigned n = terminal_columns(STDOUT_FILENO);

    return n == 0 ? COLUMNS : n < COLUMNS_MIN ? COLUMNS_MIN : n;
}

char *repl_printable(const char *text) {
    struct buf clean;
    char *result;

    buf_init(&clean, 64 * MIB);
    encode_printable(&clean, text, strlen(text));
    result = buf_take(&clean, NULL);
    buf_free(&clean);
    return result;
}

void repl_show(FILE *to, const char *text) {
    size_t n = strlen(text);

    if (n == 0)
        return;
    fwrite(text, 1, n, to);
    if (text[n - 1] != '\n')
        fputc('\n', to);
    fflush(to);
}

static void show_failure(const char *text) {
    bool colour = on_terminal && terminal_has_colors(STDOUT_FILENO);

    if (colour)
        fputs("\033[31m", stdout);
    repl_show(on_terminal ? stdout : stderr, text);
    if (colour)
        fputs("\033[0m", stdout);
    fflush(stdout);
}

/* --- waiting --------------------------------------------------------------------------------- */

struct wait {
    bool ended;
    enum prompt_verb verb;
    char *text, *more;
};

static void on_done(const struct prompt_answer *a, void *arg) {
    struct wait *w = arg;

    w->ended = true;
    w->verb = a->verb;
    w->text = repl_printable(a->text);
    w->more = repl_printable(a->more);
    loop_stop();
}

static void wait_end(struct wait *w) {
    free(w->text);
    free(w->more);
    *w = (struct wait){0};
}

static bool waits; /* for the peer: Ctrl-C is for what runs */

static void wait_for(struct wait *w) {
    waits = true;
    while (!w->ended)
        loop_run();
    waits = false;
    if (w->text == NULL || w->more == NULL)
        w->verb = PROMPT_FAILED;
}

/* --- completion ------------------------------------------------------------------------------ */

static struct wait completed;
static const char *candidates[1000];

/* The first line of what the peer says is what is typed, the others could stand in its place. */
static void on_complete(const char *text, struct repl_candidates *c) {
    char *next, *line;
    size_t n = strlen(text);

    wait_end(&completed);
    peer->complete(text, columns(), on_done, &completed);
    wait_for(&completed);
    if (completed.verb != PROMPT_SHOWN)
        return;
    next = completed.more;
    line = strsep(&next, "\n");
    c->typed = strlen(line);
    if (c->typed > n || strcmp(text + n - c->typed, line) != 0)
        return;
    while (c->n < COUNT_OF(candidates) && (line = strsep(&next, "\n")) != NULL)
        if (line[0] != '\0')
            candidates[c->n++] = line;
    c->v = candidates;
    c->help = completed.text;
}

/* --- lines ----------------------------------------------------------------------------------- */

static void describe_prompt(char *to, size_t size, bool more) {
    if (more)
        snprintf(to, size, "%*s> ", (int)strlen(peer->name()), "");
    else
        snprintf(to, size, "%s%s> ", peer->name(), peer->live() ? " LIVE" : "");
}

/* From a terminal or a file; NULL: the end. */
static const char *next_line(bool more, bool *cancelled) {
    static char *line;
    static size_t size;
    char prompt[400];
    ssize_t n;

    *cancelled = false;
    if (on_terminal) {
        describe_prompt(prompt, sizeof(prompt), more);
        return ended ? NULL : repl_line_read(prompt, cancelled);
    }
    if ((n = getline(&line, &size, stdin)) < 0) {
        free(line);
        line = NULL;
        return NULL;
    }
    if (n > 0 && line[n - 1] == '\n')
        line[n - 1] = '\0';
    return line;
}

static bool ask(const char *question) {
    bool cancelled;
    const char *line;
    char prompt[] = "[y/N] ";

    repl_show(stdout, question);
    line = repl_line_read(prompt, &cancelled);
    return line != NULL && (strcmp(line, "y") == 0 || strcmp(line, "yes") == 0);
}

enum next { GO_ON, LINE_GOES_ON, STOP, STOP_FAILED };

static enum next carry_out(const char *line);

static enum next on_question(const struct wait *w) {
    if (!on_terminal) {
        repl_show(stderr, "nobody can be asked here: name the mailbox, as in");
        repl_show(stderr, w->more);
        return STOP_FAILED;
    }
    return ask(w->text) ? carry_out(w->more) : GO_ON;
}

static enum next act(const struct wait *w) {
    switch (w->verb) {
    case PROMPT_SHOWN:
        repl_show(stdout, w->text);
        return GO_ON;
    case PROMPT_FAILED:
        show_failure(w->text != NULL ? w->text : "there is not enough memory for this");
        return on_terminal ? GO_ON : STOP_FAILED;
    case PROMPT_MORE:
        return LINE_GOES_ON;
    case PROMPT_ASK:
        return on_question(w);
    case PROMPT_DOCTOR:
        if (peer->doctor != NULL)
            peer->doctor();
        return GO_ON;
    default:
        return STOP;
    }
}

static enum next carry_out(const char *line) {
    struct wait w = {0};
    enum next next;

    peer->run(line, columns(), on_done, &w);
    wait_for(&w);
    next = act(&w);
    wait_end(&w);
    return next;
}

static int read_lines(void) {
    enum next next = GO_ON;
    const char *line;
    bool cancelled;
    struct buf text;

    buf_init(&text, LINES_MAX);
    while (next != STOP && next != STOP_FAILED) {
        if ((line = next_line(next == LINE_GOES_ON, &cancelled)) == NULL && !cancelled)
            break;
        if (next != LINE_GOES_ON || cancelled)
            buf_reset(&text);
        next = GO_ON;
        if (cancelled)
            continue;
        buf_addf(&text, "%s%s", text.len > 0 ? "\n" : "", line);
        if (buf_failed(&text))
            show_failure("that is too long: 1 MiB at most");
        else
            next = carry_out(text.data);
    }
    if (next == LINE_GOES_ON && !on_terminal) {
        repl_show(stderr, "the input ends in the middle of a statement");
        next = STOP_FAILED;
    }
    buf_free(&text);
    return next == STOP_FAILED ? 1 : 0;
}

/* --- signals --------------------------------------------------------------------------------- */

/* What runs, and the line that is being edited: it may be a completion that runs. */
static void on_interrupt(void *arg) {
    (void)arg;
    if (waits)
        peer->interrupt();
    repl_line_cancel();
}

static void on_resize(void *arg) {
    (void)arg;
    repl_line_resized();
}

static void on_continue(void *arg) {
    (void)arg;
    if (!waits)
        repl_line_continued();
}

static void on_terminate(void *arg) {
    ended = true;
    on_interrupt(arg);
}

static void watch_signals(void) {
    static const struct {
        int signum;
        void (*on)(void *arg);
    } signals[] = {{SIGINT, on_interrupt},
                   {SIGWINCH, on_resize},
                   {SIGCONT, on_continue},
                   {SIGTERM, on_terminate}};

    for (size_t i = 0; i < COUNT_OF(signals); i++)
        (void)loop_on_signal(signals[i].signum, signals[i].on, NULL);
}

/* --- all ------------------------------------------------------------------------------------- */

/* In the directory for such things (XDG Base Directory Specification), which is made. */
static char *history_path(void) {
    const char *home = getenv("HOME"), *state = getenv("XDG_STATE_HOME");
    struct buf path;
    char *result;

    buf_init(&path, 4096);
    if (state != NULL && state[0] == '/')
        buf_addf(&path, "%s/", state);
    else if (home != NULL)
        buf_addf(&path, "%s/.local/state/", home);
    buf_adds(&path, "paraph/");
    for (char *slash = path.data; (slash = strchr(slash + 1, '/')) != NULL; *slash = '/') {
        *slash = '\0';
        (void)mkdir(path.data, 0700);
    }
    buf_adds(&path, "history");
    result = path.data[0] == '/' ? buf_take(&path, NULL) : NULL;
    buf_free(&path);
    return result;
}

static int on_a_terminal(void) {
    char *history = history_path();
    struct err e;
    int status = 1;

    if (repl_line_init(history, on_complete, &e) == 0) {
        watch_signals();
        repl_show(stdout, peer->live() ? ""
                                       : "Nothing leaves, and nothing is stored, until :live.  "
                                         ":help, or Ctrl-D to leave.");
        status = read_lines();
        repl_line_fini();
        if (!ended)
            printf("\n");
    } else {
        show_failure(e.message);
    }
    wait_end(&completed);
    free(history);
    return status;
}

int repl(const char *url) {
    int status = 1;

    if (url != NULL && !env_is_url(url))
        return usage_wrong("repl",
                           "--attach takes a URL such as http://127.0.0.1:8080, not '%.80s'", url);
    signal(SIGPIPE, SIG_IGN);
    on_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    if (loop_init() != 0 || task_watchdog_start(TASK_SLICE_MS) != 0) {
        fprintf(stderr, "paraph repl: %s\n", strerror(errno));
        return 1;
    }
    loop_on_turn(task_run_ready);
    if ((peer = url != NULL ? repl_attach_open(url) : repl_local_open()) != NULL) {
        status = on_terminal ? on_a_terminal() : read_lines();
        peer->close();
    }
    task_watchdog_stop();
    loop_fini();
    return status;
}
