/* SPDX-License-Identifier: PostgreSQL */
/*
 * target.h: to which point a recovery is to go, as a person says it.
 *
 * Pure: text in, a target out. Exactly one of --time, --lsn, --xid, --name, --before, --latest,
 * --backup-end; --timeline latest (default), current, or a number in decimal.
 */
#ifndef RESTORE_TARGET_H
#define RESTORE_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* What --time can say: the years 1970 to 9999, and a day more at both ends for the zones. */
#define TARGET_TIME_MIN INT64_C(-86400000000)
#define TARGET_TIME_MAX INT64_C(253402387199999999)
#define TARGET_NAME_SIZE 64 /* PostgreSQL's limit for a restore point, with its NUL */
#define TARGET_EVENT_SIZE 192
#define TARGET_TEXT_SIZE 1024
#define TARGET_SETTING_SIZE 192

enum target_kind {
    TARGET_LATEST,
    TARGET_BACKUP_END, /* as soon as the backup is consistent */
    TARGET_TIME,
    TARGET_LSN,
    TARGET_XID,
    TARGET_NAME,
    TARGET_BEFORE, /* an event: what "seawall events" shows */
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
    uint32_t xid; /* never one of the special ones below 3 */
    char name[TARGET_NAME_SIZE]; /* any bytes but control characters */
    char event[TARGET_EVENT_SIZE]; /* the same */
    /*
     * What reading the WAL has told; 0: not known. found_lsn: the record that is meant. stop_lsn:
     * recovery stops before the first record that begins there or behind it, and such a record is
     * archived.
     */
    uint64_t found_lsn;
    uint64_t stop_lsn;
    enum target_timeline timeline_kind;
    uint32_t timeline;
};

/* The options as given; NULL or false: not given. */
struct target_options {
    const char *time;
    const char *lsn;
    const char *xid;
    const char *name;
    const char *before;
    bool latest;
    bool backup_end;
    const char *timeline;
};

/*
 * 0 or -1 (ERR_CONFIG, naming the option). A time is "YYYY-MM-DD HH:MM:SS[.ffffff]" (or with T in
 * place of the blank) and must carry a zone, directly or after a blank: Z, UTC, +HH or +HH:MM; one
 * without a zone is refused with both readings (UTC and the local zone) as the hint. An LSN is
 * "hi/lo". A transaction id may have its epoch (pg_current_xact_id()), which is dropped. A timeline
 * is decimal without leading zeros: PostgreSQL would read 010 as 8, and history files are named in
 * hexadecimal.
 */
int target_parse(const struct target_options *options, struct recovery_target *ret,
                 struct err *err) MUST_USE;

/* One time as --time takes it; `option` is named in errors. 0 or -1 (ERR_CONFIG). */
int target_read_time(const char *option, const char *text, int64_t *ret_us,
                     struct err *err) MUST_USE;

/* "2026-11-22 15:36:00.25+00". CLOCK_TEXT_SIZE and 8 bytes more suffice. Returns text. */
const char *target_time_text(int64_t time_us, char *text, size_t size);

/* Does recovery stop before a position that is known, and which? */
bool target_stops_at(const struct recovery_target *target, uint64_t *ret_lsn);

/*
 * For people: "time 2026-11-22 15:36:00+00", "LSN 0/5000028", "the end of the archived WAL".
 * TARGET_TEXT_SIZE bytes suffice. Returns text.
 */
const char *target_text(const struct recovery_target *target, char *text, size_t size);

/*
 * The line for postgresql.auto.conf: "recovery_target_time = '...+00'\n" or nothing (latest). It
 * goes with recovery_target_inclusive = off if target_stops_at().
 * TARGET_SETTING_SIZE bytes suffice. The timeline is not in it. Returns text.
 */
const char *target_setting(const struct recovery_target *target, char *text, size_t size);

/* The option of plan and restore that says it: "--lsn 0/5000028". As target_text(). */
const char *target_option(const struct recovery_target *target, char *text, size_t size);

#endif
