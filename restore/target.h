/* SPDX-License-Identifier: PostgreSQL */
/*
 * target.h: to which point a recovery is to go, as a person says it.
 *
 * Pure: text in, a target out. Exactly one of --time, --lsn, --xid, --name, --latest,
 * --backup-end; --timeline latest (default), current, or a number in decimal.
 */
#ifndef RESTORE_TARGET_H
#define RESTORE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

#define TARGET_NAME_SIZE 64 /* PostgreSQL's limit for a restore point, with its NUL */

enum target_kind {
    TARGET_LATEST,
    TARGET_BACKUP_END, /* as soon as the backup is consistent */
    TARGET_TIME,
    TARGET_LSN,
    TARGET_XID,
    TARGET_NAME,
};

enum target_timeline {
    TARGET_TIMELINE_LATEST,
    TARGET_TIMELINE_CURRENT, /* the backup's own */
    TARGET_TIMELINE_NUMBER,
};

struct recovery_target {
    enum target_kind kind;
    int64_t time_us; /* since 1970-01-01 UTC */
    uint64_t lsn;
    uint64_t xid; /* 32 bits, or 64 with the epoch, which is dropped */
    char name[TARGET_NAME_SIZE];
    enum target_timeline timeline_kind;
    uint32_t timeline;
};

/* The options as given; NULL or false: not given. */
struct target_options {
    const char *time;
    const char *lsn;
    const char *xid;
    const char *name;
    bool latest;
    bool backup_end;
    const char *timeline;
};

/*
 * 0 or -1 (ERR_CONFIG, naming the option). A time is "YYYY-MM-DD HH:MM:SS[.ffffff]" or with T, and
 * must carry a zone: Z, +HH, +HH:MM or UTC; one without a zone is refused with both readings (UTC
 * and the local zone) as the hint.
 */
int target_parse(const struct target_options *options, struct recovery_target *ret,
                 struct err *err) MUST_USE;

/* For people: "time 2026-11-22 15:36:00+00", "LSN 0/5000028", "the end of the archived WAL". */
const char *target_text(const struct recovery_target *target, char *text, size_t size);

/* The line for postgresql.auto.conf: "recovery_target_time = '...+00'\n" or nothing (latest). */
const char *target_setting(const struct recovery_target *target, char *text, size_t size);

#endif
