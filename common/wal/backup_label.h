/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_label.h: what a server says about a base backup: backup_label and tablespace_map.
 *
 * Pure. Source: src/backend/access/transam/xlog.c and xlogbackup.c of PostgreSQL 13 to 18.
 */
#ifndef WAL_BACKUP_LABEL_H
#define WAL_BACKUP_LABEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct backup_label {
    uint64_t start_lsn;
    uint64_t checkpoint_lsn;
    uint32_t start_timeline;
    bool from_standby;
};

/* Lines in any order; those not known are passed over. 0 or -1 (ERR_CORRUPT: one is missing). */
int backup_label_parse(const char *text, struct backup_label *ret, struct err *err) MUST_USE;

#define TABLESPACE_PATH_SIZE 1024

struct tablespace_line {
    uint32_t oid;
    char path[TABLESPACE_PATH_SIZE];
};

enum tablespace_map_outcome {
    TABLESPACE_MAP_END = 1,
};

/*
 * The line at *at, which moves behind it. In the path a backslash stands before a line feed, a
 * carriage return or a backslash. 0, TABLESPACE_MAP_END, or -1 (ERR_CORRUPT).
 */
int tablespace_map_next(const char **at, struct tablespace_line *ret, struct err *err) MUST_USE;

#endif
