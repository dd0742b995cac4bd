#include "excerpt.h"

#include <stdlib.h>
#include <string.h>

#include "encode.h"

#define TRACE       "\nstack traceback:"
#define WINDOW      96 /* bytes of a line that are shown */
#define WINDOW_HEAD 64 /* those of them before the caret */

struct span {
    const char *s;
    size_t n;
};

/* --- text ------------------------------------------------------------------------------------ */

/* How many columns a character takes on a terminal. */
static int columns(uint32_t cp) {
    static const struct {
        uint32_t first, last;
        int columns;
    } ranges[] = {{0x300, 0x36F, 0},     {0x1100, 0x115F, 2},  {0x200B, 0x200F, 0},
                  {0x2E80, 0xA4CF, 2},   {0xAC00, 0xD7A3, 2},  {0xF900, 0xFAFF, 2},
                  {0xFE00, 0xFE0F, 0},   {0xFE30, 0xFE6F, 2},  {0xFF00, 0xFF60, 2},
                  {0x1F300, 0x1FAFF, 2}, {0x20000, 0x3FFFD, 2}};

    for (size_t i = 0; i < COUNT_OF(ranges); i++)
        if (cp >= ranges[i].first && cp <= ranges[i].last)
            return ranges[i].columns;
    return 1;
}

/* As much white space as the text is wide, tabs for tabs. */
static void add_indent(struct buf *out, struct span text) {
    uint32_t cp;

    for (size_t i = 0, n; i<text.n; i += n> 0 ? n : 1) {
        n = encode_utf8_char(text.s + i, text.n - i, &cp);
        for (int k = n > 0 ? columns(cp) : 1; k > 0; k--)
            buf_addc(out, text.s[i] == '\t' ? '\t' : ' ');
    }
}

static struct span sentence_of(const char *error) {
    const char *trace = strstr(error, TRACE);

    return (struct span){error, trace != NULL ? (size_t)(trace - error) : strlen(error)};
}

static const char *find(struct span in, const char *what) {
    return memmem(in.s, in.n, what, strlen(what));
}

static struct span rest_from(struct span in, const char *at) {
    return (struct span){at, (size_t)(in.s + in.n - at)};
}

/* --- where ----------------------------------------------------------------------------------- */

struct place {
    const struct tree_file *file;
    struct span said; /* what the error says behind the place */
    size_t line;
};

static bool is_in_name(char c) {
    return c != '\0' &&
           strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-", c) != NULL;
}

/* Lua shortens a long name to "..." and its end. */
static const struct tree_file *find_file(const struct tree *t, struct span name) {
    size_t n, len;
    const struct tree_file *files = tree_files(t, &n);
    bool cut = name.n > 3 && strncmp(name.s, "...", 3) == 0;

    if (cut)
        name = (struct span){name.s + 3, name.n - 3};
    for (size_t i = 0; i < n; i++) {
        len = strlen(files[i].name);
        if ((cut ? len > name.n : len == name.n) &&
            memcmp(files[i].name + len - name.n, name.s, name.n) == 0)
            return &files[i];
    }
    return NULL;
}

/* The last "name:line:" in the sentence: what stands before it only passed the error on. */
static bool find_place(const struct tree *t, struct span sentence, struct place *p) {
    const char *end = sentence.s + sentence.n, *at, *name;
    char *behind;
    size_t line;

    *p = (struct place){0};
    for (at = sentence.s; (at = memchr(at, ':', (size_t)(end - at))) != NULL; at++) {
        line = strtoul(at + 1, &behind, 10);
        if (at[1] < '0' || at[1] > '9' || behind >= end || *behind != ':')
            continue;
        for (name = at; name > sentence.s && is_in_name(name[-1]);)
            name--;
        const struct tree_file *f = find_file(t, (struct span){name, (size_t)(at - name)});
        if (f != NULL)
            *p = (struct place){f, rest_from(sentence, behind + 1), line};
    }
    return p->file != NULL;
}

/* The line of that number; false: the file has fewer. */
static bool find_line(struct span text, size_t number, struct span *line) {
    const char *end;

    for (; number > 1; number--) {
        if ((end = memchr(text.s, '\n', text.n)) == NULL)
            return false;
        text = rest_from(text, end + 1);
    }
    end = memchr(text.s, '\n', text.n);
    line->s = text.s;
    line->n = end != NULL ? (size_t)(end - text.s) : text.n;
    if (line->n > 0 && line->s[line->n - 1] == '\r')
        line->n--;
    return true;
}

static size_t first_word(struct span line) {
    size_t i = 0;

    while (i < line.n && (line.s[i] == ' ' || line.s[i] == '\t'))
        i++;
    return i;
}

