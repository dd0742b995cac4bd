/*
 * lua_mail.c - paraph.mail: build and check (lua_message.c), and one function for each verb of
 * mail.h.
 */
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "crypto.h"
#include "env.h"
#include "gen.h"
#include "loop.h"
#include "lua_claim.h"
#include "lua_message.h"
#include "mail.h"
#include "task.h"

/* --- what they share ------------------------------------------------------------------------- */

struct mail_op {
    struct op op;
    struct mail_call *call;   /* NULL: not under way */
    bool left;                /* it failed or was cancelled, but may have been done */
    struct mail_reply *reply; /* once it is there; NULL where it failed */
};

static void mail_op_cancel(struct op *op) {
    struct mail_op *o = (struct mail_op *)op;

    o->left = mail_cancel(&o->call);
}

static void mail_op_release(struct op *op) {
    mail_reply_free(((struct mail_op *)op)->reply);
}

static void on_done(struct mail_reply *reply, void *arg) {
    struct mail_op *o = arg;

    o->call = NULL;
    o->left = reply->unknown;
    if (reply->err.code == ERR_NONE && (o->reply = mail_reply_take(reply)) == NULL) {
        err_set(&reply->err, ERR_INTERNAL_ERROR, "out of memory");
        o->left = true;
    }
    op_ready(&o->op, &reply->err);
}

/* A job has no deadline, but what it does must not outlive the claim that it holds. */
static uint64_t deadline_of(const struct task *t) {
    uint64_t deadline_ms = task_deadline_ms(t);

    return deadline_ms != 0 ? deadline_ms : loop_now_ms() + env.request_timeout * 1000ULL;
}

static int wait_for(lua_State *L, struct mail_request *rq, lua_KFunction finish) {
    struct mail_op *o = op_new(L, sizeof(*o), mail_op_cancel, mail_op_release);

    rq->scratch = gen_scratch(L);
    rq->deadline_ms = deadline_of(task_check(L));
    task_bulk(true);
    if (!op_refused(L, &o->op))
        o->call = mail_start(rq, on_done, o);
    task_bulk(false);
    return op_wait(L, &o->op, finish);
}

static int push_err(lua_State *L, struct mail_op *o) {
    bool left = o->left;

    op_push_err(L, &o->op);
    if (left) {
        lua_pushboolean(L, true);
        lua_setfield(L, -2, "unknown");
    }
    return 2;
}

/* Set a member of the table at the top, unless the text is missing or empty. */
static void set_text(lua_State *L, const char *name, const char *text) {
    if (text == NULL || text[0] == '\0')
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

/* --- send(message), draft_send(claim, draft) -> {id, thread_id} | nil, err ------------------- */

static void push_sent(lua_State *L, const struct mail_reply *reply) {
    lua_createtable(L, 0, 2);
    set_text(L, "id", reply->id);
    set_text(L, "thread_id", reply->thread_id);
}

static int l_send_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    push_sent(L, o->reply);
    op_close(&o->op);
    return 1;
}

/* The message at idx as a request; `specs` has room for LUA_MESSAGE_RECIPIENTS_MAX. */
static struct mail_request check_message(lua_State *L, int idx, enum mail_verb verb,
                                         const char **specs) {
    struct message *msg = lua_message_check(L, idx);

    return (struct mail_request){
        .verb = verb,
        .sender = msg->from.v[0].spec,
        .message = msg->bytes,
        .key = msg->id,
        .thread_id = msg->thread_id[0] != '\0' ? msg->thread_id : NULL,
        .recipients = specs,
        .nrecipients = lua_message_recipients(msg, specs),
    };
}

static int l_send(lua_State *L) {
    const char *specs[LUA_MESSAGE_RECIPIENTS_MAX];
    struct mail_request rq;

    task_check(L);
    rq = check_message(L, 1, MAIL_SEND, specs);
    return wait_for(L, &rq, l_send_finish);
}

