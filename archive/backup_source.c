/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/io.h"

#define PID_FILE "postmaster.pid"
#define PID_FILE_MAX ((size_t)8192)
#define CONTROL_FILE "global/pg_control"
#define CONTROL_READS 20
#define CONTROL_WAIT_MS 10
/* The file has the moment the process began, the server says when it had its memory. */
#define START_TOLERANCE_S 120
#define FIRST_CAPACITY 16

/* ---- is it the server's? ---- */

/* Line n (from 0) of the text: its beginning and length. */
static const char *
line_of(const char *text, size_t n, size_t *ret_length)
{
    while (n > 0 && text != NULL) {
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
        n--;
    }
    *ret_length = text == NULL ? 0 : strcspn(text, "\n");
    return text;
}

static int
other_server(const struct backup_facts *facts, struct err *err)
{
    (void)err_set(err, ERR_CONFIG,
                  "the server of conninfo, with data directory \"%s\", does not run in pgdata",
                  facts->data_directory);
    return err_hint(err, "The backup reads the files of the data directory: run it where the "
                         "server runs, and let pgdata and conninfo be of one server.");
}

static int
check_postmaster(const struct pgdata *pgdata, const struct backup_facts *facts, struct err *err)
{
    char text[PID_FILE_MAX + 1];
    size_t got = 0;
    size_t directory_length = 0;
    size_t start_length = 0;
    uint64_t start = 0;
    AUTO(fd) int fd = -1;
    int rc = fs_open_file(pgdata->directory, PID_FILE, PID_FILE, &fd, NULL, err);

    if (rc < 0)
        return -1;
    if (rc == FS_ABSENT)
        return other_server(facts, err);
    if (io_read_full(fd, text, PID_FILE_MAX, &got, PID_FILE, err) < 0)
        return -1;
    text[got] = '\0';
    const char *directory = line_of(text, 1, &directory_length);
    const char *started = line_of(text, 2, &start_length);
    if (directory == NULL || directory_length != strlen(facts->data_directory) ||
        memcmp(directory, facts->data_directory, directory_length) != 0 || started == NULL ||
        !decimal_read(started, start_length, INT64_MAX, &start) ||
        (int64_t)start > facts->started_s + START_TOLERANCE_S ||
        (int64_t)start < facts->started_s - START_TOLERANCE_S)
        return other_server(facts, err);
    return 0;
}

int
backup_source_open(const struct settings *settings, const struct backup_facts *facts,
                   struct pgdata *ret, struct err *err)
{
    struct settings with = *settings;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;

    if (with.pgdata == NULL)
        with.pgdata = facts->data_directory;
    if (pgdata_open(&with, &pgdata, err) < 0)
        return -1;
    if (pgdata.directory < 0)
        return err_set(err, ERR_CONFIG, "there is no data directory to be backed up");
    if (pgdata.system_id != facts->system_id)
        return err_set(err, ERR_CONFIG,
                       "the server has system identifier %" PRIu64
                       ", the data directory has %" PRIu64,
                       facts->system_id, pgdata.system_id);
    if (check_postmaster(&pgdata, facts, err) < 0)
        return -1;
    *ret = pgdata;
    pgdata = PGDATA_INIT;
    return 0;
}

/* ---- tablespaces ---- */

static int
compare_oids(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

static int
add_oid(uint32_t **oids, size_t *n, size_t *capacity, uint32_t oid, struct err *err)
{
    if (*n == SOURCE_TABLESPACES_MAX)
        return err_set(err, ERR_LOCAL, "more than %d tablespaces", SOURCE_TABLESPACES_MAX);
    if (*n == *capacity) {
        size_t wanted = MAX_OF(*capacity * 2, (size_t)FIRST_CAPACITY);
        uint32_t *grown = reallocarray(*oids, wanted, sizeof(**oids));

        if (grown == NULL)
            return err_memory(err, "tablespaces");
        *oids = grown;
        *capacity = wanted;
    }
    (*oids)[(*n)++] = oid;
    return 0;
}

int
backup_source_tablespaces(const struct pgdata *pgdata, uint32_t **ret_oids, size_t *ret_n,
                          struct err *err)
{
    AUTO(ptr) uint32_t *oids = NULL;
    AUTO(dir) DIR *stream = NULL;
    AUTO(fd) int fd = openat(pgdata->directory, "pg_tblspc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t n = 0;
    size_t capacity = 0;

    if (fd < 0 || (stream = fdopendir(fd)) == NULL)
        return err_sys(err, errno, "could not open directory \"pg_tblspc\"");
    int directory = take_fd(&fd);
    for (;;) {
        struct stat st;
        uint64_t oid = 0;

        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (entry == NULL && errno != 0)
            return err_sys(err, errno, "could not read directory \"pg_tblspc\"");
        if (entry == NULL)
            break;
        if (!decimal_read(entry->d_name, strlen(entry->d_name), UINT32_MAX, &oid) || oid == 0 ||
            fstatat(directory, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK(st.st_mode))
            continue;
        if (add_oid(&oids, &n, &capacity, (uint32_t)oid, err) < 0)
            return -1;
    }
    if (n > 0)
        qsort(oids, n, sizeof(*oids), compare_oids);
    *ret_oids = TAKE_PTR(oids);
    *ret_n = n;
    return 0;
}

/* ---- pg_control ---- */

static int
read_control(const struct pgdata *pgdata, uint8_t *bytes, size_t *ret_got, struct err *err)
{
    AUTO(fd) int fd = -1;
    int rc = fs_open_file(pgdata->directory, CONTROL_FILE, CONTROL_FILE, &fd, NULL, err);

    if (rc < 0)
        return -1;
    if (rc == FS_ABSENT)
        return err_set(err, ERR_LOCAL, "\"%s\" is missing", CONTROL_FILE);
    return io_read_full(fd, bytes, PG_CONTROL_FILE_SIZE, ret_got, CONTROL_FILE, err) < 0 ? -1 : 0;
}

int
backup_source_control(const struct pgdata *pgdata, uint8_t **ret_bytes, size_t *ret_size,
                      struct err *err)
{
    AUTO(ptr) uint8_t *bytes = malloc(PG_CONTROL_FILE_SIZE);

    if (bytes == NULL)
        return err_memory(err, "pg_control");
    for (int i = 0; i < CONTROL_READS; i++) {
        struct pg_control control;
        size_t got = 0;

        if (read_control(pgdata, bytes, &got, err) < 0)
            return -1;
        int rc = pg_control_parse(bytes, got, &control, err);
        if (rc < 0)
            return -1;
        if (rc == 0 && control.system_id != pgdata->system_id)
            return err_set(err, ERR_CORRUPT, "\"%s\" is now another server's", CONTROL_FILE);
        if (rc == 0) {
            *ret_bytes = TAKE_PTR(bytes);
            *ret_size = got;
            return 0;
        }
        clock_sleep_until(clock_boot_ms() + CONTROL_WAIT_MS);
    }
    return err_set(err, ERR_CORRUPT, "\"%s\" is damaged: its checksum does not match",
                   CONTROL_FILE);
}
