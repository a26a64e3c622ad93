/* SPDX-License-Identifier: PostgreSQL */
#include "restore/fetcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cmocka_all.h"
#include "fetch_bench.h"

#define HISTORY_2 "1\t0/780000\tno recovery target specified\n"

static struct fetcher *
new_fetcher(struct fetch_bench *bench, uint64_t spool_segments)
{
    struct fetcher_options options = {
        .archive = bench->archive,
        .workers = bench->workers,
        .pgdata = &bench->pgdata,
        .spool_max = spool_segments * BENCH_SEGMENT,
        .memory_max = 48 * MIB,
        .spool_reserve = 1,
    };
    struct fetcher *fetcher = NULL;
    struct err err = ERR_INIT;

    if (fetcher_new(&options, &fetcher, &err) < 0)
        fail_msg("%s", err.text);
    return fetcher;
}

/* One turn of the agent's loop. */
static void
turn(struct fetch_bench *bench, struct fetcher *fetcher)
{
    struct pollfd watched = {.fd = workers_fd(bench->workers), .events = POLLIN};
    int64_t until_ms = MIN_OF(fetcher_due_ms(fetcher), clock_boot_ms() + 1000);
    struct err err = ERR_INIT;

    store_loop_watch(bench->archive->loop, &watched, 1);
    assert_int_equal(store_loop_run(bench->archive->loop, until_ms, &err), 0);
    store_loop_watch(bench->archive->loop, NULL, 0);
    fetcher_advance(fetcher);
}

/* Until nothing is under way any longer. */
static void
settle(struct fetch_bench *bench, struct fetcher *fetcher)
{
    fetcher_advance(fetcher);
    while (!fetcher_idle(fetcher) || fetcher_due_ms(fetcher) == 0)
        turn(bench, fetcher);
}

static void
ask_only(struct fetcher *fetcher, uint64_t ticket, const char *name)
{
    struct err err = ERR_INIT;

    assert_int_equal(fetcher_ask(fetcher, ticket, name, clock_boot_ms() + BENCH_LATER_MS, &err), 0);
}

/* Ask and wait for the answer. */
static struct answer
ask(struct fetch_bench *bench, struct fetcher *fetcher, const char *name)
{
    struct answer answer;

    ask_only(fetcher, 7, name);
    while (!fetcher_take_answer(fetcher, &answer))
        turn(bench, fetcher);
    assert_int_equal(answer.ticket, 7);
    return answer;
}

/* The outcome of asking for a segment; what is brought is compared. */
static int
fetch(struct fetch_bench *bench, struct fetcher *fetcher, uint32_t timeline, uint64_t number)
{
    char name[WAL_NAME_SIZE];
    AUTO(answer)
    struct answer answer = ask(bench, fetcher, fetch_bench_name(timeline, number, name));

    if (answer.rc == 0)
        assert_true(fetch_bench_is(bench, answer.file, timeline, number));
    else
        assert_int_equal(answer.file, -1);
    return answer.rc;
}

static int
fetch_text(struct fetch_bench *bench, struct fetcher *fetcher, const char *name)
{
    AUTO(answer) struct answer answer = ask(bench, fetcher, name);

    return answer.rc;
}

static struct fetcher_status
status(const struct fetcher *fetcher)
{
    struct fetcher_status status;

    fetcher_status(fetcher, &status);
    return status;
}

/* ---- what is handed over ---- */

static void
the_file_has_no_name_and_can_get_one(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];
    char source[64];
    struct stat st;

    fetch_bench_put(bench, 0, 1, 1, 3);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    AUTO(answer) struct answer answer = ask(bench, fetcher, fetch_bench_name(1, 2, name));
    assert_int_equal(status(fetcher).served_ahead, 1);
    assert_int_equal(fstat(answer.file, &st), 0);
    assert_int_equal(st.st_mode, S_IFREG | 0600);
    assert_int_equal(st.st_nlink, 0);
    assert_int_equal(lseek(answer.file, 0, SEEK_CUR), 0);
    (void)snprintf(source, sizeof(source), "/proc/self/fd/%d", answer.file);
    assert_int_equal(
        linkat(AT_FDCWD, source, bench->pgdata.directory, "pg_wal/RECOVERYXLOG", AT_SYMLINK_FOLLOW),
        0);
}

