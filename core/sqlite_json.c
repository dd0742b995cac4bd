#include "sqlite_json.h"

#include "buf.h"
#include "json_text.h"

#define TEXT_MAX (512 * MIB) /* SQLite takes a little less than twice as much */

json_t *sqlite_json_read(const char *text, size_t len) {
    struct err e = {0};

    return json_text_parse(text, len, JSON_TEXT_DEPTH_MAX, &e);
}

static void add_value(struct buf *out, const json_t *value);

static void add_array(struct buf *out, const json_t *array) {
    const json_t *value;
    size_t i;

    buf_addc(out, '[');
    json_array_foreach(array, i, value) {
        if (i > 0)
            buf_addc(out, ',');
        add_value(out, value);
    }
    buf_addc(out, ']');
}

static void add_object(struct buf *out, json_t *object) {
    const char *before = "", *name;
    json_t *value;
    size_t len;

    buf_addc(out, '{');
    json_object_keylen_foreach(object, name, len, value) {
        buf_adds(out, before);
        json_text_add_string(out, name, len);
        buf_addc(out, ':');
        add_value(out, value);
        before = ",";
    }
    buf_addc(out, '}');
}

static void add_value(struct buf *out, const json_t *value) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        add_object(out, (json_t *)value); /* iterators take no constants */
        break;
    case JSON_ARRAY:
        add_array(out, value);
        break;
    case JSON_STRING:
        json_text_add_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        json_text_add_real(out, json_real_value(value));
        break;
    default:
        buf_adds(out, json_is_null(value) ? "null" : json_is_true(value) ? "true" : "false");
    }
}

char *sqlite_json_write(const json_t *value) {
    struct buf out;
    char *text = NULL;

    buf_init(&out, TEXT_MAX);
    add_value(&out, value);
    if (!buf_failed(&out))
        text = buf_take(&out, NULL);
    buf_free(&out);
    return text;
}
