#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "text.h"

#define BYTES(s) (s), sizeof(s) - 1
#define NBSP     "\u00A0"

struct text_case {
    const char *in, *out;
};

/* Conversions get a copy without a NUL behind it, so that reading on is seen. */
static char *convert(int (*to)(struct buf *, const char *, size_t, struct err *), const char *s,
                     size_t n) {
    char *copy = malloc(n > 0 ? n : 1), *result;
    struct buf out;
    struct err e;

    assert_non_null(copy);
    memcpy(copy, s, n);
    buf_init(&out, 16 * MIB);
    if (to(&out, copy, n, &e) != 0)
        fail_msg("%s", e.message);
    free(copy);
    result = buf_take(&out, NULL);
    assert_non_null(result);
    return result;
}

static int escape(struct buf *out, const char *s, size_t n, struct err *e) {
    (void)e;
    text_escape_html(out, s, n);
    return 0;
}

static int plain(struct buf *out, const char *s, size_t n, struct err *e) {
    (void)e;
    text_to_html(out, s, n);
    return 0;
}

static void check_cases(int (*to)(struct buf *, const char *, size_t, struct err *),
                        const struct text_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char *result = convert(to, cases[i].in, strlen(cases[i].in));

        assert_string_equal(result, cases[i].out);
        free(result);
    }
}

/* ---- escaping and plain text ---- */

static void test_escape(void **state) {
    static const struct text_case cases[] = {
        {"", ""},
        {"plain é", "plain é"},
        {"<a href=\"x\">'&'</a>", "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;"},
        {"&amp;", "&amp;amp;"},
    };
    char *result = convert(escape, BYTES("a\0<"));

    (void)state;
    check_cases(escape, cases, COUNT_OF(cases));
    assert_memory_equal(result, "a\0&lt;", 7);
    free(result);
}

static void test_to_html(void **state) {
    static const struct text_case cases[] = {
        {"", ""},
        {"\n \r\n\t\n", ""},
        {"one\ntwo", "<p>one<br>\ntwo</p>\n"},
        {"one\r\ntwo\rthree\n", "<p>one<br>\ntwo<br>\nthree</p>\n"},
        {"one\n\n\n  \ntwo\n\n", "<p>one</p>\n<p>two</p>\n"},
        {"<script>&\"'", "<p>&lt;script&gt;&amp;&quot;&#39;</p>\n"},
        {"a  b   c ", "<p>a&nbsp; b&nbsp;&nbsp; c</p>\n"},
        {" a\n  b", "<p>&nbsp;a<br>\n&nbsp;&nbsp;b</p>\n"},
        {"\ta\tb", "<p>&nbsp;&nbsp;&nbsp;&nbsp;a&nbsp;&nbsp;&nbsp; b</p>\n"},
    };

    (void)state;
    check_cases(plain, cases, COUNT_OF(cases));
}

#define LINK(s) "<a href=\"" s "\">" s "</a>"

static void test_to_html_links(void **state) {
    static const struct text_case cases[] = {
        {"http://a.b", "<p>" LINK("http://a.b") "</p>\n"},
        {"HTTPS://A.B/?x=1&y=2#z.", "<p>" LINK("HTTPS://A.B/?x=1&amp;y=2#z") ".</p>\n"},
        {"(see https://a.b/c), ok", "<p>(see " LINK("https://a.b/c") "), ok</p>\n"},
        {"https://a.b/c_(d)?!", "<p>" LINK("https://a.b/c_(d)") "?!</p>\n"},
        {"(https://a.b/c_(d)).", "<p>(" LINK("https://a.b/c_(d)") ").</p>\n"},
        {"<https://a.b>", "<p>&lt;" LINK("https://a.b") "&gt;</p>\n"},
        {"\"http://a'b\"", "<p>&quot;" LINK("http://a&#39;b") "&quot;</p>\n"},
        {"http://a.b/\"onclick=x", "<p>" LINK("http://a.b/") "&quot;onclick=x</p>\n"},
        {"x,http://a\nhttp://b", "<p>x," LINK("http://a") "<br>\n" LINK("http://b") "</p>\n"},
        {"http:// https://... xhttp://a", "<p>http:// https://... xhttp://a</p>\n"},
        {"javascript:alert(1) ftp://x mailto:a@b",
         "<p>javascript:alert(1) ftp://x mailto:a@b</p>\n"},
    };

    (void)state;
    check_cases(plain, cases, COUNT_OF(cases));
}

/* ---- Markdown ---- */

