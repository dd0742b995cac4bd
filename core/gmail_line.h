/*
 * gmail_line.h - the line of sends before each mailbox.
 *
 * At most GMAIL_CONCURRENCY are under way at once; the rest wait.  A mailbox that Gmail has blocked
 * for a time (a rate limit) lets nobody go before that is over: asking earlier makes it longer.
 * Who cannot come to his turn before his deadline is refused at once.
 *
 * A place is part of its owner's own struct, zeroed before its first use.  turn(arg) is called
 * when a place that had to wait comes to its turn, from the loop or from whoever left the line.
 */
#ifndef GMAIL_LINE_H
#define GMAIL_LINE_H

#include "base.h"
#include "err.h"
#include "mail.h"

/* Sends that wait for one mailbox; one more is refused with ERR_OVERLOADED. */
#define GMAIL_LINE_MAX 1000

struct gmail_line;

struct gmail_place {
    uint64_t deadline_ms; /* of loop_now_ms(), set by the owner; 0: none */
    void (*turn)(void *arg);
    void *arg;

    /* the line's own */
    struct gmail_line *line; /* NULL: not in it */
    bool waits;              /* else it is under way */
    uint64_t since_ms;       /* under way since */
    struct gmail_place *next, **link;
};

/* 1: go ahead; 0: turn(arg) will say when; -1 and *e: ERR_RATE_LIMITED with retry_after if it would
 * be too late, ERR_OVERLOADED if the line is full. */
int gmail_line_enter(struct gmail_place *p, const char *mailbox, struct err *e);

/* The mailbox of a place under way is blocked for so many seconds.  0: the place is the first one
 * that waits for the end of it, and turn(arg) will say when; -1: that would be too late, and it has
 * left the line. */
int gmail_line_block(struct gmail_place *p, int seconds);

/* What stands before a mailbox, in this process. */
struct mail_line gmail_line_look(const char *mailbox);

/* Done, or not interested any more.  Harmless when not in line. */
void gmail_line_leave(struct gmail_place *p);

/* Forget the blocks of mailboxes for which nobody waits. */
void gmail_line_fini(void);

#endif
