/* SPDX-License-Identifier: PostgreSQL */
#include "fetch_bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/process.h"
#include "cmocka_all.h"
#include "wal/wal_page.h"

#define MAGIC_15 0xd110
#define PATH_SIZE (SCRATCH_SIZE + OBJECT_NAME_SIZE)

static const char *const stores[] = {"a", "b"};

static void
open_archive(struct fetch_bench *bench)
{
    struct err err = ERR_INIT;
    char text[2048];
    char file[SCRATCH_SIZE + 16];

    (void)snprintf(text, sizeof(text),
                   "cluster = \"main\"; encryption = \"none\"; writer_key_file = \"writer.key\";\n"
                   "stores = ( { name = \"a\"; url = \"file://%s/a\"; },\n"
                   "           { name = \"b\"; url = \"file://%s/b\"; } );\n",
                   bench->scratch.path, bench->scratch.path);
    (void)snprintf(file, sizeof(file), "%s/conf", bench->scratch.path);
    if (settings_parse(text, strlen(text), file, &bench->settings, &err) < 0 ||
        archive_open(bench->settings, ARCHIVE_WRITE, &bench->archive, &err) < 0 ||
        workers_new(2, &bench->workers, &err) < 0)
        fail_msg("%s", err.text);
}

int
fetch_bench_setup(void **state)
{
    struct fetch_bench *bench = calloc(1, sizeof(*bench));
    struct writer_key key;
    struct err err = ERR_INIT;
    char key_text[KEY_TEXT_SIZE];

    assert_non_null(bench);
    scratch_new(&bench->scratch);
    scratch_mkdir(&bench->scratch, "a");
    scratch_mkdir(&bench->scratch, "b");
    scratch_mkdir(&bench->scratch, "pgdata");
    scratch_mkdir(&bench->scratch, "pgdata/pg_wal");
    assert_int_equal(writer_key_generate(&key, &err), 0);
    writer_key_text(&key, key_text);
    writer_key_done(&key);
    scratch_text(&bench->scratch, "writer.key", key_text);
    assert_int_equal(fchmodat(bench->scratch.fd, "writer.key", 0600, 0), 0);
    open_archive(bench);
    bench->pgdata = PGDATA_INIT;
    bench->pgdata.directory =
        openat(bench->scratch.fd, "pgdata", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(bench->pgdata.directory >= 0);
    bench->pgdata.has_control = true;
    bench->pgdata.system_id = BENCH_SYSTEM_ID;
    bench->pgdata.control = (struct pg_control){
        .system_id = BENCH_SYSTEM_ID,
        .segment_size = BENCH_SEGMENT,
        .timeline = 1,
        .server_version = 15,
    };
    notice_log_init(&bench->notices);
    bench->segment = malloc(BENCH_SEGMENT);
    assert_non_null(bench->segment);
    *state = bench;
    return 0;
}

int
fetch_bench_teardown(void **state)
{
    struct fetch_bench *bench = *state;

    process_request_stop(0);
    workers_free(bench->workers);
    archive_close(bench->archive);
    settings_free(bench->settings);
    pgdata_done(&bench->pgdata);
    notice_log_done(&bench->notices);
    scratch_remove(&bench->scratch);
    free(bench->segment);
    free(bench);
    return 0;
}

const char *
fetch_bench_name(uint32_t timeline, uint64_t number, char *ret_name)
{
    struct wal_name wal;

    wal_name_of_segment(timeline, number, BENCH_SEGMENT, &wal);
    memcpy(ret_name, wal.text, WAL_NAME_SIZE);
    return ret_name;
}

/* A first page that fits, and bytes that belong to no other segment. */
static void
make_segment(struct fetch_bench *bench, uint32_t timeline, uint64_t number)
{
    uint16_t magic = MAGIC_15;
    uint16_t info = WAL_PAGE_LONG_HEADER;
    uint64_t address = number * BENCH_SEGMENT;
    uint64_t system_id = BENCH_SYSTEM_ID;
    uint32_t sizes[] = {BENCH_SEGMENT, WAL_PAGE_SIZE_DEFAULT};
    uint64_t word = number * 1000003 + timeline;

    memset(bench->segment, 0, BENCH_SEGMENT);
    for (size_t i = WAL_LONG_HEADER_SIZE; i + 8 <= BENCH_SEGMENT; i += 64) {
        word = word * 6364136223846793005 + 1442695040888963407;
        memcpy(bench->segment + i, &word, sizeof(word));
    }
    memcpy(bench->segment, &magic, sizeof(magic));
    memcpy(bench->segment + 2, &info, sizeof(info));
    memcpy(bench->segment + 4, &timeline, sizeof(timeline));
    memcpy(bench->segment + 8, &address, sizeof(address));
    memcpy(bench->segment + 24, &system_id, sizeof(system_id));
    memcpy(bench->segment + 32, sizes, sizeof(sizes));
}

static void
object_name(const char *name, char *ret)
{
    struct object_owner owner = {"main", BENCH_SYSTEM_ID};
    struct wal_name wal;

    assert_true(wal_name_parse(name, strlen(name), &wal));
    object_name_of_wal(&owner, &wal, ret);
}

static void
put(struct fetch_bench *bench, size_t store, const char *name, const void *bytes, size_t size)
{
    char object[OBJECT_NAME_SIZE];
    struct object_label label = {object, BENCH_SYSTEM_ID, 0};
    struct store_limits limits = {clock_boot_ms() + BENCH_LATER_MS, 0};
    struct span spans[2];
    AUTO(object_packer) struct object_packer *packer = NULL;
    AUTO(store_task) struct store_task *task = NULL;
    struct err err = ERR_INIT;

    object_name(name, object);
    if (object_packer_new(&bench->archive->format, &bench->archive->writer, size, &packer, &err) <
            0 ||
        object_packer_write(packer, bytes, size, &err) < 0 ||
        object_packer_finish(packer, &label, NULL, spans, NULL, &err) < 0 ||
        store_start_put(bench->archive->stores[store].store, object, spans, 2, &limits, &task,
                        &err) < 0 ||
        store_task_wait(bench->archive->loop, task, &err) != 0)
        fail_msg("%s", err.text);
}

void
fetch_bench_put(struct fetch_bench *bench, size_t store, uint32_t timeline, uint64_t first,
                uint64_t last)
{
    char name[WAL_NAME_SIZE];

    for (uint64_t number = first; number <= last; number++) {
        make_segment(bench, timeline, number);
        put(bench, store, fetch_bench_name(timeline, number, name), bench->segment, BENCH_SEGMENT);
    }
}

void
fetch_bench_put_text(struct fetch_bench *bench, size_t store, const char *name, const char *text)
{
    put(bench, store, name, text, strlen(text));
}

static const char *
path_of(size_t store, const char *name, char *ret_path)
{
    char object[OBJECT_NAME_SIZE];

    object_name(name, object);
    (void)snprintf(ret_path, PATH_SIZE, "%s/%s", stores[store], object);
    return ret_path;
}

void
fetch_bench_remove(struct fetch_bench *bench, size_t store, const char *name)
{
    char path[PATH_SIZE];

    assert_int_equal(unlinkat(bench->scratch.fd, path_of(store, name, path), 0), 0);
}

void
fetch_bench_damage(struct fetch_bench *bench, size_t store, const char *name)
{
    char path[PATH_SIZE];
    struct stat st;
    uint8_t byte = 0;

    (void)path_of(store, name, path);
    assert_int_equal(fstatat(bench->scratch.fd, path, &st, 0), 0);
    assert_int_equal(fchmodat(bench->scratch.fd, path, 0600, 0), 0);
    AUTO(fd) int fd = openat(bench->scratch.fd, path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, st.st_size - 1), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, st.st_size - 1), 1);
}

bool
fetch_bench_is(struct fetch_bench *bench, int fd, uint32_t timeline, uint64_t number)
{
    AUTO(ptr) uint8_t *found = malloc(BENCH_SEGMENT + 1);

    assert_non_null(found);
    make_segment(bench, timeline, number);
    return pread(fd, found, BENCH_SEGMENT + 1, 0) == (ssize_t)BENCH_SEGMENT &&
           memcmp(found, bench->segment, BENCH_SEGMENT) == 0;
}
