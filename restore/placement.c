/* SPDX-License-Identifier: PostgreSQL */
#include "restore/placement.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/process.h"
#include "wal/wal_history.h"
#include "wal/wal_page.h"

#define HEAD_SIZE WAL_LONG_HEADER_SIZE

/* Where the decoded pieces go. */
struct landing {
    const struct placement *placement;
    int fd;
    uint8_t head[HEAD_SIZE]; /* the file's first bytes */
    size_t head_size;
    struct buf whole; /* of a history file, which is judged as text */
};

static int
land(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    struct landing *landing = context;
    size_t head = MIN_OF(HEAD_SIZE - landing->head_size, size);

    memcpy(landing->head + landing->head_size, bytes, head);
    landing->head_size += head;
    if (landing->placement->wal->kind == WAL_NAME_HISTORY) {
        int rc = buf_append(&landing->whole, bytes, size, err);

        if (rc == BUF_FULL)
            return err_set(err, ERR_CORRUPT, "the timeline history file is too large");
        if (rc < 0)
            return -1;
    }
    if (process_stop_requested() != 0)
        return err_set(err, ERR_TRANSIENT, "interrupted");
    return io_write_full(landing->fd, bytes, size, landing->placement->path, err);
}

static int
check_segment(const struct landing *landing, uint64_t size, struct err *err)
{
    const struct placement *placement = landing->placement;
    const struct pgdata *pgdata = placement->pgdata;
    struct wal_page_header header;

    if (pgdata->has_control && size != pgdata->control.segment_size)
        return err_set(err, ERR_CORRUPT, "it has %llu bytes, this server's segments have %u",
                       (unsigned long long)size, pgdata->control.segment_size);
    if (!wal_page_read_header(landing->head, landing->head_size, &header))
        return err_set(err, ERR_CORRUPT, "it is too short to be WAL");
    if (pgdata_check_segment(pgdata, &header, placement->wal, size, err) == 0)
        return 0;
    err->kind = ERR_CORRUPT;
    if (placement->archive->settings->wal_check == SETTINGS_WAL_CHECK_REFUSE)
        return -1;
    notice_err(placement->notices, LOG_WARNING, err,
               "restoring \"%s\" although its first page is wrong", placement->wal->text);
    err_clear(err);
    return 0;
}

/* Beyond being authentic: is it what a file of this name must be? */
static int
check_content(struct landing *landing, uint64_t size, struct err *err)
{
    switch (landing->placement->wal->kind) {
    case WAL_NAME_SEGMENT:
    case WAL_NAME_PARTIAL:
        return check_segment(landing, size, err);
    case WAL_NAME_BACKUP_HISTORY:
        return 0;
    case WAL_NAME_HISTORY:
        break;
    }
    AUTO(ptr) struct wal_history *history = malloc(sizeof(*history));
    if (history == NULL)
        return err_memory(err, "timeline history");
    return wal_history_parse((const char *)landing->whole.data, landing->whole.size,
                             landing->placement->wal->timeline, history, err);
}

/* Split "a/b" into an open directory and "b". */
static int
open_parent(const char *path, int *ret_fd, const char **ret_name, struct err *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(path, '/');

    *ret_name = slash == NULL ? path : slash + 1;
    if (**ret_name == '\0')
        return err_set(err, ERR_LOCAL, "\"%s\" names no file", path);
    if (slash == NULL)
        return fs_open_directory(".", ret_fd, err);
    if (slash == path)
        return fs_open_directory("/", ret_fd, err);
    if ((size_t)(slash - path) >= sizeof(directory))
        return err_sys(err, ENAMETOOLONG, "could not open the directory of \"%s\"", path);
    (void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
    return fs_open_directory(directory, ret_fd, err);
}

/* The names under which a recovering server asks: it removes such a file before it asks again. */
static bool
asked_by_server(const char *name)
{
    return strcmp(name, "RECOVERYXLOG") == 0 || strcmp(name, "RECOVERYHISTORY") == 0;
}

/*
 * The orphan of a killed server must not write RECOVERYXLOG under a new one. A person's shell may
 * have gone before we began; that is no server's death.
 */
static int
check_server_alive(const struct placement *placement, const char *name, struct err *err)
{
    if (process_session_alive() || (placement->orphan_at_start && !asked_by_server(name)))
        return 0;
    return err_set(err, ERR_LOCAL, "the server that asked for \"%s\" is gone; nothing was written",
                   placement->wal->text);
}

int
placement_put(const struct placement *placement, struct span bytes, struct err *err)
{
    struct object object;
    const char *name = NULL;
    AUTO(fd) int directory = -1;
    AUTO(newfile) struct newfile file = NEWFILE_INIT;

    if (object_open(bytes.data, bytes.size, placement->object_name, placement->pgdata->system_id,
                    &placement->archive->keyring, &object, err) < 0)
        return -1;
    if (open_parent(placement->path, &directory, &name, err) < 0 ||
        newfile_create(&file, directory, 0600, err) < 0)
        return -1;

    /* What a fetch left that was killed while it replaced a file. */
    fs_clean_temporary(directory);
    struct landing landing = {
        .placement = placement,
        .fd = file.fd,
        .whole = BUF_INIT(WAL_HISTORY_FILE_MAX),
    };
    int rc = object_unpack(&object, &placement->archive->keyring, land, &landing, NULL, err);
    if (rc == 0)
        rc = check_content(&landing, object.seal.file_size, err);
    buf_done(&landing.whole);
    if (rc < 0 || check_server_alive(placement, name, err) < 0)
        return -1;
    return newfile_commit_replace(&file, name, !asked_by_server(name), err);
}
