#include "metrics.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"

#define SERIES_MAX 1024             /* of a worker; the first METRICS of them are reserved */
#define SLOTS      (2 * SERIES_MAX) /* of the hash: a power of two, never full */
#define KEY_MAX    110              /* bytes of all labels of a series */

/* One row of a page: a metric with the values of its labels.  That of index m is metric m without
 * labels, or with those that had no room. */
struct series {
    _Atomic uint64_t value; /* of a gauge an int64_t; of a histogram how many */
    _Atomic uint64_t sum;
    _Atomic uint64_t buckets[METRIC_BUCKETS_MAX];
    _Atomic bool touched; /* never: not worth telling, unless it is a counter without labels */
    uint8_t metric, len;
    char key[KEY_MAX]; /* values, each ended by NUL; written before `n` of the block counts it */
};

struct block {
    _Atomic bool alive; /* it serves */
    _Atomic unsigned n; /* of `series` */
    struct series series[SERIES_MAX];
};

static struct block *blocks; /* of the workers, then of who starts them */
static unsigned nblocks;
static struct block *mine;
static uint16_t slots[SLOTS]; /* index into mine->series; 0: free */

/* --- series ---------------------------------------------------------------------------------- */

/* The key of these values and its hash (FNV-1a); 0: it is too long. */
static size_t make_key(char key[KEY_MAX], uint32_t *hash, const char *const *labels) {
    size_t n = 0;
    uint32_t h = 2166136261U;

    for (; *labels != NULL; labels++)
        for (const char *s = *labels;; s++) {
            if (n == KEY_MAX)
                return 0;
            h = (h ^ (unsigned char)*s) * 16777619U;
            key[n++] = *s;
            if (*s == '\0')
                break;
        }
    *hash = h;
    return n;
}

/* Where it is, or would be. */
static uint16_t *find_slot(enum metric m, const char *key, size_t len, uint32_t hash) {
    uint32_t at = (hash + (uint32_t)m) % SLOTS;

    for (const struct series *s; slots[at] != 0; at = (at + 1) % SLOTS) {
        s = &mine->series[slots[at]];
        if (s->metric == m && s->len == len && memcmp(s->key, key, len) == 0)
            break;
    }
    return &slots[at];
}

static struct series *series_of(enum metric m, const char *const *labels) {
    char key[KEY_MAX];
    uint32_t hash;
    size_t len;
    uint16_t *slot;
    struct series *s;
    unsigned n;

    if (labels[0] == NULL || (len = make_key(key, &hash, labels)) == 0)
        return &mine->series[m];
    slot = find_slot(m, key, len, hash);
    if (*slot != 0)
        return &mine->series[*slot];
    if ((n = atomic_load_explicit(&mine->n, memory_order_relaxed)) == SERIES_MAX)
        return &mine->series[m];
    s = &mine->series[n];
    s->metric = (uint8_t)m;
    s->len = (uint8_t)len;
    memcpy(s->key, key, len);
    *slot = (uint16_t)n;
    atomic_store_explicit(&mine->n, n + 1, memory_order_release);
    return s;
}

static uint64_t load(const _Atomic uint64_t *value) {
    return atomic_load_explicit(value, memory_order_relaxed);
}

/* Nobody else writes there. */
static void add(_Atomic uint64_t *value, uint64_t n) {
    atomic_store_explicit(value, load(value) + n, memory_order_relaxed);
}

static void touch(struct series *s) {
    atomic_store_explicit(&s->touched, true, memory_order_relaxed);
}

void metrics_add(enum metric m, int64_t n, const char *const *labels) {
    struct series *s;

    if (mine == NULL)
        return;
    s = series_of(m, labels);
    add(&s->value, (uint64_t)n);
    touch(s);
}

void metrics_set(enum metric m, int64_t n, const char *const *labels) {
    struct series *s;

    if (mine == NULL)
        return;
    s = series_of(m, labels);
    atomic_store_explicit(&s->value, (uint64_t)n, memory_order_relaxed);
    touch(s);
}

void metrics_observe(enum metric m, uint64_t us, const char *const *labels) {
    const uint64_t *bound = metrics_info(m)->buckets;
    struct series *s;
    size_t i = 0;

    if (mine == NULL)
        return;
    s = series_of(m, labels);
    while (bound[i] != 0 && us > bound[i])
        i++;
    if (bound[i] != 0)
        add(&s->buckets[i], 1);
    add(&s->sum, us);
    add(&s->value, 1);
    touch(s);
}

int64_t metrics_value(enum metric m, const char *const *labels) {
    return mine != NULL ? (int64_t)load(&series_of(m, labels)->value) : 0;
}

/* Without printf(): it is done for every request. */
const char *metrics_number(char text[METRICS_NUMBER_SIZE], int n) {
    size_t at = METRICS_NUMBER_SIZE - 1;

    text[at] = '\0';
    do
        text[--at] = (char)('0' + n % 10);
    while ((n /= 10) > 0 && at > 0);
    return text + at;
}

