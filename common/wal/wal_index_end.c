/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_index_end.h"

#include "wal/wal_index_write.h"

static unsigned
flags_of(const struct wal_record *record, const struct wal_fact *fact, uint32_t n_relations)
{
    bool commit = fact->kind == WAL_FACT_COMMIT || fact->kind == WAL_FACT_COMMIT_PREPARED;
    bool prepared = fact->kind == WAL_FACT_COMMIT_PREPARED ||
                    fact->kind == WAL_FACT_ABORT_PREPARED;
    bool cut = record->main_available < record->main_size ||
               n_relations < fact->end.relations.stated;

    return (commit ? WAL_INDEX_END_COMMIT : 0U) | (prepared ? WAL_INDEX_END_PREPARED : 0U) |
           (cut ? WAL_INDEX_END_CUT : 0U) |
           (fact->end.subxids.n > 0 ? WAL_INDEX_END_SUBXIDS : 0U) |
           (n_relations > 0 ? WAL_INDEX_END_RELATIONS : 0U) |
           (fact->end.stats.n > 0 ? WAL_INDEX_END_STATS : 0U) |
           (fact->end.database != 0 ? WAL_INDEX_END_DATABASE : 0U);
}

static void
write_subxids(struct wal_output *output, const struct wal_fact_end *end)
{
    uint32_t before = end->xid;

    wal_output_number(output, end->subxids.n);
    for (uint32_t i = 0; i < end->subxids.n; i++) {
        uint32_t xid = wal_fact_u32(&end->subxids, i);

        wal_output_signed(output, (int64_t)xid - before);
        before = xid;
    }
}

static uint32_t
relation_number(const struct wal_fact_end *end, uint32_t i, struct wal_relation_table *relations)
{
    struct wal_relation relation = wal_fact_relation(&end->relations, i);

    return wal_relation_table_number(relations, &relation);
}

static void
write_relations(struct wal_output *output, const struct wal_fact_end *end, uint32_t n,
                struct wal_relation_table *relations)
{
    uint32_t before = 0;

    wal_output_number(output, n);
    for (uint32_t i = 0; i < end->relations.n; i++) {
        uint32_t number = relation_number(end, i, relations);

        if (number == WAL_RELATION_NONE)
            continue;
        wal_output_signed(output, (int64_t)number - before);
        before = number;
    }
}

static void
write_stats(struct wal_output *output, const struct wal_fact_end *end)
{
    struct wal_dropped_stats before = {0, 0, 0};

    wal_output_number(output, end->stats.n);
    for (uint32_t i = 0; i < end->stats.n; i++) {
        struct wal_dropped_stats stats = wal_fact_stats(&end->stats, i);

        wal_output_number(output, stats.kind);
        wal_output_signed(output, (int64_t)stats.database - before.database);
        wal_output_difference(output, stats.object, before.object);
        before = stats;
    }
}

void
wal_index_end_write(struct wal_output *output, const struct wal_record *record,
                    const struct wal_fact *fact, struct wal_relation_table *relations,
                    struct wal_index_end_before *before)
{
    const struct wal_fact_end *end = &fact->end;
    uint32_t n_relations = 0;

    for (uint32_t i = 0; i < end->relations.n; i++)
        n_relations += relation_number(end, i, relations) == WAL_RELATION_NONE ? 0 : 1;
    wal_output_u8(output, (uint8_t)flags_of(record, fact, n_relations));
    wal_output_number(output, record->lsn - before->lsn);
    wal_output_signed(output, (int64_t)end->xid - before->xid);
    wal_output_difference(output, (uint64_t)end->time, (uint64_t)before->time);
    if (end->database != 0)
        wal_output_number(output, end->database);
    if (end->subxids.n > 0)
        write_subxids(output, end);
    if (n_relations > 0)
        write_relations(output, end, n_relations, relations);
    if (end->stats.n > 0)
        write_stats(output, end);
    *before = (struct wal_index_end_before){record->lsn, end->xid, end->time};
}
