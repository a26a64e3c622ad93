/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/retrieval.h"

#include "cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/process.h"
#include "scratch.h"

#define SYSTEM_ID 7413305566020948123
#define NAME "main/7413305566020948123/backup/20261122T153600Z/complete"
#define FILE_TEXT "the file\n"
#define FILE_MAX 1000
#define SOON_MS 400
#define LATER_MS 60000

/* Two directory stores, "a" and "b", and who wrote into them. */
struct bench {
    struct scratch scratch;
    struct settings *settings;
    struct archive *archive;
    struct notices notices;
    unsigned n_warnings;
    char warning[1024]; /* the last */
};

static void
take_notice(struct notices *notices, enum log_level level, const char *text)
{
    struct bench *bench = (struct bench *)((char *)notices - offsetof(struct bench, notices));

    assert_int_equal(level, LOG_WARNING);
    bench->n_warnings++;
    (void)snprintf(bench->warning, sizeof(bench->warning), "%s", text);
}

static int
setup(void **state)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct writer_key key;
    struct err err = ERR_INIT;
    char key_text[KEY_TEXT_SIZE];
    char text[2048];
    char file[SCRATCH_SIZE + 16];

    assert_non_null(bench);
    bench->notices.notice = take_notice;
    scratch_new(&bench->scratch);
    scratch_mkdir(&bench->scratch, "a");
    scratch_mkdir(&bench->scratch, "b");
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
    (void)snprintf(file, sizeof(file), "%s/conf", bench->scratch.path);
    if (settings_parse(text, strlen(text), file, &bench->settings, &err) < 0 ||
        archive_open(bench->settings, ARCHIVE_WRITE, &bench->archive, &err) < 0)
        fail_msg("%s", err.text);
    *state = bench;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *bench = *state;

    process_request_stop(0);
    archive_close(bench->archive);
    settings_free(bench->settings);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

/* An object of that name with this file in store `i`. */
static void
put(struct bench *bench, size_t i, const struct object_format *format, const char *name,
    const char *content)
{
    struct object_label label = {name, SYSTEM_ID, 0};
    struct store_limits limits = {clock_boot_ms() + LATER_MS, 0};
    struct span spans[2];
    AUTO(object_packer) struct object_packer *packer = NULL;
    AUTO(store_task) struct store_task *task = NULL;
    struct err err = ERR_INIT;

    if (object_packer_new(format, &bench->archive->writer, strlen(content), &packer, &err) < 0 ||
        object_packer_write(packer, content, strlen(content), &err) < 0 ||
        object_packer_finish(packer, &label, NULL, spans, NULL, &err) < 0 ||
        store_start_put(bench->archive->stores[i].store, NAME, spans, 2, &limits, &task, &err) <
            0 ||
        store_task_wait(bench->archive->loop, task, &err) != 0)
        fail_msg("%s", err.text);
}

static void
put_good(struct bench *bench, size_t i)
{
    put(bench, i, &bench->archive->format, NAME, FILE_TEXT);
}

/* Change the last byte of what the store has. */
static void
damage(struct bench *bench, const char *store)
{
    char path[SCRATCH_SIZE + 128];
    struct stat st;
    uint8_t byte = 0;

    (void)snprintf(path, sizeof(path), "%s/" NAME, store);
    assert_int_equal(fstatat(bench->scratch.fd, path, &st, 0), 0);
    assert_int_equal(fchmodat(bench->scratch.fd, path, 0600, 0), 0);
    AUTO(fd) int fd = openat(bench->scratch.fd, path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, st.st_size - 1), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 1), 1);
}

/* As if the directory of a store were not mounted, and mounted again. */
static void
take_away(struct bench *bench, size_t i)
{
    static const char *const names[] = {"a", "b"};

    store_close(bench->archive->stores[i].store);
    bench->archive->stores[i].store = NULL;
    assert_int_equal(renameat(bench->scratch.fd, names[i], bench->scratch.fd, "away"), 0);
    archive_reopen_store(bench->archive, i);
    assert_null(bench->archive->stores[i].store);
}

static struct retrieval_request
request_of(int64_t within_ms)
{
    return (struct retrieval_request){
        .name = NAME,
        .system_id = SYSTEM_ID,
        .max_file_size = FILE_MAX,
        .deadline_ms = clock_boot_ms() + within_ms,
    };
}

