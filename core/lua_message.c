/*
 * lua_message.c - mail.build and mail.check: a message from a table; the type paraph.message.
 *
 * A message under construction is a userdata from the start, so that whatever raises on the way,
 * its addresses and bytes are freed with it.  Strings are borrowed from Lua while they are built
 * into the message: lua_member_push() leaves each on the stack, which keeps it alive.
 */
#include "lua_message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "clock.h"
#include "encode.h"
#include "env.h"
#include "gen.h"
#include "lua_blob.h"
#include "lua_member.h"
#include "mime.h"
#include "task.h"

#define MESSAGE_TYPE "paraph.message"
#define MESSAGE_MAX  ((size_t)36700160) /* bytes: Gmail's limit */
#define PARTS_MAX    1000

/* The stack of read_message(): the table, its members in this order, the message. */
enum {
    ARG = 1,
    ID,
    FROM,
    TO,
    CC,
    BCC,
    REPLY_TO,
    SUBJECT,
    TEXT,
    HTML,
    PARTS,
    THREAD_ID,
    IN_REPLY_TO,
    REFERENCES,
    DATE,
    MESSAGE
};

static const struct lua_member message_members[] = {
    {"id", MEMBER_STRING},
    {"from", MEMBER_TABLE | MEMBER_ABSENT},
    {"to", MEMBER_STRING | MEMBER_TABLE},
    {"cc", MEMBER_STRING | MEMBER_TABLE | MEMBER_ABSENT},
    {"bcc", MEMBER_STRING | MEMBER_TABLE | MEMBER_ABSENT},
    {"reply_to", MEMBER_STRING | MEMBER_TABLE | MEMBER_ABSENT},
    {"subject", MEMBER_STRING},
    {"text", MEMBER_STRING | MEMBER_ABSENT},
    {"html", MEMBER_STRING | MEMBER_ABSENT},
    {"parts", MEMBER_TABLE | MEMBER_ABSENT},
    {"thread_id", MEMBER_STRING | MEMBER_ABSENT},
    {"in_reply_to", MEMBER_STRING | MEMBER_ABSENT},
    {"references", MEMBER_STRING | MEMBER_ABSENT},
    {"date", MEMBER_STRING | MEMBER_ABSENT},
};

static const struct lua_member mailbox_members[] = {{"address", MEMBER_STRING},
                                                    {"name", MEMBER_STRING | MEMBER_ABSENT}};

static const struct lua_member part_members[] = {
    {"content", MEMBER_BLOB},
    {"filename", MEMBER_STRING | MEMBER_ABSENT},
    {"content_type", MEMBER_STRING | MEMBER_ABSENT},
    {"content_id", MEMBER_STRING | MEMBER_ABSENT},
};

/* --- building -------------------------------------------------------------------------------- */

static int parse_recipients(struct address_list *list, lua_State *L, int idx, const char *field,
                            struct err *e) {
    struct err cause;
    size_t n;
    const char *s = lua_tolstring(L, idx, &n);

    if (address_parse(list, s, n, &cause) == 0)
        return 0;
    return err_set_field(e, cause.code, field, "%s: %s", field, cause.message);
}

static int refuse_recipients(size_t n, struct err *e) {
    return err_set_field(e, ERR_INVALID_RECIPIENT, "to",
                         "to: there are %zu recipients in all, and %d are the most", n,
                         LUA_MESSAGE_RECIPIENTS_MAX);
}

/* One string, or a list of them. */
static int read_recipients(struct address_list *list, lua_State *L, int idx, struct err *e) {
    const char *name = message_members[idx - ID].name;
    char field[sizeof(e->field)];
    size_t n;

    if (lua_isnil(L, idx))
        return 0;
    if (lua_type(L, idx) == LUA_TSTRING)
        return parse_recipients(list, L, idx, name, e);
    n = lua_member_list_length(L, idx, name);
    if (n > LUA_MESSAGE_RECIPIENTS_MAX)
        return refuse_recipients(n, e);
    for (size_t i = 0; i < n; i++) {
        snprintf(field, sizeof(field), "%s[%zu]", name, i);
        if (lua_rawgeti(L, idx, (lua_Integer)i + 1) != LUA_TSTRING)
            return luaL_error(L, "wrong type of member '%s[%d]': string expected, got %s", name,
                              (int)i + 1, luaL_typename(L, -1));
        if (parse_recipients(list, L, -1, field, e) != 0)
            return -1;
        lua_pop(L, 1);
    }
    return 0;
}

