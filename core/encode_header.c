/*
 * encode_header.c - header fields: folding, encoded words (RFC 2047), phrases, parameters (2231).
 *
 * A text is cut at its single spaces into pieces.  A piece that a reader gives back as it stands
 * is written plainly; neighbours that need encoding are encoded together with the spaces between
 * them, because white space between encoded words is dropped by the reader.
 */
#include <string.h>

#include "encode.h"

enum {
    FOLD_AT = 76,    /* RFC 2047 §2 for encoded words; short of 78, so that a comma may follow */
    WORD_MAX = 75,   /* RFC 2047 §2: an encoded word; with its space it fills a line */
    PLAIN_MAX = 900, /* what may stand unfolded: 998 less the longest header name */
    WORD_FRAME = 12  /* =?UTF-8?Q??= */
};

static const char hex_digits[] = "0123456789ABCDEF";

struct line {
    struct buf *out;
    size_t col;
    size_t floor; /* folding here or before would leave nothing on the line */
};

static bool is_alnum_or(char c, const char *others) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr(others, c) != NULL);
}

/* ---- lines ---- */

static void fold(struct line *l) {
    buf_adds(l->out, "\r\n");
    l->col = l->floor = 0;
}

/* White space before n characters, which the caller adds; a fold if they do not fit here. */
static void space(struct line *l, size_t n) {
    if (l->col > l->floor && l->col + 1 + n > FOLD_AT)
        fold(l);
    buf_addc(l->out, ' ');
    l->col += 1 + n;
}

static void put(struct line *l, const char *s, size_t n) {
    space(l, n);
    buf_add(l->out, s, n);
}

/* ---- characters and what belongs to them ---- */

/* One character, or one byte where there is none. */
static size_t next_char(const char *s, size_t n, uint32_t *cp) {
    size_t len = encode_utf8_char(s, n, cp);

    if (len > 0)
        return len;
    *cp = 0;
    return 1;
}

/* The scripts of India have blocks of 128 that are laid out alike. */
static bool is_indic(uint32_t cp) {
    return cp >= 0x0900 && cp < 0x0D80;
}

/* Combining marks, dependent vowels, joiners, variation selectors, skin tones and tags of the
 * scripts in daily use.  Here and there a letter is among them: taking one character too many
 * along only makes a word shorter. */
static bool is_extender(uint32_t cp) {
    static const uint32_t ranges[][2] = {
        {0x0300, 0x036F},   {0x0483, 0x0489},   {0x0591, 0x05C7}, {0x0610, 0x061A},
        {0x064B, 0x0670},   {0x06D6, 0x06ED},   {0x0DCA, 0x0DDF}, {0x0E31, 0x0E4E},
        {0x0EB1, 0x0ECD},   {0x0F71, 0x0FBC},   {0x102B, 0x103E}, {0x1056, 0x1060},
        {0x1160, 0x11FF},   {0x17B4, 0x17D3},   {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF},
        {0x200C, 0x200D},   {0x20D0, 0x20F0},   {0x302A, 0x302F}, {0x3099, 0x309A},
        {0xD7B0, 0xD7FB},   {0xFE00, 0xFE0F},   {0xFE20, 0xFE2F}, {0x1F3FB, 0x1F3FF},
        {0xE0020, 0xE007F}, {0xE0100, 0xE01EF},
    };
    uint32_t at = cp & 0x7F;

    if (is_indic(cp))
        return at <= 0x03 || (at >= 0x3A && at <= 0x57) || at == 0x62 || at == 0x63;
    for (size_t i = 0; i < COUNT_OF(ranges) && cp >= ranges[i][0]; i++)
        if (cp <= ranges[i][1])
            return true;
    return false;
}

/* Zero-width joiner and virama take what follows along. */
static bool is_joiner(uint32_t cp) {
    return cp == 0x200D || (is_indic(cp) && (cp & 0x7F) == 0x4D);
}

static bool is_regional(uint32_t cp) {
    return cp >= 0x1F1E6 && cp <= 0x1F1FF;
}

/* Bytes of what a reader sees as one character; no more than WORD_MAX and a character, which is
 * enough to know that it does not fit. */
static size_t next_cluster(const char *s, size_t n) {
    uint32_t cp, next;
    size_t len = next_char(s, n, &cp);
    bool flag = is_regional(cp);

    while (len < n && len <= WORD_MAX) {
        size_t more = next_char(s + len, n - len, &next);

        if (!is_joiner(cp) && !is_extender(next) && !(flag && is_regional(next)))
            break;
        flag = false;
        cp = next;
        len += more;
    }
    return len;
}

