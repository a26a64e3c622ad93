/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_tree.h: the directories a restore writes into, and the only way to make anything in them.
 *
 * A tree is a data directory and the directories of its tablespaces. Each was absent or empty and
 * is ours; whatever else is refused before anything is made. Paths are those of the manifest,
 * relative to the data directory; "pg_tblspc/<oid>/..." leads into that tablespace's directory,
 * whatever stands in the data directory under this name. Of an oid the tree has no tablespace for
 * it is a directory like any other (allow_in_place_tablespaces). Every component is opened below
 * its parent's descriptor and never through a symbolic link.
 */
#ifndef RESTORE_RESTORE_TREE_H
#define RESTORE_RESTORE_TREE_H

#include <sys/types.h>

#include "catalog/backup_manifest.h"

/* A tablespace and where it is to be. */
struct restore_space {
    uint32_t oid;
    char *path; /* owned; absolute */
    int fd;
};

struct restore_tree {
    int fd; /* of the data directory */
    char *path; /* absolute, without symbolic links */
    struct restore_space *spaces;
    size_t n_spaces;
};

#define RESTORE_TREE_INIT ((struct restore_tree){.fd = -1})

/* Remember a tablespace; before restore_tree_open(). 0 or -1 (ERR_CONFIG: not an absolute path). */
int restore_tree_add_space(struct restore_tree *tree, uint32_t oid, const char *path,
                           struct err *err) MUST_USE;

/*
 * Look at all directories, then make those that are missing and open them, with permissions 0700.
 * Refused with ERR_LOCAL, naming it: one that is not empty, no directory, a symbolic link, or
 * somebody else's; one whose parent is missing; two that are the same or inside one another.
 */
int restore_tree_open(struct restore_tree *tree, const char *path, struct err *err) MUST_USE;

void restore_tree_done(struct restore_tree *tree);

/*
 * A place in the tree: keeps the directory of the last file open, for files come in the order of
 * their directories. One for each thread.
 */
struct restore_place {
    const struct restore_tree *tree; /* borrowed */
    int fd;
    char directory[MANIFEST_PATH_MAX];
};

#define RESTORE_PLACE_INIT(the_tree) ((struct restore_place){.tree = (the_tree), .fd = -1})

/*
 * Make a directory, or a file of size 0, that is not there yet, in a directory that is. A file has
 * permissions 0600 at first; a directory is never without those of its owner. 0 or -1: ERR_CORRUPT
 * (a path that is none, is there already, or has no directory or something else in its way),
 * ERR_LOCAL.
 */
int restore_place_directory(struct restore_place *place, const char *path, mode_t mode,
                            struct err *err) MUST_USE;
int restore_place_create(struct restore_place *place, const char *path, int *ret_fd,
                         struct err *err) MUST_USE;

/* Open a file of the tree for writing: a regular one with one name. Same results. */
int restore_place_open(struct restore_place *place, const char *path, int *ret_fd,
                       struct err *err) MUST_USE;

void restore_place_done(struct restore_place *place);

/* A whole small file: made, written, with this mode, on its way to the disk. 0 or -1. */
int restore_place_write(struct restore_place *place, const char *path, struct span content,
                        mode_t mode, struct err *err) MUST_USE;

/* Make pg_tblspc/<oid> for every tablespace. 0 or -1. */
int restore_tree_link_spaces(const struct restore_tree *tree, struct err *err) MUST_USE;

/* Everything written so far reaches the disks. 0 or -1 (ERR_LOCAL). */
int restore_tree_sync(const struct restore_tree *tree, struct err *err) MUST_USE;

DEFINE_CLEANUP(restore_tree, struct restore_tree, restore_tree_done);
DEFINE_CLEANUP(restore_place, struct restore_place, restore_place_done);

#endif
