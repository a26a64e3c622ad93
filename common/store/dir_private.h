/* SPDX-License-Identifier: PostgreSQL */
/*
 * dir_private.h: between the two halves of the directory store.
 */
#ifndef STORE_DIR_PRIVATE_H
#define STORE_DIR_PRIVATE_H

#include "store/backend.h"

/*
 * Open the directory path[0..length) below the open root, no symbolic link on the way; length 0
 * is the root itself. 0, STORE_ABSENT (it is not there, and the root is), or -1.
 */
int dir_open_below(int root, const char *path, size_t length, int *ret_fd, struct err *err)
    MUST_USE;

/* An absence below the root proves something only while the root has a name. 0 or -1. */
int dir_check_root(int root, struct err *err) MUST_USE;

/* Between steps: the task's deadline and a stop request. 0 or -1 (ERR_TRANSIENT). */
int dir_check_time(const struct store_task *task, struct err *err) MUST_USE;

/* What an error of the file system means for a store: gives it another kind. */
void dir_judge(struct err *err);

/* Collect the page the task asks for. 0 or -1; kinds are judged by the caller. */
int dir_list(int root, struct store_task *task, struct err *err) MUST_USE;

#endif