/* ---- encoded words ---- */

/* As they stand in Q, in phrases too (RFC 2047 §5). */
static bool is_q_literal(char c) {
    return is_alnum_or(c, "!*+-/");
}

static size_t q_length(const char *s, size_t n) {
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += is_q_literal(s[i]) || s[i] == ' ' ? 1 : 3;
    return len;
}

static size_t b_length(size_t n) {
    return (n + 2) / 3 * 4;
}

struct word {
    size_t len; /* bytes of the text it takes; 0: there is no room for any */
    bool q;
};

/* How much of s fits in an encoded word of at most `room` characters, in whole clusters. */
static size_t fit(const char *s, size_t n, size_t room, bool q) {
    size_t len = 0, used = 0;
    bool whole = true;

    room = room > WORD_FRAME ? room - WORD_FRAME : 0;
    while (len < n) {
        uint32_t cp;
        size_t step = whole ? next_cluster(s + len, n - len) : next_char(s + len, n - len, &cp);

        used = q ? used + q_length(s + len, step) : b_length(len + step);
        if (used > room) {
            if (!whole || len > 0 || room < WORD_MAX - WORD_FRAME)
                break;
            whole = false; /* larger than any word: cut between its characters */
            used = 0;
            continue;
        }
        len += step;
    }
    return len;
}

static struct word choose(const char *s, size_t n, size_t room) {
    size_t q = fit(s, n, room, true), b = fit(s, n, room, false);

    if (q == b)
        return (struct word){.len = q, .q = q_length(s, q) <= b_length(b)};
    return (struct word){.len = q > b ? q : b, .q = q > b};
}

static void put_word(struct line *l, const char *s, struct word w) {
    space(l, WORD_FRAME + (w.q ? q_length(s, w.len) : b_length(w.len)));
    buf_adds(l->out, w.q ? "=?UTF-8?Q?" : "=?UTF-8?B?");
    if (!w.q)
        encode_base64(l->out, s, w.len);
    for (size_t i = 0; w.q && i < w.len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (is_q_literal(s[i]))
            buf_addc(l->out, s[i]);
        else if (c == ' ')
            buf_addc(l->out, '_');
        else
            buf_add(l->out, (char[]){'=', hex_digits[c >> 4], hex_digits[c & 15]}, 3);
    }
    buf_adds(l->out, "?=");
}

/* Fill the line and those after it; start a new one rather than cut what would fit there. */
static void put_words(struct line *l, const char *s, size_t n) {
    while (n > 0) {
        struct word here = choose(s, n, l->col + 1 < FOLD_AT ? FOLD_AT - l->col - 1 : 0);
        struct word fresh = choose(s, n, WORD_MAX);

        if (here.len == 0 || (here.len < n && fresh.len == n && l->col > l->floor)) {
            fold(l);
            here = fresh;
        }
        put_word(l, s, here);
        s += here.len;
        n -= here.len;
    }
}

/* ---- texts ---- */

static bool is_printable(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] < ' ' || s[i] > '~')
            return false;
    return memmem(s, n, "=?", 2) == NULL;
}

static bool is_plain_word(const char *s, size_t n) {
    return n <= PLAIN_MAX && is_printable(s, n);
}

bool encode_is_atext(char c) {
    static const bool in_atoms[256] = {
        ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['!'] = true,
        ['#'] = true,         ['$'] = true,         ['%'] = true,         ['&'] = true,
        ['\''] = true,        ['*'] = true,         ['+'] = true,         ['-'] = true,
        ['/'] = true,         ['='] = true,         ['?'] = true,         ['^'] = true,
        ['_'] = true,         ['`'] = true,         ['{'] = true,         ['|'] = true,
        ['}'] = true,         ['~'] = true,
    };

    return in_atoms[(unsigned char)c];
}

static bool is_atom(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!encode_is_atext(s[i]))
            return false;
    return n <= WORD_MAX && is_printable(s, n);
}

static size_t piece_length(const char *s, const char *end) {
    const char *blank = memchr(s, ' ', (size_t)(end - s));

    return (size_t)((blank != NULL ? blank : end) - s);
}

/* May the piece stand plainly?  Not if it has to bring along a space that would get lost: the
 * last of the text, or the first of several. */
static bool stands(const char *s, size_t n, const char *end, bool (*plain)(const char *, size_t)) {
    bool single = s + n == end || (s + n + 1 < end && s[n + 1] != ' ');

    return n > 0 && single && plain(s, n);
}

