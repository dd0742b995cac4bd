/*
 * fuzz_gmail.c - answers of Gmail: what is read of them can go into a header; and signatures: what
 * has been cleaned once stays as it is.
 */
#include <stdlib.h>
#include <string.h>

#include "gmail_text.h"
#include "mime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool ok) {
    if (!ok)
        abort();
}

static void check_references(const char *all) {
    size_t count = 0, n;

    for (const char *s = all; *s != '\0'; s += n + (s[n] == ' '), count++) {
        n = strcspn(s, " ");
        demand(n > 2 && s[0] == '<' && s[n - 1] == '>' && mime_is_message_id(s + 1, n - 2));
    }
    demand(count > 0 && count <= GMAIL_REFERENCES_MAX);
}

static void read_answer(const json_t *tree) {
    char text[16], *id = gmail_message_id(tree), *references;

    gmail_read_text(text, sizeof(text), tree, "id");
    demand(strlen(text) < sizeof(text));
    gmail_has_label(tree, "SENT");
    if (id == NULL)
        return;
    demand(mime_is_message_id(id, strlen(id)));
    demand((references = gmail_references(tree, id)) != NULL);
    check_references(references);
    free(references);
    free(id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *tree = json_text_parse((const char *)data, size, 32, NULL);
    char *once = gmail_signature((const char *)data, size), *twice;

    if (tree != NULL)
        read_answer(tree);
    json_decref(tree);
    demand(once != NULL);
    if (memchr(data, '\0', size) == NULL) {
        demand((twice = gmail_signature(once, strlen(once))) != NULL);
        demand(strcmp(once, twice) == 0);
        free(twice);
    }
    free(once);
    return 0;
}