static int read_all_recipients(struct message *msg, lua_State *L, struct err *e) {
    size_t n;

    if (read_recipients(&msg->to, L, TO, e) != 0 || read_recipients(&msg->cc, L, CC, e) != 0 ||
        read_recipients(&msg->bcc, L, BCC, e) != 0 ||
        read_recipients(&msg->reply_to, L, REPLY_TO, e) != 0)
        return -1;
    n = msg->to.n + msg->cc.n + msg->bcc.n;
    if (n == 0)
        return err_set_field(e, ERR_INVALID_RECIPIENT, "to", "to: there is no recipient");
    if (n > LUA_MESSAGE_RECIPIENTS_MAX)
        return refuse_recipients(n, e);
    return 0;
}

static int set_sender(struct address_list *from, const char *address, const char *name,
                      struct err *e) {
    struct address_list list = {0};
    struct err cause;
    int rc = -1;

    if (address_parse(&list, address, strlen(address), &cause) != 0)
        err_set_field(e, cause.code, "from", "from: %s", cause.message);
    else if (list.n != 1)
        err_set_field(e, ERR_INVALID_RECIPIENT, "from", "from: one address is needed, not %zu",
                      list.n);
    else if (mail_check_sender(list.v[0].spec, e) == 0)
        rc = address_list_add(from, &list.v[0], name) == 0
                 ? 0
                 : err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    address_list_fini(&list);
    return rc;
}

static int read_from(struct message *msg, lua_State *L, struct err *e) {
    int top = lua_gettop(L), rc;

    if (lua_isnil(L, FROM))
        return set_sender(&msg->from, env_sender(), NULL, e);
    if (lua_member_push(L, FROM, "from.", "from.", mailbox_members, COUNT_OF(mailbox_members), e) !=
        0)
        return -1;
    rc = set_sender(&msg->from, lua_tostring(L, top + 1), lua_tostring(L, top + 2), e);
    lua_settop(L, top);
    return rc;
}

static bool is_printable(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] > '~')
            return false;
    return true;
}

static int read_thread_id(struct message *msg, lua_State *L, struct err *e) {
    size_t n;
    const char *s = lua_tolstring(L, THREAD_ID, &n);

    if (s == NULL)
        return 0;
    if (n == 0 || n >= sizeof(msg->thread_id) || !is_printable(s, n))
        return err_set_field(e, ERR_INVALID_FIELD, "thread_id",
                             "thread_id: 1 to %zu printable ASCII characters are possible",
                             sizeof(msg->thread_id) - 1);
    memcpy(msg->thread_id, s, n + 1);
    return 0;
}

static int read_date(int64_t *date, lua_State *L, struct err *e) {
    int64_t us = gen_now_us(L);
    size_t n;
    const char *s = lua_tolstring(L, DATE, &n);

    if (s != NULL && (clock_parse(s, n, &us) != 0 || us < 0))
        return err_set_field(e, ERR_INVALID_FIELD, "date",
                             "date: '%.40s' is not an RFC 3339 time since 1970", s);
    *date = us / 1000000;
    return 0;
}

/* Leaves what it borrows on the stack.  In errors the parts have the name that requests give them.
 * What cannot fit is refused here, before megabytes of it have been encoded. */
