/* SPDX-License-Identifier: PostgreSQL */
/*
 * fs.h: files that appear complete or not at all, and files opened without
 * being fooled.
 *
 * A `struct newfile` is written aside and then committed under its name. Where
 * the file system can (O_TMPFILE) it has no name until then, so a killed process
 * leaves nothing behind; elsewhere, and for the moment in which it replaces another
 * file, it is ".seawall-tmp.<pid>.<random>" in the same directory, created O_EXCL.
 * Such leftovers of dead processes are removed by fs_clean_temporary(); they are
 * never reused.
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
#define FS_TEMPORARY_AGE_S 600

enum fs_outcome {
    FS_ABSENT = 1, /* open: no such file; every directory on the way exists */
    FS_EXISTS = 2, /* commit_new: the name is taken; nothing changed */
    FS_UNABLE = 3, /* create_nameless: the file system has no files without a name */
};

/* Open a directory (a symbolic link to one is fine). 0 or -1 (ERR_LOCAL). */
int fs_open_directory(const char *path, int *ret_fd, struct err *err) MUST_USE;

/*
 * Open a regular file for reading: no symbolic link as last component, never opens or blocks on
 * a FIFO or device. `directory` may be AT_FDCWD. `label` names it in messages. ret_st may be NULL.
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

/* The same, but only if it can be without a name from the beginning. 0, FS_UNABLE or -1. */
int newfile_create_nameless(struct newfile *file, int directory, mode_t mode,
                            struct err *err) MUST_USE;

/*
 * Give it its name (one component) if that is free: link(2), which is atomic on local file systems
 * and NFS; renameat2(2) without replacing where there are no hard links. A name that got through
 * although the answer was an error, as NFS can lose an answer, counts as done.
 * durable: fsync the file before and the directory after. Delayed write errors are asked for
 * before the name is given. A failure after that moment (the directory's fsync) leaves the name.
 * The newfile is empty afterwards, whatever the outcome. 0, FS_EXISTS, or -1.
 */
int newfile_commit_new(struct newfile *file, const char *name, bool durable, struct err *err)
    MUST_USE;

/* The same, replacing what stood there (a symbolic link is replaced, not followed). 0 or -1. */
int newfile_commit_replace(struct newfile *file, const char *name, bool durable, struct err *err)
    MUST_USE;

/* Drop what was not committed. */
void newfile_done(struct newfile *file);

/*
 * Make a directory and its parents (0700) below `directory`; existing ones are fine, symbolic
 * links and ".." are not. All their entries are made durable, those of existing ones too: who made
 * them may not have come so far. ret_fd is the directory whose entry is durable. 0 or -1.
 */
int fs_make_directories(int directory, const char *path, int *ret_fd, struct err *err) MUST_USE;

/* Make the entries of an open directory durable. `label` names it in messages. 0 or -1. */
int fs_sync_directory(int directory, const char *label, struct err *err) MUST_USE;

/*
 * Remove leftovers in `directory`: our own user's regular files of exactly our naming, whose
 * process is gone and that nobody wrote to for FS_TEMPORARY_AGE_S (the process may live on another
 * host or in another process namespace). Best effort.
 */
void fs_clean_temporary(int directory);

DEFINE_CLEANUP(newfile, struct newfile, newfile_done);

#endif
