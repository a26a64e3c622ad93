/* SPDX-License-Identifier: PostgreSQL */
/*
 * vacancy.h: a directory that may be written into because nothing is there.
 */
#ifndef RESTORE_VACANCY_H
#define RESTORE_VACANCY_H

#include "base/err.h"

/* Stands in a directory while it is being restored. */
#define VACANCY_MARKER ".seawall-restore-incomplete"

/*
 * Is it absent, with a parent that is there, or an empty directory of ours? Nothing is changed.
 * *ret_path, which the caller frees, is its absolute path without symbolic links. 0 or -1
 * (ERR_LOCAL, saying what stands there; a symbolic link is refused).
 */
int vacancy_examine(const char *path, char **ret_path, struct err *err) MUST_USE;

/*
 * Make it, durably, if it is absent, and open it. It is looked at once more, by its descriptor, and
 * gets permissions 0700. `path` comes from vacancy_examine(). 0 or -1 (ERR_LOCAL).
 */
int vacancy_take(const char *path, int *ret_fd, struct err *err) MUST_USE;

#endif
