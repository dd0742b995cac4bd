#include "sqlite.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "env.h"
#include "loop.h"
#include "sqlite_docs.h"

#define QUEUE_MAX       10000       /* writes under way */
#define BATCH_MAX       16          /* handed over at once: the disk works while more come in */
#define QUEUE_BYTES_MAX (256 * MIB) /* their documents and parts; one write is always taken */
#define READ_BUSY_MS    1000  /* the loop stands still meanwhile; only recovery locks readers */
#define WRITE_BUSY_MS   10000 /* for the groups of other processes */

struct write {
    struct store_call call; /* the loop's; done NULL: cancelled */
    struct write *next;
    struct store_request *rq; /* our copy; its trees are the loop's */
    struct sqlite_docs_texts texts;
    size_t bytes;
    struct store_reply reply;
};

struct list {
    struct write *first;
    struct write **end; /* where the next one is hung */
};

/* The loop's. */
static struct sqlite_docs *reader;
static uv_async_t *wakeup;
static uv_idle_t *turn_over;
static struct list batch; /* of this turn, for the writer */
static size_t nbatch;
static uv_thread_t thread;
static size_t under_way;
static size_t bytes_under_way;

/* The writer's. */
static struct sqlite_docs *writer;

/* Under the lock. */
static uv_mutex_t lock;
static uv_cond_t work_or_stop;
static struct list queue;
static struct list replies;
static bool stopping;

static void list_clear(struct list *l) {
    *l = (struct list){.first = NULL, .end = &l->first};
}

/* Append a chain of writes that ends at `last`. */
static void list_append(struct list *l, struct write *first, struct write *last) {
    *l->end = first;
    l->end = &last->next;
}

/* All of `from`, which is not empty, and is then. */
static void list_move(struct list *to, struct list *from) {
    *to->end = from->first;
    to->end = from->end;
    list_clear(from);
}

/* --- the writer thread ----------------------------------------------------------------------- */

static int commit_group(struct write *group, struct err *e) {
    if (sqlite_docs_begin(writer, e) < 0)
        return -1;
    for (struct write *w = group; w != NULL; w = w->next)
        if (sqlite_docs_write(writer, w->rq, &w->texts, &w->reply) < 0) {
            *e = w->reply.err;
            return -1;
        }
    return sqlite_docs_commit(writer, e);
}

/* Write the group; its last member. */
static struct write *write_group(struct write *group) {
    struct err e = {0};
    bool failed = commit_group(group, &e) < 0;
    struct write *last = group;

    for (struct write *w = group; w != NULL; last = w, w = w->next)
        if (failed) /* what was refused, too: the reason may have been undone */
            w->reply = (struct store_reply){.err = e};
    return last;
}

static void run_writer(void *arg) {
    sigset_t signals;

    (void)arg;
    sigfillset(&signals); /* they are for the loop thread */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    uv_mutex_lock(&lock);
    for (;;) {
        struct write *group, *last;

        while (queue.first == NULL && !stopping)
            uv_cond_wait(&work_or_stop, &lock);
        if ((group = queue.first) == NULL)
            break;
        list_clear(&queue);
        uv_mutex_unlock(&lock);
        last = write_group(group);
        uv_mutex_lock(&lock);
        list_append(&replies, group, last);
        uv_async_send(wakeup);
    }
    uv_mutex_unlock(&lock);
}

/* --- writes on the loop thread --------------------------------------------------------------- */

static void write_free(struct write *w) {
    store_request_free(w->rq);
    store_reply_fini(&w->reply);
    sqlite_docs_texts_free(&w->texts);
    free(w);
}

/* The writer has no use for trees, whose references are counted on the loop alone. */
static struct write *write_new(const struct store_request *rq) {
    struct store_request bare = *rq;
    struct write *w = calloc(1, sizeof(*w));

    bare.fields = bare.append = NULL;
    if (w != NULL && (w->rq = store_request_copy(&bare)) != NULL)
        return w;
    free(w);
    return NULL;
}

/* Everything that goes to the disk, as text and bytes. */
static int write_fill(struct write *w, const struct store_request *rq, struct err *e) {
    if (sqlite_docs_texts_make(&w->texts, rq) < 0)
        return err_set(e, ERR_STORE_ERROR, "out of memory");
    w->bytes = w->texts.fields != NULL ? strlen(w->texts.fields) : 0;
    w->bytes += w->texts.append != NULL ? strlen(w->texts.append) : 0;
    for (size_t i = 0; i < rq->nwith; i++)
        w->bytes += strlen(w->texts.with[i]);
    for (size_t i = 0; i < rq->nparts; i++)
        w->bytes += rq->parts[i]->len;
    if (under_way >= QUEUE_MAX || (under_way > 0 && bytes_under_way + w->bytes > QUEUE_BYTES_MAX))
        return err_set(e, ERR_OVERLOADED, "too many writes are waiting for the disk");
    return 0;
}

