#include "task_budget.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "gen.h"

#define TICK_MS 25

struct task_account {
    unsigned holders; /* tasks alive */
    unsigned events;  /* logged */
    bool job;
    bool hoards; /* more memory than it may */
    int max_ticks, max_bulk_ticks;
    volatile sig_atomic_t ticks, bulk_ticks;
    size_t bytes, judge_at; /* the growth in its slices; from where on it is looked at again */
    size_t charged;         /* held outside of Lua */
};

static timer_t watchdog;
static bool watchdog_on;
static int budget_ms;                       /* of a slice */
static struct task_slice *volatile current; /* that runs now, or NULL */
static volatile sig_atomic_t all_ticks;

static int ticks_of(int ms) {
    return ms / TICK_MS;
}

static bool is_spent(const struct task_account *a) {
    return a != NULL && (a->ticks > a->max_ticks || a->hoards);
}

static bool is_over(const struct task_slice *s) {
    return s->ticks > s->max_ticks || is_spent(s->account);
}

static void push_sentence(lua_State *L, const struct task_slice *s) {
    const struct task_account *a = s->account;
    const char *who = a != NULL && a->job ? "job" : "request";

    if (is_spent(a) && a->hoards)
        lua_pushfstring(L, "the %s holds more than %d MiB of memory", who, (int)(TASK_MEM / MIB));
    else if (is_spent(a))
        lua_pushfstring(L, "the %s has run for more than %d ms in all", who,
                        a->max_ticks * TICK_MS);
    else if (s->hook)
        lua_pushfstring(L, "the policy hook ran for more than %d ms", TASK_HOOK_MS);
    else
        lua_pushfstring(L, "the script ran for more than %d ms without waiting", budget_ms);
}

/* Raise the sentence, with the line of the script that runs. */
static int raise_over(lua_State *L) {
    const struct task_slice *s = current;
    lua_Debug ar = {.currentline = -1};

    for (int level = 0; ar.currentline < 0 && lua_getstack(L, level, &ar); level++)
        lua_getinfo(L, "Sl", &ar);
    if (ar.currentline >= 0)
        lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
    else
        lua_pushliteral(L, "");
    push_sentence(L, s);
    lua_concat(L, 2);
    return lua_error(L);
}

/* Asks what runs now: a hook of policies that was stopped leaves this behind in its caller. */
static void on_instruction(lua_State *L, lua_Debug *ar) {
    (void)ar;
    if (current != NULL)
        current->in_bulk = false; /* where scripts run it is over: by an error, if nobody said so */
    if (current == NULL || !is_over(current)) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lua_sethook(L, on_instruction, LUA_MASKCOUNT, 1);
    raise_over(L);
}

/* One more tick of bulk work. */
static bool is_allowed_bulk(struct task_slice *s) {
    struct task_account *a = s->account;

    return ++s->bulk_ticks < ticks_of(TASK_BULK_MS) &&
           (a == NULL || ++a->bulk_ticks < a->max_bulk_ticks);
}

/* In a signal: lua_sethook() may be called at any moment. */
static void on_tick(int signum) {
    struct task_slice *s = current;

    (void)signum;
    all_ticks++;
    if (s == NULL)
        return;
    if (s->in_bulk && is_allowed_bulk(s)) {
        lua_sethook(s->L, on_instruction, LUA_MASKCOUNT, 1);
        return;
    }
    s->ticks++;
    if (s->account != NULL)
        s->account->ticks++;
    if (is_over(s))
        lua_sethook(s->L, on_instruction, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
                    1);
}

/* --- accounts -------------------------------------------------------------------------------- */

struct task_account *task_account_new(bool job) {
    struct task_account *a = calloc(1, sizeof(*a));

    if (a == NULL)
        return NULL;
    a->job = job;
    a->max_ticks = ticks_of(job ? TASK_JOB_MS(budget_ms) : TASK_REQUEST_MS(budget_ms));
    a->max_bulk_ticks = ticks_of(2 * TASK_BULK_MS) * (job ? 10 : 1);
    a->judge_at = TASK_MEM;
    a->holders = 1;
    return a;
}

bool task_account_hold(struct task_account *a) {
    if (a->holders == TASK_ALIVE_MAX)
        return false;
    a->holders++;
    return true;
}

/* What is charged is given back by the collector, which may come later than the last task. */
static void free_unused(struct task_account *a) {
    if (a->holders == 0 && a->charged == 0)
        free(a);
}

void task_account_release(struct task_account *a) {
    if (a == NULL)
        return;
    a->holders--;
    free_unused(a);
}

struct task_account *task_charge(lua_State *L, size_t n) {
    struct task_account *a = current != NULL ? current->account : NULL;

    if (a == NULL || n == 0)
        return NULL;
    if (a->charged + n > TASK_BLOBS)
        lua_gc(L, LUA_GCCOLLECT);
    if (a->charged + n > TASK_BLOBS)
        luaL_error(L, "the %s holds more than %d MiB of blobs", a->job ? "job" : "request",
                   (int)(TASK_BLOBS / MIB));
    a->charged += n;
    return a;
}

