/*
 * repl.h - `paraph repl`: lines from a terminal, or from a script on standard input.
 */
#ifndef REPL_H
#define REPL_H

#include <stdio.h>

/* url: of a service to attach to; NULL: a session of our own.  Returns the exit code: a script ends
 * with 1 at the first line that fails; 2: that is no URL. */
int repl(const char *url);

/* A copy of what somebody else may have written, without what a terminal would obey; NULL: out of
 * memory. */
char *repl_printable(const char *text);

/* Show such a text, and the end of its line. */
void repl_show(FILE *to, const char *text);

#endif
