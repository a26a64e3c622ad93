/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_walk.h: what of a data directory belongs into a base backup, one entry after the other.
 *
 * Memory does not grow with the number of files: one directory at a time is read, and only those
 * on the way to it are open. Symbolic links are followed in one place, pg_tblspc/<oid>, and only
 * those of the tablespaces the caller names. What is left out, and which directories are kept
 * without their content, follows PostgreSQL's own base backup (src/backend/backup/basebackup.c of
 * 13 to 18); docs/architecture.md has the list. Here backup_label, tablespace_map and
 * global/pg_control are left out too: they come last.
 */
#ifndef ARCHIVE_BACKUP_WALK_H
#define ARCHIVE_BACKUP_WALK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/log.h"

#define WALK_NAME_SIZE 256
#define WALK_PATH_MAX 4096
#define WALK_DEPTH_MAX 64

/*
 * A directory that is open, and its path ("base/5"; "" for the data directory itself). Shared by
 * the walk and by everybody who has work to do in it, in any thread; closed with the last of them.
 */
struct walk_directory;

struct walk_directory *walk_directory_hold(struct walk_directory *directory);
void walk_directory_release(struct walk_directory *directory);
int walk_directory_fd(const struct walk_directory *directory);
const char *walk_directory_path(const struct walk_directory *directory);

/* "base/5/16384"; ret_path has WALK_PATH_MAX bytes (the walk made sure that it fits). */
void walk_path(const struct walk_directory *directory, const char *name, char *ret_path);

struct walk_entry {
    struct walk_directory *directory; /* where it is; borrowed, hold it to keep it */
    char name[WALK_NAME_SIZE];
    struct stat st;
    bool is_directory;
    bool relation;    /* a file of a relation, whose pages may have checksums */
    uint32_t segment; /* then: which segment of it */
};

struct walk_options {
    int root; /* the data directory, open; borrowed */
    int major;
    uint32_t catalog_version;
    const uint32_t *tablespaces; /* ascending; borrowed */
    size_t n_tablespaces;
    struct notices *notices; /* what is skipped and should not be there */
};

struct backup_walk; /* opaque */

enum walk_outcome {
    WALK_END = 1,
};

int backup_walk_new(const struct walk_options *options, struct backup_walk **ret_walk,
                    struct err *err) MUST_USE;

/*
 * The next entry; a directory comes before what is in it. The first one is PG_VERSION, which never
 * changes. What vanishes meanwhile is passed over. 0, WALK_END, or -1 (ERR_LOCAL; ERR_INTERNAL).
 */
int backup_walk_next(struct backup_walk *walk, struct walk_entry *ret, struct err *err) MUST_USE;

void backup_walk_free(struct backup_walk *walk);

DEFINE_POINTER_CLEANUP(backup_walk, struct backup_walk, backup_walk_free);
DEFINE_POINTER_CLEANUP(walk_directory, struct walk_directory, walk_directory_release);

#endif
