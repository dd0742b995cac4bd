#include "tree_stamp.h"

#include <errno.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <linux/magic.h>

#include "env.h"
#include "hash.h"

#define SETTLED_S 2 /* since the last change; the clocks of file systems tick in milliseconds */

/* Network file systems and mounted buckets date by other clocks, or let themselves be told. */
static bool dates_changes(const char *path) {
    struct statfs fs;

    if (statfs(path, &fs) != 0)
        return false;
    switch (fs.f_type) {
    case BTRFS_SUPER_MAGIC:
    case EXT4_SUPER_MAGIC:
    case OVERLAYFS_SUPER_MAGIC:
    case TMPFS_MAGIC:
    case XFS_SUPER_MAGIC:
        return true;
    default:
        return false;
    }
}

static bool is_dated(struct tree_stamp *s, const FTSENT *f) {
    const struct stat *st = f->fts_statp;

    if (f->fts_info != FTS_D && f->fts_info != FTS_F)
        return false;
    if (!s->has_device || st->st_dev != s->device) {
        if (!dates_changes(f->fts_path))
            return false;
        s->device = st->st_dev;
        s->has_device = true;
    }
    return st->st_ctim.tv_sec <= s->began_s - SETTLED_S;
}

static bool is_hidden(const FTSENT *f) {
    return f->fts_level > 0 && f->fts_name[0] == '.';
}

void tree_stamp_begin(struct tree_stamp *s) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    *s = (struct tree_stamp){.hash = 1, .began_s = now.tv_sec};
}

/* After what a directory holds it comes again. */
void tree_stamp_add(struct tree_stamp *s, const FTSENT *f) {
    const struct stat *st = f->fts_statp;

    if (s->hash == 0 || is_hidden(f) || f->fts_info == FTS_DP)
        return;
    if (is_dated(s, f)) {
        const uint64_t facts[] = {st->st_dev,
                                  st->st_ino,
                                  st->st_mode,
                                  (uint64_t)st->st_size,
                                  (uint64_t)st->st_ctim.tv_sec,
                                  (uint64_t)st->st_ctim.tv_nsec};

        s->hash = hash_bytes(s->hash, f->fts_path, f->fts_pathlen);
        s->hash = hash_bytes(s->hash, facts, sizeof(facts));
    } else {
        s->hash = 0;
    }
}

static void walk(struct tree_stamp *s, FTS *fts) {
    FTSENT *f;

    while ((errno = 0, f = fts_read(fts)) != NULL && s->hash != 0) {
        tree_stamp_add(s, f);
        if (is_hidden(f) && f->fts_info == FTS_D)
            fts_set(fts, f, FTS_SKIP);
    }
    if (errno != 0)
        s->hash = 0;
}

uint64_t tree_stamp_now(void) {
    const char *const dirs[] = {env.scripts_dir, env.shipped_scripts_dir, env.templates_dir,
                                env.shipped_templates_dir};
    char *roots[COUNT_OF(dirs) + 1] = {NULL};
    struct tree_stamp s;
    size_t n = 0;
    FTS *fts;

    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        if (dirs[i] != NULL)
            roots[n++] = (char *)(uintptr_t)dirs[i];
    if (n == 0 || (fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL)) == NULL)
        return 0;
    tree_stamp_begin(&s);
    walk(&s, fts);
    fts_close(fts);
    return s.hash;
}
