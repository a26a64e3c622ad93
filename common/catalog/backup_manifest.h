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
#define MANIFEST_RUNS_MAX 16384

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
    char path[MANIFEST_PATH_MAX]; /* bytes as the file system has them */
    uint32_t mode;
    int64_t mtime;
    uint64_t size;
    uint32_t crc32c;
    struct manifest_run *runs; /* borrowed; reading: the reader's, until the next line */
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

/* Append the entry's line, with its newline. 0, BUF_FULL (nothing appended), or -1. */
int manifest_write(struct buf *text, const struct manifest_entry *entry, struct err *err) MUST_USE;

struct manifest_reader; /* opaque */

/*
 * Reads lines from pieces of text fed in any sizes, and insists on the order: head, entries, end;
 * nothing behind the end. Paths are checked: relative, no empty, "." or ".." component, no NUL.
 */
int manifest_reader_new(struct manifest_reader **ret_reader, struct err *err) MUST_USE;
void manifest_reader_free(struct manifest_reader *reader);

typedef int (*manifest_sink)(void *context, const struct manifest_entry *entry, struct err *err);

/* Hand every line that is complete now to the sink. 0 or -1 (ERR_CORRUPT with the line number, or
 * the sink's error). */
int manifest_reader_feed(struct manifest_reader *reader, const uint8_t *text, size_t size,
                         manifest_sink sink, void *context, struct err *err) MUST_USE;

/* The text is over: 0 if the end line was the last thing, else -1 (ERR_CORRUPT). */
int manifest_reader_finish(struct manifest_reader *reader, struct err *err) MUST_USE;

DEFINE_POINTER_CLEANUP(manifest_reader, struct manifest_reader, manifest_reader_free);

#endif
