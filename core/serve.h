/*
 * serve.h - the service: everything in the order of its birth, and of its death.
 */
#ifndef SERVE_H
#define SERVE_H

/* Serve until SIGTERM or SIGINT.  The exit code: 0 after a clean drain, 1 if it could not start. */
int serve(void);

#endif
