#include "outbox.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto.h"
#include "env.h"
#include "loop.h"

#define STALE_S   (36 * 60 * 60) /* Maildir's convention for files in tmp/ */
#define SUFFIX    ".paraph"
#define NAME_SIZE (CRYPTO_UUID_SIZE + sizeof(SUFFIX))

struct mail_call {
    struct loop_work *work;
    mail_done_fn *done;
    void *arg;
    struct blob *message;
    bool keyed;
    char tmp[NAME_SIZE];  /* in tmp/, never twice the same */
    char name[NAME_SIZE]; /* in new/ */
    struct mail_reply reply;
};

/* {DATA_DIR}/outbox, with room for "/tmp" behind it; constant while threads read it */
static char root[PATH_MAX - 8];
static unsigned sends; /* under way, detached ones included */

/* --- directories ----------------------------------------------------------------------------- */

static const char *remedy(int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "free some space there";
    case EROFS:
        return "mount it writable, or set DATA_DIR to a directory elsewhere";
    case EACCES:
    case EPERM:
        return "let the user that this service runs as write there";
    case ENOENT:
        return "it was removed: restart to make it anew";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files";
    default:
        return "look at that file system, or set DATA_DIR to a directory elsewhere";
    }
}

/* Turn errno into an error of the outbox. */
static int fail_errno(struct err *e) {
    int error = errno;

    return err_set(e, ERR_STORE_ERROR, "the outbox %.300s cannot take mail: %s; %s", root,
                   strerror(error), remedy(error));
}

static char *dir_path(char path[PATH_MAX], const char *name) {
    snprintf(path, PATH_MAX, "%s/%s", root, name);
    return path;
}