/* What comes in together shares an fsync: the writer is woken for a batch, not for its first. */
static void hand_over(void) {
    uv_idle_stop(turn_over);
    if (nbatch == 0)
        return;
    nbatch = 0;
    uv_mutex_lock(&lock);
    list_move(&queue, &batch);
    uv_cond_signal(&work_or_stop);
    uv_mutex_unlock(&lock);
}

/* libuv calls this before it looks for more to do, and does not sleep before it has. */
static void on_turn_over(uv_idle_t *h) {
    (void)h;
    hand_over();
}

static void write_submit(struct write *w) {
    under_way++;
    bytes_under_way += w->bytes;
    list_append(&batch, w, w);
    if (++nbatch == BATCH_MAX)
        hand_over();
    else
        uv_idle_start(turn_over, on_turn_over);
}

/* A done() may cancel a later one of the same list, or start more. */
static void deliver(void) {
    struct write *next;

    uv_mutex_lock(&lock);
    next = replies.first;
    list_clear(&replies);
    uv_mutex_unlock(&lock);
    while (next != NULL) {
        struct write *w = next;

        next = w->next;
        under_way--;
        bytes_under_way -= w->bytes;
        if (w->call.done != NULL)
            w->call.done(&w->reply, w->call.arg);
        write_free(w);
    }
}

static void on_wakeup(uv_async_t *h) {
    (void)h;
    deliver();
}

/* --- the backend ----------------------------------------------------------------------------- */

static struct store_call *start(const struct store_request *rq, store_done_fn *done, void *arg) {
    struct store_reply reply = {0};
    struct write *w;

    if (sqlite_docs_reads(rq->verb)) {
        sqlite_docs_read(reader, rq, &reply);
    } else if ((w = write_new(rq)) == NULL) {
        err_set(&reply.err, ERR_STORE_ERROR, "out of memory");
    } else if (write_fill(w, rq, &reply.err) < 0) {
        write_free(w);
    } else {
        w->call = (struct store_call){.done = done, .arg = arg};
        write_submit(w);
        return &w->call;
    }
    done(&reply, arg);
    store_reply_fini(&reply);
    return NULL;
}

/* The writer may be at it: its reply frees it. */
static void cancel(struct store_call *call) {
    call->done = NULL;
}

int sqlite_make_dir(struct err *e) {
    if (mkdir(env.data_dir, 0700) < 0 && errno != EEXIST)
        return err_set(e, ERR_STORE_ERROR, "DATA_DIR: cannot make the directory %s: %s",
                       env.data_dir, strerror(errno));
    return 0;
}

static int make_path(char *path, size_t size, struct err *e) {
    int n = snprintf(path, size, "%s/paraph.db", env.data_dir);

    if (n < 0 || (size_t)n >= size)
        return err_set(e, ERR_STORE_ERROR, "DATA_DIR: the path is too long");
    return sqlite_make_dir(e);
}

static void on_closed(uv_handle_t *h) {
    free(h);
}

/* The handles of the loop. */
static int open_handles(void) {
    wakeup = malloc(sizeof(*wakeup));
    turn_over = malloc(sizeof(*turn_over));
    if (wakeup != NULL && turn_over != NULL && uv_async_init(loop_uv(), wakeup, on_wakeup) == 0) {
        uv_idle_init(loop_uv(), turn_over);
        return 0;
    }
    free(wakeup);
    free(turn_over);
    return -1;
}

static void close_handles(void) {
    uv_close((uv_handle_t *)wakeup, on_closed);
    uv_close((uv_handle_t *)turn_over, on_closed);
}

static int start_writer(struct err *e) {
    stopping = false;
    under_way = bytes_under_way = nbatch = 0;
    list_clear(&batch);
    list_clear(&queue);
    list_clear(&replies);
    uv_mutex_init(&lock);
    uv_cond_init(&work_or_stop);
    if (open_handles() == 0) {
        if (uv_thread_create(&thread, run_writer, NULL) == 0)
            return 0;
        close_handles();
    }
    uv_cond_destroy(&work_or_stop);
    uv_mutex_destroy(&lock);
    return err_set(e, ERR_STORE_ERROR, "cannot start the thread that writes the store");
}

static void stop_writer(void) {
    hand_over();
    uv_mutex_lock(&lock);
    stopping = true;
    uv_cond_signal(&work_or_stop);
    uv_mutex_unlock(&lock);
    uv_thread_join(&thread);
    deliver();
    close_handles();
    uv_cond_destroy(&work_or_stop);
    uv_mutex_destroy(&lock);
}

static void close_both(void) {
    sqlite_docs_close(reader);
    sqlite_docs_close(writer); /* last: moves the log into the file */
    reader = writer = NULL;
}

static int init(struct err *e) {
    char path[PATH_MAX];

    if (make_path(path, sizeof(path), e) == 0 &&
        (writer = sqlite_docs_open(path, WRITE_BUSY_MS, e)) != NULL &&
        (reader = sqlite_docs_open(path, READ_BUSY_MS, e)) != NULL && start_writer(e) == 0)
        return 0;
    close_both();
    return -1;
}

static void fini(void) {
    stop_writer();
    close_both();
}

const struct store_backend sqlite_backend = {init, fini, start, cancel};
