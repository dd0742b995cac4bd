#include "tree_stamp.h"

#include <errno.h>
#include <fts.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#include <linux/magic.h>

#include "base.h"
#include "buf.h"
#include "env.h"

#define STAMP_MAX MIB
#define SETTLED_S 2 /* since the last change; the clocks of file systems tick in milliseconds */

struct stamp {
    struct buf facts;
    struct timespec now;
    dev_t device; /* known to date what it holds */
    bool has_device;
};

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

static void add_fact(struct stamp *s, uint64_t fact) {
    buf_add(&s->facts, &fact, sizeof(fact));
}

static bool add_entry(struct stamp *s, const FTSENT *f) {
    const struct stat *st = f->fts_statp;

    if (!s->has_device || st->st_dev != s->device) {
        if (!dates_changes(f->fts_path))
            return false;
        s->device = st->st_dev;
        s->has_device = true;
    }
    if (st->st_ctim.tv_sec > s->now.tv_sec - SETTLED_S)
        return false;
    buf_add(&s->facts, f->fts_path, f->fts_pathlen + 1U);
    add_fact(s, st->st_dev);
    add_fact(s, st->st_ino);
    add_fact(s, st->st_mode);
    add_fact(s, (uint64_t)st->st_size);
    add_fact(s, (uint64_t)st->st_ctim.tv_sec);
    add_fact(s, (uint64_t)st->st_ctim.tv_nsec);
    return true;
}

static bool add_all(struct stamp *s, FTS *fts) {
    FTSENT *f;

    while ((errno = 0, f = fts_read(fts)) != NULL) {
        if (f->fts_level > 0 && f->fts_name[0] == '.') {
            if (f->fts_info == FTS_D)
                fts_set(fts, f, FTS_SKIP);
        } else if (f->fts_info == FTS_DP) {
            continue; /* the same again */
        } else if ((f->fts_info != FTS_D && f->fts_info != FTS_F) || !add_entry(s, f)) {
            return false;
        }
    }
    return errno == 0;
}

void tree_stamp(char stamp[CRYPTO_SHA256_HEX]) {
    const char *const dirs[] = {env.scripts_dir, env.shipped_scripts_dir, env.templates_dir,
                                env.shipped_templates_dir};
    char *roots[COUNT_OF(dirs) + 1] = {NULL};
    struct stamp s = {.has_device = false};
    size_t n = 0;
    FTS *fts;

    stamp[0] = '\0';
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        if (dirs[i] != NULL)
            roots[n++] = (char *)(uintptr_t)dirs[i];
    clock_gettime(CLOCK_REALTIME, &s.now);
    buf_init(&s.facts, STAMP_MAX);
    if (n > 0 && (fts = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, NULL)) != NULL) {
        if (add_all(&s, fts) && !buf_failed(&s.facts))
            crypto_sha256_hex(stamp, s.facts.data, s.facts.len);
        fts_close(fts);
    }
    buf_free(&s.facts);
}
