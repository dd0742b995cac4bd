#include "confine_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

#include "auth_adc.h"
#include "env.h"
#include "tree.h"

/*
 * Rules are for directories rather than files: a rule stays with the file that it was made for, and
 * a resolver's configuration, certificates or credentials are replaced by a new file of the name.
 */

/* Debian 12's header knows the ABI of Linux 6.1; the rest is from those of 6.2 to 6.12. */
#define FS_TRUNCATE    (1ULL << 14)
#define FS_IOCTL_DEV   (1ULL << 15)
#define NET_BIND_TCP   (1ULL << 0)
#define SCOPE_ABSTRACT (1ULL << 0) /* no connections to other processes' abstract sockets */
#define SCOPE_SIGNAL   (1ULL << 1)
#define ABI_REFER      2 /* the outbox links from one directory to another */
#define ABI_TRUNCATE   3
#define ABI_NET        4
#define ABI_IOCTL_DEV  5
#define ABI_SCOPE      6
#define FS_FIRST       ((1ULL << 14) - 1) /* all that ABI_REFER knows */
#define FS_READ        (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_WRITE                                                                                   \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |   \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER |   \
     FS_TRUNCATE)
#define FS_OF_A_FILE (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE)

/* struct landlock_ruleset_attr, with members that the header may not have.  What an older kernel
 * does not know it takes as zero. */
struct ruleset {
    uint64_t fs, net, scoped;
};

/* Where it is for the process that all can be read. */
static const char *const readable[] = {
    "/etc", /* name services, resolver, authorities, time zone, OpenSSL */
    "/usr",
    "/lib",
    "/lib64", /* name services' libraries, locales, zones */
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager", /* the resolver's, live */
    "/dev/urandom",
    "/dev/random",
    "/proc/sys/vm/overcommit_memory", /* malloc looks there */
#ifdef INSTRUMENTED
    "/proc",
#endif
};

/* --- rules ----------------------------------------------------------------------------------- */

/* What is not there, or not ours to look at, needs no rule. */
static void allow(int ruleset, const struct ruleset *r, const char *path, uint64_t access) {
    struct landlock_path_beneath_attr rule = {.allowed_access = access & r->fs};
    struct stat st;

    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0)
        return;
    if (fstat(rule.parent_fd, &st) == 0) {
        if (!S_ISDIR(st.st_mode))
            rule.allowed_access &= FS_OF_A_FILE;
        (void)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    close(rule.parent_fd);
}

/* The directory that a file's name is in, and where links lead to. */
static void allow_around(int ruleset, const struct ruleset *r, const char *path, uint64_t access) {
    char dir[PATH_MAX], *slash;

    for (int resolved = 0; resolved < 2; resolved++) {
        if (resolved ? realpath(path, dir) == NULL
                     : (size_t)snprintf(dir, sizeof(dir), "%s", path) >= sizeof(dir))
            return;
        if ((slash = strrchr(dir, '/')) == NULL || slash == dir)
            return;
        *slash = '\0';
        allow(ruleset, r, dir, access);
    }
}

static bool is_below(const char *path, const char *dir) {
    size_t n = dir != NULL ? strlen(dir) : 0;

    return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* Links in an overlay may lead anywhere: to where they do now. */
static void allow_links(int ruleset, const struct ruleset *r, const struct tree *tree) {
    size_t n;
    const struct tree_dir *dirs = tree_dirs(tree, &n);
    const struct tree_file *files;
    char real[PATH_MAX];

    for (size_t i = 0; i < n; i++)
        allow(ruleset, r, dirs[i].path, FS_READ);
    files = tree_files(tree, &n);
    for (size_t i = 0; i < n; i++)
        if (!files[i].shipped && realpath(files[i].path, real) != NULL &&
            !is_below(real, env.scripts_dir) && !is_below(real, env.templates_dir))
            allow_around(ruleset, r, files[i].path, FS_READ);
}

/* DATA_DIR, and where links in it lead to. */
static void allow_store(int ruleset, const struct ruleset *r) {
    static const char *const dirs[] = {"", "outbox", "outbox/tmp", "outbox/new", "outbox/cur"};
    char path[PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        if ((size_t)snprintf(path, sizeof(path), "%s/%s", env.data_dir, dirs[i]) < sizeof(path))
            allow(ruleset, r, path, FS_READ | FS_WRITE);
    if ((size_t)snprintf(path, sizeof(path), "%s/paraph.db", env.data_dir) < sizeof(path))
        allow_around(ruleset, r, path, FS_READ | FS_WRITE);
}

static void allow_all(int ruleset, const struct ruleset *r, const struct tree *tree) {
    char credentials[PATH_MAX];

    for (size_t i = 0; i < COUNT_OF(readable); i++)
        allow(ruleset, r, readable[i], FS_READ);
    allow_around(ruleset, r, "/etc/resolv.conf", FS_READ);
    allow(ruleset, r, env.shipped_scripts_dir, FS_READ);
    allow(ruleset, r, env.shipped_templates_dir, FS_READ);
    if (env.scripts_dir != NULL)
        allow(ruleset, r, env.scripts_dir, FS_READ);
    if (env.templates_dir != NULL)
        allow(ruleset, r, env.templates_dir, FS_READ);
    if (tree != NULL)
        allow_links(ruleset, r, tree);
    if (env.backend == ENV_LOCAL) {
        allow_store(ruleset, r);
    } else {
        auth_adc_path(credentials);
        allow_around(ruleset, r, credentials, FS_READ);
    }
    allow(ruleset, r, "/dev/null", FS_READ | FS_WRITE);
#ifdef INSTRUMENTED
    allow_around(ruleset, r, "/proc/self/exe", FS_READ | FS_WRITE);
#endif
}

/* --- all ------------------------------------------------------------------------------------- */

/* All that this version can refuse. */
static struct ruleset all_of(int abi) {
    struct ruleset r = {.fs = FS_FIRST};

    r.fs |= abi >= ABI_TRUNCATE ? FS_TRUNCATE : 0;
    r.fs |= abi >= ABI_IOCTL_DEV ? FS_IOCTL_DEV : 0;
    r.net = abi >= ABI_NET ? NET_BIND_TCP : 0;
    r.scoped = abi >= ABI_SCOPE ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0;
    return r;
}

int confine_files(const struct tree *tree) {
    int abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    struct ruleset r = all_of(abi);
    int ruleset, rc, error;

    if (abi >= 0 && abi < ABI_REFER)
        errno = EOPNOTSUPP;
    if (abi < ABI_REFER)
        return -1;
    ruleset = (int)syscall(SYS_landlock_create_ruleset, &r, sizeof(r), 0);
    if (ruleset < 0)
        return -1;
    allow_all(ruleset, &r, tree);
    rc = (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
    error = errno;
    close(ruleset);
    errno = error;
    return rc == 0 ? abi : -1;
}
