#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "env.h"
#include "tree.h"
#include "tree_stamp.h"

static char dir[64], path[128], hidden[128];
static uint64_t stamp, other;
static time_t later_s; /* than it is */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now) {
    int rc = __real_clock_gettime(id, now);

    now->tv_sec += later_s;
    return rc;
}

static void write_file(const char *to, const char *text) {
    FILE *f = fopen(to, "w");

    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int make(void **state) {
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/paraph-stamp-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/a.lua", dir);
    snprintf(hidden, sizeof(hidden), "%s/.a.lua.swp", dir);
    write_file(path, "return 1");
    env.shipped_scripts_dir = dir;
    later_s = 10;
    stamp = tree_stamp_now();
    return 0;
}

static int clean(void **state) {
    (void)state;
    unlink(hidden);
    unlink(path);
    return rmdir(dir);
}

/* Write as long as the file system does not tell it from what was written before. */
static void rewrite_until_dated(const char *text) {
    const struct timespec dates[2] = {{1000000000, 0}, {1000000000, 0}};
    struct stat before, after;

    assert_int_equal(stat(path, &before), 0);
    do {
        write_file(path, text);
        assert_int_equal(utimensat(AT_FDCWD, path, dates, 0), 0);
        assert_int_equal(stat(path, &after), 0);
    } while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
             after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
}

static void what_stays_has_the_same_stamp(void **state) {
    (void)state;
    other = tree_stamp_now();
    assert_int_not_equal(stamp, 0);
    assert_int_equal(stamp, other);
}

static void what_is_read_has_the_stamp_that_it_has_unread(void **state) {
    struct err e;
    struct tree *t;

    (void)state;
    t = tree_read(&e);
    assert_non_null(t);
    assert_int_equal(tree_stamp(t), stamp);
    tree_unref(t);
}

static void what_has_just_changed_has_none(void **state) {
    (void)state;
    later_s = 0;
    stamp = tree_stamp_now();
    assert_int_equal(stamp, 0);
}

static void size_and_date_may_be_the_same(void **state) {
    (void)state;
    rewrite_until_dated("return 2");
    stamp = tree_stamp_now();
    rewrite_until_dated("return 3");
    other = tree_stamp_now();
    assert_int_not_equal(other, 0);
    assert_int_not_equal(stamp, other);
}

static void another_file_in_its_place_changes_it(void **state) {
    char next[128];

    (void)state;
    snprintf(next, sizeof(next), "%s/.next", dir);
    write_file(next, "return 1");
    assert_int_equal(rename(next, path), 0);
    other = tree_stamp_now();
    assert_int_not_equal(other, 0);
    assert_int_not_equal(stamp, other);
}

static void a_link_to_nothing_must_be_read(void **state) {
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("nowhere", path), 0);
    stamp = tree_stamp_now();
    assert_int_equal(stamp, 0);
}

static void what_a_pseudo_file_system_dates_must_be_read(void **state) {
    (void)state;
    env.templates_dir = "/proc/self/fdinfo";
    stamp = tree_stamp_now();
    env.templates_dir = NULL;
    assert_int_equal(stamp, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_stays_has_the_same_stamp, make, clean),
        cmocka_unit_test_setup_teardown(what_is_read_has_the_stamp_that_it_has_unread, make, clean),
        cmocka_unit_test_setup_teardown(what_has_just_changed_has_none, make, clean),
        cmocka_unit_test_setup_teardown(size_and_date_may_be_the_same, make, clean),
        cmocka_unit_test_setup_teardown(another_file_in_its_place_changes_it, make, clean),
        cmocka_unit_test_setup_teardown(a_link_to_nothing_must_be_read, make, clean),
        cmocka_unit_test_setup_teardown(what_a_pseudo_file_system_dates_must_be_read, make, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
