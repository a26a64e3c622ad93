/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_index_write.h"

#include <string.h>

static unsigned
summary_flags(const struct wal_summary *summary)
{
    return (summary->switched ? WAL_INDEX_SUMMARY_SWITCHED : 0U) |
           (summary->zero_end ? WAL_INDEX_SUMMARY_ZERO_END : 0U) |
           (summary->overwritten ? WAL_INDEX_SUMMARY_OVERWRITTEN : 0U) |
           (summary->first_lsn != 0 ? WAL_INDEX_SUMMARY_FIRST : 0U) |
           (summary->last_lsn != 0 ? WAL_INDEX_SUMMARY_LAST : 0U) |
           (summary->open_lsn != 0 ? WAL_INDEX_SUMMARY_OPEN : 0U) |
           (summary->first_prev_known ? WAL_INDEX_SUMMARY_PREV : 0U);
}

static void
write_positions(const struct wal_summary *summary, struct wal_output *output)
{
    uint64_t start = summary->start_lsn;

    if (summary->overwritten)
        wal_output_number(output, summary->overwritten_lsn);
    if (summary->first_lsn != 0)
        wal_output_difference(output, summary->first_lsn, start);
    if (summary->first_prev_known)
        wal_output_number(output, summary->first_prev_lsn);
    if (summary->last_lsn != 0) {
        wal_output_difference(output, summary->last_lsn, start);
        wal_output_number(output, summary->last_end_lsn - summary->last_lsn);
    }
    if (summary->open_lsn != 0) {
        wal_output_difference(output, summary->open_lsn, start);
        wal_output_number(output, summary->open_size);
        wal_output_number(output, summary->open_timeline);
    }
    wal_output_number(output, summary->head_wanted);
}

static void
write_summary(const struct wal_index_parts *parts, unsigned missing, struct wal_output *output)
{
    const struct wal_summary *summary = parts->summary;
    uint8_t magic[2];
    uint8_t system_id[8];

    put_u16_be(magic, parts->magic);
    put_u64_be(system_id, summary->system_id);
    wal_output_u8(output, (uint8_t)summary_flags(summary));
    wal_output_bytes(output, magic, sizeof(magic));
    wal_output_number(output, (uint64_t)summary->version);
    wal_output_number(output, summary->page_size);
    wal_output_bytes(output, system_id, sizeof(system_id));
    wal_output_number(output, summary->timeline_first);
    wal_output_number(output, summary->timeline_last);
    wal_output_number(output, summary->start_lsn);
    wal_output_number(output, summary->end_lsn - summary->start_lsn);
    wal_output_number(output, summary->n_records);
    write_positions(summary, output);
    wal_output_u8(output, (uint8_t)summary->damage.kind);
    if (summary->damage.kind != WAL_DAMAGE_NONE)
        wal_output_difference(output, summary->damage.lsn, summary->start_lsn);
    wal_output_u8(output, (uint8_t)missing);
}

static void
write_edge(const struct wal_edge *edge, struct wal_output *output)
{
    uint8_t crc[4];

    wal_output_number(output, edge->size);
    wal_output_bytes(output, edge->bytes, edge->kept);
    if (edge->kept == edge->size)
        return;
    put_u32_be(crc, edge->crc);
    wal_output_bytes(output, crc, sizeof(crc));
}

static void
write_edges(const struct wal_summary *summary, struct wal_output *output)
{
    if (summary->head.size == 0 && summary->tail.size == 0)
        return;
    write_edge(&summary->head, output);
    write_edge(&summary->tail, output);
}

static void
write_totals(const struct wal_index_totals *totals, struct wal_output *output)
{
    wal_output_number(output, totals->commits);
    wal_output_number(output, totals->aborts);
    if (totals->commits > 0) {
        wal_output_number(output, totals->first_commit.lsn);
        wal_output_signed(output, totals->first_commit.time);
        wal_output_number(output, totals->last_commit.lsn - totals->first_commit.lsn);
        wal_output_difference(output, (uint64_t)totals->last_commit.time,
                              (uint64_t)totals->first_commit.time);
    }
    if (totals->commits + totals->aborts > 0) {
        wal_output_signed(output, totals->time_min);
        wal_output_number(output, (uint64_t)totals->time_max - (uint64_t)totals->time_min);
        wal_output_number(output, totals->xid_min);
        wal_output_number(output, totals->xid_max - totals->xid_min);
    }
    wal_output_number(output, totals->inserted);
    wal_output_number(output, totals->loaded);
    wal_output_number(output, totals->updated);
    wal_output_number(output, totals->deleted);
    wal_output_number(output, totals->custom);
    wal_output_number(output, totals->unread);
    if (totals->unread > 0)
        wal_output_number(output, totals->unread_lsn);
}

