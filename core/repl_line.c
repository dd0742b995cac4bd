#include "repl_line.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include <histedit.h>

#include "late.h"
#include "loop.h"

#define HISTORY_MAX 2000 /* lines */

/* Opened when there is a terminal: a service has none. */
#define LIBRARY "libedit.so.2"

#define FUNCTIONS(X)                                                                               \
    X(el_end)                                                                                      \
    X(el_gets)                                                                                     \
    X(el_init)                                                                                     \
    X(el_insertstr)                                                                                \
    X(el_line)                                                                                     \
    X(el_reset)                                                                                    \
    X(el_resize)                                                                                   \
    X(el_set)                                                                                      \
    X(el_source)                                                                                   \
    X(el_wset)                                                                                     \
    X(history)                                                                                     \
    X(history_end)                                                                                 \
    X(history_init)

static struct { FUNCTIONS(LATE_MEMBER) } edit LATE_TABLE;
static const char *const names[] = {FUNCTIONS(LATE_NAME)};

static EditLine *editor;
static History *past;
static const char *history_file;
static repl_complete_fn *complete;
static const char *prompt_text;
static char *last_line; /* that was read */
static bool given_up;

static char *prompt_of(EditLine *el) {
    (void)el;
    return (char *)(uintptr_t)prompt_text;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* One character, which may be several bytes: its bytes come one after the other. */
static int read_key(EditLine *el, wchar_t *key) {
    mbstate_t state = {0};
    char byte;

    (void)el;
    for (;;) {
        ssize_t n;

        if (!given_up)
            loop_wait_readable(STDIN_FILENO);
        if (given_up) {
            errno = EINTR;
            return -1;
        }
        if ((n = read(STDIN_FILENO, &byte, 1)) <= 0)
            return (int)n;
        switch (mbrtowc(key, &byte, 1, &state)) {
        case (size_t)-2: /* goes on */
            break;
        case (size_t)-1: /* is none: left out */
            state = (mbstate_t){0};
            break;
        default:
            return 1;
        }
    }
}

/* --- completion ------------------------------------------------------------------------------ */

/* How many bytes all candidates begin with. */
static size_t common_length(const struct repl_candidates *c) {
    size_t n = strlen(c->v[0]);

    for (size_t i = 1; i < c->n; i++)
        for (size_t k = 0; k < n; k++)
            if (c->v[i][k] != c->v[0][k])
                n = k;
    while (n > 0 && ((unsigned char)c->v[0][n] & 0xC0) == 0x80)
        n--;
    return n;
}

static void list(const struct repl_candidates *c) {
    size_t shown = c->n < 100 ? c->n : 100;

    putchar('\n');
    for (size_t i = 0; i < shown; i++)
        printf("%s%s", c->v[i], i + 1 == shown ? "\n" : "  ");
    if (shown < c->n)
        printf("(and %zu more)\n", c->n - shown);
}

static unsigned char on_tab(EditLine *el, int ch) {
    const LineInfo *info = edit.el_line(el);
    struct repl_candidates c = {0};
    char *text = strndup(info->buffer, (size_t)(info->cursor - info->buffer)), *more;
    size_t n;

    (void)ch;
    if (text == NULL)
        return CC_ERROR;
    complete(text, &c);
    free(text);
    if (c.n == 0)
        return CC_REFRESH_BEEP;
    if ((n = common_length(&c)) > c.typed) {
        if ((more = strndup(c.v[0] + c.typed, n - c.typed)) != NULL)
            edit.el_insertstr(el, more);
        free(more);
    } else if (c.n > 1) {
        list(&c);
        return CC_REDISPLAY;
    }
    if (c.n > 1 || c.help[0] == '\0')
        return CC_REFRESH;
    printf("\n%s\n", c.help);
    return CC_REDISPLAY;
}

/* --- history --------------------------------------------------------------------------------- */

static int open_history(const char *file) {
    HistEvent event;

    if ((past = edit.history_init()) == NULL)
        return -1;
    edit.history(past, &event, H_SETSIZE, HISTORY_MAX);
    edit.history(past, &event, H_SETUNIQUE, 1);
    if (file != NULL)
        edit.history(past, &event, H_LOAD, file);
    history_file = file;
    return edit.el_set(editor, EL_HIST, edit.history, past);
}

/* What begins with a space is not kept. */
static void remember(const char *line) {
    HistEvent event;

    if (line[0] != '\0' && line[0] != ' ')
        edit.history(past, &event, H_ENTER, line);
}

static void save_history(void) {
    mode_t mask = umask(077);
    HistEvent event;

    if (history_file != NULL)
        edit.history(past, &event, H_SAVE, history_file);
    umask(mask);
}

/* --- lines ----------------------------------------------------------------------------------- */

const char *repl_line_read(const char *prompt, bool *cancelled) {
    const char *line;
    int n;

    prompt_text = prompt;
    given_up = *cancelled = false;
    line = edit.el_gets(editor, &n);
    if (given_up) {
        *cancelled = true;
        edit.el_reset(editor);
        printf("^C\n");
        return NULL;
    }
    if (line == NULL || n <= 0)
        return NULL;
    free(last_line);
    if ((last_line = strndup(line, strcspn(line, "\n"))) == NULL)
        return NULL;
    remember(last_line);
    return last_line;
}

void repl_line_cancel(void) {
    given_up = true;
    loop_stop();
}

void repl_line_resized(void) {
    edit.el_resize(editor);
}

void repl_line_continued(void) {
    edit.el_set(editor, EL_PREP_TERM, 1);
    edit.el_set(editor, EL_REFRESH);
}

int repl_line_init(const char *file, repl_complete_fn *fn, struct err *e) {
    if (late_open(LIBRARY, names, COUNT_OF(names), &edit, e) != 0)
        return -1;
    setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1)
        setlocale(LC_CTYPE, "C.UTF-8");
    complete = fn;
    if ((editor = edit.el_init("paraph", stdin, stdout, stderr)) == NULL || open_history(file) != 0)
        return err_set(e, ERR_INTERNAL_ERROR, "this terminal cannot be used for editing lines");
    edit.el_set(editor, EL_PROMPT, prompt_of);
    edit.el_set(editor, EL_EDITOR, "emacs");
    edit.el_set(editor, EL_GETCFN, read_key);
    /* While a line is carried out, what is typed ahead waits as it is, and is shown in its turn. */
    edit.el_set(editor, EL_SETTY, "-x", "-echo", "-icanon", NULL);
    /* Of narrow texts libedit makes copies that it never frees. */
    edit.el_wset(editor, EL_ADDFN, L"paraph-complete", L"Complete what is typed", on_tab);
    edit.el_set(editor, EL_BIND, "^I", "paraph-complete", NULL);
    edit.el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    edit.el_source(editor, NULL);
    return 0;
}

void repl_line_fini(void) {
    save_history();
    edit.history_end(past);
    edit.el_end(editor);
    free(last_line);
    last_line = NULL;
    editor = NULL;
}
