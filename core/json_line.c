#include "json_line.h"

#include <stdio.h>
#include <string.h>

#include "encode.h"
#include "json_text.h"

void json_line_add_text(struct buf *out, const char *s) {
    size_t n = strlen(s), len;
    struct buf valid;
    uint32_t cp;

    buf_init(&valid, SIZE_MAX / 2);
    for (size_t i = 0; i<n; i += len> 0 ? len : 1)
        if ((len = encode_utf8_char(s + i, n - i, &cp)) > 0)
            buf_add(&valid, s + i, len);
        else
            buf_adds(&valid, "\xEF\xBF\xBD");
    json_text_add_string(out, valid.data, valid.len);
    buf_free(&valid);
}

void json_line_add_member(struct buf *out, const char *name, const char *text) {
    if (out->len > 0 && out->data[out->len - 1] != '{')
        buf_addc(out, ',');
    json_line_add_text(out, name);
    buf_addc(out, ':');
    json_line_add_text(out, text);
}

void json_line_print(struct buf *line) {
    if (!buf_failed(line))
        printf("%s\n", line->data);
    buf_reset(line);
}