static void test_markdown(void **state) {
    static const struct text_case cases[] = {
        {"", ""},
        {"# A *b* **c**", "<h1>A <em>b</em> <strong>c</strong></h1>\n"},
        {"a `b<c` ~~d~~ &copy; &", "<p>a <code>b&lt;c</code> <del>d</del> &copy; &amp;</p>\n"},
        {"a  \nb\nc\\\nd", "<p>a<br>\nb\nc<br>\nd</p>\n"},
        {"- a\n- b", "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n"},
        {"3. a", "<ol start=\"3\">\n<li>a</li>\n</ol>\n"},
        {"1. a", "<ol>\n<li>a</li>\n</ol>\n"},
        {"[a](b", "<p>[a](b</p>\n"}, /* md4c must not see what follows in memory */
        {"> a\n\n---", "<blockquote>\n<p>a</p>\n</blockquote>\n<hr>\n"},
        {"```c\na<b\n```", "<pre><code>a&lt;b\n</code></pre>\n"},
        {"|a|b|\n|---|--:|\n|1|2|", "<table>\n<thead>\n<tr>\n<th>a</th>\n"
                                    "<th style=\"text-align:right\">b</th>\n</tr>\n</thead>\n"
                                    "<tbody>\n<tr>\n<td>1</td>\n"
                                    "<td style=\"text-align:right\">2</td>\n</tr>\n</tbody>\n"
                                    "</table>\n"},
        {"https://a.b/c. www.d.e f@g.hi",
         "<p><a href=\"https://a.b/c\">https://a.b/c</a>. <a href=\"http://www.d.e\">www.d.e</a> "
         "<a href=\"mailto:f@g.hi\">f@g.hi</a></p>\n"},
        {"[a](http://b?c=d&e=f \"g\\\"h\")",
         "<p><a href=\"http://b?c=d&amp;e=f\" title=\"g&quot;h\">a</a></p>\n"},
        {"![a *b* [c](http://d)](cid:e)", "<p><img src=\"cid:e\" alt=\"a b c\"></p>\n"},
        {"[![a](http://b)](tel:1)",
         "<p><a href=\"tel:1\"><img src=\"http://b\" alt=\"a\"></a></p>\n"},
        {"![a ![b](http://c)](http://d)", "<p><img src=\"http://d\" alt=\"a b\"></p>\n"},
        {"![a ![b](http://c)](x:d)", "<p>a <img src=\"http://c\" alt=\"b\"></p>\n"},
    };

    (void)state;
    check_cases(text_markdown_to_html, cases, COUNT_OF(cases));
}

/* Nothing of it may become markup or an address; what is shown is the text. */
static void test_markdown_is_harmless(void **state) {
    static const char *const cases[] = {
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<div onclick=x>\n\nb\n\n</div>",
        "<!-- --><?x?><![CDATA[x]]>",
        "[a](javascript:alert(1))",
        "[a](JaVaScRiPt:alert(1))",
        "[a](&#106;avascript:alert(1))",
        "[a](java&#115;cript:alert(1))",
        "[a](javascript&colon;alert(1))",
        "[a](&Tab;javascript:x)",
        "[a](<\tjavascript:x>)",
        "[a](< javascript:x>)",
        "[a](\x01javascript:x)",
        "[a](java\\script:x)",
        "[a](data:text/html,x)",
        "[a](vbscript:x)",
        "[a](//evil.example/x)",
        "[a](/relative)",
        "[a](httpx://b)",
        "[a][b]\n\n[b]: javascript:x",
        "[a]\n\n[a]: data:x 'http://'",
        "<javascript:alert(1)>",
        "![a](javascript:x)",
        "![a](data:image/svg+xml,x)",
        "`<b>`{=html}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char *html = convert(text_markdown_to_html, cases[i], strlen(cases[i]));

        assert_null(strstr(html, "<a"));
        assert_null(strstr(html, "<img"));
        assert_null(strstr(html, "<script"));
        assert_null(strstr(html, "<div"));
        assert_null(strstr(html, "<!"));
        assert_null(strstr(html, "href="));
        free(html);
    }
}

static void test_markdown_titles_are_quoted(void **state) {
    static const struct text_case cases[] = {
        {"[a](http://b '\"onclick=x')",
         "<p><a href=\"http://b\" title=\"&quot;onclick=x\">a</a></p>\n"},
        {"[a](<http://b\"onclick=x>)", "<p><a href=\"http://b&quot;onclick=x\">a</a></p>\n"},
        {"![\"onerror=x](http://b)", "<p><img src=\"http://b\" alt=\"&quot;onerror=x\"></p>\n"},
        {"[a](http://b '&quot;>')", "<p><a href=\"http://b\" title=\"&quot;&gt;\">a</a></p>\n"},
    };

    (void)state;
    check_cases(text_markdown_to_html, cases, COUNT_OF(cases));
}

