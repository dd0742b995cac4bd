#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "env.h"
#include "hash.h"
#include "tree_stamp.h"

#define FILE_MAX  MIB
#define FILES_MAX 2000 /* of all four directories together, as BYTES_MAX */
#define BYTES_MAX (32 * MIB)
#define DIRS_MAX  1000

struct tree {
    atomic_uint refs;
    struct tree_file *files; /* by kind and name */
    size_t n, bytes;
    struct tree_dir *dirs;
    size_t ndirs;
    uint64_t hash;
    struct tree_stamp stamp;
};

/* Where files of one kind are, and what their names end in. */
struct place {
    const char *dir, *suffix;
    enum tree_kind kind;
    bool shipped;
};

static int cannot_read(struct err *e, const char *path, int error) {
    err_set(e, ERR_POLICY_ERROR, "%s cannot be read: %s", path, strerror(error));
    return -1;
}

/* --- one file -------------------------------------------------------------------------------- */

/* It may grow, shrink or vanish meanwhile: what counts is what was read.  Once that is as long as
 * the file was said to be, nobody asks for more. */
static int read_open(int fd, struct buf *to, const char *path, size_t expected, struct err *e) {
    size_t step;
    ssize_t n;
    char *room;

    do {
        step = to->len < expected ? expected - to->len : 4 * KIB;
        if ((room = buf_reserve(to, step)) == NULL)
            return cannot_read(e, path, ENOMEM);
        if ((n = read(fd, room, step)) < 0)
            return cannot_read(e, path, errno);
        to->len += (size_t)n;
        to->data[to->len] = '\0';
    } while (n > 0 && to->len != expected && to->len <= FILE_MAX);
    if (to->len > FILE_MAX)
        return err_set(e, ERR_POLICY_ERROR, "%s is longer than %zu bytes, the most a file may have",
                       path, FILE_MAX);
    return 0;
}

/* A pipe that takes the place of the file must not stop us. */
static char *read_file(const char *path, const struct stat *st, size_t *len, struct err *e) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    size_t expected = st->st_size <= (off_t)FILE_MAX ? (size_t)st->st_size : FILE_MAX + 1;
    struct buf b;
    char *text = NULL;

    if (fd < 0) {
        cannot_read(e, path, errno);
        return NULL;
    }
    buf_init(&b, FILE_MAX + 8 * KIB);
    if (read_open(fd, &b, path, expected, e) == 0 && (text = buf_take(&b, len)) == NULL)
        cannot_read(e, path, ENOMEM);
    buf_free(&b);
    close(fd);
    return text;
}

/* The file of an overlay that shadows what is shipped under that name; NULL: none does. */
static struct tree_file *find_shadow(struct tree *t, const struct place *p, const char *name) {
    for (size_t i = 0; i < t->n && p->shipped; i++)
        if (t->files[i].kind == p->kind && strcmp(t->files[i].name, name) == 0)
            return &t->files[i];
    return NULL;
}

static char *name_of(const char *name, bool shadowed) {
    char *text;

    if (!shadowed)
        return strdup(name);
    return asprintf(&text, TREE_SHADOWED "%s", name) < 0 ? NULL : text;
}

static int add_file(struct tree *t, const struct place *p, const FTSENT *entry, struct err *e) {
    struct tree_file *f = &t->files[t->n];
    const char *path = entry->fts_path, *name = path + strlen(p->dir) + 1;
    struct tree_file *shadow = find_shadow(t, p, name);

    if (shadow != NULL) {
        shadow->shadows = true;
        if (p->kind != TREE_SCRIPTS)
            return 0;
    }
    if (t->n == FILES_MAX)
        return err_set(e, ERR_POLICY_ERROR, "%s is one file too many: up to %d are possible", path,
                       FILES_MAX);
    *f = (struct tree_file){.kind = p->kind, .shipped = p->shipped};
    if ((f->text = read_file(path, entry->fts_statp, &f->len, e)) == NULL)
        return -1;
    t->n++; /* from here on freed with the tree */
    if ((f->name = name_of(name, shadow != NULL)) == NULL || (f->path = strdup(path)) == NULL)
        return cannot_read(e, path, ENOMEM);
    if ((t->bytes += f->len) > BYTES_MAX)
        return err_set(e, ERR_POLICY_ERROR, "%s: with it, all files together are over %zu bytes",
                       path, BYTES_MAX);
    return 0;
}

