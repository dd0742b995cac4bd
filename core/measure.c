#include "measure.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "gen.h"
#include "metrics.h"

#define PAUSE_MS    10000 /* Prometheus asks less often */
#define STATUS_SIZE 4096
#define FDS_AT_ONCE 1024

static int status_fd = -1; /* /proc/self/status */
static int64_t cpu_before; /* of those who had this worker's place, in microseconds */
static uint64_t measured_ms;

void measure_init(void) {
    status_fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    cpu_before = metrics_value(METRIC_PROCESS_CPU, METRICS_LABELS());
    measure_now();
}

static int64_t cpu_us(void) {
    struct rusage used;

    if (getrusage(RUSAGE_SELF, &used) != 0)
        return 0;
    return ((int64_t)used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
           used.ru_utime.tv_usec + used.ru_stime.tv_usec;
}

/* The number behind a name at the start of a line; 0: there is none. */
static long read_number(const char *status, const char *name) {
    const char *line = strstr(status, name);

    return line != NULL ? strtol(line + strlen(name), NULL, 10) : 0;
}

/* Those below `size`, many at a time: poll() says which ones are none. */
static int64_t count_open(long size) {
    static struct pollfd fds[FDS_AT_ONCE];
    int64_t open = 0;

    for (long from = 0; from < size; from += FDS_AT_ONCE) {
        nfds_t n = size - from < FDS_AT_ONCE ? (nfds_t)(size - from) : FDS_AT_ONCE;

        for (nfds_t i = 0; i < n; i++)
            fds[i] = (struct pollfd){.fd = (int)(from + (long)i)};
        if (poll(fds, n, 0) < 0)
            return 0;
        for (nfds_t i = 0; i < n; i++)
            open += (fds[i].revents & POLLNVAL) == 0;
    }
    return open;
}

static void measure_status(void) {
    char status[STATUS_SIZE];
    ssize_t n = status_fd >= 0 ? pread(status_fd, status, sizeof(status) - 1, 0) : -1;

    if (n <= 0)
        return;
    status[n] = '\0';
    metrics_set(METRIC_PROCESS_MEMORY, read_number(status, "\nVmRSS:") * (int64_t)KIB,
                METRICS_LABELS());
    metrics_set(METRIC_PROCESS_FDS, count_open(read_number(status, "\nFDSize:")), METRICS_LABELS());
}

void measure_now(void) {
    measured_ms = clock_monotonic_ms();
    metrics_set(METRIC_PROCESS_CPU, cpu_before + cpu_us(), METRICS_LABELS());
    measure_status();
    if (gen_live() == NULL)
        return;
    metrics_set(METRIC_GENERATION, gen_number(gen_live()), METRICS_LABELS());
    metrics_set(METRIC_LUA_MEMORY, (int64_t)gen_bytes_of_all(), METRICS_LABELS());
}

void measure_seldom(void) {
    if (clock_monotonic_ms() - measured_ms >= PAUSE_MS)
        measure_now();
}
