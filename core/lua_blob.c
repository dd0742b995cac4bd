/*
 * lua_blob.c - paraph.blob: immutable bytes that live outside Lua.
 *
 * A blob is a userdata that holds one reference; the reference is given back by <close>, or by
 * the collector.
 */
#include "lua_blob.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "crypto.h"
#include "encode.h"
#include "task.h"

#define BLOB_TYPE   "paraph.blob"
#define STRING_MAX  ((lua_Integer)MIB)
#define ENCODED_MAX (128 * MIB) /* of what a method makes: bigger than any body or message */

struct box {
    struct blob *blob;            /* NULL: none yet, or closed */
    struct task_account *account; /* that its bytes are charged to, or NULL */
};

static struct box *box_push(lua_State *L) {
    struct box *box = lua_newuserdatauv(L, sizeof(*box), 0);

    *box = (struct box){NULL, NULL};
    luaL_setmetatable(L, BLOB_TYPE);
    return box;
}

/* The box at the top takes over the caller's reference.  The collector sees the few bytes of the
 * box alone: let it work as if Lua had allocated the content, so that garbage does not pile up. */
static void box_fill(lua_State *L, struct box *box, struct blob *b) {
    box->blob = b;
    box->account = task_charge(L, b->len);
    if (b->len >= KIB)
        lua_gc(L, LUA_GCSTEP, (int)(b->len / KIB));
}

void lua_blob_push(lua_State *L, struct blob *b) {
    struct box *box;

    if (b == NULL) {
        lua_pushnil(L);
        return;
    }
    box = box_push(L); /* may raise: no reference before it */
    box_fill(L, box, blob_ref(b));
}

void lua_blob_push_copy(lua_State *L, const void *p, size_t n) {
    struct box *box = box_push(L);
    struct blob *b = blob_copy(p, n);

    if (b == NULL) {
        luaL_error(L, "not enough memory for a blob of this size");
        return;
    }
    box_fill(L, box, b);
}

struct blob *lua_blob_test(lua_State *L, int idx) {
    struct box *box = luaL_testudata(L, idx, BLOB_TYPE);

    return box != NULL ? box->blob : NULL;
}

struct blob *lua_blob_check(lua_State *L, int idx) {
    struct box *box = luaL_checkudata(L, idx, BLOB_TYPE);

    luaL_argcheck(L, box->blob != NULL, idx, "the blob is closed");
    return box->blob;
}

static bool is_string(lua_State *L, int idx) {
    luaL_argexpected(L, lua_type(L, idx) == LUA_TSTRING || luaL_testudata(L, idx, BLOB_TYPE), idx,
                     "string or " BLOB_TYPE);
    return lua_type(L, idx) == LUA_TSTRING;
}

const char *lua_blob_bytes(lua_State *L, int idx, size_t *len) {
    struct blob *b;

    if (is_string(L, idx))
        return lua_tolstring(L, idx, len);
    b = lua_blob_check(L, idx);
    *len = b->len;
    return b->data;
}

struct blob *lua_blob_take(lua_State *L, int idx) {
    size_t len;
    const char *s;

    if (!is_string(L, idx))
        return blob_ref(lua_blob_check(L, idx));
    s = lua_tolstring(L, idx, &len);
    return blob_copy(s, len);
}

/* --- the type -------------------------------------------------------------------------------- */

static int l_close(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, BLOB_TYPE);

    if (box->account != NULL)
        task_uncharge(box->account, box->blob->len);
    blob_unref(box->blob);
    *box = (struct box){NULL, NULL};
    return 0;
}

static int l_len(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)lua_blob_check(L, 1)->len);
    return 1;
}

/* Never the content: it ends up in logs. */
static int l_tostring(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, BLOB_TYPE);

    if (box->blob == NULL)
        lua_pushliteral(L, "blob: closed");
    else
        lua_pushfstring(L, "blob: %I bytes", (LUAI_UACINT)box->blob->len);
    return 1;
}

static int l_string(lua_State *L) {
    struct blob *b = lua_blob_check(L, 1);
    lua_Integer max = luaL_optinteger(L, 2, STRING_MAX);

    luaL_argcheck(L, max >= 0, 2, "must not be negative");
    if (b->len > (size_t)max)
        return luaL_error(L, "the blob has %I bytes, and at most %I were asked for",
                          (LUAI_UACINT)b->len, (LUAI_UACINT)max);
    lua_pushlstring(L, b->data, b->len);
    return 1;
}

/* The content of the buffer, which is empty afterwards, as a blob in the box at the top; raises
 * if the buffer has failed. */
static int return_buf(lua_State *L, struct box *box, struct buf *buf) {
    size_t len;
    char *data = buf_take(buf, &len);
    struct blob *b = data == NULL ? NULL : blob_own(data, len);

    buf_free(buf);
    if (b == NULL) {
        free(data);
        return luaL_error(L, "not enough memory for a blob of this size");
    }
    box_fill(L, box, b);
    return 1;
}

