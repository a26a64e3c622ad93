/* SPDX-License-Identifier: PostgreSQL */
#include "restore/muster.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmocka_all.h"
#include "dir_bench.h"

#define OBJECTS 500
#define WINDOW 40

/* Objects "x/000".. whose content is their name; what happened to each. */
struct caller {
    struct bench *bench;
    struct archive archive;
    struct muster muster;
    size_t count;
    size_t next;
    size_t settled;       /* taken or lost: the window slides with them */
    size_t window;        /* 0: none */
    uint64_t first_bytes;
    size_t enough;        /* taken says so after so many; 0: never */
    int spoil;            /* the judge's answer to object number 77 */
    unsigned judged[OBJECTS];
    unsigned taken[OBJECTS];
    unsigned lost[OBJECTS];
    unsigned failed;
    int failed_outcome;
    size_t waits;
    bool other_thread;
    pthread_t self;
    pthread_mutex_t lock;
};

static int
next(void *context, struct muster_item *ret, struct err *err UNUSED)
{
    struct caller *caller = context;

    assert_int_equal(ret->stores, 0);
    assert_string_equal(ret->name, "");
    if (caller->next == caller->count)
        return MUSTER_END;
    if (caller->window != 0 && caller->next - caller->settled == caller->window) {
        caller->waits++;
        return MUSTER_WAIT;
    }
    (void)snprintf(ret->name, sizeof(ret->name), "x/%03zu", caller->next);
    ret->number = caller->next++;
    ret->stores = (uint32_t)(1u << caller->archive.n_stores) - 1;
    ret->first_bytes = caller->first_bytes;
    return 0;
}

static int
judge(void *context, const struct muster_item *item, size_t store UNUSED, struct span bytes,
      struct err *err)
{
    struct caller *caller = context;
    size_t size = caller->first_bytes == 0 ? strlen(item->name) : (size_t)caller->first_bytes;

    (void)pthread_mutex_lock(&caller->lock);
    caller->judged[item->number]++;
    caller->other_thread |= pthread_equal(pthread_self(), caller->self) == 0;
    (void)pthread_mutex_unlock(&caller->lock);
    if (item->number == 77 && caller->spoil < 0)
        return err_set(err, ERR_INTERNAL, "the judge has had enough");
    if ((item->number == 77 && caller->spoil > 0) || bytes.size != size ||
        memcmp(bytes.data, item->name, size) != 0) {
        (void)err_set(err, ERR_CORRUPT, "not what it should be");
        return MUSTER_REJECT;
    }
    return 0;
}

static int
taken(void *context, const struct muster_item *item, struct err *err UNUSED)
{
    struct caller *caller = context;

    assert_true(pthread_equal(pthread_self(), caller->self));
    caller->taken[item->number]++;
    return ++caller->settled == caller->enough ? MUSTER_END : 0;
}

static int
failed(void *context, const struct muster_item *item UNUSED, size_t store UNUSED, int outcome,
       const struct err *why, struct err *err UNUSED)
{
    struct caller *caller = context;

    assert_true(why->text[0] != '\0');
    caller->failed++;
    caller->failed_outcome = outcome;
    return 0;
}

static int
lost(void *context, const struct muster_item *item, const struct err *why, struct err *err UNUSED)
{
    struct caller *caller = context;

    assert_true(why->kind != ERR_NONE);
    caller->lost[item->number]++;
    caller->settled++;
    return 0;
}

/* So many objects in the first store. */
static struct caller *
caller_new(struct bench *bench, size_t count)
{
    struct caller *caller = calloc(1, sizeof(*caller));
    struct err err = ERR_INIT;
    char name[16];

    assert_non_null(caller);
    caller->bench = bench;
    caller->count = count;
    caller->self = pthread_self();
    (void)pthread_mutex_init(&caller->lock, NULL);
    caller->archive.loop = bench->loop;
    caller->archive.stores[0].store = bench->store;
    caller->archive.n_stores = 1;
    caller->muster = (struct muster){
        .archive = &caller->archive,
        .deadline_ms = clock_boot_ms() + 60000,
        .max_bytes = 4096,
        .parallel = true,
        .context = caller,
        .next = next,
        .judge = judge,
        .taken = taken,
        .failed = failed,
        .lost = lost,
    };
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(name, sizeof(name), "x/%03zu", i);
        assert_int_equal(put(bench->store, name, &err), 0);
    }
    return caller;
}

static void
caller_free(struct caller *caller)
{
    (void)pthread_mutex_destroy(&caller->lock);
    free(caller);
}

static void
run_well(struct caller *caller, struct muster_cost *ret_cost)
{
    struct err err = ERR_INIT;

    if (muster_run(&caller->muster, ret_cost, &err) < 0)
        fail_msg("%s", err.text);
}

static void
every_object_is_judged_and_taken_once(void **state)
{
    for (int parallel = 0; parallel < 2; parallel++) {
        struct caller *caller = caller_new(*state, OBJECTS);
        struct muster_cost cost;

        caller->muster.parallel = parallel == 1;
        caller->window = WINDOW;
        run_well(caller, &cost);
        for (size_t i = 0; i < OBJECTS; i++)
            assert_true(caller->judged[i] == 1 && caller->taken[i] == 1 && caller->lost[i] == 0);
        assert_int_equal(cost.requests, OBJECTS);
        assert_int_equal(cost.bytes, OBJECTS * strlen("x/000"));
        assert_int_equal(caller->failed, 0);
        if (parallel == 0)
            assert_false(caller->other_thread);
        else if (sysconf(_SC_NPROCESSORS_ONLN) > 1)
            assert_true(caller->other_thread);
        caller_free(caller);
        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
    }
}

