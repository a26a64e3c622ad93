/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher.h"

#include "cmocka_all.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "archive/ready.h"
#include "base/clock.h"
#include "base/io.h"
#include "scratch.h"

#define SYSTEM_ID 7413305566020948123
#define ROOT "main/7413305566020948123/wal"
#define LATER_MS 60000
#define SMALL MIB

/* Two directory stores, "a" and "b", and a data directory, which is the working directory. */
struct bench {
    struct scratch scratch;
    struct settings *settings;
    struct archive *archive;
    struct workers *workers;
    struct pgdata pgdata;
    struct pusher *pusher;
    struct pollfd watched;
    uint64_t next_ticket;
    size_t memory_peak;
    size_t segment_size;
};

/* ---- the data directory ---- */

static const char *
segment_name(const struct bench *bench, uint64_t number)
{
    static struct wal_name name;

    wal_name_of_segment(1, number, (uint32_t)bench->segment_size, &name);
    return name.text;
}

/* What a segment begins with, in PostgreSQL 15. */
static void
put_header(const struct bench *bench, uint64_t number, uint8_t *page)
{
    const uint16_t magic = 0xD110;
    const uint16_t info = 2;
    const uint32_t timeline = 1;
    const uint64_t address = number * bench->segment_size;
    const uint64_t system_id = SYSTEM_ID;
    const uint32_t sizes[] = {(uint32_t)bench->segment_size, 8192};

    memset(page, 0, 40);
    memcpy(page, &magic, 2);
    memcpy(page + 2, &info, 2);
    memcpy(page + 4, &timeline, 4);
    memcpy(page + 8, &address, 8);
    memcpy(page + 24, &system_id, 8);
    memcpy(page + 32, sizes, 8);
}

/* Bytes that do not compress, so that what is held is known; seed 0: nothing but zeros. */
static void
write_segment(const struct bench *bench, uint64_t number, uint32_t seed)
{
    AUTO(ptr) uint8_t *bytes = malloc(bench->segment_size);
    uint32_t random = seed * 2654435761U + (uint32_t)number;
    char path[128];

    assert_non_null(bytes);
    for (size_t i = 0; i < bench->segment_size; i++) {
        random = random * 1103515245 + 12345;
        bytes[i] = seed == 0 ? 0 : (uint8_t)(random >> 16);
    }
    put_header(bench, number, bytes);
    (void)snprintf(path, sizeof(path), "data/pg_wal/%s", segment_name(bench, number));
    scratch_write(&bench->scratch, path, bytes, bench->segment_size);
}

static void
make_ready(const struct bench *bench, const char *name)
{
    char path[160];

    (void)snprintf(path, sizeof(path), "data/" READY_DIRECTORY "/%s.ready", name);
    scratch_text(&bench->scratch, path, "");
}

static void
add_segments(const struct bench *bench, uint64_t first, size_t n)
{
    for (uint64_t i = first; i < first + n; i++) {
        write_segment(bench, i, 1);
        make_ready(bench, segment_name(bench, i));
    }
}

/* ---- the stores ---- */

static void
object_path(const struct bench *bench, const char *store, uint64_t number, char *ret, size_t size)
{
    const char *name = segment_name(bench, number);

    (void)snprintf(ret, size, "%s/" ROOT "/00000001/%.8s/%s", store, name + 8, name);
}

static bool
has(const struct bench *bench, const char *store, uint64_t number)
{
    char path[SCRATCH_SIZE];
    struct stat st;

    object_path(bench, store, number, path, sizeof(path));
    return fstatat(bench->scratch.fd, path, &st, 0) == 0;
}

/* ---- life ---- */

static void
begin(struct bench *bench, size_t memory_max, bool work_ahead)
{
    struct pusher_options options = {
        .archive = bench->archive,
        .workers = bench->workers,
        .pgdata = &bench->pgdata,
        .memory_max = memory_max,
        .work_ahead = work_ahead,
    };
    struct err err = ERR_INIT;

    assert_int_equal(pusher_new(&options, &bench->pusher, &err), 0);
}

static void
end(struct bench *bench)
{
    pusher_free(bench->pusher);
    bench->pusher = NULL;
}

