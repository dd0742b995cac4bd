/*
 * fetch_late.h - libcurl, opened when it is first needed.
 *
 * It brings some twenty other libraries along, which take a third of the time from exec to main()
 * and four megabytes; a service on the embedded pair that fetches nothing needs none of them.  So
 * the program is not linked with it: the functions that are called are defined in fetch_late.c, and
 * pass on to those of the library.  None may be called before fetch_late_open() was 0.
 */
#ifndef FETCH_LATE_H
#define FETCH_LATE_H

#include "base.h"
#include "err.h"

/* Open and start the library, unless that has been done.  From any thread. */
int fetch_late_open(struct err *e);

/* Stop the library, if it was started: nothing of it is held any more. */
void fetch_late_close(void);

#endif
