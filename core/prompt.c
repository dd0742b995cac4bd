#include "prompt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "buf.h"
#include "encode.h"
#include "excerpt.h"
#include "frozen.h"
#include "gen.h"
#include "loop.h"
#include "request.h"
#include "sandbox.h"
#include "scratch.h"
#include "tree.h"

#define MODULE   "prompt.session"
#define TEXT_MAX (8 * MIB)

struct prompt {
    struct prompt_host host;
    struct scratch *world;
    struct gen *gen;
    bool live;
    /* the line that runs, or has just ended */
    const char *function; /* of the module */
    char *line;
    unsigned columns;
    struct task *task;
    struct loop_timer *later; /* it has ended: the rest happens outside of it */
    bool raised;
    char *word, *text, *more;
    prompt_done_fn *done;
    void *arg;
};

static const char *const words[PROMPT_VERBS] = {
    [PROMPT_SHOWN] = "shown", [PROMPT_FAILED] = "failed", [PROMPT_MORE] = "more",
    [PROMPT_ASK] = "ask",     [PROMPT_DOCTOR] = "doctor", [PROMPT_QUIT] = "quit"};

const char *prompt_word(enum prompt_verb verb) {
    return words[verb];
}

enum prompt_verb prompt_verb(const char *word) {
    int verb = 0;

    while (verb < PROMPT_VERBS && strcmp(words[verb], word) != 0)
        verb++;
    return (enum prompt_verb)verb;
}

/* For people: valid UTF-8 without what a terminal would obey, whoever wrote it. */
static char *clean(const char *text, size_t n) {
    struct buf out;
    char *result;

    buf_init(&out, TEXT_MAX);
    encode_printable(&out, text, n);
    result = buf_take(&out, NULL);
    buf_free(&out);
    return result;
}

static void forget(struct prompt *p) {
    char **texts[] = {&p->line, &p->word, &p->text, &p->more};

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
}

static void set_text(struct prompt *p, char *text) {
    free(p->text);
    p->text = text;
}

/* --- what its generation has besides --------------------------------------------------------- */

static int l_print(lua_State *L) {
    const struct prompt *p = lua_touserdata(L, lua_upvalueindex(1));
    int n = lua_gettop(L);
    luaL_Buffer b;
    char *text;

    luaL_buffinit(L, &b);
    for (int i = 1; i <= n; i++) {
        if (i > 1)
            luaL_addchar(&b, '\t');
        luaL_tolstring(L, i, NULL);
        luaL_addvalue(&b);
    }
    luaL_addchar(&b, '\n');
    luaL_pushresult(&b);
    text = clean(lua_tostring(L, -1), lua_rawlen(L, -1));
    if (text != NULL)
        p->host.print(text, p->host.arg);
    free(text);
    return 0;
}

/* writable(module): the table behind the view that scripts have of it */
static int l_writable(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    frozen_resolve(L, 1);
    return 1;
}

/* save(text) -> path; nil and why not: a page in a file of its own in the working directory */
static int l_save(lua_State *L) {
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n);
    char path[] = "preview-XXXXXX.html";
    int fd = mkstemps(path, 5);
    bool written = fd >= 0 && write(fd, text, n) == (ssize_t)n;

    if (fd >= 0)
        written = close(fd) == 0 && written;
    if (written) {
        lua_pushstring(L, path);
        return 1;
    }
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
}

/* The function of our module, which stays on the stack. */
static void push_function(lua_State *L, const char *name) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, MODULE);
    lua_call(L, 1, 1);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
}

/* prompt, saved variables -> nothing */
static int l_equip(lua_State *L) {
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    lua_pushcclosure(L, l_print, 1);
    sandbox_define(L, "print");
    push_function(L, "begin");
    lua_pushcfunction(L, l_writable);
    lua_pushvalue(L, 2);
    lua_call(L, 2, 0);
    return 0;
}

/* The next generation; NULL: it cannot be, and the present one stays. */
static struct gen *load(struct prompt *p, struct tree *tree, bool live, const char *saved,
                        struct err *e) {
    struct gen *g = gen_load_in(tree, live ? NULL : p->world, e);
    lua_State *L;

    if (g == NULL)
        return NULL;
    L = gen_state(g);
    lua_pushcfunction(L, l_equip);
    lua_pushlightuserdata(L, p);
    lua_pushstring(L, saved);
    if (task_pcall(g, L, 2, 0) == LUA_OK)
        return g;
    err_set(e, ERR_POLICY_ERROR, "%s", lua_tostring(L, -1));
    gen_drop(g);
    return NULL;
}

