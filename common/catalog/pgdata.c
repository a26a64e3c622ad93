/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/pgdata.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/io.h"

#define CONTROL_FILE "global/pg_control"
#define CONTROL_READS 10
#define CONTROL_WAIT_MS 10

/* The server may be writing the file: a copy whose checksum fails is read again. */
static int
read_control(int directory, struct pg_control *ret, struct err *err)
{
    for (int i = 0; i < CONTROL_READS; i++) {
        uint8_t bytes[PG_CONTROL_MIN_SIZE];
        size_t got = 0;
        AUTO(fd) int fd = -1;

        int rc = fs_open_file(directory, CONTROL_FILE, CONTROL_FILE, &fd, NULL, err);
        if (rc != 0)
            return rc;
        if (io_read_full(fd, bytes, sizeof(bytes), &got, CONTROL_FILE, err) < 0)
            return -1;
        rc = pg_control_parse(bytes, got, ret, err);
        if (rc != PG_CONTROL_TORN)
            return rc;
        clock_sleep_until(clock_boot_ms() + CONTROL_WAIT_MS);
    }
    return err_set(err, ERR_CORRUPT, "\"%s\" is damaged: its checksum does not match",
                   CONTROL_FILE);
}

/* 0, FS_ABSENT (no control file there), or -1. */
static int
open_at(const char *path, struct pgdata *pgdata, struct err *err)
{
    AUTO(fd) int directory = -1;

    if (fs_open_directory(path, &directory, err) < 0)
        return -1;
    if (faccessat(directory, CONTROL_FILE, F_OK, 0) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return FS_ABSENT;
    int rc = read_control(directory, &pgdata->control, err);
    /* Where there is not even the directory "global", there is no control file either. */
    if (rc < 0 && err->kind == ERR_LOCAL && err->sys == ENOENT)
        return FS_ABSENT;
    if (rc != 0)
        return rc;
    pgdata->has_control = true;
    pgdata->system_id = pgdata->control.system_id;
    pgdata->standby = faccessat(directory, "standby.signal", F_OK, 0) == 0;
    pgdata->directory = take_fd(&directory);
    return 0;
}

static int
nothing_found(struct err *err)
{
    (void)err_set(err, ERR_CONFIG, "could not tell which server this is: there is no \"%s\" here",
                  CONTROL_FILE);
    return err_hint(err, "Run the command in the data directory, or set pgdata or system_id in the "
                         "configuration.");
}

int
pgdata_open(const struct settings *settings, struct pgdata *ret, struct err *err)
{
    AUTO(pgdata) struct pgdata found = PGDATA_INIT;
    uint64_t wanted = 0;

    int rc = open_at(".", &found, err);
    if (rc == FS_ABSENT && settings->pgdata != NULL) {
        rc = open_at(settings->pgdata, &found, err);
        if (rc == FS_ABSENT)
            return err_set(err, ERR_CONFIG, "\"%s\" is not a data directory: it has no \"%s\"",
                           settings->pgdata, CONTROL_FILE);
    }
    if (rc < 0)
        return -1;

    if (settings->system_id != NULL &&
        !decimal_read(settings->system_id, strlen(settings->system_id), UINT64_MAX, &wanted))
        return err_set(err, ERR_CONFIG, "system_id is not a decimal number");
    if (rc == FS_ABSENT) {
        if (settings->system_id == NULL)
            return nothing_found(err);
        found.system_id = wanted;
    } else if (settings->system_id != NULL && wanted != found.system_id) {
        (void)err_set(err, ERR_CORRUPT,
                      "this server's system identifier is %" PRIu64
                      ", but the configuration insists on %" PRIu64,
                      found.system_id, wanted);
        return err_hint(err, "Another server uses this configuration, or it was initialised again; "
                             "correct or remove system_id.");
    }
    *ret = found;
    found = PGDATA_INIT;
    return 0;
}

int
pgdata_check_segment(const struct pgdata *pgdata, const struct wal_page_header *header,
                     const struct wal_name *name, uint64_t file_size, struct err *err)
{
    int server = pgdata->has_control ? pgdata->control.server_version : 0;
    int writer = wal_page_version(header->magic);

    if (wal_page_check_segment(header, name, pgdata->system_id, file_size, err) < 0)
        return -1;
    /* A new major version comes with a new system identifier, so this is damage, not an upgrade. */
    if (server != 0 && writer != server)
        return err_set(err, ERR_CORRUPT,
                       "the first page of \"%s\" is of PostgreSQL %d, this server is PostgreSQL %d",
                       name->text, writer, server);
    return 0;
}

bool
pgdata_has_segment(const struct pgdata *pgdata, const struct wal_name *name)
{
    struct err ignored = ERR_INIT;
    struct stat st;
    struct wal_page_header header;
    uint8_t bytes[WAL_LONG_HEADER_SIZE];
    char path[WAL_NAME_SIZE + 8];
    size_t got = 0;
    AUTO(fd) int fd = -1;

    if (pgdata->directory < 0)
        return false;
    (void)snprintf(path, sizeof(path), "pg_wal/%s", name->text);
    if (fs_open_file(pgdata->directory, path, path, &fd, &st, &ignored) != 0)
        return false;
    if (io_read_full(fd, bytes, sizeof(bytes), &got, path, &ignored) != 0 ||
        !wal_page_read_header(bytes, got, &header))
        return false;
    return pgdata_check_segment(pgdata, &header, name, (uint64_t)st.st_size, &ignored) == 0;
}

void
pgdata_done(struct pgdata *pgdata)
{
    if (pgdata->directory >= 0)
        (void)close(pgdata->directory);
    pgdata->directory = -1;
}
