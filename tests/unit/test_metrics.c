/* metrics.h: what is counted by several processes is one page, and outlives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/wait.h>
#include <unistd.h>

#include "metrics.h"

#define WORKERS 3
#define OF(...) METRICS_LABELS(__VA_ARGS__)

static char page[4 * MIB];

static const char *written(void) {
    struct buf out;

    buf_init(&out, sizeof(page) - 1);
    metrics_write(&out);
    assert_false(buf_failed(&out));
    memcpy(page, out.data, out.len + 1);
    buf_free(&out);
    return page;
}

static void assert_told(const char *line) {
    char text[512];

    snprintf(text, sizeof(text), "\n%s\n", line);
    if (strstr(written(), text) == NULL)
        fail_msg("'%s' is not on the page:\n%.20000s", line, page);
}

static void assert_not_told(const char *part) {
    if (strstr(written(), part) != NULL)
        fail_msg("'%s' is on the page:\n%.20000s", part, page);
}

/* What a worker does, in a process of its own. */
static void as_worker(unsigned worker, void (*work)(void)) {
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        metrics_join(worker);
        metrics_serve();
        work();
        _exit(0);
    }
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static int start(void **state) {
    struct err e;

    (void)state;
    return metrics_init(WORKERS, &e);
}

/* --- the table ------------------------------------------------------------------------------- */

static void the_table_is_whole_and_in_order(void **state) {
    const struct metric_info *info, *before = NULL;
    size_t n;

    (void)state;
    for (unsigned m = 0; m < METRICS; m++, before = info) {
        info = metrics_info((enum metric)m);
        assert_non_null(info->name);
        assert_int_equal(metrics_named(info->name), m);
        assert_true(before == NULL || strcmp(before->name, info->name) < 0);
        assert_int_equal(info->help[strlen(info->help) - 1], '.');
        assert_null(strpbrk(info->help, "\\\n"));
        assert_int_equal(info->buckets != NULL, info->type == METRIC_HISTOGRAM);
        for (n = 0; info->buckets != NULL && info->buckets[n] != 0; n++)
            assert_true(n == 0 || info->buckets[n - 1] < info->buckets[n]);
        assert_true(n <= METRIC_BUCKETS_MAX);
    }
    assert_int_equal(metrics_named("paraph_no_such_total"), METRICS);
}

static void labels_take_their_values(void **state) {
    const struct metric_label closed = {"outcome", "won|lost"}, any = {"hook", NULL};

    (void)state;
    assert_true(metrics_label_takes(&closed, "won"));
    assert_true(metrics_label_takes(&closed, "lost"));
    assert_false(metrics_label_takes(&closed, "los"));
    assert_false(metrics_label_takes(&closed, "won|lost"));
    assert_false(metrics_label_takes(&closed, ""));
    assert_true(metrics_label_takes(&any, ""));
}

/* --- one process ----------------------------------------------------------------------------- */

static void nothing_is_counted_before_there_is_a_place_for_it(void **state) {
    (void)state;
    METRICS_COUNT(METRIC_CLAIMS, "won");
    metrics_set(METRIC_GENERATION, 7, OF());
    metrics_observe(METRIC_HTTP_SECONDS, 7, OF("/"));
    assert_int_equal(metrics_value(METRIC_CLAIMS, OF("won")), 0);
    assert_not_told("paraph_claims_total{");
}

static void a_worker_is_one_when_it_serves(void **state) {
    (void)state;
    metrics_join(0);
    assert_not_told("paraph_workers 1");
    assert_false(metrics_serving());
    metrics_serve();
    assert_told("paraph_workers 1");
    assert_true(metrics_serving());
}

static void counters_are_there_before_they_move(void **state) {
    (void)state;
    assert_told("paraph_claims_total{outcome=\"won\"} 0");
    assert_told("paraph_sends_total{mode=\"direct\",outcome=\"unknown\"} 0");
    assert_told("paraph_worker_restarts_total 0");
    assert_told("paraph_build_info{version=\"" PARAPH_VERSION "\"} 1");
    METRICS_COUNT(METRIC_CLAIMS, "won");
    metrics_add(METRIC_CLAIMS, 2, OF("won"));
    assert_told("paraph_claims_total{outcome=\"won\"} 3");
    assert_told("paraph_claims_total{outcome=\"lost\"} 0");
}

static void histograms_have_bounds_below_or_at_which_they_count(void **state) {
    (void)state;
    metrics_observe(METRIC_POLICY_SECONDS, 50, OF("review.decide"));
    metrics_observe(METRIC_POLICY_SECONDS, 51, OF("review.decide"));
    metrics_observe(METRIC_POLICY_SECONDS, 2500000, OF("review.decide"));
    assert_told("paraph_policy_duration_seconds_bucket{hook=\"review.decide\",le=\"5e-05\"} 1");
    assert_told("paraph_policy_duration_seconds_bucket{hook=\"review.decide\",le=\"0.0001\"} 2");
    assert_told("paraph_policy_duration_seconds_bucket{hook=\"review.decide\",le=\"0.1\"} 2");
    assert_told("paraph_policy_duration_seconds_bucket{hook=\"review.decide\",le=\"+Inf\"} 3");
    assert_told("paraph_policy_duration_seconds_sum{hook=\"review.decide\"} 2.500101");
    assert_told("paraph_policy_duration_seconds_count{hook=\"review.decide\"} 3");
}

