/*
 * metrics_table.c - the table of all metrics: docs/observability.md has the same, and is held
 * against it.
 */
#include <string.h>

#include "metrics.h"

#define ANY(name)                                                                                  \
    { (name), NULL }
#define ONE_OF(name, set)                                                                          \
    { (name), (set) }

#define APIS "metadata|iam|oauth|gmail|firestore|jwks"

#define MS ((uint64_t)1000)
#define S  (1000 * MS)

/* A page takes milliseconds, a send seconds. */
static const uint64_t of_requests[] = {5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, S / 2,
                                       1 * S,  5 * S,   10 * S,  30 * S,  60 * S,   0};
static const uint64_t of_google[] = {10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, S / 2,
                                     1 * S,   5 * S,   10 * S,  20 * S,   60 * S,   0};
/* Up to the budget of a hook (task_budget.h). */
static const uint64_t of_hooks[] = {50,      100,     250,     500,      1 * MS, 5 * MS,
                                    10 * MS, 25 * MS, 50 * MS, 100 * MS, 0};

static const struct metric_info table[METRICS] = {
    [METRIC_BUILD_INFO] = {.name = "paraph_build_info",
                           .help = "1, labelled with the version that runs.",
                           .type = METRIC_GAUGE,
                           .max = true,
                           .labels = {ANY("version")}},
    [METRIC_CLAIMS] = {.name = "paraph_claims_total",
                       .help = "Claims of a draft before it is sent: won, lost to somebody else, "
                               "or taken over from a holder who came to his end.",
                       .labels = {ONE_OF("outcome", "won|lost|taken_over")}},
    [METRIC_DRAFTS] = {.name = "paraph_drafts_total",
                       .help = "Drafts made (held: by the rules, for a review) and rejected.",
                       .labels = {ONE_OF("outcome", "created|held|rejected")}},
    [METRIC_GENERATION] = {.name = "paraph_generation",
                           .help = "Number of the scripts that serve; the highest of the workers.",
                           .type = METRIC_GAUGE,
                           .max = true},
    [METRIC_GOOGLE_SECONDS] = {.name = "paraph_google_request_duration_seconds",
                               .help = "Time of each request to Google, repetitions by themselves.",
                               .type = METRIC_HISTOGRAM,
                               .micro = true,
                               .labels = {ONE_OF("api", APIS)},
                               .buckets = of_google},
    [METRIC_GOOGLE_REQUESTS] = {.name = "paraph_google_requests_total",
                                .help = "Requests to Google by HTTP status, or timeout, or error: "
                                        "no answer.",
                                .labels = {ONE_OF("api", APIS), ANY("code")}},
    [METRIC_GOOGLE_RETRIES] = {.name = "paraph_google_retries_total",
                               .help = "Requests to Google that were repeated.",
                               .labels = {ONE_OF("api", APIS)}},
    [METRIC_HTTP_SECONDS] = {.name = "paraph_http_request_duration_seconds",
                             .help = "Time from a whole request to the end of its answer.",
                             .type = METRIC_HISTOGRAM,
                             .micro = true,
                             .labels = {ANY("route")},
                             .buckets = of_requests},
    [METRIC_HTTP_IN_FLIGHT] = {.name = "paraph_http_requests_in_flight",
                               .help = "Requests that wait for their answer.",
                               .type = METRIC_GAUGE},
    [METRIC_HTTP_REQUESTS] = {.name = "paraph_http_requests_total",
                              .help = "Requests by method, pattern of the route (other: none) and "
                                      "status (499: the client left).",
                              .labels = {ANY("method"), ANY("route"), ANY("status")}},
    [METRIC_LUA_MEMORY] = {.name = "paraph_lua_memory_bytes",
                           .help = "Memory of the scripts, those that are being replaced included.",
                           .type = METRIC_GAUGE},
    [METRIC_MAILBOX_WAITING] = {.name = "paraph_mailbox_waiting",
                                .help = "Sends in line behind GMAIL_CONCURRENCY or a rate limit.",
                                .type = METRIC_GAUGE},
    [METRIC_OPENS] = {.name = "paraph_opens_total",
                      .help = "Opens counted, by who seems to have opened.",
                      .labels = {ONE_OF("kind",
                                        "person|proxy|prefetch|scanner|sender|unknown|lost")}},
    [METRIC_POLICY_SECONDS] = {.name = "paraph_policy_duration_seconds",
                               .help = "Time of a policy's function.",
                               .type = METRIC_HISTOGRAM,
                               .micro = true,
                               .labels = {ANY("hook")},
                               .buckets = of_hooks},
    [METRIC_POLICY_ERRORS] = {.name = "paraph_policy_errors_total",
                              .help =
                                  "Policy functions that failed, or answered what is no answer.",
                              .labels = {ANY("hook")}},
    [METRIC_RELOADS] = {.name = "paraph_reloads_total",
                        .help = "Reloads of changed scripts; each worker loads for itself.",
                        .labels = {ONE_OF("outcome", "loaded|refused")}},
    [METRIC_SENDS] = {.name = "paraph_sends_total",
                      .help =
                          "Sends by what became of them: out, held for a review, refused by the "
                          "rules, surely not out, or not known yet.",
                      .labels = {ONE_OF("mode", "direct|draft"),
                                 ONE_OF("outcome", "sent|held|refused|failed|unknown")}},
    [METRIC_WEBHOOKS] = {.name = "paraph_webhooks_total",
                         .help = "Attempts to deliver an event.",
                         .labels = {ANY("event"), ONE_OF("outcome", "delivered|retried|dropped")}},
    [METRIC_WEBHOOKS_WAITING] = {.name = "paraph_webhooks_waiting",
                                 .help = "Events that wait to be delivered.",
                                 .type = METRIC_GAUGE,
                                 .max = true},
    [METRIC_WORKER_RESTARTS] = {.name = "paraph_worker_restarts_total",
                                .help = "Workers that died and were replaced."},
    [METRIC_WORKERS] = {.name = "paraph_workers",
                        .help = "Workers that serve.",
                        .type = METRIC_GAUGE},
    [METRIC_PROCESS_CPU] = {.name = "process_cpu_seconds_total",
                            .help = "Processor time of the workers, of those that died included.",
                            .micro = true},
    [METRIC_PROCESS_FDS] = {.name = "process_open_fds",
                            .help = "Open file descriptors of the workers.",
                            .type = METRIC_GAUGE},
    [METRIC_PROCESS_MEMORY] = {.name = "process_resident_memory_bytes",
                               .help = "Resident memory of the workers; what they share counts "
                                       "for each.",
                               .type = METRIC_GAUGE},
    [METRIC_PROCESS_START] = {.name = "process_start_time_seconds",
                              .help = "When the service was started, in seconds since 1970.",
                              .type = METRIC_GAUGE,
                              .micro = true,
                              .max = true},
};

const struct metric_info *metrics_info(enum metric m) {
    return &table[m];
}

enum metric metrics_named(const char *name) {
    unsigned m = 0;

    while (m < METRICS && strcmp(table[m].name, name) != 0)
        m++;
    return (enum metric)m;
}

bool metrics_label_takes(const struct metric_label *label, const char *value) {
    size_t n = strlen(value);

    for (const char *s = label->values; s != NULL; s = *s == '|' ? s + 1 : NULL) {
        size_t len = strcspn(s, "|");

        if (len == n && memcmp(s, value, n) == 0)
            return true;
        s += len;
    }
    return label->values == NULL;
}
