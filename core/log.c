#include "log.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "mask.h"
#include "terminal.h"

#define EVENT_MAX   (224 * KIB) /* Cloud Logging takes 256 KiB in one entry */
#define LINE_INDENT "    "

static enum log_level threshold = LOG_INFO;
static bool as_json;
static const struct log_scope nobody, *current = &nobody;
static char project[128]; /* "": not known */

static const struct {
    const char *severity, *text;
} levels[] = {
    [LOG_DEBUG] = {"DEBUG", "debug"},
    [LOG_INFO] = {"INFO", "info "},
    [LOG_WARNING] = {"WARNING", "WARN "},
    [LOG_ERROR] = {"ERROR", "ERROR"},
};

void log_init(enum log_level level, bool json) {
    threshold = level;
    as_json = json;
}

bool log_on(enum log_level level) {
    return level >= threshold;
}

bool log_is_json(void) {
    return as_json;
}

void log_set_project(const char *name) {
    snprintf(project, sizeof(project), "%s", name);
}

/* --- on whose behalf ------------------------------------------------------------------------- */

const struct log_scope *log_enter(const struct log_scope *scope) {
    const struct log_scope *before = current;

    current = scope != NULL ? scope : &nobody;
    return before;
}

struct log_scope log_here(void) {
    struct log_scope here = *current;

    here.holders = 0;
    return here;
}

const struct log_scope *log_hold_copy(const struct log_scope *scope) {
    struct log_scope *own = malloc(sizeof(*own));

    if (own == NULL)
        return &nobody;
    *own = *scope;
    own->holders = 1;
    return own;
}

const struct log_scope *log_hold_too(const struct log_scope *held) {
    if (held->holders > 0)
        ((struct log_scope *)(uintptr_t)held)->holders++;
    return held;
}

const struct log_scope *log_hold(void) {
    return current->holders > 0 || current == &nobody ? log_hold_too(current)
                                                      : log_hold_copy(current);
}

void log_release(const struct log_scope *held) {
    struct log_scope *own = (struct log_scope *)(uintptr_t)held;

    if (own != NULL && own->holders > 0 && --own->holders == 0)
        free(own);
}

/* --- values ---------------------------------------------------------------------------------- */

/*
 * Text whose secrets are masked; add_escaped(): without the quotes of a JSON string.  Bytes that
 * would not be valid UTF-8 cannot be told apart here without the codecs of a higher layer; whoever
 * logs foreign bytes has checked them, and a stray one is written as it is rather than lost.
 */
static void add_with(struct buf *b, const char *s,
                     void (*add_one)(struct buf *b, unsigned char c)) {
    for (size_t i = 0, len = strlen(s), span; i < len; i += span)
        if ((span = mask_secret(s, i, len)) > 0) {
            buf_adds(b, MASK_WORD);
        } else {
            add_one(b, (unsigned char)s[i]);
            span = 1;
        }
}

static void add_escaped_one(struct buf *b, unsigned char c) {
    if (c == '"' || c == '\\') {
        buf_addc(b, '\\');
        buf_addc(b, (char)c);
    } else if (c == '\n') {
        buf_adds(b, "\\n");
    } else if (c == '\t') {
        buf_adds(b, "\\t");
    } else if (c < 0x20 || c == 0x7F) {
        buf_addf(b, "\\u%04x", c);
    } else {
        buf_addc(b, (char)c);
    }
}

static void add_escaped(struct buf *b, const char *s) {
    add_with(b, s, add_escaped_one);
}

static void add_quoted(struct buf *b, const char *s) {
    buf_addc(b, '"');
    add_escaped(b, s);
    buf_addc(b, '"');
}

static void add_plain_one(struct buf *b, unsigned char c) {
    buf_addc(b, (char)c);
}

static void add_value(struct buf *b, const struct log_field *f) {
    switch (f->kind) {
    case LOG_STR:
    case LOG_LINES:
        add_quoted(b, f->s);
        break;
    case LOG_RAW_JSON:
        add_with(b, f->s, add_plain_one); /* no secret has a character that JSON escapes */
        break;
    case LOG_INT:
        buf_addf(b, "%" PRId64, f->i);
        break;
    case LOG_NUM:
        if (isfinite(f->n))
            buf_addf(b, "%.6g", f->n);
        else
            buf_adds(b, "null");
        break;
    case LOG_BOOL:
        buf_adds(b, f->i ? "true" : "false");
        break;
    }
}