/* --- blocks ---------------------------------------------------------------------------------- */

/* A block as whoever had it before has left it. */
static void take(struct block *b) {
    struct series *s;
    uint32_t hash;
    const char *labels[METRIC_LABELS_MAX + 1];
    char key[KEY_MAX];
    unsigned n = atomic_load_explicit(&b->n, memory_order_acquire);

    mine = b;
    memset(slots, 0, sizeof(slots));
    if (n == 0)
        atomic_store_explicit(&b->n, n = METRICS, memory_order_relaxed);
    for (unsigned i = 0; i < n; i++) {
        s = &b->series[i];
        if (i < METRICS)
            s->metric = (uint8_t)i;
        if (metrics_info(s->metric)->type == METRIC_GAUGE) {
            atomic_store_explicit(&s->value, 0, memory_order_relaxed);
            atomic_store_explicit(&s->touched, false, memory_order_relaxed);
        }
        if (i < METRICS)
            continue;
        for (size_t at = 0, l = 0; (labels[l] = at < s->len ? s->key + at : NULL) != NULL; l++)
            at += strlen(s->key + at) + 1;
        make_key(key, &hash, labels);
        *find_slot(s->metric, s->key, s->len, hash) = (uint16_t)i;
    }
}

/* Series that are known beforehand: an alert on a counter must see it at 0 before it moves. */
static void foresee(enum metric m, const char *labels[METRIC_LABELS_MAX + 1], size_t l) {
    const struct metric_label *label = &metrics_info(m)->labels[l];
    char value[32];
    size_t n;

    labels[l] = NULL;
    if (label->name == NULL && l > 0)
        touch(series_of(m, labels));
    for (const char *s = label->values; s != NULL; s = s[n] == '|' ? s + n + 1 : NULL) {
        n = strcspn(s, "|");
        memcpy(value, s, n);
        value[n] = '\0';
        labels[l] = value;
        foresee(m, labels, l + 1);
    }
    labels[l] = NULL;
}

