#include "check_step.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "json_line.h"
#include "loop.h"
#include "terminal.h"

#define STEP_WIDTH 14

enum state { OK, FAILED, SKIPPED, ODD, DIFFERS };

static const struct {
    const char *word, *color;
} states[] = {[OK] = {"ok", "\033[32m"},
              [FAILED] = {"failed", "\033[31m"},
              [SKIPPED] = {"skipped", "\033[33m"},
              [ODD] = {"odd", "\033[33m"},
              [DIFFERS] = {"differs", "\033[33m"}};

static bool as_json;
static struct buf line; /* of JSON: the step told last, to which notes may come */
static unsigned failures;
static unsigned seconds; /* for all steps together */
static uint64_t end_us;

/* --- lines ----------------------------------------------------------------------------------- */

static void print(enum state state, const char *step, const char *text) {
    bool color = terminal_has_colors(STDOUT_FILENO);

    printf("%s%-7s%s  %-*s  %s\n", color ? states[state].color : "", states[state].word,
           color ? "\033[0m" : "", STEP_WIDTH, step, text);
}

void check_step_use_json(void) {
    as_json = true;
    buf_init(&line, 1 * MIB);
}

void check_step_flush(void) {
    terminal_clear();
    if (!as_json || line.len == 0)
        return;
    buf_adds(&line, "]}");
    json_line_print(&line);
}

static void begin_json(enum state state, const char *step, const char *text) {
    check_step_flush();
    buf_addc(&line, '{');
    json_line_add_member(&line, "step", step);
    json_line_add_member(&line, "state", states[state].word);
    json_line_add_member(&line, "text", text);
    buf_adds(&line, ",\"notes\":[");
}

static void tell(enum state state, const char *step, const char *text) {
    terminal_clear();
    (as_json ? begin_json : print)(state, step, text);
}

/* The caller frees it. */
static char *format(const char *fmt, va_list ap) {
    char *text;

    return vasprintf(&text, fmt, ap) >= 0 ? text : NULL;
}

static void tell_formatted(enum state state, const char *step, const char *fmt, va_list ap) {
    char *text = format(fmt, ap);

    tell(state, step, text != NULL ? text : fmt);
    free(text);
}

void check_step_ok(const char *step, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    tell_formatted(OK, step, fmt, ap);
    va_end(ap);
}

void check_step_odd(const char *step, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    tell_formatted(ODD, step, fmt, ap);
    va_end(ap);
}

void check_step_differs(const char *step, const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    tell_formatted(DIFFERS, step, fmt, ap);
    va_end(ap);
}

/* A sentence that begins with the name of the step does not say it twice. */
void check_step_failed(const char *step, const char *fmt, ...) {
    size_t n = strlen(step);
    char *text;
    const char *said;
    va_list ap;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    said = text != NULL ? text : fmt;
    if (strncmp(said, step, n) == 0 && strncmp(said + n, ": ", 2) == 0)
        said += n + 2;
    failures++;
    tell(FAILED, step, said);
    free(text);
}

void check_step_skipped(const char *step, const char *why) {
    tell(SKIPPED, step, why);
}

void check_step_note(const char *fmt, ...) {
    char *text;
    va_list ap;

    va_start(ap, fmt);
    text = format(fmt, ap);
    va_end(ap);
    if (text == NULL)
        return;
    if (!as_json) {
        printf("%*s%s\n", 7 + 2 + STEP_WIDTH + 2, "", text);
    } else if (line.len > 0) {
        if (line.data[line.len - 1] != '[')
            buf_addc(&line, ',');
        json_line_add_text(&line, text);
    }
    free(text);
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
    if (clock_monotonic_us() < end_us) {
        terminal_progress("%s ...", step);
        return true;
    }
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
