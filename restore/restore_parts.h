/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_parts.h: parts of a backup are fetched, unpacked and written into the tree.
 *
 * A job is one part and the runs of files that lie in it. Several parts are fetched at once by the
 * caller's thread, which alone drives the archive's loop; threads unpack them and write the runs.
 * Memory: at most RESTORE_PARTS_MAX stored parts and RESTORE_THREADS_MAX unpacked ones (32 MiB
 * each), and the runs of the jobs under way, whatever the size of the backup.
 */
#ifndef RESTORE_RESTORE_PARTS_H
#define RESTORE_RESTORE_PARTS_H

#include "catalog/archive.h"
#include "restore/restore_proof.h"
#include "restore/restore_tree.h"

#define RESTORE_THREADS_MAX 4 /* no more than there are processors */
#define RESTORE_PARTS_MAX (RESTORE_THREADS_MAX + 2)
#define RESTORE_RUNS_MAX 65536 /* of a job */

struct restored_piece {
    uint64_t length;
    uint32_t crc32c;
};

/* A file on its way. It lives until its last run is written and everybody has let it go. */
struct restored_file {
    char *path;
    uint8_t *held; /* the content, `size` bytes, is wanted in memory and not in the tree; or NULL */
    uint32_t mode;
    int64_t mtime;
    uint64_t size;
    uint32_t crc32c;
    size_t n_users;
    size_t n_left; /* pieces not written yet */
    size_t n_pieces;
    struct restored_piece pieces[];
};

struct restore_run {
    struct restored_file *file; /* counted in n_users */
    size_t piece;
    uint64_t file_offset;
    uint64_t length;
    uint64_t part_offset;
};

struct restore_job {
    char label[BACKUP_LABEL_SIZE];
    uint32_t part;
    struct restore_run *runs; /* owned */
    size_t n_runs;
    size_t capacity;
};

struct restore_parts; /* opaque */

/* Called now and then by the waiting thread with the number of bytes written so far. */
struct restore_watch {
    void (*written)(struct restore_watch *watch, uint64_t bytes);
};

/* Threads are started. What the setup points to is borrowed. Every part that is unpacked is noted
 * in the proof. 0 or -1. */
struct restore_parts_setup {
    struct archive *archive;
    const struct object_owner *owner;
    const struct restore_tree *tree;
    struct restore_proof *proof;
    struct restore_watch *watch;
    struct notices *notices;
    int64_t patience_ms; /* how long stores that are away are asked for a part */
};

int restore_parts_new(const struct restore_parts_setup *setup, struct restore_parts **ret_parts,
                      struct err *err) MUST_USE;

/* A file of the manifest with one user. NULL if memory is out. */
struct restored_file *restored_file_new(const struct manifest_entry *entry, bool held);

/* One user less. A file that is in jobs may only be released through this. */
void restore_parts_release(struct restore_parts *parts, struct restored_file *file);

/*
 * A file of size 0 has no runs: check its sum and give it mode and time. For the others the threads
 * do that. 0 or -1 (ERR_CORRUPT, ERR_LOCAL).
 */
int restored_file_finish(const struct restored_file *file, int fd, struct err *err) MUST_USE;

/* Put a run into a job; the file gets a user and loses it with the job. 0 or -1. */
int restore_job_add(struct restore_parts *parts, struct restore_job *job,
                    const struct restore_run *run, struct err *err) MUST_USE;

/* Drop the runs. */
void restore_parts_clear(struct restore_parts *parts, struct restore_job *job);

/*
 * Have the job done; its runs, none perhaps, are taken. Waits while as many as there may be are
 * under way. 0 or -1, the first failure of any job so far: ERR_CORRUPT (a part damaged in all
 * stores, too short, or not with the sums of the manifest), ERR_CONFLICT (a part is in no store),
 * ERR_TRANSIENT, ERR_DENIED, ERR_LOCAL (disk).
 */
int restore_parts_add(struct restore_parts *parts, struct restore_job *job,
                      struct err *err) MUST_USE;

/* Wait until all jobs are done. Same results. */
int restore_parts_wait(struct restore_parts *parts, struct err *err) MUST_USE;

/* Ends the threads, whatever they were at. NULL is fine. */
void restore_parts_free(struct restore_parts *parts);

DEFINE_POINTER_CLEANUP(restore_parts, struct restore_parts, restore_parts_free);

#endif
