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
    const char *s; /* LOG_STR, LOG_LINES (NULL: left out) and LOG_RAW_JSON */
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

void log_init(enum log_level level, bool json);

/* Would an event of this level be written? */
bool log_on(enum log_level level);

/* fields: an array ended by LOG_END; NULL for none.  request_id: NULL for none. */
void log_event(enum log_level level, const char *request_id, const char *message,
               const struct log_field *fields);

#define LOG(level, request_id, message, ...)                                                       \
    log_event((level), (request_id), (message),                                                    \
              (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END})

/* The fields of an err. */
#define LOG_E(e) LOG_S("code", err_word((e)->code)), LOG_S("error", (e)->message)

#endif
