/*
 * check_replay.h - what policies that were changed would now decide about drafts there are.
 */
#ifndef CHECK_REPLAY_H
#define CHECK_REPLAY_H

#define CHECK_REPLAY_MAX 1000 /* drafts */

struct gen;

/* Tell how the policies of a generation would decide about the newest drafts of the store where
 * that is not what was decided.  Nothing is written, sent or counted. */
void check_replay(struct gen *g, unsigned drafts);

#endif
