/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_page.h: what the first page of a WAL segment says about it.
 *
 * Pure: bytes in, facts out, read through a bounds-checked cursor in host order
 * (WAL is native-endian). An unknown magic is a fact to report, not a crash.
 *
 * Source: src/include/access/xlog_internal.h of PostgreSQL 13 to 18.
 */
#ifndef WAL_WAL_PAGE_H
#define WAL_WAL_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wal/wal_name.h"

#define WAL_LONG_HEADER_SIZE 40
#define WAL_PAGE_SIZE_DEFAULT 8192
#define WAL_PAGE_SIZE_MIN 1024
#define WAL_PAGE_SIZE_MAX 65536

#define WAL_PAGE_FIRST_IS_CONTRECORD 0x0001
#define WAL_PAGE_LONG_HEADER 0x0002
#define WAL_PAGE_BKP_REMOVABLE 0x0004
#define WAL_PAGE_OVERWRITE_CONTRECORD 0x0008
#define WAL_PAGE_FLAGS_KNOWN 0x000f

/* The long header at the beginning of a segment. */
struct wal_page_header {
    uint16_t magic;
    uint16_t info;
    uint32_t timeline;
    uint64_t address;
    uint32_t remaining;
    uint64_t system_id;
    uint32_t segment_size;
    uint32_t page_size;
};

/*
 * Read the long header. False: fewer than WAL_LONG_HEADER_SIZE bytes. The values are as they
 * stand; judging them is wal_page_check_segment()'s work.
 */
bool wal_page_read_header(const void *bytes, size_t size, struct wal_page_header *ret);

/* The major version that writes this magic, 13 to 18; 0: unknown to us. */
int wal_page_version(uint16_t magic);

/*
 * Is this the first page of segment `name` of server `system_id`, in a file of `file_size`
 * bytes? Checks, in this order: known magic, long-header flag and no unknown flags, system id,
 * legal segment size, page size a power of two of 1 to 64 KiB, segment size equal to
 * file_size, segment number legal for that size, page address equal to the name's start,
 * timeline of the page not above the name's and not zero.
 * 0 or -1: ERR_CORRUPT naming found and wanted values; a file size that is not the segment size
 * is ERR_LOCAL.
 */
int wal_page_check_segment(const struct wal_page_header *header, const struct wal_name *name,
                           uint64_t system_id, uint64_t file_size, struct err *err) MUST_USE;

#endif
