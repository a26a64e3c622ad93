/* SPDX-License-Identifier: PostgreSQL */
/*
 * dir_made.h: the directories of a store that this process has made durable already.
 *
 * To make every component of a path durable costs an fsync each, for every object, and a backup
 * puts thousands into one directory. A directory that is remembered is held open, so that no other
 * can be taken for it: one that was removed and made again is another one.
 */
#ifndef STORE_DIR_MADE_H
#define STORE_DIR_MADE_H

#include "store/store.h"

#define DIR_MADE_MAX 4

struct dir_made {
    struct {
        int fd; /* -1: free */
        char path[STORE_NAME_MAX + 1];
    } entries[DIR_MADE_MAX];
    size_t next; /* to be given up */
};

void dir_made_init(struct dir_made *made);
void dir_made_done(struct dir_made *made);

/* Is the open directory the one that is remembered under this path? */
bool dir_made_has(const struct dir_made *made, const char *path, int fd);

/* The open directory and its entries in its parents are durable. Perhaps it is remembered. */
void dir_made_add(struct dir_made *made, const char *path, int fd);

#endif
