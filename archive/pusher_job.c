/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* A large segment on a slow link needs long; a dead link is noticed by stall_timeout. */
#define PUT_MS ((int64_t)600 * 1000)
/* What passes in this time is not worth shutting a gate for. */
#define RETRY_MS 5000
#define PERMILLE_ALL 1000
#define FAILED_REST_MS 5000
/* PostgreSQL asks again at least once a minute; who does not has gone. */
#define ABANDONED_MS 90000

/* ---- in a worker's thread ---- */

static void
pack(struct work *work)
{
    struct job *job = (struct job *)(void *)work;
    const struct pusher_options *options = &job->pusher->options;

    job->rc =
        wal_source_pack_within(options->archive, options->pgdata, job->path, job->room,
                               &job->notices.notices, &job->object, &job->err);
}

/* ---- life ---- */

struct job *
pusher_job_new(struct pusher *pusher, const char *path, const struct wal_name *wal)
{
    AUTO(ptr) struct job *job = calloc(1, sizeof(*job));
    struct job **end = &pusher->jobs;

    if (job == NULL || (job->path = strdup(path)) == NULL)
        return NULL;
    job->work = (struct work){.run = pack, .owner = pusher};
    job->pusher = pusher;
    job->wal = *wal;
    job->made_ms = clock_boot_ms();
    job->marked = file_mark_read(path, &job->mark);
    job->step = JOB_WAITING;
    job->order = pusher->next_order++;
    job->object = WAL_OBJECT_INIT;
    notice_log_init(&job->notices);
    while (*end != NULL)
        end = &(*end)->next;
    *end = job;
    return TAKE_PTR(job);
}

struct job *
pusher_job_find(const struct pusher *pusher, const char *name)
{
    for (struct job *job = pusher->jobs; job != NULL; job = job->next)
        if (!job->dropped && strcmp(job->wal.text, name) == 0)
            return job;
    return NULL;
}

bool
pusher_job_asked(const struct job *job)
{
    for (const struct ask *ask = job->pusher->asks; ask != NULL; ask = ask->next)
        if (ask->job == job)
            return true;
    return false;
}

/* Forget the packed object. */
static void
release(struct job *job)
{
    delivery_free(job->delivery);
    job->delivery = NULL;
    wal_object_done(&job->object);
    job->pusher->memory -= job->memory;
    job->memory = 0;
}

static void
free_job(struct job *job)
{
    release(job);
    notice_log_done(&job->notices);
    free(job->path);
    free(job);
}

static void
unlink_job(struct job *job)
{
    struct job **at = &job->pusher->jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
}

void
pusher_job_drop(struct job *job)
{
    for (struct ask *ask = job->pusher->asks; ask != NULL; ask = ask->next)
        if (ask->job == job)
            ask->job = NULL;
    job->dropped = true;
    /* A worker cannot be interrupted, and what is archived still goes to the other stores. */
    if (job->step == JOB_PACKING || job->step == JOB_LAGGING)
        return;
    unlink_job(job);
    free_job(job);
}

void
pusher_jobs_free(struct pusher *pusher)
{
    while (pusher->jobs != NULL) {
        struct job *job = pusher->jobs;

        pusher->jobs = job->next;
        free_job(job);
    }
}

static void
fail_job(struct job *job)
{
    release(job);
    job->step = JOB_FAILED;
    job->retry_ms = clock_boot_ms() + FAILED_REST_MS;
    pusher_note_error(job->pusher, &job->err);
}

/* ---- packing ---- */

size_t
pusher_need(uint64_t file_size)
{
    return (size_t)object_size_bound(file_size);
}

/* For the compressed bytes; SIZE_MAX: as much as they need. */
static size_t
likely_room(const struct pusher *pusher, uint64_t file_size)
{
    if (pusher->permille >= PERMILLE_ALL || file_size < MIB)
        return SIZE_MAX;
    return (size_t)(file_size / 1000 * pusher->permille);
}

size_t
pusher_need_likely(const struct pusher *pusher, uint64_t file_size)
{
    size_t room = likely_room(pusher, file_size);

    if (room == SIZE_MAX)
        return pusher_need(file_size);
    return room + (size_t)object_size_overhead(file_size);
}

