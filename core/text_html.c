/*
 * text_html.c - HTML as a text part reads well.
 *
 * Tags come one after the other from html.c; a stack of the open blocks stands in for a tree.
 * Nothing is written before a character is seen: line ends, spaces, list markers and separators
 * are owed until then, so that empty blocks leave no trace and margins run into one.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "html.h"
#include "text.h"
#include "text_element.h"
#include "text_link.h"

enum {
    DEPTH_MAX = 256, /* open blocks; those further in are read, but have no frame of their own */
    PREFIX_MAX = 12, /* levels of quotes and lists that are shown on a line */
    NUMBER_MAX = 1000000
};

#define BIT(role) (1u << (role))
#define NOWHERE   SIZE_MAX

/* An open element: a block, or one that is hidden or a signature. */
struct frame {
    const char *name;
    size_t name_len;
    size_t nested; /* open elements of the same name inside, where these have no frames */
    size_t line;   /* ROW: the line on which it begins */
    enum text_role role;
    unsigned margin;
    int number;      /* NUMBERS: of the next item */
    char marker[16]; /* ITEM: what stands before its first line */
    bool marker_owed;
    bool hidden;
    bool signature;
};

struct layout {
    struct html html;
    struct buf *out;
    size_t start;         /* where our text begins in *out */
    struct buf scratch;   /* a decoded text or attribute */
    struct frame *frames; /* DEPTH_MAX of them */
    size_t depth;
    size_t open[ROLES]; /* frames of each role */
    size_t beyond;      /* open blocks without a frame, for want of room */
    size_t hidden;      /* open elements that hide what is in them */
    size_t lines;       /* begun so far */
    size_t line_quotes; /* quotes around the last of them */
    size_t breaks;      /* owed: line ends, */
    size_t blanks;      /* spaces, */
    bool separator;     /* the bar between two cells, */
    bool signature;     /* the line that sets off a signature */
    bool linked;        /* inside a link with this tag, */
    struct html link;
    size_t link_text; /* whose text begins here in *out, or NOWHERE yet */
};

/* ---- lines ---- */

static void owe_breaks(struct layout *l, size_t n) {
    if (n == 0)
        return;
    if (l->breaks < n)
        l->breaks = n;
    l->blanks = 0;
}

/* The end of a line, one owed blank line less than line ends, and what stands before a line of
 * quotes and lists. */
static void begin_line(struct layout *l) {
    size_t quotes = l->open[QUOTE], levels = 0;
    size_t between = quotes < l->line_quotes ? quotes : l->line_quotes;

    for (size_t i = 0; i < l->breaks && l->lines > 0; i++) {
        for (size_t k = 0; i > 0 && k < between && k < PREFIX_MAX; k++)
            buf_adds(l->out, k > 0 ? " >" : ">");
        buf_addc(l->out, '\n');
    }
    for (size_t i = 0; i < l->depth && levels < PREFIX_MAX; i++) {
        struct frame *f = &l->frames[i];

        levels += BIT(f->role) & (BIT(QUOTE) | BIT(ITEM) | BIT(DETAIL)) ? 1 : 0;
        if (f->role == QUOTE)
            buf_adds(l->out, "> ");
        else if (f->role == DETAIL)
            buf_adds(l->out, "  ");
        else if (f->role == ITEM)
            buf_addf(l->out, "%*s", (int)strlen(f->marker), f->marker_owed ? f->marker : "");
        f->marker_owed = false;
    }
    l->lines++;
    l->line_quotes = quotes;
    l->breaks = 0;
    l->separator = false;
}

/* The line "-- " (RFC 3676 §4.3), unless the mail's author has written one. */
static void begin_signature(struct layout *l) {
    const char *text = l->out->data + l->start;
    size_t n = l->out->len - l->start;

    l->signature = false;
    owe_breaks(l, 1);
    if (n >= 2 && memcmp(text + n - 2, "--", 2) == 0 && (n == 2 || text[n - 3] == '\n')) {
        buf_addc(l->out, ' ');
        return;
    }
    begin_line(l);
    buf_adds(l->out, "-- ");
    l->breaks = 1;
}

