/*
 * confine.h - what this process gives up before it listens to anybody: whoever gets into it finds
 * little that can be done from there.
 *
 * Three things, each as far as the kernel has it.  Core dumps are off, and nobody attaches a
 * debugger.  System calls are those of confine_calls.c.  Files are those of confine_files.c.  None
 * of it can be taken back, threads and processes begun later have it too, and what is missing
 * (an old kernel, gVisor) is told in the log and stops nothing.
 *
 * Builds that are measured (INSTRUMENTED: sanitizers, coverage) stay open to their tools, which
 * write reports, read the program, and trace the process.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include "base.h"

struct tree;

/* The first thing of every command: memory with secrets in it is never written to disk. */
void confine_memory(void);

/* Before anything else of a service, and before it makes workers, which inherit it. */
void confine_process(void);

/* In a process that serves, once it listens, DATA_DIR is there, and no other thread is: what can be
 * known only now.  `tree`: the scripts and templates as they are, or NULL.  Logs what is on. */
void confine_server(const struct tree *tree);

#endif
