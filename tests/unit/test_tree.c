#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "env.h"
#include "tree.h"

static char root[] = "/tmp/paraph-tree-XXXXXX";
static char dirs[4][64]; /* the overlay of scripts, the shipped ones; the same of templates */
static struct err e;

/* --- files ----------------------------------------------------------------------------------- */

static int make_dirs(void **state) {
    static const char *const names[] = {"own/scripts", "scripts", "own/templates", "templates"};

    (void)state;
    strcpy(root + strlen(root) - 6, "XXXXXX");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(dirs[i], sizeof(dirs[i]), "%s/own", root);
        mkdir(dirs[i], 0700);
        snprintf(dirs[i], sizeof(dirs[i]), "%s/%s", root, names[i]);
        assert_int_equal(mkdir(dirs[i], 0700), 0);
    }
    env.scripts_dir = dirs[0];
    env.shipped_scripts_dir = dirs[1];
    env.templates_dir = dirs[2];
    env.shipped_templates_dir = dirs[3];
    e = (struct err){0};
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int remove_dirs(void **state) {
    (void)state;
    return nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in(const char *dir, const char *name) {
    static char paths[2][256];
    static unsigned next;
    char *path = paths[next++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    return path;
}

static void put_bytes(const char *dir, const char *name, const char *bytes, size_t n) {
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    for (char *slash = path + strlen(dir) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void put(const char *dir, const char *name, const char *text) {
    put_bytes(dir, name, text, strlen(text));
}

/* --- reading --------------------------------------------------------------------------------- */

static struct tree *read_all(void) {
    struct tree *t = tree_read(&e);

    if (t == NULL)
        fail_msg("%s", e.message);
    return t;
}

static void assert_names(const char *expected) {
    struct tree *t = read_all();
    size_t n;
    const struct tree_file *files = tree_files(t, &n);
    char names[1024] = "";

    for (size_t i = 0; i < n; i++) {
        strcat(names, i > 0 ? " " : "");
        strcat(names, files[i].name);
    }
    assert_string_equal(names, expected);
    tree_unref(t);
}

static void assert_refused(const char *sentence) {
    assert_null(tree_read(&e));
    assert_int_equal(e.code, ERR_POLICY_ERROR);
    assert_string_equal(e.message + strlen(root), sentence);
}

static void scripts_and_templates_by_name(void **state) {
    (void)state;
    put(dirs[1], "routes.lua", "r");
    put(dirs[1], "policy/review.lua", "v");
    put(dirs[1], "policy.lua", "p");
    put(dirs[0], "own.lua", "o");
    put(dirs[3], "mail/a.mustache", "a");
    put(dirs[2], "mail/b.mustache", "b");
    put(dirs[1], "README.md", "not a script");
    put(dirs[1], "x.mustache", "nor this");
    put(dirs[3], "x.lua", "nor a template");
    put(dirs[1], "luac", "nor");
    assert_names("own.lua policy.lua policy/review.lua routes.lua mail/a.mustache mail/b.mustache");
}

static void what_begins_with_a_dot_is_left_out(void **state) {
    (void)state;
    put(dirs[0], "a.lua", "a");
    put(dirs[0], ".#a.lua", "of an editor");
    put(dirs[0], ".git/b.lua", "of a tool");
    put(dirs[0], ".lua", "no name at all");
    assert_int_equal(symlink("nowhere", in(dirs[0], ".#b.lua")), 0);
    assert_names("a.lua");
}

/* As a mounted config map has it: the names are links through `..data`. */
static void links_are_followed(void **state) {
    struct tree *t;

    (void)state;
    put(dirs[0], "..v1/a.lua", "one");
    put(dirs[0], "..v1/policy/b.lua", "b");
    assert_int_equal(symlink("..v1", in(dirs[0], "..data")), 0);
    assert_int_equal(symlink("..data/a.lua", in(dirs[0], "a.lua")), 0);
    assert_int_equal(symlink("..data/policy", in(dirs[0], "policy")), 0);
    assert_names("a.lua policy/b.lua");
    t = read_all();
    assert_string_equal(tree_find(t, TREE_SCRIPTS, "a.lua")->text, "one");
    tree_unref(t);
}

static void an_overlay_shadows_file_by_file(void **state) {
    const struct tree_file *f;
    struct tree *t;

    (void)state;
    put(dirs[1], "a.lua", "shipped a");
    put(dirs[1], "b.lua", "shipped b");
    put(dirs[0], "a.lua", "own a");
    t = read_all();
    f = tree_find(t, TREE_SCRIPTS, "a.lua");
    assert_string_equal(f->text, "own a");
    assert_string_equal(f->path, in(dirs[0], "a.lua"));
    assert_false(f->shipped);
    f = tree_find(t, TREE_SCRIPTS, "shipped/a.lua");
    assert_string_equal(f->text, "shipped a");
    assert_true(f->shipped);
    f = tree_find(t, TREE_SCRIPTS, "b.lua");
    assert_string_equal(f->path, in(dirs[1], "b.lua"));
    assert_true(f->shipped);
    assert_null(tree_find(t, TREE_SCRIPTS, "c.lua"));
    assert_null(tree_find(t, TREE_TEMPLATES, "a.lua"));
    assert_null(tree_find(t, TREE_SCRIPTS, "../scripts/a.lua"));
    tree_unref(t);
}

static void an_overlay_is_not_needed(void **state) {
    (void)state;
    put(dirs[1], "a.lua", "");
    env.scripts_dir = env.templates_dir = NULL;
    assert_names("a.lua");
}

static void bytes_are_what_they_are(void **state) {
    const struct tree_file *f;
    struct tree *t;

    (void)state;
    put_bytes(dirs[1], "a.lua", "\0x\xFF", 3);
    put(dirs[1], "empty.lua", "");
    t = read_all();
    f = tree_find(t, TREE_SCRIPTS, "a.lua");
    assert_int_equal(f->len, 3);
    assert_memory_equal(f->text, "\0x\xFF", 4);
    f = tree_find(t, TREE_SCRIPTS, "empty.lua");
    assert_int_equal(f->len, 0);
    assert_string_equal(f->text, "");
    tree_unref(t);
}

/* --- what cannot be read --------------------------------------------------------------------- */

static void a_link_to_nothing_is_an_error(void **state) {
    (void)state;
    assert_int_equal(symlink("nowhere", in(dirs[0], "note")), 0); /* is none of ours */
    assert_names("");
    assert_int_equal(symlink("nowhere", in(dirs[0], "a.lua")), 0);
    assert_refused("/own/scripts/a.lua cannot be read: No such file or directory");
}

static void a_circle_is_an_error(void **state) {
    (void)state;
    assert_int_equal(symlink(".", in(dirs[0], "again")), 0);
    assert_refused("/own/scripts/again leads back to a directory that it is in");
}

static void a_missing_directory_is_an_error(void **state) {
    (void)state;
    assert_int_equal(rmdir(dirs[3]), 0);
    assert_refused("/templates cannot be read: No such file or directory");
}

static void a_pipe_is_not_read(void **state) {
    (void)state;
    assert_int_equal(mkfifo(in(dirs[0], "a.lua"), 0600), 0);
    assert_names("");
}

static void each_limit_is_an_error(void **state) {
    char *text = calloc(1, MIB + 1), name[32];

    (void)state;
    put_bytes(dirs[1], "a.lua", text, MIB);
    assert_names("a.lua");
    put_bytes(dirs[1], "a.lua", text, MIB + 1);
    assert_refused("/scripts/a.lua is longer than 1048576 bytes, the most a file may have");
    put(dirs[1], "a.lua", "");
    for (int i = 0; i < 32; i++) {
        snprintf(name, sizeof(name), "b%02d.lua", i);
        put_bytes(dirs[0], name, text, MIB);
    }
    tree_unref(read_all());
    put(dirs[2], "b.mustache", "x");
    assert_refused(
        "/own/templates/b.mustache: with it, all files together are over 33554432 bytes");
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), i < 32 ? "b%02d.lua" : "b%d.lua", i);
        put(dirs[0], name, "");
    }
    assert_int_equal(remove(in(dirs[2], "b.mustache")), 0);
    assert_refused("/scripts/a.lua is one file too many: up to 2000 are possible");
    free(text);
}

/* --- directories ----------------------------------------------------------------------------- */

static const struct tree_dir *find_dir(const struct tree *t, const char *path) {
    size_t n;
    const struct tree_dir *all = tree_dirs(t, &n);

    for (size_t i = 0; i < n; i++)
        if (strcmp(all[i].path, path) == 0)
            return &all[i];
    return NULL;
}

/* What is behind a link may be another directory later. */
static void its_directories_are_known(void **state) {
    struct tree *t, *later;
    size_t n;

    (void)state;
    put(dirs[0], ".v1/a.lua", "a");
    put(dirs[0], ".v2/a.lua", "a");
    put(dirs[1], "lib/b.lua", "b");
    assert_int_equal(symlink(".v1", in(dirs[0], "policy")), 0);
    t = read_all();
    tree_dirs(t, &n);
    assert_int_equal(n, 6);
    for (size_t i = 0; i < COUNT_OF(dirs); i++)
        assert_non_null(find_dir(t, dirs[i]));
    assert_non_null(find_dir(t, in(dirs[1], "lib")));
    assert_int_equal(remove(in(dirs[0], "policy")), 0);
    assert_int_equal(symlink(".v2", in(dirs[0], "policy")), 0);
    later = read_all();
    assert_int_equal(tree_hash(t), tree_hash(later));
    assert_true(find_dir(t, in(dirs[0], "policy"))->inode !=
                find_dir(later, in(dirs[0], "policy"))->inode);
    assert_true(find_dir(t, dirs[0])->inode == find_dir(later, dirs[0])->inode);
    tree_unref(t);
    tree_unref(later);
}

static void too_many_directories_are_an_error(void **state) {
    char name[32];

    (void)state;
    for (int i = 0; i < 1000 - (int)COUNT_OF(dirs); i++) {
        snprintf(name, sizeof(name), "d%d", i);
        assert_int_equal(mkdir(in(dirs[0], name), 0700), 0);
    }
    tree_unref(read_all());
    assert_int_equal(mkdir(in(dirs[3], "one"), 0700), 0);
    assert_refused("/templates/one is one directory too many: up to 1000 are possible");
}

/* --- the hash -------------------------------------------------------------------------------- */

static void add_name(const char *name, void *arg) {
    strcat(strcat(arg, " "), name);
}

/* The names in which `before` and what is there now differ; `before` is let go. */
static const char *changes_since(struct tree **before) {
    static char names[1024];
    struct tree *now = read_all();

    names[0] = '\0';
    tree_compare(*before, now, add_name, names);
    assert_int_equal(tree_hash(*before) == tree_hash(now), names[0] == '\0');
    tree_unref(*before);
    *before = now;
    return names;
}

static void the_hash_is_that_of_the_content(void **state) {
    struct tree *t;

    (void)state;
    put(dirs[1], "a.lua", "a");
    put(dirs[1], "b.lua", "b");
    put(dirs[3], "c.mustache", "c");
    t = read_all();
    put(dirs[1], "a.lua", "a");
    put(dirs[1], ".a.lua", "x");
    assert_string_equal(changes_since(&t), "");
    put(dirs[1], "a.lua", "A");
    assert_string_equal(changes_since(&t), " a.lua");
    assert_int_equal(rename(in(dirs[1], "b.lua"), in(dirs[1], "d.lua")), 0);
    assert_string_equal(changes_since(&t), " b.lua d.lua");
    put(dirs[0], "a.lua", "A"); /* the same text, in the overlay */
    assert_string_equal(changes_since(&t), " a.lua");
    put(dirs[1], "a.lua", "shadowed");
    assert_string_equal(changes_since(&t), " shipped/a.lua");
    assert_int_equal(remove(in(dirs[0], "a.lua")), 0);
    put(dirs[3], "c.mustache", "");
    assert_string_equal(changes_since(&t), " a.lua c.mustache");
    tree_unref(t);
}

/* What moves from one file to the next is a change, too. */
static void the_hash_tells_files_apart(void **state) {
    struct tree *t;

    (void)state;
    put(dirs[1], "a.lua", "12");
    put(dirs[1], "b.lua", "3");
    t = read_all();
    put(dirs[1], "a.lua", "1");
    put(dirs[1], "b.lua", "23");
    assert_string_equal(changes_since(&t), " a.lua b.lua");
    tree_unref(t);
}

static void a_reference_keeps_a_tree(void **state) {
    struct tree *t, *same;

    (void)state;
    put(dirs[1], "a.lua", "a");
    t = read_all();
    same = tree_ref(t);
    assert_ptr_equal(same, t);
    tree_unref(t);
    assert_string_equal(tree_find(same, TREE_SCRIPTS, "a.lua")->text, "a");
    tree_unref(same);
    tree_unref(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dirs, remove_dirs)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(scripts_and_templates_by_name),
        TEST(what_begins_with_a_dot_is_left_out),
        TEST(links_are_followed),
        TEST(an_overlay_shadows_file_by_file),
        TEST(an_overlay_is_not_needed),
        TEST(bytes_are_what_they_are),
        TEST(a_link_to_nothing_is_an_error),
        TEST(a_circle_is_an_error),
        TEST(a_missing_directory_is_an_error),
        TEST(a_pipe_is_not_read),
        TEST(each_limit_is_an_error),
        TEST(its_directories_are_known),
        TEST(too_many_directories_are_an_error),
        TEST(the_hash_is_that_of_the_content),
        TEST(the_hash_tells_files_apart),
        TEST(a_reference_keeps_a_tree),
    };

    return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