static void
only_as_much_is_read_as_is_wanted(void **state)
{
    struct caller *caller = caller_new(*state, 20);
    struct muster_cost cost;

    caller->first_bytes = 2;
    run_well(caller, &cost);
    assert_int_equal(caller->settled, 20);
    assert_int_equal(cost.bytes, 40);
    caller_free(caller);
}

static void
nothing_to_do_is_done(void **state)
{
    struct caller *caller = caller_new(*state, 0);

    run_well(caller, NULL);
    caller_free(caller);
}

static void
a_copy_that_is_refused_absent_or_too_large_sends_to_the_next_store(void **state)
{
    struct bench *bench = *state;
    struct caller *caller = caller_new(bench, 100);
    struct err err = ERR_INIT;
    char url[SCRATCH_SIZE + 16];
    char large[8192] = {0};

    scratch_mkdir(&bench->scratch, "second");
    (void)snprintf(url, sizeof(url), "file://%s/second", bench->scratch.path);
    assert_int_equal(open_at(bench, url, &caller->archive.stores[1].store, &err), 0);
    caller->archive.n_stores = 2;
    for (size_t i = 0; i < 3; i++) {
        static const char *const names[] = {"x/010", "x/020", "x/030"};

        assert_int_equal(delete_object(bench->store, names[i], &err), 0);
        assert_int_equal(put(caller->archive.stores[1].store, names[i], &err), 0);
    }
    assert_int_equal(put_bytes(bench->store, "x/020", "false", 5, &err), 0);
    assert_int_equal(put_bytes(bench->store, "x/030", large, sizeof(large), &err), 0);
    assert_int_equal(delete_object(bench->store, "x/040", &err), 0);
    run_well(caller, NULL);
    for (size_t i = 0; i < 100; i++)
        assert_true(caller->taken[i] == (i != 40) && caller->lost[i] == (i == 40));
    assert_int_equal(caller->judged[20], 2);
    assert_int_equal(caller->judged[30], 1);
    assert_int_equal(caller->failed, 5); /* 10, 20, 30 in one store, 40 in both */
    store_close(caller->archive.stores[1].store);
    caller_free(caller);
}

static void
who_rejects_all_copies_has_lost_it(void **state)
{
    struct caller *caller = caller_new(*state, 100);

    caller->spoil = 1;
    run_well(caller, NULL);
    assert_int_equal(caller->lost[77], 1);
    assert_int_equal(caller->taken[77], 0);
    assert_int_equal(caller->settled, 100);
    assert_int_equal(caller->failed_outcome, MUSTER_REJECT);
    caller_free(caller);
}

static void
a_judge_that_fails_ends_everything(void **state)
{
    struct caller *caller = caller_new(*state, 200);
    struct err err = ERR_INIT;

    caller->spoil = -1;
    assert_int_equal(muster_run(&caller->muster, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_string_equal(err.text, "the judge has had enough");
    caller_free(caller);
}

static void
who_has_enough_gets_no_more(void **state)
{
    struct caller *caller = caller_new(*state, OBJECTS);

    caller->enough = 30;
    run_well(caller, NULL);
    assert_int_equal(caller->settled, 30);
    assert_true(caller->next < OBJECTS);
    caller_free(caller);
}

static void
large_objects_wait_for_each_other(void **state)
{
    struct caller *caller = caller_new(*state, 20);

    /* Each might fill the memory: one after the other. */
    caller->muster.max_bytes = MUSTER_MEMORY;
    run_well(caller, NULL);
    assert_int_equal(caller->settled, 20);
    caller_free(caller);
}

static void
a_caller_that_waits_for_nothing_is_a_bug(void **state)
{
    struct caller *caller = caller_new(*state, 3);
    struct err err = ERR_INIT;

    caller->window = 1;
    caller->settled = (size_t)-1; /* the window is full although nothing is under way */
    assert_int_equal(muster_run(&caller->muster, NULL, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
    caller_free(caller);
}

static void
the_deadline_holds(void **state)
{
    struct caller *caller = caller_new(*state, 3);
    struct err err = ERR_INIT;

    /* The store refuses what is late, and so all is lost. */
    caller->muster.deadline_ms = clock_boot_ms() - 1;
    assert_int_equal(muster_run(&caller->muster, NULL, &err), 0);
    assert_int_equal(caller->lost[0] + caller->lost[1] + caller->lost[2], 3);
    caller_free(caller);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(every_object_is_judged_and_taken_once),
        BENCH_TEST(only_as_much_is_read_as_is_wanted),
        BENCH_TEST(nothing_to_do_is_done),
        BENCH_TEST(a_copy_that_is_refused_absent_or_too_large_sends_to_the_next_store),
        BENCH_TEST(who_rejects_all_copies_has_lost_it),
        BENCH_TEST(a_judge_that_fails_ends_everything),
        BENCH_TEST(who_has_enough_gets_no_more),
        BENCH_TEST(large_objects_wait_for_each_other),
        BENCH_TEST(a_caller_that_waits_for_nothing_is_a_bug),
        BENCH_TEST(the_deadline_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