static int l_base64_decode(lua_State *L) {
    struct blob *b = lua_blob_check(L, 1);
    struct box *box = box_push(L);
    struct buf out;
    struct err e;
    int status;

    task_bulk(true);
    buf_init(&out, b->len);
    status = encode_base64_decode(&out, b->data, b->len, &e);
    task_bulk(false);
    if (status == 0)
        return return_buf(L, box, &out);
    buf_free(&out);
    return task_push_err(L, &e);
}

static int l_base64_encode(lua_State *L) {
    struct blob *b = lua_blob_check(L, 1);
    struct box *box = box_push(L);
    struct buf out;

    task_bulk(true);
    buf_init(&out, ENCODED_MAX);
    encode_base64(&out, b->data, b->len);
    task_bulk(false);
    return return_buf(L, box, &out);
}

static int l_sha256(lua_State *L) {
    struct blob *b = lua_blob_check(L, 1);
    char hex[CRYPTO_SHA256_HEX];

    task_bulk(true);
    crypto_sha256_hex(hex, b->data, b->len);
    task_bulk(false);
    lua_pushstring(L, hex);
    return 1;
}

/* --- pieces ---------------------------------------------------------------------------------- */

/* Bytes that slices share stay charged until the last of them goes, whoever closes the whole. */
struct share {
    struct blob *blob;
    struct task_account *account;
};

static void share_release(void *owner) {
    struct share *share = owner;

    task_uncharge(share->account, share->blob->len);
    blob_unref(share->blob);
    free(share);
}

/* Hand the charge of a box to its blob.  False: out of memory. */
static bool share_charge(struct box *box) {
    struct share *share;
    struct blob *b;

    if (box->account == NULL)
        return true;
    if ((share = malloc(sizeof(*share))) == NULL)
        return false;
    *share = (struct share){box->blob, box->account};
    if ((b = blob_wrap(box->blob->data, box->blob->len, share_release, share)) == NULL) {
        free(share);
        return false;
    }
    *box = (struct box){b, NULL};
    return true;
}

/* Where the argument at idx points: from 1 on; from the end if it is negative, as for string.sub;
 * before the first byte is 0, behind the last len + 1. */
static size_t check_position(lua_State *L, int idx, lua_Integer otherwise, size_t len) {
    lua_Integer at = luaL_optinteger(L, idx, otherwise), n = (lua_Integer)len;

    if (at < 0)
        at = at < -n ? 0 : n + at + 1;
    return (size_t)(at > n ? n + 1 : at);
}

/* find(text, from) -> where it begins, or nil */
static int l_find(lua_State *L) {
    struct blob *b = lua_blob_check(L, 1);
    size_t len, from = check_position(L, 3, 1, b->len);
    const char *text = luaL_checklstring(L, 2, &len), *found = NULL;

    from -= from > 0;
    task_bulk(true);
    if (luaL_optinteger(L, 3, 1) <= (lua_Integer)b->len + 1)
        found = memmem(b->data + from, b->len - from, text, len);
    task_bulk(false);
    if (found != NULL)
        lua_pushinteger(L, found - b->data + 1);
    else
        lua_pushnil(L);
    return 1;
}

/* slice(from, to) -> blob */
static int l_slice(lua_State *L) {
    struct blob *whole = lua_blob_check(L, 1), *slice;
    size_t from, to;
    struct box *box;

    luaL_checkinteger(L, 2);
    from = check_position(L, 2, 1, whole->len);
    to = check_position(L, 3, -1, whole->len);
    from -= from > 0;
    to = to > whole->len ? whole->len : to;
    box = box_push(L);
    if (!share_charge(lua_touserdata(L, 1)) ||
        (slice = blob_slice(lua_blob_check(L, 1), from, to > from ? to - from : 0)) == NULL)
        return luaL_error(L, "not enough memory for a slice");
    box->blob = slice;
    return 1;
}

int lua_blob_open(lua_State *L) {
    static const luaL_Reg metamethods[] = {
        {"__gc", l_close},          {"__close", l_close}, {"__len", l_len},
        {"__tostring", l_tostring}, {NULL, NULL},
    };
    static const luaL_Reg methods[] = {
        {"close", l_close},
        {"string", l_string},
        {"base64_decode", l_base64_decode},
        {"base64_encode", l_base64_encode},
        {"find", l_find},
        {"sha256", l_sha256},
        {"slice", l_slice},
        {NULL, NULL},
    };

    luaL_newmetatable(L, BLOB_TYPE);
    luaL_setfuncs(L, metamethods, 0);
    luaL_newlib(L, methods);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, BLOB_TYPE);
    lua_setfield(L, -2, "__metatable"); /* getmetatable() gives the name, not the table */
    lua_pop(L, 1);
    lua_newtable(L);
    return 1;
}
