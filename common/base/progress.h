/* SPDX-License-Identifier: PostgreSQL */
/*
 * progress.h: one line that tells a person on a terminal how far a long piece of work is.
 *
 * Nothing is shown before two seconds have passed, nor when stderr is no terminal; the line is
 * wiped by progress_done(), so it never mixes with what is printed afterwards.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/macros.h"

struct progress {
    bool terminal;
    bool shown;
    int64_t started_ms;
    int64_t last_ms;
};

void progress_init(struct progress *progress);

/* Show this line if it is time; call it as often as you like. */
void progress_show(struct progress *progress, const char *format, ...) PRINTF_LIKE(2, 3);

void progress_done(struct progress *progress);

#endif
