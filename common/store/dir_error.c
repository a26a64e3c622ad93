/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>

#include "store/dir_private.h"

void
dir_judge(struct err *err)
{
    if (err->kind != ERR_LOCAL)
        return;
    switch (err->sys) {
    case EACCES:
    case EPERM:
    case EROFS:
        err->kind = ERR_DENIED;
        break;
    case 0: /* not a regular file */
    case ELOOP:
    case ENOTDIR:
    case EISDIR:
        err->kind = ERR_CORRUPT;
        break;
    case ENAMETOOLONG:
        err->kind = ERR_INTERNAL;
        break;
    default:
        err->kind = ERR_TRANSIENT;
        break;
    }
}
