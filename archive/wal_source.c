/* SPDX-License-Identifier: PostgreSQL */
#include "archive/wal_source.h"

#include <fcntl.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/process.h"
#include "wal/wal_history.h"
#include "wal/wal_page.h"

#define PIECE_SIZE (256 * KIB)
#define BACKUP_HISTORY_MAX (64 * KIB)

/* What is being read, from open to end. */
struct source {
    const char *path;
    struct wal_name wal;
    int fd;
    struct stat st;
    size_t room; /* for the compressed bytes */
};

int
wal_source_name(const char *path, struct wal_name *ret, struct err *err)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    char quoted[160];

    if (wal_name_parse(name, strlen(name), ret))
        return 0;
    (void)err_set(err, ERR_LOCAL, "\"%s\" is not the name of a file that PostgreSQL archives",
                  err_quote(name, strlen(name), quoted, sizeof(quoted)));
    return err_hint(err, "Use archive_command = 'seawall-push %%p'.");
}

static int
open_source(struct source *source, struct err *err)
{
    int rc = fs_open_file(AT_FDCWD, source->path, source->path, &source->fd, &source->st, err);

    if (rc == FS_ABSENT) {
        (void)err_set(err, ERR_LOCAL, "could not open \"%s\": the file is gone", source->path);
        return err_hint(err,
                        "If it was removed by hand and its WAL is lost, take a new base backup and "
                        "remove its .ready file from pg_wal/archive_status.");
    }
    return rc;
}

/* A file that is no segment: how large it may be. */
static int
check_small_file(const struct source *source, struct err *err)
{
    uint64_t size = (uint64_t)source->st.st_size;
    uint64_t max = source->wal.kind == WAL_NAME_HISTORY ? WAL_HISTORY_FILE_MAX : BACKUP_HISTORY_MAX;

    if (size == 0 || size > max)
        return err_set(err, ERR_LOCAL, "\"%s\" has an impossible size: %llu bytes", source->path,
                       (unsigned long long)size);
    return 0;
}

static int
check_history(const struct source *source, const uint8_t *bytes, size_t size, struct err *err)
{
    AUTO(ptr) struct wal_history *history = malloc(sizeof(*history));

    if (history == NULL)
        return err_memory(err, "timeline history");
    return wal_history_parse((const char *)bytes, size, source->wal.timeline, history, err);
}

/* Hold what the beginning of the file says against its name and its server. */
static int
check_content(const struct source *source, const struct pgdata *pgdata, const uint8_t *bytes,
              size_t size, struct err *err)
{
    struct wal_page_header header;

    switch (source->wal.kind) {
    case WAL_NAME_HISTORY:
        return check_history(source, bytes, size, err);
    case WAL_NAME_BACKUP_HISTORY:
        return 0;
    case WAL_NAME_SEGMENT:
    case WAL_NAME_PARTIAL:
        break;
    }
    if (!wal_page_read_header(bytes, size, &header))
        return err_set(err, ERR_LOCAL, "\"%s\" is too short to be WAL: %llu bytes", source->path,
                       (unsigned long long)source->st.st_size);
    return pgdata_check_segment(pgdata, &header, &source->wal,
                                  (uint64_t)source->st.st_size, err);
}

/* wal_check = "warn": store it all the same, for a full pg_wal stops the server. */
static int
judge(const struct archive *archive, const struct source *source, int rc, struct notices *notices,
      struct err *err)
{
    if (rc == 0 || err->kind == ERR_INTERNAL)
        return rc;
    if (archive->settings->wal_check == SETTINGS_WAL_CHECK_REFUSE)
        return err_wrap(err, "\"%s\"", source->path);
    notice_err(notices, LOG_WARNING, err, "archiving \"%s\" although its first page is wrong",
               source->path);
    err_clear(err);
    return 0;
}

/* The same file, not touched since it was opened. */
static int
check_unchanged(const struct source *source, struct err *err)
{
    struct stat now;

    if (fstat(source->fd, &now) < 0)
        return err_sys(err, errno, "could not look at \"%s\"", source->path);
    if (now.st_size != source->st.st_size || now.st_mtim.tv_sec != source->st.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != source->st.st_mtim.tv_nsec)
        return err_set(err, ERR_LOCAL, "\"%s\" changed while it was being read", source->path);
    return 0;
}

