/*
 * fetch_peer.h - addresses that not everybody may talk to.
 */
#ifndef FETCH_PEER_H
#define FETCH_PEER_H

#include <sys/socket.h>

#include "base.h"

/* Is it link-local (RFC 3927; RFC 4291 §2.5.6), or one where clouds keep their metadata servers all
 * the same (fd20:ce::/32, fd00:ec2::/32)?  Those give tokens to whoever asks. */
bool fetch_peer_is_metadata(const char *ip);
bool fetch_peer_is_metadata_addr(const struct sockaddr *addr);

#endif
