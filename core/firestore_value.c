#include "firestore_value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "encode.h"

#define DEPTH_MAX      20 /* levels of maps and arrays in a member */
#define TIME_DIGITS    27 /* 2026-03-01T09:30:00.000000Z */
#define YEAR_1_US      (INT64_C(-62135596800) * 1000000)
#define READ_DEPTH_MAX 64   /* Firestore has no deeper ones; this only protects the C stack */
#define BOX            "[]" /* the only member of a map that stands for an array in an array */

static bool is_reserved(const char *name, size_t n) {
    return n >= 4 && memcmp(name, "__", 2) == 0 && memcmp(name + n - 2, "__", 2) == 0;
}

/* The name of the only member, or "". */
static const char *only_name(const json_t *object) {
    void *only = json_object_size(object) == 1 ? json_object_iter((json_t *)object) : NULL;

    return only == NULL ? "" : json_object_iter_key(only);
}

/* BOX, or what BOX becomes where it is a name of its own: each time with one more "]". */
static bool is_box(const char *name) {
    return name[0] == '[' && name[1] == ']' && name[1 + strspn(name + 1, "]")] == '\0';
}

/* --- to Firestore ---------------------------------------------------------------------------- */

static int add(struct buf *out, const json_t *value, const struct json_text_path *path,
               unsigned depth, struct err *e);

static bool ends_with(const char *s, size_t n, const char *end) {
    size_t m = strlen(end);

    return n >= m && strcasecmp(s + n - m, end) == 0;
}

/* RFC 3339 has four digits of every year. */
static void format_time(char out[CLOCK_TEXT_SIZE], int64_t us) {
    char text[CLOCK_TEXT_SIZE];
    size_t n;

    clock_format(text, us);
    n = strlen(text);
    memset(out, '0', TIME_DIGITS);
    memcpy(out + TIME_DIGITS - n, text, n + 1);
}

static bool read_time(char out[CLOCK_TEXT_SIZE], const struct json_text_path *path,
                      const json_t *value) {
    const char *s = json_string_value(value);
    size_t n = json_string_length(value);
    int64_t us;

    if (!ends_with(path->name, path->len, "_at") && !ends_with(path->name, path->len, "_since"))
        return false;
    if (s == NULL || (!ends_with(s, n, "Z") && !ends_with(s, n, "+00:00")))
        return false;
    if (clock_parse(s, n, &us) < 0 || us < YEAR_1_US)
        return false;
    format_time(out, us);
    return true;
}

static int check_name(const struct json_text_path *path, struct err *e) {
    if (path->len == 0 || path->len > FIRESTORE_VALUE_NAME_MAX)
        return json_text_err(e, path, "the name of a member is 1 to %d bytes in Firestore",
                             FIRESTORE_VALUE_NAME_MAX);
    if (is_reserved(path->name, path->len))
        return json_text_err(e, path, "Firestore keeps names like __x__ for itself");
    return 0;
}

static int check_depth(const struct json_text_path *path, unsigned depth, struct err *e) {
    if (depth >= DEPTH_MAX)
        return json_text_err(e, path, "Firestore has at most %d levels of objects and arrays",
                             DEPTH_MAX);
    return 0;
}

static int add_member(struct buf *out, const json_t *value, const struct json_text_path *path,
                      unsigned depth, struct err *e) {
    char time[CLOCK_TEXT_SIZE];

    if (path->up != NULL || !read_time(time, path, value))
        return add(out, value, path, depth, e);
    buf_join(out, "{\"timestampValue\":\"", time, "\"}");
    return 0;
}

static int add_members(struct buf *out, const json_t *members, const struct json_text_path *up,
                       unsigned depth, struct err *e) {
    struct json_text_path path = {.up = up};
    bool first = true;
    json_t *value;

    json_object_keylen_foreach((json_t *)members, path.name, path.len, value) {
        if (check_name(&path, e) < 0)
            return -1;
        if (!first)
            buf_addc(out, ',');
        first = false;
        json_text_add_string(out, path.name, path.len);
        buf_addc(out, ':');
        if (add_member(out, value, &path, depth, e) < 0)
            return -1;
    }
    return 0;
}