static int read_parts(struct mime_message *m, lua_State *L, struct err *e) {
    struct mime_part *parts;
    size_t encoded = 0;
    char path[40], field[40];
    int top;

    if (lua_isnil(L, PARTS))
        return 0;
    m->nparts = lua_member_list_length(L, PARTS, "parts");
    if (m->nparts > PARTS_MAX)
        return err_set_field(e, ERR_INVALID_FIELD, "attachments", "attachments: %d are the most",
                             PARTS_MAX);
    m->parts = parts = lua_newuserdatauv(L, m->nparts * sizeof(*parts), 0);
    for (size_t i = 0; i < m->nparts; i++) {
        struct blob *content;

        luaL_checkstack(L, LUA_MINSTACK, NULL);
        snprintf(path, sizeof(path), "parts[%zu].", i + 1);
        snprintf(field, sizeof(field), "attachments[%zu].", i);
        if (lua_rawgeti(L, PARTS, (lua_Integer)i + 1) != LUA_TTABLE)
            return luaL_error(L, "member 'parts' must be a list of tables");
        top = lua_gettop(L);
        if (lua_member_push(L, top, path, field, part_members, COUNT_OF(part_members), e) != 0)
            return -1;
        if ((content = lua_blob_test(L, top + 1)) == NULL)
            return luaL_error(L, "member '%scontent' must be an open blob", path);
        encoded += encode_base64_lines_size(content->len);
        if (encoded > MESSAGE_MAX)
            return err_set_field(e, ERR_PAYLOAD_TOO_LARGE, "attachments",
                                 "attachments: the message would be longer than %zu bytes",
                                 MESSAGE_MAX);
        parts[i] = (struct mime_part){
            .data = content->data,
            .len = content->len,
            .filename = lua_tostring(L, top + 2),
            .content_type = lua_tostring(L, top + 3),
            .content_id = lua_tostring(L, top + 4),
        };
    }
    return 0;
}

static int write_message(struct message *msg, const struct mime_message *m, struct err *e) {
    struct buf out;
    size_t len;
    char *data;

    buf_init(&out, MESSAGE_MAX);
    if (mime_build(&out, m, &msg->stable, e) != 0) {
        buf_free(&out);
        return -1;
    }
    buf_trim(&out); /* it waits for its mailbox, perhaps with a thousand others */
    data = buf_take(&out, &len);
    if (data == NULL || (msg->bytes = blob_own(data, len)) == NULL) {
        free(data);
        return err_set(e, ERR_INTERNAL_ERROR, "out of memory");
    }
    return 0;
}

int lua_message_id(char out[LUA_MESSAGE_ID_SIZE], const char *id, const char *sender) {
    const char *at = strrchr(sender, '@');
    char uuid[CRYPTO_UUID_SIZE];

    if (crypto_uuid5(uuid, id, "message", strlen("message")) != 0)
        return -1;
    snprintf(out, LUA_MESSAGE_ID_SIZE, "%s@%s", uuid, at != NULL ? at + 1 : "");
    return 0;
}

static int check_message(struct message *msg, const struct mime_message *m, struct err *e) {
    (void)msg;
    return mime_check(m, MESSAGE_MAX, e);
}

typedef int message_fn(struct message *msg, const struct mime_message *m, struct err *e);

/* Do that with the message that the members describe. */
static int with_message(struct message *msg, lua_State *L, message_fn *fn, struct err *e) {
    char message_id[LUA_MESSAGE_ID_SIZE];
    struct mime_message m = {
        .subject = lua_tostring(L, SUBJECT),
        .message_id = message_id,
        .in_reply_to = lua_tostring(L, IN_REPLY_TO),
        .references = lua_tostring(L, REFERENCES),
        .paraph_id = lua_tostring(L, ID),
        .seed = lua_tostring(L, ID),
    };

    m.text = lua_tolstring(L, TEXT, &m.text_len);
    m.html = lua_tolstring(L, HTML, &m.html_len);
    if (!crypto_is_uuid(m.seed, strlen(m.seed)))
        return luaL_error(L, "member 'id' must be a UUID");
    memcpy(msg->id, m.seed, sizeof(msg->id));
    if (read_from(msg, L, e) != 0 || read_all_recipients(msg, L, e) != 0 ||
        read_thread_id(msg, L, e) != 0 || read_date(&m.date, L, e) != 0 ||
        read_parts(&m, L, e) != 0)
        return -1;
    (void)lua_message_id(message_id, m.seed, msg->from.v[0].spec);
    m.from = msg->from;
    m.to = msg->to;
    m.cc = msg->cc;
    m.bcc = msg->bcc;
    m.reply_to = msg->reply_to;
    return fn(msg, &m, e);
}

