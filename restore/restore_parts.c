/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/threads.h"
#include "catalog/backup_name.h"
#include "catalog/retrieval.h"
#include "restore/restore_writer.h"

#define SHORT_TIMEOUT_MS (60 * 1000) /* while stores are passed over: then all are asked */
#define POLL_MS 20  /* while something is fetched: the loop does not wake up for a thread */
#define WAIT_MS 200 /* while nothing is: for progress and a stop request */

enum slot_state {
    SLOT_FREE,
    SLOT_FETCHING, /* the loop's */
    SLOT_READY,    /* fetched; a thread may take it */
    SLOT_WORKING,  /* a thread's */
    SLOT_DONE,     /* the outcome is to be looked at */
};

struct slot {
    enum slot_state state;
    uint64_t number; /* in the order they were added */
    struct restore_job job;
    bool passes_over; /* not all stores are asked */
    struct retrieval *retrieval;
    struct object object;
    enum writer_outcome outcome;
    struct err err;
};

struct restore_parts {
    struct restore_parts_setup setup;
    size_t n_slots;
    size_t n_threads;
    pthread_t threads[RESTORE_THREADS_MAX];
    uint64_t n_added;
    /*
     * Stores at the beginning of the order that are passed over, because a part came from one
     * behind them: a region that is away would cost seconds for every part.
     */
    size_t n_passed;
    struct err err; /* the first failure, if it has a kind */
    pthread_mutex_t mutex; /* for all below, and for users and pieces of files */
    pthread_cond_t ready;
    pthread_cond_t done;
    bool stop;
    uint64_t written;
    struct slot slots[RESTORE_PARTS_MAX];
};

/* ---- files and jobs ---- */

static void
release_locked(struct restored_file *file)
{
    if (--file->n_users > 0)
        return;
    free(file->path);
    free(file->held);
    free(file);
}

void
restore_parts_release(struct restore_parts *parts, struct restored_file *file)
{
    if (file == NULL)
        return;
    (void)pthread_mutex_lock(&parts->mutex);
    release_locked(file);
    (void)pthread_mutex_unlock(&parts->mutex);
}

void
restore_parts_clear(struct restore_parts *parts, struct restore_job *job)
{
    (void)pthread_mutex_lock(&parts->mutex);
    for (size_t i = 0; i < job->n_runs; i++)
        release_locked(job->runs[i].file);
    (void)pthread_mutex_unlock(&parts->mutex);
    free(job->runs);
    *job = (struct restore_job){.n_runs = 0};
}

int
restore_job_add(struct restore_parts *parts, struct restore_job *job,
                const struct restore_run *run, struct err *err)
{
    if (job->n_runs == job->capacity) {
        size_t capacity = job->capacity == 0 ? 64 : job->capacity * 2;
        struct restore_run *more = reallocarray(job->runs, capacity, sizeof(*more));

        if (more == NULL)
            return err_memory(err, "the runs of a part");
        job->runs = more;
        job->capacity = capacity;
    }
    job->runs[job->n_runs++] = *run;
    (void)pthread_mutex_lock(&parts->mutex);
    run->file->n_users++;
    (void)pthread_mutex_unlock(&parts->mutex);
    return 0;
}

/* ---- threads ---- */

static struct slot *
next_ready(struct restore_parts *parts)
{
    struct slot *next = NULL;

    for (size_t i = 0; i < parts->n_slots; i++) {
        struct slot *slot = &parts->slots[i];

        if (slot->state == SLOT_READY && (next == NULL || slot->number < next->number))
            next = slot;
    }
    return next;
}

/* The pieces are written: what they sum up to becomes known. True: they were the file's last. */
static bool
pieces_written(void *context, const struct restore_run *run, uint32_t crc)
{
    struct restore_parts *parts = context;
    struct restored_file *file = run->file;

    (void)pthread_mutex_lock(&parts->mutex);
    file->pieces[run->piece] = (struct restored_piece){run->length, crc};
    bool last = --file->n_left == 0;
    parts->written += run->length;
    (void)pthread_mutex_unlock(&parts->mutex);
    return last;
}

static void *
work(void *context)
{
    struct restore_parts *parts = context;
    struct restore_writer writer;

    restore_writer_init(&writer, parts->setup.tree, pieces_written, parts);
    (void)pthread_mutex_lock(&parts->mutex);
    while (!parts->stop) {
        struct slot *slot = next_ready(parts);

        if (slot == NULL) {
            (void)pthread_cond_wait(&parts->ready, &parts->mutex);
            continue;
        }
        slot->state = SLOT_WORKING;
        (void)pthread_mutex_unlock(&parts->mutex);
        slot->outcome = restore_writer_run(&writer, &slot->object,
                                           &parts->setup.archive->keyring, &slot->job, &slot->err);
        (void)pthread_mutex_lock(&parts->mutex);
        if (slot->outcome == WRITER_DONE &&
            restore_proof_note(parts->setup.proof, slot->job.label, slot->job.part, writer.digest,
                               &slot->err) < 0)
            slot->outcome = WRITER_FAILED;
        slot->state = SLOT_DONE;
        (void)pthread_cond_signal(&parts->done);
    }
    (void)pthread_mutex_unlock(&parts->mutex);
    restore_writer_done(&writer);
    return NULL;
}

