/*
 * lua_store.c - paraph.store: get, create, update, delete, query, count, increment, parts, and
 *   claim (lua_claim.c).
 *
 * One kind of operation serves all verbs: a request goes in, a reply comes out, and the verb says
 * what of the reply the script sees.
 */
#include "lua_store.h"

#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "clock.h"
#include "frozen.h"
#include "gen.h"
#include "lua_blob.h"
#include "lua_claim.h"
#include "lua_json.h"
#include "store.h"
#include "task.h"

#define LIMIT_DEFAULT 50
#define MOST_DEFAULT  1000

static void store_op_cancel(struct op *op) {
    store_cancel(&((struct lua_store_op *)op)->call);
}

/* The trees of the request. */
static void free_trees(struct lua_store_op *o) {
    json_decref(o->fields);
    json_decref(o->append);
    o->fields = o->append = NULL;
    while (o->nwith > 0)
        json_decref(o->with[--o->nwith].fields);
}

static void store_op_release(struct op *op) {
    struct lua_store_op *o = (struct lua_store_op *)op;

    free_trees(o);
    store_reply_free(o->reply);
}

static void on_done(struct store_reply *reply, void *arg) {
    struct lua_store_op *o = arg;

    o->call = NULL;
    if (reply->err.code == ERR_NONE && (o->reply = store_reply_take(reply)) == NULL)
        err_set(&reply->err, ERR_STORE_ERROR, "out of memory");
    op_ready(&o->op, &reply->err);
}

/* --- replies --------------------------------------------------------------------------------- */

static void push_page(lua_State *L, const struct store_reply *r) {
    lua_createtable(L, 0, 2);
    lua_createtable(L, (int)r->ndocs, 0);
    for (size_t i = 0; i < r->ndocs; i++) {
        lua_createtable(L, 0, 3);
        lua_pushstring(L, r->docs[i].id);
        lua_setfield(L, -2, "id");
        lua_pushstring(L, r->docs[i].version);
        lua_setfield(L, -2, "version");
        lua_json_push(L, r->docs[i].fields);
        lua_setfield(L, -2, "document");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "documents");
    lua_pushstring(L, r->next_page_token); /* nil if there is none */
    lua_setfield(L, -2, "next_page_token");
}

