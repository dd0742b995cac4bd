/*
 * firestore_write.h - CREATE, UPDATE and DELETE in Firestore, with the parts of documents.
 *
 * To write parts: find the slices that are there, write the new ones group by group, then, in one
 * commit, write the document that names them and delete the others.
 */
#ifndef FIRESTORE_WRITE_H
#define FIRESTORE_WRITE_H

#include "buf.h"
#include "firestore_op.h"

/* Type the members, plan the parts: what needs no answer. */
int firestore_write_prepare(struct firestore_op *op, const struct store_request *rq, struct err *e);

/* The same of what is written with a document, by whatever verb; and its writes at the end of those
 * of a commit. */
int firestore_write_prepare_with(struct firestore_op *op, const struct store_request *rq,
                                 struct err *e);
void firestore_write_add_with(struct firestore_op *op, struct buf *body);

void firestore_write_begin(struct firestore_op *op); /* CREATE, UPDATE */
void firestore_write_erase(struct firestore_op *op); /* DELETE */

#endif
