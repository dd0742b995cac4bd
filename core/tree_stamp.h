/*
 * tree_stamp.h - what the file system says of scripts and templates, without reading them: whether
 * they can have changed.
 *
 * The same stamp twice: nothing has changed in between.  That holds only for what the kernel dates
 * itself, at each change, whatever a program sets the other dates to; and only once the last change
 * is older than two moments that the clock of a file system cannot tell apart.
 */
#ifndef TREE_STAMP_H
#define TREE_STAMP_H

#include "crypto.h"

/* Of what the directories that env names hold, from any thread.  "": only reading them can tell. */
void tree_stamp(char stamp[CRYPTO_SHA256_HEX]);

#endif
