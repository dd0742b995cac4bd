#include "terminal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* A line that wrapped could not be overwritten.  Bytes are at least as many as columns; what is cut
 * off ends with a whole character. */
void terminal_progress(const char *fmt, ...) {
    unsigned columns = terminal_columns(STDERR_FILENO);
    char text[256];
    va_list ap;
    size_t n;

    if (columns == 0)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if ((n = strlen(text)) >= columns)
        for (n = columns - 1; n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80; n--)
            ;
    fflush(stdout);
    fprintf(stderr, "\r\033[K%.*s", (int)n, text);
    shown = true;
}

void terminal_clear(void) {
    if (shown)
        fputs("\r\033[K", stderr);
    shown = false;
}
