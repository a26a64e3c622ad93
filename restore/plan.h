/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan.h: from which backup, along which timelines, with which WAL - and is all of it there?
 *
 * Made from the stores before anything is written anywhere. A plan that exists can be carried out;
 * what cannot is an error that says what is missing where, which is the last healthy segment, and
 * up to which LSN a recovery would be safe.
 */
#ifndef RESTORE_PLAN_H
#define RESTORE_PLAN_H

#include "base/json.h"
#include "catalog/archive.h"
#include "catalog/backup_complete.h"
#include "restore/target.h"

#define PLAN_TIMELINES_MAX 1024

/* A stretch of the path: WAL of this timeline from begin_lsn (included) to end_lsn (excluded). */
struct plan_stretch {
    uint32_t timeline;
    uint64_t begin_lsn;
    uint64_t end_lsn; /* UINT64_MAX: open */
};

struct plan {
    struct recovery_target target;
    uint64_t system_id;
    char label[BACKUP_LABEL_SIZE];
    uint64_t backup_start_lsn;
    uint64_t backup_stop_lsn;
    uint32_t backup_timeline;
    int64_t backup_stop_time;
    uint32_t segment_size;
    uint32_t timeline; /* the one to follow */
    struct plan_stretch path[PLAN_TIMELINES_MAX]; /* oldest first; the last one is `timeline` */
    size_t n_path;
    struct wal_name first_wal;
    struct wal_name last_wal; /* the last one that is archived and healthy on the path */
    uint64_t n_segments;
    uint64_t backup_bytes;    /* restored size */
    uint64_t fetch_bytes;     /* stored size of backup and WAL */
    uint64_t window_begin_lsn; /* recovery can go to any point from here ... */
    uint64_t window_end_lsn;   /* ... to here */
};

struct plan_request {
    struct recovery_target target;
    uint64_t system_id;   /* 0: the only one in the archive, or an error that lists them */
    const char *label; /* insist on this backup; NULL: the newest complete one before the target */
    int64_t deadline_ms;
};

/*
 * 0 or -1: ERR_CONFIG (no such backup, target outside the window: the text gives the window),
 * ERR_CONFLICT (a gap, a missing history file), ERR_CORRUPT (a segment that does not verify),
 * ERR_TRANSIENT (a store that is needed could not be asked). ret_complete is the chosen backup's.
 */
int plan_make(struct archive *archive, const struct plan_request *request, struct notices *notices,
              struct plan *ret_plan, struct backup_complete *ret_complete,
              struct err *err) MUST_USE;

/* One screen for a person, on stdout. */
void plan_print(const struct archive *archive, const struct plan *plan);

/* As JSON, for --json and --output; and back from a file that plan --output wrote. */
void plan_json(const struct plan *plan, struct json *json);
int plan_read(const char *file, struct plan *ret_plan, struct err *err) MUST_USE;

#endif
