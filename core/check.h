/*
 * check.h - `paraph check`: is everything as it must be, without serving?
 */
#ifndef CHECK_H
#define CHECK_H

#include "base.h"

/*
 * Scripts and templates; with live also everything that a send needs, by doing it: credentials,
 * delegation, mailbox, signature, a document written, read and deleted.  One line each on standard
 * output, with the remedy for what failed.  The exit code: 0 only if all is well.
 */
int check_run(bool live);

#endif
