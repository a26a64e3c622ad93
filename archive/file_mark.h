/* SPDX-License-Identifier: PostgreSQL */
/*
 * file_mark.h: one file at one moment. What is written to, replaced, renamed into place or
 * touched afterwards has another mark.
 */
#ifndef ARCHIVE_FILE_MARK_H
#define ARCHIVE_FILE_MARK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct file_mark {
    uint64_t device;
    uint64_t inode;
    uint64_t size;
    int64_t changed_ns;        /* content */
    int64_t status_changed_ns; /* content, names, permissions: nobody can set this time */
};

struct file_mark file_mark_of(const struct stat *st);

/* Of what stands at `path`, without following a link. False: nothing can be seen there. */
bool file_mark_read(const char *path, struct file_mark *ret);

bool file_mark_equal(const struct file_mark *a, const struct file_mark *b);

#endif