/* --- drafts ---------------------------------------------------------------------------------- */

/* A member of the draft at idx, which keeps it alive; NULL if it may be missing and is. */
static const char *check_text(lua_State *L, int idx, const char *name, bool needed) {
    const char *text;

    lua_pushstring(L, name);
    lua_rawget(L, idx);
    text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    if (text == NULL && (needed || !lua_isnil(L, -1)))
        luaL_error(L, "member '%s' of a draft must be a string", name);
    lua_pop(L, 1);
    return text;
}

/* What draft_create() returned, at idx, as a request. */
static struct mail_request check_draft(lua_State *L, int idx, enum mail_verb verb) {
    luaL_checktype(L, idx, LUA_TTABLE);
    return (struct mail_request){
        .verb = verb,
        .draft_id = check_text(L, idx, "id", true),
        .mailbox = check_text(L, idx, "mailbox", true),
        .thread_id = check_text(L, idx, "thread_id", false),
        .key = check_text(L, idx, "key", false),
    };
}

/* The claim at 1 must be on the draft in the store that the mail's X-Paraph-Id names. */
static void check_claim(lua_State *L, const char *key) {
    if (key == NULL || strcmp(lua_claim_check(L, 1), key) != 0)
        luaL_error(L, "this claim is on another draft than the one that is to be sent");
}

/* draft_create(claim, message) -> {id, mailbox, thread_id, key} | nil | nil, err */
static int l_draft_create_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    if (o->reply->id[0] == '\0') {
        lua_pushnil(L);
    } else {
        push_sent(L, o->reply);
        set_text(L, "mailbox", o->reply->mailbox);
        set_text(L, "key", lua_message_check(L, 2)->id);
    }
    op_close(&o->op);
    return 1;
}

static int l_draft_create(lua_State *L) {
    const char *specs[LUA_MESSAGE_RECIPIENTS_MAX];
    struct mail_request rq;

    task_check(L);
    rq = check_message(L, 2, MAIL_DRAFT_CREATE, specs);
    check_claim(L, rq.key);
    return wait_for(L, &rq, l_draft_create_finish);
}

static int l_draft_send(lua_State *L) {
    struct mail_request rq;

    task_check(L);
    rq = check_draft(L, 2, MAIL_DRAFT_SEND);
    check_claim(L, rq.key);
    return wait_for(L, &rq, l_send_finish);
}

/* draft_exists(draft) -> true | false, {id?, thread_id?, sent?} | nil, err */
static int l_draft_exists_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;
    bool exists;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    exists = o->reply->exists;
    lua_pushboolean(L, exists);
    if (!exists)
        push_sent(L, o->reply);
    if (!exists && o->reply->fate != MAIL_FATE_UNKNOWN) {
        lua_pushboolean(L, o->reply->fate == MAIL_FATE_SENT);
        lua_setfield(L, -2, "sent");
    }
    op_close(&o->op);
    return exists ? 1 : 2;
}

static int l_draft_exists(lua_State *L) {
    struct mail_request rq;

    task_check(L);
    rq = check_draft(L, 1, MAIL_DRAFT_GET);
    return wait_for(L, &rq, l_draft_exists_finish);
}

/* draft_delete(draft) -> true | false | nil, err */
static int l_draft_delete_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    lua_pushboolean(L, o->reply->exists);
    op_close(&o->op);
    return 1;
}

static int l_draft_delete(lua_State *L) {
    struct mail_request rq;

    task_check(L);
    rq = check_draft(L, 1, MAIL_DRAFT_DELETE);
    return wait_for(L, &rq, l_draft_delete_finish);
}

/* drafts_of(id, sender) -> {{id, mailbox}…} | nil, err */
static int l_drafts_of_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    lua_createtable(L, (int)o->reply->nfound, 0);
    for (size_t i = 0; i < o->reply->nfound; i++) {
        lua_createtable(L, 0, 2);
        set_text(L, "id", o->reply->found[i]);
        set_text(L, "mailbox", o->reply->mailbox);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    op_close(&o->op);
    return 1;
}

