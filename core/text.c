/*
 * text.c - escaping, plain text to HTML, Markdown to HTML.
 *
 * Markdown is parsed by md4c and written here rather than by md4c-html, because the address of a
 * link is judged before it is written, and because this renderer can stop: a few kilobytes of
 * Markdown may stand for gigabytes of HTML.
 */
#include "text.h"

#include <md4c.h>
#include <string.h>
#include <strings.h>

/* md4c's search for bare links takes quadratic time: a sixth of a second for this much of the
 * worst. */
#define MARKDOWN_MAX (128 * KIB)

enum { TAB_COLUMNS = 4 };

/* ---- escaping ---- */

static const char *entity(char c) {
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void text_escape_html(struct buf *out, const char *s, size_t n) {
    size_t start = 0;

    for (size_t i = 0; i < n; i++) {
        const char *e = entity(s[i]);

        if (e == NULL)
            continue;
        buf_add(out, s + start, i - start);
        buf_adds(out, e);
        start = i + 1;
    }
    buf_add(out, s + start, n - start);
}

static bool has_prefix(const char *s, size_t n, const char *prefix) {
    size_t len = strlen(prefix);

    return n >= len && strncasecmp(s, prefix, len) == 0;
}

/* ---- plain text ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static bool is_alnum(char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* How much of s is an http(s) address as people write it in a sentence, 0 if it is none: the
 * punctuation at its end and a bracket that was opened before it belong to the sentence. */
static size_t link_length(const char *s, size_t n) {
    size_t scheme = has_prefix(s, n, "https://") ? 8 : has_prefix(s, n, "http://") ? 7 : 0;
    size_t len = scheme, opened = 0, closed = 0;

    if (scheme == 0)
        return 0;
    for (; len < n && (unsigned char)s[len] > ' ' && strchr("<>\"\x7f", s[len]) == NULL; len++) {
        opened += s[len] == '(';
        closed += s[len] == ')';
    }
    for (; len > scheme; len--) {
        if (s[len - 1] == ')' && closed > opened)
            closed--;
        else if (strchr(".,;:!?'*_~]}", s[len - 1]) == NULL)
            return len;
    }
    return 0;
}

/* White space that HTML would run together; the last of several stays a place to break. */
static void add_blanks(struct buf *out, size_t n, bool at_start) {
    for (; n > (at_start ? 0 : 1); n--)
        buf_adds(out, "&nbsp;");
    if (n > 0)
        buf_addc(out, ' ');
}

static void add_link(struct buf *out, const char *s, size_t n) {
    buf_adds(out, "<a href=\"");
    text_escape_html(out, s, n);
    buf_adds(out, "\">");
    text_escape_html(out, s, n);
    buf_adds(out, "</a>");
}

static void add_line(struct buf *out, const char *s, size_t n) {
    size_t plain = 0, i = 0;

    while (i < n) {
        size_t blanks = 0, columns = 0, link = 0;

        for (; i + blanks < n && is_blank(s[i + blanks]); blanks++)
            columns += s[i + blanks] == '\t' ? TAB_COLUMNS : 1;
        if (i == 0 || !is_alnum(s[i - 1]))
            link = link_length(s + i, n - i);
        if (blanks + link == 0) {
            i++;
            continue;
        }
        text_escape_html(out, s + plain, i - plain);
        if (blanks > 0)
            add_blanks(out, columns, i == 0);
        else
            add_link(out, s + i, link);
        i += blanks + link;
        plain = i;
    }
    text_escape_html(out, s + plain, n - plain);
}

void text_to_html(struct buf *out, const char *s, size_t n) {
    const char *end = s + n;
    bool open = false;

    while (s < end) {
        const char *line = s;
        size_t len;

        while (s < end && *s != '\n' && *s != '\r')
            s++;
        len = (size_t)(s - line);
        if (s < end)
            s += end - s > 1 && s[0] == '\r' && s[1] == '\n' ? 2 : 1;
        while (len > 0 && is_blank(line[len - 1]))
            len--;
        if (len > 0) {
            buf_adds(out, open ? "<br>\n" : "<p>");
            add_line(out, line, len);
        } else if (open) {
            buf_adds(out, "</p>\n");
        }
        open = len > 0;
    }
    if (open)
        buf_adds(out, "</p>\n");
}

/* ---- Markdown ---- */

struct markdown {
    struct buf *out;
    unsigned images; /* open images: their content becomes an alt text, without markup */
};

/* How blocks and spans begin and end, where they have nothing of their own to say. */
static const char *const blocks[][2] = {
    [MD_BLOCK_DOC] = {"", ""},
    [MD_BLOCK_QUOTE] = {"<blockquote>\n", "</blockquote>\n"},
    [MD_BLOCK_UL] = {"<ul>\n", "</ul>\n"},
    [MD_BLOCK_OL] = {"<ol>\n", "</ol>\n"},
    [MD_BLOCK_LI] = {"<li>", "</li>\n"},
    [MD_BLOCK_HR] = {"<hr>\n", ""},
    [MD_BLOCK_H] = {"<h1>", "</h1>\n"},
    [MD_BLOCK_CODE] = {"<pre><code>", "</code></pre>\n"},
    [MD_BLOCK_HTML] = {"", ""},
    [MD_BLOCK_P] = {"<p>", "</p>\n"},
    [MD_BLOCK_TABLE] = {"<table>\n", "</table>\n"},
    [MD_BLOCK_THEAD] = {"<thead>\n", "</thead>\n"},
    [MD_BLOCK_TBODY] = {"<tbody>\n", "</tbody>\n"},
    [MD_BLOCK_TR] = {"<tr>\n", "</tr>\n"},
    [MD_BLOCK_TH] = {"<th", "</th>\n"},
    [MD_BLOCK_TD] = {"<td", "</td>\n"},
};

static const char *const spans[][2] = {
    [MD_SPAN_EM] = {"<em>", "</em>"},
    [MD_SPAN_STRONG] = {"<strong>", "</strong>"},
    [MD_SPAN_CODE] = {"<code>", "</code>"},
    [MD_SPAN_DEL] = {"<del>", "</del>"},
};

/* md4c's callbacks return what stops it: nobody reads what a failed buffer would be given. */
static int stop_if_full(const struct markdown *m) {
    return buf_failed(m->out) ? 1 : 0;
}

/* The scheme must be there in so many letters, so that no entity, escape or white space can hide
 * another one. */
static bool is_safe_target(const MD_ATTRIBUTE *target) {
    static const char *const schemes[] = {"http:", "https:", "mailto:", "tel:", "cid:"};

    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        if (has_prefix(target->text, target->size, schemes[i]))
            return true;
    return false;
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *s, MD_SIZE n, void *arg) {
    struct markdown *m = arg;

    switch (type) {
    case MD_TEXT_NULLCHAR:
        buf_adds(m->out, "\xEF\xBF\xBD"); /* U+FFFD */
        break;
    case MD_TEXT_BR:
        buf_adds(m->out, m->images > 0 ? " " : "<br>\n");
        break;
    case MD_TEXT_SOFTBR:
        buf_adds(m->out, m->images > 0 ? " " : "\n");
        break;
    case MD_TEXT_ENTITY:
        buf_add(m->out, s, n);
        break;
    default:
        text_escape_html(m->out, s, n);
    }
    return stop_if_full(m);
}

static void add_attribute(struct markdown *m, const char *name, const MD_ATTRIBUTE *value) {
    if (value->text == NULL)
        return;
    buf_addf(m->out, " %s=\"", name);
    for (unsigned i = 0; value->substr_offsets[i] < value->size; i++)
        on_text(value->substr_types[i], value->text + value->substr_offsets[i],
                value->substr_offsets[i + 1] - value->substr_offsets[i], m);
    buf_addc(m->out, '"');
}

static int on_enter_block(MD_BLOCKTYPE type, void *detail, void *arg) {
    static const char *const aligns[] = {
        [MD_ALIGN_LEFT] = "left", [MD_ALIGN_CENTER] = "center", [MD_ALIGN_RIGHT] = "right"};
    struct markdown *m = arg;
    MD_ALIGN align;
    unsigned start;

    switch (type) {
    case MD_BLOCK_H:
        buf_addf(m->out, "<h%u>", ((MD_BLOCK_H_DETAIL *)detail)->level);
        break;
    case MD_BLOCK_OL:
        start = ((MD_BLOCK_OL_DETAIL *)detail)->start;
        if (start != 1)
            buf_addf(m->out, "<ol start=\"%u\">\n", start);
        else
            buf_adds(m->out, blocks[type][0]);
        break;
    case MD_BLOCK_TH:
    case MD_BLOCK_TD:
        align = ((MD_BLOCK_TD_DETAIL *)detail)->align;
        buf_adds(m->out, blocks[type][0]);
        if (align != MD_ALIGN_DEFAULT)
            buf_addf(m->out, " style=\"text-align:%s\"", aligns[align]);
        buf_addc(m->out, '>');
        break;
    default:
        buf_adds(m->out, blocks[type][0]);
    }
    return stop_if_full(m);
}

static int on_leave_block(MD_BLOCKTYPE type, void *detail, void *arg) {
    struct markdown *m = arg;

    if (type == MD_BLOCK_H)
        buf_addf(m->out, "</h%u>\n", ((MD_BLOCK_H_DETAIL *)detail)->level);
    else
        buf_adds(m->out, blocks[type][1]);
    return stop_if_full(m);
}

static int on_enter_span(MD_SPANTYPE type, void *detail, void *arg) {
    struct markdown *m = arg;
    const MD_SPAN_A_DETAIL *a = detail;
    const MD_SPAN_IMG_DETAIL *img = detail;

    if (type == MD_SPAN_IMG) {
        if (is_safe_target(&img->src) && m->images++ == 0) {
            buf_adds(m->out, "<img");
            add_attribute(m, "src", &img->src);
            add_attribute(m, "title", &img->title);
            buf_adds(m->out, " alt=\"");
        }
    } else if (m->images > 0) {
        return 0;
    } else if (type != MD_SPAN_A) {
        buf_adds(m->out, spans[type][0]);
    } else if (is_safe_target(&a->href)) {
        buf_adds(m->out, "<a");
        add_attribute(m, "href", &a->href);
        add_attribute(m, "title", &a->title);
        buf_addc(m->out, '>');
    }
    return stop_if_full(m);
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *arg) {
    struct markdown *m = arg;

    if (type == MD_SPAN_IMG) {
        if (is_safe_target(&((MD_SPAN_IMG_DETAIL *)detail)->src) && --m->images == 0)
            buf_adds(m->out, "\">");
    } else if (m->images > 0) {
        return 0;
    } else if (type != MD_SPAN_A) {
        buf_adds(m->out, spans[type][1]);
    } else if (is_safe_target(&((MD_SPAN_A_DETAIL *)detail)->href)) {
        buf_adds(m->out, "</a>");
    }
    return stop_if_full(m);
}

int text_markdown_to_html(struct buf *out, const char *s, size_t n, struct err *e) {
    static const MD_PARSER parser = {
        .flags =
            MD_FLAG_NOHTML | MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH | MD_FLAG_PERMISSIVEAUTOLINKS,
        .enter_block = on_enter_block,
        .leave_block = on_leave_block,
        .enter_span = on_enter_span,
        .leave_span = on_leave_span,
        .text = on_text,
    };
    struct markdown m = {.out = out};
    struct buf lines;
    int rc;

    if (n > MARKDOWN_MAX)
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the Markdown text is longer than %zu bytes",
                       MARKDOWN_MAX);
    buf_init(&lines, MARKDOWN_MAX + 1);
    buf_add(&lines, s, n);
    buf_addc(&lines, '\n'); /* md4c 0.4.8 looks past the end of a last line that has no end */
    rc = buf_failed(&lines) ? -1 : md_parse(lines.data, (MD_SIZE)lines.len, &parser, &m);
    buf_free(&lines);
    if (buf_failed(out))
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the Markdown text is too long as HTML");
    if (rc != 0)
        return err_set(e, ERR_INTERNAL_ERROR, "no memory left to read the Markdown text");
    return 0;
}
