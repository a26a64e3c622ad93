/* SPDX-License-Identifier: PostgreSQL */
#include "store/loop.h"

#include "base/clock.h"
#include "base/process.h"

/* A stop request is noticed after this time at the latest. */
#define POLL_MS 200
/* With nothing under way it is not so urgent. */
#define IDLE_POLL_MS 1000
/* Descriptors that are watched besides the transfers' own. */
#define WATCHED_MAX 256
/* An agent has up to 32 objects on their way to each of several stores. */
#define KEPT_CONNECTIONS 128

struct store_loop {
    CURLM *multi;
    struct store_task *tasks;
    uint64_t n_ended;
    uint64_t n_numbers;
    struct pollfd *watched; /* borrowed */
    size_t n_watched;
};

int
store_loop_new(struct store_loop **ret_loop, struct err *err)
{
    struct store_loop *loop = calloc(1, sizeof(*loop));

    if (loop == NULL)
        return err_memory(err, "store loop");
    *ret_loop = loop;
    return 0;
}

void
store_loop_free(struct store_loop *loop)
{
    struct err err = ERR_INIT;

    if (loop == NULL)
        return;
    (void)err_set(&err, ERR_INTERNAL, "the loop was released while the request was under way");
    loop_fail(loop, NULL, &err);
    if (loop->multi != NULL) {
        (void)curl_multi_cleanup(loop->multi);
        curl_global_cleanup();
    }
    free(loop);
}

/* ---- tasks ---- */

void
loop_add(struct store_loop *loop, struct store_task *task)
{
    task->next = loop->tasks;
    loop->tasks = task;
}

static bool
same_spans(const struct store_task *one, const struct store_task *other)
{
    bool same = one->n_spans == other->n_spans;

    for (size_t i = 0; same && i < one->n_spans; i++)
        same = one->spans[i].data == other->spans[i].data &&
               one->spans[i].size == other->spans[i].size;
    return same;
}

const struct store_task *
loop_same_put(const struct store_loop *loop, const struct store_task *task)
{
    for (const struct store_task *other = loop->tasks; other != NULL; other = other->next)
        if (other != task && other->kind == TASK_PUT && other->store->ops == task->store->ops &&
            other->backend != NULL && same_spans(other, task))
            return other;
    return NULL;
}

uint64_t
loop_number(struct store_loop *loop)
{
    return ++loop->n_numbers;
}

void
loop_remove(struct store_loop *loop, struct store_task *task)
{
    for (struct store_task **at = &loop->tasks; *at != NULL; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            task->next = NULL;
            loop->n_ended++;
            return;
        }
    }
}

static void
abandon_and_fail(struct store_task *task, const struct err *err)
{
    if (task->store->ops->abandon != NULL)
        task->store->ops->abandon(task);
    task->backend = NULL;
    task_fail(task, err);
}

void
loop_fail(struct store_loop *loop, const struct store *store, const struct err *err)
{
    struct store_task *next = NULL;

    for (struct store_task *task = loop->tasks; task != NULL; task = next) {
        next = task->next;
        if (store == NULL || task->store == store)
            abandon_and_fail(task, err);
    }
}

static void
fail_late(struct store_task *task)
{
    char text[TASK_TEXT_SIZE];
    struct err err = ERR_INIT;

    (void)task_text(task, text);
    if (task->err.kind == ERR_NONE)
        (void)err_set(&err, ERR_TRANSIENT, "%s: no answer before the deadline", text);
    else
        (void)err_set(&err, ERR_TRANSIENT, "%s: no success before the deadline (attempts: %u): %s",
                      text, task->attempts, task->err.text);
    abandon_and_fail(task, &err);
}

/* Deadlines and timers. A wake-up concerns its own task only, so `next` stays good. */
static void
run_due(struct store_loop *loop)
{
    int64_t now = clock_boot_ms();
    struct store_task *next = NULL;

    for (struct store_task *task = loop->tasks; task != NULL; task = next) {
        next = task->next;
        if (now >= task->limits.deadline_ms) {
            fail_late(task);
        } else if (task->wake_ms != 0 && now >= task->wake_ms) {
            task->wake_ms = 0;
            task->store->ops->wake(task);
        }
    }
}

/* ---- libcurl ---- */

static int
multi_error(CURLMcode code, struct err *err)
{
    return err_set(err, ERR_INTERNAL, "libcurl: %s", curl_multi_strerror(code));
}

static int
make_multi(struct store_loop *loop, struct err *err)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);

    if (code != CURLE_OK)
        return err_set(err, ERR_INTERNAL, "could not start libcurl: %s", curl_easy_strerror(code));

    /* Without it a name lookup blocks, and neither deadline nor stop request would hold. */
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);
    CURLM *multi = NULL;
    if ((info->features & CURL_VERSION_ASYNCHDNS) == 0)
        (void)err_set(err, ERR_INTERNAL, "this libcurl resolves names synchronously");
    else if ((info->features & CURL_VERSION_SSL) == 0)
        (void)err_set(err, ERR_INTERNAL, "this libcurl has no TLS");
    else if ((multi = curl_multi_init()) == NULL)
        (void)err_memory(err, "libcurl");
    if (multi == NULL) {
        curl_global_cleanup();
        return -1;
    }
    (void)curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
    (void)curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    loop->multi = multi;
    return 0;
}

