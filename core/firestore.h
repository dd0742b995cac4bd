/*
 * firestore.h - the store in Firestore (REST v1): what each verb of store.h is there.
 *
 * Every write is one commit whose precondition makes it harmless to repeat.  When a commit is
 * refused, the document is read: it may have been our own first attempt, of which only the answer
 * was lost, and then it bears our tag.  An occurrence is counted together with a document of its
 * own below the counted one, `opens/{tag}`, so that it counts once.
 *
 * The version of a document is its updateTime.  Parts: firestore_parts.h.
 */
#ifndef FIRESTORE_H
#define FIRESTORE_H

#include "store.h"

extern const struct store_backend firestore_backend;

#endif
