/* SPDX-License-Identifier: PostgreSQL */
/*
 * fs.h: files that appear complete or not at all, and files opened without
 * being fooled.
 *
 * A `struct newfile` is written aside and then committed under its name. Where
 * the file system can (O_TMPFILE) it has no name until then, so a killed process
 * leaves nothing behind; elsewhere it is ".seawall-tmp.<pid>.<random>" in the same
 * directory, created O_EXCL. Such leftovers of dead processes are removed by
 * fs_clean_temporary(); they are never reused.
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "base/err.h"

#define FS_TEMPORARY_PREFIX ".seawall-tmp."
#define FS_TEMPORARY_SIZE 64

enum fs_outcome {
    FS_ABSENT = 1, /* open: no such file; every directory on the way exists */
    FS_EXISTS = 2, /* commit_new: the name is taken; nothing changed */
};

/* Open a directory (a symbolic link to one is fine). 0 or -1 (ERR_LOCAL). */
int fs_open_directory(const char *path, int *ret_fd, struct err *err) MUST_USE;

/*
 * Open a regular file for reading: no symbolic link as last component, never blocks on a FIFO
 * or device. `directory` may be AT_FDCWD. `label` names it in messages. ret_st may be NULL.
 * 0, FS_ABSENT, or -1 (ERR_LOCAL).
 */
int fs_open_file(int directory, const char *path, const char *label, int *ret_fd,
                 struct stat *ret_st, struct err *err) MUST_USE;

struct newfile {
    int directory; /* borrowed */
    int fd;
    char temporary[FS_TEMPORARY_SIZE]; /* empty: it has no name */
};

#define NEWFILE_INIT ((struct newfile){.directory = -1, .fd = -1})

/* Create an empty one in `directory` (an open descriptor, borrowed until done). 0 or -1. */
int newfile_create(struct newfile *file, int directory, mode_t mode, struct err *err) MUST_USE;

/*
 * Give it its name if that is free: link(2), which is atomic on local file systems and NFS.
 * durable: fsync the file before and the directory after. The file stays open for nothing: it
 * is closed (and its close checked). 0, FS_EXISTS, or -1.
 */
int newfile_commit_new(struct newfile *file, const char *name, bool durable,
                       struct err *err) MUST_USE;

/* Give it its name, replacing what stood there. 0 or -1. */
int newfile_commit_replace(struct newfile *file, const char *name, bool durable,
                           struct err *err) MUST_USE;

/* Drop what was not committed. */
void newfile_done(struct newfile *file);

/* Make a directory and its parents (0700) below `directory`; existing ones are fine. The parents'
 * entries are made durable. 0 or -1. */
int fs_make_directories(int directory, const char *path, struct err *err) MUST_USE;

/* Remove leftovers in `directory` whose process is gone. Best effort. */
void fs_clean_temporary(int directory);

DEFINE_CLEANUP(newfile, struct newfile, newfile_done);

#endif
