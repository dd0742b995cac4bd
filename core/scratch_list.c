#include "scratch_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "sqlite_query.h"

/* Of created_at sqlite_db.c keeps so many characters, for the order. */
#define CREATED_AT_MAX  64
#define CREATED_AT_SIZE (4 * CREATED_AT_MAX + 1)

/* Where a document stands in a listing: later times first, then higher ids. */
struct place {
    char created_at[CREATED_AT_SIZE];
    const char *id;
};

/* --- places ---------------------------------------------------------------------------------- */

/* As sqlite_db.c has it: without "Z", cut short, and "" for what is no text. */
static void set_place(struct place *p, const struct store_doc *doc) {
    const char *text = json_string_value(json_object_get(doc->fields, "created_at"));
    size_t n = text == NULL ? 0 : strlen(text), end = 0;

    while (n > 0 && text[n - 1] == 'Z')
        n--;
    for (unsigned characters = 0; end < n; end++) {
        characters += ((unsigned char)text[end] & 0xC0) != 0x80;
        if (characters > CREATED_AT_MAX)
            break;
    }
    memcpy(p->created_at, text == NULL ? "" : text, end);
    p->created_at[end] = '\0';
    p->id = doc->id;
}

static int compare(const char *created_at, const char *id, const struct place *p) {
    int rc = strcmp(created_at, p->created_at);

    return rc != 0 ? rc : strcmp(id, p->id);
}

/* Does the page go on with a document of this place? */
static bool goes_on(const struct scratch_op *op, const struct place *p) {
    struct place last;

    if (op->reply.ndocs > 0) {
        set_place(&last, &op->reply.docs[op->reply.ndocs - 1]);
        return compare(last.created_at, last.id, p) > 0;
    }
    return op->place_id == NULL || compare(op->place.data, op->place_id, p) >= 0;
}

/* Where the listings begin: a moment after the document that the page goes on with or behind.
 * Where that has no time, they begin where the whole listing does. */
static const char *find_before(const struct scratch_op *op, char text[CLOCK_TEXT_SIZE]) {
    char whole[CREATED_AT_SIZE + 1];
    struct place last;
    const char *created_at = op->place_id == NULL ? "" : op->place.data;
    int64_t us;

    if (op->reply.ndocs > 0) {
        set_place(&last, &op->reply.docs[op->reply.ndocs - 1]);
        created_at = last.created_at;
    }
    if ((size_t)snprintf(whole, sizeof(whole), "%sZ", created_at) >= sizeof(whole) ||
        clock_parse(whole, strlen(whole), &us) != 0)
        return op->rq->before;
    clock_format(text, us + 1);
    return strcmp(text, created_at) > 0 ? text : op->rq->before;
}

/* --- pages ----------------------------------------------------------------------------------- */

static struct store_request page_request(const struct scratch_op *op, const char *token,
                                         char before[CLOCK_TEXT_SIZE]) {
    return (struct store_request){
        .verb = STORE_QUERY,
        .collection = op->rq->collection,
        .where = op->rq->where,
        .is = op->rq->is,
        .limit = op->rq->limit + 1, /* the first of the next page, too */
        .before = token == NULL ? find_before(op, before) : NULL,
        .page_token = token,
    };
}

static bool is_used_up(const struct scratch_page *page) {
    return page->at == page->reply.ndocs;
}

/* A page that is used up and that another one follows: the token of that one, or NULL.  One that
 * was ended early for its bytes ends ours, too. */
static const char *next_token(struct scratch_op *op, const struct scratch_page *page) {
    const char *token = is_used_up(page) ? page->reply.next_page_token : NULL;

    if (token != NULL && page->reply.ndocs <= op->rq->limit && op->reply.ndocs > 0)
        op->full = true;
    return token;
}

static void set_page(struct scratch_page *page, struct store_reply *reply) {
    store_reply_fini(&page->reply);
    page->reply = *reply;
    page->at = 0;
    *reply = (struct store_reply){0};
}

/* The next page of our documents; the first one if the token is NULL. */
static int read_own(struct scratch_op *op, const char *token) {
    char before[CLOCK_TEXT_SIZE];
    const struct store_request rq = page_request(op, token, before);
    struct store_reply reply = {0};

    sqlite_docs_read(op->over->db, &rq, &reply);
    op->reply.err = reply.err;
    set_page(&op->own, &reply);
    return op->reply.err.code == ERR_NONE ? 0 : -1;
}

static void on_page(struct scratch_op *op, struct store_reply *real);

