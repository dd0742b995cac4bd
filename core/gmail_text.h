/*
 * gmail_text.h - the bytes that Gmail is given, and what its answers hold.
 *
 * Pure functions.  Trees are borrowed; what is returned is the caller's to free or unref.
 */
#ifndef GMAIL_TEXT_H
#define GMAIL_TEXT_H

#include "base.h"
#include "blob.h"
#include "json_text.h"

/* Bytes of a message that still fit, as base64, into Gmail's 5 MB of JSON. */
#define GMAIL_JSON_MAX ((size_t)3500000)

/* What a grant (the scopes in GMAIL_SCOPES) must cover. */
enum gmail_need {
    GMAIL_IDENTITIES,   /* read settings.sendAs: who may be written for, and signatures */
    GMAIL_DRAFTS,       /* create, send, get and delete drafts */
    GMAIL_HEADERS,      /* read the headers of messages and threads */
    GMAIL_SEARCH,       /* messages.list with q */
    GMAIL_DRAFT_SEARCH, /* drafts.list with q */
    GMAIL_PROFILE       /* getProfile: whose mailbox it is */
};
bool gmail_scopes_cover(const char *scopes, enum gmail_need need);

/* --- requests: NULL when out of memory ------------------------------------------------------- */

/* {"raw", "threadId"}; for a draft, inside {"message": }.  thread_id NULL: none. */
struct blob *gmail_json_body(const struct blob *message, const char *thread_id, bool draft);

/* {"id"} */
struct blob *gmail_id_body(const char *id);

/* The same as gmail_json_body(), but with the message's bytes as they are (RFC 2387). */
#define GMAIL_TYPE_SIZE 96
struct blob *gmail_related_body(const struct blob *message, const char *thread_id, bool draft,
                                char content_type[GMAIL_TYPE_SIZE]);

/* --- answers --------------------------------------------------------------------------------- */

/* Is this refusal (of google_reply, and its err) one for want of a scope? */
bool gmail_lacks_scope(int status, const char *reason);

/* Copy a member that is a string; false, and "", if there is none or it does not fit. */
bool gmail_read_text(char *out, size_t size, const json_t *object, const char *name);

/* The value of a header of a message resource, or NULL. */
const char *gmail_header(const json_t *message, const char *name);

bool gmail_has_label(const json_t *message, const char *label);

/* The Message-ID without <>, as mime_is_message_id() wants it; NULL if it has none. */
char *gmail_message_id(const json_t *message);

/* The References of an answer to the message whose id this is: its own, or what alone it answers,
 * and then it.  A long thread's keep the first and the latest. */
#define GMAIL_REFERENCES_MAX 40
char *gmail_references(const json_t *message, const char *message_id);

/* A signature as it goes into mail: images that say nothing of themselves get alt="", since
 * readers would speak their addresses.  "" if it is blank. */
char *gmail_signature(const char *html, size_t n);

#endif