static char *repeat(const char *s, size_t times) {
    size_t n = strlen(s);
    char *all = malloc(n * times + 1);

    assert_non_null(all);
    for (size_t i = 0; i < times; i++)
        memcpy(all + i * n, s, n);
    all[n * times] = '\0';
    return all;
}

/* A kilobyte of definition, used ten thousand times. */
static void test_markdown_that_explodes(void **state) {
    char *address = repeat("u", 10000), *uses = repeat("[a]", 10000);
    struct buf in, out;
    struct err e;

    (void)state;
    buf_init(&in, MIB);
    buf_init(&out, MIB);
    buf_addf(&in, "[a]: http://%s\n\n%s", address, uses);
    assert_int_equal(text_markdown_to_html(&out, in.data, in.len, &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    assert_true(out.len <= MIB);
    buf_free(&in);
    buf_free(&out);
    free(address);
    free(uses);
}

static void test_markdown_too_long(void **state) {
    char *long_text = repeat("x ", 100000);
    struct buf out;
    struct err e;

    (void)state;
    buf_init(&out, MIB);
    assert_int_equal(text_markdown_to_html(&out, long_text, strlen(long_text), &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    free(long_text);
    buf_free(&out);
}

/* ---- HTML to text ---- */

static void test_from_html_blocks(void **state) {
    static const struct text_case cases[] = {
        {"", ""},
        {" \n<p> </p><div><br></div>&nbsp;", ""},
        {"a  b\n c", "a b c"},
        {"<p>a</p><p>b</p>", "a\n\nb"},
        {"<p>a<p>b", "a\n\nb"},
        {"<p> a <b> b</b><i>c </i> </p> d", "a bc\n\nd"},
        {"a<div>b</div>c", "a\nb\nc"},
        {"<div>a</div><div><br></div><div>b</div>", "a\n\nb"},
        {"<div>a<br></div><div>b</div>", "a\nb"},
        {"a<br>b<br><br>c<br><br><br><br>d", "a\nb\n\nc\n\nd"},
        {"<p>a</p><p>&nbsp;</p><p>b</p>", "a\n\nb"},
        {"<h1>A</h1>b<hr>c", "A\n\nb\n\n---\n\nc"},
        {"a&nbsp;&nbsp;b &nbsp; c", "a  b  c"},
        {"so\u00ADft\u200B &shy;x\x01", "soft x"},
        {"<pre>\n a\n\n\tb  c\n</pre>d", " a\n\n\tb  c\n\nd"},
        {"<P>A</P><DIV>b</DIV>", "A\n\nb"},
        {"<title>t</title><style>p{}</style>a<script>'</p>'</script>b", "ab"},
        {"<head><title>t</title><meta charset=x></head><body>a", "a"},
        {"<textarea><p></textarea><iframe>x</iframe><svg><text>y</text></svg>a", "a"},
        {"<section><article>a</article></section><custom-x>b</custom-x>", "a\n\nb"},
        {"<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n  b\nc\n  d"},
    };

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
}

static void test_from_html_lists_and_quotes(void **state) {
    static const struct text_case cases[] = {
        {"a<ul><li>b<li>c</ul>d", "a\n\n- b\n- c\n\nd"},
        {"<ol><li>a</li><li>b<br>c</li></ol>", "1. a\n2. b\n   c"},
        {"<ol start=9><li>a<li>b</ol>", "9. a\n10. b"},
        {"<ol start=-5><li>a</ol><ol start=99999999999999999999><li>b</ol>", "1. a\n\n1. b"},
        {"<ul><li>a<ul><li>b<li>c</ul><li>d</ul>", "- a\n  - b\n  - c\n- d"},
        {"<ul><li><p>a</p><p>b</p><li><p>c</p></ul>", "- a\n\n  b\n\n- c"},
        {"<ul><li></li><li>a</ul>", "- a"},
        {"<li>a", "- a"},
        {"a<blockquote>b<br>c</blockquote>d", "a\n\n> b\n> c\n\nd"},
        {"<blockquote>a<blockquote>b</blockquote>c</blockquote>", "> a\n>\n> > b\n>\n> c"},
        {"<blockquote><p>a</p><p>b</p></blockquote>", "> a\n>\n> b"},
        {"<blockquote><ul><li>a<br>b</ul></blockquote>", "> - a\n>   b"},
        {"<ol><li><blockquote>a</blockquote></ol>", "1. > a"},
    };

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
}

static void test_from_html_tables(void **state) {
    static const struct text_case cases[] = {
        {"<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a | b\n1 | 2"},
        {"x<table><tbody><tr><td>a</td></tr><tr><td>b</td></tr></tbody></table>y",
         "x\n\na\nb\n\ny"},
        {"<table><tr><td><p>a</p></td><td><p>b</p></td></tr></table>", "a | b"},
        {"<table><tr><td></td><td>a</td><td> </td><td>b</td><td></td></tr></table>c", "a | b\n\nc"},
        {"<table><tr><td>a<br>b</td><td>c</td></tr></table>", "a\nb\n\nc"},
        {"<table><tr><td>a<td><table><tr><td>b<td>c</table>d</table>", "a\nb | c\nd"},
        {"<table><caption>x</caption><tr><td>a</div><td>b</table>", "x\na | b"},
    };

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
}

static void test_from_html_links_and_images(void **state) {
    static const struct text_case cases[] = {
        {"<a href=\"http://b/?c=d&amp;e&copy=f\">a</a>.", "a <http://b/?c=d&e&copy=f>."},
        {"<a href=' https://a.b/ '>a.b</a>", "a.b"},
        {"<a href=http://www.a.b>WWW.A.B/</a>", "WWW.A.B/"},
        {"<a href=mailto:a@b?subject=x>a@b</a> <a href=mailto:a@b>c</a>", "a@b c <a@b>"},
        {"<a href='tel:+1 (555) 1'>+1 555-1</a> <a href=tel:2>c</a>", "+1 555-1 c <2>"},
        {"<a href=javascript:x>a</a> <a href=#b>c</a> <a>d</a> <a href=/e>f</a>", "a c d f"},
        {"<a href=http://b>a <a href=http://d>c", "a <http://b> c <http://d>"},
        {"<a href=http://b> a </a> c", "a <http://b> c"},
        {"<a href=http://b><div>a</div></a>c", "a <http://b>\nc"},
        {"<a href=http://b><img src=c></a>d", "<http://b>d"},
        {"<ul><li><a href=http://b>http://b</a></ul>", "- http://b"},
        {"<a href='http://b/\n\tc d'>a</a>", "a <http://b/cd>"},
        {"<img alt='a &amp; b'> <img src=x><img alt=''>c", "a & b c"},
        {"<td><a href=http://b>a<td>c", "a <http://b>c"},
    };

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
}

static void test_from_html_hidden(void **state) {
    static const struct text_case cases[] = {
        {"<div hidden>x<div>x</div>x</div>a", "a"},
        {"<div style='color:red; Display : NONE !important'>x</div>a", "a"},
        {"<span style=display:none>x<span>x</span>x</span>a", "a"},
        {"<p>a<span hidden>x</p>b", "a\n\nb"},
        {"<tr hidden><td>x<table><tr><td>x</table>x<tr><td>a", "a"},
        {"<li hidden>x<li>a", "- a"},
        {"<input hidden>a<br hidden>b<img hidden alt=x>", "ab"},
        {"<a hidden href=http://x>x</a>a<div hidden><a href=http://x>x</a></div>", "a"},
        {"<p style='display:inline'>a</p><p data-hidden style='x-display:none'>b</p>", "a\n\nb"},
        {"<template><p>x</p></template><select><option>x</select><object>x</object>a", "a"},
        {"<!--[if mso]>x<![endif]--><![if !mso]>a<![endif]><?xml x?></>b", "ab"},
    };

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
}

#define SIGNATURE "<div data-smartmail=\"gmail_signature\">"

static void test_from_html_signature(void **state) {
    static const struct text_case cases[] = {
        {"<p>a</p>" SIGNATURE "<b>Me</b><br>x</div>", "a\n\n-- \nMe\nx"},
        {"a" SIGNATURE "Me</div>b", "a\n-- \nMe\nb"},
        {"a<br>-- <br>" SIGNATURE "Me</div>", "a\n-- \nMe"},
        {"a --<br>" SIGNATURE "Me</div>", "a --\n-- \nMe"},
        {"a" SIGNATURE "<br></div>b", "a\n\nb"},
        {SIGNATURE "Me</div>", "-- \nMe"},
    };

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
}

static void test_from_html_syntax(void **state) {
    static const struct text_case cases[] = {
        {"1 < 2 <3 a<", "1 < 2 <3 a<"},
        {"a<b", "a"},
        {"a<b c='>'>d</b e=\">\">f", "adf"},
        {"a<b c=d/>e<b/c>f", "aef"},
        {"<p =x title=</p>>a", ">a"},
        {"a<!-->b<!--->c<!-- > -- --!>d<!-- e", "abcd"},
        {"a</ x>b</>c<!doctype html>d", "abcd"},
        {"<script>a</scriptx></SCRIPT >b<style>c", "b"},
        {"&lt;b&gt; &amp;amp; &eacute;&euro;&hellip;&#65;&#x42;&#X43;", "<b> &amp; é€…ABC"},
        {"&copy &copyx; &bogus; &; & &# &#x; &#xg", "© &copyx; &bogus; &; & &# &#x; &#xg"},
        {"&#150;&#0;&#xD800;&#x110000;&#99999999999;", "–\uFFFD\uFFFD\uFFFD\uFFFD"},
        {"&#128512;&thetasym;&notaname;&verylongname;", "😀ϑ&notaname;&verylongname;"},
        {"é漢字", "é漢字"},
    };
    char *result = convert(text_from_html, BYTES("a\0b<\0c>&\0;"));

    (void)state;
    check_cases(text_from_html, cases, COUNT_OF(cases));
    assert_string_equal(result, "ab<c>&;");
    free(result);
}

/* The text of hostile input is of no interest; that there is one, soon, is. */
static void test_from_html_hostile(void **state) {
    static const char *const units[] = {
        "<div>",
        "<b>",
        "<ul><li>x",
        "<table><tr><td>x",
        "</div>",
        "<div></b>",
        "<span hidden>",
        "<p hidden>",
        "<a href=http://x>",
        "<!--",
        "<a b=\"",
        "<![",
        "</",
        "&",
        "<",
        "<blockquote>x<br>",
        "<script>",
        "<pre>\n\n",
        "&#",
        "<td>x",
    };
    clock_t start = clock();

    (void)state;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        char *html = repeat(units[i], 200000), *result;

        result = convert(text_from_html, html, strlen(html));
        assert_true(strlen(result) <= 16 * MIB);
        free(result);
        free(html);
    }
    /* a hundred times what it takes, and nothing beside what quadratic time would be */
    assert_true((clock() - start) / CLOCKS_PER_SEC < 60);
}

static void test_from_html_depth(void **state) {
    char *open = repeat("<div>", 100000), *close = repeat("</div>", 100000), *result;
    struct buf in;

    (void)state;
    buf_init(&in, 4 * MIB);
    buf_addf(&in, "<p>a</p>%sb%s<p>c</p>", open, close);
    result = convert(text_from_html, in.data, in.len);
    assert_string_equal(result, "a\n\nb\n\nc");
    free(result);
    free(open);
    free(close);
    buf_free(&in);
}

static void test_from_html_ceiling(void **state) {
    struct buf out;
    struct err e;

    (void)state;
    buf_init(&out, 4);
    assert_int_equal(text_from_html(&out, BYTES("<p>abc<p>def"), &e), -1);
    assert_int_equal(e.code, ERR_PAYLOAD_TOO_LARGE);
    buf_free(&out);
}

/* What is in the buffer already stays apart from what is added. */
static void test_from_html_appends(void **state) {
    struct buf out;

    (void)state;
    buf_init(&out, KIB);
    buf_adds(&out, "before: ");
    assert_int_equal(text_from_html(&out, BYTES("<p>a</p>"), NULL), 0);
    assert_string_equal(out.data, "before: a");
    buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),
        cmocka_unit_test(test_to_html),
        cmocka_unit_test(test_to_html_links),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_markdown_is_harmless),
        cmocka_unit_test(test_markdown_titles_are_quoted),
        cmocka_unit_test(test_markdown_that_explodes),
        cmocka_unit_test(test_markdown_too_long),
        cmocka_unit_test(test_from_html_blocks),
        cmocka_unit_test(test_from_html_lists_and_quotes),
        cmocka_unit_test(test_from_html_tables),
        cmocka_unit_test(test_from_html_links_and_images),
        cmocka_unit_test(test_from_html_hidden),
        cmocka_unit_test(test_from_html_signature),
        cmocka_unit_test(test_from_html_syntax),
        cmocka_unit_test(test_from_html_hostile),
        cmocka_unit_test(test_from_html_depth),
        cmocka_unit_test(test_from_html_ceiling),
        cmocka_unit_test(test_from_html_appends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
