/*
 * gmail_api.h - the calls of the Gmail API (v1) that we make, one function each.
 *
 * As google_start(): arguments are borrowed until the function returns, a message is kept by
 * reference; done() comes once, possibly before it returns, and then the result is NULL.
 */
#ifndef GMAIL_API_H
#define GMAIL_API_H

#include "blob.h"
#include "google.h"

/* messages.send.  Not repeated once Gmail may have taken it. */
struct google_call *gmail_api_send(const char *mailbox, struct blob *message, const char *thread_id,
                                   google_done_fn *done, void *arg);

/* drafts.create, .send, .get, .delete, and .list: those with this Message-ID */
struct google_call *gmail_api_draft_create(const char *mailbox, struct blob *message,
                                           const char *thread_id, google_done_fn *done, void *arg);
struct google_call *gmail_api_draft_send(const char *mailbox, const char *id, google_done_fn *done,
                                         void *arg);
struct google_call *gmail_api_draft_get(const char *mailbox, const char *id, google_done_fn *done,
                                        void *arg);
struct google_call *gmail_api_draft_delete(const char *mailbox, const char *id,
                                           google_done_fn *done, void *arg);

struct google_call *gmail_api_draft_find(const char *mailbox, const char *message_id,
                                         google_done_fn *done, void *arg);

/* settings.sendAs.list, getProfile */
struct google_call *gmail_api_identities(const char *mailbox, google_done_fn *done, void *arg);
struct google_call *gmail_api_profile(const char *mailbox, google_done_fn *done, void *arg);

/* messages.get, threads.get: of the headers, what threads hang together by, and X-Paraph-Id */
struct google_call *gmail_api_message(const char *mailbox, const char *id, google_done_fn *done,
                                      void *arg);
struct google_call *gmail_api_thread(const char *mailbox, const char *id, google_done_fn *done,
                                     void *arg);

/* messages.list: the message with this Message-ID */
struct google_call *gmail_api_find(const char *mailbox, const char *message_id,
                                   google_done_fn *done, void *arg);

#endif