/* Retrieve with this request; the result is held against FILE_TEXT. */
static int
retrieve(struct bench *bench, const struct retrieval_request *request, struct err *err)
{
    AUTO(buf) struct buf file = BUF_INIT(2 * FILE_MAX);

    *err = ERR_INIT;
    assert_int_equal(buf_append_text(&file, "before ", err), 0);
    int rc = retrieve_file(bench->archive, request, &bench->notices, &file, err);
    assert_string_equal(buf_text(&file, err), rc == 0 ? "before " FILE_TEXT : "before ");
    return rc;
}

static void
a_file_comes_from_any_store_that_has_it(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put_good(bench, 1);
    if (retrieve(bench, &request, &err) != 0)
        fail_msg("%s", err.text);
    request.stores = 2;
    assert_int_equal(retrieve(bench, &request, &err), 0);
    put_good(bench, 0);
    request.stores = 1;
    assert_int_equal(retrieve(bench, &request, &err), 0);
    assert_int_equal(bench->n_warnings, 0);
}

static void
it_is_absent_when_every_store_that_may_be_asked_says_so(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    assert_int_equal(retrieve(bench, &request, &err), RETRIEVAL_ABSENT);
    put_good(bench, 1);
    request.stores = 1;
    assert_int_equal(retrieve(bench, &request, &err), RETRIEVAL_ABSENT);
    request.stores = 4;
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_INTERNAL);
}

static void
a_damaged_copy_is_told_and_another_one_taken(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put_good(bench, 0);
    put_good(bench, 1);
    damage(bench, "a");
    assert_int_equal(retrieve(bench, &request, &err), 0);
    assert_int_equal(bench->n_warnings, 1);
    assert_non_null(strstr(bench->warning, "store \"a\""));
    assert_non_null(strstr(bench->warning, NAME));
}

static void
damage_everywhere_is_an_error(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put_good(bench, 0);
    put_good(bench, 1);
    damage(bench, "a");
    damage(bench, "b");
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(bench->n_warnings, 2);
    assert_non_null(strstr(err.text, NAME));
}

