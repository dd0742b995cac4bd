#include "gmail_line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "env.h"
#include "loop.h"
#include "metrics.h"

struct gmail_line {
    struct gmail_line *next;
    struct gmail_place *first, **last; /* that wait */
    unsigned waiting, under_way;
    unsigned mean_ms; /* that one has lately been under way; 0: not known yet */
    uint64_t blocked_until_ms;
    struct loop_timer *timer; /* until then, or NULL */
    bool calling;             /* those whose turn it is, in a loop and not in each other's calls */
    char mailbox[];
};

static struct gmail_line *lines; /* of the mailboxes that send now, or are blocked */

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

static void free_if_idle(struct gmail_line *l) {
    if (l->under_way == 0 && l->first == NULL && l->timer == NULL)
        line_free(l);
}

/* --- places ---------------------------------------------------------------------------------- */

static void put_in(struct gmail_place *p, struct gmail_place **at) {
    struct gmail_line *l = p->line;

    p->waits = true;
    p->link = at;
    p->next = *at;
    if (p->next != NULL)
        p->next->link = &p->next;
    else
        l->last = &p->next;
    *at = p;
    l->waiting++;
    metrics_add(METRIC_MAILBOX_WAITING, 1, METRICS_LABELS());
}

static void take_out(struct gmail_place *p) {
    struct gmail_line *l = p->line;

    *p->link = p->next;
    if (p->next != NULL)
        p->next->link = p->link;
    else
        l->last = p->link;
    p->waits = false;
    l->waiting--;
    metrics_add(METRIC_MAILBOX_WAITING, -1, METRICS_LABELS());
}

static void go(struct gmail_place *p) {
    p->line->under_way++;
    p->since_ms = loop_now_ms();
}

static bool may_go(const struct gmail_line *l) {
    return l->timer == NULL && l->under_way < env.gmail_concurrency;
}

/* Let those go whose turn it is. */
static void call_up(struct gmail_line *l) {
    struct gmail_place *first;

    if (l->calling)
        return;
    l->calling = true;
    while (may_go(l) && (first = l->first) != NULL) {
        take_out(first);
        go(first);
        first->turn(first->arg);
    }
    l->calling = false;
    free_if_idle(l);
}

/* --- time ------------------------------------------------------------------------------------ */

/* A moving average over about eight of them. */
static void learn(struct gmail_line *l, uint64_t ms) {
    unsigned sample = ms < 60000 ? (unsigned)ms : 60000;

    l->mean_ms = l->mean_ms == 0 ? sample : (7 * l->mean_ms + sample) / 8;
}

/* How long a newcomer would wait. */
static uint64_t expected_ms(const struct gmail_line *l) {
    uint64_t now = loop_now_ms();
    uint64_t blocked = l->blocked_until_ms > now ? l->blocked_until_ms - now : 0;

    return blocked + (uint64_t)l->waiting * l->mean_ms / env.gmail_concurrency;
}

static bool is_too_late(const struct gmail_place *p, uint64_t wait_ms) {
    return p->deadline_ms != 0 && wait_ms > 0 && loop_now_ms() + wait_ms >= p->deadline_ms;
}

static void on_block_over(void *arg) {
    struct gmail_line *l = arg;

    loop_timer_stop(&l->timer);
    call_up(l);
}

struct mail_line gmail_line_look(const char *mailbox) {
    uint64_t now = loop_now_ms();

    for (const struct gmail_line *l = lines; l != NULL; l = l->next)
        if (strcasecmp(l->mailbox, mailbox) == 0)
            return (struct mail_line){
                .under_way = l->under_way,
                .waiting = l->waiting,
                .blocked_ms = l->blocked_until_ms > now ? l->blocked_until_ms - now : 0};
    return (struct mail_line){0};
}

/* --- the line -------------------------------------------------------------------------------- */

static int refuse(struct gmail_line *l, enum err_code code, struct err *e) {
    uint64_t wait_ms = expected_ms(l);

    if (code == ERR_OVERLOADED)
        err_set(e, code, "%u messages wait to be sent from %s already", l->waiting, l->mailbox);
    else
        err_set(e, code,
                "%s cannot send within the time that this request has: Gmail limits its rate, and "
                "%u messages wait already; nothing was sent",
                l->mailbox, l->waiting);
    e->retry_after = (int)(wait_ms / 1000) + 1;
    free_if_idle(l);
    return -1;
}

int gmail_line_enter(struct gmail_place *p, const char *mailbox, struct err *e) {
    struct gmail_line *l = line_get(mailbox);

    if (l == NULL)
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    if (l->waiting >= GMAIL_LINE_MAX)
        return refuse(l, ERR_OVERLOADED, e);
    if (is_too_late(p, expected_ms(l)))
        return refuse(l, ERR_RATE_LIMITED, e);
    p->line = l;
    if (may_go(l) && l->first == NULL) {
        go(p);
        return 1;
    }
    put_in(p, l->last);
    return 0;
}

int gmail_line_block(struct gmail_place *p, int seconds) {
    struct gmail_line *l = p->line;
    uint64_t wait_ms = (uint64_t)seconds * 1000, until = loop_now_ms() + wait_ms;

    l->under_way--;
    if (until > l->blocked_until_ms || l->timer == NULL) {
        loop_timer_stop(&l->timer);
        l->blocked_until_ms = until;
        l->timer = loop_timer_start(wait_ms, on_block_over, l);
    }
    if (is_too_late(p, wait_ms)) {
        p->line = NULL;
        free_if_idle(l);
        return -1;
    }
    put_in(p, &l->first);
    return 0;
}

void gmail_line_leave(struct gmail_place *p) {
    struct gmail_line *l = p->line;

    if (l == NULL)
        return;
    if (p->waits) {
        take_out(p);
    } else {
        l->under_way--;
        learn(l, loop_now_ms() - p->since_ms);
    }
    p->line = NULL;
    call_up(l);
}

void gmail_line_fini(void) {
    struct gmail_line *next;

    for (struct gmail_line *l = lines; l != NULL; l = next) {
        next = l->next;
        loop_timer_stop(&l->timer);
        free_if_idle(l);
    }
}
