#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_USUAL 80

static bool shown; /* there is a line to clear */

bool terminal_has_colors(int fd) {
    const char *no = getenv("NO_COLOR");

    return isatty(fd) && (no == NULL || *no == '\0');
}

unsigned terminal_columns(int fd) {
    const char *given = getenv("COLUMNS");
    unsigned long columns = given != NULL ? strtoul(given, NULL, 10) : 0;
    struct winsize size;

    if (!isatty(fd))
        return 0;
    if (columns > 0 && columns < 10000)
        return (unsigned)columns;
    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : COLUMNS_USUAL;
}

/* A line that wrapped could not be overwritten. */
void terminal_progress(const char *fmt, ...) {
    unsigned columns = terminal_columns(STDERR_FILENO);
    char text[256];
    va_list ap;

    if (columns == 0)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fflush(stdout);
    fprintf(stderr, "\r\033[K%.*s", (int)columns - 1, text);
    shown = true;
}

void terminal_clear(void) {
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
}
