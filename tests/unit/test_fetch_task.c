/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetch_task.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/process.h"
#include "cmocka_all.h"
#include "fetch_bench.h"
#include "restore/spool.h"

static char owner;

/* What every test needs besides the bench. */
struct scene {
    struct fetch_bench *bench;
    struct spool spool;
    struct fetch_task *task;
};

static void
scene_init(struct scene *scene, struct fetch_bench *bench)
{
    struct spool_options options = {.pgdata = &bench->pgdata, .reserve = 1};
    struct err err = ERR_INIT;

    *scene = (struct scene){.bench = bench};
    assert_int_equal(spool_open(&options, &scene->spool, &err), 0);
}

static void
scene_done(struct scene *scene)
{
    workers_cancel(scene->bench->workers, &owner);
    fetch_task_free(scene->task);
    spool_done(&scene->spool);
}

DEFINE_CLEANUP(scene, struct scene, scene_done);

static void
start_doubted(struct scene *scene, const char *name, bool ahead, bool workers, bool doubted)
{
    struct fetch_bench *bench = scene->bench;
    struct fetch_task_options options = {
        .archive = bench->archive,
        .pgdata = &bench->pgdata,
        .workers = workers ? bench->workers : NULL,
        .owner = &owner,
        .landing = &scene->spool.ahead.landing,
        .notices = &bench->notices.notices,
        .name = name,
        .deadline_ms = clock_boot_ms() + BENCH_LATER_MS,
        .ahead = ahead,
        .doubted = doubted,
    };
    struct err err = ERR_INIT;

    if (fetch_task_new(&options, &scene->task, &err) < 0)
        fail_msg("%s", err.text);
}

static void
start(struct scene *scene, const char *name, bool ahead, bool workers)
{
    start_doubted(scene, name, ahead, workers, false);
}

/* Until the worker has given it back. */
static void
await_work(struct scene *scene)
{
    struct pollfd fd = {.fd = workers_fd(scene->bench->workers), .events = POLLIN};
    struct work *work = NULL;

    while ((work = workers_take(scene->bench->workers, &owner)) == NULL)
        (void)poll(&fd, 1, 1000);
    assert_ptr_equal(fetch_task_work_done(work), scene->task);
}

static int
finish(struct scene *scene, struct err *err)
{
    *err = ERR_INIT;
    while (!fetch_task_advance(scene->task)) {
        if (fetch_task_at_work(scene->task))
            await_work(scene);
        else
            clock_sleep_until(fetch_task_due_ms(scene->task));
    }
    return fetch_task_result(scene->task, err);
}

static bool
brought(struct scene *scene, uint64_t number)
{
    AUTO(newfile) struct newfile file = fetch_task_take_file(scene->task);

    return file.fd >= 0 && file.temporary[0] == '\0' &&
           fetch_bench_is(scene->bench, file.fd, 1, number);
}

static void
a_worker_brings_the_same_as_no_worker(void **state)
{
    struct fetch_bench *bench = *state;
    char name[WAL_NAME_SIZE];
    struct err err;

    fetch_bench_put(bench, 1, 1, 3, 3);
    (void)fetch_bench_name(1, 3, name);
    for (int workers = 0; workers < 2; workers++)
        for (int ahead = 0; ahead < 2; ahead++) {
            AUTO(scene) struct scene scene;

            scene_init(&scene, bench);
            start(&scene, name, ahead == 1, workers == 1);
            assert_int_equal(finish(&scene, &err), 0);
            assert_int_equal(fetch_task_file_size(scene.task), BENCH_SEGMENT);
            assert_true(fetch_task_object_size(scene.task) > 0);
            assert_int_equal(fetch_task_memory(scene.task), 0);
            assert_true(brought(&scene, 3));
        }
}

static void
a_history_brings_its_content(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put_text(bench, 0, "00000002.history", "1\t0/700000\tx\n");
    start(&scene, "00000002.history", false, true);
    assert_int_equal(finish(&scene, &err), 0);
    assert_int_equal(fetch_task_history(scene.task)->n_entries, 1);
    assert_int_equal(fetch_task_history(scene.task)->entries[0].switch_lsn, 0x700000);
}

static void
ahead_of_time_nothing_is_proven(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 0, 1, 5, 5); /* a gap, for whoever waits */
    start(&scene, fetch_bench_name(1, 3, name), true, true);
    assert_int_equal(finish(&scene, &err), FETCH_NOT_FOUND);
}

static void
ahead_of_time_nothing_is_waited_for(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 0, 1, 3, 3);
    fetch_bench_put(bench, 1, 1, 3, 3);
    fetch_bench_damage(bench, 0, fetch_bench_name(1, 3, name));
    fetch_bench_damage(bench, 1, name);
    start(&scene, name, true, true);
    assert_int_equal(finish(&scene, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(bench->notices.n, 2);
}

/*
 * Store a has said "absent" before anybody asked; then the file was archived there. Whoever asks
 * from now on must get it.
 */
static void
no_word_from_before_the_question_counts(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 1, 1, 3, 3);
    fetch_bench_damage(bench, 1, fetch_bench_name(1, 3, name));
    start(&scene, name, true, true);
    assert_false(fetch_task_advance(scene.task));
    assert_true(fetch_task_at_work(scene.task)); /* with what b brought */
    fetch_bench_put(bench, 0, 1, 3, 3);
    fetch_task_press(scene.task, clock_boot_ms() + BENCH_LATER_MS, &bench->notices.notices);
    if (finish(&scene, &err) != 0)
        fail_msg("%s", err.text);
    assert_true(brought(&scene, 3));
}

