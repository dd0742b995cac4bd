/*
 * lua_mail.c - paraph.mail: build (lua_message.c), send, signature, default_sender.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "crypto.h"
#include "env.h"
#include "lua_message.h"
#include "mail.h"
#include "task.h"

/* --- send(message, options) -> {id, thread_id} | nil, err ------------------------------------ */

struct send_op {
    struct op op;
    struct mail_call *call; /* NULL: not under way */
    bool left;              /* the mail may have left: all but a sure refusal */
    char id[MAIL_ID_SIZE], thread_id[MAIL_ID_SIZE];
};

static void send_cancel(struct op *op) {
    mail_cancel(&((struct send_op *)op)->call);
}

static void on_sent(struct mail_reply *reply, void *arg) {
    struct send_op *o = arg;

    o->call = NULL;
    o->left = reply->err.code == ERR_NONE || reply->unknown;
    memcpy(o->id, reply->id, sizeof(o->id));
    memcpy(o->thread_id, reply->thread_id, sizeof(o->thread_id));
    op_ready(&o->op, &reply->err);
}

static int l_send_finish(lua_State *L, int status, lua_KContext ctx) {
    struct send_op *o = (struct send_op *)ctx;

    (void)status;
    if (o->op.err.code != ERR_NONE) {
        op_push_err(L, &o->op);
        if (o->left) {
            lua_pushboolean(L, true);
            lua_setfield(L, -2, "unknown");
        }
        return 2;
    }
    lua_createtable(L, 0, 2);
    lua_pushstring(L, o->id);
    lua_setfield(L, -2, "id");
    lua_pushstring(L, o->thread_id);
    lua_setfield(L, -2, "thread_id");
    op_close(&o->op);
    return 1;
}

/* The option `key` of the table at idx, or NULL; it stays on the stack. */
static const char *check_key(lua_State *L, int idx) {
    const char *key;
    size_t n;

    if (lua_isnoneornil(L, idx))
        return NULL;
    luaL_checktype(L, idx, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1))
        if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "key") != 0)
            luaL_error(L, "unknown option '%s'", luaL_tolstring(L, -2, NULL));
    lua_pushliteral(L, "key");
    if (lua_rawget(L, idx) == LUA_TNIL)
        return NULL;
    key = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : NULL;
    if (key == NULL || !crypto_is_uuid(key, n))
        luaL_error(L, "option 'key' must be a UUID");
    return key;
}

static int l_send(lua_State *L) {
    const char *specs[LUA_MESSAGE_RECIPIENTS_MAX];
    struct mail_request rq = {.verb = MAIL_SEND, .recipients = specs};
    struct message *msg;
    struct send_op *o;

    task_check(L);
    msg = lua_message_check(L, 1);
    rq.sender = msg->from.v[0].spec;
    rq.message = msg->bytes;
    rq.key = check_key(L, 2);
    rq.thread_id = msg->thread_id[0] != '\0' ? msg->thread_id : NULL;
    rq.nrecipients = lua_message_recipients(msg, specs);
    o = op_new(L, sizeof(*o), send_cancel, NULL);
    o->left = true; /* until the backend says otherwise */
    o->call = mail_start(&rq, on_sent, o);
    return op_wait(L, &o->op, l_send_finish);
}

/* --- signature(address) -> html | nil, err --------------------------------------------------- */

struct signature_op {
    struct op op;
    struct mail_call *call; /* NULL: not under way */
    char *html;
};

static void signature_cancel(struct op *op) {
    mail_cancel(&((struct signature_op *)op)->call);
}

static void signature_release(struct op *op) {
    struct signature_op *o = (struct signature_op *)op;

    free(o->html);
    o->html = NULL;
}

static void on_signature(struct mail_reply *reply, void *arg) {
    struct signature_op *o = arg;

    o->call = NULL;
    o->html = reply->signature;
    reply->signature = NULL;
    op_ready(&o->op, &reply->err);
}

static int l_signature_finish(lua_State *L, int status, lua_KContext ctx) {
    struct signature_op *o = (struct signature_op *)ctx;

    (void)status;
    if (o->op.err.code != ERR_NONE)
        return op_push_err(L, &o->op);
    lua_pushstring(L, o->html);
    op_close(&o->op);
    return 1;
}

static int l_signature(lua_State *L) {
    struct mail_request rq = {.verb = MAIL_SIGNATURE};
    struct signature_op *o;

    task_check(L);
    rq.sender = luaL_optstring(L, 1, env_sender());
    o = op_new(L, sizeof(*o), signature_cancel, signature_release);
    o->call = mail_start(&rq, on_signature, o);
    return op_wait(L, &o->op, l_signature_finish);
}

/* --- the module ------------------------------------------------------------------------------ */

static int l_default_sender(lua_State *L) {
    lua_pushstring(L, env_sender());
    return 1;
}

int lua_mail_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"build", lua_message_build},         {"send", l_send}, {"signature", l_signature},
        {"default_sender", l_default_sender}, {NULL, NULL},
    };

    lua_message_open(L);
    luaL_newlib(L, functions);
    return 1;
}