/* Pay what is owed: something visible follows. */
static void begin_text(struct layout *l) {
    if (l->signature)
        begin_signature(l);
    if (l->breaks > 0 || l->lines == 0)
        begin_line(l);
    if (l->separator)
        buf_adds(l->out, " | ");
    for (; l->blanks > 0; l->blanks--)
        buf_addc(l->out, ' ');
    l->separator = false;
    if (l->linked && l->link_text == NOWHERE)
        l->link_text = l->out->len;
}

/* ---- text ---- */

enum glyph {
    VISIBLE,
    SPACE,
    NO_BREAK_SPACE,
    NOTHING /* soft hyphens, zero-width spaces, control characters */
};

static enum glyph classify(const char *s, size_t n, size_t *len) {
    unsigned char c = (unsigned char)*s;

    *len = 1;
    if (c == ' ' || (c >= '\t' && c <= '\r'))
        return SPACE;
    if (c < ' ' || c == 0x7F)
        return NOTHING;
    if (n >= 2 && c == 0xC2 && (s[1] == '\xA0' || s[1] == '\xAD')) {
        *len = 2;
        return s[1] == '\xA0' ? NO_BREAK_SPACE : NOTHING;
    }
    if (n >= 3 && (memcmp(s, "\xE2\x80\x8B", 3) == 0 || memcmp(s, "\xEF\xBB\xBF", 3) == 0)) {
        *len = 3;
        return NOTHING;
    }
    return VISIBLE;
}

/* Decoded text.  Spaces run into one, and vanish where a line begins or ends. */
static void add_text(struct layout *l, const char *s, size_t n, bool pre) {
    size_t len;

    for (const char *end = s + n; s < end; s += len) {
        enum glyph glyph = classify(s, (size_t)(end - s), &len);

        if (glyph == VISIBLE || (pre && *s == '\t')) {
            begin_text(l);
            buf_add(l->out, s, len);
        } else if (pre && *s == '\n') {
            l->breaks++;
            l->blanks = 0;
        } else if (glyph == NO_BREAK_SPACE || (pre && *s == ' ')) {
            l->blanks++;
        } else if (glyph == SPACE && l->blanks == 0 && l->breaks == 0 && l->lines > 0 &&
                   !l->separator) {
            l->blanks = 1;
        }
    }
}

static void on_text(struct layout *l) {
    if (l->hidden > 0)
        return;
    buf_reset(&l->scratch);
    html_decode(&l->scratch, l->html.s, l->html.n);
    add_text(l, l->scratch.data, l->scratch.len, l->open[PRE] > 0);
}

/* ---- links ---- */

static void end_link(struct layout *l) {
    struct text_link link;
    bool useful = l->linked && text_link_read(&link, &l->link, &l->scratch);

    l->linked = false;
    if (!useful)
        return;
    if (l->link_text == NOWHERE) /* a picture without words, most likely */
        begin_text(l);
    else if (text_link_is_said(&link, l->out->data + l->link_text))
        return;
    else
        buf_addc(l->out, ' ');
    buf_addf(l->out, "<%s>", link.address);
}

/* ---- elements ---- */

/* Is the element that was just opened one that browsers do not show? */
static bool is_undisplayed(struct layout *l) {
    char *from, *to;

    buf_reset(&l->scratch);
    if (html_attribute(&l->html, "hidden", &l->scratch))
        return true;
    buf_addc(&l->scratch, ';');
    if (!html_attribute(&l->html, "style", &l->scratch))
        return false;
    for (from = to = l->scratch.data; *from != '\0'; from++)
        if (!isspace((unsigned char)*from))
            *to++ = *from;
    *to = '\0';
    return strcasestr(l->scratch.data, ";display:none") != NULL;
}

static bool is_signature(struct layout *l) {
    buf_reset(&l->scratch);
    return html_attribute(&l->html, "data-smartmail", &l->scratch) &&
           strcmp(l->scratch.data, "gmail_signature") == 0;
}

