/*
 * repl_peer.h - who carries out what is typed: this process (repl_local.c), or a service
 *   (repl_attach.c).
 *
 * As prompt.h has it: one line at a time, its done() exactly once, and not before the start
 * returns.
 */
#ifndef REPL_PEER_H
#define REPL_PEER_H

#include "prompt.h"

struct repl_peer {
    void (*run)(const char *line, unsigned columns, prompt_done_fn *done, void *arg);
    void (*complete)(const char *text, unsigned columns, prompt_done_fn *done, void *arg);
    void (*interrupt)(void);
    const char *(*name)(void); /* what stands in the prompt: "dry", or the mailbox that sends */
    bool (*live)(void);
    void (*doctor)(void); /* NULL: not here */
    void (*close)(void);
};

/* Services, scripts and a session of our own.  NULL, when the reason has been told. */
const struct repl_peer *repl_local_open(void);

/* A session in the service at a URL, as whom PARAPH_KEY says. */
const struct repl_peer *repl_attach_open(const char *url);

#endif
