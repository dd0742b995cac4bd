/* What scripts cannot try out: another configuration, and running out of memory at any point. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "bindings.h"
#include "env.h"
#include "lua_blob.h"

#define ALLOCATIONS_MAX 2000

/* How many more allocations succeed; negative: all. */
static long allocations_left;

static void *alloc(void *arg, void *ptr, size_t old, size_t size) {
    (void)arg;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    if (allocations_left == 0 && (ptr == NULL || size > old))
        return NULL;
    if (allocations_left > 0)
        allocations_left--;
    return realloc(ptr, size);
}

/* A state where `mail` and `content`, a blob, are globals. */
static lua_State *open_state(struct blob *content) {
    lua_State *L;

    allocations_left = -1;
    L = lua_newstate(alloc, NULL);
    assert_non_null(L);
    luaL_openlibs(L);
    lua_blob_open(L);
    luaL_requiref(L, "paraph.mail", lua_mail_open, 0);
    lua_setglobal(L, "mail");
    lua_blob_push(L, content);
    lua_setglobal(L, "content");
    lua_settop(L, 0);
    return L;
}

static void test_allowed_senders(void **state) {
    static const struct {
        const char *allowed, *from, *result;
    } cases[] = {
        {"", "me@example.org", "me@example.org"},
        {"", "ME@EXAMPLE.ORG", "ME@example.org"},
        {"", "you@example.org", "forbidden"},
        {"you@example.org", "you@example.org", "you@example.org"},
        {"You@Example.org", "yOU@example.ORG", "yOU@example.org"},
        {"you@example.org", "me@example.org", "me@example.org"},
        {"you@example.org", "them@example.org", "forbidden"},
        {"@example.com", "anyone@example.com", "anyone@example.com"},
        {"@Example.com", "anyone@EXAMPLE.com", "anyone@example.com"},
        {"@example.com", "anyone@sub.example.com", "forbidden"},
        {"@example.com", "anyone@notexample.com", "forbidden"},
        {"@example.com", "anyone@example.com.evil.org", "forbidden"},
        {" a@b.org ,\t@example.com , c@d.org", "x@example.com", "x@example.com"},
        {" a@b.org ,\t@example.com , c@d.org", "c@d.org", "c@d.org"},
        {"@bücher.example", "x@xn--bcher-kva.example", "x@xn--bcher-kva.example"},
        {"@xn--bcher-kva.example", "x@BÜCHER.example", "x@xn--bcher-kva.example"},
        {"@,,@ ,@@,*", "x@example.com", "forbidden"},
        {"x", "x@x", "forbidden"},
    };
    lua_State *L = open_state(NULL);

    (void)state;
    assert_int_equal(luaL_loadstring(L, "local m, err = mail.build {"
                                        " id = '6ba7b810-9dad-41d1-80b4-00c04fd430c8',"
                                        " from = { address = ... }, to = 'a@b.org', subject = ''}"
                                        "return m and m:sender() or err.code"),
                     LUA_OK);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        env = (struct env){.gmail_user = "Me@example.org", .allowed_senders = cases[i].allowed};
        lua_pushvalue(L, 1);
        lua_pushstring(L, cases[i].from);
        assert_int_equal(lua_pcall(L, 1, 1, 0), LUA_OK);
        assert_string_equal(lua_tostring(L, -1), cases[i].result);
        lua_pop(L, 1);
    }
    lua_close(L);
}

/* Whichever allocation of Lua's fails, nothing of ours is lost: the blob's count of holders tells
 * of the message and its parts, the leak sanitizer of the rest. */
static void test_out_of_memory(void **state) {
    static const char script[] =
        "local part = { content = content, filename = 'a', content_id = 'b' }\n"
        "local ok = mail.build {\n"
        "  id = '6ba7b810-9dad-41d1-80b4-00c04fd430c8', subject = 's', text = 't', html = 'h',\n"
        "  from = { address = mail.default_sender(), name = 'N' }, to = { 'a@b.org', 'c@d.org' },\n"
        "  cc = 'e@f.org', parts = { part, part }, thread_id = 't', date = '2026-03-01T00:00:00Z'}\n"
        "local _, err = mail.build { id = '6ba7b810-9dad-41d1-80b4-00c04fd430c8', subject = 's',\n"
        "  to = { 'a@b.org', 'c@' } }\n"
        "return #ok:recipients() .. ok:etag():sub(1, 0) .. #ok:bytes():base64_encode():string(1e6)"
        "  .. err.field";
    struct blob *content = blob_copy("content", 7);
    long n = 0;
    int status;

    (void)state;
    env = (struct env){.gmail_user = "me@example.org", .allowed_senders = ""};
    do {
        lua_State *L = open_state(content);

        assert_int_equal(luaL_loadstring(L, script), LUA_OK);
        allocations_left = n;
        status = lua_pcall(L, 0, 1, 0);
        allocations_left = -1;
        if (status == LUA_OK)
            assert_non_null(strstr(lua_tostring(L, -1), "to[1]"));
        else
            assert_int_equal(status, LUA_ERRMEM);
        lua_close(L);
        assert_int_equal(content->refs, 1);
    } while (status != LUA_OK && ++n < ALLOCATIONS_MAX);
    assert_int_equal(status, LUA_OK);
    assert_true(n > 20);
    blob_unref(content);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_allowed_senders),
        cmocka_unit_test(test_out_of_memory),
    };

    return cmocka_run_group_tests_name("lua_message", tests, NULL, NULL);
}