int
restore_parts_new(const struct restore_parts_setup *setup, struct restore_parts **ret_parts,
                  struct err *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t n = processors < 1 ? 1 : MIN_OF((size_t)processors, (size_t)RESTORE_THREADS_MAX);
    pthread_condattr_t boot_clock;
    struct restore_parts *parts = calloc(1, sizeof(*parts));

    if (parts == NULL)
        return err_memory(err, "parts");
    parts->setup = *setup;
    parts->n_slots = n + 2;
    (void)pthread_mutex_init(&parts->mutex, NULL);
    (void)pthread_cond_init(&parts->ready, NULL);
    (void)pthread_condattr_init(&boot_clock);
    (void)pthread_condattr_setclock(&boot_clock, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&parts->done, &boot_clock);
    (void)pthread_condattr_destroy(&boot_clock);
    /* Fewer than wanted do it too. */
    if (threads_start(parts->threads, &parts->n_threads, n, work, parts, err) < 0 &&
        parts->n_threads == 0) {
        restore_parts_free(parts);
        return -1;
    }
    err_clear(err);
    *ret_parts = parts;
    return 0;
}

void
restore_parts_free(struct restore_parts *parts)
{
    if (parts == NULL)
        return;
    (void)pthread_mutex_lock(&parts->mutex);
    parts->stop = true;
    (void)pthread_cond_broadcast(&parts->ready);
    (void)pthread_mutex_unlock(&parts->mutex);
    for (size_t i = 0; i < parts->n_threads; i++)
        (void)pthread_join(parts->threads[i], NULL);
    for (size_t i = 0; i < parts->n_slots; i++) {
        retrieval_free(parts->slots[i].retrieval);
        restore_parts_clear(parts, &parts->slots[i].job);
    }
    (void)pthread_cond_destroy(&parts->done);
    (void)pthread_cond_destroy(&parts->ready);
    (void)pthread_mutex_destroy(&parts->mutex);
    free(parts);
}

/* ---- the thread that drives the loop ---- */

/* Which part it was and what it would have brought. */
static void
slot_failed(struct restore_parts *parts, struct slot *slot)
{
    char quoted[256] = "nothing";
    const char *path = slot->job.n_runs == 0 ? NULL : slot->job.runs[0].file->path;

    if (path != NULL)
        (void)err_quote(path, strlen(path), quoted, sizeof(quoted));
    (void)err_wrap(&slot->err, "part %" PRIu32 " of backup %s, with %s%s%s%s", slot->job.part,
                   slot->job.label, path == NULL ? "" : "\"", quoted, path == NULL ? "" : "\"",
                   slot->job.n_runs > 1 ? " and others" : "");
    if (parts->err.kind == ERR_NONE)
        parts->err = slot->err;
}

static void
set_state(struct restore_parts *parts, struct slot *slot, enum slot_state state)
{
    (void)pthread_mutex_lock(&parts->mutex);
    slot->state = state;
    (void)pthread_mutex_unlock(&parts->mutex);
}

static void
slot_free(struct restore_parts *parts, struct slot *slot)
{
    retrieval_free(slot->retrieval);
    slot->retrieval = NULL;
    restore_parts_clear(parts, &slot->job);
    set_state(parts, slot, SLOT_FREE);
}

static int
fetch(struct restore_parts *parts, struct slot *slot, size_t n_passed, struct err *err)
{
    char name[OBJECT_NAME_SIZE];
    int64_t wait_ms = n_passed == 0
                          ? parts->setup.patience_ms
                          : MIN_OF(parts->setup.patience_ms, (int64_t)SHORT_TIMEOUT_MS);
    uint32_t all = ((uint32_t)1 << parts->setup.archive->n_stores) - 1;
    const struct retrieval_request request = {
        .name = name,
        .system_id = parts->setup.owner->system_id,
        .max_file_size = MANIFEST_PART_MAX,
        .stores = n_passed == 0 ? 0 : all & ~(((uint32_t)1 << n_passed) - 1),
        .deadline_ms = clock_boot_ms() + wait_ms,
    };

    backup_name_of(parts->setup.owner, slot->job.label, BACKUP_PART, slot->job.part, name);
    slot->passes_over = n_passed > 0;
    return retrieval_start(parts->setup.archive, &request, parts->setup.notices, &slot->retrieval,
                           err);
}

/* The stores that were asked do not have it in a good state: ask all, once. */
static bool
fetch_from_all(struct restore_parts *parts, struct slot *slot)
{
    if (!slot->passes_over)
        return false;
    parts->n_passed = 0;
    retrieval_free(slot->retrieval);
    slot->retrieval = NULL;
    if (fetch(parts, slot, 0, &slot->err) < 0)
        return false;
    set_state(parts, slot, SLOT_FETCHING);
    return true;
}

