/*
 * mime.c - how fast core/mime.c makes a message of an attachment, beside OpenSSL's base64 of the
 *   same bytes and a copy of the message.
 *
 *   mime FILE           the message with this file, on standard output
 *   mime FILE SECONDS   a line of JSON: the message's bytes, and how many a second each makes
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mime.h"

#define FILE_MAX (512 * MIB)
#define TEXT     "Hi Ann!\n\nA few lines of text, as people write them.\n\nBest,\nBob"
#define HTML     "<p>Hi Ann!</p><p>A few lines of text, as people write them.</p><p>Best,<br>Bob</p>"

struct bench {
    struct buf content, message;
    unsigned char *copy;
    struct mime_message m;
};

typedef size_t work_fn(struct bench *b); /* gives the bytes that it made */

static void fail(const char *why) {
    fprintf(stderr, "mime: %s\n", why);
    exit(1);
}

static void read_file(struct buf *out, const char *path) {
    FILE *f = fopen(path, "rb");
    char block[65536];
    size_t n;

    if (f == NULL)
        fail("the file cannot be read");
    while ((n = fread(block, 1, sizeof(block), f)) > 0)
        buf_add(out, block, n);
    fclose(f);
}

static size_t build(struct bench *b) {
    struct err e;
    size_t stable;

    buf_reset(&b->message);
    if (mime_build(&b->message, &b->m, &stable, &e) != 0)
        fail(e.message);
    return b->message.len;
}

static size_t base64(struct bench *b) {
    return (size_t)EVP_EncodeBlock(b->copy, (const unsigned char *)b->content.data,
                                   (int)b->content.len);
}

static size_t copy(struct bench *b) {
    memcpy(b->copy, b->message.data, b->message.len);
    __asm__ volatile("" ::"r"(b->copy) : "memory"); /* somebody may look at it */
    return b->message.len;
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bytes a second. */
static double measure(work_fn *work, struct bench *b, double seconds) {
    double began = now(), bytes = 0;

    do
        bytes += (double)work(b);
    while (now() - began < seconds);
    return bytes / (now() - began);
}

int main(int argc, char **argv) {
    struct bench b = {.m = {.subject = "Hello from the bench",
                            .date = 0,
                            .seed = "bench",
                            .text = TEXT,
                            .text_len = sizeof(TEXT) - 1,
                            .html = HTML,
                            .html_len = sizeof(HTML) - 1,
                            .nparts = 1}};
    struct mime_part part = {.filename = "bench.bin"};
    double seconds = argc == 3 ? atof(argv[2]) / 3 : 0, mime;

    if (argc != 2 && argc != 3)
        fail("usage: mime FILE [SECONDS]");
    buf_init(&b.content, FILE_MAX);
    buf_init(&b.message, FILE_MAX);
    read_file(&b.content, argv[1]);
    part.data = b.content.data;
    part.len = b.content.len;
    b.m.parts = &part;
    if (address_parse(&b.m.from, "bob@example.com", 15, NULL) != 0 ||
        address_parse(&b.m.to, "ann@example.com", 15, NULL) != 0 ||
        (b.copy = malloc(build(&b))) == NULL)
        fail("no memory");
    memset(b.copy, 0, b.message.len); /* so that its pages are there */
    if (argc == 2)
        return fwrite(b.message.data, 1, b.message.len, stdout) == b.message.len ? 0 : 1;
    mime = measure(build, &b, seconds);
    printf("{\"message\":%zu,\"mime\":%.0f,\"base64\":%.0f,\"memcpy\":%.0f}\n", b.message.len, mime,
           measure(base64, &b, seconds), measure(copy, &b, seconds));
    address_list_fini(&b.m.from);
    address_list_fini(&b.m.to);
    buf_free(&b.content);
    buf_free(&b.message);
    free(b.copy);
    return 0;
}
