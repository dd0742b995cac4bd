#include "text_element.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Sorted by name. */
static const struct text_element elements[] = {
    {"a", LINK, 0},        {"address", PLAIN, 1}, {"area", EMPTY, 0},     {"article", PLAIN, 2},
    {"aside", PLAIN, 2},   {"audio", SKIP, 0},    {"base", EMPTY, 0},     {"blockquote", QUOTE, 2},
    {"body", PLAIN, 1},    {"br", BREAK, 0},      {"canvas", SKIP, 0},    {"caption", PLAIN, 1},
    {"center", PLAIN, 1},  {"col", EMPTY, 0},     {"datalist", SKIP, 0},  {"dd", DETAIL, 1},
    {"details", PLAIN, 1}, {"dir", BULLETS, 2},   {"div", PLAIN, 1},      {"dl", TERMS, 2},
    {"dt", TERM, 1},       {"embed", EMPTY, 0},   {"fieldset", PLAIN, 2}, {"figcaption", PLAIN, 1},
    {"figure", PLAIN, 2},  {"footer", PLAIN, 2},  {"form", PLAIN, 1},     {"h1", PLAIN, 2},
    {"h2", PLAIN, 2},      {"h3", PLAIN, 2},      {"h4", PLAIN, 2},       {"h5", PLAIN, 2},
    {"h6", PLAIN, 2},      {"header", PLAIN, 2},  {"hr", RULE, 2},        {"img", IMAGE, 0},
    {"input", EMPTY, 0},   {"legend", PLAIN, 1},  {"li", ITEM, 1},        {"link", EMPTY, 0},
    {"listing", PRE, 2},   {"main", PLAIN, 2},    {"menu", BULLETS, 2},   {"meta", EMPTY, 0},
    {"nav", PLAIN, 2},     {"object", SKIP, 0},   {"ol", NUMBERS, 2},     {"p", PARAGRAPH, 2},
    {"param", EMPTY, 0},   {"pre", PRE, 2},       {"section", PLAIN, 2},  {"select", SKIP, 0},
    {"source", EMPTY, 0},  {"summary", PLAIN, 1}, {"svg", SKIP, 0},       {"table", TABLE, 2},
    {"td", CELL, 0},       {"template", SKIP, 0}, {"th", CELL, 0},        {"tr", ROW, 1},
    {"track", EMPTY, 0},   {"ul", BULLETS, 2},    {"video", SKIP, 0},     {"wbr", EMPTY, 0},
};

static int compare_element(const void *name, const void *element) {
    return strcmp(name, ((const struct text_element *)element)->name);
}

const struct text_element *text_element_find(const char *name, size_t n) {
    static const struct text_element inline_element;
    char key[sizeof(elements[0].name)];
    const struct text_element *found = NULL;

    if (n < sizeof(key)) {
        for (size_t i = 0; i < n; i++)
            key[i] = (char)tolower((unsigned char)name[i]);
        key[n] = '\0';
        found = bsearch(key, elements, COUNT_OF(elements), sizeof(elements[0]), compare_element);
    }
    return found != NULL ? found : &inline_element;
}