/* The same with the table that is the argument: the message, at MESSAGE, or NULL and *e. */
static struct message *read_message(lua_State *L, message_fn *fn, struct err *e) {
    struct message *msg;
    int status;

    luaL_checktype(L, ARG, LUA_TTABLE);
    lua_settop(L, ARG);
    if (lua_member_push(L, ARG, "", "", message_members, COUNT_OF(message_members), e) != 0)
        return NULL;
    msg = lua_newuserdatauv(L, sizeof(*msg), 1);
    memset(msg, 0, sizeof(*msg));
    luaL_setmetatable(L, MESSAGE_TYPE);
    task_bulk(true);
    status = with_message(msg, L, fn, e);
    task_bulk(false);
    lua_settop(L, MESSAGE);
    return status == 0 ? msg : NULL;
}

int lua_message_build(lua_State *L) {
    struct err e;
    struct message *msg = read_message(L, write_message, &e);

    if (msg == NULL)
        return task_push_err(L, &e);
    lua_blob_push(L, msg->bytes);
    lua_setiuservalue(L, MESSAGE, 1);
    return 1;
}

int lua_message_examine(lua_State *L) {
    struct err e;

    if (read_message(L, check_message, &e) == NULL)
        return task_push_err(L, &e);
    lua_pushboolean(L, true);
    return 1;
}

/* --- the type -------------------------------------------------------------------------------- */

struct message *lua_message_check(lua_State *L, int idx) {
    return luaL_checkudata(L, idx, MESSAGE_TYPE);
}

static int l_message_gc(lua_State *L) {
    struct message *msg = lua_message_check(L, 1);

    address_list_fini(&msg->from);
    address_list_fini(&msg->to);
    address_list_fini(&msg->cc);
    address_list_fini(&msg->bcc);
    address_list_fini(&msg->reply_to);
    blob_unref(msg->bytes);
    msg->bytes = NULL;
    return 0;
}

static int l_message_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)lua_message_check(L, 1)->bytes->len);
    return 1;
}

/* Never the content: it ends up in logs. */
static int l_message_tostring(lua_State *L) {
    lua_pushfstring(L, "message: %I bytes", (LUAI_UACINT)lua_message_check(L, 1)->bytes->len);
    return 1;
}

static int l_message_bytes(lua_State *L) {
    lua_message_check(L, 1);
    lua_getiuservalue(L, 1, 1);
    return 1;
}

static int l_message_etag(lua_State *L) {
    struct message *msg = lua_message_check(L, 1);

    if (msg->etag[0] == '\0') {
        task_bulk(true);
        crypto_sha256_hex(msg->etag, msg->bytes->data + msg->stable, msg->bytes->len - msg->stable);
        task_bulk(false);
    }
    lua_pushstring(L, msg->etag);
    return 1;
}

size_t lua_message_recipients(const struct message *msg, const char **specs) {
    const struct address_list *const lists[] = {&msg->to, &msg->cc, &msg->bcc};
    size_t n = 0;

    for (size_t l = 0; l < COUNT_OF(lists); l++)
        for (size_t i = 0; i < lists[l]->n; i++)
            specs[n++] = lists[l]->v[i].spec;
    return n;
}

static int l_message_recipients(lua_State *L) {
    const char *specs[LUA_MESSAGE_RECIPIENTS_MAX];
    size_t n = lua_message_recipients(lua_message_check(L, 1), specs);

    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushstring(L, specs[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int l_message_sender(lua_State *L) {
    lua_pushstring(L, lua_message_check(L, 1)->from.v[0].spec);
    return 1;
}

void lua_message_open(lua_State *L) {
    static const luaL_Reg metamethods[] = {
        {"__gc", l_message_gc},
        {"__len", l_message_len},
        {"__tostring", l_message_tostring},
        {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"bytes", l_message_bytes},
        {"etag", l_message_etag},
        {"recipients", l_message_recipients},
        {"sender", l_message_sender},
        {NULL, NULL},
    };

    luaL_newmetatable(L, MESSAGE_TYPE);
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, MESSAGE_TYPE);
    lua_setfield(L, -2, "__metatable"); /* getmetatable() gives the name, not the table */
    lua_pop(L, 1);
}
