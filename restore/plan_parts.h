/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan_parts.h: between the files that make a plan, or look for events along a timeline's path.
 */
#ifndef RESTORE_PLAN_PARTS_H
#define RESTORE_PLAN_PARTS_H

#include "restore/plan.h"
#include "restore/survey.h"
#include "wal/wal_facts.h"

/* The timelines from the first to the one followed, without the empty ones. */
struct plan_path {
    struct plan_stretch stretches[PLAN_TIMELINES_MAX];
    size_t n;
};

/* What reading WAL has cost. */
struct wal_scan_cost {
    uint64_t requests;
    uint64_t bytes;
    uint64_t whole;  /* segments that were fetched whole */
    int64_t took_ms;
};

/* A plan while it is made. */
struct plan_work {
    struct archive *archive;
    const struct plan_request *request;
    struct plan_request resolved; /* what request becomes when the WAL has been read */
    struct notices *notices;
    struct survey survey;
    struct plan_path path;
    const struct backup_found *backup; /* the chosen one */
    uint32_t segment_size;
    struct wal_scan_cost cost; /* of all scans together */
    /* Segments that turned out bad when they were read: of each store, and in all of them. */
    uint64_t first_bad[SETTINGS_STORES_MAX];
    uint64_t first_lost;
    struct plan plan;
};

/* ---- plan.c ---- */

/* Which server, and what the stores hold of it: fills work->survey. 0 or -1. */
int plan_survey(struct plan_work *work, struct err *err) MUST_USE;

/* ---- plan_path.c ---- */

/*
 * The path to a timeline. History files that stores hold in different versions are ERR_CONFLICT, as
 * is a missing one (ERR_TRANSIENT if a store could not be asked).
 */
int plan_path_find(struct plan_work *work, uint32_t timeline, struct plan_path *ret,
                   struct err *err) MUST_USE;

/*
 * The server asks for every history file from the backup's timeline to the one it follows, and
 * believes each: they must be there and say the same. Holes above are a warning. 0 or -1.
 */
int plan_path_check(struct plan_work *work, struct err *err) MUST_USE;

/* Does this backup begin and end on the path? */
bool plan_path_holds(const struct plan_path *path, const struct backup_complete *complete);

/* ---- plan_choice.c ---- */

/* Choose timeline and backup: fills work->path and work->backup. 0 or -1. */
int plan_choose(struct plan_work *work, struct err *err) MUST_USE;

/* Does the backup end before the target, as far as that is known without reading WAL? */
bool plan_backup_before(const struct recovery_target *target,
                        const struct backup_complete *complete);

/* ---- plan_target.c ---- */

/*
 * Read the WAL for what the target means, so that recovery can stop at an exact position. Needs
 * path and backup as chosen so far. 0, or -1: ERR_CONFIG (it is nowhere; or there are several, and
 * the choices are named).
 */
int plan_target_resolve(struct plan_work *work, struct recovery_target *target,
                        struct err *err) MUST_USE;

#define PLAN_CHOICES_MAX 5

/* " 0/5A3B128 (2026-11-22 15:36:00+00), ..." of n, whose first ones are at hand. */
void plan_target_choices(const uint64_t *lsn, const int64_t *time_us, size_t n, char *text,
                         size_t size);

typedef bool (*plan_record_test)(const void *context, const struct wal_record *record);

/* The first record of the segment that passes. ret_lsn 0: none does. 0 or -1. */
int plan_target_search(struct plan_work *work, uint64_t number, plan_record_test test,
                       const void *context, uint64_t *ret_lsn, struct err *err) MUST_USE;

/* Did a transaction end with this record? */
bool plan_target_is_end(const struct wal_record *record, struct wal_fact *ret);

/* ---- plan_target_time.c ---- */

/* The same as plan_target_resolve(), of a time. ERR_CONFIG too if it lies behind a fork after which
 * both timelines went on, and none was chosen. */
int plan_target_time(struct plan_work *work, struct recovery_target *target,
                     struct err *err) MUST_USE;

/* ---- plan_target_event.c ---- */