int
loop_transfer_init(struct store_loop *loop, struct loop_transfer *transfer, struct err *err)
{
    if (loop->multi == NULL && make_multi(loop, err) < 0)
        return -1;
    transfer->easy = curl_easy_init();
    return transfer->easy != NULL ? 0 : err_memory(err, "libcurl");
}

int
loop_transfer_start(struct store_loop *loop, struct loop_transfer *transfer, struct err *err)
{
    CURLcode set = curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    if (set != CURLE_OK)
        return err_set(err, ERR_INTERNAL, "libcurl: %s", curl_easy_strerror(set));
    CURLMcode code = curl_multi_add_handle(loop->multi, transfer->easy);
    return code == CURLM_OK ? 0 : multi_error(code, err);
}

void
loop_transfer_stop(struct store_loop *loop, struct loop_transfer *transfer)
{
    (void)curl_multi_remove_handle(loop->multi, transfer->easy);
}

static int
drive_transfers(struct store_loop *loop, struct err *err)
{
    int n = 0;

    if (loop->multi == NULL)
        return 0;
    CURLMcode code = curl_multi_perform(loop->multi, &n);
    if (code != CURLM_OK)
        return multi_error(code, err);

    for (CURLMsg *message = NULL; (message = curl_multi_info_read(loop->multi, &n)) != NULL;) {
        struct loop_transfer *transfer = NULL;
        CURLcode result = message->data.result;

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        /* The message is gone with this call. */
        (void)curl_multi_remove_handle(loop->multi, transfer->easy);
        transfer->done(transfer, result);
    }
    return 0;
}

/* ---- waiting ---- */

void
store_loop_watch(struct store_loop *loop, struct pollfd *descriptors, size_t n)
{
    loop->watched = descriptors;
    loop->n_watched = MIN_OF(n, (size_t)WATCHED_MAX);
}

/* Is one of the watched descriptors ready? libcurl would keep hang-ups and errors to itself. */
static bool
look_at_watched(struct store_loop *loop)
{
    if (loop->n_watched == 0)
        return false;
    for (size_t i = 0; i < loop->n_watched; i++)
        loop->watched[i].revents = 0;
    return poll(loop->watched, (nfds_t)loop->n_watched, 0) > 0;
}

/* Without libcurl there are no transfers, only what is watched. */
static void
wait_watched(struct store_loop *loop, int timeout_ms)
{
    if (loop->n_watched == 0)
        clock_sleep_until(clock_boot_ms() + timeout_ms);
    else
        (void)poll(loop->watched, (nfds_t)loop->n_watched, timeout_ms);
}

static int
wait_transfers(struct store_loop *loop, int timeout_ms, struct err *err)
{
    struct curl_waitfd also[WATCHED_MAX];

    for (size_t i = 0; i < loop->n_watched; i++)
        also[i] = (struct curl_waitfd){
            .fd = loop->watched[i].fd,
            .events =
                (short)(((loop->watched[i].events & POLLIN) != 0 ? CURL_WAIT_POLLIN : 0) |
                        ((loop->watched[i].events & POLLOUT) != 0 ? CURL_WAIT_POLLOUT : 0)),
        };
    CURLMcode code = curl_multi_poll(loop->multi, loop->n_watched == 0 ? NULL : also,
                                     (unsigned)loop->n_watched, timeout_ms, NULL);
    return code == CURLM_OK ? 0 : multi_error(code, err);
}

static int
wait_until(struct store_loop *loop, int64_t until_ms, struct err *err)
{
    int64_t now = clock_boot_ms();
    int64_t then = MIN_OF(until_ms, now + (loop->tasks == NULL ? IDLE_POLL_MS : POLL_MS));

    for (const struct store_task *task = loop->tasks; task != NULL; task = task->next) {
        then = MIN_OF(then, task->limits.deadline_ms);
        if (task->wake_ms != 0)
            then = MIN_OF(then, task->wake_ms);
    }
    if (then <= now)
        return 0;
    if (loop->multi != NULL)
        return wait_transfers(loop, (int)(then - now), err);
    wait_watched(loop, (int)(then - now));
    return 0;
}

int
store_loop_run(struct store_loop *loop, int64_t until_ms, struct err *err)
{
    uint64_t n_ended = loop->n_ended;

    for (;;) {
        int number = process_stop_requested();

        if (number != 0) {
            (void)err_set(err, ERR_TRANSIENT, "stopped by signal %d", number);
            loop_fail(loop, NULL, err);
            return -1;
        }
        run_due(loop);
        if (drive_transfers(loop, err) < 0)
            return -1;
        /* Looked at every time: tasks that end without a pause must not hide what is watched. */
        if (look_at_watched(loop) || (loop->tasks == NULL && loop->n_watched == 0) ||
            loop->n_ended != n_ended || clock_boot_ms() >= until_ms)
            return 0;
        if (wait_until(loop, until_ms, err) < 0)
            return -1;
    }
}

int
store_task_wait(struct store_loop *loop, struct store_task *task, struct err *err)
{
    size_t n_watched = loop->n_watched;
    int rc = 0;

    /* Who waits for a task has no eyes for anything else. */
    loop->n_watched = 0;
    /* A stop request fails the task as well; its own text names the store. */
    while (!task->ended && rc == 0)
        rc = store_loop_run(loop, task->limits.deadline_ms, err);
    loop->n_watched = n_watched;
    return task->ended ? store_task_result(task, err) : -1;
}