int metrics_init(unsigned workers, struct err *e) {
    const char *labels[METRIC_LABELS_MAX + 1];

    blocks = mmap(NULL, (workers + 1) * sizeof(*blocks), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (blocks == MAP_FAILED) {
        blocks = NULL;
        return err_set(e, ERR_INTERNAL_ERROR, "no memory for the metrics: %s", strerror(errno));
    }
    nblocks = workers + 1;
    take(&blocks[workers]);
    for (unsigned m = 0; m < METRICS; m++)
        foresee((enum metric)m, labels, 0);
    metrics_set(METRIC_BUILD_INFO, 1, METRICS_LABELS(PARAPH_VERSION));
    metrics_set(METRIC_PROCESS_START, clock_now_us(), METRICS_LABELS());
    metrics_serve();
    return 0;
}

void metrics_join(unsigned worker) {
    if (worker + 1 >= nblocks)
        return;
    take(&blocks[worker]);
    for (unsigned m = 0; m < METRICS; m++)
        if (metrics_info((enum metric)m)->type == METRIC_GAUGE &&
            !metrics_info((enum metric)m)->max)
            touch(&mine->series[m]);
    metrics_set(METRIC_WORKERS, 1, METRICS_LABELS());
}

void metrics_serve(void) {
    if (mine != NULL)
        atomic_store_explicit(&mine->alive, true, memory_order_relaxed);
}

bool metrics_left(unsigned worker) {
    return worker + 1 < nblocks &&
           atomic_exchange_explicit(&blocks[worker].alive, false, memory_order_relaxed);
}

static bool is_alive(const struct block *b) {
    return atomic_load_explicit(&b->alive, memory_order_relaxed);
}

bool metrics_serving(void) {
    for (unsigned i = 0; i + 1 < nblocks; i++)
        if (is_alive(&blocks[i]))
            return true;
    return false;
}

/* --- the page -------------------------------------------------------------------------------- */

/* The same series of all workers, added up. */
struct row {
    const struct series *of;
    int64_t value;
    uint64_t sum, buckets[METRIC_BUCKETS_MAX];
};

static int compare(const void *a, const void *b) {
    const struct series *x = ((const struct row *)a)->of, *y = ((const struct row *)b)->of;
    size_t n = x->len < y->len ? x->len : y->len;
    int order = x->metric - y->metric;

    if (order == 0)
        order = memcmp(x->key, y->key, n);
    return order != 0 ? order : x->len - y->len;
}

static void read_series(struct row *row, const struct series *s) {
    *row = (struct row){.of = s, .value = (int64_t)load(&s->value), .sum = load(&s->sum)};
    for (size_t i = 0; i < METRIC_BUCKETS_MAX; i++)
        row->buckets[i] = load(&s->buckets[i]);
}

static bool is_told(const struct series *s, bool alive) {
    const struct metric_info *info = metrics_info(s->metric);

    if (!atomic_load_explicit(&s->touched, memory_order_relaxed))
        return s->len == 0 && info->type == METRIC_COUNTER && info->labels[0].name == NULL;
    return alive || info->type != METRIC_GAUGE;
}

/* The rows of all blocks, in order; there are several of one series. */
static struct row *collect(size_t *n) {
    struct row *rows;
    size_t max = 0;
    bool alive;

    *n = 0;
    for (unsigned i = 0; i < nblocks; i++)
        max += atomic_load_explicit(&blocks[i].n, memory_order_acquire);
    if ((rows = calloc(max + 1, sizeof(*rows))) == NULL)
        return NULL;
    for (unsigned i = 0; i < nblocks; i++) {
        alive = is_alive(&blocks[i]);
        for (unsigned j = 0; j < atomic_load(&blocks[i].n) && *n < max; j++)
            if (is_told(&blocks[i].series[j], alive))
                read_series(&rows[(*n)++], &blocks[i].series[j]);
    }
    qsort(rows, *n, sizeof(*rows), compare);
    return rows;
}

static void merge(struct row *into, const struct row *row) {
    if (!metrics_info(row->of->metric)->max)
        into->value += row->value;
    else if (row->value > into->value)
        into->value = row->value;
    into->sum += row->sum;
    for (size_t i = 0; i < METRIC_BUCKETS_MAX; i++)
        into->buckets[i] += row->buckets[i];
}

static void add_number(struct buf *out, int64_t n, bool micro) {
    if (!micro)
        buf_addf(out, "%lld", (long long)n);
    else
        buf_addf(out, "%.6f", (double)n / 1e6);
}

static void add_escaped(struct buf *out, const char *value) {
    for (; *value != '\0'; value++) {
        if (*value == '\\' || *value == '"')
            buf_addc(out, '\\');
        if (*value == '\n')
            buf_adds(out, "\\n");
        else
            buf_addc(out, *value);
    }
}

/* name_suffix{labels,le="..."} */
static void add_name(struct buf *out, const struct series *s, const char *suffix, uint64_t le) {
    const struct metric_info *info = metrics_info(s->metric);
    const char *value = s->key, *comma = "";

    buf_join(out, info->name, suffix);
    if (info->labels[0].name != NULL)
        buf_addc(out, '{');
    for (const struct metric_label *l = info->labels; l->name != NULL; l++, comma = ",") {
        buf_join(out, comma, l->name, "=\"");
        add_escaped(out, s->len > 0 ? value : "overflow");
        buf_addc(out, '"');
        value += s->len > 0 ? strlen(value) + 1 : 0;
    }
    if (le == UINT64_MAX)
        buf_join(out, comma, "le=\"+Inf\"");
    else if (le != 0)
        buf_addf(out, "%sle=\"%g\"", comma, (double)le / 1e6);
    buf_adds(out, info->labels[0].name != NULL ? "} " : " ");
}

static void add_histogram(struct buf *out, const struct row *row) {
    const uint64_t *bound = metrics_info(row->of->metric)->buckets;
    uint64_t below = 0;

    for (size_t i = 0; bound[i] != 0; i++) {
        below += row->buckets[i];
        add_name(out, row->of, "_bucket", bound[i]);
        buf_addf(out, "%llu\n", (unsigned long long)below);
    }
    add_name(out, row->of, "_bucket", UINT64_MAX);
    buf_addf(out, "%lld\n", (long long)row->value);
    add_name(out, row->of, "_sum", 0);
    add_number(out, (int64_t)row->sum, true);
    buf_addc(out, '\n');
    add_name(out, row->of, "_count", 0);
    buf_addf(out, "%lld\n", (long long)row->value);
}

static void add_row(struct buf *out, const struct row *row) {
    const struct metric_info *info = metrics_info(row->of->metric);

    if (info->type == METRIC_HISTOGRAM) {
        add_histogram(out, row);
        return;
    }
    add_name(out, row->of, "", 0);
    add_number(out, row->value, info->micro);
    buf_addc(out, '\n');
}

void metrics_write(struct buf *out) {
    static const char *const types[] = {"counter", "gauge", "histogram"};
    size_t n, i = 0;
    struct row *rows = collect(&n), whole;

    for (unsigned m = 0; m < METRICS && rows != NULL; m++) {
        const struct metric_info *info = metrics_info((enum metric)m);

        buf_join(out, "# HELP ", info->name, " ", info->help, "\n");
        buf_join(out, "# TYPE ", info->name, " ", types[info->type], "\n");
        while (i < n && rows[i].of->metric == m) {
            whole = rows[i];
            while (++i < n && compare(&whole, &rows[i]) == 0)
                merge(&whole, &rows[i]);
            add_row(out, &whole);
        }
    }
    free(rows);
}
