#include "gmail_line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "env.h"

struct gmail_line {
    struct gmail_line *next;
    struct gmail_place *first, **last; /* that wait */
    unsigned waiting, under_way;
    bool calling; /* those whose turn it is, in a loop and not in each other's calls */
    char mailbox[];
};

static struct gmail_line *lines; /* of the mailboxes that are sending now */

static struct gmail_line *line_get(const char *mailbox) {
    struct gmail_line *l = lines;
    size_t n = strlen(mailbox) + 1;

    while (l != NULL && strcasecmp(l->mailbox, mailbox) != 0)
        l = l->next;
    if (l != NULL)
        return l;
    if ((l = calloc(1, sizeof(*l) + n)) == NULL)
        return NULL;
    memcpy(l->mailbox, mailbox, n);
    l->last = &l->first;
    l->next = lines;
    lines = l;
    return l;
}

static void line_free(struct gmail_line *l) {
    struct gmail_line **at = &lines;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
}

static void unlink_place(struct gmail_place *p) {
    struct gmail_line *l = p->line;

    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    else
        l->last = p->link;
    p->waits = false;
    l->waiting--;
}

int gmail_line_enter(struct gmail_place *p, const char *mailbox, void (*turn)(void *arg), void *arg,
                     struct err *e) {
    struct gmail_line *l = line_get(mailbox);

    if (l == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (l->waiting >= GMAIL_LINE_MAX) {
        err_set(e, ERR_OVERLOADED, "%u messages wait to be sent from %s already", l->waiting,
                mailbox);
        e->retry_after = 1;
        return -1;
    }
    p->line = l;
    p->turn = turn;
    p->arg = arg;
    if (l->under_way < env.gmail_concurrency && l->first == NULL) {
        l->under_way++;
        return 1;
    }
    p->waits = true;
    p->next = NULL;
    p->link = l->last;
    *l->last = p;
    l->last = &p->next;
    l->waiting++;
    return 0;
}

void gmail_line_leave(struct gmail_place *p) {
    struct gmail_line *l = p->line;
    struct gmail_place *first;

    if (l == NULL)
        return;
    if (p->waits)
        unlink_place(p);
    else
        l->under_way--;
    p->line = NULL;
    if (l->calling)
        return;
    l->calling = true;
    while (l->under_way < env.gmail_concurrency && (first = l->first) != NULL) {
        unlink_place(first);
        l->under_way++;
        first->turn(first->arg);
    }
    l->calling = false;
    if (l->under_way == 0 && l->first == NULL)
        line_free(l);
}
