/*
 * check_policies.h - which policies, scripts and settings are in force, and what is odd about them.
 */
#ifndef CHECK_POLICIES_H
#define CHECK_POLICIES_H

struct gen;

/* Tell all of a generation that has been loaded. */
void check_policies(struct gen *g);

#endif
