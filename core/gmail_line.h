/*
 * gmail_line.h - at most GMAIL_CONCURRENCY sends under way at once for each mailbox; the rest wait
 * in line.
 *
 * A place is part of its owner's own struct, zeroed before its first use.  turn(arg) is called
 * when a place that had to wait comes to its turn, from whoever left the line.
 */
#ifndef GMAIL_LINE_H
#define GMAIL_LINE_H

#include "base.h"
#include "err.h"

/* Sends that wait for one mailbox; one more is refused with ERR_OVERLOADED. */
#define GMAIL_LINE_MAX 1000

struct gmail_line;

struct gmail_place {
    struct gmail_line *line; /* NULL: not in it */
    bool waits;              /* else it is under way */
    struct gmail_place *next, **link;
    void (*turn)(void *arg);
    void *arg;
};

/* 1: go ahead; 0: turn(arg) will say when; -1 and *e. */
int gmail_line_enter(struct gmail_place *p, const char *mailbox, void (*turn)(void *arg), void *arg,
                     struct err *e);

/* Done, or not interested any more.  Harmless when not in line. */
void gmail_line_leave(struct gmail_place *p);

#endif
