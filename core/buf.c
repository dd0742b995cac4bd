#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char empty[1];

void buf_init(struct buf *b, size_t max) {
    *b = (struct buf){.data = empty, .max = max};
}

void buf_free(struct buf *b) {
    if (b->data != empty)
        free(b->data);
    buf_init(b, b->max);
}

void buf_wipe(struct buf *b) {
    explicit_bzero(b->data, b->len);
    buf_free(b);
}

void buf_reset(struct buf *b) {
    b->len = 0;
    b->failed = false;
    if (b->data != empty)
        b->data[0] = '\0';
}

/* From now on there is no room, so that whoever looks for some comes back here. */
static char *fail(struct buf *b) {
    b->failed = true;
    b->cap = b->len;
    return NULL;
}

char *buf_grow(struct buf *b, size_t n) {
    size_t cap = b->cap;
    char *data;

    if (b->failed || n > b->max - b->len)
        return fail(b);
    cap = cap < 64 ? 64 : cap + cap / 2;
    if (cap < b->len + n + 1)
        cap = b->len + n + 1;
    if (cap - 1 > b->max)
        cap = b->max + 1;
    data = realloc(b->data == empty ? NULL : b->data, cap);
    if (data == NULL)
        return fail(b);
    b->data = data;
    b->cap = cap;
    data[b->len] = '\0';
    return data + b->len;
}

void buf_add(struct buf *b, const void *p, size_t n) {
    char *to = buf_reserve(b, n);

    if (to == NULL || n == 0)
        return;
    memcpy(to, p, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void(buf_join)(struct buf *b, const char *const *texts) {
    for (; *texts != NULL; texts++)
        buf_adds(b, *texts);
}

void buf_addf(struct buf *b, const char *fmt, ...) {
    size_t room = b->cap - b->len; /* with the NUL */
    char *to = room > 0 ? b->data + b->len : NULL;
    va_list ap;
    int n;

    if (b->failed)
        return;
    va_start(ap, fmt);
    n = vsnprintf(to, room, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < room) {
        b->len += (size_t)n;
        return;
    }
    if (to != NULL)
        *to = '\0'; /* it was cut short */
    if (n < 0 || (to = buf_reserve(b, (size_t)n)) == NULL) {
        (void)fail(b);
        return;
    }
    va_start(ap, fmt);
    vsnprintf(to, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void buf_trim(struct buf *b) {
    char *data = b->data != empty ? realloc(b->data, b->len + 1) : NULL;

    if (data == NULL)
        return;
    b->data = data;
    b->cap = b->len + 1;
}

bool buf_failed(const struct buf *b) {
    return b->failed;
}

char *buf_take(struct buf *b, size_t *len) {
    char *data;

    if (b->data == empty)
        (void)buf_reserve(b, 0);
    if (b->failed)
        return NULL;
    data = b->data;
    if (len != NULL)
        *len = b->len;
    buf_init(b, b->max);
    return data;
}
