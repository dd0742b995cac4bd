/*
 * check.h - `paraph check`: is everything as it must be, without serving?
 */
#ifndef CHECK_H
#define CHECK_H

#include "base.h"

struct check_options {
    bool live;       /* also what serving needs, by doing it: every link from the credentials to the
                        mailbox, a document written, read, listed and deleted, a file in the outbox */
    unsigned replay; /* also what the policies would now decide about the last so many drafts */
    bool json;
};

/* Scripts and templates, and which are in force; and what the options say.  One line each on
 * standard output, with the remedy for what failed.  The exit code: 0 only if all is well. */
int check_run(const struct check_options *options);

/* The chain of --live alone, with services that are ready; nothing else may be under way.  Without
 * `write`, what would write is skipped. */
void check_chain(bool write);

#endif
