/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher_private.h"

#include <stdio.h>

#include "base/clock.h"

/* Files read at once: the workers of a common machine, and one that is next. */
#define PACKING_MAX 3
/* Archived files that nobody has asked for yet. */
#define AHEAD_MAX READY_MAX
#define JOBS_MAX 256
/* A scan takes at most a twentieth of the time. */
#define SCAN_MS 100
#define SCAN_SHARE 20
/* Nobody works ahead for a PostgreSQL that does not ask. */
#define QUIET_MS 15000

struct tally {
    size_t jobs;
    size_t packing;
    size_t under_way; /* with a worker or on the way to a store */
    size_t ahead;     /* nobody has been answered yet */
};

static struct tally
count_jobs(const struct pusher *pusher)
{
    struct tally tally = {0};

    for (const struct job *job = pusher->jobs; job != NULL; job = job->next) {
        bool sending = job->step == JOB_SENDING || job->step == JOB_LAGGING;

        tally.jobs++;
        tally.packing += job->step == JOB_PACKING;
        tally.under_way += job->step == JOB_PACKING || sending;
        tally.ahead += !job->answered && job->step != JOB_FAILED;
    }
    return tally;
}

/* ---- room ---- */

/* The last one that is archived and waits for other stores only, or NULL. */
static struct job *
last_lagging(const struct pusher *pusher)
{
    struct job *last = NULL;

    for (struct job *job = pusher->jobs; job != NULL; job = job->next)
        if (job->step == JOB_LAGGING)
            last = job;
    return last;
}

static size_t
lagging_memory(const struct pusher *pusher)
{
    size_t memory = 0;

    for (const struct job *job = pusher->jobs; job != NULL; job = job->next)
        if (job->step == JOB_LAGGING)
            memory += job->memory;
    return memory;
}

/* The one that will be asked for last and is being sent though nobody asks yet, or NULL. */
static struct job *
last_unasked(const struct pusher *pusher)
{
    struct job *last = NULL;

    for (struct job *job = pusher->jobs; job != NULL; job = job->next)
        if (job->step == JOB_SENDING && !pusher_job_asked(job))
            last = job;
    return last;
}

static bool
fits(const struct pusher *pusher, size_t need)
{
    return pusher->memory == 0 || pusher->memory + need <= pusher->options.memory_max;
}

/*
 * Somebody waits for this file: what nobody waits for gives way. First what is archived already, as
 * long as it holds more than its quarter, then work ahead, then the rest of what is archived.
 */
static bool
make_room(struct pusher *pusher, size_t need)
{
    while (!fits(pusher, need)) {
        struct job *lagging = last_lagging(pusher);
        struct job *unasked = last_unasked(pusher);
        bool much = lagging_memory(pusher) > pusher->options.memory_max / 4;

        if (lagging != NULL && (much || unasked == NULL)) {
            pusher_job_shed(lagging);
        } else if (unasked != NULL) {
            pusher_trace(unasked, "dropped");
            pusher_job_drop(unasked);
        } else if (pusher_healing(pusher)) {
            pusher_heal_free(pusher);
            return fits(pusher, need);
        } else {
            return false;
        }
    }
    return true;
}

/* ---- who is asked for ---- */

static bool
begin_asked(struct pusher *pusher)
{
    bool begun = false;

    for (const struct ask *ask = pusher->asks; ask != NULL; ask = ask->next) {
        struct job *job = ask->job;

        if (job == NULL || job->step != JOB_WAITING)
            continue;
        if (!make_room(pusher, pusher_need_likely(pusher, job->marked ? job->mark.size : 0)))
            return begun;
        pusher_job_begin(job);
        begun = true;
    }
    return begun;
}

/* ---- ahead ---- */

/* Forget what PostgreSQL does not wait for any more. */
static void
forget(struct pusher *pusher)
{
    struct job *next = NULL;

    for (struct job *job = pusher->jobs; job != NULL; job = next) {
        next = job->next;
        if (!job->dropped && (job->step == JOB_STORED || job->step == JOB_FAILED) &&
            !pusher_job_asked(job) && !ready_is(job->wal.text))
            pusher_job_drop(job);
    }
}

