/* SPDX-License-Identifier: PostgreSQL */
#include "archive/file_mark.h"

#define NS ((int64_t)1000000000)

struct file_mark
file_mark_of(const struct stat *st)
{
    return (struct file_mark){
        .device = (uint64_t)st->st_dev,
        .inode = (uint64_t)st->st_ino,
        .size = (uint64_t)st->st_size,
        .changed_ns = (int64_t)st->st_mtim.tv_sec * NS + st->st_mtim.tv_nsec,
        .status_changed_ns = (int64_t)st->st_ctim.tv_sec * NS + st->st_ctim.tv_nsec,
    };
}

bool
file_mark_read(const char *path, struct file_mark *ret)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return false;
    *ret = file_mark_of(&st);
    return true;
}

bool
file_mark_equal(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           a->changed_ns == b->changed_ns && a->status_changed_ns == b->status_changed_ns;
}
