/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_claim.h"

#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/retry.h"
#include "catalog/backup_name.h"

#define TRIES_MAX 100
#define WAIT_MS 200
#define SECOND_MS 1000

struct attempt {
    struct backup_job job;
    struct outgoing object;
};

static void
attempt_done(struct attempt *attempt)
{
    outgoing_done(&attempt->object);
    backup_job_done(&attempt->job);
}

DEFINE_CLEANUP(attempt, struct attempt, attempt_done);

/* A file that never changes, so it may be read before the backup begins. */
static int
add_version(const struct backup_claim *claim, struct part *part, struct err *err)
{
    AUTO(backup_walk) struct backup_walk *walk = NULL;
    struct walk_entry entry;

    if (backup_walk_new(claim->walk, &walk, err) < 0 || backup_walk_next(walk, &entry, err) < 0)
        return -1;
    return part_add(part, &entry, err);
}

static int
pack(const struct backup_claim *claim, struct backup_job *job, struct err *err)
{
    backup_workers_submit(claim->workers, job);
    while (!backup_workers_ready(claim->workers, job))
        backup_workers_wait(claim->workers, clock_boot_ms() + WAIT_MS);
    if (job->rc == 0)
        return 0;
    *err = job->err;
    return -1;
}

/* 0, 1 (the label is taken) or -1. */
static int
try_label(const struct backup_claim *claim, const char *label, struct backup_record **ret_record,
          struct err *err)
{
    AUTO(attempt) struct attempt attempt = {.object.claim = true};
    AUTO(backup_record) struct backup_record *record = NULL;

    attempt.job.number = 1;
    backup_name_of(claim->owner, label, BACKUP_PART, 1, attempt.job.name);
    if (add_version(claim, &attempt.job.part, err) < 0 || pack(claim, &attempt.job, err) < 0)
        return -1;
    attempt.object.name = attempt.job.name;
    attempt.object.spans = attempt.job.spans;
    if (backup_sender_put_now(claim->sender, &attempt.object, err) < 0)
        return -1;
    if (attempt.object.taken)
        return 1;
    if (backup_record_new(label, claim->owner->system_id, claim->block_size, &record, err) < 0 ||
        backup_record_part(record, &attempt.job, err) < 0)
        return -1;
    *ret_record = TAKE_PTR(record);
    return 0;
}

int
backup_claim_label(const struct backup_claim *claim, char *ret_label, int64_t *ret_time_s,
                   struct backup_record **ret_record, struct err *err)
{
    for (uint32_t i = 1; i <= TRIES_MAX; i++) {
        char label[BACKUP_LABEL_SIZE];
        int64_t now_us = clock_real_us();

        backup_label_of_time(now_us, label);
        int rc = try_label(claim, label, ret_record, err);
        if (rc < 0)
            return -1;
        if (rc == 0) {
            memcpy(ret_label, label, sizeof(label));
            *ret_time_s = now_us / 1000000;
            return 0;
        }
        notice(claim->walk->notices, LOG_INFO, "another backup is called %s; taking a later label",
               label);
        /* Those who met here should not meet again. */
        clock_sleep_until(clock_boot_ms() + SECOND_MS + retry_random() % (SECOND_MS * i));
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "interrupted");
    }
    return err_set(err, ERR_CONFLICT, "every label of this time is taken by another backup");
}
