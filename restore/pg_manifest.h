/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_manifest.h: PostgreSQL's own backup_manifest, so that pg_verifybackup can prove a restored
 * directory. Written as a stream; memory does not grow with the number of files.
 *
 * Source: src/backend/backup/backup_manifest.c and src/common/parse_manifest.c of PostgreSQL 13 to
 * 18.
 */
#ifndef RESTORE_PG_MANIFEST_H
#define RESTORE_PG_MANIFEST_H

#include "base/buf.h"
#include "codec/digest.h"

struct pg_manifest {
    int fd; /* borrowed */
    bool has_files;
    struct buf text;
    struct digest digest;
};

#define PG_MANIFEST_INIT ((struct pg_manifest){.fd = -1})

/*
 * Begin, at the end of `fd`. From server_version 170000 on it is version 2, with the system
 * identifier. 0 or -1.
 */
int pg_manifest_begin(struct pg_manifest *manifest, int fd, int server_version, uint64_t system_id,
                      struct err *err) MUST_USE;

/* The next file; a path that is not UTF-8 is encoded. mtime: seconds since 1970. 0 or -1. */
int pg_manifest_add(struct pg_manifest *manifest, const char *path, uint64_t size, int64_t mtime,
                    uint32_t crc, struct err *err) MUST_USE;

/* WAL that the backup needs, per timeline, the newest first. */
struct pg_manifest_range {
    uint32_t timeline;
    uint64_t begin_lsn;
    uint64_t end_lsn;
};

/* Complete it: WAL ranges and the manifest's own checksum. 0 or -1. */
int pg_manifest_end(struct pg_manifest *manifest, const struct pg_manifest_range *ranges,
                    size_t n_ranges, struct err *err) MUST_USE;

void pg_manifest_done(struct pg_manifest *manifest);

DEFINE_CLEANUP(pg_manifest, struct pg_manifest, pg_manifest_done);

#endif
