#include "command_host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <lauxlib.h>

#include "buf.h"
#include "env.h"
#include "err.h"
#include "lua_blob.h"
#include "task.h"
#include "terminal.h"

#define READ_SIZE (64 * KIB)

/* --- files ----------------------------------------------------------------------------------- */

/* All there is to read, which may be a pipe's. */
static int read_all(int fd, const char *name, struct buf *to, struct err *e) {
    ssize_t n = 1;
    char *at;

    while (n > 0 && (at = buf_reserve(to, READ_SIZE)) != NULL) {
        n = read(fd, at, READ_SIZE);
        if (n > 0)
            to->len += (size_t)n;
        else if (n < 0 && errno == EINTR)
            n = 1;
    }
    if (n < 0)
        return err_set(e, ERR_NOT_FOUND, "%.200s: %s", name, strerror(errno));
    if (buf_failed(to) || to->len > env.max_body_bytes)
        return err_set(e, ERR_PAYLOAD_TOO_LARGE, "%.200s: more than MAX_BODY_BYTES, which is %zu",
                       name, env.max_body_bytes);
    return 0;
}

/* A blob, or nil and why there is none. */
static int push_file(lua_State *L, int fd, const char *name) {
    struct blob *blob = NULL;
    struct buf bytes;
    struct err e;
    size_t n;
    char *data;
    int status;

    buf_init(&bytes, env.max_body_bytes + READ_SIZE);
    task_bulk(true);
    status = read_all(fd, name, &bytes, &e);
    task_bulk(false);
    if (status == 0 && (data = buf_take(&bytes, &n)) != NULL)
        blob = blob_own(data, n);
    buf_free(&bytes);
    if (status != 0)
        return task_push_err(L, &e);
    if (blob == NULL)
        return luaL_error(L, "not enough memory");
    lua_blob_push(L, blob);
    blob_unref(blob);
    return 1;
}

/* read_file(path) */
static int l_read_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    int fd = open(path, O_RDONLY | O_CLOEXEC), n;
    struct err e;

    if (fd < 0) {
        err_set(&e, ERR_NOT_FOUND, "%.200s: %s", path, strerror(errno));
        return task_push_err(L, &e);
    }
    n = push_file(L, fd, path);
    close(fd);
    return n;
}

/* read_stdin() */
static int l_read_stdin(lua_State *L) {
    return push_file(L, STDIN_FILENO, "standard input");
}

/* --- the table ------------------------------------------------------------------------------- */

void command_host_push(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"read_file", l_read_file}, {"read_stdin", l_read_stdin}, {NULL, NULL}};
    unsigned columns = terminal_columns(STDOUT_FILENO);

    luaL_newlib(L, functions);
    lua_pushboolean(L, isatty(STDIN_FILENO));
    lua_setfield(L, -2, "stdin_is_terminal");
    lua_pushinteger(L, (lua_Integer)env.max_body_bytes);
    lua_setfield(L, -2, "max_bytes");
    if (columns > 0) {
        lua_pushinteger(L, columns);
        lua_setfield(L, -2, "columns");
    }
}
