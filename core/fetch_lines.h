/*
 * fetch_lines.h - the header lines of a request, as curl takes them.
 *
 * All in one block, which is overwritten when it is freed: some are secret.
 */
#ifndef FETCH_LINES_H
#define FETCH_LINES_H

#include <curl/curl.h>

#include "err.h"
#include "fetch.h"

struct fetch_lines;

/* NULL and *e (ERR_INTERNAL_ERROR): a header is malformed, or not for callers to set. */
struct fetch_lines *fetch_lines_new(const struct fetch_header *headers, size_t n, struct err *e);

/* For CURLOPT_HTTPHEADER; lives as long as the lines. */
struct curl_slist *fetch_lines_list(struct fetch_lines *lines);

void fetch_lines_free(struct fetch_lines *lines); /* NULL-safe */

#endif
