/*
 * check.h - `paraph check`: is everything as it must be, without serving?
 */
#ifndef CHECK_H
#define CHECK_H

#include "base.h"

/*
 * Scripts and templates, and which are in force; with live also what serving needs, by doing it:
 * every link from the credentials to the mailbox, a document written, read, listed and deleted, a
 * file in the outbox; with replay, what the policies would now decide about the last so many
 * drafts.  One line each on standard output, with the remedy for what failed.  The exit code: 0
 * only if all is well.
 */
int check_run(bool live, unsigned replay);

#endif