/* {"[]": …} goes out as {"[]]": …}, so that it does not come back as an array. */
static int add_box(struct buf *out, const json_t *object, const struct json_text_path *up,
                   unsigned depth, struct err *e) {
    const char *name = only_name(object);
    struct json_text_path path = {.up = up, .name = name, .len = strlen(name)};

    if (check_depth(up, depth, e) < 0 || check_name(&path, e) < 0)
        return -1;
    buf_join(out, "{\"mapValue\":{\"fields\":{\"", name, "]\":");
    if (add(out, json_object_get(object, name), &path, depth + 1, e) < 0)
        return -1;
    buf_adds(out, "}}}");
    return 0;
}

static int add_element(struct buf *out, const json_t *element, const struct json_text_path *path,
                       unsigned depth, struct err *e) {
    if (is_box(only_name(element)))
        return add_box(out, element, path, depth, e);
    if (!json_is_array(element))
        return add(out, element, path, depth, e);
    buf_adds(out, "{\"mapValue\":{\"fields\":{\"" BOX "\":");
    if (add(out, element, path, depth + 1, e) < 0)
        return -1;
    buf_adds(out, "}}}");
    return 0;
}

static int add_elements(struct buf *out, const json_t *array, const struct json_text_path *up,
                        unsigned depth, struct err *e) {
    struct json_text_path path = {.up = up};

    for (; path.index < json_array_size(array); path.index++) {
        if (path.index > 0)
            buf_addc(out, ',');
        if (add_element(out, json_array_get(array, path.index), &path, depth, e) < 0)
            return -1;
    }
    return 0;
}

static int add_array(struct buf *out, const json_t *array, const struct json_text_path *path,
                     unsigned depth, struct err *e) {
    buf_adds(out, "{\"arrayValue\":{\"values\":[");
    if (check_depth(path, depth, e) < 0 || add_elements(out, array, path, depth + 1, e) < 0)
        return -1;
    buf_adds(out, "]}}");
    return 0;
}

static int add_map(struct buf *out, const json_t *object, const struct json_text_path *path,
                   unsigned depth, struct err *e) {
    buf_adds(out, "{\"mapValue\":{\"fields\":{");
    if (check_depth(path, depth, e) < 0 || add_members(out, object, path, depth + 1, e) < 0)
        return -1;
    buf_adds(out, "}}}");
    return 0;
}

static void add_scalar(struct buf *out, const char *kind, const json_t *value) {
    buf_join(out, "{\"", kind, "\":");
    json_text_add(out, value);
    buf_addc(out, '}');
}

static int add(struct buf *out, const json_t *value, const struct json_text_path *path,
               unsigned depth, struct err *e) {
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return add_map(out, value, path, depth, e);
    case JSON_ARRAY:
        return add_array(out, value, path, depth, e);
    case JSON_INTEGER: /* as text */
        buf_adds(out, "{\"integerValue\":\"");
        json_text_add_integer(out, json_integer_value(value));
        buf_adds(out, "\"}");
        break;
    case JSON_STRING:
        add_scalar(out, "stringValue", value);
        break;
    case JSON_REAL:
        add_scalar(out, "doubleValue", value);
        break;
    case JSON_NULL:
        add_scalar(out, "nullValue", value);
        break;
    default:
        add_scalar(out, "booleanValue", value);
        break;
    }
    return 0;
}

int firestore_value_add_members(struct buf *out, const json_t *members, struct err *e) {
    return add_members(out, members, NULL, 0, e);
}

int firestore_value_add_element(struct buf *out, const char *member, const json_t *value,
                                struct err *e) {
    const struct json_text_path array = {.name = member, .len = strlen(member)};
    const struct json_text_path path = {.up = &array};

    return check_name(&array, e) < 0 ? -1 : add_element(out, value, &path, 1, e);
}