static void
write_relations(const struct wal_relation_table *table, struct wal_output *output)
{
    struct wal_relation before = {0, 0, 0};

    for (uint32_t i = 0; i < table->entries.n; i++) {
        const struct wal_relation *relation = &wal_relation_table_at(table, i)->relation;
        bool moved = relation->tablespace != before.tablespace ||
                     relation->database != before.database;
        int64_t difference = (int64_t)relation->number - before.number;
        uint64_t doubled = (uint64_t)difference << 1;

        wal_output_number(output, (difference < 0 ? ~doubled : doubled) << 1 | (moved ? 1 : 0));
        if (moved) {
            wal_output_signed(output, (int64_t)relation->tablespace - before.tablespace);
            wal_output_signed(output, (int64_t)relation->database - before.database);
        }
        before = *relation;
    }
}

static void
write_minutes(const struct wal_tally *tally, struct wal_output *output)
{
    int64_t next = 0;

    for (uint32_t i = 0; i < tally->minutes.n; i++) {
        const struct wal_index_minute *minute = wal_pool_at(&tally->minutes, i);

        if (i == 0)
            wal_output_signed(output, minute->minute);
        else
            wal_output_number(output, (uint64_t)(minute->minute - next));
        wal_output_number(output, minute->commits);
        next = minute->minute + 1;
    }
}

static void
write_xids(const struct wal_xid_runs *set, struct wal_output *output)
{
    uint64_t lowest = 0;

    for (uint32_t i = 0; i < set->runs.n; i++) {
        const struct wal_xid_run *run = wal_xid_runs_at(set, i);

        wal_output_number(output, run->first - lowest);
        wal_output_number(output, run->last - run->first);
        lowest = (uint64_t)run->last + 2;
    }
}

/* Sections in their final form; those left out are empty. */
struct sections {
    struct wal_output bodies[WAL_INDEX_SECTION_BLOCKS + 1];
    unsigned missing;
};

static void
sections_done(struct sections *sections)
{
    for (size_t i = 0; i < ARRAY_SIZE(sections->bodies); i++)
        wal_output_done(&sections->bodies[i]);
}

DEFINE_CLEANUP(sections, struct sections, sections_done);

static void
write_sections(const struct wal_index_parts *parts, struct sections *sections)
{
    struct wal_output *bodies = sections->bodies;

    write_edges(parts->summary, &bodies[WAL_INDEX_SECTION_EDGES]);
    write_totals(&parts->tally->totals, &bodies[WAL_INDEX_SECTION_TOTALS]);
    write_relations(parts->relations, &bodies[WAL_INDEX_SECTION_RELATIONS]);
    write_minutes(parts->tally, &bodies[WAL_INDEX_SECTION_MINUTES]);
    wal_output_bytes(&bodies[WAL_INDEX_SECTION_EVENTS], parts->events->buf.data,
                     parts->events->buf.size);
    wal_output_bytes(&bodies[WAL_INDEX_SECTION_ENDS], parts->ends->buf.data,
                     parts->ends->buf.size);
    wal_index_write_work(parts->transactions, &bodies[WAL_INDEX_SECTION_WORK]);
    if ((sections->missing & WAL_INDEX_NO_XIDS) == 0) {
        write_xids(parts->committed, &bodies[WAL_INDEX_SECTION_COMMITTED]);
        write_xids(parts->aborted, &bodies[WAL_INDEX_SECTION_ABORTED]);
    }
    if ((sections->missing & WAL_INDEX_NO_BLOCKS) == 0)
        wal_index_write_blocks(parts, &bodies[WAL_INDEX_SECTION_BLOCKS]);
}