static void
nothing_is_ever_visible(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    struct scratch there = {.fd = -1};

    (void)snprintf(there.path, sizeof(there.path), "%.200s/pgdata/pg_wal", bench->scratch.path);
    fetch_bench_put(bench, 0, 1, 1, 6);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    assert_int_equal(status(fetcher).ready, 4);
    assert_int_equal(status(fetcher).ready_bytes, 4 * BENCH_SEGMENT);
    assert_int_equal(scratch_count(&there), 0);
}

/* The server writes to what it got: the next one who asks gets another file. */
static void
a_file_is_given_out_once(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 3);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    AUTO(answer) struct answer first = ask(bench, fetcher, fetch_bench_name(1, 2, name));
    assert_int_equal(pwrite(first.file, "scribble", 8, 100), 8);
    assert_int_equal(fetch(bench, fetcher, 1, 2), 0);
}

static void
without_files_without_a_name_another_directory_serves(void **state)
{
    struct fetch_bench *bench = *state;
    struct fetcher_options options = {
        .archive = bench->archive,
        .workers = bench->workers,
        .pgdata = &bench->pgdata,
        .spool_max = 8 * BENCH_SEGMENT,
        .memory_max = 48 * MIB,
        .spool_dir = bench->scratch.path,
        .spool_reserve = 1,
    };
    AUTO(fetcher) struct fetcher *fetcher = NULL;
    size_t before = scratch_count(&bench->scratch);
    struct err err = ERR_INIT;

    fetch_bench_put(bench, 0, 1, 1, 6);
    assert_int_equal(fetcher_new(&options, &fetcher, &err), 0);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    assert_int_equal(fetch(bench, fetcher, 1, 2), 0);
    assert_int_equal(scratch_count(&bench->scratch), before);
}

/* ---- ahead ---- */

static void
segments_are_ready_before_they_are_asked_for(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 16);

    fetch_bench_put(bench, 0, 1, 1, 24);
    for (uint64_t number = 1; number <= 24; number++) {
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
        settle(bench, fetcher);
        assert_true(status(fetcher).ready <= 16);
    }
    assert_int_equal(status(fetcher).served, 24);
    assert_int_equal(status(fetcher).served_ahead, 23);
    assert_string_equal(status(fetcher).last, "000000010000000000000018");
}

static void
without_pauses_too_each_is_the_right_one(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 16);

    fetch_bench_put(bench, 0, 1, 1, 24);
    fetch_bench_put(bench, 1, 1, 1, 1);
    for (uint64_t number = 1; number <= 24; number++)
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
    assert_int_equal(fetch(bench, fetcher, 1, 25), FETCH_ABSENT);
}

static void
the_spool_has_a_bound(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 3);
    AUTO(fetcher) struct fetcher *none = new_fetcher(bench, 0);

    fetch_bench_put(bench, 0, 1, 1, 12);
    for (uint64_t number = 1; number <= 4; number++) {
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
        settle(bench, fetcher);
        assert_int_equal(status(fetcher).ready, 3);
        assert_int_equal(fetch(bench, none, 1, number), 0);
        settle(bench, none);
        assert_int_equal(status(none).ready, 0);
    }
}

static void
no_file_system_is_filled(void **state)
{
    struct fetch_bench *bench = *state;
    struct fetcher_options options = {
        .archive = bench->archive,
        .workers = bench->workers,
        .pgdata = &bench->pgdata,
        .spool_max = 8 * BENCH_SEGMENT,
        .memory_max = 48 * MIB,
        .spool_reserve = (uint64_t)1 << 60,
    };
    AUTO(fetcher) struct fetcher *fetcher = NULL;
    struct err err = ERR_INIT;

    fetch_bench_put(bench, 0, 1, 1, 6);
    assert_int_equal(fetcher_new(&options, &fetcher, &err), 0);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    assert_int_equal(fetch(bench, fetcher, 1, 2), 0);
    settle(bench, fetcher);
    assert_int_equal(status(fetcher).ready, 0);
}