static void
pressed_it_proves_an_absence(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 0, 1, 2, 2);
    fetch_bench_put(bench, 1, 1, 2, 2);
    start(&scene, fetch_bench_name(1, 3, name), true, true);
    fetch_task_press(scene.task, clock_boot_ms() + BENCH_LATER_MS, &bench->notices.notices);
    assert_int_equal(finish(&scene, &err), FETCH_ABSENT);
}

static void
a_gap_is_looked_at_twice(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 0, 1, 4, 4);
    fetch_bench_put(bench, 1, 1, 4, 4);
    start(&scene, fetch_bench_name(1, 3, name), false, true);
    assert_false(fetch_task_advance(scene.task));
    assert_false(fetch_task_asks(scene.task)); /* it waits for the second look */
    assert_true(fetch_task_due_ms(scene.task) > clock_boot_ms());
    fetch_bench_put(bench, 1, 1, 3, 3);
    assert_int_equal(finish(&scene, &err), 0);
    fetch_bench_remove(bench, 1, name);

    fetch_task_free(TAKE_PTR(scene.task));
    start(&scene, name, false, true);
    assert_int_equal(finish(&scene, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
}

/* Asked for evidence before it is needed: neither what is there nor a gap is overlooked. */
static void
a_doubted_file_is_judged_as_any_other(void **state)
{
    struct fetch_bench *bench = *state;
    char name[WAL_NAME_SIZE];
    struct err err;

    fetch_bench_put(bench, 0, 1, 2, 2);
    fetch_bench_put(bench, 1, 1, 2, 2);
    (void)fetch_bench_name(1, 3, name);
    for (int ahead = 0; ahead < 2; ahead++) {
        AUTO(scene) struct scene scene;

        scene_init(&scene, bench);
        start_doubted(&scene, name, ahead == 1, true, true);
        if (ahead == 1)
            fetch_task_press(scene.task, clock_boot_ms() + BENCH_LATER_MS,
                             &bench->notices.notices);
        assert_int_equal(finish(&scene, &err), FETCH_ABSENT);
    }

    AUTO(scene) struct scene gap;
    scene_init(&gap, bench);
    fetch_bench_put(bench, 1, 1, 4, 4);
    start_doubted(&gap, name, false, true, true);
    assert_int_equal(finish(&gap, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);

    AUTO(scene) struct scene there;
    scene_init(&there, bench);
    fetch_bench_put(bench, 1, 1, 3, 3);
    start_doubted(&there, name, false, true, true);
    assert_int_equal(finish(&there, &err), 0);
    assert_true(brought(&there, 3));
}

static void
an_eventual_store_is_asked_twice(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    bench->settings->stores[1].eventually_consistent = true;
    fetch_bench_put(bench, 0, 1, 2, 2);
    fetch_bench_put(bench, 1, 1, 2, 2);
    start(&scene, fetch_bench_name(1, 3, name), false, true);
    assert_false(fetch_task_advance(scene.task));
    fetch_bench_put(bench, 1, 1, 3, 3);
    assert_int_equal(finish(&scene, &err), 0);
}

static void
a_stop_request_ends_the_waiting(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 0, 1, 4, 4);
    fetch_bench_put(bench, 1, 1, 4, 4);
    start(&scene, fetch_bench_name(1, 3, name), false, true);
    assert_false(fetch_task_advance(scene.task));
    process_request_stop(15);
    assert_int_equal(finish(&scene, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

static void
what_is_late_at_a_worker_is_not_waited_for(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(scene) struct scene scene;
    char name[WAL_NAME_SIZE];
    struct err err = ERR_INIT;

    scene_init(&scene, bench);
    fetch_bench_put(bench, 0, 1, 3, 3);
    start(&scene, fetch_bench_name(1, 3, name), true, true);
    assert_false(fetch_task_advance(scene.task));
    fetch_task_press(scene.task, clock_boot_ms(), &bench->notices.notices);
    assert_true(fetch_task_advance(scene.task));
    assert_int_equal(fetch_task_result(scene.task, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    assert_true(fetch_task_at_work(scene.task));
    await_work(&scene);
    assert_false(fetch_task_at_work(scene.task));
}

static void
a_bad_name_makes_no_task(void **state)
{
    struct fetch_bench *bench = *state;
    struct fetch_task_options options = {
        .archive = bench->archive, .pgdata = &bench->pgdata, .name = "../x"};
    struct fetch_task *task = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(fetch_task_new(&options, &task, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_null(task);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        FETCH_BENCH_TEST(a_worker_brings_the_same_as_no_worker),
        FETCH_BENCH_TEST(a_history_brings_its_content),
        FETCH_BENCH_TEST(ahead_of_time_nothing_is_proven),
        FETCH_BENCH_TEST(ahead_of_time_nothing_is_waited_for),
        FETCH_BENCH_TEST(no_word_from_before_the_question_counts),
        FETCH_BENCH_TEST(pressed_it_proves_an_absence),
        FETCH_BENCH_TEST(a_gap_is_looked_at_twice),
        FETCH_BENCH_TEST(a_doubted_file_is_judged_as_any_other),
        FETCH_BENCH_TEST(an_eventual_store_is_asked_twice),
        FETCH_BENCH_TEST(a_stop_request_ends_the_waiting),
        FETCH_BENCH_TEST(what_is_late_at_a_worker_is_not_waited_for),
        FETCH_BENCH_TEST(a_bad_name_makes_no_task),
    };

    return cmocka_run_group_tests_name("fetch_task", tests, NULL, NULL);
}
