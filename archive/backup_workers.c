/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_workers.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/threads.h"

struct backup_workers {
    struct workers_options options;
    pthread_mutex_t lock;
    pthread_cond_t work; /* a job was queued, or it is over */
    pthread_cond_t done; /* a job is ready */
    struct backup_job *first;
    struct backup_job *last;
    uint64_t n_ready; /* so far */
    uint64_t n_seen;  /* of them, when backup_workers_wait() last returned */
    bool over;
    size_t n_threads;
    pthread_t threads[BACKUP_WORKERS_MAX];
};

/* ---- the work ---- */

static int
pack(const struct backup_workers *workers, struct backup_job *job, const struct buf *content,
     struct err *err)
{
    const struct archive *archive = workers->options.archive;
    struct object_label label = {.name = job->name, .system_id = workers->options.system_id};

    if (object_packer_new(&archive->format, &archive->writer, content->size, &job->packer, err) <
            0 ||
        object_packer_write(job->packer, content->data, content->size, err) < 0)
        return -1;
    label.created_us = clock_real_us();
    job->file_size = content->size;
    return object_packer_finish(job->packer, &label, NULL, job->spans, NULL, err);
}

static int
do_job(const struct backup_workers *workers, struct backup_job *job, struct buf *tar,
       struct err *err)
{
    if (job->is_text)
        return pack(workers, job, &job->text, err);
    if (part_build(&job->part, &workers->options.rules, tar, err) < 0)
        return -1;
    return pack(workers, job, tar, err);
}

/* The next job, taken out of the queue; NULL: it is over. */
static struct backup_job *
take_job(struct backup_workers *workers)
{
    struct backup_job *job = NULL;

    (void)pthread_mutex_lock(&workers->lock);
    while (workers->first == NULL && !workers->over)
        (void)pthread_cond_wait(&workers->work, &workers->lock);
    if (!workers->over) {
        job = workers->first;
        workers->first = job->next;
        if (workers->first == NULL)
            workers->last = NULL;
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return job;
}

static void
give_back(struct backup_workers *workers, struct backup_job *job)
{
    (void)pthread_mutex_lock(&workers->lock);
    job->ready = true;
    workers->n_ready++;
    (void)pthread_cond_signal(&workers->done);
    (void)pthread_mutex_unlock(&workers->lock);
}

static void *
run_worker(void *context)
{
    struct backup_workers *workers = context;
    AUTO(buf) struct buf tar = BUF_INIT(PART_SIZE_MAX);
    struct backup_job *job = NULL;

    while ((job = take_job(workers)) != NULL) {
        /* All at once: growing would copy. Pages nobody writes to take no memory. */
        job->rc = buf_reserve(&tar, PART_SIZE_MAX - tar.size, &job->err);
        if (job->rc == 0)
            job->rc = do_job(workers, job, &tar, &job->err);
        buf_clear(&tar);
        give_back(workers, job);
    }
    return NULL;
}

/* ---- life ---- */

int
backup_workers_new(const struct workers_options *options, struct backup_workers **ret_workers,
                   struct err *err)
{
    struct backup_workers *made = calloc(1, sizeof(*made));
    pthread_condattr_t attributes;

    if (made == NULL)
        return err_memory(err, "backup workers");
    made->options = *options;
    made->options.n = MIN_OF(options->n, (size_t)BACKUP_WORKERS_MAX);
    (void)pthread_mutex_init(&made->lock, NULL);
    (void)pthread_cond_init(&made->work, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&made->done, &attributes);
    (void)pthread_condattr_destroy(&attributes);

    AUTO(backup_workers) struct backup_workers *workers = made;
    if (threads_start(workers->threads, &workers->n_threads, workers->options.n, run_worker,
                      workers, err) < 0)
        return -1;
    *ret_workers = TAKE_PTR(workers);
    return 0;
}

void
backup_workers_free(struct backup_workers *workers)
{
    if (workers == NULL)
        return;
    (void)pthread_mutex_lock(&workers->lock);
    workers->over = true;
    (void)pthread_cond_broadcast(&workers->work);
    (void)pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->n_threads; i++)
        (void)pthread_join(workers->threads[i], NULL);
    (void)pthread_cond_destroy(&workers->done);
    (void)pthread_cond_destroy(&workers->work);
    (void)pthread_mutex_destroy(&workers->lock);
    free(workers);
}

/* ---- jobs ---- */

void
backup_workers_set_start(struct backup_workers *workers, uint64_t start_lsn)
{
    (void)pthread_mutex_lock(&workers->lock);
    workers->options.rules.start_lsn = start_lsn;
    (void)pthread_mutex_unlock(&workers->lock);
}

void
backup_workers_submit(struct backup_workers *workers, struct backup_job *job)
{
    (void)pthread_mutex_lock(&workers->lock);
    job->ready = false;
    job->next = NULL;
    if (workers->last == NULL)
        workers->first = job;
    else
        workers->last->next = job;
    workers->last = job;
    (void)pthread_cond_signal(&workers->work);
    (void)pthread_mutex_unlock(&workers->lock);
}

bool
backup_workers_ready(struct backup_workers *workers, struct backup_job *job)
{
    (void)pthread_mutex_lock(&workers->lock);
    bool ready = job->ready;
    (void)pthread_mutex_unlock(&workers->lock);
    return ready;
}

void
backup_workers_wait(struct backup_workers *workers, int64_t until_ms)
{
    struct timespec until;
    int64_t left_ms = MAX_OF(until_ms - clock_boot_ms(), 0);

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t at_ns = until.tv_nsec + left_ms % 1000 * 1000000;
    until.tv_sec += (time_t)(left_ms / 1000 + at_ns / 1000000000);
    until.tv_nsec = (long)(at_ns % 1000000000);

    (void)pthread_mutex_lock(&workers->lock);
    int rc = 0;
    while (workers->n_ready == workers->n_seen && rc == 0)
        rc = pthread_cond_timedwait(&workers->done, &workers->lock, &until);
    workers->n_seen = workers->n_ready;
    (void)pthread_mutex_unlock(&workers->lock);
}

void
backup_job_done(struct backup_job *job)
{
    part_done(&job->part);
    buf_done(&job->text);
    object_packer_free(job->packer);
    *job = (struct backup_job){.number = 0};
}
