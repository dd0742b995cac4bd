#include "check_step.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "loop.h"

#define STEP_WIDTH    14
#define SENTENCE_SIZE 1024

enum state { OK, FAILED, SKIPPED, ODD, DIFFERS };

static unsigned failures;
static unsigned seconds; /* for all steps together */
static uint64_t end_us;

/* --- lines ----------------------------------------------------------------------------------- */

static void begin_line(enum state state, const char *step) {
    static const struct {
        const char *word, *color;
    } states[] = {{"ok", "\033[32m"},
                  {"failed", "\033[31m"},
                  {"skipped", "\033[33m"},
                  {"odd", "\033[33m"},
                  {"differs", "\033[33m"}};
    bool color = isatty(STDOUT_FILENO);

    printf("%s%-7s%s  %-*s  ", color ? states[state].color : "", states[state].word,
           color ? "\033[0m" : "", STEP_WIDTH, step);
}

static void line(enum state state, const char *step, const char *fmt, va_list ap) {
    begin_line(state, step);
    vprintf(fmt, ap);
    putchar('\n');
}

void check_step_ok(const char *step, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    line(OK, step, fmt, ap);
    va_end(ap);
}

void check_step_odd(const char *step, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    line(ODD, step, fmt, ap);
    va_end(ap);
}

void check_step_differs(const char *step, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    line(DIFFERS, step, fmt, ap);
    va_end(ap);
}

/* A sentence that begins with the name of the step does not say it twice. */
void check_step_failed(const char *step, const char *fmt, ...) {
    size_t n = strlen(step);
    char text[SENTENCE_SIZE];
    const char *said = text;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (strncmp(text, step, n) == 0 && strncmp(text + n, ": ", 2) == 0)
        said += n + 2;
    failures++;
    begin_line(FAILED, step);
    printf("%s\n", said);
}

void check_step_skipped(const char *step, const char *why) {
    begin_line(SKIPPED, step);
    printf("%s\n", why);
}

void check_step_note(const char *fmt, ...) {
    va_list ap;

    printf("%*s", 7 + 2 + STEP_WIDTH + 2, "");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

unsigned check_step_failures(void) {
    return failures;
}

/* --- time ------------------------------------------------------------------------------------ */

void check_step_start_clock(unsigned s) {
    seconds = s;
    end_us = clock_monotonic_us() + s * 1000000ULL;
}

bool check_step_may_begin(const char *step) {
    if (clock_monotonic_us() < end_us)
        return true;
    check_step_failed(step, "not tried: the steps before it have taken %u s", seconds);
    return false;
}

/* --- waiting --------------------------------------------------------------------------------- */

void check_step_end(struct check_step_outcome *o, const struct err *e) {
    o->err = *e;
    o->done = true;
    loop_stop();
}

bool check_step_wait(const char *step, struct check_step_outcome *o) {
    while (!o->done)
        loop_run();
    if (o->err.code != ERR_NONE)
        check_step_failed(step, "%s", o->err.message);
    return o->err.code == ERR_NONE;
}
