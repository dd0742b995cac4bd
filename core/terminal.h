/*
 * terminal.h - what a terminal is good for: colours, its width, and a line that says what is under
 *   way.
 */
#ifndef TERMINAL_H
#define TERMINAL_H

#include "base.h"

/* Is it a terminal, and are colours wanted there (NO_COLOR is not set, see no-color.org)? */
bool terminal_has_colors(int fd);

/* Columns; 0: it is no terminal. */
unsigned terminal_columns(int fd);

/* Say on standard error, in place of what was said before, what is under way; nothing if it is no
 * terminal.  terminal_clear() comes before anything else is written there. */
void terminal_progress(const char *fmt, ...) PRINTF_LIKE(1, 2);
void terminal_clear(void);

#endif
