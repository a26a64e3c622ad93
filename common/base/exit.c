/* SPDX-License-Identifier: PostgreSQL */
#include "base/exit.h"

#include <stdbool.h>

int
exit_code(enum exit_side side, enum err_kind kind)
{
    bool archive = side == EXIT_SIDE_ARCHIVE;

    switch (kind) {
    case ERR_TRANSIENT:
        return archive ? 10 : 200;
    case ERR_DENIED:
        return archive ? 11 : 202;
    case ERR_CONFLICT:
        return archive ? 12 : 203;
    case ERR_LOCAL:
        return archive ? 13 : 204;
    case ERR_CONFIG:
        return archive ? 14 : 202;
    case ERR_CORRUPT:
        return archive ? 15 : 201;
    case ERR_INTERNAL:
    case ERR_NONE:
        /* A failure that names no kind is a bug, and a bug must not look like success. */
        return archive ? 16 : 205;
    }
    return archive ? 16 : 205;
}