/* What was packed says what comes next will need; what needed more than ever says it at once. */
static void
learn(struct pusher *pusher, uint64_t file_size, size_t held)
{
    unsigned now = (unsigned)(held * 1250 / file_size);

    pusher->permille = MAX_OF(MIN_OF(now, (unsigned)PERMILLE_ALL),
                              pusher->permille - pusher->permille / 8);
}

void
pusher_job_begin(struct job *job)
{
    uint64_t size = job->marked ? job->mark.size : 0;

    job->room = likely_room(job->pusher, size);
    job->memory = pusher_need_likely(job->pusher, size);
    job->pusher->memory += job->memory;
    job->step = JOB_PACKING;
    job->begun_ms = clock_boot_ms();
    workers_submit(job->pusher->options.workers, &job->work);
}

static int
begin_delivery(struct job *job)
{
    struct pusher *pusher = job->pusher;

    job->packed = (struct delivery_object){
        .name = job->object.name,
        .file = job->wal.text,
        .system_id = pusher->options.pgdata->system_id,
        .spans = job->object.spans,
        .seal = &job->object.seal,
        .file_digest = object_packer_digest(job->object.packer),
    };
    if (delivery_new(pusher->archive, pusher->gates, DELIVERY_ALL, &job->packed, &job->delivery,
                     &job->err) < 0)
        return -1;
    delivery_set_limits(job->delivery, PUT_MS, RETRY_MS);
    delivery_set_notices(job->delivery, &job->notices.notices);
    job->step = JOB_SENDING;
    return 0;
}

/* The file was replaced after it was looked at: who asked looks again. */
static void
take_mark(struct job *job)
{
    if (job->marked && file_mark_equal(&job->mark, &job->object.mark))
        return;
    job->mark = job->object.mark;
    job->marked = true;
    for (struct ask *ask = job->pusher->asks; ask != NULL; ask = ask->next)
        if (ask->job == job)
            ask->job = NULL;
}

static void
take_packed(struct job *job)
{
    size_t held = job->rc != 0 ? 0 : job->object.spans[0].size + job->object.spans[1].size;

    job->pusher->memory += held;
    job->pusher->memory -= job->memory;
    job->memory = held;
    job->packed_ms = clock_boot_ms();
    if (job->dropped) {
        unlink_job(job);
        free_job(job);
        return;
    }
    if (job->rc == WAL_SOURCE_NO_ROOM) {
        /* Once more, with all the room it can need, when there is that. */
        pusher_trace(job, "no room");
        job->pusher->permille = PERMILLE_ALL;
        job->pusher->ready_next = 0;
        job->step = JOB_WAITING;
        notice_log_done(&job->notices);
        return;
    }
    if (job->rc == 0) {
        take_mark(job);
        if (job->mark.size >= MIB)
            learn(job->pusher, job->mark.size, held);
    }
    if (job->rc < 0 || begin_delivery(job) < 0)
        fail_job(job);
}

/* ---- sending ---- */

static struct lag_file
lag_file_of(const struct job *job)
{
    return (struct lag_file){.wal = job->wal,
                             .mark = job->mark,
                             .marked = true,
                             .size = job->mark.size,
                             .since_ms = job->archived_ms};
}

/* A store that failed although the file is archived. */
static void
tell_failure(struct job *job, size_t i, const struct err *why)
{
    struct err err = *why;
    struct lag_file file = lag_file_of(job);

    job->told |= UINT32_C(1) << i;
    if (why->kind != ERR_CONFLICT && why->kind != ERR_CORRUPT) {
        pusher_lag_add(job->pusher, i, &file, why);
        return;
    }
    (void)err_wrap(&err, "\"%s\" was archived, but then", job->wal.text);
    pusher_note_error(job->pusher, &err);
    pusher_note_conflict(job->pusher, i, job->wal.text, why);
    notice_err(&job->pusher->news.notices, LOG_ERROR, why,
               "\"%s\" was archived, but another store disagrees", job->wal.text);
}

static void
advance_lagging(struct job *job)
{
    for (size_t i = 0; i < job->pusher->archive->n_stores; i++) {
        struct err why = ERR_INIT;

        if ((job->told >> i & 1) == 0 &&
            delivery_place(job->delivery, i, &why) == DELIVERY_FAILED)
            tell_failure(job, i, &why);
    }
    if (delivery_count(job->delivery, DELIVERY_UNDER_WAY) > 0)
        return;
    release(job);
    job->step = JOB_STORED;
    if (job->dropped) {
        unlink_job(job);
        free_job(job);
    }
}

