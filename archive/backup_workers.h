/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_workers.h: threads that turn planned parts into packed objects.
 *
 * Everything that costs processor time happens here: reading, checking pages, compressing,
 * encrypting, signing. One thread hands out jobs and takes them back; a job belongs to the workers
 * between backup_workers_submit() and the moment it is ready, and to its maker otherwise.
 *
 * Memory: each worker has one buffer of PART_SIZE_MAX; each job that is ready holds a packed
 * object, at most object_size_bound(PART_SIZE_MAX).
 */
#ifndef ARCHIVE_BACKUP_WORKERS_H
#define ARCHIVE_BACKUP_WORKERS_H

#include "archive/backup_part.h"
#include "catalog/archive.h"

#define BACKUP_WORKERS_MAX 64

struct backup_job {
    /* A part to be built; or, with is_text, the text of a manifest or completion object. */
    struct part part;
    bool is_text;
    struct buf text;
    uint32_t number;
    char name[OBJECT_NAME_SIZE];
    /* What the worker made; valid when it is ready. */
    int rc;
    struct err err;
    struct object_packer *packer; /* owns what the spans show */
    struct span spans[2];
    uint64_t file_size;
    bool ready; /* guarded by the workers' lock */
    struct backup_job *next;
};

void backup_job_done(struct backup_job *job);

struct workers_options {
    size_t n;
    const struct archive *archive; /* its format and writer key */
    uint64_t system_id;
    struct part_rules rules;
};

struct backup_workers; /* opaque */

/* Start the threads. 0 or -1 (ERR_INTERNAL). */
int backup_workers_new(const struct workers_options *options, struct backup_workers **ret_workers,
                       struct err *err) MUST_USE;

/* From which position on pages count as changed; to be set before the first part. */
void backup_workers_set_start(struct backup_workers *workers, uint64_t start_lsn);

void backup_workers_submit(struct backup_workers *workers, struct backup_job *job);

/* Is it ready? job->rc tells whether it worked. */
bool backup_workers_ready(struct backup_workers *workers, struct backup_job *job);

/* Wait until a job has become ready since the last call, or until then. */
void backup_workers_wait(struct backup_workers *workers, int64_t until_ms);

/* Jobs that nobody began are dropped; those under way are waited for. NULL is fine. */
void backup_workers_free(struct backup_workers *workers);

DEFINE_POINTER_CLEANUP(backup_workers, struct backup_workers, backup_workers_free);

#endif