/* --- one directory --------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *suffix) {
    size_t n = strlen(s), end = strlen(suffix);

    return n > end && strcmp(s + n - end, suffix) == 0;
}

static int add_dir(struct tree *t, const FTSENT *f, struct err *e) {
    struct tree_dir *d = &t->dirs[t->ndirs];

    if (t->ndirs == DIRS_MAX)
        return err_set(e, ERR_POLICY_ERROR, "%s is one directory too many: up to %d are possible",
                       f->fts_path, DIRS_MAX);
    if ((d->path = strdup(f->fts_path)) == NULL)
        return cannot_read(e, f->fts_path, ENOMEM);
    d->device = f->fts_statp->st_dev;
    d->inode = f->fts_statp->st_ino;
    t->ndirs++;
    return 0;
}

static int add_entry(struct tree *t, const struct place *p, FTS *fts, FTSENT *f, struct err *e) {
    if (f->fts_level > 0 && f->fts_name[0] == '.') {
        if (f->fts_info == FTS_D)
            fts_set(fts, f, FTS_SKIP);
        return 0;
    }
    switch (f->fts_info) {
    case FTS_D:
        return add_dir(t, f, e);
    case FTS_F:
        return ends_with(f->fts_name, p->suffix) ? add_file(t, p, f, e) : 0;
    case FTS_NS:
    case FTS_SLNONE: /* a link to nothing */
        if (f->fts_level > 0 && !ends_with(f->fts_name, p->suffix))
            return 0;
        return cannot_read(e, f->fts_path, f->fts_errno != 0 ? f->fts_errno : ENOENT);
    case FTS_DNR:
    case FTS_ERR:
        return cannot_read(e, f->fts_path, f->fts_errno);
    case FTS_DC:
        return err_set(e, ERR_POLICY_ERROR, "%s leads back to a directory that it is in",
                       f->fts_path);
    default:
        return 0;
    }
}

static int add_place(struct tree *t, const struct place *p, struct err *e) {
    char *roots[] = {(char *)(uintptr_t)p->dir, NULL};
    FTS *fts;
    FTSENT *f;
    int status = 0;

    if (p->dir == NULL)
        return 0;
    if ((fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL)) == NULL)
        return cannot_read(e, p->dir, errno);
    while (status == 0 && (errno = 0, f = fts_read(fts)) != NULL) {
        tree_stamp_add(&t->stamp, f);
        status = add_entry(t, p, fts, f, e);
    }
    if (status == 0 && errno != 0)
        status = cannot_read(e, p->dir, errno);
    fts_close(fts);
    return status;
}

/* --- all ------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b) {
    const struct tree_file *f = a, *g = b;

    return f->kind != g->kind ? (int)f->kind - (int)g->kind : strcmp(f->name, g->name);
}

static uint64_t hash_of(const struct tree *t) {
    uint64_t hash = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct tree_file *f = &t->files[i];
        const unsigned char origin[] = {f->kind == TREE_SCRIPTS, f->shipped};

        hash = hash_bytes(hash, origin, sizeof(origin));
        hash = hash_bytes(hash, f->name, strlen(f->name));
        hash = hash_bytes(hash, f->text, f->len);
    }
    return hash_bytes(hash, NULL, 0);
}

static struct tree *tree_new(struct err *e) {
    struct tree *t = calloc(1, sizeof(*t));

    if (t != NULL) {
        t->refs = 1;
        tree_stamp_begin(&t->stamp);
        t->files = calloc(FILES_MAX, sizeof(*t->files));
        t->dirs = calloc(DIRS_MAX, sizeof(*t->dirs));
        if (t->files != NULL && t->dirs != NULL)
            return t;
    }
    tree_unref(t);
    err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the scripts");
    return NULL;
}

/* What it turned out not to need. */
static void trim(struct tree *t) {
    void *files = realloc(t->files, (t->n + 1) * sizeof(*t->files));
    void *dirs = realloc(t->dirs, (t->ndirs + 1) * sizeof(*t->dirs));

    t->files = files != NULL ? files : t->files;
    t->dirs = dirs != NULL ? dirs : t->dirs;
}

