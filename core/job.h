/*
 * job.h - what the service does by itself: the jobs of scripts/jobs.lua, each at the start and then
 * again some time after it has ended.
 *
 * A job runs as a task of the generation that is live at that moment.  Each process has its own.
 */
#ifndef JOB_H
#define JOB_H

#include "base.h"

/* Begin with the jobs of the live generation that are not known yet: at the start, and after a
 * reload.  One that is gone from the scripts is forgotten when it would be due. */
void job_sync(void);

/* Run the job of that name again in ms at the latest; one that runs just now, once more when it has
 * ended, but not before.  What would run earlier does; a name that nobody knows is nothing. */
void job_wake(const char *name, uint64_t ms);

/* Cut off what runs, and forget all.  Does not return before the tasks have ended. */
void job_fini(void);

#endif