static bool is_plain(const char *s) {
    return *s != '\0' && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                   "-_./:@+,%?&") == strlen(s);
}

static void add_time(struct buf *b) {
    struct timeval now;
    struct tm tm;
    char text[32];

    gettimeofday(&now, NULL);
    gmtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    buf_addf(b, "%s.%03dZ", text, (int)(now.tv_usec / 1000));
}

static bool is_left_out(const struct log_field *f) {
    return (f->kind == LOG_STR || f->kind == LOG_LINES || f->kind == LOG_RAW_JSON) && f->s == NULL;
}

static void add_id(struct buf *b, const char *name, const char *id) {
    if (*id == '\0')
        return;
    buf_join(b, ",\"", name, "\":");
    add_quoted(b, id);
}

/* With the names that Cloud Logging has for it. */
static void add_scope(struct buf *b, const struct log_scope *of) {
    add_id(b, "request_id", of->request_id);
    add_id(b, "trace_id", of->trace.id);
    add_id(b, "mail_trace_id", of->mail_trace_id);
    if (project[0] != '\0' && of->trace.id[0] != '\0') {
        buf_adds(b, ",\"logging.googleapis.com/trace\":\"projects/");
        add_escaped(b, project);
        buf_join(b, "/traces/", of->trace.id, "\"");
    }
    add_id(b, "logging.googleapis.com/spanId", of->trace.span);
    if (of->trace.span[0] != '\0')
        buf_join(
            b, ",\"logging.googleapis.com/trace_sampled\":", of->trace.sampled ? "true" : "false");
}

static void add_json(struct buf *b, enum log_level level, const struct log_scope *of,
                     const char *message, const struct log_field *f) {
    buf_addf(b, "{\"severity\":\"%s\",\"time\":\"", levels[level].severity);
    add_time(b);
    buf_adds(b, "\",\"message\":");
    add_quoted(b, message);
    add_scope(b, of);
    for (; f != NULL && f->name != NULL; f++) {
        if (is_left_out(f))
            continue;
        buf_addc(b, ',');
        add_quoted(b, f->name);
        buf_addc(b, ':');
        add_value(b, f);
    }
    buf_adds(b, "}\n");
}

/* Below its event; only what a terminal would obey is escaped. */
static void add_lines_one(struct buf *b, unsigned char c) {
    if (c == '\n')
        buf_adds(b, "\n" LINE_INDENT);
    else if ((c < 0x20 && c != '\t') || c == 0x7F)
        buf_addf(b, "\\u%04x", c);
    else
        buf_addc(b, (char)c);
}

static void add_lines(struct buf *b, const char *s) {
    buf_adds(b, LINE_INDENT);
    add_with(b, s, add_lines_one);
    buf_addc(b, '\n');
}

static void add_text(struct buf *b, enum log_level level, const struct log_scope *of,
                     const char *message, const struct log_field *fields) {
    add_time(b);
    buf_addf(b, " %s ", levels[level].text);
    add_escaped(b, message);
    for (const struct log_field *f = fields; f != NULL && f->name != NULL; f++) {
        if (is_left_out(f) || f->kind == LOG_LINES)
            continue;
        buf_addc(b, ' ');
        add_escaped(b, f->name);
        buf_addc(b, '=');
        if (f->kind == LOG_STR && is_plain(f->s))
            add_escaped(b, f->s);
        else
            add_value(b, f);
    }
    if (of->request_id[0] != '\0')
        buf_join(b, " request_id=", of->request_id);
    buf_addc(b, '\n');
    for (const struct log_field *f = fields; f != NULL && f->name != NULL; f++)
        if (f->kind == LOG_LINES && !is_left_out(f))
            add_lines(b, f->s);
}

void log_event(enum log_level level, const struct log_scope *of, const char *message,
               const struct log_field *fields) {
    struct buf b;
    ssize_t done;

    if (!log_on(level))
        return;
    if (of == NULL)
        of = current;
    buf_init(&b, EVENT_MAX);
    (as_json ? add_json : add_text)(&b, level, of, message, fields);
    if (buf_failed(&b)) {
        /* Too long or no memory: the event without its fields still says that it happened. */
        buf_reset(&b);
        (as_json ? add_json : add_text)(&b, level, of, message, NULL);
    }
    terminal_clear();
    /* One write, so that lines of several processes do not mix. */
    done = write(STDERR_FILENO, b.data, b.len);
    (void)done;
    buf_free(&b);
}
