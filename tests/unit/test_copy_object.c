/* SPDX-License-Identifier: PostgreSQL */
#include "archive/copy_object.h"

#include "cmocka_all.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "scratch.h"

#define SYSTEM_ID 7413305566020948123
#define NAME "main/7413305566020948123/wal/00000001/00000000/000000010000000000000007"
#define OTHER "main/7413305566020948123/wal/00000001/00000000/000000010000000000000008"
#define FILE_TEXT "the file\n"
#define LATER_MS 60000
#define OBJECT_MAX (64 * KIB)

/* Two directory stores, "a" and "b", and who reads them. */
struct bench {
    struct scratch scratch;
    struct settings *settings;
    struct archive *archive;
};

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

    archive_close(bench->archive);
    settings_free(bench->settings);
    scratch_remove(&bench->scratch);
    free(bench);
    return 0;
}

/* What an object is made of. */
struct made {
    const char *name;
    const char *content;
    const struct writer_key *writer; /* NULL: the archive's */
    const struct age_recipient *recipient; /* NULL: unencrypted */
    int64_t created_us;
};

static const struct made ordinary = {.name = NAME, .content = FILE_TEXT};

/* Such an object in store `i` under NAME. */
static void
put(struct bench *bench, size_t i, const struct made *made)
{
    struct object_format format = bench->archive->format;
    struct object_label label = {made->name, SYSTEM_ID, made->created_us};
    struct store_limits limits = {clock_boot_ms() + LATER_MS, 0};
    struct span spans[2];
    AUTO(object_packer) struct object_packer *packer = NULL;
    AUTO(store_task) struct store_task *task = NULL;
    struct err err = ERR_INIT;

    if (made->recipient != NULL) {
        format.encryption = ENCRYPTION_AGE;
        format.recipients = made->recipient;
        format.n_recipients = 1;
    }
    const struct writer_key *writer =
        made->writer != NULL ? made->writer : &bench->archive->writer;
    size_t size = strlen(made->content);
    if (object_packer_new(&format, writer, size, &packer, &err) < 0 ||
        object_packer_write(packer, made->content, size, &err) < 0 ||
        object_packer_finish(packer, &label, NULL, spans, NULL, &err) < 0 ||
        store_start_put(bench->archive->stores[i].store, NAME, spans, 2, &limits, &task, &err) <
            0 ||
        store_task_wait(bench->archive->loop, task, &err) != 0)
        fail_msg("%s", err.text);
}

static int
open_object(const struct bench *bench, const char *store)
{
    char path[SCRATCH_SIZE + 128];

    (void)snprintf(path, sizeof(path), "%s/" NAME, store);
    if (fchmodat(bench->scratch.fd, path, 0600, 0) < 0)
        return -1;
    return openat(bench->scratch.fd, path, O_RDWR | O_CLOEXEC);
}

/* Change the last byte of what the store has. */
static void
damage(const struct bench *bench, const char *store)
{
    AUTO(fd) int fd = open_object(bench, store);
    struct stat st;
    uint8_t byte = 0;

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(pread(fd, &byte, 1, st.st_size - 1), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 1), 1);
}

/* The bytes both stores have; -1: it has none. */
static ssize_t
stored(const struct bench *bench, const char *store, uint8_t *bytes)
{
    AUTO(fd) int fd = open_object(bench, store);

    return fd < 0 ? -1 : pread(fd, bytes, OBJECT_MAX, 0);
}

/* Copy from "a" to "b": the result. */
static int
copy(struct bench *bench, bool compare_only, uint64_t max_size, struct err *err)
{
    const struct copy_object_request request = {
        .keyring = &bench->archive->keyring,
        .name = NAME,
        .system_id = SYSTEM_ID,
        .from = bench->archive->stores[0].store,
        .to = bench->archive->stores[1].store,
        .max_size = max_size,
        .compare_only = compare_only,
        .limits = {clock_boot_ms() + LATER_MS, 0},
    };
    AUTO(copy_object) struct copy_object *object = NULL;

    assert_int_equal(copy_object_start(&request, &object, err), 0);
    while (!copy_object_advance(object))
        assert_int_equal(store_loop_run(bench->archive->loop, clock_boot_ms() + 1000, err), 0);
    int rc = copy_object_result(object, err);
    if (rc >= 0)
        assert_null(copy_object_failed(object));
    return rc;
}

/* Copy, and see that the target is left as it was. */
static void
expect(struct bench *bench, bool compare_only, int result, enum err_kind kind)
{
    uint8_t before[OBJECT_MAX];
    uint8_t after[OBJECT_MAX];
    struct err err = ERR_INIT;
    ssize_t had = stored(bench, "b", before);

    int rc = copy(bench, compare_only, OBJECT_MAX, &err);
    if (rc != result || err.kind != kind)
        fail_msg("result %d, %s: %s", rc, err_kind_name(err.kind), err.text);
    ssize_t has = stored(bench, "b", after);
    assert_int_equal(has, had);
    if (has > 0)
        assert_memory_equal(before, after, (size_t)has);
}

static void
an_object_is_copied_byte_for_byte(void **state)
{
    struct bench *bench = *state;
    uint8_t a[OBJECT_MAX];
    uint8_t b[OBJECT_MAX];
    struct err err = ERR_INIT;

    put(bench, 0, &ordinary);
    assert_int_equal(copy(bench, false, OBJECT_MAX, &err), 0);
    ssize_t size = stored(bench, "a", a);
    assert_true(size > 0);
    assert_int_equal(stored(bench, "b", b), size);
    assert_memory_equal(a, b, (size_t)size);
    expect(bench, false, COPY_OBJECT_SAME, ERR_NONE);
}

