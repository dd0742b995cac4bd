/*
 * tree.h - all scripts and templates as they were at one moment: `*.lua` and `*.mustache`, of the
 * overlays and of what is shipped, where a file of an overlay shadows the shipped one of its name.
 *
 * A tree is immutable and counted by reference; both from any thread.  What begins with '.' is
 * left out: the swap files of editors, and where mounted volumes keep their versions.  Links are
 * followed.
 */
#ifndef TREE_H
#define TREE_H

#include "base.h"
#include "err.h"

enum tree_kind { TREE_SCRIPTS, TREE_TEMPLATES };

struct tree_file {
    enum tree_kind kind;
    const char *name; /* "policy/review.lua" */
    const char *text; /* followed by a NUL that is not counted */
    size_t len;
    const char *path; /* on the disk */
    bool shipped;     /* else it is in the overlay */
    bool shadows;     /* a shipped file of its name */
};

/* A shipped script that is shadowed is there, too, under its name behind this one, so that the
 * overlay can build on it. */
#define TREE_SHADOWED "shipped/"

struct tree;

/* Read what the directories that env names hold.  NULL, and a sentence with the file, if one cannot
 * be read, or is one too many. */
struct tree *tree_read(struct err *e);

struct tree *tree_ref(struct tree *t);
void tree_unref(struct tree *t); /* NULL-safe */

/* NULL: there is none of that name. */
const struct tree_file *tree_find(const struct tree *t, enum tree_kind kind, const char *name);

/* All of them: the scripts, then the templates, by name. */
const struct tree_file *tree_files(const struct tree *t, size_t *n);

/* The same for two trees that hold the same, and for no others that anybody will ever have: a hash
 * of names, origins and contents.  Never 0. */
uint64_t tree_hash(const struct tree *t);

/* What tree_stamp.h says of the files as they were read; 0: nothing. */
uint64_t tree_stamp(const struct tree *t);

/* The directories that it was read from.  `inode` tells one from another that has taken its place.
 */
struct tree_dir {
    const char *path;
    uint64_t device, inode;
};
const struct tree_dir *tree_dirs(const struct tree *t, size_t *n);

/* Call fn with the name of each file that is not the same in both. */
void tree_compare(const struct tree *a, const struct tree *b,
                  void (*fn)(const char *name, void *arg), void *arg);

#endif
