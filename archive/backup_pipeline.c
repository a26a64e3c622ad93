/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_pipeline.h"

#include "base/clock.h"
#include "base/process.h"

/* While stores are waited for, the workers are looked after this often. */
#define SLICE_MS 20

enum state {
    STATE_WORKING,
    STATE_SENDING,
    STATE_SENT,
};

struct slot {
    struct backup_job job;
    struct outgoing outgoing;
    enum state state;
};

struct pipeline {
    struct pipeline_options options;
    struct backup_workers *workers;
    struct slot *slots; /* a ring */
    size_t capacity;
    size_t head;
    size_t n;
};

size_t
pipeline_capacity(size_t n_workers)
{
    return n_workers + MAX_OF(n_workers, (size_t)2);
}

static struct slot *
slot_at(const struct pipeline *pipeline, size_t i)
{
    return &pipeline->slots[(pipeline->head + i) % pipeline->capacity];
}

int
pipeline_new(const struct workers_options *workers, const struct pipeline_options *options,
             struct pipeline **ret_pipeline, struct err *err)
{
    AUTO(pipeline) struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

    if (pipeline == NULL)
        return err_memory(err, "backup");
    pipeline->options = *options;
    pipeline->capacity = pipeline_capacity(workers->n);
    pipeline->slots = calloc(pipeline->capacity, sizeof(*pipeline->slots));
    if (pipeline->slots == NULL)
        return err_memory(err, "backup");
    if (backup_workers_new(workers, &pipeline->workers, err) < 0)
        return -1;
    *ret_pipeline = TAKE_PTR(pipeline);
    return 0;
}

void
pipeline_free(struct pipeline *pipeline)
{
    if (pipeline == NULL)
        return;
    /* First of all: the jobs are theirs until they have ended. */
    backup_workers_free(pipeline->workers);
    for (size_t i = 0; i < pipeline->n; i++) {
        outgoing_done(&slot_at(pipeline, i)->outgoing);
        backup_job_done(&slot_at(pipeline, i)->job);
    }
    free(pipeline->slots);
    free(pipeline);
}

struct backup_workers *
pipeline_workers(struct pipeline *pipeline)
{
    return pipeline->workers;
}

struct backup_job *
pipeline_begin(struct pipeline *pipeline)
{
    struct slot *slot = slot_at(pipeline, pipeline->n);

    if (pipeline->n == pipeline->capacity)
        return NULL;
    *slot = (struct slot){.state = STATE_WORKING};
    return &slot->job;
}

void
pipeline_submit(struct pipeline *pipeline, struct backup_job *job)
{
    pipeline->n++;
    backup_workers_submit(pipeline->workers, job);
}

bool
pipeline_idle(const struct pipeline *pipeline)
{
    return pipeline->n == 0;
}

/* 0: nothing moved; 1: something did; -1. */
static int
move_slot(struct pipeline *pipeline, struct slot *slot, struct err *err)
{
    struct backup_job *job = &slot->job;

    if (slot->state == STATE_WORKING) {
        if (!backup_workers_ready(pipeline->workers, job))
            return 0;
        if (job->rc != 0) {
            *err = job->err;
            return -1;
        }
        slot->outgoing.name = job->name;
        slot->outgoing.spans = job->spans;
        slot->state = STATE_SENDING;
        backup_sender_put(pipeline->options.sender, &slot->outgoing);
    }
    if (slot->state == STATE_SENDING &&
        backup_sender_advance(pipeline->options.sender, &slot->outgoing)) {
        outgoing_done(&slot->outgoing);
        slot->state = STATE_SENT;
        return 1;
    }
    return 0;
}

/* Hand the oldest job on. Its slot is free before, so that the sink can begin another one. */
static int
pop(struct pipeline *pipeline, struct err *err)
{
    struct backup_job job = slot_at(pipeline, 0)->job;

    slot_at(pipeline, 0)->job = (struct backup_job){.number = 0};
    pipeline->head = (pipeline->head + 1) % pipeline->capacity;
    pipeline->n--;
    int rc = pipeline->options.sink(pipeline->options.context, &job, err);
    backup_job_done(&job);
    return rc;
}

static int
wait(struct pipeline *pipeline, int64_t until_ms, struct err *err)
{
    for (size_t i = 0; i < pipeline->n; i++) {
        if (slot_at(pipeline, i)->state != STATE_SENDING)
            continue;
        int64_t slice_ms = MIN_OF(until_ms, clock_boot_ms() + SLICE_MS);
        return store_loop_run(pipeline->options.loop, slice_ms, err);
    }
    if (pipeline->n > 0)
        backup_workers_wait(pipeline->workers, until_ms);
    if (process_stop_requested() != 0)
        return err_set(err, ERR_TRANSIENT, "interrupted");
    return 0;
}

int
pipeline_step(struct pipeline *pipeline, int64_t until_ms, struct err *err)
{
    bool moved = false;

    for (size_t i = 0; i < pipeline->n; i++) {
        int rc = move_slot(pipeline, slot_at(pipeline, i), err);

        if (rc < 0)
            return -1;
        moved = moved || rc > 0;
    }
    if (backup_sender_check(pipeline->options.sender, err) < 0)
        return -1;
    while (pipeline->n > 0 && slot_at(pipeline, 0)->state == STATE_SENT) {
        moved = true;
        if (pop(pipeline, err) < 0)
            return -1;
    }
    return moved ? 0 : wait(pipeline, until_ms, err);
}
