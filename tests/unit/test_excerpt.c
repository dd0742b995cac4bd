#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "buf.h"
#include "env.h"
#include "excerpt.h"

static char root[] = "/tmp/paraph-excerpt-XXXXXX";
static char scripts[64], templates[64], own[64];

static void put(const char *dir, const char *name, const char *text, size_t n) {
    char path[256];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int make_dirs(void **state) {
    (void)state;
    assert_non_null(mkdtemp(root));
    snprintf(scripts, sizeof(scripts), "%s/scripts", root);
    snprintf(templates, sizeof(templates), "%s/templates", root);
    snprintf(own, sizeof(own), "%s/own", root);
    mkdir(scripts, 0700);
    mkdir(templates, 0700);
    mkdir(own, 0700);
    env.shipped_scripts_dir = scripts;
    env.shipped_templates_dir = templates;
    return 0;
}

static void remove_file(const char *dir, const char *name) {
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)remove(path);
}

static int remove_dirs(void **state) {
    (void)state;
    remove_file(scripts, "a.lua");
    remove_file(scripts, "b.lua");
    remove_file(own, "a.lua");
    remove_file(templates, "m.mustache");
    return rmdir(scripts) | rmdir(templates) | rmdir(own) | rmdir(root);
}

/* What is told of an error when a.lua (or m.mustache, if the error is about that) has this text. */
static char *told_of(const char *error, const char *text, size_t n) {
    struct buf out;
    struct err e;
    struct tree *t;
    char *told;

    put(strstr(error, "mustache") != NULL ? templates : scripts,
        strstr(error, "mustache") != NULL ? "m.mustache" : "a.lua", text, n);
    t = tree_read(&e);
    assert_non_null(t);
    buf_init(&out, 64 * KIB);
    excerpt_add(&out, t, error);
    tree_unref(t);
    told = buf_take(&out, NULL);
    assert_non_null(told);
    return told;
}

/* Two lines follow the sentence; "" if none do. */
static void assert_shown(const char *error, const char *text, const char *source,
                         const char *caret) {
    char *told = told_of(error, text, strlen(text)), expected[1024];

    if (source[0] == '\0')
        snprintf(expected, sizeof(expected), "%s", error);
    else
        snprintf(expected, sizeof(expected), "%s\n%s\n%s", error, source, caret);
    assert_string_equal(told, expected);
    free(told);
}

