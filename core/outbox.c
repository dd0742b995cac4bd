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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "crypto.h"
#include "env.h"
#include "loop.h"

#define STALE_S   (36 * 60 * 60) /* Maildir's convention for files in tmp/ */
#define SUFFIX    ".paraph"
#define DRAFT     ".draft"
#define NAME_SIZE (2 * CRYPTO_UUID_SIZE + sizeof(SUFFIX))

struct outbox_call {
    struct mail_call call;
    enum mail_verb verb;
    struct loop_work *work;
    struct blob *message;
    char tmp[NAME_SIZE];  /* in tmp/ */
    char name[NAME_SIZE]; /* in new/ */
    struct mail_reply reply;
};

/* {DATA_DIR}/outbox, with room for "/tmp" behind it; constant while threads read it */
static char root[PATH_MAX - 8];
static bool is_made;
static unsigned works; /* under way, detached ones included */

/* --- directories ----------------------------------------------------------------------------- */

static const char *remedy(int error) {
    static const char elsewhere[] =
        "look at that file system, or set DATA_DIR to a directory elsewhere";

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
        return is_made ? "it was removed: restart to make it anew" : elsewhere;
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files";
    default:
        return elsewhere;
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

static bool is_draft(const char *name) {
    size_t n = strlen(name);

    return n > strlen(DRAFT) && strcmp(name + n - strlen(DRAFT), DRAFT) == 0;
}

/* Remove what a crash left behind.  Drafts stay: one that is gone counts as sent. */
static int sweep_tmp(void) {
    char path[PATH_MAX];
    DIR *dir = opendir(dir_path(path, "tmp"));
    time_t old = time(NULL) - STALE_S;
    struct dirent *entry;
    struct stat st;

    if (dir == NULL)
        return -1;
    while ((entry = readdir(dir)) != NULL)
        if (!is_draft(entry->d_name) &&
            fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
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
    is_made = true;
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

static int write_tmp(const struct outbox_call *c, int tmp) {
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

static bool is_there(int dir, const char *name) {
    return faccessat(dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Readers see it from here on, but it may not outlive a power failure at once. */
static int deliver(struct outbox_call *c, int tmp, int new) {
    if (renameat(tmp, c->tmp, new, c->name) != 0)
        return -1;
    c->reply.unknown = true;
    if (fsync(new) != 0 || fsync(tmp) != 0)
        return -1;
    c->reply.unknown = false;
    return 0;
}

static int deliver_draft(struct outbox_call *c, int tmp, int new) {
    if (deliver(c, tmp, new) == 0)
        return 0;
    if (errno != ENOENT || is_there(tmp, c->tmp))
        return -1;
    err_set(&c->reply.err, ERR_NOT_FOUND, "there is no such draft in the outbox");
    return 0;
}

/* Is the mail that the draft became still where mail programs keep it?  A reader may have taken it
 * away. */
static bool is_delivered(const struct outbox_call *c) {
    static const char *const dirs[] = {"new", "cur"};
    char path[PATH_MAX];
    bool there = false;

    for (size_t i = 0; i < COUNT_OF(dirs) && !there; i++) {
        DIR *dir = opendir(dir_path(path, dirs[i]));
        struct dirent *entry;

        while (dir != NULL && !there && (entry = readdir(dir)) != NULL)
            there = strncmp(entry->d_name, c->name, strlen(c->name)) == 0;
        if (dir != NULL)
            closedir(dir);
    }
    return there;
}

static int look_for_draft(struct outbox_call *c, int tmp) {
    c->reply.exists = is_there(tmp, c->tmp);
    if (!c->reply.exists && errno != ENOENT)
        return -1;
    if (!c->reply.exists && is_delivered(c))
        c->reply.fate = MAIL_FATE_SENT;
    return 0;
}

static int delete_draft(struct outbox_call *c, int tmp) {
    c->reply.exists = unlinkat(tmp, c->tmp, 0) == 0;
    return c->reply.exists || errno == ENOENT ? 0 : -1;
}

/* All drafts of a key, c->tmp. */
static int find_drafts(struct outbox_call *c) {
    char path[PATH_MAX];
    DIR *dir = opendir(dir_path(path, "tmp"));
    struct dirent *entry;

    if (dir == NULL)
        return -1;
    while (c->reply.nfound < MAIL_FOUND_MAX && (entry = readdir(dir)) != NULL)
        if (strncmp(entry->d_name, c->tmp, strlen(c->tmp)) == 0 && is_draft(entry->d_name))
            mail_reply_add(&c->reply, entry->d_name, strlen(entry->d_name) - strlen(DRAFT));
    closedir(dir);
    return 0;
}

static int carry_out(struct outbox_call *c, int tmp, int new) {
    switch (c->verb) {
    case MAIL_SEND:
        return write_tmp(c, tmp) != 0 ? -1 : deliver(c, tmp, new);
    case MAIL_DRAFT_CREATE:
        return write_tmp(c, tmp) != 0 ? -1 : fsync(tmp);
    case MAIL_DRAFT_SEND:
        return deliver_draft(c, tmp, new);
    case MAIL_DRAFT_GET:
        return look_for_draft(c, tmp);
    case MAIL_DRAFT_FIND:
        return find_drafts(c);
    default: /* MAIL_DRAFT_DELETE */
        return delete_draft(c, tmp);
    }
}

static void work(void *arg) {
    struct outbox_call *c = arg;
    int tmp = dir_open("tmp"), new = tmp < 0 ? -1 : dir_open("new");

    if (new < 0 || carry_out(c, tmp, new) != 0) {
        fail_errno(&c->reply.err);
        if (tmp >= 0 && c->message != NULL)
            unlinkat(tmp, c->tmp, 0);
    }
    if (tmp >= 0)
        close(tmp);
    if (new >= 0)
        close(new);
}

/* --- on the loop ----------------------------------------------------------------------------- */

static void on_carried_out(void *arg) {
    struct outbox_call *c = arg;

    c->work = NULL;
    mail_end(&c->call, &c->reply);
}

static void call_release(void *arg) {
    struct outbox_call *c = arg;

    works--;
    blob_unref(c->message);
    mail_reply_fini(&c->reply);
    free(c);
}

static bool is_test_domain(const char *domain) {
    const char *dot = strrchr(domain, '.');

    return strcasecmp(dot != NULL ? dot + 1 : domain, "test") == 0;
}

int outbox_rehearse(const struct mail_request *rq, struct err *e) {
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

int outbox_key(char lower[CRYPTO_UUID_SIZE], const char *key, struct err *e) {
    size_t n = strlen(key);

    if (!crypto_is_uuid(key, n))
        return err_set_field(e, ERR_INVALID_FIELD, "key", "the key of a draft must be a UUID");
    for (size_t i = 0; i <= n; i++)
        lower[i] = (char)tolower((unsigned char)key[i]); /* one UUID, one name */
    return 0;
}

/* Each draft has a name of its own, so that whoever forgets his cannot hit another one's. */
static int name_draft(struct outbox_call *c, const char *key, const char *fresh, struct err *e) {
    char lower[CRYPTO_UUID_SIZE];

    if (outbox_key(lower, key, e) != 0)
        return -1;
    snprintf(c->tmp, sizeof(c->tmp), "%s.%s" DRAFT, lower, fresh);
    snprintf(c->reply.id, sizeof(c->reply.id), "%s.%s", lower, fresh);
    return 0;
}

int outbox_draft_key(char key[CRYPTO_UUID_SIZE], const char *id, struct err *e) {
    if (strlen(id) != 2 * CRYPTO_UUID_LEN + 1 || id[CRYPTO_UUID_LEN] != '.' ||
        !crypto_is_uuid(id, CRYPTO_UUID_LEN) ||
        !crypto_is_uuid(id + CRYPTO_UUID_SIZE, CRYPTO_UUID_LEN))
        return err_set(e, ERR_INVALID_FIELD, "this is not the id of a draft in the outbox");
    snprintf(key, CRYPTO_UUID_SIZE, "%s", id);
    return 0;
}

static int find_draft(struct outbox_call *c, const char *id, struct err *e) {
    char key[CRYPTO_UUID_SIZE];

    if (outbox_draft_key(key, id, e) != 0)
        return -1;
    snprintf(c->tmp, sizeof(c->tmp), "%s" DRAFT, id);
    snprintf(c->name, sizeof(c->name), "%s" SUFFIX, key);
    snprintf(c->reply.id, sizeof(c->reply.id), "%s", key);
    return 0;
}

static int name_files(struct outbox_call *c, const struct mail_request *rq, struct err *e) {
    char fresh[CRYPTO_UUID_SIZE];

    crypto_uuid4(fresh);
    if (c->verb == MAIL_DRAFT_CREATE)
        return name_draft(c, rq->key, fresh, e);
    if (c->verb == MAIL_DRAFT_FIND)
        return outbox_key(c->tmp, rq->key, e);
    if (c->verb != MAIL_SEND)
        return find_draft(c, rq->draft_id, e);
    snprintf(c->tmp, sizeof(c->tmp), "%s" SUFFIX, fresh);
    snprintf(c->name, sizeof(c->name), "%s" SUFFIX, fresh);
    snprintf(c->reply.id, sizeof(c->reply.id), "%s", fresh);
    return 0;
}

static struct outbox_call *call_new(const struct mail_request *rq, mail_done_fn *done, void *arg,
                                    struct err *e) {
    struct outbox_call *c = calloc(1, sizeof(*c));

    if (c == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        return NULL;
    }
    c->call = (struct mail_call){.done = done, .arg = arg};
    c->verb = rq->verb;
    if (name_files(c, rq, e) != 0) {
        free(c);
        return NULL;
    }
    if (rq->message != NULL)
        c->message = blob_ref(rq->message);
    if (rq->sender != NULL)
        snprintf(c->reply.mailbox, sizeof(c->reply.mailbox), "%s", rq->sender);
    snprintf(c->reply.thread_id, sizeof(c->reply.thread_id), "%s",
             rq->thread_id != NULL          ? rq->thread_id
             : c->verb == MAIL_DRAFT_CREATE ? rq->key
                                            : c->reply.id);
    works++;
    return c;
}

static struct outbox_call *work_start(const struct mail_request *rq, mail_done_fn *done, void *arg,
                                      struct err *e) {
    struct outbox_call *c;

    if (outbox_rehearse(rq, e) != 0)
        return NULL;
    if (works >= OUTBOX_WORKS_MAX) {
        err_set(e, ERR_OVERLOADED, "too many messages wait for the disk of the outbox");
        e->retry_after = 1;
        return NULL;
    }
    if ((c = call_new(rq, done, arg, e)) == NULL)
        return NULL;
    if ((c->work = loop_work_start(work, on_carried_out, call_release, c)) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "out of memory");
        call_release(c);
        return NULL;
    }
    return c;
}

static int copy(char **to, const char *s, struct err *e) {
    if (s != NULL && (*to = strdup(s)) == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    return 0;
}

int outbox_answer(const struct mail_request *rq, struct mail_reply *reply) {
    switch (rq->verb) {
    case MAIL_SIGNATURE:
        return copy(&reply->signature, env.local_signature, &reply->err);
    case MAIL_REPLY:
        snprintf(reply->thread_id, sizeof(reply->thread_id), "%s",
                 rq->thread_id != NULL ? rq->thread_id : "");
        return copy(&reply->in_reply_to, rq->in_reply_to, &reply->err);
    default: /* MAIL_PROFILE */
        snprintf(reply->mailbox, sizeof(reply->mailbox), "%s", rq->sender);
        return 0;
    }
}

static struct mail_call *outbox_start(const struct mail_request *rq, mail_done_fn *done,
                                      void *arg) {
    struct mail_reply reply = {0};
    struct outbox_call *c;

    if (rq->verb == MAIL_SIGNATURE || rq->verb == MAIL_REPLY || rq->verb == MAIL_PROFILE)
        outbox_answer(rq, &reply);
    else if ((c = work_start(rq, done, arg, &reply.err)) != NULL)
        return &c->call;
    done(&reply, arg);
    mail_reply_fini(&reply);
    return NULL;
}

/* A thread may be at it. */
static bool outbox_cancel(struct mail_call *call) {
    struct outbox_call *c = CONTAINER_OF(call, struct outbox_call, call);
    bool may_leave = mail_acts(c->verb);

    loop_work_detach(&c->work);
    return may_leave;
}

const struct mail_backend outbox_backend = {
    .init = outbox_init,
    .start = outbox_start,
    .cancel = outbox_cancel,
};
