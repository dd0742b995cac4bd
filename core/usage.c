#include "usage.h"

#include <stdarg.h>
#include <string.h>

static const struct {
    const char *name, *synopsis, *summary, *text;
} commands[] = {
    {"serve", "[serve]", "run the HTTP service",
     "Runs the HTTP service, which is also what paraph does without a command.  Without any\n"
     "configuration it serves on http://127.0.0.1:8080 with a SQLite store and a Maildir outbox\n"
     "in ./data.\n"},

    {"send", "send [OPTION...] [FILE]", "send one message, or show it",
     "Sends one message, through the same policies as POST /.  They may hold it: then it is a\n"
     "draft, and the command says which rule did that.  FILE is a JSON object with the members of\n"
     "POST /; \"-\", or no FILE and no message option, is standard input.  Options go before what\n"
     "the file says; --attach, --var add to it.\n"
     "\n"
     "  --to, --cc, --bcc ADDRESSES  recipients: one, or a list with commas; again for more\n"
     "  --from ADDRESS               the sender, if not the default one\n"
     "  --from-name NAME             the name beside it\n"
     "  --reply-to ADDRESSES         where answers go\n"
     "  --subject TEXT\n"
     "  --message TEXT               the body\n"
     "  --message-file FILE          the body, from a file; \"-\" is standard input\n"
     "  --format FORMAT              of the body: text (the default), markdown or html\n"
     "  --template NAME              in place of the body, with\n"
     "  --var NAME=VALUE             a variable, a text; again for more\n"
     "  --vars JSON                  all variables, as a JSON object\n"
     "  --attach FILE                again for more\n"
     "  --thread-id ID, --in-reply-to ID\n"
     "                               what it answers\n"
     "  --no-tracking                no pixel\n"
     "  --metadata JSON              a JSON object that is kept with a draft\n"
     "  --idempotency-key KEY        the same command under this key sends once\n"
     "\n"
     "  --draft                      make a draft, as --mode draft does\n"
     "  --mode MODE                  draft or send; send, unless the file says otherwise\n"
     "  --dry-run                    print the message as it would leave; nothing is sent or stored\n"
     "  --json                       print the answer of POST /, on one line\n"
     "\n"
     "Exit codes: 0 sent, made a draft, or held; 1 refused or failed; 2 wrong usage.\n"},

    {"drafts", "drafts [OPTION...] [STATUS | ID]", "list drafts, or show one",
     "Lists drafts, newest first: all, or those with one STATUS: pending, sending, sent, rejected,\n"
     "or held, failed and approved, which are pending, too.  With an ID, or the first eight or more\n"
     "characters of a recent one, shows that draft: its message, who decided what, and what has\n"
     "become of it.\n"
     "\n"
     "  --limit N           at most so many: 1 to 200, 50 unless given\n"
     "  --page-token TOKEN  go on where a list ended, as its last line says\n"
     "  --json              print the answer of GET /drafts or GET /drafts/ID, on one line\n"},

    {"repl", "repl [--attach URL]", "try things: a prompt",
     "A prompt for Lua with the modules and scripts of the service, and for commands (:help).\n"
     "Nothing leaves and nothing is stored until :live.  Without a terminal it reads a script from\n"
     "standard input, which ends with exit code 1 at the first line that fails.\n"
     "\n"
     "  --attach URL  in the service that runs there, as whom the variable PARAPH_KEY says: an API\n"
     "                key with the roles ops and review, or a token\n"},

    {"check", "check [--live] [--replay N] [--json]", "validate settings, scripts and templates",
     "Validates settings, scripts and templates, and shows which policies are in force and what is\n"
     "odd about them.  Exit code 0: nothing has failed.\n"
     "\n"
     "  --live      do what a send needs, step by step, with the remedy for each failure\n"
     "  --replay N  ask the policies about the last N drafts (1 to 1000), and show what is no\n"
     "              longer decided as it was: nothing is written or sent.  A draft that was never\n"
     "              decided about (mode \"draft\") is shown unless it would be sent; what was sent at\n"
     "              once without an Idempotency-Key is stored nowhere, and not looked at\n"
     "  --json      an object for each step, a line each: step, state (ok, failed, skipped, odd or\n"
     "              differs), text and notes\n"},

    {"test", "test [--real] [--verbose] [--json] [DIR]", "run the tests of policies",
     "Runs the tests (*_test.lua) of a scripts directory, with a clock, a store and a mailbox of\n"
     "their own.  Exit code 0: all passed; 1: not; 2: there is nothing to run.\n"
     "\n"
     "  --real     on a SQLite store and an outbox in a temporary directory, in real time\n"
     "  --verbose  show the chain of calls of each failure\n"
     "  --json     an object for each test, a line each: file, name, passed, ms, and of a failure\n"
     "             line, error and trace; at the end one with passed, failed and ms of all.  What\n"
     "             tests print goes to standard error\n"},

    {"key", "key [--json] NAME [ROLE...]", "make an API key",
     "Makes an API key: prints its secret, this once, and the line for API_KEYS.  Roles are draft\n"
     "(the default), send, review and ops.\n"
     "\n"
     "  --json  print an object with name, roles, secret and line\n"},
};

void usage_print_overview(FILE *to) {
    fprintf(to, "paraph - a mail gateway: programs post messages, people review them, Gmail sends "
                "them\n\n");
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        fprintf(to, "%s paraph %-41s %s\n", i == 0 ? "usage:" : "      ", commands[i].synopsis,
                commands[i].summary);
    fprintf(to,
            "       paraph [COMMAND] --help | --version\n"
            "\n"
            "Configuration is by environment variables; paraph(1) lists the files, and README.md "
            "the variables.\n");
}

void usage_print(FILE *to, const char *command) {
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, command) == 0)
            fprintf(to, "usage: paraph %s\n\n%s", commands[i].synopsis, commands[i].text);
}

int usage_wrong(const char *command, const char *fmt, ...) {
    va_list ap;

    fprintf(stderr, "paraph%s%s: ", command != NULL ? " " : "", command != NULL ? command : "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs("\n\n", stderr);
    if (command != NULL)
        usage_print(stderr, command);
    else
        usage_print_overview(stderr);
    return USAGE_EXIT;
}