/* --- from Firestore -------------------------------------------------------------------------- */

static json_t *decode(const json_t *typed, unsigned depth, struct err *e);

static json_t *out_of_memory(struct err *e) {
    err_set(e, ERR_STORE_ERROR, "out of memory");
    return NULL;
}

static json_t *unreadable(struct err *e) {
    err_set(e, ERR_FIRESTORE_ERROR,
            "Firestore gave a value of a kind that this program does not know");
    return NULL;
}

static json_t *decode_members(const json_t *fields, unsigned depth, struct err *e) {
    json_t *members = json_object();
    const char *name;
    json_t *typed;

    if (members == NULL)
        return out_of_memory(e);
    json_object_foreach((json_t *)fields, name, typed) {
        json_t *value = decode(typed, depth, e);

        if (value == NULL)
            goto fail;
        if (json_object_set_new_nocheck(members, name, value) < 0) {
            (void)out_of_memory(e);
            goto fail;
        }
    }
    return members;
fail:
    json_decref(members);
    return NULL;
}

static int rename_member(json_t *object, const char *from, const char *to, size_t len) {
    json_t *value = json_incref(json_object_get(object, from));

    (void)json_object_del(object, from);
    return json_object_setn_new_nocheck(object, to, len, value);
}

static json_t *decode_element(const json_t *typed, unsigned depth, struct err *e) {
    const json_t *fields = json_object_get(json_object_get(typed, "mapValue"), "fields");
    const char *name = only_name(fields);
    const json_t *value = json_object_get(fields, name);
    size_t n = strlen(name);
    json_t *plain;

    if (strcmp(name, BOX) == 0 && json_object_get(value, "arrayValue") != NULL)
        return decode(value, depth + 1, e);
    plain = decode(typed, depth, e);
    if (plain != NULL && is_box(name) && n > strlen(BOX) &&
        rename_member(plain, name, name, n - 1) < 0) {
        json_decref(plain);
        plain = out_of_memory(e);
    }
    return plain;
}

static json_t *decode_elements(const json_t *values, unsigned depth, struct err *e) {
    json_t *array = json_array();

    if (array == NULL)
        return out_of_memory(e);
    for (size_t i = 0; i < json_array_size(values); i++) {
        json_t *value = decode_element(json_array_get(values, i), depth, e);

        if (value == NULL)
            goto fail;
        if (json_array_append_new(array, value) < 0) {
            (void)out_of_memory(e);
            goto fail;
        }
    }
    return array;
fail:
    json_decref(array);
    return NULL;
}

static json_t *decode_integer(const json_t *value) {
    const char *digits = json_string_value(value);
    json_int_t n;
    char *end;

    if (digits == NULL)
        return json_is_integer(value) ? json_integer(json_integer_value(value)) : NULL;
    errno = 0;
    n = strtoll(digits, &end, 10);
    return errno == 0 && end != digits && *end == '\0' ? json_integer(n) : NULL;
}

static json_t *decode_double(const json_t *value) {
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    const char *word = json_string_value(value);

    if (word == NULL)
        return json_is_number(value) ? json_real(json_number_value(value)) : NULL;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(word, words[i]) == 0)
            return json_string(word);
    return NULL;
}

static json_t *decode_time(const json_t *value) {
    char text[CLOCK_TEXT_SIZE];
    int64_t us;

    if (!json_is_string(value) ||
        clock_parse(json_string_value(value), json_string_length(value), &us) < 0 || us < YEAR_1_US)
        return NULL;
    format_time(text, us);
    return json_string(text);
}

