/*
 * usage.h - what the commands are called with: the texts of --help.
 */
#ifndef USAGE_H
#define USAGE_H

#include <stdio.h>

#include "base.h"

#define USAGE_EXIT 2 /* wrong usage or configuration */

/* All commands, a line each. */
void usage_print_overview(FILE *to);

/* One command, with its options. */
void usage_print(FILE *to, const char *command);

/* Say what is wrong with how a command was called (NULL: with which), and how it is called; the
 * exit code. */
int usage_wrong(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
