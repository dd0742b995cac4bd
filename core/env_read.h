/*
 * env_read.h - what the files that read the environment share.  For env*.c alone.
 *
 * A value that is wrong is told by env_fault(), and the default goes in its place.
 */
#ifndef ENV_READ_H
#define ENV_READ_H

#include "base.h"

/* One line for a variable; control characters in it become "?". */
void env_fault(const char *name, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* An empty variable counts as not set, since deployment tools cannot always unset one. */
const char *env_get(const char *name, const char *fallback);

/* A list for env_next_item(); one that is set has an item. */
const char *env_get_list(const char *name, const char *fallback);

/* Addresses and "@domains", between commas; "" when it is not set. */
const char *env_get_addresses(const char *name);

/* true, 1, yes; false, 0, no. */
bool env_get_bool(const char *name, bool fallback);

/* A directory that is there, without links in its path; NULL when it is not set. */
const char *env_get_dir(const char *name);

/* Where the local backend keeps everything; it is made if it is not there yet. */
const char *env_get_data_dir(const char *name, const char *fallback);

/* The shipped tree of this name. */
const char *env_shipped_dir(const char *tree);

/* Addresses of scopes, between spaces. */
const char *env_get_scopes(const char *name, const char *fallback);

/* The ID of a project, perhaps with that of its domain; NULL when it is not set. */
const char *env_get_project(const char *name);

/* The ID of a database of Firestore; when it is not set, "(default)". */
const char *env_get_database(const char *name);

/* Is it "https://user:password@host"? */
bool env_holds_user(const char *url);

/* The next item of a list, between commas or white space; NULL behind the last. */
const char *env_next_item(const char **list, size_t *n);

/* Keep a malloc'd string until env_load() is called again. */
char *env_own(char *s);

/* AUTH and what belongs to it, once HOST and ROLE are known; env_free_auth() before the next. */
void env_load_auth(void);
void env_free_auth(void);

/* WEBHOOK_*. */
void env_load_webhooks(void);

#endif
