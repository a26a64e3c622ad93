/* SPDX-License-Identifier: PostgreSQL */
#include "base/workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/eventfd.h>

#include "base/threads.h"

/* First in, first out. */
struct queue {
    struct work *first;
    struct work *last;
};

struct workers {
    pthread_mutex_t lock;
    pthread_cond_t submitted; /* something waits, or it is over */
    pthread_cond_t finished;
    struct queue waiting;
    struct queue done;
    struct work *running[WORKERS_MAX]; /* by thread; NULL: none */
    bool over;
    int fd;
    size_t n_threads;
    size_t n_started; /* threads that know their number */
    pthread_t threads[WORKERS_MAX];
};

static void
queue_push(struct queue *queue, struct work *work)
{
    work->next = NULL;
    if (queue->last == NULL)
        queue->first = work;
    else
        queue->last->next = work;
    queue->last = work;
}

/* The first one, of this owner if `owned`; NULL: there is none. */
static struct work *
queue_pull(struct queue *queue, bool owned, const void *owner)
{
    struct work *before = NULL;

    for (struct work *at = queue->first; at != NULL; before = at, at = at->next) {
        if (owned && at->owner != owner)
            continue;
        if (before == NULL)
            queue->first = at->next;
        else
            before->next = at->next;
        if (queue->last == at)
            queue->last = before;
        at->next = NULL;
        return at;
    }
    return NULL;
}

/* ---- in the threads ---- */

static void *
run_thread(void *context)
{
    struct workers *workers = context;
    struct work *work = NULL;
    uint64_t one = 1;

    (void)pthread_mutex_lock(&workers->lock);
    size_t number = workers->n_started++;
    for (;;) {
        while (workers->waiting.first == NULL && !workers->over)
            (void)pthread_cond_wait(&workers->submitted, &workers->lock);
        if (workers->over)
            break;
        work = queue_pull(&workers->waiting, false, NULL);
        workers->running[number] = work;
        (void)pthread_mutex_unlock(&workers->lock);

        work->run(work);

        (void)pthread_mutex_lock(&workers->lock);
        workers->running[number] = NULL;
        queue_push(&workers->done, work);
        (void)!write(workers->fd, &one, sizeof(one));
        (void)pthread_cond_broadcast(&workers->finished);
    }
    (void)pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* ---- life ---- */

int
workers_new(size_t n, struct workers **ret_workers, struct err *err)
{
    AUTO(workers) struct workers *workers = NULL;
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (fd < 0) {
        (void)err_sys(err, errno, "could not create an event descriptor");
        err->kind = ERR_INTERNAL;
        return -1;
    }
    workers = calloc(1, sizeof(*workers));
    if (workers == NULL) {
        (void)close(fd);
        return err_memory(err, "workers");
    }
    workers->fd = fd;
    (void)pthread_mutex_init(&workers->lock, NULL);
    (void)pthread_cond_init(&workers->submitted, NULL);
    (void)pthread_cond_init(&workers->finished, NULL);
    if (threads_start(workers->threads, &workers->n_threads,
                      MIN_OF(MAX_OF(n, (size_t)1), (size_t)WORKERS_MAX), run_thread, workers,
                      err) < 0)
        return -1;
    *ret_workers = TAKE_PTR(workers);
    return 0;
}

void
workers_free(struct workers *workers)
{
    if (workers == NULL)
        return;
    (void)pthread_mutex_lock(&workers->lock);
    workers->over = true;
    (void)pthread_cond_broadcast(&workers->submitted);
    (void)pthread_mutex_unlock(&workers->lock);
    for (size_t i = 0; i < workers->n_threads; i++)
        (void)pthread_join(workers->threads[i], NULL);
    (void)pthread_cond_destroy(&workers->submitted);
    (void)pthread_cond_destroy(&workers->finished);
    (void)pthread_mutex_destroy(&workers->lock);
    (void)close(workers->fd);
    free(workers);
}

/* ---- from the loop's thread ---- */

int
workers_fd(const struct workers *workers)
{
    return workers->fd;
}

void
workers_submit(struct workers *workers, struct work *work)
{
    (void)pthread_mutex_lock(&workers->lock);
    queue_push(&workers->waiting, work);
    (void)pthread_cond_signal(&workers->submitted);
    (void)pthread_mutex_unlock(&workers->lock);
}

/* The descriptor is readable exactly while `done` has something. The lock is held. */
static void
settle_fd(struct workers *workers)
{
    uint64_t count = 0;

    if (workers->done.first == NULL)
        (void)!read(workers->fd, &count, sizeof(count));
}

struct work *
workers_take(struct workers *workers, const void *owner)
{
    (void)pthread_mutex_lock(&workers->lock);
    struct work *work = queue_pull(&workers->done, true, owner);
    settle_fd(workers);
    (void)pthread_mutex_unlock(&workers->lock);
    return work;
}

static bool
is_running(const struct workers *workers, const void *owner)
{
    for (size_t i = 0; i < workers->n_threads; i++)
        if (workers->running[i] != NULL && workers->running[i]->owner == owner)
            return true;
    return false;
}

void
workers_cancel(struct workers *workers, const void *owner)
{
    (void)pthread_mutex_lock(&workers->lock);
    while (queue_pull(&workers->waiting, true, owner) != NULL)
        continue;
    while (is_running(workers, owner))
        (void)pthread_cond_wait(&workers->finished, &workers->lock);
    while (queue_pull(&workers->done, true, owner) != NULL)
        continue;
    settle_fd(workers);
    (void)pthread_mutex_unlock(&workers->lock);
}