static int
pack_content(const struct archive *archive, const struct pgdata *pgdata, struct source *source,
             struct object_packer *packer, struct notices *notices, struct err *err)
{
    uint64_t left = (uint64_t)source->st.st_size;
    bool first = true;
    /* A history file is judged whole, so the first piece must hold all of it. */
    size_t piece_size = source->wal.kind == WAL_NAME_HISTORY ? WAL_HISTORY_FILE_MAX : PIECE_SIZE;
    AUTO(ptr) uint8_t *piece = malloc(piece_size);

    if (piece == NULL)
        return err_memory(err, "reading WAL");
    while (left > 0) {
        size_t got = 0;
        size_t want = (size_t)MIN_OF(left, (uint64_t)piece_size);
        int rc = io_read_full(source->fd, piece, want, &got, source->path, err);

        if (rc < 0)
            return -1;
        if (rc == IO_SHORT)
            return err_set(err, ERR_LOCAL, "\"%s\" became shorter while it was being read",
                           source->path);
        if (first && judge(archive, source, check_content(source, pgdata, piece, got, err),
                           notices, err) < 0)
            return -1;
        if (object_packer_write(packer, piece, got, err) < 0)
            return -1;
        if (object_packer_size(packer) > source->room)
            return WAL_SOURCE_NO_ROOM;
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "interrupted while reading \"%s\"", source->path);
        first = false;
        left -= got;
    }
    return check_unchanged(source, err);
}

static int
pack_source(const struct archive *archive, const struct pgdata *pgdata, struct source *source,
            struct notices *notices, struct wal_object *object, struct err *err)
{
    struct object_owner owner = {archive->settings->cluster, pgdata->system_id};
    struct object_label label = {.name = object->name, .system_id = pgdata->system_id};
    struct object_index no_index = {.version = 0};
    uint64_t size = (uint64_t)source->st.st_size;

    object_name_of_wal(&owner, &source->wal, object->name);
    if (object_packer_new(&archive->format, &archive->writer, size, &object->packer, err) < 0)
        return -1;
    int rc = pack_content(archive, pgdata, source, object->packer, notices, err);
    if (rc != 0)
        return rc;
    label.created_us = clock_real_us();
    return object_packer_finish(object->packer, &label, &no_index, object->spans, &object->seal,
                                err);
}

int
wal_source_pack(const struct archive *archive, const struct pgdata *pgdata, const char *path,
                struct notices *notices, struct wal_object *ret, struct err *err)
{
    return wal_source_pack_within(archive, pgdata, path, SIZE_MAX, notices, ret, err);
}

int
wal_source_pack_within(const struct archive *archive, const struct pgdata *pgdata,
                       const char *path, size_t room, struct notices *notices,
                       struct wal_object *ret, struct err *err)
{
    struct source source = {.path = path, .fd = -1, .room = room};
    AUTO(wal_object) struct wal_object object = WAL_OBJECT_INIT;

    if (wal_source_name(path, &source.wal, err) < 0 || open_source(&source, err) < 0)
        return -1;
    AUTO(fd) int fd UNUSED = source.fd;

    bool segment = source.wal.kind == WAL_NAME_SEGMENT || source.wal.kind == WAL_NAME_PARTIAL;
    if (!segment && check_small_file(&source, err) < 0)
        return -1;
    if (segment && !wal_segment_size_valid((uint64_t)source.st.st_size))
        return err_set(err, ERR_LOCAL,
                       "\"%s\" has %lld bytes, which is not the size of a WAL segment", path,
                       (long long)source.st.st_size);
    object.wal = source.wal;
    object.mark = file_mark_of(&source.st);
    int rc = pack_source(archive, pgdata, &source, notices, &object, err);
    if (rc != 0)
        return rc;
    *ret = object;
    object = WAL_OBJECT_INIT;
    return 0;
}

void
wal_object_done(struct wal_object *object)
{
    object_packer_free(object->packer);
    object->packer = NULL;
}
