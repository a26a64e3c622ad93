/* SPDX-License-Identifier: PostgreSQL */
#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define QUIET_MS 2000
#define EVERY_MS 200
#define LINE_SIZE 160

void
progress_init(struct progress *progress)
{
    *progress = (struct progress){
        .terminal = isatty(STDERR_FILENO) == 1,
        .started_ms = clock_boot_ms(),
    };
}

void
progress_show(struct progress *progress, const char *format, ...)
{
    char line[LINE_SIZE];
    va_list arguments;
    int64_t now_ms = clock_boot_ms();

    if (!progress->terminal || now_ms - progress->started_ms < QUIET_MS ||
        now_ms - progress->last_ms < EVERY_MS)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    (void)dprintf(STDERR_FILENO, "\r\033[K%s", line);
    progress->last_ms = now_ms;
    progress->shown = true;
}

void
progress_done(struct progress *progress)
{
    if (progress->shown)
        (void)dprintf(STDERR_FILENO, "\r\033[K");
    progress->shown = false;
}
