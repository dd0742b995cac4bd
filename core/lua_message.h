/*
 * lua_message.h - built messages as Lua values.
 *
 * A message is a userdata that owns all it points to; it never changes.
 */
#ifndef LUA_MESSAGE_H
#define LUA_MESSAGE_H

#include <lua.h>

#include "address.h"
#include "blob.h"
#include "crypto.h"
#include "mail.h"

#define LUA_MESSAGE_RECIPIENTS_MAX 500
#define LUA_MESSAGE_ID_SIZE        (CRYPTO_UUID_SIZE + 256)

/* User value 1 is the blob of its bytes as scripts see it. */
struct message {
    char id[CRYPTO_UUID_SIZE]; /* X-Paraph-Id */
    struct address_list from, to, cc, bcc, reply_to;
    struct blob *bytes;
    size_t stable;                /* where the bytes begin that the etag covers */
    char etag[CRYPTO_SHA256_HEX]; /* "" until somebody asks */
    char thread_id[MAIL_ID_SIZE]; /* "": none */
};

/* Register the type. */
void lua_message_open(lua_State *L);

/* The Message-ID, without <>, of the message with that X-Paraph-Id, by the domain of its sender; -1
 * if the id is no UUID. */
int lua_message_id(char out[LUA_MESSAGE_ID_SIZE], const char *id, const char *sender);

/* mail.build(table) -> message | nil, err */
int lua_message_build(lua_State *L);

/* mail.check(table) -> true | nil, err */
int lua_message_examine(lua_State *L);

/* The message at idx, borrowed; raises if the value is none. */
struct message *lua_message_check(lua_State *L, int idx);

/* The bare addresses of To, Cc and Bcc in `specs`, which has room for LUA_MESSAGE_RECIPIENTS_MAX;
 * returns how many. */
size_t lua_message_recipients(const struct message *msg, const char **specs);

#endif
