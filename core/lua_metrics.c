/*
 * lua_metrics.c - paraph.metrics: what scripts count, and the page of all that is counted.
 */
#include <string.h>

#include <lauxlib.h>

#include "bindings.h"
#include "gen.h"
#include "measure.h"
#include "metrics.h"

#define PAGE_TYPE "paraph.metrics.page"
#define PAGE_MAX  (16 * MIB)

/* The number of names in the table at idx. */
static size_t count_members(lua_State *L, int idx) {
    size_t n = 0;

    for (lua_pushnil(L); lua_next(L, idx) != 0; lua_pop(L, 1))
        n++;
    return n;
}

/* The values of the labels, from the table at 2 or from none; they stay on the stack. */
static void read_labels(lua_State *L, const struct metric_info *info,
                        const char *labels[METRIC_LABELS_MAX + 1]) {
    const struct metric_label *label = info->labels;
    size_t n = 0;

    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    for (; label[n].name != NULL; n++) {
        if (lua_isnil(L, 2) || (lua_pushstring(L, label[n].name), lua_rawget(L, 2)) != LUA_TSTRING)
            luaL_error(L, "%s: the label '%s' has no text", info->name, label[n].name);
        labels[n] = lua_tostring(L, -1);
        if (strlen(labels[n]) != lua_rawlen(L, -1) || !metrics_label_takes(&label[n], labels[n]))
            luaL_error(L, "%s: '%s' is no value of the label '%s' (%s)", info->name, labels[n],
                       label[n].name, label[n].values != NULL ? label[n].values : "any text");
    }
    labels[n] = NULL;
    if (!lua_isnil(L, 2) && count_members(L, 2) != n)
        luaL_error(L, "%s: has other labels than that", info->name);
}

static enum metric check_metric(lua_State *L, enum metric_type type, const char *what) {
    const char *name = luaL_checkstring(L, 1);
    enum metric m = metrics_named(name);

    if (m == METRICS || metrics_info(m)->type != type)
        luaL_error(L, "%s is no %s in core/metrics_table.c", name, what);
    return m;
}

/* count(name, labels?) */
static int l_count(lua_State *L) {
    enum metric m = check_metric(L, METRIC_COUNTER, "counter");
    const char *labels[METRIC_LABELS_MAX + 1];

    read_labels(L, metrics_info(m), labels);
    if (gen_scratch(L) == NULL) /* what happens in another world is nothing here */
        metrics_add(m, 1, labels);
    return 0;
}

/* set(name, whole number) */
static int l_set(lua_State *L) {
    enum metric m = check_metric(L, METRIC_GAUGE, "gauge");
    lua_Integer n = luaL_checkinteger(L, 2);

    luaL_argcheck(L, metrics_info(m)->labels[0].name == NULL, 1, "it has labels");
    if (gen_scratch(L) == NULL)
        metrics_set(m, n, METRICS_LABELS());
    return 0;
}

static int l_page_gc(lua_State *L) {
    buf_free(lua_touserdata(L, 1));
    return 0;
}

/* text() -> the page */
static int l_text(lua_State *L) {
    struct buf *page = lua_newuserdatauv(L, sizeof(*page), 0);

    buf_init(page, PAGE_MAX);
    luaL_setmetatable(L, PAGE_TYPE); /* an error raised on the way leaks nothing */
    measure_now();
    metrics_write(page);
    if (buf_failed(page))
        return luaL_error(L, "there is not enough memory for the metrics just now");
    lua_pushlstring(L, page->data, page->len);
    buf_free(page);
    return 1;
}

int lua_metrics_open(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"count", l_count}, {"set", l_set}, {"text", l_text}, {NULL, NULL}};

    luaL_newmetatable(L, PAGE_TYPE);
    lua_pushcfunction(L, l_page_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
