/* SPDX-License-Identifier: PostgreSQL */
/*
 * The first byte says what the rest is: 0 an index; 1 the beginning of a segment of 1 MiB, zeros
 * behind, whose index must be one whatever its records say; else, for CRCs stand in the way there,
 * one record: version, resource manager, info, xid and main data.
 */
#include <stdlib.h>
#include <string.h>

#include "wal/wal_indexer.h"

#define SEGMENT_SIZE MIB

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

static void
walk_forks(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_fork fork;
    struct wal_index_range range;

    wal_index_walk_forks(index, &walk);
    while (wal_index_next_fork(&walk, &fork)) {
        uint64_t lowest = 0;

        while (wal_index_next_range(&fork.ranges, &range)) {
            require(range.n > 0 && range.block >= lowest);
            lowest = (uint64_t)range.block + range.n;
        }
        require(fork.ranges.chunks == 0 && fork.ranges.left == 0);
    }
    require(!walk.bad);
}

static void
walk_ends(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_end end;
    struct wal_relation relation;
    struct wal_dropped_stats stats;
    uint32_t xid;

    wal_index_walk_ends(index, &walk);
    while (wal_index_next_end(&walk, &end)) {
        while (wal_index_list_u32(&end.subxids, &xid))
            ;
        while (wal_index_list_relation(index, &end.relations, &relation))
            ;
        while (wal_index_list_stats(&end.stats, &stats))
            ;
        require(end.subxids.n + end.relations.n + end.stats.n == 0);
    }
    require(!walk.bad);
}

static void
walk_work(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_work work;
    struct wal_index_rows rows;
    struct wal_index_storage storage;
    struct wal_index_object object;

    wal_index_walk_work(index, &walk);
    while (wal_index_next_work(&walk, &work)) {
        while (wal_index_list_rows(index, &work.rows, &rows))
            ;
        while (wal_index_list_storage(index, &work.creates, &storage))
            ;
        while (wal_index_list_storage(index, &work.truncates, &storage))
            ;
        while (wal_index_list_object(&work.locks, &object))
            ;
        while (wal_index_list_object(&work.emptied, &object))
            ;
        require(work.rows.n + work.creates.n + work.truncates.n + work.locks.n +
                    work.emptied.n == 0);
    }
    require(!walk.bad);
}

/* Whatever opens can be walked to its end. Returns whether it opens. */
static bool
open_and_walk(const uint8_t *data, size_t size)
{
    AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;
    AUTO(ptr) struct wal_summary *summary = calloc(1, sizeof(*summary));
    struct wal_index_walk walk;
    struct wal_index_event event;
    struct err err = ERR_INIT;
    uint32_t number;

    require(summary != NULL);
    if (wal_index_open(WAL_INDEX_VERSION, data, size, &index, &err) != 0) {
        require(err.kind == ERR_CORRUPT);
        return false;
    }
    wal_index_summary(&index, summary);
    wal_index_walk_events(&index, &walk);
    while (wal_index_next_event(&walk, &event)) {
        while (wal_index_list_u32(&event.list, &number))
            ;
    }
    require(!walk.bad);
    walk_forks(&index);
    walk_ends(&index);
    walk_work(&index);
    (void)wal_index_has_commit(&index, 1);
    (void)wal_index_has_abort(&index, 1);
    return true;
}

static void
index_segment(const uint8_t *data, size_t size)
{
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    AUTO(ptr) uint8_t *segment = calloc(1, SEGMENT_SIZE);
    AUTO(buf) struct buf bytes = BUF_INIT(WAL_INDEX_MAX);
    struct wal_damage damage;
    struct err err = ERR_INIT;

    require(segment != NULL && wal_indexer_new(&indexer, &err) == 0);
    memcpy(segment, data, MIN_OF(size, SEGMENT_SIZE));
    wal_indexer_feed(indexer, segment, SEGMENT_SIZE);
    require(wal_indexer_finish(indexer, &bytes, &damage, &err) == 0);
    require(open_and_walk(bytes.data, bytes.size));
}

static void
index_record(const uint8_t *data, size_t size)
{
    AUTO(buf) struct buf bytes = BUF_INIT(WAL_INDEX_MAX);
    AUTO(ptr) struct wal_record *record = calloc(1, sizeof(*record));
    struct err err = ERR_INIT;

    require(record != NULL);
    record->version = 13 + data[0] % 6;
    record->rmgr = data[1] % 12;
    record->info = data[2];
    record->lsn = 0x1000028;
    record->xid = data[3];
    record->n_blocks = data[3] % 4;
    for (uint8_t i = 0; i < record->n_blocks; i++)
        record->blocks[i] = (struct wal_block){
            .relation = {1664 - i, 0, 1262 - i},
            .block = UINT32_MAX - i,
            .id = i,
            .fork = data[2] % 4,
        };
    record->main_data = data + 4;
    record->main_available = (uint32_t)(size - 4);
    record->main_size = record->main_available + data[3] / 128;
    require(wal_index_of_record(record, &bytes, &err) == 0);
    require(open_and_walk(bytes.data, bytes.size));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] == 0)
        (void)open_and_walk(data + 1, size - 1);
    else if (data[0] == 1)
        index_segment(data + 1, size - 1);
    else if (size >= 5)
        index_record(data + 1, size - 1);
    return 0;
}