static int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct writer_key key;
    struct err err = ERR_INIT;
    char key_text[KEY_TEXT_SIZE];
    char text[2048];
    char path[SCRATCH_SIZE + 16];

    assert_non_null(bench);
    bench->segment_size = SMALL;
    scratch_new(&bench->scratch);
    scratch_mkdir(&bench->scratch, "a");
    scratch_mkdir(&bench->scratch, "b");
    scratch_mkdir(&bench->scratch, "data");
    scratch_mkdir(&bench->scratch, "data/pg_wal");
    scratch_mkdir(&bench->scratch, "data/" READY_DIRECTORY);
    assert_int_equal(writer_key_generate(&key, &err), 0);
    writer_key_text(&key, key_text);
    writer_key_done(&key);
    scratch_text(&bench->scratch, "writer.key", key_text);
    assert_int_equal(fchmodat(bench->scratch.fd, "writer.key", 0600, 0), 0);
    (void)snprintf(text, sizeof(text),
                   "cluster = \"main\"; encryption = \"none\"; writer_key_file = \"writer.key\";\n"
                   "stores = ( { name = \"a\"; url = \"file://%s/a\"; },\n"
                   "           { name = \"b\"; url = \"file://%s/b\"; } );\n",
                   bench->scratch.path, bench->scratch.path);
    (void)snprintf(path, sizeof(path), "%s/conf", bench->scratch.path);
    if (settings_parse(text, strlen(text), path, &bench->settings, &err) < 0 ||
        archive_open(bench->settings, ARCHIVE_WRITE, &bench->archive, &err) < 0)
        fail_msg("%s", err.text);
    bench->pgdata = PGDATA_INIT;
    bench->pgdata.system_id = SYSTEM_ID;
    assert_int_equal(workers_new(2, &bench->workers, &err), 0);
    bench->watched = (struct pollfd){.fd = workers_fd(bench->workers), .events = POLLIN};
    store_loop_watch(bench->archive->loop, &bench->watched, 1);
    (void)snprintf(path, sizeof(path), "%s/data", bench->scratch.path);
    assert_int_equal(chdir(path), 0);
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *bench = *state;

    end(bench);
    assert_int_equal(chdir("/"), 0);
    workers_free(bench->workers);
    archive_close(bench->archive);
    settings_free(bench->settings);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

static void
note_memory(struct bench *bench)
{
    AUTO(ptr) struct pusher_status *status = malloc(sizeof(*status));

    assert_non_null(status);
    pusher_status(bench->pusher, status);
    bench->memory_peak = MAX_OF(bench->memory_peak, status->memory);
}

/* One round of what an agent does. */
static void
go_on(struct bench *bench)
{
    struct err err = ERR_INIT;
    int64_t until_ms = MIN_OF(pusher_due_ms(bench->pusher), clock_boot_ms() + 100);

    assert_int_equal(store_loop_run(bench->archive->loop, until_ms, &err), 0);
    pusher_advance(bench->pusher);
    note_memory(bench);
}

static uint64_t
ask(struct bench *bench, const char *path, int64_t within_ms)
{
    uint64_t ticket = ++bench->next_ticket;
    struct err err = ERR_INIT;

    assert_int_equal(
        pusher_ask(bench->pusher, ticket, path, clock_boot_ms() + within_ms, &err), 0);
    return ticket;
}

/* Wait for the answer to what was asked last: 0, or -1 and *ret_err. */
static int
answer(struct bench *bench, struct err *ret_err)
{
    struct answer answer;

    while (!pusher_take_answer(bench->pusher, &answer))
        go_on(bench);
    assert_int_equal(answer.ticket, bench->next_ticket);
    assert_int_equal(answer.file, -1);
    *ret_err = answer.err;
    answer_done(&answer);
    return answer.rc;
}

static int
push_within(struct bench *bench, const char *path, int64_t within_ms, struct err *ret_err)
{
    (void)ask(bench, path, within_ms);
    return answer(bench, ret_err);
}

static int
push_number(struct bench *bench, uint64_t number, struct err *ret_err)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, number));
    return push_within(bench, path, LATER_MS, ret_err);
}

static void
push_good(struct bench *bench, uint64_t number)
{
    struct err err = ERR_INIT;

    if (push_number(bench, number, &err) != 0)
        fail_msg("%s", err.text);
}

static void
run_until_idle(struct bench *bench)
{
    int64_t until_ms = clock_boot_ms() + LATER_MS;

    do {
        go_on(bench);
        assert_true(clock_boot_ms() < until_ms);
    } while (!pusher_idle(bench->pusher) || pusher_due_ms(bench->pusher) <= clock_boot_ms());
}

