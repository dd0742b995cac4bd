/*
 * log.h - one event a line on standard error, as text or as Cloud Logging's JSON.
 *
 * An event is a level, a message that is the same for every event of its kind, and fields.
 * They are escaped, so that one event stays one line whatever is in them, and what looks like a
 * secret of Google's is masked, in every event (mask.h).  As text, a field of LOG_L() follows on
 * lines of its own, which are indented.
 */
#ifndef LOG_H
#define LOG_H

#include "base.h"
#include "err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

enum log_kind { LOG_STR, LOG_LINES, LOG_INT, LOG_NUM, LOG_BOOL, LOG_RAW_JSON };

struct log_field {
    const char *name; /* NULL ends a list */
    enum log_kind kind;
    const char *s; /* LOG_STR, LOG_LINES and LOG_RAW_JSON; NULL: left out */
    int64_t i;
    double n;
};

#define LOG_S(name, value) ((struct log_field){(name), LOG_STR, (value), 0, 0})
#define LOG_L(name, value) ((struct log_field){(name), LOG_LINES, (value), 0, 0})
#define LOG_I(name, value) ((struct log_field){(name), LOG_INT, NULL, (int64_t)(value), 0})
#define LOG_N(name, value) ((struct log_field){(name), LOG_NUM, NULL, 0, (value)})
#define LOG_B(name, value) ((struct log_field){(name), LOG_BOOL, NULL, (value), 0})
#define LOG_J(name, value) ((struct log_field){(name), LOG_RAW_JSON, (value), 0, 0})
#define LOG_END            ((struct log_field){NULL, LOG_STR, NULL, 0, 0})

#define LOG_REQUEST_ID_MAX 128
#define LOG_TRACE_ID_SIZE  33 /* 32 hexadecimal digits in lower case */
#define LOG_SPAN_ID_SIZE   17

/* A trace as Trace Context has it (trace.h). */
struct log_trace {
    char id[LOG_TRACE_ID_SIZE];  /* "": none */
    char span[LOG_SPAN_ID_SIZE]; /* of who asks; "": not known */
    bool sampled;                /* his trace is kept; told with a span */
};

/* On whose behalf something happens: what ties its events together.  Each part may be "". */
struct log_scope {
    char request_id[LOG_REQUEST_ID_MAX + 1];
    struct log_trace trace;
    char mail_trace_id[LOG_TRACE_ID_SIZE]; /* of the request that the mail came with */
    unsigned holders;                      /* log.c's; 0: it is borrowed */
};

void log_init(enum log_level level, bool json);

/* The project that traces belong to; copied. */
void log_set_project(const char *project);

/* What happens from now on happens on behalf of this; NULL: of nobody.  It is borrowed until the
 * next log_enter(), which is given back what this one returned. */
const struct log_scope *log_enter(const struct log_scope *scope);

/* A copy of the scope there is now. */
struct log_scope log_here(void);

/* The scope there is now, for what goes on later: one for all who hold it, who do not change it.
 * Without memory it is that of nobody. */
const struct log_scope *log_hold(void);
const struct log_scope *log_hold_copy(const struct log_scope *scope);
const struct log_scope *log_hold_too(const struct log_scope *held);
void log_release(const struct log_scope *held); /* NULL-safe */

/* Would an event of this level be written?  And is it for programs? */
bool log_on(enum log_level level);
bool log_is_json(void);

/* fields: an array ended by LOG_END; NULL for none.  of: NULL for the scope there is now. */
void log_event(enum log_level level, const struct log_scope *of, const char *message,
               const struct log_field *fields);

#define LOG(level, of, message, ...)                                                               \
    log_event((level), (of), (message),                                                            \
              (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END})

/* The fields of an err. */
#define LOG_E(e) LOG_S("code", err_word((e)->code)), LOG_S("error", (e)->message)

#endif