static void
damage_is_not_absence(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put_good(bench, 1);
    damage(bench, "b");
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void
another_objects_bytes_are_damage(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put(bench, 0, &bench->archive->format, "main/7413305566020948123/backup/x", FILE_TEXT);
    put_good(bench, 1);
    assert_int_equal(retrieve(bench, &request, &err), 0);
    assert_int_equal(bench->n_warnings, 1);
    request.system_id++;
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void
a_file_larger_than_asked_for_is_refused(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put_good(bench, 0);
    request.max_file_size = strlen(FILE_TEXT);
    assert_int_equal(retrieve(bench, &request, &err), 0);
    request.max_file_size--;
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void
a_store_that_is_away_does_not_matter_if_another_has_it(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct err err;

    put_good(bench, 1);
    take_away(bench, 0);
    assert_int_equal(retrieve(bench, &request, &err), 0);
    assert_int_equal(bench->n_warnings, 0);
}

static void
while_a_store_is_away_nothing_is_absent(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(SOON_MS);
    struct err err;

    take_away(bench, 0);
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    request = request_of(LATER_MS);
    request.stores = 2;
    assert_int_equal(retrieve(bench, &request, &err), RETRIEVAL_ABSENT);
}

static void
a_store_that_comes_back_is_asked_again(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    AUTO(retrieval) struct retrieval *retrieval = NULL;
    struct object object;
    struct err err = ERR_INIT;

    put_good(bench, 0);
    take_away(bench, 0);
    assert_int_equal(retrieval_start(bench->archive, &request, &bench->notices, &retrieval, &err),
                     0);
    for (unsigned i = 0; i < 3; i++) {
        assert_false(retrieval_advance(retrieval));
        assert_int_equal(retrieval_wait(bench->archive, &retrieval, 1, clock_boot_ms() + 20, &err),
                         0);
    }
    assert_int_equal(renameat(bench->scratch.fd, "away", bench->scratch.fd, "a"), 0);
    while (!retrieval_advance(retrieval))
        assert_int_equal(retrieval_wait(bench->archive, &retrieval, 1, INT64_MAX, &err), 0);
    assert_int_equal(retrieval_result(retrieval, &object, &err), 0);
    assert_int_equal(retrieval_store(retrieval), 0);
}

static void
a_rejected_copy_is_damage_and_the_next_store_is_asked(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    AUTO(retrieval) struct retrieval *retrieval = NULL;
    struct object object;
    struct err err = ERR_INIT;
    struct err why = ERR_INIT;

    put_good(bench, 0);
    put_good(bench, 1);
    (void)err_set(&why, ERR_CORRUPT, "does not decode");
    assert_int_equal(retrieval_start(bench->archive, &request, &bench->notices, &retrieval, &err),
                     0);
    for (size_t i = 0; i < 2; i++) {
        while (!retrieval_advance(retrieval))
            assert_int_equal(retrieval_wait(bench->archive, &retrieval, 1, INT64_MAX, &err), 0);
        assert_int_equal(retrieval_result(retrieval, &object, &err), 0);
        assert_string_equal(object.seal.name, NAME);
        assert_int_equal(retrieval_store(retrieval), i);
        assert_int_equal(retrieval_reject(retrieval, &why), i == 0 ? 0 : -1);
        assert_int_equal(bench->n_warnings, i + 1);
        assert_non_null(strstr(bench->warning, i == 0 ? "store \"a\"" : "store \"b\""));
        assert_non_null(strstr(bench->warning, "does not decode"));
    }
    assert_true(retrieval_advance(retrieval));
    assert_int_equal(retrieval_result(retrieval, &object, &err), -1);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

/* The seal is good, but it is for somebody else's eyes. */
static void
a_copy_that_cannot_be_decoded_leads_to_the_next_store(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct age_identity identity;
    struct age_recipient recipient;
    struct object_format sealed = bench->archive->format;
    struct err err = ERR_INIT;

    assert_int_equal(age_identity_generate(&identity, &err), 0);
    memcpy(recipient.public_key, identity.public_key, sizeof(recipient.public_key));
    sealed.encryption = ENCRYPTION_AGE;
    sealed.recipients = &recipient;
    sealed.n_recipients = 1;
    put(bench, 0, &sealed, NAME, FILE_TEXT);
    put_good(bench, 1);
    if (retrieve(bench, &request, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(bench->n_warnings, 2); /* and a hint */
    request.stores = 1;
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    age_identity_done(&identity);
}

static void
several_can_be_under_way(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(LATER_MS);
    struct retrieval *retrievals[3] = {NULL};
    struct object object;
    struct err err = ERR_INIT;
    bool ended = false;

    put_good(bench, 1);
    assert_int_equal(
        retrieval_start(bench->archive, &request, &bench->notices, &retrievals[0], &err), 0);
    request.name = "main/7413305566020948123/backup/none";
    assert_int_equal(
        retrieval_start(bench->archive, &request, &bench->notices, &retrievals[2], &err), 0);
    while (!ended) {
        ended = retrieval_advance(retrievals[0]);
        ended = retrieval_advance(retrievals[2]) && ended;
        assert_int_equal(retrieval_wait(bench->archive, retrievals, 3, INT64_MAX, &err), 0);
    }
    assert_int_equal(retrieval_result(retrievals[0], &object, &err), 0);
    assert_int_equal(retrieval_store(retrievals[0]), 1);
    assert_int_equal(retrieval_result(retrievals[2], &object, &err), RETRIEVAL_ABSENT);
    retrieval_free(retrievals[0]);
    retrieval_free(retrievals[2]);
}

static void
a_stop_request_and_a_passed_deadline_end_it(void **state)
{
    struct bench *bench = *state;
    struct retrieval_request request = request_of(-1);
    struct err err;

    put_good(bench, 0);
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
    process_request_stop(15);
    request = request_of(LATER_MS);
    assert_int_equal(retrieve(bench, &request, &err), -1);
    assert_int_equal(err.kind, ERR_TRANSIENT);
}

#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(a_file_comes_from_any_store_that_has_it),
        BENCH_TEST(it_is_absent_when_every_store_that_may_be_asked_says_so),
        BENCH_TEST(a_damaged_copy_is_told_and_another_one_taken),
        BENCH_TEST(damage_everywhere_is_an_error),
        BENCH_TEST(damage_is_not_absence),
        BENCH_TEST(another_objects_bytes_are_damage),
        BENCH_TEST(a_file_larger_than_asked_for_is_refused),
        BENCH_TEST(a_store_that_is_away_does_not_matter_if_another_has_it),
        BENCH_TEST(while_a_store_is_away_nothing_is_absent),
        BENCH_TEST(a_store_that_comes_back_is_asked_again),
        BENCH_TEST(a_rejected_copy_is_damage_and_the_next_store_is_asked),
        BENCH_TEST(a_copy_that_cannot_be_decoded_leads_to_the_next_store),
        BENCH_TEST(several_can_be_under_way),
        BENCH_TEST(a_stop_request_and_a_passed_deadline_end_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
