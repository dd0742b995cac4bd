#include "fetch_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool is_metadata_v4(const unsigned char *a) {
    return a[0] == 169 && a[1] == 254;
}

static bool is_metadata_v6(const struct in6_addr *a) {
    static const unsigned char google[] = {0xFD, 0x20, 0x00, 0xCE};
    static const unsigned char amazon[] = {0xFD, 0x00, 0x0E, 0xC2};

    if (IN6_IS_ADDR_V4MAPPED(a))
        return is_metadata_v4(a->s6_addr + 12);
    return IN6_IS_ADDR_LINKLOCAL(a) || memcmp(a->s6_addr, google, sizeof(google)) == 0 ||
           memcmp(a->s6_addr, amazon, sizeof(amazon)) == 0;
}

bool fetch_peer_is_metadata(const char *ip) {
    unsigned char v4[4];
    struct in6_addr v6;

    return (inet_pton(AF_INET, ip, v4) == 1 && is_metadata_v4(v4)) ||
           (inet_pton(AF_INET6, ip, &v6) == 1 && is_metadata_v6(&v6));
}

bool fetch_peer_is_metadata_addr(const struct sockaddr *addr) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (addr->sa_family == AF_INET) {
        memcpy(&v4, addr, sizeof(v4));
        return is_metadata_v4((const unsigned char *)&v4.sin_addr);
    }
    if (addr->sa_family != AF_INET6)
        return false;
    memcpy(&v6, addr, sizeof(v6));
    return is_metadata_v6(&v6.sin6_addr);
}
