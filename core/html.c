#include "html.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c) {
    return is_letter(c) || (c >= '0' && c <= '9');
}

static bool is_name(const char *s, size_t n, const char *name) {
    return n == strlen(name) && strncasecmp(s, name, n) == 0;
}

static const char *skip_space(const char *p, const char *end) {
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* The first c at p or after, or the end. */
static const char *seek(const char *p, const char *end, char c) {
    const char *at = p < end ? memchr(p, c, (size_t)(end - p)) : NULL;

    return at != NULL ? at : end;
}

/* ---- character references ---- */

/* HTML 4's names, sorted by strcmp(): what mail is written with. */
static const struct named {
    char name[9];
    uint16_t code;
} names[] = {
    {"AElig", 198},    {"Aacute", 193},  {"Acirc", 194},   {"Agrave", 192},  {"Alpha", 913},
    {"Aring", 197},    {"Atilde", 195},  {"Auml", 196},    {"Beta", 914},    {"Ccedil", 199},
    {"Chi", 935},      {"Dagger", 8225}, {"Delta", 916},   {"ETH", 208},     {"Eacute", 201},
    {"Ecirc", 202},    {"Egrave", 200},  {"Epsilon", 917}, {"Eta", 919},     {"Euml", 203},
    {"Gamma", 915},    {"Iacute", 205},  {"Icirc", 206},   {"Igrave", 204},  {"Iota", 921},
    {"Iuml", 207},     {"Kappa", 922},   {"Lambda", 923},  {"Mu", 924},      {"Ntilde", 209},
    {"Nu", 925},       {"OElig", 338},   {"Oacute", 211},  {"Ocirc", 212},   {"Ograve", 210},
    {"Omega", 937},    {"Omicron", 927}, {"Oslash", 216},  {"Otilde", 213},  {"Ouml", 214},
    {"Phi", 934},      {"Pi", 928},      {"Prime", 8243},  {"Psi", 936},     {"Rho", 929},
    {"Scaron", 352},   {"Sigma", 931},   {"THORN", 222},   {"Tau", 932},     {"Theta", 920},
    {"Uacute", 218},   {"Ucirc", 219},   {"Ugrave", 217},  {"Upsilon", 933}, {"Uuml", 220},
    {"Xi", 926},       {"Yacute", 221},  {"Yuml", 376},    {"Zeta", 918},    {"aacute", 225},
    {"acirc", 226},    {"acute", 180},   {"aelig", 230},   {"agrave", 224},  {"alefsym", 8501},
    {"alpha", 945},    {"amp", 38},      {"and", 8743},    {"ang", 8736},    {"apos", 39},
    {"aring", 229},    {"asymp", 8776},  {"atilde", 227},  {"auml", 228},    {"bdquo", 8222},
    {"beta", 946},     {"brvbar", 166},  {"bull", 8226},   {"cap", 8745},    {"ccedil", 231},
    {"cedil", 184},    {"cent", 162},    {"chi", 967},     {"circ", 710},    {"clubs", 9827},
    {"cong", 8773},    {"copy", 169},    {"crarr", 8629},  {"cup", 8746},    {"curren", 164},
    {"dArr", 8659},    {"dagger", 8224}, {"darr", 8595},   {"deg", 176},     {"delta", 948},
    {"diams", 9830},   {"divide", 247},  {"eacute", 233},  {"ecirc", 234},   {"egrave", 232},
    {"empty", 8709},   {"emsp", 8195},   {"ensp", 8194},   {"epsilon", 949}, {"equiv", 8801},
    {"eta", 951},      {"eth", 240},     {"euml", 235},    {"euro", 8364},   {"exist", 8707},
    {"fnof", 402},     {"forall", 8704}, {"frac12", 189},  {"frac14", 188},  {"frac34", 190},
    {"frasl", 8260},   {"gamma", 947},   {"ge", 8805},     {"gt", 62},       {"hArr", 8660},
    {"harr", 8596},    {"hearts", 9829}, {"hellip", 8230}, {"iacute", 237},  {"icirc", 238},
    {"iexcl", 161},    {"igrave", 236},  {"image", 8465},  {"infin", 8734},  {"int", 8747},
    {"iota", 953},     {"iquest", 191},  {"isin", 8712},   {"iuml", 239},    {"kappa", 954},
    {"lArr", 8656},    {"lambda", 955},  {"lang", 9001},   {"laquo", 171},   {"larr", 8592},
    {"lceil", 8968},   {"ldquo", 8220},  {"le", 8804},     {"lfloor", 8970}, {"lowast", 8727},
    {"loz", 9674},     {"lrm", 8206},    {"lsaquo", 8249}, {"lsquo", 8216},  {"lt", 60},
    {"macr", 175},     {"mdash", 8212},  {"micro", 181},   {"middot", 183},  {"minus", 8722},
    {"mu", 956},       {"nabla", 8711},  {"nbsp", 160},    {"ndash", 8211},  {"ne", 8800},
    {"ni", 8715},      {"not", 172},     {"notin", 8713},  {"nsub", 8836},   {"ntilde", 241},
    {"nu", 957},       {"oacute", 243},  {"ocirc", 244},   {"oelig", 339},   {"ograve", 242},
    {"oline", 8254},   {"omega", 969},   {"omicron", 959}, {"oplus", 8853},  {"or", 8744},
    {"ordf", 170},     {"ordm", 186},    {"oslash", 248},  {"otilde", 245},  {"otimes", 8855},
    {"ouml", 246},     {"para", 182},    {"part", 8706},   {"permil", 8240}, {"perp", 8869},
    {"phi", 966},      {"pi", 960},      {"piv", 982},     {"plusmn", 177},  {"pound", 163},
    {"prime", 8242},   {"prod", 8719},   {"prop", 8733},   {"psi", 968},     {"quot", 34},
    {"rArr", 8658},    {"radic", 8730},  {"rang", 9002},   {"raquo", 187},   {"rarr", 8594},
    {"rceil", 8969},   {"rdquo", 8221},  {"real", 8476},   {"reg", 174},     {"rfloor", 8971},
    {"rho", 961},      {"rlm", 8207},    {"rsaquo", 8250}, {"rsquo", 8217},  {"sbquo", 8218},
    {"scaron", 353},   {"sdot", 8901},   {"sect", 167},    {"shy", 173},     {"sigma", 963},
    {"sigmaf", 962},   {"sim", 8764},    {"spades", 9824}, {"sub", 8834},    {"sube", 8838},
    {"sum", 8721},     {"sup", 8835},    {"sup1", 185},    {"sup2", 178},    {"sup3", 179},
    {"supe", 8839},    {"szlig", 223},   {"tau", 964},     {"there4", 8756}, {"theta", 952},
    {"thetasym", 977}, {"thinsp", 8201}, {"thorn", 254},   {"tilde", 732},   {"times", 215},
    {"trade", 8482},   {"uArr", 8657},   {"uacute", 250},  {"uarr", 8593},   {"ucirc", 251},
    {"ugrave", 249},   {"uml", 168},     {"upsih", 978},   {"upsilon", 965}, {"uuml", 252},
    {"weierp", 8472},  {"xi", 958},      {"yacute", 253},  {"yen", 165},     {"yuml", 255},
    {"zeta", 950},     {"zwj", 8205},    {"zwnj", 8204},
};

/* What a reference to a control character of the second row stands for: it was meant as
 * windows-1252. */
static const uint16_t windows_1252[32] = {
    0x20AC, 0x81,   0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x8D,   0x017D, 0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x9D,   0x017E, 0x0178,
};

static void add_utf8(struct buf *out, uint32_t c) {
    if (c < 0x80) {
        buf_addc(out, (char)c);
    } else if (c < 0x800) {
        buf_addc(out, (char)(0xC0 | c >> 6));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else if (c < 0x10000) {
        buf_addc(out, (char)(0xE0 | c >> 12));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    } else {
        buf_addc(out, (char)(0xF0 | c >> 18));
        buf_addc(out, (char)(0x80 | (c >> 12 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c >> 6 & 0x3F)));
        buf_addc(out, (char)(0x80 | (c & 0x3F)));
    }
}

static int digit_value(char c, unsigned base) {
    int v = c >= '0' && c <= '9' ? c - '0' : is_letter(c) ? (c | 0x20) - 'a' + 10 : -1;

    return v >= 0 && v < (int)base ? v : -1;
}

/* "&#...;" at s: how long it is, or 0 if it is none. */
static size_t numeric_reference(const char *s, size_t n, uint32_t *code) {
    unsigned base = n > 2 && (s[2] | 0x20) == 'x' ? 16 : 10;
    size_t first = base == 16 ? 3 : 2, i = first;
    uint32_t c = 0;

    for (int v; i < n && (v = digit_value(s[i], base)) >= 0; i++)
        if (c <= 0x10FFFF)
            c = c * base + (uint32_t)v;
    if (i == first)
        return 0;
    if (c >= 0x80 && c < 0xA0)
        c = windows_1252[c - 0x80];
    *code = c == 0 || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) ? 0xFFFD : c;
    return i < n && s[i] == ';' ? i + 1 : i;
}

static int compare_named(const void *key, const void *entry) {
    return strcmp(key, ((const struct named *)entry)->name);
}

/* "&name;" at s.  The names of Latin-1 and markup also count without the semicolon, but not where
 * they may be part of an address ("?a=1&copy=2"). */
static size_t named_reference(const char *s, size_t n, uint32_t *code) {
    char name[sizeof(names[0].name)];
    const struct named *found;
    size_t len = 0, used;

    while (len < sizeof(name) && len + 1 < n && is_alnum(s[len + 1])) {
        name[len] = s[len + 1];
        len++;
    }
    if (len == 0 || len == sizeof(name))
        return 0;
    name[len] = '\0';
    found = bsearch(name, names, COUNT_OF(names), sizeof(names[0]), compare_named);
    if (found == NULL)
        return 0;
    if (len + 1 < n && s[len + 1] == ';')
        used = len + 2;
    else if (found->code < 256 && !(len + 1 < n && s[len + 1] == '='))
        used = len + 1;
    else
        return 0;
    *code = found->code;
    return used;
}

void html_decode(struct buf *out, const char *s, size_t n) {
    const char *end = s + n;

    while (s < end) {
        const char *amp = seek(s, end, '&');
        uint32_t code = '&';
        size_t used;

        buf_add(out, s, (size_t)(amp - s));
        if (amp == end)
            return;
        n = (size_t)(end - amp);
        used = n > 1 && amp[1] == '#' ? numeric_reference(amp, n, &code)
                                      : named_reference(amp, n, &code);
        add_utf8(out, code);
        s = amp + (used > 0 ? used : 1);
    }
}

/* ---- tags ---- */

/* The attribute at p; returns what follows it, or NULL where the tag ends. */
static const char *read_attribute(const char *p, const char *end, struct html_pair *a) {
    const char *equals;

    while (p < end && (is_space(*p) || *p == '/'))
        p++;
    if (p == end || *p == '>')
        return NULL;
    *a = (struct html_pair){.name = p, .value = p};
    do /* an "=" in the first place belongs to the name */
        p++;
    while (p < end && !is_space(*p) && *p != '/' && *p != '>' && *p != '=');
    a->name_len = (size_t)(p - a->name);
    equals = skip_space(p, end);
    if (equals == end || *equals != '=')
        return p;
    p = skip_space(equals + 1, end);
    if (p < end && (*p == '"' || *p == '\'')) {
        a->value = p + 1;
        p = seek(p + 1, end, *p);
        a->value_len = (size_t)(p - a->value);
        return p < end ? p + 1 : end;
    }
    a->value = p;
    while (p < end && !is_space(*p) && *p != '>')
        p++;
    a->value_len = (size_t)(p - a->value);
    return p;
}

bool html_attribute(const struct html *h, const char *name, struct buf *value) {
    const char *p = h->attributes;
    struct html_pair a;

    while ((p = read_attribute(p, h->end, &a)) != NULL) {
        if (is_name(a.name, a.name_len, name)) {
            html_decode(value, a.value, a.value_len);
            return true;
        }
    }
    return false;
}

bool html_next_attribute(struct html *h, struct html_pair *pair) {
    const char *next = read_attribute(h->attributes, h->end, pair);

    if (next == NULL)
        return false;
    h->attributes = next;
    return true;
}

/* Behind everything up to the end tag of an element whose content is not markup. */
static void skip_raw(struct html *h) {
    static const char *const raw[] = {"script", "style",   "title",    "textarea",
                                      "iframe", "noembed", "noframes", "xmp"};
    const char *p = h->at;
    size_t i = 0;

    while (i < COUNT_OF(raw) && !is_name(h->s, h->n, raw[i]))
        i++;
    if (i == COUNT_OF(raw))
        return;
    while ((p = seek(p, h->end, '<')) < h->end) {
        const char *name = p + 2;

        if ((size_t)(h->end - p) > h->n + 2 && p[1] == '/' && is_name(name, h->n, raw[i]) &&
            !is_alnum(name[h->n]))
            break;
        p++;
    }
    h->at = p;
}

static enum html_kind read_tag(struct html *h) {
    enum html_kind kind = h->at[1] == '/' ? HTML_CLOSE : HTML_OPEN;
    const char *p = h->at + (kind == HTML_CLOSE ? 2 : 1), *next;
    struct html_pair a;

    h->s = p;
    while (p < h->end && !is_space(*p) && *p != '/' && *p != '>')
        p++;
    h->n = (size_t)(p - h->s);
    h->attributes = p;
    while ((next = read_attribute(p, h->end, &a)) != NULL)
        p = next;
    p = seek(p, h->end, '>');
    if (p == h->end) { /* a tag without end is none */
        h->at = h->end;
        return HTML_END;
    }
    h->at = h->inside = p + 1;
    if (kind == HTML_OPEN)
        skip_raw(h);
    return kind;
}

/* Behind a comment, or what browsers take for one: doctypes, "<?xml ...>", "<![if !mso]>". */
static void skip_comment(struct html *h) {
    const char *start = h->at, *p = start;
    bool dashes = h->end - start >= 4 && memcmp(start, "<!--", 4) == 0;

    while ((p = seek(p, h->end, '>')) < h->end) {
        if (!dashes || (p - start >= 4 && p[-1] == '-' && p[-2] == '-') ||
            (p - start >= 7 && p[-1] == '!' && p[-2] == '-' && p[-3] == '-'))
            break;
        p++;
    }
    h->at = p < h->end ? p + 1 : h->end;
}

static bool is_tag(const char *p, const char *end) {
    return end - p > 1 && (is_letter(p[1]) || (p[1] == '/' && end - p > 2 && is_letter(p[2])));
}

static bool is_comment(const char *p, const char *end) {
    return end - p > 1 && (p[1] == '!' || p[1] == '?' || (p[1] == '/' && !is_tag(p, end)));
}

void html_init(struct html *h, const char *s, size_t n) {
    *h = (struct html){.at = s, .end = s + n};
}

enum html_kind html_next(struct html *h) {
    while (h->at < h->end && *h->at == '<' && is_comment(h->at, h->end))
        skip_comment(h);
    if (h->at == h->end)
        return HTML_END;
    if (*h->at == '<' && is_tag(h->at, h->end))
        return read_tag(h);
    h->s = h->at;
    do
        h->at = seek(h->at + 1, h->end, '<');
    while (h->at < h->end && !is_tag(h->at, h->end) && !is_comment(h->at, h->end));
    h->n = (size_t)(h->at - h->s);
    return HTML_TEXT;
}
