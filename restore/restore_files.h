/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_files.h: the lines of a backup's manifest become directories, files and jobs.
 *
 * Four files are held in memory, because a restored directory gets them last or changed; three are
 * left out, because it must not have them.
 */
#ifndef RESTORE_RESTORE_FILES_H
#define RESTORE_RESTORE_FILES_H

#include "catalog/backup_complete.h"
#include "restore/pg_manifest.h"
#include "restore/restore_parts.h"

#define RESTORE_HELD_MAX ((size_t)16 << 20)

enum restore_held {
    RESTORE_CONTROL, /* global/pg_control */
    RESTORE_LABEL,   /* backup_label */
    RESTORE_MAP,     /* tablespace_map */
    RESTORE_AUTO,    /* postgresql.auto.conf */
    RESTORE_HELD,
};

struct restore_files {
    struct archive *archive;
    const struct object_owner *owner;
    const struct backup_complete *complete;
    struct restore_parts *parts;
    const struct restore_proof *proof; /* that of the parts */
    struct pg_manifest *pg_manifest;
    struct notices *notices;
    int64_t patience_ms; /* how long stores that are away are asked for the manifest */
    struct restore_place place;
    struct restore_job job;                   /* being filled */
    struct restored_file *held[RESTORE_HELD]; /* NULL: the backup has none */
    bool has_postgresql_conf;
    bool has_tablespace_in_place; /* a directory in pg_tblspc, not a link */
    uint64_t n_files;
    uint64_t n_bytes;
};

const char *restore_files_held_path(enum restore_held which);

/*
 * Fetch the manifest objects in their order, prove them by the digests of `complete`, make what
 * they list and have the jobs done, and prove the parts; returns when all is written, or at the
 * first failure. The held files are whole then. 0 or -1: ERR_CORRUPT (the manifest, a file, the
 * parts), or as restore_parts_add().
 */
int restore_files_run(struct restore_files *files, struct err *err) MUST_USE;

/* Lets go of the held files and what was not handed over. Before restore_parts_free(). */
void restore_files_done(struct restore_files *files);

DEFINE_CLEANUP(restore_files, struct restore_files, restore_files_done);

#endif