static void push_parts(lua_State *L, const struct store_reply *r) {
    lua_createtable(L, (int)r->nparts, 0);
    for (size_t i = 0; i < r->nparts; i++) {
        lua_blob_push(L, r->parts[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* What the verb returns; how many values. */
static int push_reply(lua_State *L, enum store_verb verb, const struct store_reply *r) {
    switch (verb) {
    case STORE_CREATE:
        lua_pushstring(L, r->version);
        return 1;
    case STORE_DELETE:
        lua_pushboolean(L, true);
        return 1;
    case STORE_INCREMENT:
        lua_pushboolean(L, r->found);
        return 1;
    case STORE_QUERY:
        push_page(L, r);
        return 1;
    case STORE_COUNT:
        lua_pushinteger(L, (lua_Integer)r->count);
        return 1;
    default:
        break;
    }
    if (!r->found) {
        lua_pushnil(L);
        return 1;
    }
    if (verb == STORE_PARTS) {
        push_parts(L, r);
        return 1;
    }
    if (verb == STORE_GET)
        lua_json_push(L, r->fields);
    lua_pushstring(L, r->version);
    return verb == STORE_GET ? 2 : 1;
}

static int l_store_finish(lua_State *L, int status, lua_KContext ctx) {
    struct lua_store_op *o = (struct lua_store_op *)ctx;
    int n;

    (void)status;
    if (o->op.err != NULL)
        return op_push_err(L, &o->op);
    task_bulk(true);
    n = push_reply(L, o->verb, o->reply);
    op_close(&o->op);
    task_bulk(false);
    return n;
}

/* --- requests -------------------------------------------------------------------------------- */

void *lua_store_op_new(lua_State *L, size_t size, enum store_verb verb, int document) {
    struct lua_store_op *o = op_new(L, size, store_op_cancel, store_op_release);
    struct err e;

    o->verb = verb;
    if (document == 0)
        return o;
    if ((o->fields = lua_json_read(L, document, &e)) == NULL) {
        op_close(&o->op);
        (void)task_push_err(L, &e);
        return NULL;
    }
    luaL_argcheck(L, json_is_object(o->fields), document, "a document is no list");
    return o;
}

int lua_store_op_start(lua_State *L, struct lua_store_op *o, struct store_request *rq,
                       lua_KFunction finish) {
    rq->fields = o->fields;
    rq->append = o->append;
    rq->with = o->with;
    rq->nwith = o->nwith;
    rq->scratch = gen_scratch(L);
    task_bulk(true); /* parts are megabytes, and SQLite reads them here and now */
    if (!op_refused(L, &o->op))
        o->call = store_start(rq, on_done, o);
    task_bulk(false);
    free_trees(o);
    return op_wait(L, &o->op, finish);
}

static int wait_for(lua_State *L, struct store_request *rq, int document) {
    struct lua_store_op *o = lua_store_op_new(L, sizeof(*o), rq->verb, document);

    return o == NULL ? 2 : lua_store_op_start(L, o, rq, l_store_finish);
}

/* The collection and id at 1 and 2. */
static void check_name(lua_State *L, struct store_request *rq) {
    size_t n;

    task_check(L);
    rq->collection = luaL_checkstring(L, 1);
    rq->id = luaL_checklstring(L, 2, &n);
    if (strlen(rq->id) != n)
        rq->id = ""; /* no id has a NUL: it is refused like this one */
}

void lua_store_check_options(lua_State *L, int idx, const char *const *names) {
    lua_settop(L, idx);
    if (lua_isnil(L, idx)) {
        lua_newtable(L);
        lua_replace(L, idx);
    }
    luaL_checktype(L, idx, LUA_TTABLE);
    frozen_read(L, idx);
    for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1)) {
        size_t i = 0;

        while (names[i] != NULL &&
               (lua_type(L, -2) != LUA_TSTRING || strcmp(names[i], lua_tostring(L, -2)) != 0))
            i++;
        if (names[i] == NULL)
            luaL_error(L, "unknown option '%s'", luaL_tolstring(L, -2, NULL));
    }
}

/* Push an option; false if it is not given.  What it holds lives as long as the table at idx, since
 * no script runs before the request is started. */
static bool push_option(lua_State *L, int idx, const char *name, int type) {
    lua_pushstring(L, name);
    if (lua_rawget(L, idx) == LUA_TNIL)
        return false;
    if (lua_type(L, -1) != type)
        luaL_error(L, "option '%s' must be a %s", name, lua_typename(L, type));
    frozen_read(L, -1);
    return true;
}

static const char *text_option(lua_State *L, int idx, const char *name) {
    const char *text = push_option(L, idx, name, LUA_TSTRING) ? lua_tostring(L, -1) : NULL;

    lua_pop(L, 1);
    return text;
}

/* A time, in the form that the store takes it in. */
static const char *time_option(lua_State *L, int idx, const char *name,
                               char text[CLOCK_TEXT_SIZE]) {
    const char *given = text_option(L, idx, name);
    int64_t us;

    if (given == NULL)
        return NULL;
    if (clock_parse(given, strlen(given), &us) != 0)
        luaL_error(L, "option '%s' must be an RFC 3339 time", name);
    clock_format(text, us);
    return text;
}

/* One more than a document may have is read, so that the store refuses it. */
static void parts_option(lua_State *L, int idx, struct store_request *rq,
                         struct blob *parts[STORE_PARTS_MAX + 1]) {
    rq->set_parts = push_option(L, idx, "parts", LUA_TTABLE);
    rq->parts = parts;
    for (; rq->set_parts && rq->nparts <= STORE_PARTS_MAX; rq->nparts++) {
        if (lua_rawgeti(L, -1, (lua_Integer)rq->nparts + 1) == LUA_TNIL) {
            lua_pop(L, 1);
            break;
        }
        if ((parts[rq->nparts] = lua_blob_test(L, -1)) == NULL)
            luaL_error(L, "option 'parts' must be a list of blobs");
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

void lua_store_remove_option(lua_State *L, int idx, struct store_request *rq,
                             const char *names[LUA_STORE_REMOVE_MAX]) {
    size_t n = push_option(L, idx, "remove", LUA_TTABLE) ? lua_rawlen(L, -1) : 0;

    if (n > LUA_STORE_REMOVE_MAX)
        luaL_error(L, "option 'remove' must not name more than %d members", LUA_STORE_REMOVE_MAX);
    for (rq->nremove = 0; rq->nremove < n; rq->nremove++) {
        if (lua_rawgeti(L, -1, (lua_Integer)rq->nremove + 1) != LUA_TSTRING)
            luaL_error(L, "option 'remove' must be a list of names");
        names[rq->nremove] = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    rq->remove = names;
    lua_pop(L, 1);
}

/* One of them, at the top. */
static bool read_companion(lua_State *L, struct lua_store_op *o) {
    static const char *const names[] = {"collection", "id", "document", NULL};
    struct store_companion *with = &o->with[o->nwith];
    int at = lua_gettop(L);
    struct err e;

    if (!lua_istable(L, at))
        luaL_error(L, "option 'with' must be a list of tables");
    lua_store_check_options(L, at, names);
    with->collection = text_option(L, at, "collection");
    with->id = text_option(L, at, "id");
    if (with->collection == NULL || with->id == NULL || !push_option(L, at, "document", LUA_TTABLE))
        luaL_error(L, "option 'with': each has a collection, an id and a document");
    if ((with->fields = lua_json_read(L, -1, &e)) == NULL) {
        op_close(&o->op);
        (void)task_push_err(L, &e);
        return false;
    }
    o->nwith++;
    if (!json_is_object(with->fields))
        luaL_error(L, "option 'with': a document is no list");
    return true;
}

bool lua_store_with_option(lua_State *L, int idx, struct lua_store_op *o) {
    int list = lua_gettop(L) + 1;
    size_t n = push_option(L, idx, "with", LUA_TTABLE) ? lua_rawlen(L, list) : 0;

    if (n > STORE_WITH_MAX)
        luaL_error(L, "option 'with' must not hold more than %d documents", STORE_WITH_MAX);
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, list, (lua_Integer)i);
        if (!read_companion(L, o))
            return false;
        lua_settop(L, list);
    }
    lua_settop(L, list - 1);
    return true;
}

/* A write of the document at an index, with the options behind it. */
static int write_document(lua_State *L, struct store_request *rq, int document) {
    struct lua_store_op *o = lua_store_op_new(L, sizeof(*o), rq->verb, document);

    if (o == NULL || !lua_store_with_option(L, document + 1, o))
        return 2;
    return lua_store_op_start(L, o, rq, l_store_finish);
}

/* --- the functions --------------------------------------------------------------------------- */

static int l_get(lua_State *L) {
    static const char *const options[] = {"without", NULL};
    struct store_request rq = {.verb = STORE_GET};

    check_name(L, &rq);
    lua_store_check_options(L, 3, options);
    rq.without = text_option(L, 3, "without");
    return wait_for(L, &rq, 0);
}

static int l_create(lua_State *L) {
    static const char *const options[] = {"parts", "with", NULL};
    struct store_request rq = {.verb = STORE_CREATE};
    struct blob *parts[STORE_PARTS_MAX + 1];

    check_name(L, &rq);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_store_check_options(L, 4, options);
    parts_option(L, 4, &rq, parts);
    return write_document(L, &rq, 3);
}

static int l_update(lua_State *L) {
    static const char *const options[] = {"version", "remove", "parts", "with", NULL};
    struct store_request rq = {.verb = STORE_UPDATE};
    struct blob *parts[STORE_PARTS_MAX + 1];
    const char *names[LUA_STORE_REMOVE_MAX];

    check_name(L, &rq);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_store_check_options(L, 4, options);
    rq.version = text_option(L, 4, "version");
    lua_store_remove_option(L, 4, &rq, names);
    parts_option(L, 4, &rq, parts);
    return write_document(L, &rq, 3);
}

static int l_delete(lua_State *L) {
    static const char *const options[] = {"version", NULL};
    struct store_request rq = {.verb = STORE_DELETE};

    check_name(L, &rq);
    lua_store_check_options(L, 3, options);
    rq.version = text_option(L, 3, "version");
    return wait_for(L, &rq, 0);
}

/* Options `status` and `waiting`, of which one at most is given. */
static void filter_options(lua_State *L, int idx, struct store_request *rq) {
    const char *status = text_option(L, idx, "status"), *waiting = text_option(L, idx, "waiting");

    if (status != NULL && waiting != NULL)
        luaL_error(L, "options 'status' and 'waiting' are not for the same listing");
    rq->is = status != NULL ? status : waiting;
    if (rq->is != NULL)
        rq->where = status != NULL ? "status" : "waiting";
}

static unsigned limit_option(lua_State *L, int idx, const char *name, unsigned otherwise,
                             unsigned max) {
    lua_Integer limit = otherwise;
    int whole = true;

    if (push_option(L, idx, name, LUA_TNUMBER))
        limit = lua_tointegerx(L, -1, &whole);
    if (!whole || limit < 1 || limit > max)
        luaL_error(L, "option '%s' must be an integer from 1 to %d", name, (int)max);
    lua_pop(L, 1);
    return (unsigned)limit;
}

static int l_query(lua_State *L) {
    static const char *const options[] = {"status", "waiting",    "limit",
                                          "before", "page_token", NULL};
    struct store_request rq = {.verb = STORE_QUERY};
    char before[CLOCK_TEXT_SIZE];

    task_check(L);
    rq.collection = luaL_checkstring(L, 1);
    lua_store_check_options(L, 2, options);
    filter_options(L, 2, &rq);
    rq.before = time_option(L, 2, "before", before);
    rq.page_token = text_option(L, 2, "page_token");
    rq.limit = limit_option(L, 2, "limit", LIMIT_DEFAULT, STORE_LIMIT_MAX);
    return wait_for(L, &rq, 0);
}

static int l_count(lua_State *L) {
    static const char *const options[] = {"status", "waiting", "most", NULL};
    struct store_request rq = {.verb = STORE_COUNT};

    task_check(L);
    rq.collection = luaL_checkstring(L, 1);
    lua_store_check_options(L, 2, options);
    filter_options(L, 2, &rq);
    rq.limit = limit_option(L, 2, "most", MOST_DEFAULT, STORE_COUNT_MAX);
    return wait_for(L, &rq, 0);
}

/* Option `append`, { member = name, value = any }: push { [name] = value }.  Its index, or 0. */
static int append_option(lua_State *L, int idx) {
    static const char *const options[] = {"member", "value", NULL};
    int append;

    if (!push_option(L, idx, "append", LUA_TTABLE))
        return 0;
    append = lua_gettop(L);
    lua_store_check_options(L, append, options);
    lua_newtable(L);
    if (!push_option(L, append, "member", LUA_TSTRING))
        luaL_error(L, "option 'append' has no 'member'");
    lua_pushliteral(L, "value");
    if (lua_rawget(L, append) == LUA_TNIL)
        luaL_error(L, "option 'append' has no 'value'");
    lua_rawset(L, append + 1);
    return append + 1;
}

static int l_increment(lua_State *L) {
    static const char *const options[] = {"counter", "also",    "first", "last", "append",
                                          "set",     "version", "with",  NULL};
    struct store_request rq = {.verb = STORE_INCREMENT};
    struct lua_store_op *o;
    char now[CLOCK_TEXT_SIZE];
    int set, append;
    struct err e;

    check_name(L, &rq);
    lua_store_check_options(L, 3, options);
    rq.counter = text_option(L, 3, "counter");
    rq.also = text_option(L, 3, "also");
    rq.first = text_option(L, 3, "first");
    rq.last = text_option(L, 3, "last");
    rq.version = text_option(L, 3, "version");
    luaL_argcheck(L, rq.counter != NULL, 3, "option 'counter' is missing");
    clock_format(now, gen_now_us(L));
    rq.now = now;
    append = append_option(L, 3);
    set = push_option(L, 3, "set", LUA_TTABLE) ? lua_gettop(L) : 0;
    if ((o = lua_store_op_new(L, sizeof(*o), rq.verb, set)) == NULL)
        return 2;
    if (append != 0 && (o->append = lua_json_read(L, append, &e)) == NULL) {
        op_close(&o->op);
        return task_push_err(L, &e);
    }
    if (!lua_store_with_option(L, 3, o))
        return 2;
    return lua_store_op_start(L, o, &rq, l_store_finish);
}

static int l_parts(lua_State *L) {
    struct store_request rq = {.verb = STORE_PARTS};

    check_name(L, &rq);
    return wait_for(L, &rq, 0);
}

int lua_store_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"get", l_get},
        {"create", l_create},
        {"update", l_update},
        {"delete", l_delete},
        {"query", l_query},
        {"count", l_count},
        {"increment", l_increment},
        {"parts", l_parts},
        {"claim", lua_claim_take},
        {NULL, NULL},
    };

    lua_claim_open(L);
    luaL_newlib(L, functions);
    return 1;
}
