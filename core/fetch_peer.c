#include "fetch_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>

/* The addresses that begin with these bits. */
struct block {
    unsigned char start[8];
    unsigned bits;
};

static bool is_in(const unsigned char *a, const struct block *b) {
    unsigned whole = b->bits / 8, rest = b->bits % 8;

    return memcmp(a, b->start, whole) == 0 &&
           (rest == 0 || ((a[whole] ^ b->start[whole]) >> (8 - rest)) == 0);
}

static bool is_in_any(const unsigned char *a, const struct block *blocks, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (is_in(a, &blocks[i]))
            return true;
    return false;
}

/* --- metadata servers ------------------------------------------------------------------------ */

static bool is_metadata_v4(const unsigned char *a) {
    return a[0] == 169 && a[1] == 254;
}

static bool is_metadata_v6(const unsigned char *a) {
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    static const struct block blocks[] = {
        {{0xFE, 0x80}, 10},             /* link-local */
        {{0xFD, 0x20, 0x00, 0xCE}, 32}, /* Google */
        {{0xFD, 0x00, 0x0E, 0xC2}, 32}, /* Amazon */
    };

    if (memcmp(a, mapped, sizeof(mapped)) == 0)
        return is_metadata_v4(a + 12);
    return is_in_any(a, blocks, COUNT_OF(blocks));
}

/* --- the public Internet --------------------------------------------------------------------- */

static bool is_public_v4(const unsigned char *a) {
    static const struct block special[] = {
        {{0}, 8},             /* this network */
        {{10}, 8},            /* private */
        {{100, 64}, 10},      /* behind a carrier's NAT */
        {{127}, 8},           /* loopback */
        {{169, 254}, 16},     /* link-local */
        {{172, 16}, 12},      /* private */
        {{192, 0, 0}, 24},    /* IETF protocols */
        {{192, 0, 2}, 24},    /* documentation */
        {{192, 88, 99}, 24},  /* 6to4 relays, once */
        {{192, 168}, 16},     /* private */
        {{198, 18}, 15},      /* benchmarks */
        {{198, 51, 100}, 24}, /* documentation */
        {{203, 0, 113}, 24},  /* documentation */
        {{224}, 3},           /* multicast, reserved, broadcast */
    };

    return !is_in_any(a, special, COUNT_OF(special));
}

static bool is_public_v6(const unsigned char *a) {
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    static const unsigned char nat64[12] = {0x00, 0x64, 0xFF, 0x9B};
    static const struct block to_v4 = {{0x20, 0x02}, 16}; /* 6to4 */
    static const struct block global = {{0x20}, 3};
    static const struct block special[] = {
        {{0x20, 0x01, 0x00, 0x00}, 23}, /* IETF protocols, Teredo among them */
        {{0x20, 0x01, 0x0D, 0xB8}, 32}, /* documentation */
        {{0x3F, 0xFF, 0x00, 0x00}, 20}, /* documentation */
    };

    if (memcmp(a, mapped, sizeof(mapped)) == 0 || memcmp(a, nat64, sizeof(nat64)) == 0)
        return is_public_v4(a + 12);
    if (is_in(a, &to_v4))
        return is_public_v4(a + 2);
    return is_in(a, &global) && !is_in_any(a, special, COUNT_OF(special));
}

/* --- as text --------------------------------------------------------------------------------- */

const char *fetch_peer_text(const struct sockaddr *addr, char ip[FETCH_PEER_SIZE]) {
    const void *a = NULL;

    if (addr->sa_family == AF_INET)
        a = (const char *)addr + offsetof(struct sockaddr_in, sin_addr);
    else if (addr->sa_family == AF_INET6)
        a = (const char *)addr + offsetof(struct sockaddr_in6, sin6_addr);
    if (a == NULL || inet_ntop(addr->sa_family, a, ip, FETCH_PEER_SIZE) == NULL)
        ip[0] = '\0';
    return ip;
}

typedef bool judge_fn(const unsigned char *a);

static bool judge(const char *ip, judge_fn *v4, judge_fn *v6) {
    unsigned char a[sizeof(struct in6_addr)];

    return (inet_pton(AF_INET, ip, a) == 1 && v4(a)) || (inet_pton(AF_INET6, ip, a) == 1 && v6(a));
}

bool fetch_peer_is_metadata(const char *ip) {
    return judge(ip, is_metadata_v4, is_metadata_v6);
}

bool fetch_peer_is_public(const char *ip) {
    return judge(ip, is_public_v4, is_public_v6);
}
