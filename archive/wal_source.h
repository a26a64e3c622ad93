/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_source.h: the file PostgreSQL wants archived, read once and packed.
 *
 * The file is opened without following a link and without blocking, its first page
 * is held against its name and its server, and every byte is read exactly once, so
 * what is stored is one snapshot even if somebody writes to the file meanwhile (which
 * is noticed and refused).
 */
#ifndef ARCHIVE_WAL_SOURCE_H
#define ARCHIVE_WAL_SOURCE_H

#include "archive/file_mark.h"
#include "base/log.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"

struct wal_object {
    struct wal_name wal;
    char name[OBJECT_NAME_SIZE];
    struct object_packer *packer; /* owns what the spans show */
    struct span spans[2];
    struct seal seal;
    struct file_mark mark; /* of the file that was read */
};

enum wal_source_outcome {
    WAL_SOURCE_NO_ROOM = 1,
};

#define WAL_OBJECT_INIT ((struct wal_object){.packer = NULL})

/*
 * Read the grammar of the file name at the end of `path`. 0 or -1 (ERR_LOCAL): a name PostgreSQL
 * never archives is refused before anything is opened or sent.
 */
int wal_source_name(const char *path, struct wal_name *ret, struct err *err) MUST_USE;

/*
 * Open, check, read and pack. 0 or -1: ERR_LOCAL (missing, not a regular file, wrong size,
 * changed while being read, unreadable), ERR_CORRUPT (first page is not this segment of this
 * server; with wal_check = "warn" only a notice), ERR_INTERNAL.
 */
int wal_source_pack(const struct archive *archive, const struct pgdata *pgdata, const char *path,
                    struct notices *notices, struct wal_object *ret, struct err *err) MUST_USE;

/*
 * The same, but as soon as the compressed bytes are more than `room`: WAL_SOURCE_NO_ROOM. The
 * object then is at most room and object_size_overhead() large.
 */
int wal_source_pack_within(const struct archive *archive, const struct pgdata *pgdata,
                           const char *path, size_t room, struct notices *notices,
                           struct wal_object *ret, struct err *err) MUST_USE;

void wal_object_done(struct wal_object *object);

DEFINE_CLEANUP(wal_object, struct wal_object, wal_object_done);

#endif
