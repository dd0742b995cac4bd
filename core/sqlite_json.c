#include "sqlite_json.h"

#include "json_text.h"

json_t *sqlite_json_read(const char *text, size_t len) {
    struct err e = {0};

    return json_text_parse(text, len, JSON_TEXT_DEPTH_MAX, &e);
}

char *sqlite_json_write(const json_t *value) {
    return json_text_write(value, NULL);
}