static void
the_same_file_in_another_object_is_the_same(void **state)
{
    struct bench *bench = *state;
    struct made later = ordinary;

    later.created_us = 77;
    put(bench, 0, &ordinary);
    put(bench, 1, &later);
    expect(bench, false, COPY_OBJECT_SAME, ERR_NONE);
    expect(bench, true, COPY_OBJECT_SAME, ERR_NONE);
}

static void
other_content_is_a_conflict_and_stays(void **state)
{
    struct bench *bench = *state;
    struct made other = ordinary;

    other.content = "another file\n";
    put(bench, 0, &ordinary);
    put(bench, 1, &other);
    expect(bench, false, COPY_OBJECT_DIFFERENT, ERR_CONFLICT);
    expect(bench, true, COPY_OBJECT_DIFFERENT, ERR_CONFLICT);
}

static void
a_damaged_copy_in_the_target_is_named_and_stays(void **state)
{
    struct bench *bench = *state;

    put(bench, 0, &ordinary);
    put(bench, 1, &ordinary);
    damage(bench, "b");
    expect(bench, false, COPY_OBJECT_DIFFERENT, ERR_CORRUPT);
    expect(bench, true, COPY_OBJECT_DIFFERENT, ERR_CORRUPT);
}

static void
what_does_not_verify_is_not_spread(void **state)
{
    struct bench *bench = *state;
    struct made renamed = ordinary;
    struct err err = ERR_INIT;

    expect(bench, false, COPY_OBJECT_UNFIT, ERR_CONFLICT);
    renamed.name = OTHER;
    put(bench, 0, &renamed);
    expect(bench, false, COPY_OBJECT_UNFIT, ERR_CORRUPT);
    damage(bench, "a");
    expect(bench, false, COPY_OBJECT_UNFIT, ERR_CORRUPT);
    assert_int_equal(copy(bench, false, 100, &err), COPY_OBJECT_UNFIT);
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void
a_writer_nobody_knows_is_not_spread(void **state)
{
    struct bench *bench = *state;
    struct writer_key stranger;
    struct made foreign = ordinary;
    struct err err = ERR_INIT;

    assert_int_equal(writer_key_generate(&stranger, &err), 0);
    foreign.writer = &stranger;
    put(bench, 0, &foreign);
    expect(bench, false, COPY_OBJECT_UNFIT, ERR_CONFIG);
    assert_int_equal(keyring_add_writer(&bench->archive->keyring, &stranger.public_half, &err), 0);
    put(bench, 1, &ordinary);
    /* Unencrypted: two writers' objects are compared by what is in them. */
    expect(bench, false, COPY_OBJECT_SAME, ERR_NONE);
    writer_key_done(&stranger);
}

static void
two_writers_objects_need_an_identity_to_be_compared(void **state)
{
    struct bench *bench = *state;
    struct age_identity identity;
    struct age_recipient recipient;
    struct writer_key standby;
    struct made made = ordinary;
    struct err err = ERR_INIT;

    assert_int_equal(age_identity_generate(&identity, &err), 0);
    memcpy(recipient.public_key, identity.public_key, KEY_SIZE);
    assert_int_equal(writer_key_generate(&standby, &err), 0);
    assert_int_equal(keyring_add_writer(&bench->archive->keyring, &standby.public_half, &err), 0);
    made.recipient = &recipient;
    put(bench, 0, &made);
    made.writer = &standby;
    put(bench, 1, &made);
    expect(bench, false, COPY_OBJECT_DIFFERENT, ERR_CONFLICT);
    bench->archive->keyring.identities[bench->archive->keyring.n_identities++] = identity;
    expect(bench, false, COPY_OBJECT_SAME, ERR_NONE);
    writer_key_done(&standby);
}

static void
comparing_creates_nothing(void **state)
{
    struct bench *bench = *state;
    uint8_t bytes[OBJECT_MAX];

    put(bench, 0, &ordinary);
    expect(bench, true, -1, ERR_TRANSIENT);
    assert_int_equal(stored(bench, "b", bytes), -1);
}

static void
a_store_that_fails_is_told_apart(void **state)
{
    struct bench *bench = *state;
    struct copy_object_request request = {
        .keyring = &bench->archive->keyring,
        .name = NAME,
        .system_id = SYSTEM_ID,
        .from = bench->archive->stores[0].store,
        .to = bench->archive->stores[1].store,
        .max_size = OBJECT_MAX,
        .limits = {clock_boot_ms() + LATER_MS, 0},
    };
    AUTO(copy_object) struct copy_object *object = NULL;
    struct err err = ERR_INIT;

    put(bench, 0, &ordinary);
    scratch_text(&bench->scratch, "b/main", "a file where a directory must be");
    assert_int_equal(copy_object_start(&request, &object, &err), 0);
    while (!copy_object_advance(object))
        assert_int_equal(store_loop_run(bench->archive->loop, clock_boot_ms() + 1000, &err), 0);
    assert_int_equal(copy_object_result(object, &err), -1);
    assert_ptr_equal(copy_object_failed(object), request.to);
    assert_true(copy_object_size(object) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_copied_byte_for_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_file_in_another_object_is_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(other_content_is_a_conflict_and_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(a_damaged_copy_in_the_target_is_named_and_stays, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_does_not_verify_is_not_spread, setup, teardown),
        cmocka_unit_test_setup_teardown(a_writer_nobody_knows_is_not_spread, setup, teardown),
        cmocka_unit_test_setup_teardown(two_writers_objects_need_an_identity_to_be_compared,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(comparing_creates_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_that_fails_is_told_apart, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
