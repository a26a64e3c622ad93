/* SPDX-License-Identifier: PostgreSQL */
/*
 * tar_member.h: the header of a member of a tar archive.
 *
 * POSIX ustar, with a pax header in front where a name or a number does not fit. Names are bytes
 * and go in as they are. Pure.
 */
#ifndef ARCHIVE_TAR_MEMBER_H
#define ARCHIVE_TAR_MEMBER_H

#include <stdbool.h>

#include "base/buf.h"

#define TAR_BLOCK ((size_t)512)
#define TAR_PATH_MAX 4096

/* No header is larger. */
#define TAR_HEADER_MAX (3 * TAR_BLOCK + TAR_PATH_MAX)

struct tar_member {
    const char *path; /* relative, 1 to TAR_PATH_MAX - 1 bytes, without a slash at either end */
    bool directory;
    uint32_t mode; /* permission bits */
    uint32_t uid;
    uint32_t gid;
    int64_t mtime; /* seconds since 1970 */
    uint64_t size; /* of a file's content */
};

/*
 * Append the member's header blocks. The content follows it, filled with zeros to a whole block:
 * tar_padding(). 0, BUF_FULL, or -1 (ERR_LOCAL: the path is too long; ERR_INTERNAL).
 */
int tar_member_header(const struct tar_member *member, struct buf *into, struct err *err) MUST_USE;

/* At least as many bytes as the header of a member with a path of this length has. */
size_t tar_header_bound(size_t path_length);

/* Zeros behind a content of this size. */
size_t tar_padding(uint64_t size);

#endif
