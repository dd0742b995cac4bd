#include "fetch_late.h"

#include <assert.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

#include <curl/curl.h>

#include "late.h"

#define LIBRARY "libcurl.so.4"

/* Its header checks their arguments by macros of the same names, with compilers that can. */
#undef curl_easy_getinfo
#undef curl_easy_setopt
#undef curl_multi_setopt

/* CURLU *, which later versions do not change. */
typedef __typeof__(_Generic(&curl_url_get, CURLUcode (*)(CURLU *, CURLUPart, char **, unsigned)
                            : (CURLU *)NULL, default
                            : (const CURLU *)NULL)) const_url;

/* result, name, parameters, arguments */
#define FUNCTIONS(X)                                                                               \
    X(CURL *, curl_easy_init, (void), ())                                                          \
    X(const char *, curl_easy_strerror, (CURLcode rc), (rc))                                       \
    X(CURLcode, curl_global_init, (long flags), (flags))                                           \
    X(CURLM *, curl_multi_init, (void), ())                                                        \
    X(CURLMcode, curl_multi_cleanup, (CURLM * multi), (multi))                                     \
    X(CURLMcode, curl_multi_add_handle, (CURLM * multi, CURL * easy), (multi, easy))               \
    X(CURLMcode, curl_multi_remove_handle, (CURLM * multi, CURL * easy), (multi, easy))            \
    X(CURLMsg *, curl_multi_info_read, (CURLM * multi, int *left), (multi, left))                  \
    X(CURLMcode, curl_multi_socket_action,                                                         \
      (CURLM * multi, curl_socket_t fd, int events, int *running), (multi, fd, events, running))   \
    X(CURLU *, curl_url, (void), ())                                                               \
    X(CURLUcode, curl_url_get, (const_url url, CURLUPart part, char **text, unsigned flags),       \
      (url, part, text, flags))                                                                    \
    X(CURLUcode, curl_url_set, (CURLU * url, CURLUPart part, const char *text, unsigned flags),    \
      (url, part, text, flags))

/* The same without a result. */
#define PROCEDURES(X)                                                                              \
    X(curl_easy_cleanup, (CURL * easy), (easy))                                                    \
    X(curl_free, (void *block), (block))                                                           \
    X(curl_global_cleanup, (void), ())                                                             \
    X(curl_url_cleanup, (CURLU * url), (url))

/* These take one argument more: a long, a curl_off_t or a pointer. */
#define SETTERS(X)                                                                                 \
    X(CURLcode, curl_easy_getinfo, CURL *, CURLINFO)                                               \
    X(CURLcode, curl_easy_setopt, CURL *, CURLoption)                                              \
    X(CURLMcode, curl_multi_setopt, CURLM *, CURLMoption)

static_assert(sizeof(long) == sizeof(void *) && sizeof(curl_off_t) == sizeof(void *),
              "what a setter takes is passed on as a pointer, as wide as the others");

static struct {
#define FUNCTION_MEMBER(result, name, parameters, arguments) LATE_MEMBER(name)
#define PROCEDURE_MEMBER(name, parameters, arguments)        LATE_MEMBER(name)
#define SETTER_MEMBER(result, name, handle, option)          LATE_MEMBER(name)
    FUNCTIONS(FUNCTION_MEMBER) PROCEDURES(PROCEDURE_MEMBER) SETTERS(SETTER_MEMBER)
} library LATE_TABLE;

#define DEFINE_FUNCTION(result, name, parameters, arguments)                                       \
    result name parameters {                                                                       \
        return library.name arguments;                                                             \
    }
#define DEFINE_PROCEDURE(name, parameters, arguments)                                              \
    void name parameters {                                                                         \
        library.name arguments;                                                                    \
    }
#define DEFINE_SETTER(result, name, type, option_type)                                             \
    result name(type handle, option_type option, ...) {                                            \
        va_list rest;                                                                              \
        void *value;                                                                               \
                                                                                                   \
        va_start(rest, option);                                                                    \
        value = va_arg(rest, void *);                                                              \
        va_end(rest);                                                                              \
        return library.name(handle, option, value);                                                \
    }
FUNCTIONS(DEFINE_FUNCTION)
PROCEDURES(DEFINE_PROCEDURE)
SETTERS(DEFINE_SETTER)

/* --- opening --------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for who opens */
static atomic_bool started;

static const char *const names[] = {
#define FUNCTION_NAME(result, name, parameters, arguments) LATE_NAME(name)
#define PROCEDURE_NAME(name, parameters, arguments)        LATE_NAME(name)
#define SETTER_NAME(result, name, handle, option)          LATE_NAME(name)
    FUNCTIONS(FUNCTION_NAME) PROCEDURES(PROCEDURE_NAME) SETTERS(SETTER_NAME)};

static int start(struct err *e) {
    if (library.curl_global_init == NULL &&
        late_open(LIBRARY, names, COUNT_OF(names), &library, e) != 0)
        return -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, ERR_INTERNAL_ERROR, "libcurl does not start");
    started = true;
    return 0;
}

int fetch_late_open(struct err *e) {
    int status = 0;

    if (started)
        return 0;
    pthread_mutex_lock(&lock);
    if (!started)
        status = start(e);
    pthread_mutex_unlock(&lock);
    return status;
}

void fetch_late_close(void) {
    if (started)
        curl_global_cleanup();
    started = false;
}
