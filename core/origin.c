#include "origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 255

int origin_check(const struct origin *o, bool must_say, struct err *e) {
    const char *site = o->fetch_site;
    bool ours = site != NULL && strcmp(site, "same-origin") == 0;
    const char *authority = o->origin != NULL ? strstr(o->origin, "://") : NULL;

    if (site != NULL && !ours && strcmp(site, "none") != 0)
        return err_set(e, ERR_FORBIDDEN, "a page of another site may not ask for this");
    if (o->origin == NULL && site == NULL && must_say)
        return err_set(e, ERR_FORBIDDEN,
                       "a request with a session's cookie needs the header Origin");
    if (o->origin == NULL || (ours && strcmp(o->origin, "null") == 0)) /* where it tells no pages */
        return 0;
    if (authority == NULL || o->host == NULL || strcasecmp(authority + 3, o->host) != 0)
        return err_set(e, ERR_FORBIDDEN, "a page of another origin may not ask for this");
    return 0;
}

/* The name in "name:port" or "[address]:port"; false: there is none, or no room for it. */
static bool read_name(char name[NAME_MAX_BYTES + 1], const char *host) {
    bool bracket = *host == '[';
    size_t n = strcspn(host += bracket, bracket ? "]" : ":");

    if (n == 0 || n > NAME_MAX_BYTES || (bracket && host[n] != ']'))
        return false;
    memcpy(name, host, n);
    name[n] = '\0';
    return true;
}

static bool is_this_machine(const char *name) {
    static const char localhost[] = "localhost";
    size_t n = strlen(name), len = sizeof(localhost) - 1;
    struct in6_addr v6;
    struct in_addr v4;

    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, name, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    /* RFC 6761 §6.3: all names below it, too.  A name without a dot is none of the Internet's, but
     * may be one that somebody has given to this machine. */
    return strchr(name, '.') == NULL ||
           (n > len && strcasecmp(name + n - len, localhost) == 0 && name[n - len - 1] == '.');
}

int origin_check_loopback(const struct origin *o, const char *known, struct err *e) {
    char name[NAME_MAX_BYTES + 1] = "";

    if (o->host != NULL && read_name(name, o->host) &&
        (is_this_machine(name) || (known != NULL && strcasecmp(name, known) == 0)))
        return 0;
    return err_set(e, ERR_FORBIDDEN,
                   "this service is open to its own machine alone (AUTH=none): ask it as "
                   "localhost, not as '%.80s'",
                   name);
}
