/*
 * repl.h - `paraph repl`: lines from a terminal, or from a script on standard input.
 */
#ifndef REPL_H
#define REPL_H

#include <stdio.h>

/* url: of a service to attach to; NULL: a session of our own.  Returns the exit code: a script ends
 * with 1 at the first line that fails. */
int repl(const char *url);

/* Show a text, whoever wrote it: what a terminal would obey is left out.  A line end is added. */
void repl_show(FILE *to, const char *text);

#endif