static void values_of_labels_are_escaped(void **state) {
    (void)state;
    METRICS_COUNT(METRIC_POLICY_ERRORS, "a\"b\\c\nd{}");
    assert_told("paraph_policy_errors_total{hook=\"a\\\"b\\\\c\\nd{}\"} 1");
}

static void gauges_are_told_when_they_are_known(void **state) {
    (void)state;
    assert_not_told("\nparaph_webhooks_waiting ");
    metrics_set(METRIC_WEBHOOKS_WAITING, 0, OF());
    assert_told("paraph_webhooks_waiting 0");
    metrics_add(METRIC_MAILBOX_WAITING, 2, OF());
    metrics_add(METRIC_MAILBOX_WAITING, -1, OF());
    assert_told("paraph_mailbox_waiting 1");
}

/* A label of more than has room, and one series more than that. */
static void what_has_no_room_is_counted_as_such(void **state) {
    static char longer[4096];
    char hook[32];

    (void)state;
    memset(longer, 'x', sizeof(longer) - 1);
    METRICS_COUNT(METRIC_POLICY_ERRORS, longer);
    assert_told("paraph_policy_errors_total{hook=\"overflow\"} 1");
    for (int i = 0; i < 5000; i++) {
        snprintf(hook, sizeof(hook), "h%d", i);
        METRICS_COUNT(METRIC_POLICY_ERRORS, hook);
    }
    METRICS_COUNT(METRIC_POLICY_ERRORS, "h0");
    assert_told("paraph_policy_errors_total{hook=\"h0\"} 2");
    assert_not_told("hook=\"h4999\"");
    METRICS_COUNT(METRIC_HTTP_REQUESTS, "GET", "/", "200");
    assert_told("paraph_http_requests_total{method=\"overflow\",route=\"overflow\","
                "status=\"overflow\"} 1");
}

/* --- several --------------------------------------------------------------------------------- */

static void count_some(void) {
    for (int i = 0; i < 1000; i++) {
        METRICS_COUNT(METRIC_OPENS, "person");
        METRICS_COUNT(METRIC_HTTP_REQUESTS, "GET", "/pixel", "200");
        metrics_observe(METRIC_HTTP_SECONDS, 1500, OF("/pixel"));
    }
    metrics_set(METRIC_HTTP_IN_FLIGHT, 4, OF());
    metrics_set(METRIC_GENERATION, 2, OF());
}

static void workers_are_added_up(void **state) {
    (void)state;
    as_worker(1, count_some);
    as_worker(2, count_some);
    assert_told("paraph_opens_total{kind=\"person\"} 2000");
    assert_told("paraph_http_requests_total{method=\"GET\",route=\"/pixel\",status=\"200\"} 2000");
    assert_told("paraph_http_request_duration_seconds_count{route=\"/pixel\"} 2000");
    assert_told("paraph_http_request_duration_seconds_sum{route=\"/pixel\"} 3.000000");
    assert_told("paraph_http_requests_in_flight 8");
    assert_told("paraph_generation 2");
    assert_told("paraph_workers 2");
}

static void who_has_ended_has_counted_all_the_same(void **state) {
    (void)state;
    assert_true(metrics_left(1));
    assert_false(metrics_left(1));
    assert_told("paraph_opens_total{kind=\"person\"} 2000");
    assert_told("paraph_http_requests_in_flight 4");
    assert_told("paraph_workers 1");
    as_worker(1, count_some);
    assert_told("paraph_opens_total{kind=\"person\"} 3000");
    assert_told("paraph_http_requests_total{method=\"GET\",route=\"/pixel\",status=\"200\"} 3000");
    assert_told("paraph_workers 2");
}

static void count_nothing(void) {
}

static void gauges_begin_anew_with_their_worker(void **state) {
    (void)state;
    as_worker(1, count_nothing);
    assert_told("paraph_http_requests_in_flight 4"); /* of worker 2 */
    assert_told("paraph_opens_total{kind=\"person\"} 3000");
}

/* --- all ------------------------------------------------------------------------------------- */

static void the_page_stays_as_it_is(void **state) {
    static char before[sizeof(page)];

    (void)state;
    strcpy(before, written());
    assert_string_equal(written(), before);
}

int main(void) {
    const struct CMUnitTest table[] = {
        cmocka_unit_test(the_table_is_whole_and_in_order),
        cmocka_unit_test(labels_take_their_values),
        cmocka_unit_test(nothing_is_counted_before_there_is_a_place_for_it),
    };
    const struct CMUnitTest alone[] = {
        cmocka_unit_test(a_worker_is_one_when_it_serves),
        cmocka_unit_test(counters_are_there_before_they_move),
        cmocka_unit_test(histograms_have_bounds_below_or_at_which_they_count),
        cmocka_unit_test(values_of_labels_are_escaped),
        cmocka_unit_test(gauges_are_told_when_they_are_known),
        cmocka_unit_test(what_has_no_room_is_counted_as_such),
        cmocka_unit_test(the_page_stays_as_it_is),
    };
    const struct CMUnitTest together[] = {
        cmocka_unit_test(workers_are_added_up),
        cmocka_unit_test(who_has_ended_has_counted_all_the_same),
        cmocka_unit_test(gauges_begin_anew_with_their_worker),
        cmocka_unit_test(the_page_stays_as_it_is),
    };

    return cmocka_run_group_tests_name("metrics: table", table, NULL, NULL) +
           cmocka_run_group_tests_name("metrics: alone", alone, start, NULL) +
           cmocka_run_group_tests_name("metrics: together", together, start, NULL);
}