void
pusher_job_shed(struct job *job)
{
    struct lag_file file = lag_file_of(job);
    struct err why = ERR_INIT;

    (void)err_set(&why, ERR_TRANSIENT, "it takes files more slowly than they are archived");
    for (size_t i = 0; i < job->pusher->archive->n_stores; i++) {
        if (delivery_place(job->delivery, i, NULL) != DELIVERY_UNDER_WAY)
            continue;
        delivery_leave_out(job->delivery, i);
        pusher_lag_add(job->pusher, i, &file, &why);
    }
    advance_lagging(job);
}

static void
archived(struct job *job)
{
    struct pusher *pusher = job->pusher;

    job->step = JOB_LAGGING;
    job->archived_ms = clock_boot_ms();
    pusher_trace(job, "archived");
    pusher->archived++;
    pusher->archived_bytes += job->mark.size;
    pusher->stored_bytes += job->memory;
    pusher->last = job->wal;
    pusher->last_ms = job->archived_ms;
    window_archived(&pusher->window, job->memory, pusher->window_full, clock_boot_ms());
    advance_lagging(job);
}

static bool
has_conflict(const struct job *job)
{
    for (size_t i = 0; i < job->pusher->archive->n_stores; i++) {
        struct err why = ERR_INIT;

        if (delivery_place(job->delivery, i, &why) == DELIVERY_FAILED && why.kind == ERR_CONFLICT)
            return true;
    }
    return false;
}

/* Is it decided? */
static void
judge(struct job *job)
{
    const struct delivery *delivery = job->delivery;
    size_t needed = job->pusher->archive->acknowledge;
    size_t holds = delivery_count(delivery, DELIVERY_HOLDS);
    size_t under_way = delivery_count(delivery, DELIVERY_UNDER_WAY);
    size_t hopeful = holds + under_way + delivery_count_passing(delivery);

    if (holds >= needed && !has_conflict(job))
        archived(job);
    else if ((has_conflict(job) || hopeful < needed) &&
             delivery_verdict(delivery, &job->notices.notices, &job->err) < 0)
        fail_job(job);
}

/* Stores that failed and whose gates have opened again. */
static bool
send_again(struct job *job)
{
    bool again = false;

    for (size_t i = 0; i < job->pusher->archive->n_stores; i++) {
        struct err why = ERR_INIT;

        if (delivery_place(job->delivery, i, &why) != DELIVERY_FAILED ||
            why.kind == ERR_CONFLICT || why.kind == ERR_CORRUPT ||
            gates_state(job->pusher->gates, i, NULL) != GATE_OPEN)
            continue;
        delivery_again(job->delivery, i);
        again = true;
    }
    return again;
}

static void
watch_trouble(struct job *job)
{
    unsigned vain = delivery_vain(job->delivery);

    if (vain > job->vain)
        window_trouble(&job->pusher->window, clock_boot_ms());
    job->vain = vain;
}

/* Nobody has asked for anything for long, and the stores are away: PostgreSQL asks again. */
static bool
is_abandoned(const struct job *job)
{
    return clock_boot_ms() - job->pusher->asked_ms > ABANDONED_MS && !pusher_job_asked(job) &&
           delivery_count(job->delivery, DELIVERY_UNDER_WAY) == 0;
}

static bool
advance_job(struct job *job)
{
    bool again = job->step == JOB_SENDING && send_again(job);

    if (!delivery_advance(job->delivery)) {
        if (job->step == JOB_SENDING && is_abandoned(job))
            pusher_job_drop(job);
        return again;
    }
    watch_trouble(job);
    if (job->step == JOB_SENDING)
        judge(job);
    else
        advance_lagging(job);
    return true;
}

bool
pusher_jobs_advance(struct pusher *pusher)
{
    struct job *next = NULL;
    struct work *work = NULL;
    bool moved = false;

    while ((work = workers_take(pusher->options.workers, pusher)) != NULL) {
        if (!pusher_heal_take(pusher, work))
            take_packed((struct job *)(void *)work);
        moved = true;
    }
    for (struct job *job = pusher->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->step == JOB_SENDING || job->step == JOB_LAGGING)
            moved = advance_job(job) || moved;
    }
    return moved;
}
