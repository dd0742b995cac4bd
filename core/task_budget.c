#include "task_budget.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>

#include "gen.h"

#define TICK_MS 25

static timer_t watchdog;
static bool watchdog_on;
static int budget_ms;                       /* of a slice */
static struct task_slice *volatile current; /* that runs now, or NULL */

static int ticks_of(int ms) {
    return ms / TICK_MS;
}

static bool is_over(const struct task_slice *s) {
    return s->ticks > s->max_ticks;
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
    if (s->hook)
        lua_pushfstring(L, "the policy hook ran for more than %d ms", TASK_HOOK_MS(budget_ms));
    else
        lua_pushfstring(L, "the script ran for more than %d ms without waiting", budget_ms);
    lua_concat(L, 2);
    return lua_error(L);
}

/* Asks what runs now: a hook of policies that was stopped leaves this behind in its caller. */
static void on_instruction(lua_State *L, lua_Debug *ar) {
    (void)ar;
    if (current == NULL || !is_over(current)) {
        lua_sethook(L, NULL, 0, 0);
        return;
    }
    lua_sethook(L, on_instruction, LUA_MASKCOUNT, 1);
    raise_over(L);
}

/* In a signal: lua_sethook() may be called at any moment. */
static void on_tick(int signum) {
    struct task_slice *s = current;

    (void)signum;
    if (s == NULL || (s->in_bulk && ++s->bulk_ticks < ticks_of(TASK_BULK_MS)))
        return;
    s->ticks++;
    if (is_over(s))
        lua_sethook(s->L, on_instruction, LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT,
                    1);
}

static void begin(struct task_slice *s, struct gen *g, lua_State *L, int max_ticks, size_t growth) {
    *s = (struct task_slice){.outer = current, .L = L, .gen = g, .max_ticks = max_ticks};
    s->limit = gen_allow(g, growth);
    atomic_signal_fence(memory_order_seq_cst); /* whole before a tick can see it */
    current = s;
}

void task_slice_begin(struct task_slice *s, struct gen *g, lua_State *L) {
    begin(s, g, L, ticks_of(budget_ms), TASK_SLICE_MEM);
}

void task_slice_end(struct task_slice *s) {
    current = s->outer;
    if (s->outer != NULL)
        gen_allow_until(s->gen, s->limit);
    if (s->hook && s->outer != NULL && s->outer->hook)
        s->outer->ticks += s->ticks;
}

void task_hook_begin(struct task_slice *s, struct gen *g, lua_State *L) {
    int max_ticks = ticks_of(TASK_HOOK_MS(budget_ms));

    if (task_in_hook() && max_ticks > current->max_ticks - current->ticks)
        max_ticks = current->max_ticks - current->ticks;
    begin(s, g, L, max_ticks, TASK_HOOK_MEM);
    s->hook = true;
    if (s->outer != NULL && gen_limit(g) > s->limit)
        gen_allow_until(g, s->limit);
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
