/*
 * text_link.c - the links of HTML in a text.
 */
#include "text_link.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_prefixed(const char *s, const char *prefix) {
    return strncasecmp(s, prefix, strlen(prefix)) == 0;
}

/* Browsers read an address without the spaces and control characters in it. */
static void remove_blanks(char *s, size_t n) {
    char *to = s;

    for (const char *from = s; from < s + n; from++)
        if ((unsigned char)*from > ' ' && *from != 0x7F)
            *to++ = *from;
    *to = '\0';
}

bool text_link_read(struct text_link *l, const struct html *tag, struct buf *room) {
    char *address;

    buf_reset(room);
    if (!html_attribute(tag, "href", room) || buf_failed(room) || room->len == 0)
        return false;
    address = room->data;
    remove_blanks(address, room->len);
    l->phone = is_prefixed(address, "tel:");
    if (is_prefixed(address, "mailto:")) {
        address += strlen("mailto:");
        address[strcspn(address, "?")] = '\0';
    } else if (l->phone) {
        address += strlen("tel:");
    } else if (!is_prefixed(address, "https://") && !is_prefixed(address, "http://")) {
        return false;
    }
    l->address = address;
    return *address != '\0';
}

bool text_link_is_said(const struct text_link *l, const char *text) {
    static const char *const schemes[] = {"https://", "http://", "mailto:", "tel:"};
    const char *address = l->address, *ignored = l->phone ? " ().-/" : "";

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        text += is_prefixed(text, schemes[i]) ? strlen(schemes[i]) : 0;
        address += is_prefixed(address, schemes[i]) ? strlen(schemes[i]) : 0;
    }
    for (;; text++, address++) {
        text += strspn(text, ignored);
        address += strspn(address, ignored);
        if (*text == '\0' || tolower((unsigned char)*text) != tolower((unsigned char)*address))
            break;
    }
    return (*text == '\0' || strcmp(text, "/") == 0) &&
           (*address == '\0' || strcmp(address, "/") == 0);
}