static void put_text(struct line *l, const char *s, bool (*plain)(const char *, size_t)) {
    const char *end = s + strlen(s);

    while (s < end) {
        size_t n = piece_length(s, end);

        if (stands(s, n, end, plain)) {
            put(l, s, n);
        } else {
            while (s + n < end) {
                size_t more = piece_length(s + n + 1, end);

                if (n > 0 && stands(s + n + 1, more, end, plain))
                    break;
                n += 1 + more;
            }
            put_words(l, s, n);
        }
        s += n;
        if (s < end)
            s++;
    }
}

void encode_header(struct buf *out, const char *name, const char *value) {
    size_t col = strlen(name) + 1; /* of the colon's end: what does not fit there is not folded */
    struct line l = {.out = out, .col = col, .floor = col};

    buf_join(out, name, ":");
    put_text(&l, value, is_plain_word);
    buf_adds(out, "\r\n");
}

void encode_token(struct buf *out, size_t *col, const char *before, const char *s,
                  const char *after) {
    struct line l = {.out = out, .col = *col};

    space(&l, strlen(before) + strlen(s) + strlen(after));
    buf_join(out, before, s, after);
    *col = l.col;
}

/* Length as a quoted string; 0 if a reader might not give it back as it stands. */
static size_t quoted_length(const char *s) {
    size_t len = strlen(s), n = len;

    if (!is_printable(s, n) || s[0] == ' ' || (n > 0 && s[n - 1] == ' ') || strstr(s, "  ") != NULL)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (s[i] == '"' || s[i] == '\\')
            len++;
    return len + 2;
}

void encode_quoted(struct buf *out, const char *s) {
    buf_addc(out, '"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

static bool is_atoms(const char *s) {
    for (; *s != '\0'; s++)
        if (*s != ' ' && !encode_is_atext(*s))
            return false;
    return true;
}

void encode_phrase(struct buf *out, size_t *col, const char *text) {
    struct line l = {.out = out, .col = *col};
    size_t n = is_atoms(text) ? 0 : quoted_length(text);

    if (n > 0 && n <= WORD_MAX) {
        space(&l, n);
        encode_quoted(out, text);
    } else {
        put_text(&l, text, is_atom);
    }
    *col = l.col;
}

/* ---- parameters ---- */

/* A token to every reader, and what encode_percent() leaves alone. */
static bool is_token_char(char c) {
    return is_alnum_or(c, "-._~");
}

static bool is_token(const char *s) {
    for (size_t i = 0; s[i] != '\0'; i++)
        if (!is_token_char(s[i]))
            return false;
    return s[0] != '\0';
}

static size_t percent_length(const char *s, size_t n) {
    size_t len = 0;

    for (size_t i = 0; i < n; i++)
        len += is_token_char(s[i]) ? 1 : 3;
    return len;
}

/* name*=UTF-8''... if all of it fits on a line, else name*0*=UTF-8''...; name*1*=...; ... */
static void put_extended(struct line *l, const char *name, const char *s, size_t n) {
    bool single = 1 + strlen(name) + strlen("*=UTF-8''") + percent_length(s, n) <= FOLD_AT;

    for (unsigned section = 0; section == 0 || n > 0; section++) {
        size_t start, taken = 0;

        if (section > 0)
            buf_addc(l->out, ';');
        fold(l);
        start = l->out->len;
        if (single)
            buf_join(l->out, " ", name, "*=UTF-8''");
        else
            buf_addf(l->out, " %s*%u*=%s", name, section, section == 0 ? "UTF-8''" : "");
        while (taken < n) {
            uint32_t cp;
            size_t step = next_char(s + taken, n - taken, &cp);

            l->col = l->out->len - start;
            if (taken > 0 && l->col + percent_length(s + taken, step) > FOLD_AT)
                break;
            encode_percent(l->out, s + taken, step);
            taken += step;
        }
        l->col = l->out->len - start;
        s += taken;
        n -= taken;
    }
}

void encode_parameter(struct buf *out, size_t *col, const char *name, const char *value) {
    struct line l = {.out = out, .col = *col + 1};
    size_t n = strlen(value), quoted = quoted_length(value);
    size_t width = strlen(name) + 1 + (is_token(value) ? n : quoted);

    buf_addc(out, ';');
    if (quoted == 0 || width >= FOLD_AT) {
        put_extended(&l, name, value, n);
    } else {
        space(&l, width);
        buf_join(out, name, "=");
        if (is_token(value))
            buf_adds(out, value);
        else
            encode_quoted(out, value);
    }
    *col = l.col;
}