struct tree *tree_read(struct err *e) {
    const struct place places[] = {
        {env.scripts_dir, ".lua", TREE_SCRIPTS, false},
        {env.shipped_scripts_dir, ".lua", TREE_SCRIPTS, true},
        {env.templates_dir, ".mustache", TREE_TEMPLATES, false},
        {env.shipped_templates_dir, ".mustache", TREE_TEMPLATES, true},
    };
    struct tree *t = tree_new(e);

    if (t == NULL)
        return NULL;
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (add_place(t, &places[i], e) != 0)
            goto fail;
    qsort(t->files, t->n, sizeof(t->files[0]), compare);
    t->hash = hash_of(t);
    trim(t);
    return t;
fail:
    tree_unref(t);
    return NULL;
}

struct tree *tree_ref(struct tree *t) {
    atomic_fetch_add(&t->refs, 1);
    return t;
}

void tree_unref(struct tree *t) {
    if (t == NULL || atomic_fetch_sub(&t->refs, 1) != 1)
        return;
    for (size_t i = 0; i < t->n; i++) {
        free((void *)(uintptr_t)t->files[i].name);
        free((void *)(uintptr_t)t->files[i].text);
        free((void *)(uintptr_t)t->files[i].path);
    }
    free(t->files);
    for (size_t i = 0; i < t->ndirs; i++)
        free((void *)(uintptr_t)t->dirs[i].path);
    free(t->dirs);
    free(t);
}

const struct tree_file *tree_find(const struct tree *t, enum tree_kind kind, const char *name) {
    struct tree_file wanted = {.kind = kind, .name = name};

    return bsearch(&wanted, t->files, t->n, sizeof(t->files[0]), compare);
}

const struct tree_file *tree_files(const struct tree *t, size_t *n) {
    *n = t->n;
    return t->files;
}

const struct tree_dir *tree_dirs(const struct tree *t, size_t *n) {
    *n = t->ndirs;
    return t->dirs;
}

uint64_t tree_hash(const struct tree *t) {
    return t->hash;
}

uint64_t tree_stamp(const struct tree *t) {
    return t->stamp.hash;
}

static bool is_same(const struct tree_file *f, const struct tree_file *g) {
    return f->shipped == g->shipped && f->len == g->len && memcmp(f->text, g->text, f->len) == 0;
}

/* That a file is shadowed, or no more, is told by the one that shadows it. */
static void tell(const struct tree_file *f, void (*fn)(const char *name, void *arg), void *arg) {
    if (strncmp(f->name, TREE_SHADOWED, strlen(TREE_SHADOWED)) != 0)
        fn(f->name, arg);
}

void tree_compare(const struct tree *a, const struct tree *b,
                  void (*fn)(const char *name, void *arg), void *arg) {
    for (size_t i = 0, k = 0; i < a->n || k < b->n;) {
        int order = i == a->n ? 1 : k == b->n ? -1 : compare(&a->files[i], &b->files[k]);

        if (order < 0)
            tell(&a->files[i], fn, arg);
        else if (order > 0)
            tell(&b->files[k], fn, arg);
        else if (!is_same(&a->files[i], &b->files[k]))
            fn(b->files[k].name, arg);
        i += order <= 0;
        k += order >= 0;
    }
}
