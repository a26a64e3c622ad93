/* SPDX-License-Identifier: PostgreSQL */
#include "restore/placement.h"

#include <errno.h>
#include <string.h>

#include "base/io.h"
#include "base/process.h"
#include "wal/wal_page.h"

#define HEAD_SIZE WAL_LONG_HEADER_SIZE

/* Where the decoded pieces go. */
struct decoding {
    const struct placement *placement;
    int fd;
    uint8_t head[HEAD_SIZE]; /* the file's first bytes */
    size_t head_size;
    struct buf whole; /* of a history file, which is judged as text */
};

static int
take_piece(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    struct decoding *decoding = context;
    size_t head = MIN_OF(HEAD_SIZE - decoding->head_size, size);

    memcpy(decoding->head + decoding->head_size, bytes, head);
    decoding->head_size += head;
    if (decoding->placement->wal->kind == WAL_NAME_HISTORY) {
        int rc = buf_append(&decoding->whole, bytes, size, err);

        if (rc == BUF_FULL)
            return err_set(err, ERR_CORRUPT, "the timeline history file is too large");
        if (rc < 0)
            return -1;
    }
    if (process_stop_requested() != 0)
        return err_set(err, ERR_TRANSIENT, "interrupted");
    return io_write_full(decoding->fd, bytes, size, decoding->placement->wal->text, err);
}

static int
check_segment(const struct decoding *decoding, uint64_t size, struct err *ret_odd, struct err *err)
{
    const struct placement *placement = decoding->placement;
    const struct pgdata *pgdata = placement->pgdata;
    struct wal_page_header header;

    if (pgdata->has_control && size != pgdata->control.segment_size)
        return err_set(err, ERR_CORRUPT, "it has %llu bytes, this server's segments have %u",
                       (unsigned long long)size, pgdata->control.segment_size);
    if (!wal_page_read_header(decoding->head, decoding->head_size, &header))
        return err_set(err, ERR_CORRUPT, "it is too short to be WAL");
    if (pgdata_check_segment(pgdata, &header, placement->wal, size, err) == 0)
        return 0;
    err->kind = ERR_CORRUPT;
    if (placement->archive->settings->wal_check == SETTINGS_WAL_CHECK_REFUSE)
        return -1;
    *ret_odd = *err;
    err_clear(err);
    return 0;
}

static int
check_history(const struct decoding *decoding, struct wal_history **ret, struct err *err)
{
    AUTO(ptr) struct wal_history *history = malloc(sizeof(*history));

    if (history == NULL)
        return err_memory(err, "timeline history");
    if (wal_history_parse((const char *)decoding->whole.data, decoding->whole.size,
                          decoding->placement->wal->timeline, history, err) < 0)
        return -1;
    *ret = TAKE_PTR(history);
    return 0;
}

/* Beyond being authentic: is it what a file of this name must be? */
static int
check_content(const struct decoding *decoding, struct placement *placement, struct err *err)
{
    switch (placement->wal->kind) {
    case WAL_NAME_SEGMENT:
    case WAL_NAME_PARTIAL:
        return check_segment(decoding, placement->file_size, &placement->odd, err);
    case WAL_NAME_HISTORY:
        return check_history(decoding, &placement->history, err);
    case WAL_NAME_BACKUP_HISTORY:
        break;
    }
    return 0;
}

int
placement_decode(struct placement *placement, struct span bytes, struct err *err)
{
    const struct keyring *keyring = &placement->archive->keyring;
    AUTO(newfile) struct newfile file = NEWFILE_INIT;
    struct object object;

    if (object_open(bytes.data, bytes.size, placement->object_name, placement->pgdata->system_id,
                    keyring, &object, err) < 0 ||
        placement->landing->create(placement->landing, &file, err) < 0)
        return -1;

    struct decoding decoding = {
        .placement = placement,
        .fd = file.fd,
        .whole = BUF_INIT(WAL_HISTORY_FILE_MAX),
    };
    int rc = object_unpack(&object, keyring, take_piece, &decoding, placement->digest, err);
    placement->file_size = object.seal.file_size;
    placement->seal = object.seal;
    if (rc == 0)
        rc = check_content(&decoding, placement, err);
    buf_done(&decoding.whole);
    if (rc < 0)
        return -1;
    if (lseek(file.fd, 0, SEEK_SET) < 0)
        return err_sys(err, errno, "could not seek in \"%s\"", placement->wal->text);
    placement->file = file;
    file = NEWFILE_INIT;
    return 0;
}

void
placement_done(struct placement *placement)
{
    newfile_done(&placement->file);
    free(placement->history);
    placement->history = NULL;
    err_clear(&placement->odd);
}