/* A coordinate that is zero may be left out. */
static json_t *decode_point(const json_t *value) {
    const json_t *latitude = json_object_get(value, "latitude");
    const json_t *longitude = json_object_get(value, "longitude");

    if (!json_is_object(value) || (latitude != NULL && !json_is_number(latitude)) ||
        (longitude != NULL && !json_is_number(longitude)))
        return NULL;
    return json_pack("{s:f,s:f}", "latitude", json_number_value(latitude), "longitude",
                     json_number_value(longitude));
}

static json_t *decode_scalar(const char *kind, json_t *value) {
    if (strcmp(kind, "stringValue") == 0 || strcmp(kind, "bytesValue") == 0 ||
        strcmp(kind, "referenceValue") == 0)
        return json_is_string(value) ? json_incref(value) : NULL;
    if (strcmp(kind, "nullValue") == 0)
        return json_null();
    if (strcmp(kind, "booleanValue") == 0)
        return json_is_boolean(value) ? json_incref(value) : NULL;
    if (strcmp(kind, "integerValue") == 0)
        return decode_integer(value);
    if (strcmp(kind, "doubleValue") == 0)
        return decode_double(value);
    if (strcmp(kind, "timestampValue") == 0)
        return decode_time(value);
    if (strcmp(kind, "geoPointValue") == 0)
        return decode_point(value);
    return NULL;
}

/* A Value has exactly one member, named for its kind; empty arrays and maps have no contents. */
static json_t *decode(const json_t *typed, unsigned depth, struct err *e) {
    void *only = json_object_iter((json_t *)typed);
    json_t *value, *inside, *plain;
    const char *kind;

    if (only == NULL || json_object_size(typed) != 1 || depth == READ_DEPTH_MAX)
        return unreadable(e);
    kind = json_object_iter_key(only);
    value = json_object_iter_value(only);
    if (strcmp(kind, "mapValue") == 0 && json_is_object(value)) {
        inside = json_object_get(value, "fields");
        if (inside == NULL || json_is_object(inside))
            return decode_members(inside, depth + 1, e);
    }
    if (strcmp(kind, "arrayValue") == 0 && json_is_object(value)) {
        inside = json_object_get(value, "values");
        if (inside == NULL || json_is_array(inside))
            return decode_elements(inside, depth + 1, e);
    }
    plain = decode_scalar(kind, value);
    return plain == NULL ? unreadable(e) : plain;
}

json_t *firestore_value_decode(const json_t *fields, struct err *e) {
    if (fields != NULL && !json_is_object(fields))
        return unreadable(e);
    return decode_members(fields, 0, e);
}

json_t *firestore_value_decode_one(const json_t *typed, struct err *e) {
    return decode(typed, 0, e);
}

/* --- paths and names ------------------------------------------------------------------------- */

static bool is_simple(const char *name) {
    size_t i = 0;

    while ((name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z') ||
           name[i] == '_' || (i > 0 && name[i] >= '0' && name[i] <= '9'))
        i++;
    return i > 0 && name[i] == '\0';
}

void firestore_value_add_path(struct buf *out, const char *name) {
    if (is_simple(name)) {
        buf_adds(out, name);
        return;
    }
    buf_addc(out, '`');
    for (; *name != '\0'; name++) {
        if (*name == '`' || *name == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *name);
    }
    buf_addc(out, '`');
}

bool firestore_value_is_id(const char *id) {
    size_t n = strlen(id);

    return n > 0 && n <= FIRESTORE_VALUE_NAME_MAX && strchr(id, '/') == NULL &&
           strcmp(id, ".") != 0 && strcmp(id, "..") != 0 && !is_reserved(id, n) &&
           encode_utf8_error(id, n) == n;
}

void firestore_value_add_url(struct buf *out, const char *base, const char *name,
                             const char *method) {
    buf_adds(out, base);
    buf_adds(out, "/v1");
    for (const char *at = name; *at != '\0';) {
        size_t n = strcspn(at, "/");

        buf_addc(out, '/');
        encode_percent(out, at, n);
        at += n + (at[n] == '/');
    }
    buf_adds(out, method);
}
