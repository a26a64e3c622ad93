/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* What waits in archive_status now. */
static void
look(struct pusher_status *ret)
{
    AUTO(ptr) struct ready *ready = malloc(sizeof(*ready));
    struct err err = ERR_INIT;

    if (ready == NULL || ready_scan(READY_DIRECTORY, ready, &err) < 0)
        return;
    ret->ready = ready->total;
    ret->ready_more = ready->total == READY_COUNT_MAX;
    if (ready->n == 0)
        return;
    (void)snprintf(ret->oldest_ready, sizeof(ret->oldest_ready), "%s", ready->names[0].text);
    ret->oldest_ready_us = ready_since_us(ready->names[0].text);
}

static void
note_lag(struct pusher_lag *lag, const struct lag_file *file)
{
    int64_t since_us = clock_real_of(file->since_ms);

    if (lag->oldest[0] != '\0' && lag->since_us <= since_us)
        return;
    (void)snprintf(lag->oldest, sizeof(lag->oldest), "%s", file->wal.text);
    lag->since_us = since_us;
}

/* What this store lacks: remembered, on its way to be healed, and still being sent. */
static void
describe_lag(const struct pusher *pusher, size_t i, struct pusher_lag *ret)
{
    const struct pusher_store *store = &pusher->stores[i];
    const struct lag_file *oldest = lag_oldest(&store->lag);

    ret->files = store->lag.files + store->lag.forgotten;
    (void)snprintf(ret->error, sizeof(ret->error), "%s", store->error);
    (void)snprintf(ret->conflict, sizeof(ret->conflict), "%s", store->conflict);
    if (oldest != NULL)
        note_lag(ret, oldest);
    for (size_t k = 0; k < PUSHER_HEALINGS; k++) {
        if (!pusher->healings[k].active || pusher->healings[k].store != i)
            continue;
        ret->files++;
        note_lag(ret, &pusher->healings[k].file);
    }
    for (const struct job *job = pusher->jobs; job != NULL; job = job->next) {
        struct lag_file file = {.wal = job->wal, .since_ms = job->archived_ms};

        if (job->step != JOB_LAGGING ||
            delivery_place(job->delivery, i, NULL) != DELIVERY_UNDER_WAY)
            continue;
        ret->files++;
        note_lag(ret, &file);
    }
}

void
pusher_status(const struct pusher *pusher, struct pusher_status *ret)
{
    *ret = (struct pusher_status){
        .window = pusher->window.size,
        .memory = pusher->memory,
        .archived = pusher->archived,
        .archived_bytes = pusher->archived_bytes,
        .stored_bytes = pusher->stored_bytes,
        .last_us = clock_real_of(pusher->last_ms),
        .last_error_us = clock_real_of(pusher->last_error_ms),
    };
    look(ret);
    memcpy(ret->last, pusher->last.text, sizeof(ret->last));
    memcpy(ret->last_error, pusher->last_error, sizeof(ret->last_error));
    for (const struct job *job = pusher->jobs; job != NULL; job = job->next)
        ret->in_flight += job->step == JOB_PACKING || job->step == JOB_SENDING ||
                          job->step == JOB_LAGGING;
    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        describe_lag(pusher, i, &ret->stores[i]);
}