static void
clear(struct sections *sections, enum wal_index_section id)
{
    wal_output_cut(&sections->bodies[id], 0);
}

/* Leave out. */
static void
leave_out(struct sections *sections, unsigned missing)
{
    sections->missing |= missing;
    if ((missing & WAL_INDEX_NO_BLOCKS) != 0)
        clear(sections, WAL_INDEX_SECTION_BLOCKS);
    if ((missing & WAL_INDEX_NO_WORK) != 0)
        clear(sections, WAL_INDEX_SECTION_WORK);
    if ((missing & WAL_INDEX_NO_ENDS) != 0) {
        clear(sections, WAL_INDEX_SECTION_ENDS);
        clear(sections, WAL_INDEX_SECTION_RELATIONS); /* nobody is left to speak of them */
    }
    if ((missing & WAL_INDEX_NO_XIDS) != 0) {
        clear(sections, WAL_INDEX_SECTION_COMMITTED);
        clear(sections, WAL_INDEX_SECTION_ABORTED);
    }
}

static bool
is_full(const struct sections *sections, enum wal_index_section id)
{
    return sections->bodies[id].full;
}

/* A section that met its own ceiling, or found no memory, is worth nothing. */
static void
leave_out_full(struct sections *sections)
{
    if (is_full(sections, WAL_INDEX_SECTION_BLOCKS))
        leave_out(sections, WAL_INDEX_NO_BLOCKS);
    if (is_full(sections, WAL_INDEX_SECTION_WORK))
        leave_out(sections, WAL_INDEX_NO_WORK);
    if (is_full(sections, WAL_INDEX_SECTION_COMMITTED) ||
        is_full(sections, WAL_INDEX_SECTION_ABORTED))
        leave_out(sections, WAL_INDEX_NO_XIDS);
}

/* 0, BUF_FULL, or -1. */
static int
assemble(const struct sections *sections, struct wal_output *index, struct buf *ret,
         struct err *err)
{
    wal_output_cut(index, 0);
    for (size_t id = 1; id < ARRAY_SIZE(sections->bodies); id++) {
        const struct wal_output *body = &sections->bodies[id];

        if (body->full)
            return err_memory(err, "segment index");
        if (body->buf.size == 0)
            continue;
        wal_output_u8(index, (uint8_t)id);
        wal_output_number(index, body->buf.size);
        wal_output_bytes(index, body->buf.data, body->buf.size);
    }
    if (index->full)
        return BUF_FULL;
    buf_clear(ret);
    return buf_append(ret, index->buf.data, index->buf.size, err);
}

int
wal_index_write(const struct wal_index_parts *parts, struct buf *ret_index, struct err *err)
{
    static const unsigned sacrifices[] = {0, WAL_INDEX_NO_BLOCKS, WAL_INDEX_NO_WORK,
                                          WAL_INDEX_NO_ENDS, WAL_INDEX_NO_XIDS};
    AUTO(sections) struct sections sections = {.missing = parts->missing};
    AUTO(wal_output) struct wal_output index = WAL_OUTPUT_INIT(WAL_INDEX_MAX);
    int rc = BUF_FULL;

    for (size_t i = 0; i < ARRAY_SIZE(sections.bodies); i++)
        sections.bodies[i] = WAL_OUTPUT_INIT(WAL_INDEX_MAX);
    sections.bodies[WAL_INDEX_SECTION_COMMITTED].buf.limit = WAL_INDEX_XIDS_SIZE_MAX;
    sections.bodies[WAL_INDEX_SECTION_ABORTED].buf.limit = WAL_INDEX_XIDS_SIZE_MAX;
    write_sections(parts, &sections);
    leave_out_full(&sections);
    for (size_t i = 0; i < ARRAY_SIZE(sacrifices) && rc == BUF_FULL; i++) {
        leave_out(&sections, sacrifices[i]);
        clear(&sections, WAL_INDEX_SECTION_SUMMARY);
        write_summary(parts, sections.missing, &sections.bodies[WAL_INDEX_SECTION_SUMMARY]);
        rc = assemble(&sections, &index, ret_index, err);
    }
    if (rc == BUF_FULL)
        return err_set(err, ERR_INTERNAL, "the segment index does not fit");
    return rc;
}
