/*
 * loop.h - the one event loop of this process, its timers, and work on other threads.
 *
 * The only header that shows libuv, for the two wires that watch descriptors.  Everything here
 * runs on the loop thread.  What start gives, stop or the callback ends: once stop has returned
 * its callback cannot fire.
 */
#ifndef LOOP_H
#define LOOP_H

#include <uv.h>

#include "base.h"

struct loop_timer;
struct loop_work;
struct loop_watch;

int loop_init(void);
/* Until loop_stop(), or until nothing is open any more. */
void loop_run(void);
void loop_stop(void);

/* Run until the descriptor can be read from, or loop_stop(). Unlike a watch of libuv this leaves
 * the descriptor as it is: a terminal is shared with others, and stays blocking. */
void loop_wait_readable(int fd);
int loop_fini(void); /* nonzero: a handle leaked */
uv_loop_t *loop_uv(void);

/* Monotonic milliseconds, as of this turn of the loop. */
uint64_t loop_now_ms(void);

/* Call fn in every turn, after I/O and again before sleeping, in the order given; at most 4 of
 * them.  If one returns true (it did something that may be work for another), all are called
 * again; the loop does not sleep before all have returned false. */
void loop_on_turn(bool (*fn)(void));

/* Call fn(arg) for every delivery of a signal, until loop_fini(), which leaves it ignored. */
int loop_on_signal(int signum, void (*fn)(void *arg), void *arg);

/* Once, after ms.  The callback need not stop the timer. */
struct loop_timer *loop_timer_start(uint64_t ms, void (*fn)(void *arg), void *arg);
void loop_timer_stop(struct loop_timer **tp); /* NULL-safe, sets *tp to NULL */

/*
 * Run work(arg) on a thread of the pool, then done(arg) on the loop.  loop_work_detach() forgets
 * the listener: done is not called, release(arg) is, when the thread has finished.  Otherwise
 * release(arg) follows done(arg).
 */
struct loop_work *loop_work_start(void (*work)(void *arg), void (*done)(void *arg),
                                  void (*release)(void *arg), void *arg);
void loop_work_detach(struct loop_work **wp);

/* Call fn(arg) soon after something has changed in the directory itself, and perhaps when nothing
 * has: a hint, which many file systems do not give.  NULL if it cannot be watched. */
struct loop_watch *loop_watch_start(const char *dir, void (*fn)(void *arg), void *arg);
void loop_watch_stop(struct loop_watch **wp); /* NULL-safe, sets *wp to NULL */

#endif
