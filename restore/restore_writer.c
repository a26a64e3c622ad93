/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wal/crc32c.h"

#define WRITE_BACK_MIN MIB
/*
 * For larger pieces the kernel takes pages that lie together, and a virtual machine's host has
 * those not at hand: that took up to ten times as long.
 */
#define WRITE_PIECE (256 * KIB)

void
restore_writer_init(struct restore_writer *writer, const struct restore_tree *tree,
                    writer_note note, void *context)
{
    *writer = (struct restore_writer){
        .place = RESTORE_PLACE_INIT(tree),
        .part = BUF_INIT(MANIFEST_PART_MAX),
        .note = note,
        .context = context,
    };
}

void
restore_writer_done(struct restore_writer *writer)
{
    restore_place_done(&writer->place);
    buf_done(&writer->part);
}

/* The sums of the files are checked later, over the bytes that are written. */
static int
unpack(struct restore_writer *writer, const struct object *object, const struct keyring *keyring,
       struct err *err)
{
    struct buf *part = &writer->part;
    int rc = 0;

    buf_clear(part);
    rc = buf_reserve(part, MAX_OF((size_t)object->seal.file_size, (size_t)1), err);
    if (rc != 0)
        return rc == BUF_FULL ? err_set(err, ERR_CORRUPT, "larger than a part may be") : rc;
    if (object_unpack_into(object, keyring, part->data, writer->digest, err) < 0)
        return -1;
    part->size = (size_t)object->seal.file_size;
    return 0;
}

static int
write_at(int fd, const uint8_t *bytes, const struct restore_run *run, struct err *err)
{
    for (size_t done = 0; done < run->length;) {
        size_t piece = MIN_OF((size_t)run->length - done, WRITE_PIECE);
        ssize_t n = pwrite(fd, bytes + done, piece, (off_t)(run->file_offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_sys(err, n < 0 ? errno : ENOSPC, "could not write \"%s\"", run->file->path);
        done += (size_t)n;
    }
    return 0;
}

/*
 * The disk begins now and not when memory is full of it or at the end, when all wait for it. Only
 * a hint: what makes the file durable is restore_tree_sync(). Small files are left to that, which
 * knows them all.
 */
static void
begin_write_back(int fd, const struct restore_run *run)
{
    if (run->length >= WRITE_BACK_MIN)
        (void)sync_file_range(fd, (off_t)run->file_offset, (off_t)run->length,
                              SYNC_FILE_RANGE_WRITE);
}

struct restored_file *
restored_file_new(const struct manifest_entry *entry, bool held)
{
    struct restored_file *file =
        calloc(1, sizeof(*file) + entry->n_runs * sizeof(file->pieces[0]));

    if (file == NULL)
        return NULL;
    *file = (struct restored_file){
        .path = strdup(entry->path),
        .held = held ? calloc(1, (size_t)entry->size + 1) : NULL,
        .mode = entry->mode,
        .mtime = entry->mtime,
        .size = entry->size,
        .crc32c = entry->crc32c,
        .n_users = 1,
        .n_left = entry->n_runs,
        .n_pieces = entry->n_runs,
    };
    if (file->path == NULL || (held && file->held == NULL)) {
        free(file->path);
        free(file->held);
        free(file);
        return NULL;
    }
    return file;
}

int
restored_file_finish(const struct restored_file *file, int fd, struct err *err)
{
    uint32_t crc = 0;
    char quoted[256];

    for (size_t i = 0; i < file->n_pieces; i++)
        crc = crc32c_combine(crc, file->pieces[i].crc32c, file->pieces[i].length);
    (void)err_quote(file->path, strlen(file->path), quoted, sizeof(quoted));
    if (crc != file->crc32c)
        return err_set(err, ERR_CORRUPT,
                       "the content of \"%s\" is not what the manifest says: CRC-32C %08" PRIx32
                       ", expected %08" PRIx32,
                       quoted, crc, file->crc32c);
    if (fd < 0)
        return 0;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = (time_t)file->mtime}};
    if (fchmod(fd, file->mode & 0777) < 0 || futimens(fd, times) < 0)
        return err_sys(err, errno, "could not set permissions and time of \"%s\"", quoted);
    return 0;
}

/* A run of a file that is wanted in memory. The allocation has the file's size. */
static int
hold(const struct restore_writer *writer, const struct restore_run *run, const uint8_t *bytes,
     uint32_t crc, struct err *err)
{
    memcpy(run->file->held + run->file_offset, bytes, (size_t)run->length);
    return writer->note(writer->context, run, crc) ? restored_file_finish(run->file, -1, err) : 0;
}

/* The file of the last run is kept open: *fd and *open_file. */
static int
write_run(struct restore_writer *writer, const struct restore_run *run, int *fd,
          const struct restored_file **open_file, struct err *err)
{
    const struct buf *part = &writer->part;
    const struct restored_file *file = run->file;

    if (run->part_offset > part->size || run->length > part->size - run->part_offset)
        return err_set(err, ERR_CORRUPT,
                       "the manifest wants %" PRIu64 " bytes at %" PRIu64 " of a part of %zu bytes",
                       run->length, run->part_offset, part->size);
    const uint8_t *bytes = part->data + run->part_offset;
    uint32_t crc = crc32c(0, bytes, (size_t)run->length);
    if (file->held != NULL)
        return hold(writer, run, bytes, crc, err);
    if (file != *open_file) {
        *open_file = NULL;
        if (*fd >= 0 && close(take_fd(fd)) < 0)
            return err_sys(err, errno, "could not close a file before \"%s\"", file->path);
        if (restore_place_open(&writer->place, file->path, fd, err) < 0)
            return -1;
        *open_file = file;
    }
    if (write_at(*fd, bytes, run, err) < 0)
        return -1;
    begin_write_back(*fd, run);
    return writer->note(writer->context, run, crc) ? restored_file_finish(file, *fd, err) : 0;
}

enum writer_outcome
restore_writer_run(struct restore_writer *writer, const struct object *object,
                   const struct keyring *keyring, const struct restore_job *job, struct err *err)
{
    const struct restored_file *open_file = NULL;
    AUTO(fd) int fd = -1;

    if (unpack(writer, object, keyring, err) < 0)
        return err->kind == ERR_INTERNAL ? WRITER_FAILED : WRITER_UNREADABLE;
    for (size_t i = 0; i < job->n_runs; i++)
        if (write_run(writer, &job->runs[i], &fd, &open_file, err) < 0)
            return WRITER_FAILED;
    if (fd >= 0 && close(take_fd(&fd)) < 0) {
        (void)err_sys(err, errno, "could not close a file");
        return WRITER_FAILED;
    }
    return WRITER_DONE;
}