static void
limit_files(rlim_t bytes)
{
    struct rlimit limit;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == 0 ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
a_full_disk_stops_the_work_ahead_only(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 9);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    assert_int_equal(status(fetcher).ready, 4);
    limit_files(BENCH_SEGMENT / 2);
    assert_int_equal(fetch(bench, fetcher, 1, 2), 0); /* which was ready; the window grows */
    settle(bench, fetcher);
    assert_int_equal(status(fetcher).ready, 0);
    AUTO(answer) struct answer answer = ask(bench, fetcher, fetch_bench_name(1, 3, name));
    assert_int_equal(answer.rc, -1);
    assert_int_equal(answer.err.kind, ERR_LOCAL);
    limit_files(0);
    assert_int_equal(fetch(bench, fetcher, 1, 3), 0);
    settle(bench, fetcher);
    assert_int_equal(status(fetcher).ready, 0);
    assert_int_equal(fetch(bench, fetcher, 1, 4), 0);
}

static void
backwards_nothing_is_fetched_ahead(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    fetch_bench_put(bench, 0, 1, 1, 20);
    for (uint64_t number = 10; number >= 8; number--)
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
    settle(bench, fetcher);
    /* from the checkpoint to its redo point recovery does go back once */
    size_t ready = status(fetcher).ready;
    for (uint64_t number = 7; number >= 3; number--)
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
    settle(bench, fetcher);
    assert_true(status(fetcher).ready <= ready);
    assert_int_equal(status(fetcher).served_ahead, 0);
    assert_int_equal(fetch(bench, fetcher, 1, 4), 0);
    settle(bench, fetcher);
    assert_int_equal(fetch(bench, fetcher, 1, 5), 0);
    assert_int_equal(status(fetcher).served_ahead, 1);
}

/* ---- the end ---- */

static void
an_absence_is_proven_each_time(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    fetch_bench_put(bench, 0, 1, 1, 3);
    fetch_bench_put(bench, 1, 1, 1, 1);
    for (uint64_t number = 1; number <= 3; number++)
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
    settle(bench, fetcher); /* by now it is known that there is no fourth */
    fetch_bench_put(bench, 0, 1, 4, 4);
    assert_int_equal(fetch(bench, fetcher, 1, 4), 0);
    assert_int_equal(fetch(bench, fetcher, 1, 5), FETCH_ABSENT);
    assert_int_equal(fetch(bench, fetcher, 1, 5), FETCH_ABSENT);
    settle(bench, fetcher);
    fetch_bench_put(bench, 0, 1, 5, 6);
    assert_int_equal(fetch(bench, fetcher, 1, 5), 0);
    settle(bench, fetcher);
    assert_int_equal(fetch(bench, fetcher, 1, 6), 0);
}

static void
a_gap_is_no_end(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 3);
    fetch_bench_put(bench, 0, 1, 5, 6);
    fetch_bench_put(bench, 1, 1, 1, 1);
    for (uint64_t number = 1; number <= 3; number++)
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
    settle(bench, fetcher);
    AUTO(answer) struct answer answer = ask(bench, fetcher, fetch_bench_name(1, 4, name));
    assert_int_equal(answer.rc, -1);
    assert_int_equal(answer.err.kind, ERR_CONFLICT);
    assert_non_null(strstr(status(fetcher).last_error, name));
}

static void
the_last_segment_is_there_twice_more(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    fetch_bench_put(bench, 0, 1, 1, 3);
    fetch_bench_put(bench, 1, 1, 1, 1);
    for (uint64_t number = 1; number <= 3; number++) {
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
        settle(bench, fetcher);
    }
    assert_int_equal(status(fetcher).served_ahead, 2);
    for (size_t i = 3; i <= 4; i++) {
        assert_int_equal(fetch(bench, fetcher, 1, 4), FETCH_ABSENT);
        settle(bench, fetcher);
        assert_int_equal(fetch(bench, fetcher, 1, 3), 0);
        assert_int_equal(status(fetcher).served_ahead, i);
    }
    settle(bench, fetcher);
    assert_int_equal(status(fetcher).ready, 0);
}

static void
a_standby_that_waits_gets_no_second_copy(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    scratch_text(&bench->scratch, "pgdata/standby.signal", "");
    fetch_bench_put(bench, 0, 1, 1, 3);
    fetch_bench_put(bench, 1, 1, 1, 1);
    for (uint64_t number = 1; number <= 3; number++)
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fetch(bench, fetcher, 1, 4), FETCH_ABSENT);
        settle(bench, fetcher);
        assert_int_equal(status(fetcher).ready, 0);
    }
}

