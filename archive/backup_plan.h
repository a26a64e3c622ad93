/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_plan.h: the files of a walk, divided into parts.
 */
#ifndef ARCHIVE_BACKUP_PLAN_H
#define ARCHIVE_BACKUP_PLAN_H

#include "archive/backup_part.h"

/* Starts zeroed but for the walk. */
struct backup_plan {
    struct backup_walk *walk; /* owned */
    struct walk_entry entry;  /* if has_entry: it goes into the next part */
    bool has_entry;
    struct part_source *source; /* of the entry, whose first `offset` bytes are in parts already */
    uint64_t offset;
};

enum plan_outcome {
    PLAN_END = 1, /* that was the last part; it may be empty */
};

/* Fill an empty part. 0, PLAN_END or -1. */
int backup_plan_fill(struct backup_plan *plan, struct part *part, struct err *err) MUST_USE;

void backup_plan_done(struct backup_plan *plan);

/* How many bytes a walk comes to, for the progress; 0: not known. Never fails. */
uint64_t backup_plan_estimate(const struct walk_options *options);

DEFINE_CLEANUP(backup_plan, struct backup_plan, backup_plan_done);

#endif
