/* SPDX-License-Identifier: PostgreSQL */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list arguments;

    err->kind = kind;
    err->sys = 0;
    err->hint[0] = '\0';
    va_start(arguments, format);
    (void)vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);
    return -1;
}

int
err_sys(struct err *err, int error_number, const char *format, ...)
{
    va_list arguments;
    char reason[128];

    /* Memory or descriptors of this process: no file and no store is at fault. */
    err->kind = error_number == ENOMEM || error_number == EMFILE ? ERR_INTERNAL : ERR_LOCAL;
    err->sys = error_number;
    err->hint[0] = '\0';
    va_start(arguments, format);
    int length = vsnprintf(err->text, sizeof(err->text), format, arguments);
    va_end(arguments);

    size_t used = length < 0 ? 0 : MIN_OF((size_t)length, sizeof(err->text) - 1);
    (void)snprintf(err->text + used, sizeof(err->text) - used, ": %s",
                   strerror_r(error_number, reason, sizeof(reason)));
    return -1;
}

int
err_memory(struct err *err, const char *what)
{
    return err_set(err, ERR_INTERNAL, "out of memory (%s)", what);
}

int
err_wrap(struct err *err, const char *format, ...)
{
    va_list arguments;
    char text[ERR_TEXT_SIZE];

    va_start(arguments, format);
    int head = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);

    size_t used = head < 0 ? 0 : MIN_OF((size_t)head, sizeof(text) - 1);
    const char *const pieces[] = {": ", err->text};

    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        size_t length = MIN_OF(strlen(pieces[i]), sizeof(text) - 1 - used);

        memcpy(text + used, pieces[i], length);
        used += length;
    }
    text[used] = '\0';
    memcpy(err->text, text, used + 1);
    return -1;
}

int
err_hint(struct err *err, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(err->hint, sizeof(err->hint), format, arguments);
    va_end(arguments);
    return -1;
}

void
err_clear(struct err *err)
{
    err->kind = ERR_NONE;
    err->sys = 0;
    err->text[0] = '\0';
    err->hint[0] = '\0';
}

const char *
err_kind_name(enum err_kind kind)
{
    switch (kind) {
    case ERR_NONE:
        return "none";
    case ERR_TRANSIENT:
        return "transient";
    case ERR_DENIED:
        return "denied";
    case ERR_CONFLICT:
        return "conflict";
    case ERR_LOCAL:
        return "local";
    case ERR_CONFIG:
        return "configuration";
    case ERR_CORRUPT:
        return "integrity";
    case ERR_INTERNAL:
        return "internal";
    }
    return "unknown";
}

static bool
is_plain(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static size_t
quoted_length(const char *text, size_t length)
{
    size_t quoted = 0;

    for (size_t i = 0; i < length; i++)
        quoted += is_plain(text[i]) ? 1 : 4;
    return quoted;
}

const char *
err_quote(const char *text, size_t length, char *ret_text, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    static const char dots[] = "...";
    bool whole = quoted_length(text, length) < size;
    size_t room = whole ? size - 1 : size >= sizeof(dots) ? size - sizeof(dots) : 0;
    size_t used = 0;

    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)text[i];

        if (room - used < (is_plain(text[i]) ? 1 : 4))
            break;
        if (is_plain(text[i])) {
            ret_text[used++] = text[i];
        } else {
            ret_text[used++] = '\\';
            ret_text[used++] = 'x';
            ret_text[used++] = digits[byte >> 4];
            ret_text[used++] = digits[byte & 15];
        }
    }
    if (!whole && size >= sizeof(dots)) {
        memcpy(ret_text + used, dots, sizeof(dots) - 1);
        used += sizeof(dots) - 1;
    }
    if (size > 0)
        ret_text[used] = '\0';
    return ret_text;
}