static uint64_t
archived(const struct bench *bench)
{
    AUTO(ptr) struct pusher_status *status = malloc(sizeof(*status));

    assert_non_null(status);
    pusher_status(bench->pusher, status);
    return status->archived;
}

static struct pusher_lag
lag_of(const struct bench *bench, size_t store)
{
    AUTO(ptr) struct pusher_status *status = malloc(sizeof(*status));

    assert_non_null(status);
    pusher_status(bench->pusher, status);
    return status->stores[store];
}

static void
wait_for(struct bench *bench, const char *store, uint64_t number)
{
    int64_t until_ms = clock_boot_ms() + LATER_MS;

    while (!has(bench, store, number)) {
        go_on(bench);
        assert_true(clock_boot_ms() < until_ms);
    }
}

/* ---- tests ---- */

static void
a_file_is_in_every_store_when_nothing_is_left_to_do(void **state)
{
    struct bench *bench = *state;

    add_segments(bench, 7, 1);
    begin(bench, 48 * MIB, true);
    assert_true(pusher_idle(bench->pusher));
    push_good(bench, 7);
    run_until_idle(bench);
    assert_true(has(bench, "a", 7));
    assert_true(has(bench, "b", 7));
    push_good(bench, 7);
    assert_int_equal(archived(bench), 1);
}

static void
what_comes_next_is_archived_before_it_is_asked_for(void **state)
{
    struct bench *bench = *state;

    add_segments(bench, 3, 9);
    begin(bench, 48 * MIB, true);
    push_good(bench, 3);
    run_until_idle(bench);
    assert_int_equal(archived(bench), 9);
    for (uint64_t i = 4; i < 12; i++) {
        assert_true(has(bench, "a", i));
        push_good(bench, i);
    }
    assert_int_equal(archived(bench), 9);
}

static void
nothing_is_done_ahead_if_that_is_not_wanted(void **state)
{
    struct bench *bench = *state;

    add_segments(bench, 3, 3);
    begin(bench, 48 * MIB, false);
    push_good(bench, 3);
    run_until_idle(bench);
    assert_int_equal(archived(bench), 1);
    assert_false(has(bench, "a", 4));
}

static void
what_changed_since_is_archived_anew(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char path[64];

    add_segments(bench, 3, 3);
    begin(bench, 48 * MIB, true);
    push_good(bench, 3);
    run_until_idle(bench);

    /* The same bytes in a file of another time. */
    write_segment(bench, 4, 1);
    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, 4));
    assert_int_equal(utimensat(AT_FDCWD, path, NULL, 0), 0);
    push_good(bench, 4);
    assert_int_equal(archived(bench), 4);

    /* Other bytes. */
    write_segment(bench, 5, 2);
    assert_int_equal(push_number(bench, 5, &err), -1);
    assert_int_equal(err.kind, ERR_CONFLICT);
}

