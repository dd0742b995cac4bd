/*
 * confine_files.h - which files a service may read and write (Landlock).
 */
#ifndef CONFINE_FILES_H
#define CONFINE_FILES_H

#include "base.h"

struct tree;

/* This thread and those that it begins from now on read where configuration is and write below
 * DATA_DIR; they execute nothing, bind no TCP port, and signal nobody.  `tree`: what links in the
 * overlays lead to; NULL: unknown.  The version of Landlock's ABI, or -1 with errno. */
MUST_CHECK int confine_files(const struct tree *tree);

#endif