/* --- another generation ---------------------------------------------------------------------- */

static void add_name(const char *name, void *arg) {
    buf_addf(arg, "\n  %s", name);
}

/* What has changed, before what there is to say besides. */
static void tell_changes(struct prompt *p, const struct tree *old, const struct tree *now) {
    struct buf text;
    size_t empty;

    buf_init(&text, TEXT_MAX);
    buf_adds(&text, "changed:");
    empty = text.len;
    tree_compare(old, now, add_name, &text);
    if (text.len == empty)
        buf_adds(&text, " nothing");
    buf_addf(&text, "%s%s", p->text[0] != '\0' ? "\n" : "", p->text);
    set_text(p, buf_take(&text, NULL));
    buf_free(&text);
}

static void tell_failure(struct prompt *p, const struct tree *tree, const struct err *e) {
    struct buf text;

    buf_init(&text, TEXT_MAX);
    excerpt_add(&text, tree, e->message);
    buf_adds(&text, "\n(the scripts stay as they were)");
    set_text(p, buf_take(&text, NULL));
    buf_free(&text);
}

/* p->more holds the variables to go on with. */
static enum prompt_verb turn(struct prompt *p, bool live, bool reread) {
    struct err e;
    struct tree *tree = reread ? p->host.read_tree(&e) : tree_ref(gen_tree(p->gen));
    struct gen *g = tree != NULL ? load(p, tree, live, p->more, &e) : NULL;

    if (g == NULL) {
        tell_failure(p, tree, &e);
    } else {
        if (reread)
            tell_changes(p, gen_tree(p->gen), tree);
        gen_drop(p->gen);
        p->gen = g;
        p->live = live;
    }
    tree_unref(tree);
    return g != NULL ? PROMPT_SHOWN : PROMPT_FAILED;
}

/* --- the end of a line ----------------------------------------------------------------------- */

/* prompt -> text: what there is to show of an error, in p->text with its chain of calls */
static int l_explain(lua_State *L) {
    const struct prompt *p = lua_touserdata(L, 1);

    push_function(L, "explain");
    lua_pushstring(L, p->text);
    lua_pushstring(L, p->line);
    lua_call(L, 2, 1);
    return 1;
}

