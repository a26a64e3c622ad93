/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_SIZE 4096
#define READER_WAIT_MS 200

static const char *program_name = "seawall";
static bool debug_wanted;

void
log_init(const char *program, bool verbose)
{
    program_name = program;
    debug_wanted = verbose;
}

/* A log reader who does not read must not hold up archiving: wait briefly, then drop the line. */
static void
write_line(const char *line, size_t size)
{
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

    if (poll(&fd, 1, READER_WAIT_MS) <= 0 || (fd.revents & POLLOUT) == 0)
        return;
    while (write(STDERR_FILENO, line, size) < 0 && errno == EINTR)
        continue;
}

static const char *
level_word(enum log_level level)
{
    switch (level) {
    case LOG_DEBUG:
        return "debug: ";
    case LOG_INFO:
        return "";
    case LOG_WARNING:
        return "warning: ";
    case LOG_ERROR:
        return "error: ";
    }
    return "";
}

static void
print_line(const char *word, const char *text)
{
    char line[LINE_MAX_SIZE];
    int head = snprintf(line, sizeof(line), "%s: %s", program_name, word);
    size_t used = head < 0 ? 0 : MIN_OF((size_t)head, sizeof(line) - 1);

    for (; *text != '\0' && used < sizeof(line) - 1; text++) {
        unsigned char byte = (unsigned char)*text;

        line[used++] = byte < 0x20 || byte == 0x7f ? '?' : (char)byte;
    }
    line[used++] = '\n';
    write_line(line, used);
}

void
log_line(enum log_level level, const char *format, ...)
{
    char text[LINE_MAX_SIZE];
    va_list arguments;

    if (level == LOG_DEBUG && !debug_wanted)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    print_line(level_word(level), text);
}

void
log_err(const struct err *err)
{
    print_line(level_word(LOG_ERROR), err->text);
    if (err->hint[0] != '\0')
        print_line("hint: ", err->hint);
}

void
notice(struct notices *notices, enum log_level level, const char *format, ...)
{
    char text[ERR_TEXT_SIZE + ERR_HINT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    notices->notice(notices, level, text);
}

void
notice_err(struct notices *notices, enum log_level level, const struct err *err, const char *format,
           ...)
{
    char context[ERR_TEXT_SIZE];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(context, sizeof(context), format, arguments);
    va_end(arguments);
    notice(notices, level, "%s: %s", context, err->text);
    if (err->hint[0] != '\0')
        notice(notices, level, "hint: %s", err->hint);
}

static void
notice_to_log(struct notices *notices UNUSED, enum log_level level, const char *text)
{
    log_line(level, "%s", text);
}

struct notices log_notices = {.notice = notice_to_log};