/* The retrieval has ended. */
static void
take_object(struct restore_parts *parts, struct slot *slot)
{
    int rc = retrieval_result(slot->retrieval, &slot->object, &slot->err);

    if (rc == 0) {
        if (!slot->passes_over)
            parts->n_passed = retrieval_store(slot->retrieval);
        (void)pthread_mutex_lock(&parts->mutex);
        slot->state = SLOT_READY;
        (void)pthread_cond_signal(&parts->ready);
        (void)pthread_mutex_unlock(&parts->mutex);
        return;
    }
    if (fetch_from_all(parts, slot))
        return;
    if (rc == RETRIEVAL_ABSENT)
        (void)err_set(&slot->err, ERR_CONFLICT, "no store has it");
    slot_failed(parts, slot);
    slot_free(parts, slot);
}

/* A thread is through with it. Only an object that did not unpack is worth another store. */
static void
take_outcome(struct restore_parts *parts, struct slot *slot)
{
    if (slot->outcome == WRITER_DONE) {
        slot_free(parts, slot);
    } else if (slot->outcome == WRITER_FAILED) {
        slot_failed(parts, slot);
        slot_free(parts, slot);
    } else if (retrieval_reject(slot->retrieval, &slot->err) == 0) {
        set_state(parts, slot, SLOT_FETCHING);
    } else {
        take_object(parts, slot);
    }
}

static size_t
count(struct restore_parts *parts, enum slot_state state)
{
    size_t n = 0;

    for (size_t i = 0; i < parts->n_slots; i++)
        n += parts->slots[i].state == state;
    return n;
}

static void
wait_for_thread(struct restore_parts *parts)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += WAIT_MS * 1000 * 1000;
    if (until.tv_nsec >= 1000 * 1000 * 1000) {
        until.tv_nsec -= 1000 * 1000 * 1000;
        until.tv_sec++;
    }
    (void)pthread_mutex_lock(&parts->mutex);
    if (count(parts, SLOT_DONE) == 0)
        (void)pthread_cond_timedwait(&parts->done, &parts->mutex, &until);
    (void)pthread_mutex_unlock(&parts->mutex);
}

static bool
is_state(struct restore_parts *parts, const struct slot *slot, enum slot_state state)
{
    (void)pthread_mutex_lock(&parts->mutex);
    bool is = slot->state == state;
    (void)pthread_mutex_unlock(&parts->mutex);
    return is;
}

/* Take up what has ended; if nothing has, wait a little. */
static int
drive(struct restore_parts *parts, struct err *err)
{
    struct retrieval *fetching[RESTORE_PARTS_MAX] = {NULL};
    size_t n_fetching = 0;
    bool moved = false;

    for (size_t i = 0; i < parts->n_slots; i++) {
        struct slot *slot = &parts->slots[i];

        if (is_state(parts, slot, SLOT_DONE)) {
            take_outcome(parts, slot);
            moved = true;
        } else if (is_state(parts, slot, SLOT_FETCHING)) {
            if (retrieval_advance(slot->retrieval)) {
                take_object(parts, slot);
                moved = true;
            } else {
                fetching[n_fetching++] = slot->retrieval;
            }
        }
    }
    (void)pthread_mutex_lock(&parts->mutex);
    uint64_t written = parts->written;
    (void)pthread_mutex_unlock(&parts->mutex);
    if (parts->setup.watch != NULL)
        parts->setup.watch->written(parts->setup.watch, written);
    if (process_stop_requested() != 0)
        return err_set(err, ERR_TRANSIENT, "interrupted");
    if (moved)
        return 0;
    if (n_fetching > 0)
        return retrieval_wait(parts->setup.archive, fetching, n_fetching,
                              clock_boot_ms() + POLL_MS, err);
    wait_for_thread(parts);
    return 0;
}

static int
first_failure(const struct restore_parts *parts, struct err *err)
{
    if (parts->err.kind == ERR_NONE)
        return 0;
    *err = parts->err;
    return -1;
}

static struct slot *
free_slot(struct restore_parts *parts)
{
    for (size_t i = 0; i < parts->n_slots; i++)
        if (is_state(parts, &parts->slots[i], SLOT_FREE))
            return &parts->slots[i];
    return NULL;
}

int
restore_parts_add(struct restore_parts *parts, struct restore_job *job, struct err *err)
{
    struct slot *slot = free_slot(parts);

    while (slot == NULL && parts->err.kind == ERR_NONE) {
        if (drive(parts, err) < 0)
            return -1;
        slot = free_slot(parts);
    }
    if (first_failure(parts, err) < 0)
        return -1;
    slot->job = *job;
    slot->number = parts->n_added++;
    *job = (struct restore_job){.n_runs = 0};
    if (fetch(parts, slot, parts->n_passed, err) < 0)
        return -1;
    set_state(parts, slot, SLOT_FETCHING);
    return 0;
}

int
restore_parts_wait(struct restore_parts *parts, struct err *err)
{
    bool busy = true;

    while (busy && parts->err.kind == ERR_NONE) {
        if (drive(parts, err) < 0)
            return -1;
        (void)pthread_mutex_lock(&parts->mutex);
        busy = count(parts, SLOT_FREE) < parts->n_slots;
        (void)pthread_mutex_unlock(&parts->mutex);
    }
    return first_failure(parts, err);
}
