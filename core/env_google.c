/*
 * env_google.c - what only Google knows, but what can be seen to be wrong: scopes, projects and
 * databases.
 */
#include <stdlib.h>
#include <string.h>

#include "env.h"
#include "env_read.h"

#define ID_MAX 100 /* Google's are shorter */

/* --- scopes ---------------------------------------------------------------------------------- */

/* With a comma it is several, as the admin console lists them; Google wants spaces. */
static bool is_scope(const char *s, size_t n) {
    char *item = strndup(s, n);
    bool is = item != NULL && strchr(item, ',') == NULL && env_is_url(item);

    free(item);
    return is;
}

const char *env_get_scopes(const char *name, const char *fallback) {
    const char *value = env_get(name, fallback), *item = value + strspn(value, " ");

    if (*item == '\0')
        env_fault(name, "holds no scope: give addresses such as https://mail.google.com/, with "
                        "spaces between them");
    for (size_t n; *item != '\0'; item += n + strspn(item + n, " ")) {
        n = strcspn(item, " ");
        if (is_scope(item, n))
            continue;
        env_fault(name,
                  "'%.*s' is not the address of a scope such as https://mail.google.com/ (list "
                  "several with spaces)",
                  n < 80 ? (int)n : 80, item);
        return fallback;
    }
    return value;
}

/* --- projects and databases ------------------------------------------------------------------ */

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits and `others`; which letters, and how many, an emulator takes as they come. */
static bool is_id(const char *s, const char *others) {
    size_t n = 0;

    while (is_alnum(s[n]) || (s[n] != '\0' && strchr(others, s[n]) != NULL))
        n++;
    return s[n] == '\0' && n <= ID_MAX && is_alnum(s[0]);
}

const char *env_get_project(const char *name) {
    const char *value = env_get(name, NULL);

    if (value == NULL || is_id(value, "-_.:"))
        return value;
    env_fault(name,
              "'%.80s' is not the ID of a project such as my-project or example.com:my-project",
              value);
    return NULL;
}

const char *env_get_database(const char *name) {
    static const char fallback[] = "(default)";
    const char *value = env_get(name, fallback);

    if (strcmp(value, fallback) == 0 || is_id(value, "-_"))
        return value;
    env_fault(name, "'%.80s' is not the ID of a database such as my-database or %s", value,
              fallback);
    return fallback;
}