static void explain(struct prompt *p) {
    lua_State *L = gen_state(p->gen);

    lua_pushcfunction(L, l_explain);
    lua_pushlightuserdata(L, p);
    if (task_pcall(p->gen, L, 1, 1) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
        set_text(p, clean(lua_tostring(L, -1), lua_rawlen(L, -1)));
    lua_pop(L, 1);
}

static enum prompt_verb conclude(struct prompt *p) {
    if (p->raised) {
        explain(p);
        return PROMPT_FAILED;
    }
    if (prompt_verb(p->word) != PROMPT_VERBS)
        return prompt_verb(p->word);
    return turn(p, strcmp(p->word, "reload") == 0 ? p->live : strcmp(p->word, "live") == 0,
                strcmp(p->word, "reload") == 0);
}

static void on_later(void *arg) {
    struct prompt *p = arg;
    prompt_done_fn *done = p->done;
    struct prompt_answer a = {PROMPT_FAILED, "there is not enough memory for this", ""};
    struct prompt ended;

    loop_timer_stop(&p->later);
    if (p->word != NULL && p->text != NULL && p->more != NULL)
        a.verb = conclude(p);
    if (p->text != NULL && p->more != NULL)
        a = (struct prompt_answer){a.verb, p->text, p->more};
    ended = *p; /* done() may begin the next line, or be the end of the session */
    p->line = p->word = p->text = p->more = NULL;
    p->done = NULL;
    done(&a, ended.arg);
    forget(&ended);
}

static const char *text_at(lua_State *L, int idx) {
    return lua_type(L, idx) == LUA_TSTRING ? lua_tostring(L, idx) : "";
}

/* What there is to show may be anybody's; what a script wrote for itself stays as it is. */
static void take_results(struct prompt *p, lua_State *co, int first) {
    const char *text = text_at(co, first + 1);

    p->word = strdup(text_at(co, first));
    p->text = clean(text, *text != '\0' ? lua_rawlen(co, first + 1) : 0);
    p->more = strdup(text_at(co, first + 2));
}

static void take_error(struct prompt *p, const char *trace) {
    p->raised = true;
    p->word = strdup("failed");
    p->text = clean(trace, strlen(trace));
    p->more = strdup("");
}

/* word, text, more */
static void on_ended(lua_State *co, int status, int nres, const char *trace, void *arg) {
    struct prompt *p = arg;

    p->task = NULL;
    p->raised = false;
    if (status != LUA_OK)
        take_error(p, trace);
    else
        take_results(p, co, lua_gettop(co) - nres + 1);
    p->later = loop_timer_start(0, on_later, p);
}

/* --- a line ---------------------------------------------------------------------------------- */

/* prompt -> function, line, what it has to know */
static int l_prepare(lua_State *L) {
    const struct prompt *p = lua_touserdata(L, 1);

    lua_settop(L, 0);
    push_function(L, p->function);
    lua_pushstring(L, p->line);
    lua_createtable(L, 0, 5);
    lua_pushinteger(L, p->columns);
    lua_setfield(L, -2, "columns");
    lua_pushboolean(L, p->live);
    lua_setfield(L, -2, "live");
    lua_pushboolean(L, p->host.attached);
    lua_setfield(L, -2, "attached");
    request_push_caller(L, &p->host.owner);
    lua_setfield(L, -2, "caller");
    if (!p->host.attached) {
        lua_pushcfunction(L, l_save);
        lua_setfield(L, -2, "save");
    }
    return 3;
}

static void start(struct prompt *p, const char *function, const char *line, unsigned columns,
                  prompt_done_fn *done, void *arg) {
    lua_State *L = gen_state(p->gen);
    struct task *t;

    p->function = function;
    p->line = strdup(line);
    p->columns = columns;
    p->done = done;
    p->arg = arg;
    lua_pushcfunction(L, l_prepare);
    lua_pushlightuserdata(L, p);
    if (task_pcall(p->gen, L, 1, 3) != LUA_OK) {
        take_error(p, lua_tostring(L, -1));
        lua_pop(L, 1);
        p->later = loop_timer_start(0, on_later, p);
        return;
    }
    t = task_start(p->gen, L, 2, 0, &p->host.owner, on_ended, p);
    if (p->later == NULL)
        p->task = t;
}

void prompt_run(struct prompt *p, const char *line, unsigned columns, prompt_done_fn *done,
                void *arg) {
    start(p, "run", line, columns, done, arg);
}

void prompt_complete(struct prompt *p, const char *text, unsigned columns, prompt_done_fn *done,
                     void *arg) {
    start(p, "complete", text, columns, done, arg);
}

void prompt_interrupt(struct prompt *p) {
    struct err e;

    if (p->task == NULL)
        return;
    err_set(&e, ERR_CANCELLED, "interrupted");
    task_abort(p->task, &e);
}

bool prompt_busy(const struct prompt *p) {
    return p->done != NULL;
}

bool prompt_live(const struct prompt *p) {
    return p->live;
}

/* --- birth and death ------------------------------------------------------------------------- */

struct prompt *prompt_new(const struct prompt_host *host, struct err *e) {
    struct prompt *p = calloc(1, sizeof(*p));
    struct tree *tree = NULL;

    if (p == NULL || (p->world = scratch_new_rehearsal()) == NULL) {
        free(p);
        err_set(e, ERR_INTERNAL_ERROR, "not enough memory for a session");
        return NULL;
    }
    p->host = *host;
    if ((tree = host->read_tree(e)) != NULL)
        p->gen = load(p, tree, false, NULL, e);
    tree_unref(tree);
    if (p->gen != NULL)
        return p;
    scratch_unref(p->world);
    free(p);
    return NULL;
}

void prompt_free(struct prompt *p) {
    if (p == NULL)
        return;
    prompt_interrupt(p);
    while (p->task != NULL && task_run_ready())
        ;
    loop_timer_stop(&p->later);
    forget(p);
    gen_drop(p->gen);
    scratch_unref(p->world);
    free(p);
}
