#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "buf.h"
#include "env.h"
#include "test_run.h"

#define SUFFIX "_test.lua"

static int out_of_memory(struct err *e) {
    return err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the tests");
}

void test_files_fini(struct test_files *files) {
    for (size_t i = 0; i < files->n; i++) {
        free(files->v[i].name);
        free(files->v[i].path);
    }
    free(files->v);
    *files = (struct test_files){0};
}

static int add(struct test_files *files, const char *name, const char *path, struct err *e) {
    struct test_file *more = reallocarray(files->v, files->n + 1, sizeof(*more));

    if (more == NULL)
        return out_of_memory(e);
    files->v = more;
    more[files->n] = (struct test_file){strdup(name), strdup(path)};
    files->n++;
    if (more[files->n - 1].name == NULL || more[files->n - 1].path == NULL)
        return out_of_memory(e);
    return 0;
}

static bool is_test(const char *name) {
    size_t n = strlen(name);

    return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static bool every(const char *name) {
    (void)name;
    return true;
}

/* Add the tests below dir that `wanted` does not leave out. */
static int walk(struct test_files *files, const char *dir, bool (*wanted)(const char *name),
                struct err *e) {
    char *roots[] = {(char *)(uintptr_t)dir, NULL};
    FTS *fts = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *f;
    int rc = 0;

    if (fts == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "%s: %s", dir, strerror(errno));
    while (rc == 0 && (f = fts_read(fts)) != NULL) {
        const char *name = f->fts_path + strlen(dir) + 1;

        if (f->fts_info == FTS_DNR || f->fts_info == FTS_ERR || f->fts_info == FTS_NS)
            rc = err_set(e, ERR_INTERNAL_ERROR, "%s: %s", f->fts_path, strerror(f->fts_errno));
        else if (f->fts_info == FTS_F && is_test(f->fts_name) && wanted(name))
            rc = add(files, name, f->fts_path, e);
    }
    fts_close(fts);
    return rc;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(((const struct test_file *)a)->name, ((const struct test_file *)b)->name);
}

static int finish(struct test_files *files, int rc) {
    if (rc != 0)
        test_files_fini(files);
    else if (files->n > 0)
        qsort(files->v, files->n, sizeof(files->v[0]), compare_names);
    return rc;
}

int test_files_below(struct test_files *files, const char *dir, struct err *e) {
    *files = (struct test_files){0};
    return finish(files, walk(files, dir, every, e));
}

static bool in_overlay(const char *name, size_t n, const char *ending) {
    struct buf path;
    struct stat st;
    bool there;

    buf_init(&path, 16 * KIB);
    buf_adds(&path, env.scripts_dir);
    buf_addc(&path, '/');
    buf_add(&path, name, n);
    buf_adds(&path, ending);
    there = !buf_failed(&path) && stat(path.data, &st) == 0;
    buf_free(&path);
    return there;
}

static bool holds_for_overlay(const char *name) {
    size_t stem = strlen(name) - strlen(SUFFIX);

    return !in_overlay(name, stem, SUFFIX) && !in_overlay(name, stem, ".lua");
}

int test_files_served(struct test_files *files, struct err *e) {
    int rc = 0;

    *files = (struct test_files){0};
    if (env.scripts_dir != NULL)
        rc = walk(files, env.scripts_dir, every, e);
    if (rc == 0)
        rc = walk(files, env.shipped_scripts_dir,
                  env.scripts_dir != NULL ? holds_for_overlay : every, e);
    return finish(files, rc);
}
