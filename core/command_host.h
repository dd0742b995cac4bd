/*
 * command_host.h - what commands have that other scripts have not: files, standard input, and the
 *   terminal they write to.
 */
#ifndef COMMAND_HOST_H
#define COMMAND_HOST_H

#include <lua.h>

/* Push the table that commands are given. */
void command_host_push(lua_State *L);

#endif
