/* SPDX-License-Identifier: PostgreSQL */
/*
 * macros.h: the compiler attributes and two-line idioms used everywhere.
 */
#ifndef BASE_MACROS_H
#define BASE_MACROS_H

#include <stddef.h>

/* The result tells whether the call worked: the compiler insists that it is looked at. */
#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_argument, first) __attribute__((format(printf, text_argument, first)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#define KIB ((size_t)1024)
#define MIB (KIB * 1024)
#define GIB (MIB * 1024)

#endif
