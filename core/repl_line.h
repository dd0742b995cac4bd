/*
 * repl_line.h - the terminal: lines that are edited, a history, completion.
 *
 * The only file that knows libedit.  While it waits for a key the loop runs, so that signals are
 * delivered as ever.  There is one terminal.
 */
#ifndef REPL_LINE_H
#define REPL_LINE_H

#include "base.h"
#include "err.h"

/* How a text could go on: what could stand in place of its last `typed` bytes, and what is known of
 * the only one. */
struct repl_candidates {
    const char *const *v;
    size_t n, typed;
    const char *help;
};

/* Asks for candidates, which are valid until it is asked again. */
typedef void repl_complete_fn(const char *text, struct repl_candidates *c);

/* Both standard streams are terminals.  `history` is a file, which need not be there; NULL: none
 * is kept.  -1: the terminal cannot be used. */
int repl_line_init(const char *history, repl_complete_fn *complete, struct err *e);
void repl_line_fini(void); /* writes the history, and leaves the terminal as it was */

/* The next line, without its end and valid until the next call; NULL: end of input, or cancelled.
 */
const char *repl_line_read(const char *prompt, bool *cancelled);

/* From a signal's callback: the line that is being edited is given up. */
void repl_line_cancel(void);

/* The same: the terminal has another size, or is ours again. */
void repl_line_resized(void);
void repl_line_continued(void);

#endif