static int dir_open(const char *name) {
    char path[PATH_MAX];

    return open(dir_path(path, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Make a directory and those above it. */
static int dirs_make(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return -1;
        *slash = '/';
    }
    return mkdir(path, 0700) != 0 && errno != EEXIST ? -1 : 0;
}

/* There, ours to write, and with its name on the disk. */
static int dir_prepare(const char *name) {
    char path[PATH_MAX];
    int fd, rc;

    if (dirs_make(dir_path(path, name)) != 0 || (fd = dir_open("")) < 0)
        return -1;
    rc = fsync(fd) == 0 ? faccessat(fd, name, R_OK | W_OK | X_OK, AT_EACCESS) : -1;
    close(fd);
    return rc;
}

/* Remove what a crash left behind. */
static int sweep_tmp(void) {
    char path[PATH_MAX];
    DIR *dir = opendir(dir_path(path, "tmp"));
    time_t old = time(NULL) - STALE_S;
    struct dirent *entry;
    struct stat st;

    if (dir == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL)
        if (fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(st.st_mode) && st.st_mtime < old)
            unlinkat(dirfd(dir), entry->d_name, 0);
    closedir(dir);
    return 0;
}

static int outbox_init(struct err *e) {
    int n = snprintf(root, sizeof(root), "%s/outbox", env.data_dir);

    if (n < 0 || (size_t)n >= sizeof(root)) {
        errno = ENAMETOOLONG;
        return fail_errno(e);
    }
    if (dir_prepare("tmp") != 0 || dir_prepare("new") != 0 || dir_prepare("cur") != 0 ||
        sweep_tmp() != 0)
        return fail_errno(e);
    return 0;
}

/* --- on a thread of the pool ----------------------------------------------------------------- */

static int write_all(int fd, const char *p, size_t n) {
    while (n > 0) {
        ssize_t done = TEMP_FAILURE_RETRY(write(fd, p, n));

        if (done < 0)
            return -1;
        p += done;
        n -= (size_t)done;
    }
    return fsync(fd);
}

static int write_tmp(const struct mail_call *c, int tmp) {
    int fd = openat(tmp, c->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    int rc, error;

    if (fd < 0)
        return -1;
    rc = write_all(fd, c->message->data, c->message->len);
    error = errno;
    if (close(fd) != 0 && rc == 0)
        return -1;
    errno = error;
    return rc;
}

/* Has a reader moved it to cur/, where its name goes on with ":2," and flags (or, for some
 * readers, with ",S=" and the size first)?  -1 if that cannot be known. */
static int was_taken(const char *name) {
    char path[PATH_MAX];
    DIR *dir = opendir(dir_path(path, "cur"));
    size_t n = strlen(name);
    struct dirent *entry;
    int found = 0;

    if (dir == NULL)
        return -1;
    while (found == 0 && (errno = 0, entry = readdir(dir)) != NULL)
        found = strncmp(entry->d_name, name, n) == 0 && strchr(":,", entry->d_name[n]) != NULL;
    if (found == 0 && errno != 0)
        found = -1;
    closedir(dir);
    return found;
}

/* Is it in new/ or cur/ already?  -1 if that cannot be known. */
static int was_delivered(const char *name, int new) {
    if (faccessat(new, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? was_taken(name) : -1;
}

/*
 * Give the file in tmp/ its name in new/.  The lock makes "already there?" and the link one step
 * for all writers: once a name is not in new/ it can only be in cur/ or nowhere, since readers
 * only ever move it that way.
 */
static int deliver(struct mail_call *c, int tmp, int new) {
    int there = 0;

    if (c->keyed) {
        if (TEMP_FAILURE_RETRY(flock(new, LOCK_EX)) != 0 ||
            (there = was_delivered(c->name, new)) < 0)
            return -1;
    }
    if (there == 0 && linkat(tmp, c->tmp, new, c->name, 0) != 0 && errno != EEXIST)
        return -1;
    c->reply.unknown = true; /* readers see it, but it may not outlive a power failure */
    if (fsync(new) != 0)
        return -1;
    c->reply.unknown = false;
    return 0;
}

static void send_work(void *arg) {
    struct mail_call *c = arg;
    int tmp = dir_open("tmp"), new = tmp < 0 ? -1 : dir_open("new");

    if (new < 0 || write_tmp(c, tmp) != 0 || deliver(c, tmp, new) != 0)
        fail_errno(&c->reply.err);
    if (tmp >= 0) {
        unlinkat(tmp, c->tmp, 0);
        close(tmp);
    }
    if (new >= 0)
        close(new); /* and unlock */
}

/* --- on the loop ----------------------------------------------------------------------------- */

static void on_sent(void *arg) {
    struct mail_call *c = arg;

    c->work = NULL;
    c->done(&c->reply, c->arg);
}

static void call_release(void *arg) {
    struct mail_call *c = arg;

    sends--;
    blob_unref(c->message);
    free(c);
}

static bool is_test_domain(const char *domain) {
    const char *dot = strrchr(domain, '.');

    return strcasecmp(dot != NULL ? dot + 1 : domain, "test") == 0;
}

/* The refusal that one of the recipients rehearses, if any. */
static int rehearse_refusal(const struct mail_request *rq, struct err *e) {
    for (size_t i = 0; i < rq->nrecipients; i++) {
        const char *spec = rq->recipients[i], *at = strrchr(spec, '@');
        size_t n = at == NULL ? 0 : (size_t)(at - spec);

        if (at == NULL || !is_test_domain(at + 1) || n != strlen("tempfail"))
            continue;
        if (strncasecmp(spec, "permfail", n) == 0)
            return err_set(e, ERR_GMAIL_ERROR,
                           "%s was refused for good; sending again will not help", spec);
        if (strncasecmp(spec, "tempfail", n) == 0) {
            err_set(e, ERR_GMAIL_ERROR, "%s was refused for now; send again later", spec);
            e->retry_after = 30;
            return -1;
        }
    }
    return 0;
}

static struct mail_call *call_new(const struct mail_request *rq, mail_done_fn *done, void *arg) {
    struct mail_call *c = calloc(1, sizeof(*c));
    char fresh[CRYPTO_UUID_SIZE], id[CRYPTO_UUID_SIZE];

    if (c == NULL)
        return NULL;
    c->done = done;
    c->arg = arg;
    c->message = blob_ref(rq->message);
    c->keyed = rq->key != NULL;
    crypto_uuid4(fresh);
    snprintf(id, sizeof(id), "%s", c->keyed ? rq->key : fresh);
    for (char *p = id; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p); /* one UUID, one name */
    snprintf(c->tmp, sizeof(c->tmp), "%s" SUFFIX, fresh);
    snprintf(c->name, sizeof(c->name), "%s" SUFFIX, id);
    snprintf(c->reply.id, sizeof(c->reply.id), "%s", id);
    snprintf(c->reply.thread_id, sizeof(c->reply.thread_id), "%s",
             rq->thread_id != NULL ? rq->thread_id : id);
    return c;
}

static struct mail_call *send_start(const struct mail_request *rq, mail_done_fn *done, void *arg,
                                    struct err *e) {
    struct mail_call *c;

    if (rehearse_refusal(rq, e) != 0)
        return NULL;
    if (rq->key != NULL && !crypto_is_uuid(rq->key, strlen(rq->key))) {
        err_set_field(e, ERR_INVALID_FIELD, "key", "the key of a message must be a UUID");
        return NULL;
    }
    if (sends >= OUTBOX_SENDS_MAX) {
        err_set(e, ERR_OVERLOADED, "too many messages wait for the disk of the outbox");
        e->retry_after = 1;
        return NULL;
    }
    if ((c = call_new(rq, done, arg)) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    sends++;
    if ((c->work = loop_work_start(send_work, on_sent, call_release, c)) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        call_release(c);
        return NULL;
    }
    return c;
}

static struct mail_call *outbox_start(const struct mail_request *rq, mail_done_fn *done,
                                      void *arg) {
    struct mail_reply reply = {0};
    struct mail_call *c;

    if (rq->verb == MAIL_SEND) {
        if ((c = send_start(rq, done, arg, &reply.err)) != NULL)
            return c;
    } else if ((reply.signature = strdup(env.local_signature)) == NULL) {
        err_set(&reply.err, ERR_INTERNAL_ERROR, "out of memory");
    }
    done(&reply, arg);
    free(reply.signature);
    return NULL;
}

static void outbox_cancel(struct mail_call *c) {
    loop_work_detach(&c->work);
}

const struct mail_backend outbox_backend = {
    .init = outbox_init,
    .start = outbox_start,
    .cancel = outbox_cancel,
};
