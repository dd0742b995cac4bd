/*
 * watch.h - scripts and templates that change while we serve: they are looked at, and loaded anew
 * when their content is another.
 *
 * A look reads all of them on another thread, every RELOAD_INTERVAL seconds and soon after the file
 * system hints at a change; but nothing if by their stamp (tree_stamp.h) they are as they were when
 * they were read last.  What two looks in a row find is loaded, checked, and made live; what
 * does not pass is told once, and the live generation goes on serving.
 */
#ifndef WATCH_H
#define WATCH_H

/* Begin.  A generation is live. */
void watch_init(void);

/* Look, load and tell the outcome, whatever is there: what SIGHUP asks for. */
void watch_reload(void *arg);

void watch_fini(void);

#endif
