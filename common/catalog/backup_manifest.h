/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_manifest.h: the list of a backup's files, a line each, written and read as a stream
 * (docs/format.md section 12.2). Memory does not grow with the number of files.
 */
#ifndef CATALOG_BACKUP_MANIFEST_H
#define CATALOG_BACKUP_MANIFEST_H

#include "base/buf.h"
#include "catalog/backup_name.h"

#define MANIFEST_PATH_MAX 4096
#define MANIFEST_LINE_MAX ((size_t)1 << 20)
#define MANIFEST_OBJECT_MAX ((size_t)16 << 20)
#define MANIFEST_RUNS_MAX 16384                /* so many fit into a line with any path */
#define MANIFEST_PART_MAX ((uint64_t)32 << 20) /* bytes of a part's file */

enum manifest_type {
    MANIFEST_HEAD, /* the first line */
    MANIFEST_DIR,
    MANIFEST_FILE,
    MANIFEST_END,
};

/* These bytes of the file are in that part. */
struct manifest_run {
    uint64_t file_offset;
    uint64_t length;
    char label[BACKUP_LABEL_SIZE];
    uint32_t part;
    uint64_t part_offset;
};

struct manifest_entry {
    enum manifest_type type;
    /* MANIFEST_DIR (path, mode), MANIFEST_FILE */
    char path[MANIFEST_PATH_MAX]; /* bytes as the file system has them */
    uint32_t mode;                /* permission bits, at most 07777 */
    int64_t mtime;                /* seconds since 1970 */
    uint64_t size;
    uint32_t crc32c;
    const struct manifest_run *runs; /* borrowed; reading: the reader's, until the sink returns */
    size_t n_runs;
    /* MANIFEST_HEAD */
    char label[BACKUP_LABEL_SIZE];
    uint64_t system_id;
    uint32_t block_size;
    /* MANIFEST_END */
    uint64_t n_files;
    uint64_t n_dirs;
    uint64_t n_bytes;
};

/*
 * Is this the path of something below a directory: relative, no empty, "." or ".." component, no
 * NUL, shorter than MANIFEST_PATH_MAX?
 */
bool manifest_path_valid(const char *path, size_t length);

/*
 * Append the entry's line, with its newline. 0, BUF_FULL (the next object, for every entry fits
 * into MANIFEST_LINE_MAX), or -1 (ERR_INTERNAL, also for an entry that the reader would refuse).
 * Unless it is 0 nothing is appended.
 */
int manifest_write(struct buf *text, const struct manifest_entry *entry, struct err *err) MUST_USE;

struct manifest_reader; /* opaque */

/*
 * Reads lines from pieces of text fed in any sizes, and insists on the order: head, entries, end;
 * nothing behind the end. Paths are valid as above; runs cover the file without gap or overlap and
 * name no backup younger than the head's; the end's counts are those of the entries. A sink may
 * rely on all that. Entries of a path that was there before are the sink's to notice.
 */
int manifest_reader_new(struct manifest_reader **ret_reader, struct err *err) MUST_USE;
void manifest_reader_free(struct manifest_reader *reader);

typedef int (*manifest_sink)(void *context, const struct manifest_entry *entry, struct err *err);

/*
 * Hand every line that is complete now to the sink. 0, or -1: ERR_CORRUPT with the line number,
 * ERR_CONFIG (a newer version), ERR_INTERNAL, or the sink's. After -1 it can only be freed.
 */
int manifest_reader_feed(struct manifest_reader *reader, const uint8_t *text, size_t size,
                         manifest_sink sink, void *context, struct err *err) MUST_USE;

/* The text is over: 0 if the end line was the last thing, else -1 (ERR_CORRUPT). */
int manifest_reader_finish(struct manifest_reader *reader, struct err *err) MUST_USE;

DEFINE_POINTER_CLEANUP(manifest_reader, struct manifest_reader, manifest_reader_free);

#endif
