/* SPDX-License-Identifier: PostgreSQL */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "base/workers.h"
#include "cmocka_all.h"

#define JOBS 200

struct job {
    struct work work; /* first */
    int number;
    int answer;
};

/* What jobs that are told to wait for it wait for. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int n_begun;
static char alice;
static char bob;
static char carol;

static void
double_it(struct work *work)
{
    struct job *job = (struct job *)work;

    job->answer = 2 * job->number;
}

static void
wait_at_gate(struct work *work)
{
    (void)atomic_fetch_add(&n_begun, 1);
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    double_it(work);
}

static void
ask_signals(struct work *work)
{
    sigset_t blocked;

    (void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ((struct job *)work)->answer = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGINT);
}

static struct workers *
new_workers(size_t n)
{
    struct err err = ERR_INIT;
    struct workers *workers = NULL;

    assert_int_equal(workers_new(n, &workers, &err), 0);
    return workers;
}

static bool
readable(const struct workers *workers, int timeout_ms)
{
    struct pollfd fd = {.fd = workers_fd(workers), .events = POLLIN};

    return poll(&fd, 1, timeout_ms) == 1;
}

static struct job *
next_of(struct workers *workers, const void *owner)
{
    for (;;) {
        struct work *work = workers_take(workers, owner);

        if (work != NULL)
            return (struct job *)work;
        (void)readable(workers, 100);
    }
}

static void
all_work_is_done_and_comes_back(void **state UNUSED)
{
    AUTO(workers) struct workers *workers = new_workers(3);
    static struct job jobs[JOBS];
    int sum = 0;

    assert_false(readable(workers, 0));
    assert_null(workers_take(workers, &alice));
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct job){.work = {.run = double_it, .owner = &alice}, .number = i};
        workers_submit(workers, &jobs[i].work);
    }
    for (int i = 0; i < JOBS; i++)
        sum += next_of(workers, &alice)->answer;
    assert_int_equal(sum, JOBS * (JOBS - 1));
    assert_false(readable(workers, 0));
    assert_null(workers_take(workers, &alice));
}

static void
one_thread_does_it_in_order(void **state UNUSED)
{
    AUTO(workers) struct workers *workers = new_workers(1);
    struct job jobs[10];

    for (int i = 0; i < 10; i++) {
        jobs[i] = (struct job){.work = {.run = double_it, .owner = &alice}, .number = i};
        workers_submit(workers, &jobs[i].work);
    }
    for (int i = 0; i < 10; i++)
        assert_int_equal(next_of(workers, &alice)->number, i);
}

static void
each_owner_gets_its_own(void **state UNUSED)
{
    AUTO(workers) struct workers *workers = new_workers(2);
    struct job of_alice = {.work = {.run = double_it, .owner = &alice}, .number = 1};
    struct job of_bob = {.work = {.run = double_it, .owner = &bob}, .number = 2};

    workers_submit(workers, &of_alice.work);
    workers_submit(workers, &of_bob.work);
    assert_ptr_equal(next_of(workers, &bob), &of_bob);
    assert_null(workers_take(workers, &bob));
    assert_true(readable(workers, -1));
    assert_ptr_equal(next_of(workers, &alice), &of_alice);
    assert_false(readable(workers, 0));
}

static void
cancelled_work_is_forgotten_and_what_runs_is_waited_for(void **state UNUSED)
{
    AUTO(workers) struct workers *workers = new_workers(1);
    struct job finished = {.work = {.run = double_it, .owner = &alice}, .number = 1};
    struct job running = {.work = {.run = wait_at_gate, .owner = &alice}, .number = 5};
    struct job waiting = {.work = {.run = double_it, .owner = &bob}, .number = 6};
    struct job behind = {.work = {.run = double_it, .owner = &carol}, .number = 7};

    atomic_store(&n_begun, 0);
    workers_submit(workers, &finished.work);
    assert_true(readable(workers, -1));
    (void)pthread_mutex_lock(&gate);
    workers_submit(workers, &running.work);
    workers_submit(workers, &waiting.work);
    workers_submit(workers, &behind.work);
    while (atomic_load(&n_begun) == 0)
        (void)poll(NULL, 0, 1);
    workers_cancel(workers, &bob);
    (void)pthread_mutex_unlock(&gate);
    workers_cancel(workers, &alice);
    assert_int_equal(running.answer, 10);
    assert_null(workers_take(workers, &alice));
    assert_int_equal(next_of(workers, &carol)->answer, 14);
    assert_int_equal(waiting.answer, 0);
    assert_null(workers_take(workers, &bob));
    assert_false(readable(workers, 0));
}

static void
threads_without_work_end(void **state UNUSED)
{
    struct workers *workers = new_workers(2);

    workers_free(workers);
    workers_free(NULL);
}

static void
signals_are_for_another_thread(void **state UNUSED)
{
    AUTO(workers) struct workers *workers = new_workers(1);
    struct job job = {.work = {.run = ask_signals, .owner = &alice}};
    sigset_t own;

    workers_submit(workers, &job.work);
    assert_int_equal(next_of(workers, &alice)->answer, 1);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &own);
    assert_false(sigismember(&own, SIGTERM));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_work_is_done_and_comes_back),
        cmocka_unit_test(one_thread_does_it_in_order),
        cmocka_unit_test(each_owner_gets_its_own),
        cmocka_unit_test(cancelled_work_is_forgotten_and_what_runs_is_waited_for),
        cmocka_unit_test(threads_without_work_end),
        cmocka_unit_test(signals_are_for_another_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
