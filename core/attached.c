#include "attached.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "crypto.h"
#include "gen.h"
#include "loop.h"
#include "tree.h"

#define PRINTED_MAX (1 * MIB)

struct attached {
    struct attached *next;
    char id[CRYPTO_UUID_SIZE];
    char caller[256], method[16];
    struct prompt *prompt;
    struct buf printed; /* since the line began */
    uint64_t used_ms;   /* for the last time */
    bool over;
    prompt_done_fn *done; /* NULL: nobody waits */
    void *arg;
    char *next_text; /* what follows a line that was cut off, as soon as that has ended; or NULL */
    bool complete;
    unsigned columns;
};

static struct attached *sessions;
static struct loop_timer *sweep_timer;

/* --- their number ---------------------------------------------------------------------------- */

static void session_free(struct attached *a) {
    struct attached **at = &sessions;

    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    prompt_free(a->prompt);
    free(a->next_text);
    buf_free(&a->printed);
    free(a);
}

static bool is_idle(const struct attached *a) {
    return !prompt_busy(a->prompt) &&
           (a->over || loop_now_ms() - a->used_ms >= ATTACHED_IDLE_S * 1000ULL);
}

static void forget_idle(void) {
    for (struct attached *a = sessions, *next; a != NULL; a = next) {
        next = a->next;
        if (is_idle(a))
            session_free(a);
    }
}

static void on_sweep(void *arg) {
    (void)arg;
    loop_timer_stop(&sweep_timer);
    forget_idle();
    if (sessions != NULL)
        sweep_timer = loop_timer_start(ATTACHED_IDLE_S * 1000ULL / 10, on_sweep, NULL);
}

static unsigned count(void) {
    unsigned n = 0;

    for (const struct attached *a = sessions; a != NULL; a = a->next)
        n++;
    return n;
}

/* --- one ------------------------------------------------------------------------------------- */

/* As the service has them, whatever is on the disk. */
static struct tree *live_tree(struct err *e) {
    (void)e;
    return tree_ref(gen_tree(gen_live()));
}

static void on_print(const char *text, void *arg) {
    struct attached *a = arg;

    buf_adds(&a->printed, text);
}

static struct attached *session_new(const struct task_owner *owner, struct err *e) {
    struct attached *a;
    struct prompt_host host = {.read_tree = live_tree, .print = on_print, .attached = true};

    forget_idle();
    if (count() == ATTACHED_MAX) {
        err_set(e, ERR_OVERLOADED, "%d sessions are attached already: leave one with :quit",
                ATTACHED_MAX);
        return NULL;
    }
    if ((a = calloc(1, sizeof(*a))) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for a session");
        return NULL;
    }
    crypto_uuid4(a->id);
    strncpy(a->caller, owner->caller, sizeof(a->caller) - 1);
    strncpy(a->method, owner->method, sizeof(a->method) - 1);
    host.arg = a;
    host.owner = (struct task_owner){a->id, a->caller, a->method, NULL, owner->roles, NULL};
    if ((a->prompt = prompt_new(&host, e)) == NULL) {
        free(a);
        return NULL;
    }
    buf_init(&a->printed, PRINTED_MAX);
    a->next = sessions;
    sessions = a;
    if (sweep_timer == NULL)
        sweep_timer = loop_timer_start(ATTACHED_IDLE_S * 1000ULL / 10, on_sweep, NULL);
    return a;
}

/* Somebody else's is none. */
static struct attached *find(const struct attached_request *rq, struct err *e) {
    for (struct attached *a = sessions; a != NULL; a = a->next)
        if (strcmp(a->id, rq->session) == 0 && strcmp(a->caller, rq->owner->caller) == 0 &&
            strcmp(a->method, rq->owner->method) == 0 && !a->over)
            return a;
    err_set(e, ERR_NOT_FOUND, "there is no such session (any more)");
    return NULL;
}

/* --- a line ---------------------------------------------------------------------------------- */

static void begin(struct attached *a);

static void on_done(const struct prompt_answer *answer, void *arg) {
    struct attached *a = arg;
    prompt_done_fn *done = a->done;
    struct prompt_answer all = *answer;
    struct buf text;

    if (a->next_text != NULL) {
        begin(a);
        return;
    }
    a->done = NULL;
    a->used_ms = loop_now_ms();
    if (done == NULL)
        return;
    buf_init(&text, 2 * PRINTED_MAX + strlen(answer->text));
    buf_adds(&text, a->printed.data);
    if (buf_failed(&a->printed))
        buf_adds(&text, "… (more was printed than is shown)\n");
    buf_adds(&text, answer->text);
    all.text = text.data;
    done(&all, a->arg);
    buf_free(&text);
}

/* What is next, begins. */
static void begin(struct attached *a) {
    char *text = a->next_text;

    a->next_text = NULL;
    a->used_ms = loop_now_ms();
    buf_reset(&a->printed);
    (a->complete ? prompt_complete : prompt_run)(a->prompt, text, a->columns, on_done, a);
    free(text);
}

struct attached *attached_start(const struct attached_request *rq, prompt_done_fn *done, void *arg,
                                struct err *e) {
    struct attached *a = rq->session != NULL ? find(rq, e) : session_new(rq->owner, e);

    if (a == NULL)
        return NULL;
    if (a->done != NULL) {
        err_set(e, ERR_IN_PROGRESS, "the line before this one has not ended yet");
        return NULL;
    }
    if ((a->next_text = strdup(rq->text)) == NULL) {
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for this line");
        return NULL;
    }
    a->complete = rq->complete;
    a->columns = rq->columns;
    a->done = done;
    a->arg = arg;
    if (!prompt_busy(a->prompt)) /* else it follows what was cut off */
        begin(a);
    return a;
}

void attached_cancel(struct attached *a) {
    a->done = NULL;
    free(a->next_text);
    a->next_text = NULL;
    prompt_interrupt(a->prompt);
}

const char *attached_id(const struct attached *a) {
    return a->id;
}

bool attached_live(const struct attached *a) {
    return prompt_live(a->prompt);
}

void attached_end(struct attached *a) {
    a->over = true;
}

void attached_fini(void) {
    loop_timer_stop(&sweep_timer);
    while (sessions != NULL)
        session_free(sessions);
}