void task_uncharge(struct task_account *a, size_t n) {
    if (a == NULL)
        return;
    a->charged -= n;
    free_unused(a);
}

/* Growth is only a suspicion: garbage is in it, and may have been collected in the slices of
 * others.  Before anybody is refused, collect fully, and believe no more than what is live. */
static void judge_memory(struct task_account *a, struct gen *g) {
    size_t before = gen_bytes(g), freed, live;

    if (a->bytes <= a->judge_at)
        return;
    lua_gc(gen_state(g), LUA_GCCOLLECT);
    freed = before - gen_bytes(g);
    live = gen_growth(g);
    a->bytes -= freed < a->bytes ? freed : a->bytes;
    if (a->bytes > live)
        a->bytes = live;
    a->hoards = a->bytes > TASK_MEM;
    a->judge_at = a->bytes + TASK_MEM / 8 > TASK_MEM ? a->bytes + TASK_MEM / 8 : TASK_MEM;
}

static void book_memory(struct task_account *a, size_t before, size_t after) {
    if (after >= before)
        a->bytes += after - before;
    else
        a->bytes -= before - after < a->bytes ? before - after : a->bytes;
}

/* --- slices and hooks ------------------------------------------------------------------------ */

static void begin(struct task_slice *s, struct gen *g, lua_State *L, int max_ticks, size_t growth) {
    *s = (struct task_slice){
        .outer = current, .L = L, .gen = g, .bytes = gen_bytes(g), .max_ticks = max_ticks};
    s->limit = gen_allow(g, growth);
}

static void start(struct task_slice *s) {
    atomic_signal_fence(memory_order_seq_cst); /* whole before a tick can see it */
    current = s;
    if (is_over(s))
        lua_sethook(s->L, on_instruction, LUA_MASKCOUNT, 1);
}

void task_slice_begin(struct task_slice *s, struct gen *g, lua_State *L, struct task_account *a) {
    if (a != NULL)
        judge_memory(a, g);
    begin(s, g, L, ticks_of(budget_ms), TASK_SLICE_MEM);
    s->account = a;
    start(s);
}

/* Hooks beyond what all of a slice may use are the slice's own doing. */
static void book_ticks(struct task_slice *outer, int ticks) {
    if (!outer->hook)
        outer->hook_ticks += ticks;
    if (outer->hook || outer->hook_ticks > outer->max_ticks)
        outer->ticks += ticks;
}

void task_slice_end(struct task_slice *s) {
    current = s->outer;
    if (s->outer != NULL)
        gen_allow_until(s->gen, s->limit);
    if (s->hook && s->outer != NULL)
        book_ticks(s->outer, s->ticks);
    if (s->account != NULL && !s->hook)
        book_memory(s->account, s->bytes, gen_bytes(s->gen));
}

static int left_for_hooks(const struct task_slice *s) {
    return s->max_ticks - (s->hook ? s->ticks : s->hook_ticks);
}

void task_hook_begin(struct task_slice *s, struct gen *g, lua_State *L) {
    int max_ticks = ticks_of(TASK_HOOK_MS);

    if (current != NULL && max_ticks > left_for_hooks(current))
        max_ticks = left_for_hooks(current);
    begin(s, g, L, max_ticks, TASK_HOOK_MEM);
    s->hook = true;
    if (s->outer != NULL) {
        s->account = s->outer->account;
        if (gen_limit(g) > s->limit)
            gen_allow_until(g, s->limit);
    }
    start(s);
}

enum task_event task_count_event(void) {
    struct task_account *a = current != NULL ? current->account : NULL;
    unsigned most = a != NULL && a->job ? 10 * TASK_EVENTS : TASK_EVENTS, n;

    if (current == NULL)
        return TASK_EVENT_FINE;
    n = a != NULL ? ++a->events : ++current->events;
    return n <= most ? TASK_EVENT_FINE : n == most + 1 ? TASK_EVENT_LAST : TASK_EVENT_NONE;
}

int task_ticks(void) {
    return all_ticks;
}

bool task_in_hook(void) {
    return current != NULL && current->hook;
}

bool task_is_over(void) {
    return current != NULL && is_over(current);
}

void task_check_time(lua_State *L) {
    if (task_is_over())
        raise_over(L);
}

void task_bulk(bool on) {
    if (current != NULL && !current->hook)
        current->in_bulk = on;
}

int task_watchdog_start(unsigned slice_ms) {
    const long ns = (long)TICK_MS * 1000000;
    const struct itimerspec every = {{0, ns}, {0, ns}};
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGVTALRM};

    budget_ms = (int)slice_ms;
    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    if (sigaction(SIGVTALRM, &action, NULL) != 0 ||
        timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &watchdog) != 0)
        return -1;
    watchdog_on = true;
    return timer_settime(watchdog, 0, &every, NULL);
}

void task_watchdog_stop(void) {
    if (watchdog_on)
        timer_delete(watchdog);
    watchdog_on = false;
}