static void
a_file_that_vanished_is_not_archived(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char path[64];

    add_segments(bench, 3, 2);
    begin(bench, 48 * MIB, true);
    push_good(bench, 3);
    run_until_idle(bench);
    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, 4));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(push_number(bench, 4, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_non_null(strstr(err.text, "gone"));

    /* One that has a .ready only does not stop the others. */
    make_ready(bench, segment_name(bench, 6));
    add_segments(bench, 8, 2);
    push_good(bench, 8);
    wait_for(bench, "a", 9);
}

static void
a_strange_name_is_refused_at_once(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;

    begin(bench, 48 * MIB, true);
    assert_int_equal(push_within(bench, "pg_wal/../postgresql.conf", LATER_MS, &err), -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_int_equal(archived(bench), 0);
}

static void
memory_has_a_ceiling(void **state)
{
    struct bench *bench = *state;
    size_t ceiling = 3 * (size_t)object_size_bound(SMALL) + MIB;

    add_segments(bench, 100, 40);
    begin(bench, ceiling, true);
    for (uint64_t i = 100; i < 140; i++)
        push_good(bench, i);
    assert_in_range(bench->memory_peak, SMALL, ceiling);
    run_until_idle(bench);
    assert_true(has(bench, "b", 139));
}

static void
what_compresses_worse_than_before_keeps_the_ceiling(void **state)
{
    struct bench *bench = *state;
    size_t ceiling = 2 * (size_t)object_size_bound(SMALL) + MIB;

    for (uint64_t i = 1; i <= 60; i++) {
        write_segment(bench, i, i / 20 % 2 == 0 ? 0 : 1);
        make_ready(bench, segment_name(bench, i));
    }
    begin(bench, ceiling, true);
    for (uint64_t i = 1; i <= 60; i++)
        push_good(bench, i);
    assert_in_range(bench->memory_peak, SMALL, ceiling);
    assert_int_equal(archived(bench), 60);
}

static void
one_large_segment_alone_may_pass_the_ceiling(void **state)
{
    struct bench *bench = *state;

    bench->segment_size = 64 * MIB;
    add_segments(bench, 1, 2);
    begin(bench, 8 * MIB, true);
    push_good(bench, 1);
    push_good(bench, 2);
    assert_in_range(bench->memory_peak, 64 * MIB, object_size_bound(64 * MIB));
}

static void
every_size_of_a_segment_is_archived(void **state)
{
    struct bench *bench = *state;

    begin(bench, 48 * MIB, true);
    for (uint64_t i = 1; i <= 7; i++) {
        bench->segment_size = MIB / 2 << i;
        add_segments(bench, i, 1);
        push_good(bench, i);
        assert_true(has(bench, "a", i));
    }
}

static size_t
open_descriptors(void)
{
    AUTO(dir) DIR *dir = opendir("/proc/self/fd");
    size_t n = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        n++;
    return n;
}

static void
ten_thousand_ready_files_are_worked_off_in_order(void **state)
{
    struct bench *bench = *state;
    AUTO(ptr) struct ready *ready = malloc(sizeof(*ready));
    struct err err = ERR_INIT;
    size_t before = open_descriptors();

    assert_non_null(ready);
    for (uint64_t i = 0; i < 10000; i++)
        make_ready(bench, segment_name(bench, 1 + i * 7919 % 10000));
    make_ready(bench, "00000001.history");
    make_ready(bench, "no-name");
    assert_int_equal(ready_scan(READY_DIRECTORY, ready, &err), 0);
    assert_int_equal(ready->total, 10001);
    assert_int_equal(ready->n, READY_MAX);
    assert_string_equal(ready->names[0].text, "00000001.history");
    for (uint64_t i = 1; i < READY_MAX; i++)
        assert_string_equal(ready->names[i].text, segment_name(bench, i));

    for (uint64_t i = 1; i <= 300; i++)
        write_segment(bench, i, 1);
    begin(bench, 16 * MIB, true);
    for (uint64_t i = 1; i <= 300; i++) {
        push_good(bench, i);
        (void)snprintf(err.hint, sizeof(err.hint), READY_DIRECTORY "/%s.ready",
                       segment_name(bench, i));
        assert_int_equal(unlink(err.hint), 0);
        assert_true(open_descriptors() < before + 40);
    }
    assert_in_range(bench->memory_peak, SMALL, 16 * MIB);
    assert_int_equal(archived(bench), 300);
}

static void
take_away(struct bench *bench, size_t i)
{
    static const char *const names[] = {"a", "b"};
    static const char *const away[] = {"away-a", "away-b"};

    store_close(bench->archive->stores[i].store);
    bench->archive->stores[i].store = NULL;
    assert_int_equal(renameat(bench->scratch.fd, names[i], bench->scratch.fd, away[i]), 0);
    archive_reopen_store(bench->archive, i);
    assert_null(bench->archive->stores[i].store);
}

static void
bring_back(struct bench *bench)
{
    assert_int_equal(renameat(bench->scratch.fd, "away-b", bench->scratch.fd, "b"), 0);
}

static void
a_store_that_is_away_lags_and_is_healed(void **state)
{
    struct bench *bench = *state;
    char path[64];

    add_segments(bench, 3, 4);
    take_away(bench, 1);
    begin(bench, 48 * MIB, true);
    for (uint64_t i = 3; i < 7; i++)
        push_good(bench, i);
    struct pusher_lag lag = lag_of(bench, 1);
    assert_int_equal(lag.files, 4);
    assert_int_equal(strlen(lag.oldest), WAL_SEGMENT_NAME_LENGTH);
    assert_true(lag.since_us > 0);
    assert_true(lag.error[0] != '\0');
    assert_int_equal(lag_of(bench, 0).files, 0);
    assert_true(pusher_idle(bench->pusher));

    /* Gone, changed, and still there: from the other store, from there too, and from here. */
    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, 3));
    assert_int_equal(unlink(path), 0);
    write_segment(bench, 4, 2);
    bring_back(bench);
    wait_for(bench, "b", 3);
    wait_for(bench, "b", 4);
    wait_for(bench, "b", 5);
    wait_for(bench, "b", 6);
    run_until_idle(bench);
    assert_int_equal(lag_of(bench, 1).files, 0);
    assert_string_equal(lag_of(bench, 1).error, "");
    write_segment(bench, 4, 1);
    push_good(bench, 4);
}