static void the_caret_is_under_what_the_error_names(void **state) {
    static const struct {
        const char *error, *text, *source, *caret;
    } cases[] = {
        {"a.lua:3: unexpected symbol near '+'", "\n\nreturn review +\n", "    3 | return review +",
         "      |               ^"},
        {"a.lua:1: '=' expected near 'x'", "max x = 1", "    1 | max x = 1", "      |     ^"},
        {"a.lua:1: unfinished string near '\"it's'", "s = \"it's", "    1 | s = \"it's",
         "      |     ^"},
        {"a.lua:1: 'end' expected (to close 'if' at line 1) near <eof>", "if x then",
         "    1 | if x then", "      |          ^"},
        {"a.lua:4: unexpected symbol near <eof>", "return a +\r\n\t\r\n\n", "    1 | return a +",
         "      |           ^"},
        {"a.lua:1: unexpected symbol near '<\\226>'", "x = “a”", "    1 | x = “a”",
         "      |     ^"},
        {"a.lua:1: attempt to index a nil value (field 'x')", "local x = t.x.y",
         "    1 | local x = t.x.y", "      |             ^"},
        {"a.lua:1: attempt to call a nil value (method 'x')", "x(x, t:x())", "    1 | x(x, t:x())",
         "      |        ^"},
        {"a.lua:1: attempt to call a nil value (local 'f')", "  if f() then",
         "    1 |   if f() then", "      |      ^"},
        {"a.lua:1: attempt to call a nil value (global 'f')", "return of + f()",
         "    1 | return of + f()", "      |             ^"},
        {"a.lua:1: attempt to index a nil value (field '?')", " t[1].x = 2", "    1 |  t[1].x = 2",
         "      |  ^"},
        {"a.lua:1: attempt to index a nil value (field 'x')", "return {x = x}",
         "    1 | return {x = x}", "      |         ^"},
        {"a.lua:1: unknown global 'reviw' (a misspelt name, or a missing require)", "return reviw",
         "    1 | return reviw", "      |        ^"},
        {"a.lua:1: bad argument #1 to 'find' (string expected, got nil)", "return s.find(nil)",
         "    1 | return s.find(nil)", "      |          ^"},
        {"a.lua:2: boom", "x\n\t error('boom')", "    2 | \t error('boom')", "      | \t ^"},
        {"m.mustache:2: section 'x' is not closed", "<p>\n<b>{{#x}}", "    2 | <b>{{#x}}",
         "      |       ^"},
        {"m.mustache:1: {{>no}}: there is no such template", "a no {{>no}}", "    1 | a no {{>no}}",
         "      |      ^"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_shown(cases[i].error, cases[i].text, cases[i].source, cases[i].caret);
}

static void the_caret_stays_below_its_word(void **state) {
    (void)state;
    assert_shown("a.lua:1: unexpected symbol near '+'", "\tx\t= +", "    1 | \tx\t= +",
                 "      | \t \t  ^");
    assert_shown("a.lua:1: unexpected symbol near '+'", "é = '漢' +", "    1 | é = '漢' +",
                 "      |          ^");
    assert_shown("a.lua:1: unexpected symbol near '+'", "e\u0301 = '\U0001F600' +",
                 "    1 | e\u0301 = '\U0001F600' +", "      |          ^");
}

/* The last place counts: it is where the error comes from. */
static void a_place_is_found_in_a_sentence(void **state) {
    (void)state;
    assert_shown("template 'm': b.lua:9: a.lua:2: attempt to call a nil value (local 'f')", "\nf()",
                 "    2 | f()", "      | ^");
    assert_shown("a.lua:1: b.lua:7: x", "f()", "    1 | f()", "      | ^");
    assert_shown("...a/long/name/a.lua:1: x", "f()", "", "");
    assert_shown("....lua:1: x", "f()", "    1 | f()", "      | ^");
}

static void without_a_place_there_is_the_sentence_alone(void **state) {
    static const char *const errors[] = {
        "not enough memory",
        "a.lua: returns no table",
        "a.lua:0: zero",
        "a.lua:9: no line",
        "a.lua:99999999999999999999: no line",
        "a.lua:x: no number",
        "b.lua:1: no file",
        ":1: no name",
        "a.lua:1 without end",
        "",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(errors); i++)
        assert_shown(errors[i], "one\ntwo\n", "", "");
}

static void an_empty_file_has_one_line(void **state) {
    (void)state;
    assert_shown("a.lua:1: x", "", "    1 | ", "      | ^");
    assert_shown("a.lua:3: x", "\n\n\n", "    1 | ", "      | ^");
}

static void the_chain_of_calls_is_left_out(void **state) {
    char *told = told_of("a.lua:1: x\nstack traceback:\n\ta.lua:2: in main chunk", "f()\ng()", 7);

    (void)state;
    assert_string_equal(told, "a.lua:1: x\n    1 | f()\n      | ^");
    free(told);
}

static void a_long_line_is_cut_around_the_caret(void **state) {
    char text[400], *told, *caret;

    (void)state;
    memset(text, 'a', sizeof(text));
    memcpy(text + 200, " + ", 3);
    told = told_of("a.lua:1: unexpected symbol near '+'", text, sizeof(text));
    assert_non_null(strstr(told, "\n    1 | …aaa"));
    assert_non_null(strstr(told, "aaa…\n"));
    caret = strchr(told, '^');
    assert_int_equal(caret - strrchr(told, '|'), 2 + 1 + 64);
    assert_true(strlen(told) < 250);
    free(told);
    memcpy(text, "x + ", 4);
    told = told_of("a.lua:1: unexpected symbol near '+'", text, sizeof(text));
    assert_non_null(strstr(told, "\n    1 | x + aaa"));
    assert_non_null(strstr(told, "\n      |   ^"));
    free(told);
    for (size_t i = 0; i < sizeof(text); i += 2)
        memcpy(text + i, "é", 2); /* cut between characters */
    memcpy(text + 201, "+", 1);
    told = told_of("a.lua:1: unexpected symbol near '+'", text, sizeof(text));
    assert_non_null(strstr(told, "\n    1 | …éé"));
    assert_non_null(strstr(told, "éé…\n"));
    free(told);
}

static void bytes_that_cannot_be_shown_are_replaced(void **state) {
    char *told = told_of("a.lua:1: near '\xFF' \x1B", "x\0\xFF\x1By", 5);

    (void)state;
    assert_string_equal(told, "a.lua:1: near '\uFFFD' \uFFFD\n    1 | x\uFFFD\uFFFD\uFFFDy\n"
                              "      |   ^");
    free(told);
}

static void a_file_of_an_overlay_is_told_with_its_path(void **state) {
    char *told, expected[256];

    (void)state;
    env.scripts_dir = own;
    put(own, "a.lua", "g()", 3);
    told = told_of("a.lua:1: x", "f()", 3);
    snprintf(expected, sizeof(expected), "a.lua:1: x\n    1 | g()\n      | ^\n      in %s/a.lua",
             own);
    assert_string_equal(told, expected);
    free(told);
    env.scripts_dir = NULL;
}

static void without_a_tree_there_is_the_sentence_alone(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, KIB);
    excerpt_add(&out, NULL, "a.lua:1: x\nstack traceback:\n\t?");
    assert_false(buf_failed(&out));
    assert_string_equal(out.data, "a.lua:1: x");
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_caret_is_under_what_the_error_names),
        cmocka_unit_test(the_caret_stays_below_its_word),
        cmocka_unit_test(a_place_is_found_in_a_sentence),
        cmocka_unit_test(without_a_place_there_is_the_sentence_alone),
        cmocka_unit_test(an_empty_file_has_one_line),
        cmocka_unit_test(the_chain_of_calls_is_left_out),
        cmocka_unit_test(a_long_line_is_cut_around_the_caret),
        cmocka_unit_test(bytes_that_cannot_be_shown_are_replaced),
        cmocka_unit_test(a_file_of_an_overlay_is_told_with_its_path),
        cmocka_unit_test(without_a_tree_there_is_the_sentence_alone),
    };

    return cmocka_run_group_tests_name("excerpt", tests, make_dirs, remove_dirs);
}
