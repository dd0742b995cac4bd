/*
 * http_head_split.h - a head taken to pieces in place, as libmicrohttpd does it, with its
 * leniences.
 */
#ifndef HTTP_HEAD_SPLIT_H
#define HTTP_HEAD_SPLIT_H

#include <string.h>

#include "http_head.h"

/* The next line of raw[*at .. n), its end overwritten; NULL if there is none. */
static char *split_line(char *raw, size_t n, size_t *at) {
    char *line = raw + *at, *lf = memchr(line, '\n', n - *at);

    if (lf == NULL)
        return NULL;
    *lf = '\0';
    if (lf > line && lf[-1] == '\r')
        lf[-1] = '\0';
    *at = (size_t)(lf - raw) + 1;
    return line;
}

/* raw[n] must be there, and a NUL.  target: n + 1 bytes for the copy.  False: libmicrohttpd would
 * not show us this. */
static bool split_head(char *raw, size_t n, char *target, struct http_head *h) {
    size_t at = 0;
    char *line = split_line(raw, n, &at), *path, *version, *colon;

    if (line == NULL || (path = memchr(line, ' ', at)) == NULL)
        return false;
    *path++ = '\0';
    path += strspn(path, " ");
    if ((version = memrchr(path, ' ', at - (size_t)(path - raw))) == NULL)
        return false;
    *version++ = '\0';
    if (strlen(version) != 8 || strncmp(version, "HTTP/1.", 7) != 0 || version[7] < '0' ||
        version[7] > '9')
        return false;
    strcpy(target, path);
    *h = (struct http_head){.method = line, .path = path, .version = version, .target = target};
    while ((line = split_line(raw, n, &at)) != NULL && line[0] != '\0') {
        if ((colon = strchr(line, ':')) == NULL)
            return false;
        *colon++ = '\0';
        colon += strspn(colon, " \t");
        if (h->nfields < HTTP_FIELDS_MAX)
            h->fields[h->nfields] = (struct http_field){line, colon, strlen(line), strlen(colon)};
        h->nfields++;
    }
    h->size = at;
    return line != NULL;
}

#endif