/* A block begins or ends.  Paragraphs in a cell do not part it from the cell before. */
static void add_margin(struct layout *l, enum text_role role, size_t margin) {
    if (l->separator && (BIT(role) & (BIT(PLAIN) | BIT(PARAGRAPH))))
        return;
    if (margin > 0)
        l->separator = false;
    owe_breaks(l, margin);
}

static void close_frames(struct layout *l, size_t depth) {
    while (l->depth > depth) {
        const struct frame *f = &l->frames[--l->depth];

        l->open[f->role]--;
        l->hidden -= f->hidden;
        if (f->hidden || l->hidden > 0)
            continue;
        if (f->role == CELL)
            end_link(l);
        if (f->role == PRE && l->breaks > f->margin)
            l->breaks = f->margin;
        if (f->signature)
            l->signature = false;
        add_margin(l, f->role, f->margin);
    }
}

/* Close the outermost of these roles that is open inside the innermost of those. */
static void close_inside(struct layout *l, unsigned roles, unsigned inside) {
    size_t depth = l->depth;

    for (size_t i = l->depth; i-- > 0 && !(BIT(l->frames[i].role) & inside);)
        if (BIT(l->frames[i].role) & roles)
            depth = i;
    close_frames(l, depth);
}

/* Close what an element's start tag ends without saying so. */
static void close_implied(struct layout *l, enum text_role role) {
    const unsigned cells = BIT(CELL) | BIT(TABLE);
    const unsigned lists = BIT(BULLETS) | BIT(NUMBERS) | BIT(TERMS) | BIT(QUOTE) | cells;

    switch (role) {
    case ITEM:
        close_inside(l, BIT(ITEM), lists);
        break;
    case TERM:
    case DETAIL:
        close_inside(l, BIT(TERM) | BIT(DETAIL), lists);
        break;
    case ROW:
        close_inside(l, BIT(ROW) | BIT(CELL), BIT(TABLE));
        break;
    case CELL:
        close_inside(l, BIT(CELL), BIT(ROW) | BIT(TABLE));
        break;
    default:
        close_inside(l, BIT(PARAGRAPH), cells);
    }
}

static int start_number(struct layout *l) {
    long start;

    buf_reset(&l->scratch);
    if (!html_attribute(&l->html, "start", &l->scratch))
        return 1;
    start = strtol(l->scratch.data, NULL, 10);
    return start >= 0 && start < NUMBER_MAX ? (int)start : 1;
}

/* "- ", or "3. " if the nearest list counts. */
static void set_marker(struct layout *l, struct frame *item) {
    size_t i = l->depth;

    while (i-- > 0 && !(BIT(l->frames[i].role) & (BIT(BULLETS) | BIT(NUMBERS))))
        continue;
    if (i < l->depth && l->frames[i].role == NUMBERS)
        snprintf(item->marker, sizeof(item->marker), "%d. ", l->frames[i].number++);
    else
        snprintf(item->marker, sizeof(item->marker), "- ");
    item->marker_owed = true;
}

/* A cell stands beside the one before while that has no more than the row's first line. */
static void open_cell(struct layout *l) {
    const struct frame *row = l->depth > 0 ? &l->frames[l->depth - 1] : NULL;

    if (row == NULL || row->role != ROW || l->lines < row->line)
        return;
    if (l->lines > row->line) {
        owe_breaks(l, 2);
        return;
    }
    l->separator = true;
    l->breaks = l->blanks = 0;
}

static void open_frame(struct layout *l, const struct text_element *e, bool hidden,
                       bool signature) {
    struct frame *f = &l->frames[l->depth];
    bool nested = ((BIT(e->role) & (BIT(BULLETS) | BIT(NUMBERS))) && l->open[ITEM] > 0) ||
                  (e->role == TABLE && l->open[TABLE] > 0);

    *f = (struct frame){.role = e->role,
                        .margin = nested ? 1 : e->margin,
                        .name = l->html.s,
                        .name_len = l->html.n,
                        .hidden = hidden,
                        .signature = signature};
    l->open[f->role]++;
    l->hidden += hidden;
    if (l->hidden == 0) {
        add_margin(l, f->role, f->margin);
        if (signature) {
            owe_breaks(l, 1);
            l->signature = true;
        }
        if (f->role == CELL)
            open_cell(l);
    }
    if (f->role == NUMBERS)
        f->number = start_number(l);
    if (f->role == ITEM)
        set_marker(l, f);
    if (f->role == ROW)
        f->line = l->lines + 1;
    if (f->role == PRE && l->html.at < l->html.end && *l->html.at == '\n')
        l->html.at++;
    l->depth++;
}

