/* SPDX-License-Identifier: PostgreSQL */
/*
 * pg_control.h: the few facts of global/pg_control that archiving needs.
 *
 * Pure: the caller reads the file. A copy read while the server writes it can be
 * torn, which the checksum tells; the caller then reads again.
 *
 * Source: src/include/catalog/pg_control.h of PostgreSQL 13 to 18; the offsets are
 * those of 64-bit builds with 8-byte alignment.
 */
#ifndef WAL_PG_CONTROL_H
#define WAL_PG_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PG_CONTROL_FILE_SIZE 8192
#define PG_CONTROL_MIN_SIZE 512 /* this much of the file is enough */

enum pg_control_outcome {
    PG_CONTROL_TORN = 1, /* the checksum does not match: read again */
};

struct pg_control {
    uint64_t system_id;
    uint32_t control_version;
    uint32_t catalog_version;
    uint32_t segment_size; /* bytes */
    uint32_t timeline;     /* of the latest checkpoint */
    int server_version;    /* major, 13 to 18; 0: no release has this catalog (beta, fork) */
};

/*
 * Read the beginning of the file, at least PG_CONTROL_MIN_SIZE bytes. The control version tells
 * the layout (13 to 16 share one); the catalog version tells the major.
 * 0; PG_CONTROL_TORN; -1: ERR_CORRUPT (too short, other byte order, a control version this build
 * does not know - the text names it -, or values that cannot be although the checksum holds:
 * system identifier or timeline 0, an illegal segment size).
 */
int pg_control_parse(const void *bytes, size_t size, struct pg_control *ret,
                     struct err *err) MUST_USE;

#endif
