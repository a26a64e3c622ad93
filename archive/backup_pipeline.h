/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_pipeline.h: jobs on their way through the workers into the stores, a bounded number at a
 * time, and out again in the order they went in.
 */
#ifndef ARCHIVE_BACKUP_PIPELINE_H
#define ARCHIVE_BACKUP_PIPELINE_H

#include "archive/backup_sender.h"
#include "archive/backup_workers.h"

struct pipeline; /* opaque */

/*
 * Gets every job that is in all stores that are left, in order; it may begin another job. The job
 * is released behind it. 0 or -1.
 */
typedef int (*pipeline_sink)(void *context, const struct backup_job *job, struct err *err);

struct pipeline_options {
    struct store_loop *loop;
    struct backup_sender *sender; /* borrowed */
    pipeline_sink sink;
    void *context;
};

/* How many jobs are under way at most with this many workers. */
size_t pipeline_capacity(size_t n_workers);

int pipeline_new(const struct workers_options *workers, const struct pipeline_options *options,
                 struct pipeline **ret_pipeline, struct err *err) MUST_USE;

/* Waits for the workers. */
void pipeline_free(struct pipeline *pipeline);

struct backup_workers *pipeline_workers(struct pipeline *pipeline);

/* An empty job to be filled and submitted before the next call; NULL: too many are under way. */
struct backup_job *pipeline_begin(struct pipeline *pipeline);
void pipeline_submit(struct pipeline *pipeline, struct backup_job *job);

/*
 * Move what can be moved; if nothing can, wait until then. 0, or -1: a job failed, too few stores
 * are left, a stop request, or the sink's error.
 */
int pipeline_step(struct pipeline *pipeline, int64_t until_ms, struct err *err) MUST_USE;

bool pipeline_idle(const struct pipeline *pipeline);

DEFINE_POINTER_CLEANUP(pipeline, struct pipeline, pipeline_free);

#endif
