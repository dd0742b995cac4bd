/*
 * command.h - the commands that scripts do: `paraph send`, `paraph drafts`.
 *
 * The module commands.NAME has two functions:
 *
 *     read(arguments, host) -> work          what is asked for.  Files are read here; nothing can
 *                           -> nil, sentence  wait, and nothing is open yet: wrong usage
 *     run(work)             -> status, out, err   a task; the exit code, what goes to standard
 *                                                 output, and a sentence for standard error
 *
 * `host` is for read() alone: scripts have no files.  scripts/types/host.lua describes it.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "base.h"

struct command {
    const char *name;
    bool rehearse;   /* in a world where nothing leaves, and nothing is written */
    bool only_reads; /* a store that is not there is not made */
    char **arguments;
    int n;
};

/* The exit code: that of run(); 2 for wrong usage, 1 for what keeps it from being run, 128 and the
 * signal for one that was interrupted. */
int command_run(const struct command *c);

#endif