/* The same as plan_target_resolve(), of a target before an event. */
int plan_target_event(struct plan_work *work, struct recovery_target *target,
                      struct err *err) MUST_USE;

/* ---- plan_file_target.c ---- */

struct json_t;

/* The target as a member of the open object, and back. */
void plan_target_json(struct json *json, const struct recovery_target *target);
int plan_target_read(const struct json_t *object, struct recovery_target *target,
                     struct err *err) MUST_USE;

/* Members of a plan's file, by key. 0 or -1 (ERR_CORRUPT). */
int plan_read_lsn(const struct json_t *object, const char *key, uint64_t *ret,
                  struct err *err) MUST_USE;
int plan_read_number(const struct json_t *object, const char *key, int64_t max, uint64_t *ret,
                     struct err *err) MUST_USE;
int plan_read_timeline(const struct json_t *object, const char *key, uint32_t *ret,
                       struct err *err) MUST_USE;

/* ---- plan_wal.c ---- */

/* Which WAL there is along the path, as the listings tell. Segments by number. */
struct plan_wal {
    uint64_t first;       /* the backup's */
    uint64_t needed;      /* the last one the target needs */
    uint64_t archived;    /* the last one on the path in any store; first - 1: none */
    uint64_t contiguous;  /* the first one that is not there */
    /* Once they are proven: */
    int64_t kept_us;       /* the last commit before segment `needed`, 0: none */
    struct wal_scan_cost proof_cost;
};

/* Where the path's WAL from segment `first` on has its first hole. */
uint64_t plan_wal_contiguous(const struct plan_work *work, uint64_t first, uint64_t archived);

/* The first segment of [first, last] that is not in this inventory; last + 1 if all are. */
uint64_t plan_wal_hole(const struct plan_work *work, const struct inventory *inventory,
                       uint64_t first, uint64_t last);

/* The last archived segment on the path, or first - 1. */
uint64_t plan_wal_archived(const struct plan_work *work, uint64_t first);

/* Which file holds segment `number` of the path. */
void plan_wal_name(const struct plan_work *work, uint64_t number, struct wal_name *ret);

/* Establish what is needed and that it is there. 0 or -1. */
int plan_wal_find(struct plan_work *work, struct plan_wal *ret, struct err *err) MUST_USE;

/* ---- plan_proof.c ---- */

/* Prove that what is needed is authentic; fills the plan's counts. 0 or -1. */
int plan_proof(struct plan_work *work, struct plan_wal *wal, struct err *err) MUST_USE;

/* ---- plan_proof_wal.c ---- */

/*
 * Every needed segment is authentic, its records follow each other and those before, as its index
 * tells or (deep) its bytes. ret_created_us: when the last one was archived. 0 or -1.
 */
int plan_proof_wal(struct plan_work *work, struct plan_wal *wal, int64_t *ret_created_us,
                   struct err *err) MUST_USE;

/* ---- plan_health.c ---- */

/* Up to where each store's WAL is whole: fills the stores' health. */
void plan_health_find(struct plan_work *work, const struct plan_wal *wal);

/*
 * Segment `end` is missing or damaged in all stores: the hint of the error says up to where
 * recovery is possible, notices say it of each store, and the plan is marked as refused. -1.
 */
int plan_health_refuse(struct plan_work *work, const struct plan_wal *wal, uint64_t end,
                       struct err *err);

/* ---- plan_loss.c ---- */

/* What is lost, and how long it will take: fills loss, rates and times. 0 or -1. */
int plan_loss_count(struct plan_work *work, const struct plan_wal *wal, struct err *err) MUST_USE;

/* ---- plan_limit.c ---- */

/*
 * The start of the last record that is complete before segment `end` of the path (segments from the
 * backup's first one on are there). False if there is none or the WAL cannot be read.
 */
bool plan_limit_lsn(struct plan_work *work, const struct plan_wal *wal, uint64_t end,
                    uint64_t *ret_lsn);

/* A target that WAL ending before `end` cannot reach: the error with its window. -1. */
int plan_limit_refuse(struct plan_work *work, const struct plan_wal *wal, uint64_t last_record,
                      struct err *err);

#endif