/* A directory that PostgreSQL does not keep the names in: the ones that were answered first go. */
static void
forget_oldest(struct pusher *pusher, size_t n)
{
    struct job *next = NULL;

    for (struct job *job = pusher->jobs; job != NULL && n > 0; job = next) {
        next = job->next;
        if (!job->dropped && (job->step == JOB_STORED || job->step == JOB_FAILED) &&
            !pusher_job_asked(job)) {
            pusher_job_drop(job);
            n--;
        }
    }
}

static void
scan(struct pusher *pusher)
{
    int64_t began_ms = clock_boot_ms();
    struct err err = ERR_INIT;

    if (ready_scan(READY_DIRECTORY, &pusher->ready, &err) < 0)
        pusher->ready = (struct ready){.n = 0};
    pusher->ready_next = 0;
    pusher->ready_wanted = false;

    int64_t took_ms = clock_boot_ms() - began_ms;
    pusher->scan_ms = clock_boot_ms() + MAX_OF((int64_t)SCAN_MS, took_ms * SCAN_SHARE);
    forget(pusher);
}

/* Are there enough stores to send to? */
static bool
stores_take(const struct pusher *pusher)
{
    size_t n = 0;

    for (size_t i = 0; i < pusher->archive->n_stores; i++)
        n += gates_state(pusher->gates, i, NULL) != GATE_SHUT;
    return n >= pusher->archive->acknowledge;
}

/* The next name to work on, or NULL. */
static const struct wal_name *
next_name(struct pusher *pusher)
{
    for (; pusher->ready_next < pusher->ready.n; pusher->ready_next++) {
        const struct wal_name *name = &pusher->ready.names[pusher->ready_next];
        struct job *job = pusher_job_find(pusher, name->text);

        if (job == NULL)
            return name;
        if (job->step == JOB_FAILED && clock_boot_ms() >= job->retry_ms &&
            !pusher_job_asked(job)) {
            pusher_job_drop(job);
            return name;
        }
    }
    return NULL;
}

/* Begin the next file ahead. False: there is none, or no room. */
static bool
begin_next(struct pusher *pusher)
{
    struct tally tally = count_jobs(pusher);
    char path[WAL_NAME_SIZE + 8];
    struct file_mark mark;

    if (tally.packing >= PACKING_MAX || tally.ahead >= AHEAD_MAX || !stores_take(pusher))
        return false;
    const struct wal_name *name = next_name(pusher);
    if (name == NULL)
        return false;
    if (tally.under_way >= pusher->window.size) {
        pusher->window_full = true;
        return false;
    }
    (void)snprintf(path, sizeof(path), "pg_wal/%s", name->text);
    if (!file_mark_read(path, &mark)) {
        pusher->ready_next++;
        return true;
    }
    if (!fits(pusher, pusher_need_likely(pusher, mark.size)))
        return false;
    struct job *job = pusher_job_new(pusher, path, name);
    if (job == NULL)
        return false;
    pusher->ready_next++;
    pusher_job_begin(job);
    return true;
}

/* Who has gone needs no room any more. */
static bool
somebody_waits_for_room(struct pusher *pusher)
{
    struct job *next = NULL;
    bool waits = false;

    for (struct job *job = pusher->jobs; job != NULL; job = next) {
        next = job->next;
        if (job->step != JOB_WAITING)
            continue;
        if (pusher_job_asked(job))
            waits = true;
        else
            pusher_job_drop(job);
    }
    return waits;
}

static bool
is_quiet(const struct pusher *pusher)
{
    return pusher->asks == NULL && clock_boot_ms() - pusher->asked_ms > QUIET_MS;
}

bool
pusher_begin(struct pusher *pusher)
{
    bool begun = begin_asked(pusher);
    size_t n_jobs = count_jobs(pusher).jobs;

    pusher->window_full = false;
    if (n_jobs > JOBS_MAX)
        forget_oldest(pusher, n_jobs - JOBS_MAX);
    if (somebody_waits_for_room(pusher) || !pusher->options.work_ahead || is_quiet(pusher))
        return begun;
    if (pusher->ready_wanted && clock_boot_ms() >= pusher->scan_ms)
        scan(pusher);
    while (begin_next(pusher))
        begun = true;
    return begun;
}

int64_t
pusher_ahead_due_ms(const struct pusher *pusher)
{
    bool more = pusher->options.work_ahead && pusher->ready_wanted && !is_quiet(pusher);

    return more ? pusher->scan_ms : INT64_MAX;
}