/* The line that the place is in.  The end of a file is behind its last line that is not empty. */
static bool find_line_of(struct place *p, struct span *line) {
    struct span text = {p->file->text, p->file->len};
    const char *at;

    if (p->line == 0 || !find_line(text, p->line, line))
        return false;
    if (first_word(*line) < line->n)
        return true;
    for (at = line->s; at > text.s && strchr(" \t\r\n", at[-1]) != NULL; at--)
        p->line -= at[-1] == '\n';
    return find_line(text, p->line, line);
}

/* --- the caret ------------------------------------------------------------------------------- */

static bool is_in_word(char c) {
    return is_in_name(c) && strchr("./-", c) == NULL;
}

/* The word, not as a part of another; as a member (t.word, t:word) if it is to be one. */
static const char *find_word(struct span line, struct span word, bool member) {
    const char *at, *end = line.s + line.n;

    if (word.n == 0)
        return NULL;
    for (struct span rest = line; (at = memmem(rest.s, rest.n, word.s, word.n)) != NULL;
         rest = rest_from(line, at + 1)) {
        if (is_in_word(word.s[0]) && at > line.s && is_in_word(at[-1]))
            continue;
        if (is_in_word(word.s[word.n - 1]) && at + word.n < end && is_in_word(at[word.n]))
            continue;
        if (!member || (at > line.s && (at[-1] == '.' || at[-1] == ':')))
            return at;
    }
    return NULL;
}

/* After `near`: the token that was not expected, a byte as <\226>. */
static const char *find_near(struct span line, struct span said) {
    const char *near = find(said, "near '"), *last;
    char byte;

    if (near == NULL || (last = memrchr(near + 6, '\'', rest_from(said, near + 6).n)) == NULL)
        return NULL;
    if (last - near > 9 && strncmp(near + 6, "<\\", 2) == 0 && last[-1] == '>') {
        byte = (char)strtoul(near + 8, NULL, 10);
        return memchr(line.s, byte, line.n);
    }
    return find_word(line, (struct span){near + 6, (size_t)(last - near - 6)}, false);
}

/* The first of the words between two marks that is in the line. */
static const char *find_marked(struct span line, struct span said, const char *open,
                               const char *close, bool whole) {
    const char *from, *to, *found = NULL;
    struct span word;
    bool member;

    while (found == NULL && (from = find(said, open)) != NULL) {
        word.s = from + strlen(open);
        if ((to = find(rest_from(said, word.s), close)) == NULL)
            break;
        word.n = (size_t)(to - word.s);
        member = from - said.s > 7 &&
                 (strncmp(from - 7, "(field ", 7) == 0 || strncmp(from - 7, "method ", 7) == 0);
        if (whole)
            word = (struct span){from, (size_t)(to - from) + strlen(close)};
        if (member)
            found = find_word(line, word, true);
        if (found == NULL)
            found = find_word(line, word, false);
        said = rest_from(said, to + strlen(close));
    }
    return found;
}

static size_t find_caret(struct span line, struct span said) {
    const char *at;

    if (find(said, "near <eof>") != NULL)
        return line.n;
    at = find_near(line, said);
    if (at == NULL)
        at = find_marked(line, said, "{{", "}}", true);
    if (at == NULL)
        at = find_marked(line, said, "'", "'", false);
    return at != NULL ? (size_t)(at - line.s) : first_word(line);
}

/* --- all ------------------------------------------------------------------------------------- */

static bool continues(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

static void add_line(struct buf *out, size_t number, struct span line, size_t caret) {
    size_t from = 0, to = line.n;

    if (line.n > WINDOW) {
        from = caret > WINDOW_HEAD ? caret - WINDOW_HEAD : 0;
        to = from + WINDOW < line.n ? from + WINDOW : line.n;
        while (from > 0 && from < caret && continues(line.s[from]))
            from++;
        while (to < line.n && to > caret && continues(line.s[to]))
            to--;
    }
    buf_addf(out, "\n%5zu | %s", number, from > 0 ? "…" : "");
    encode_printable(out, line.s + from, to - from);
    buf_addf(out, "%s\n      | %s", to < line.n ? "…" : "", from > 0 ? " " : "");
    add_indent(out, (struct span){line.s + from, caret - from});
    buf_addc(out, '^');
}

void excerpt_add_sentence(struct buf *out, const char *error) {
    struct span sentence = sentence_of(error);

    encode_printable(out, sentence.s, sentence.n);
}

void excerpt_add(struct buf *out, const struct tree *t, const char *error) {
    struct place p;
    struct span line;

    excerpt_add_sentence(out, error);
    if (t == NULL || !find_place(t, sentence_of(error), &p))
        return;
    if (find_line_of(&p, &line))
        add_line(out, p.line, line, find_caret(line, p.said));
    if (!p.file->shipped)
        buf_addf(out, "\n      in %s", p.file->path);
}
