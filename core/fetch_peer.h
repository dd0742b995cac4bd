/*
 * fetch_peer.h - addresses that not everybody may talk to.
 */
#ifndef FETCH_PEER_H
#define FETCH_PEER_H

#include <sys/socket.h>

#include "base.h"

/* What an address is judged by: "" for one that is not of IP. */
#define FETCH_PEER_SIZE 46
const char *fetch_peer_text(const struct sockaddr *addr, char ip[FETCH_PEER_SIZE]);

/* Is it link-local (RFC 3927; RFC 4291 §2.5.6), or one where clouds keep their metadata servers all
 * the same (fd20:ce::/32, fd00:ec2::/32)?  Those give tokens to whoever asks. */
bool fetch_peer_is_metadata(const char *ip);

/* Is it one of the public Internet: global unicast, and nothing that IANA's registries of
 * special-purpose addresses (RFC 6890) keep for another purpose?  An IPv6 address that stands for
 * one of IPv4 (mapped, NAT64, 6to4) is what that is. */
bool fetch_peer_is_public(const char *ip);

#endif
