/*
 * http_listen.h - the listening socket of http_listen() (http.h), as http.c takes it over.
 */
#ifndef HTTP_LISTEN_H
#define HTTP_LISTEN_H

/* -1: there is none. */
int http_listen_fd(void);
void http_listen_close(void);

#endif