/* ---- tags ---- */

/* The innermost frame of the tag's name, not looking out of frames of the roles in `walls`. */
static struct frame *find_frame(struct layout *l, unsigned walls) {
    for (size_t i = l->depth; i-- > 0;) {
        struct frame *f = &l->frames[i];

        if (f->name_len == l->html.n && strncasecmp(f->name, l->html.s, f->name_len) == 0)
            return f;
        if (BIT(f->role) & walls)
            break;
    }
    return NULL;
}

static void on_empty(struct layout *l, enum text_role role) {
    switch (role) {
    case BREAK:
        owe_breaks(l, l->breaks < 2 ? l->breaks + 1 : 2);
        break;
    case RULE:
        add_margin(l, role, 2);
        begin_text(l);
        buf_adds(l->out, "---");
        add_margin(l, role, 2);
        break;
    case IMAGE:
        buf_reset(&l->scratch);
        if (html_attribute(&l->html, "alt", &l->scratch))
            add_text(l, l->scratch.data, l->scratch.len, false);
        break;
    default:
        break;
    }
}

static void on_open(struct layout *l) {
    const struct text_element *e = text_element_find(l->html.s, l->html.n);
    bool hide = l->hidden == 0 && (e->role == SKIP || is_undisplayed(l));
    bool signature = l->hidden == 0 && is_signature(l);
    struct frame *same;

    if (e->role >= EMPTY && e->role <= IMAGE) {
        if (l->hidden == 0 && !hide)
            on_empty(l, e->role);
        return;
    }
    if (e->role >= PLAIN) {
        close_implied(l, e->role);
    } else if (!hide && !signature) {
        if ((same = find_frame(l, 0)) != NULL)
            same->nested++;
        if (e->role == LINK && l->hidden == 0) {
            end_link(l);
            l->linked = true;
            l->link = l->html;
            l->link_text = NOWHERE;
        }
        return;
    }
    if (l->depth < DEPTH_MAX)
        open_frame(l, e, hide, signature);
    else
        l->beyond++;
}

static void on_close(struct layout *l) {
    const struct text_element *e = text_element_find(l->html.s, l->html.n);
    struct frame *f;

    if (e->role >= PLAIN && l->beyond > 0) {
        l->beyond--;
        return;
    }
    if (e->role == LINK && l->hidden == 0)
        end_link(l);
    if (e->role == TABLE)
        f = find_frame(l, 0);
    else if (e->role == ROW || e->role == CELL)
        f = find_frame(l, BIT(TABLE));
    else
        f = find_frame(l, BIT(TABLE) | BIT(CELL));
    if (f == NULL)
        return;
    if (f->nested > 0)
        f->nested--;
    else
        close_frames(l, (size_t)(f - l->frames));
}

int text_from_html(struct buf *out, const char *html, size_t n, struct err *e) {
    struct frame frames[DEPTH_MAX]; /* apart, since each is filled when it is opened */
    struct layout l = {.out = out, .frames = frames, .start = out->len, .link_text = NOWHERE};
    enum html_kind kind;

    html_init(&l.html, html, n);
    buf_init(&l.scratch, n + 1);
    if (buf_reserve(&l.scratch, n + 1) == NULL) /* whatever is decoded fits from now on */
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "no memory left to read %zu bytes of HTML", n);
    while ((kind = html_next(&l.html)) != HTML_END && !buf_failed(out)) {
        if (kind == HTML_TEXT)
            on_text(&l);
        else if (kind == HTML_OPEN)
            on_open(&l);
        else
            on_close(&l);
    }
    close_frames(&l, 0);
    end_link(&l);
    buf_free(&l.scratch);
    if (buf_failed(out))
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "the HTML is too long as text");
    return 0;
}
