/*
 * check_google.h - the chain from this machine's credentials to the mailbox, and to the project of
 * the store, link by link.
 */
#ifndef CHECK_GOOGLE_H
#define CHECK_GOOGLE_H

#include "base.h"

/* Do and tell every link; mail_init() was called.  False: Firestore cannot be asked. */
bool check_google(void);

/* Tell what GMAIL_SCOPES alone shows that mail has to do without, as the chain does. */
void check_google_scopes(void);

#endif
