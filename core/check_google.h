/*
 * check_google.h - the chain from this machine's credentials to the mailbox, and to the project of
 * the store, link by link.
 */
#ifndef CHECK_GOOGLE_H
#define CHECK_GOOGLE_H

#include "base.h"

/* Do and tell every link; mail_init() was called.  False: Firestore cannot be asked. */
bool check_google(void);

#endif