static int l_drafts_of(lua_State *L) {
    struct mail_request rq = {.verb = MAIL_DRAFT_FIND};
    char message_id[LUA_MESSAGE_ID_SIZE];

    task_check(L);
    rq.key = luaL_checkstring(L, 1);
    rq.sender = luaL_optstring(L, 2, env_sender());
    rq.message_id = message_id;
    if (lua_message_id(message_id, rq.key, rq.sender) != 0)
        return luaL_argerror(L, 1, "a UUID is needed");
    return wait_for(L, &rq, l_drafts_of_finish);
}

/* --- what the mailbox knows ------------------------------------------------------------------ */

/* signature(address) -> html | nil, err */
static int l_signature_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    lua_pushstring(L, o->reply->signature);
    op_close(&o->op);
    return 1;
}

static int l_signature(lua_State *L) {
    struct mail_request rq = {.verb = MAIL_SIGNATURE};

    task_check(L);
    rq.sender = luaL_optstring(L, 1, env_sender());
    return wait_for(L, &rq, l_signature_finish);
}

/* reply_headers(thread_id, in_reply_to, address) -> {in_reply_to?, references?, thread_id?} | nil,
 * err */
static int l_reply_headers_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    lua_createtable(L, 0, 3);
    set_text(L, "in_reply_to", o->reply->in_reply_to);
    set_text(L, "references", o->reply->references);
    set_text(L, "thread_id", o->reply->thread_id);
    op_close(&o->op);
    return 1;
}

static int l_reply_headers(lua_State *L) {
    struct mail_request rq = {.verb = MAIL_REPLY};

    task_check(L);
    rq.thread_id = luaL_optstring(L, 1, NULL);
    rq.in_reply_to = luaL_optstring(L, 2, NULL);
    rq.sender = luaL_optstring(L, 3, env_sender());
    return wait_for(L, &rq, l_reply_headers_finish);
}

/* profile(address) -> {address} | nil, err */
static int l_profile_finish(lua_State *L, int status, lua_KContext ctx) {
    struct mail_op *o = (struct mail_op *)ctx;

    (void)status;
    if (o->op.err != NULL)
        return push_err(L, o);
    lua_createtable(L, 0, 1);
    set_text(L, "address", o->reply->mailbox);
    op_close(&o->op);
    return 1;
}

static int l_profile(lua_State *L) {
    struct mail_request rq = {.verb = MAIL_PROFILE};

    task_check(L);
    rq.sender = luaL_optstring(L, 1, env_sender());
    return wait_for(L, &rq, l_profile_finish);
}

static int l_default_sender(lua_State *L) {
    lua_pushstring(L, env_sender());
    return 1;
}

/* line() -> {under_way, waiting, blocked}; nil: the backend has none */
static int l_line(lua_State *L) {
    struct mail_line line;

    if (!mail_line(&line)) {
        lua_pushnil(L);
        return 1;
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, line.under_way);
    lua_setfield(L, -2, "under_way");
    lua_pushinteger(L, line.waiting);
    lua_setfield(L, -2, "waiting");
    lua_pushnumber(L, (lua_Number)line.blocked_ms / 1000);
    lua_setfield(L, -2, "blocked");
    return 1;
}

int lua_mail_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"build", lua_message_build},
        {"check", lua_message_examine},
        {"send", l_send},
        {"draft_create", l_draft_create},
        {"draft_send", l_draft_send},
        {"draft_exists", l_draft_exists},
        {"draft_delete", l_draft_delete},
        {"drafts_of", l_drafts_of},
        {"signature", l_signature},
        {"reply_headers", l_reply_headers},
        {"profile", l_profile},
        {"default_sender", l_default_sender},
        {"line", l_line},
        {NULL, NULL},
    };

    lua_message_open(L);
    luaL_newlib(L, functions);
    return 1;
}
