/*
 * metrics.h - what is counted and measured, for Prometheus: one table, one block for each worker.
 *
 * The blocks are memory that all processes of a service share.  A worker writes to its own alone,
 * without locks; whoever is asked adds all of them up.  A worker that takes the place of one that
 * died goes on with its counters, and begins with gauges of its own.
 *
 * Before metrics_init() (commands, tests) nothing is counted, and nothing is wrong with trying.
 * All of it is for the thread of the loop.
 */
#ifndef METRICS_H
#define METRICS_H

#include "base.h"
#include "buf.h"
#include "err.h"

/* In the order of their names, which is that of the page. */
enum metric {
    METRIC_BUILD_INFO,
    METRIC_CLAIMS,
    METRIC_DRAFTS,
    METRIC_GENERATION,
    METRIC_GOOGLE_SECONDS,
    METRIC_GOOGLE_REQUESTS,
    METRIC_GOOGLE_RETRIES,
    METRIC_HTTP_SECONDS,
    METRIC_HTTP_IN_FLIGHT,
    METRIC_HTTP_REQUESTS,
    METRIC_LUA_MEMORY,
    METRIC_MAILBOX_WAITING,
    METRIC_OPENS,
    METRIC_POLICY_SECONDS,
    METRIC_POLICY_ERRORS,
    METRIC_RELOADS,
    METRIC_SENDS,
    METRIC_WEBHOOKS,
    METRIC_WEBHOOKS_WAITING,
    METRIC_WORKER_RESTARTS,
    METRIC_WORKERS,
    METRIC_PROCESS_CPU,
    METRIC_PROCESS_FDS,
    METRIC_PROCESS_MEMORY,
    METRIC_PROCESS_START,
    METRICS
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

#define METRIC_LABELS_MAX  3
#define METRIC_BUCKETS_MAX 12

struct metric_label {
    const char *name;   /* NULL ends a list */
    const char *values; /* "a|b": all there are, shown from the start; NULL: any */
};

struct metric_info {
    const char *name, *help;
    enum metric_type type;
    bool micro; /* counted in millionths: what is told are seconds */
    bool max;   /* a gauge of which the largest is told, rather than the sum of all workers */
    struct metric_label labels[METRIC_LABELS_MAX + 1];
    const uint64_t *buckets; /* of a histogram: upper bounds in microseconds, ended by 0 */
};

/* The table. */
const struct metric_info *metrics_info(enum metric m);
enum metric metrics_named(const char *name); /* METRICS: there is none of this name */

/* Is it a value that this label may have? */
bool metrics_label_takes(const struct metric_label *label, const char *value);

/* Make the blocks, for so many workers and for the process that starts them.  Once. */
int metrics_init(unsigned workers, struct err *e);
void metrics_join(unsigned worker); /* this process is that worker from now on */
void metrics_serve(void);           /* and serves, so that its gauges are told */

/* For who started them: it has ended; had it served?  Does any of them serve? */
bool metrics_left(unsigned worker);
bool metrics_serving(void);

/* Values of labels in the order of the table, ended by NULL.  A series that does not fit any more
 * is counted under labels that all say "overflow". */
void metrics_add(enum metric m, int64_t n, const char *const *labels);
void metrics_set(enum metric m, int64_t n, const char *const *labels);
void metrics_observe(enum metric m, uint64_t us, const char *const *labels);

/* What this worker has for it by now. */
int64_t metrics_value(enum metric m, const char *const *labels);

#define METRICS_LABELS(...) ((const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})
#define METRICS_COUNT(m, ...)                                                                      \
    metrics_add((m), 1, METRICS_LABELS(__VA_ARGS__)) /* (m, value of a label, ...) */

/* A number of up to nine digits as the value of a label; `text` is where it is written. */
#define METRICS_NUMBER_SIZE 10
const char *metrics_number(char text[METRICS_NUMBER_SIZE], int n);

/* The page of all workers: Prometheus' text format, version 0.0.4. */
void metrics_write(struct buf *out);

#endif
