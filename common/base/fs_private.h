/* SPDX-License-Identifier: PostgreSQL */
/*
 * fs_private.h: the way of newfile_create() on file systems without O_TMPFILE, by itself, so that
 * tests reach it everywhere. For fs.c and its test only.
 */
#ifndef BASE_FS_PRIVATE_H
#define BASE_FS_PRIVATE_H

#include "base/fs.h"

int newfile_create_named(struct newfile *file, int directory, mode_t mode, struct err *err)
    MUST_USE;

#endif
