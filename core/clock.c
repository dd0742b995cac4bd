#include "clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_now_us(void) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint64_t clock_monotonic_us(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t clock_monotonic_ms(void) {
    return clock_monotonic_us() / 1000;
}

/* Behind `mark` (unless it is NUL), with leading zeros. */
static char *put_number(char *to, char mark, int n, int digits) {
    if (mark != '\0')
        *to++ = mark;
    for (int i = digits; i-- > 0; n /= 10)
        to[i] = (char)('0' + n % 10);
    return to + digits;
}

void clock_format(char out[CLOCK_TEXT_SIZE], int64_t us) {
    int64_t fraction = us % 1000000;
    time_t seconds;
    struct tm tm;

    if (fraction < 0)
        fraction += 1000000;
    seconds = (time_t)((us - fraction) / 1000000);
    gmtime_r(&seconds, &tm);
    if (tm.tm_year >= -1900 && tm.tm_year <= 9999 - 1900)
        out = put_number(out, '\0', tm.tm_year + 1900, 4);
    else
        out += strftime(out, CLOCK_TEXT_SIZE - sizeof("-12-31T23:59:59.999999Z"), "%Y", &tm);
    out = put_number(out, '-', tm.tm_mon + 1, 2);
    out = put_number(out, '-', tm.tm_mday, 2);
    out = put_number(out, 'T', tm.tm_hour, 2);
    out = put_number(out, ':', tm.tm_min, 2);
    out = put_number(out, ':', tm.tm_sec, 2);
    out = put_number(out, '.', (int)fraction, 6);
    out[0] = 'Z';
    out[1] = '\0';
}

/* Digits at *s, exactly n of them; -1 if they are not there. */
static int digits(const char **s, const char *end, int n) {
    int value = 0;

    for (; n > 0; n--, (*s)++) {
        if (*s == end || **s < '0' || **s > '9')
            return -1;
        value = value * 10 + (**s - '0');
    }
    return value;
}

static bool skip(const char **s, const char *end, const char *any) {
    if (*s == end || **s == '\0' || strchr(any, **s) == NULL)
        return false;
    (*s)++;
    return true;
}

static int fraction_us(const char **s, const char *end) {
    int us = 0, scale = 100000;

    if (*s == end || **s < '0' || **s > '9')
        return -1;
    for (; *s != end && **s >= '0' && **s <= '9'; (*s)++, scale /= 10)
        us += (**s - '0') * scale;
    return us;
}

static int offset_seconds(const char **s, const char *end, int *out) {
    int sign, hours, minutes;

    *out = 0;
    if (skip(s, end, "Zz"))
        return 0;
    if (*s == end || (**s != '+' && **s != '-'))
        return -1;
    sign = *(*s)++ == '-' ? -1 : 1;
    hours = digits(s, end, 2);
    if (!skip(s, end, ":"))
        return -1;
    minutes = digits(s, end, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
        return -1;
    *out = sign * (hours * 3600 + minutes * 60);
    return 0;
}

int clock_parse(const char *s, size_t n, int64_t *us) {
    const char *end = s + n;
    struct tm tm = {0}, back;
    int fraction = 0, offset;
    time_t seconds;

    tm.tm_year = digits(&s, end, 4) - 1900;
    if (!skip(&s, end, "-"))
        return -1;
    tm.tm_mon = digits(&s, end, 2) - 1;
    if (!skip(&s, end, "-"))
        return -1;
    tm.tm_mday = digits(&s, end, 2);
    if (!skip(&s, end, "Tt "))
        return -1;
    tm.tm_hour = digits(&s, end, 2);
    if (!skip(&s, end, ":"))
        return -1;
    tm.tm_min = digits(&s, end, 2);
    if (!skip(&s, end, ":"))
        return -1;
    tm.tm_sec = digits(&s, end, 2);
    if (skip(&s, end, ".") && (fraction = fraction_us(&s, end)) < 0)
        return -1;
    if (offset_seconds(&s, end, &offset) != 0 || s != end)
        return -1;
    if (tm.tm_year < -1900 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
        tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
        return -1;
    back = tm;
    seconds = timegm(&back);
    /* timegm() makes February 30 a day in March; a leap second may roll over. */
    if (tm.tm_sec < 60 && (back.tm_mday != tm.tm_mday || back.tm_mon != tm.tm_mon))
        return -1;
    *us = ((int64_t)seconds - offset) * 1000000 + fraction;
    return 0;
}

int clock_parse_http(const char *s, int64_t *us) {
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};

    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        struct tm tm = {0};
        const char *end = strptime(s, forms[i], &tm);

        if (end != NULL && *end == '\0') {
            *us = (int64_t)timegm(&tm) * 1000000;
            return 0;
        }
    }
    return -1;
}
