/*
 * job.h - what the service does by itself: the jobs of scripts/jobs.lua, each at the start and then
 * again some time after it has ended.
 *
 * A job runs as a task of the generation that is live at that moment.
 */
#ifndef JOB_H
#define JOB_H

/* Begin with the jobs of the live generation that are not known yet: at the start, and after a
 * reload.  One that is gone from the scripts is forgotten when it would be due. */
void job_sync(void);

/* Cut off what runs, and forget all.  Does not return before the tasks have ended. */
void job_fini(void);

#endif
