#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "test_run.h"
#include "tree.h"

#define SUFFIX "_test.lua"

void test_files_fini(struct test_files *files) {
    free(files->v);
    *files = (struct test_files){0};
}

static bool is_test(const struct tree_file *f) {
    size_t n = strlen(f->name);

    return f->kind == TREE_SCRIPTS && n > strlen(SUFFIX) &&
           strcmp(f->name + n - strlen(SUFFIX), SUFFIX) == 0 &&
           strncmp(f->name, TREE_SHADOWED, strlen(TREE_SHADOWED)) != 0;
}

int test_files_of(struct test_files *files, const struct tree *t, struct err *e) {
    size_t n;
    const struct tree_file *all = tree_files(t, &n);

    *files = (struct test_files){.v = calloc(n + 1, sizeof(void *))};
    if (files->v == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "not enough memory for the tests");
    for (size_t i = 0; i < n; i++)
        if (is_test(&all[i]) && all[i].shipped == (env.scripts_dir == NULL))
            files->v[files->n++] = &all[i];
    return 0;
}
