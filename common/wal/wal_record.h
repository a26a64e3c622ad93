/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_record.h: one WAL record taken apart.
 *
 * Pure. The record's bytes lie together in memory (its beginning at least); nothing is copied and
 * nothing allocated. What resource managers put into a record is not judged here (wal_facts.h).
 *
 * Source: src/include/access/xlogrecord.h, src/backend/access/transam/xlogreader.c of PostgreSQL 13
 * to 18.
 */
#ifndef WAL_WAL_RECORD_H
#define WAL_WAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macros.h"

#define WAL_RECORD_HEADER_SIZE 24
#define WAL_BLOCKS_MAX 33 /* ids 0 to 32 */

/* Where a relation's files are: RelFileNode up to 15, RelFileLocator from 16. */
struct wal_relation {
    uint32_t tablespace;
    uint32_t database;
    uint32_t number;
};

struct wal_block {
    struct wal_relation relation;
    uint32_t block;
    uint8_t id;
    uint8_t fork; /* 0 main, 1 fsm, 2 vm, 3 init */
    bool will_init;
    bool has_image;
    bool image_applies;  /* false: for consistency checking only */
    uint8_t image_info;  /* as it stands */
    uint16_t image_size; /* stored bytes */
    uint16_t hole_offset;
    uint16_t hole_size; /* of a compressed image; another's hole is what it lacks of a page */
    uint16_t data_size; /* of the block's own data, behind its image */
};

struct wal_record {
    int version;       /* PostgreSQL's major version, 13 to 18 */
    uint32_t timeline; /* of the page it begins on */
    uint64_t lsn;      /* where it begins */
    uint64_t end_lsn;  /* behind its last byte, aligned: where the next may begin */
    uint64_t prev_lsn;
    uint32_t size; /* of the whole record */
    uint32_t xid;
    uint32_t top_xid; /* 0: not said */
    uint16_t origin;
    uint8_t info;
    uint8_t rmgr;
    uint8_t n_blocks;
    struct wal_block blocks[WAL_BLOCKS_MAX];
    const uint8_t *main_data; /* borrowed */
    uint32_t main_size;
    uint32_t main_available; /* how much of it main_data shows: less only of huge records */
};

enum wal_record_outcome {
    WAL_RECORD_BAD = 1, /* no order in it: *ret_why is a constant text */
};

/*
 * Take apart the record whose first `available` bytes are at `bytes`: at least its header. version,
 * timeline, lsn and end_lsn of *ret are the caller's to fill. The CRC is not looked at. 0, or
 * WAL_RECORD_BAD: what *ret holds then means nothing.
 */
int wal_record_parse(const uint8_t *bytes, size_t available, int version, struct wal_record *ret,
                     const char **ret_why) MUST_USE;

/* Ends its segment: only zeros follow in it. */
bool wal_record_is_switch(const struct wal_record *record);

#endif
