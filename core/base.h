/*
 * base.h - what every file may use: compiler attributes and the length of an array.
 */
#ifndef BASE_H
#define BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define MUST_CHECK              __attribute__((warn_unused_result))

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* The object that holds `member`, from a pointer to that member. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define KIB ((size_t)1024)
#define MIB ((size_t)1024 * KIB)

#endif