static void ask_page(struct scratch_op *op, const char *token) {
    char before[CLOCK_TEXT_SIZE];
    const struct store_request rq = page_request(op, token, before);

    scratch_op_ask(op, &rq, on_page);
}

/* --- both in one ----------------------------------------------------------------------------- */

/* The next document of a page that belongs here, with its place; NULL: it has no more. */
static struct store_doc *find_next(const struct scratch_op *op, struct scratch_page *page,
                                   struct place *p) {
    for (; !is_used_up(page); page->at++) {
        struct store_doc *doc = &page->reply.docs[page->at];

        set_place(p, doc);
        if (goes_on(op, p) &&
            (page == &op->own || scratch_over_taken(op->over, op->rq->collection, doc->id) == NULL))
            return doc;
    }
    return NULL;
}

/* The document becomes the next one of our page; false: that was full, and now has a token. */
static bool take(struct scratch_op *op, struct scratch_page *page, struct store_doc *doc,
                 const struct place *p) {
    if (op->full || op->reply.ndocs == op->rq->limit) {
        op->reply.next_page_token = sqlite_query_token(p->created_at, p->id);
        if (op->reply.next_page_token == NULL)
            (void)sqlite_statement_no_memory(&op->reply.err);
        return false;
    }
    op->reply.docs[op->reply.ndocs++] = *doc;
    *doc = (struct store_doc){.id = NULL};
    page->at++;
    return true;
}

/* Until the page is full and its token found, or there is nothing left, or the real store has to be
 * asked for more. */
static void merge(struct scratch_op *op) {
    struct store_doc *own, *theirs;
    struct place own_place, their_place;
    const char *token;
    bool more = true;

    while (more) {
        theirs = find_next(op, &op->theirs, &their_place);
        if (theirs == NULL && (token = next_token(op, &op->theirs)) != NULL) {
            ask_page(op, token);
            return;
        }
        own = find_next(op, &op->own, &own_place);
        if (own == NULL && (token = next_token(op, &op->own)) != NULL)
            more = read_own(op, token) == 0;
        else if (own != NULL &&
                 (theirs == NULL || compare(own_place.created_at, own_place.id, &their_place) > 0))
            more = take(op, &op->own, own, &own_place);
        else
            more = theirs != NULL && take(op, &op->theirs, theirs, &their_place);
    }
    scratch_op_end(op);
}

/* Ours are listed anew with each page, so that a document is in one of the two: others write here
 * while the real store is asked. */
static void on_page(struct scratch_op *op, struct store_reply *real) {
    op->reply.err = real->err;
    set_page(&op->theirs, real);
    if (op->reply.err.code == ERR_NONE && read_own(op, NULL) == 0)
        merge(op);
    else
        scratch_op_end(op);
}

void scratch_list_query(struct scratch_op *op) {
    const char *token = op->rq->page_token;

    if (token != NULL &&
        (op->place_id = sqlite_query_token_read(&op->place, token, &op->reply.err)) == NULL) {
        scratch_op_end(op);
    } else if ((op->reply.docs = calloc(op->rq->limit, sizeof(*op->reply.docs))) == NULL) {
        (void)sqlite_statement_no_memory(&op->reply.err);
        scratch_op_end(op);
    } else {
        ask_page(op, NULL);
    }
}

/* --- how many -------------------------------------------------------------------------------- */

static void ask_number(struct scratch_op *op);

/* What was taken over in the meantime was not asked for. */
static void on_number(struct scratch_op *op, struct store_reply *real) {
    unsigned taken = scratch_over_count(op->over, op->rq), n;

    op->reply.err = real->err;
    if (real->err.code == ERR_NONE && taken != op->taken) {
        ask_number(op);
        return;
    }
    if (real->err.code == ERR_NONE)
        sqlite_docs_read(op->over->db, op->rq, &op->reply);
    n = op->reply.count + (real->count > taken ? real->count - taken : 0);
    op->reply.count = n <= op->rq->limit ? n : op->rq->limit + 1;
    scratch_op_end(op);
}

static void ask_number(struct scratch_op *op) {
    const struct store_request real = {
        .verb = STORE_COUNT,
        .collection = op->rq->collection,
        .where = op->rq->where,
        .is = op->rq->is,
        .limit = op->rq->limit + scratch_over_count(op->over, op->rq),
    };

    op->taken = real.limit - op->rq->limit;
    scratch_op_ask(op, &real, on_number);
}

void scratch_list_count(struct scratch_op *op) {
    ask_number(op);
}