/* ---- timelines ---- */

/* Timeline 2 leaves 1 in segment 7; both have that one. */
static void
put_two_timelines(struct fetch_bench *bench)
{
    fetch_bench_put(bench, 0, 1, 4, 9);
    fetch_bench_put(bench, 0, 2, 7, 10);
    fetch_bench_put(bench, 1, 1, 4, 4);
    fetch_bench_put_text(bench, 0, "00000002.history", HISTORY_2);
}

static void
a_switch_of_timelines_is_followed(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    put_two_timelines(bench);
    assert_int_equal(fetch_text(bench, fetcher, "00000002.history"), 0);
    assert_int_equal(fetch_text(bench, fetcher, "00000003.history"), FETCH_ABSENT);
    for (uint64_t number = 4; number <= 10; number++) {
        assert_int_equal(fetch(bench, fetcher, number < 7 ? 1 : 2, number), 0);
        settle(bench, fetcher);
    }
    assert_int_equal(status(fetcher).served_ahead, 6);
    assert_int_equal(fetch(bench, fetcher, 2, 11), FETCH_ABSENT);
    assert_int_equal(fetch(bench, fetcher, 1, 11), FETCH_ABSENT);
}

static void
where_the_newer_timeline_has_nothing_the_older_serves(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    fetch_bench_put(bench, 0, 1, 4, 9);
    fetch_bench_put(bench, 1, 1, 4, 4);
    fetch_bench_put_text(bench, 0, "00000002.history", HISTORY_2);
    assert_int_equal(fetch_text(bench, fetcher, "00000002.history"), 0);
    for (uint64_t number = 4; number <= 9; number++) {
        if (number >= 7)
            assert_int_equal(fetch(bench, fetcher, 2, number), FETCH_ABSENT);
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
        settle(bench, fetcher);
    }
    assert_int_equal(status(fetcher).served_ahead, 5);
}

/* Another recovery, to the end of timeline 1, with an agent that knows of timeline 2. */
static void
a_target_that_is_not_the_latest_is_recognised(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

    put_two_timelines(bench);
    assert_int_equal(fetch_text(bench, fetcher, "00000002.history"), 0);
    for (uint64_t number = 4; number <= 9; number++) {
        assert_int_equal(fetch(bench, fetcher, 1, number), 0);
        settle(bench, fetcher);
    }
    /* segment 7 was prepared on timeline 2, the others on 1 */
    assert_int_equal(status(fetcher).served_ahead, 4);
    assert_int_equal(fetch(bench, fetcher, 1, 10), FETCH_ABSENT);
}

/* ---- troubles ---- */

static void
a_damaged_copy_is_told_with_the_file(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 4);
    fetch_bench_put(bench, 1, 1, 1, 4);
    fetch_bench_damage(bench, 0, fetch_bench_name(1, 2, name));
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    AUTO(answer) struct answer answer = ask(bench, fetcher, name);
    assert_int_equal(answer.rc, 0);
    assert_int_equal(status(fetcher).served_ahead, 1);
    assert_true(fetch_bench_is(bench, answer.file, 1, 2));
    assert_int_equal(answer.notices.n, 1);
    assert_non_null(strstr(answer.notices.kept[0].text, "store \"a\""));
    assert_int_equal(fetch(bench, fetcher, 1, 3), 0);
}

static void
what_is_damaged_everywhere_is_an_error_when_asked_for(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 4);
    fetch_bench_damage(bench, 0, fetch_bench_name(1, 3, name));
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    assert_int_equal(fetch(bench, fetcher, 1, 2), 0);
    AUTO(answer) struct answer answer = ask(bench, fetcher, name);
    assert_int_equal(answer.rc, -1);
    assert_int_equal(answer.err.kind, ERR_CORRUPT);
}

static void
who_has_gone_gets_no_answer(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    struct answer answer;
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 6);
    ask_only(fetcher, 1, fetch_bench_name(1, 1, name));
    fetcher_advance(fetcher); /* a worker may have it by now */
    fetcher_withdraw(fetcher, 1);
    settle(bench, fetcher);
    assert_false(fetcher_take_answer(fetcher, &answer));
    ask_only(fetcher, 2, fetch_bench_name(1, 2, name));
    fetcher_withdraw(fetcher, 2); /* the answer may be ready */
    assert_false(fetcher_take_answer(fetcher, &answer));
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
}

