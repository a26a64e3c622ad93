/* SPDX-License-Identifier: PostgreSQL */
/*
 * log.h: lines for a person or a server log.
 *
 * Programs print through log_line(): one write() per line of at most 4,096
 * bytes, so that lines of parallel hooks never mix, and never a wait for a
 * reader who is gone. Code below the programs does not print; what it wants said
 * besides its result goes to the `struct notices` it was given, so the same code
 * can speak through an agent or a test.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "base/err.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARNING,
    LOG_ERROR,
};

/* Name in front of every line ("seawall-push"), and whether LOG_DEBUG lines are printed. */
void log_init(const char *program, bool verbose);

/* "program: level: text\n" on stderr; LOG_INFO has no level word. Control bytes are escaped. */
void log_line(enum log_level level, const char *format, ...) PRINTF_LIKE(2, 3);

/* The error line and, if there is a hint, "program: hint: ..." */
void log_err(const struct err *err);

/* Where notices of a piece of work go. */
struct notices {
    void (*notice)(struct notices *notices, enum log_level level, const char *text);
};

void notice(struct notices *notices, enum log_level level, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "context: text" of an error that the work survived, and its hint, at this level. */
void notice_err(struct notices *notices, enum log_level level, const struct err *err,
                const char *format, ...) PRINTF_LIKE(4, 5);

/* Notices that become log lines. */
extern struct notices log_notices;

#endif
