/*
 * mime_rules.h - what may stand in a message, for mime.c alone: the sentences of its refusals.
 */
#ifndef MIME_RULES_H
#define MIME_RULES_H

#include "mime.h"

#define MIME_ID_MAX     900 /* with its header's name, a line of less than 998 characters */
#define MIME_TOKEN_SIZE (MIME_ID_MAX + sizeof("<>"))

/* UTF-8, without line ends and control characters. */
int mime_check_line(const char *s, const char *field, struct err *e);

/* Of a part or a message: ASCII without spaces and <>. */
bool mime_is_id(const char *s, size_t n);

/* The next message id of a References header, in its <>; NULL at the end, where *rest is "", and
 * before anything else. */
const char *mime_next_reference(const char **rest, char token[MIME_TOKEN_SIZE]);

/* All but its parts. */
int mime_check_message(const struct mime_message *m, struct err *e);

#endif