static void
two_may_ask_at_once(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];
    unsigned seen = 0;

    fetch_bench_put(bench, 0, 1, 1, 3);
    (void)fetch_bench_name(1, 1, name);
    for (uint64_t ticket = 1; ticket <= 3; ticket++)
        ask_only(fetcher, ticket, name);
    while (seen != 0xe) {
        AUTO(answer) struct answer answer = {.file = -1};

        if (!fetcher_take_answer(fetcher, &answer)) {
            turn(bench, fetcher);
            continue;
        }
        assert_int_equal(answer.rc, 0);
        assert_true(fetch_bench_is(bench, answer.file, 1, 1));
        seen |= 1U << answer.ticket;
    }
}

static void
a_bad_name_is_answered_without_a_request(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    AUTO(answer) struct answer answer = ask(bench, fetcher, "../x");

    assert_int_equal(answer.rc, -1);
    assert_int_equal(answer.err.kind, ERR_CONFIG);
}

static void
another_server_gets_nothing_of_the_old_one(void **state)
{
    struct fetch_bench *bench = *state;
    AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 4);
    assert_int_equal(fetch(bench, fetcher, 1, 1), 0);
    settle(bench, fetcher);
    bench->pgdata.system_id = 5;
    AUTO(answer) struct answer answer = ask(bench, fetcher, fetch_bench_name(1, 2, name));
    assert_int_equal(answer.rc, -1);
    assert_int_equal(answer.err.kind, ERR_CONFLICT);
}

static void
it_can_be_given_up_at_any_moment(void **state)
{
    struct fetch_bench *bench = *state;
    char name[WAL_NAME_SIZE];

    fetch_bench_put(bench, 0, 1, 1, 8);
    for (int turns = 0; turns < 12; turns++) {
        AUTO(fetcher) struct fetcher *fetcher = new_fetcher(bench, 8);

        ask_only(fetcher, 1, fetch_bench_name(1, 1, name));
        for (int i = 0; i < turns; i++)
            fetcher_advance(fetcher);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        FETCH_BENCH_TEST(the_file_has_no_name_and_can_get_one),
        FETCH_BENCH_TEST(nothing_is_ever_visible),
        FETCH_BENCH_TEST(a_file_is_given_out_once),
        FETCH_BENCH_TEST(without_files_without_a_name_another_directory_serves),
        FETCH_BENCH_TEST(segments_are_ready_before_they_are_asked_for),
        FETCH_BENCH_TEST(without_pauses_too_each_is_the_right_one),
        FETCH_BENCH_TEST(the_spool_has_a_bound),
        FETCH_BENCH_TEST(no_file_system_is_filled),
        FETCH_BENCH_TEST(a_full_disk_stops_the_work_ahead_only),
        FETCH_BENCH_TEST(backwards_nothing_is_fetched_ahead),
        FETCH_BENCH_TEST(an_absence_is_proven_each_time),
        FETCH_BENCH_TEST(a_gap_is_no_end),
        FETCH_BENCH_TEST(the_last_segment_is_there_twice_more),
        FETCH_BENCH_TEST(a_standby_that_waits_gets_no_second_copy),
        FETCH_BENCH_TEST(a_switch_of_timelines_is_followed),
        FETCH_BENCH_TEST(where_the_newer_timeline_has_nothing_the_older_serves),
        FETCH_BENCH_TEST(a_target_that_is_not_the_latest_is_recognised),
        FETCH_BENCH_TEST(a_damaged_copy_is_told_with_the_file),
        FETCH_BENCH_TEST(what_is_damaged_everywhere_is_an_error_when_asked_for),
        FETCH_BENCH_TEST(who_has_gone_gets_no_answer),
        FETCH_BENCH_TEST(two_may_ask_at_once),
        FETCH_BENCH_TEST(a_bad_name_is_answered_without_a_request),
        FETCH_BENCH_TEST(another_server_gets_nothing_of_the_old_one),
        FETCH_BENCH_TEST(it_can_be_given_up_at_any_moment),
    };

    return cmocka_run_group_tests_name("fetcher", tests, NULL, NULL);
}
