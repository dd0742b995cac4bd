/*
 * address.h - RFC 5322 mailboxes: parse what people type, write what a header needs.
 *
 * Accepted: "a@b", "Name <a@b>", quoted local parts, comments, groups (flattened), lists; UTF-8 in
 * display names, in local parts (RFC 6532) and in domains (IDNA 2008, stored as A-labels, lower
 * case).  Refused: address literals ([127.0.0.1]), control characters, source routes, empty
 * labels, over-long parts (local part 64 octets, domain 255, address 254: RFC 5321 §4.5.3.1).
 *
 * A list owns its strings; address_list_fini() frees them.
 */
#ifndef ADDRESS_H
#define ADDRESS_H

#include "base.h"
#include "buf.h"
#include "err.h"

struct address {
    char *name;   /* display name, UTF-8, unquoted; "" if none */
    char *local;  /* local part, unquoted */
    char *domain; /* A-labels, lower case */
    char *spec;   /* local@domain, the local part quoted where it must be: for envelopes */
};

struct address_list {
    struct address *v;
    size_t n;
    size_t cap;
};

#define ADDRESS_LIST_MAX 2000 /* Gmail's limit of recipients of a message */

/* Append the mailboxes of an address-list to *list.  Empty text is no mailbox and no error.  On
 * failure *list is as before and *e says ERR_INVALID_RECIPIENT and quotes the part at fault
 * ("'bob@' is not an e-mail address: the domain is missing"); the caller adds the field. */
int address_parse(struct address_list *list, const char *s, size_t n, struct err *e);

/* Append a copy; name may be NULL to keep from's own.  -1 when out of memory or over the limit. */
int address_list_add(struct address_list *list, const struct address *from, const char *name);

void address_list_fini(struct address_list *list); /* frees all; the list is empty again */

/* "Name: mailbox, mailbox\r\n", folded between and inside mailboxes; nothing for an empty list. */
void address_header(struct buf *out, const char *name, const struct address_list *list);

/* One mailbox as people write it: `Zoë <zoe@example.org>`, UTF-8, quoted where needed. */
void address_format(struct buf *out, const struct address *a);

#endif