static void
with_too_few_stores_the_answer_comes_by_the_deadline(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char path[64];

    add_segments(bench, 3, 1);
    take_away(bench, 0);
    take_away(bench, 1);
    begin(bench, 48 * MIB, true);
    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, 3));
    assert_int_equal(push_within(bench, path, 300, &err), -1);
    assert_int_not_equal(err.text[0], '\0');
    bring_back(bench);
    push_good(bench, 3);
}

static void
other_content_in_one_store_is_a_conflict(void **state)
{
    struct bench *bench = *state;
    struct err err = ERR_INIT;
    char path[SCRATCH_SIZE];

    add_segments(bench, 3, 1);
    begin(bench, 48 * MIB, true);
    push_good(bench, 3);
    run_until_idle(bench);
    end(bench);

    object_path(bench, "a", 3, path, sizeof(path));
    assert_int_equal(unlinkat(bench->scratch.fd, path, 0), 0);
    write_segment(bench, 3, 2);
    begin(bench, 48 * MIB, true);
    int rc = push_number(bench, 3, &err);
    /* Store a took it at once; whether b has said no by then is a matter of order. */
    if (rc < 0)
        assert_int_equal(err.kind, ERR_CONFLICT);
    AUTO(ptr) struct pusher_status *status = malloc(sizeof(*status));
    assert_non_null(status);
    run_until_idle(bench);
    pusher_status(bench->pusher, status);
    assert_non_null(strstr(status->last_error, "other content"));
    assert_int_equal(status->stores[1].files, 0);
}

static void
many_may_ask_for_the_same_file(void **state)
{
    struct bench *bench = *state;
    char path[64];

    add_segments(bench, 3, 1);
    begin(bench, 48 * MIB, true);
    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, 3));
    for (int i = 0; i < 20; i++)
        (void)ask(bench, path, LATER_MS);
    pusher_withdraw(bench->pusher, 5);
    for (uint64_t i = 1; i <= 20; i++) {
        struct answer answer;

        if (i == 5)
            continue;
        while (!pusher_take_answer(bench->pusher, &answer))
            go_on(bench);
        assert_int_equal(answer.ticket, i);
        assert_int_equal(answer.rc, 0);
        answer_done(&answer);
    }
    assert_int_equal(archived(bench), 1);
}

static void
it_can_be_freed_at_any_moment(void **state)
{
    struct bench *bench = *state;
    char path[64];

    add_segments(bench, 3, 30);
    (void)snprintf(path, sizeof(path), "pg_wal/%s", segment_name(bench, 3));
    for (int rounds = 0; rounds < 40; rounds++) {
        begin(bench, 16 * MIB, true);
        (void)ask(bench, path, LATER_MS);
        for (int i = 0; i < rounds; i++)
            go_on(bench);
        end(bench);
    }
}

#define PUSHER_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        PUSHER_TEST(a_file_is_in_every_store_when_nothing_is_left_to_do),
        PUSHER_TEST(what_comes_next_is_archived_before_it_is_asked_for),
        PUSHER_TEST(nothing_is_done_ahead_if_that_is_not_wanted),
        PUSHER_TEST(what_changed_since_is_archived_anew),
        PUSHER_TEST(a_file_that_vanished_is_not_archived),
        PUSHER_TEST(a_strange_name_is_refused_at_once),
        PUSHER_TEST(memory_has_a_ceiling),
        PUSHER_TEST(what_compresses_worse_than_before_keeps_the_ceiling),
        PUSHER_TEST(one_large_segment_alone_may_pass_the_ceiling),
        PUSHER_TEST(every_size_of_a_segment_is_archived),
        PUSHER_TEST(ten_thousand_ready_files_are_worked_off_in_order),
        PUSHER_TEST(a_store_that_is_away_lags_and_is_healed),
        PUSHER_TEST(with_too_few_stores_the_answer_comes_by_the_deadline),
        PUSHER_TEST(other_content_in_one_store_is_a_conflict),
        PUSHER_TEST(many_may_ask_for_the_same_file),
        PUSHER_TEST(it_can_be_freed_at_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
