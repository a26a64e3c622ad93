/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_index.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_index_list.h"
#include "wal/wal_index_write.h"

static int
refuse(const char *what, struct err *err)
{
    return err_set(err, ERR_CORRUPT, "the segment index is damaged: %s", what);
}

static bool
is_at_end(const struct cursor *cursor)
{
    return !cursor->failed && cursor_left(cursor) == 0;
}

static struct cursor
over(struct span span)
{
    struct cursor cursor;

    cursor_init(&cursor, span.data, span.size);
    return cursor;
}

/* Constant texts cannot be stored; the kind says as much as an index can. */
static const char *
damage_text(enum wal_damage_kind kind)
{
    switch (kind) {
    case WAL_DAMAGE_NONE:
        return NULL;
    case WAL_DAMAGE_PAGE:
        return "a page header is wrong";
    case WAL_DAMAGE_RECORD:
        return "a record is not in order";
    case WAL_DAMAGE_CRC:
        return "a record's CRC is wrong";
    case WAL_DAMAGE_LINK:
        return "a record does not follow the one before";
    case WAL_DAMAGE_UNKNOWN:
        return "WAL of an unknown version";
    }
    return NULL;
}

static void
read_positions(struct cursor *cursor, unsigned flags, struct wal_summary *summary)
{
    uint64_t start = summary->start_lsn;

    if (summary->overwritten)
        summary->overwritten_lsn = wal_varint_read(cursor);
    if ((flags & WAL_INDEX_SUMMARY_FIRST) != 0)
        summary->first_lsn = start + (uint64_t)wal_varint_read_signed(cursor);
    summary->first_prev_known = (flags & WAL_INDEX_SUMMARY_PREV) != 0;
    if (summary->first_prev_known)
        summary->first_prev_lsn = wal_varint_read(cursor);
    if ((flags & WAL_INDEX_SUMMARY_LAST) != 0) {
        summary->last_lsn = start + (uint64_t)wal_varint_read_signed(cursor);
        summary->last_end_lsn = summary->last_lsn + wal_varint_read(cursor);
    }
    if ((flags & WAL_INDEX_SUMMARY_OPEN) != 0) {
        summary->open_lsn = start + (uint64_t)wal_varint_read_signed(cursor);
        summary->open_size = wal_varint_read_u32(cursor);
        summary->open_timeline = wal_varint_read_u32(cursor);
    }
    summary->head_wanted = wal_varint_read_u32(cursor);
}

/* Everything but the edges. False: it is not one. */
static bool
read_summary(struct wal_index *index, struct wal_summary *summary)
{
    struct cursor cursor = over(index->summary);
    unsigned flags = cursor_u8(&cursor);

    index->magic = cursor_u16_be(&cursor);
    uint32_t version = wal_varint_read_u32(&cursor);
    summary->switched = (flags & WAL_INDEX_SUMMARY_SWITCHED) != 0;
    summary->zero_end = (flags & WAL_INDEX_SUMMARY_ZERO_END) != 0;
    summary->overwritten = (flags & WAL_INDEX_SUMMARY_OVERWRITTEN) != 0;
    summary->page_size = wal_varint_read_u32(&cursor);
    summary->system_id = cursor_u64_be(&cursor);
    summary->timeline_first = wal_varint_read_u32(&cursor);
    summary->timeline_last = wal_varint_read_u32(&cursor);
    summary->start_lsn = wal_varint_read(&cursor);
    summary->end_lsn = summary->start_lsn + wal_varint_read(&cursor);
    summary->n_records = wal_varint_read(&cursor);
    read_positions(&cursor, flags, summary);
    unsigned damage = cursor_u8(&cursor);
    if (damage > WAL_DAMAGE_UNKNOWN || version > INT16_MAX || flags > WAL_INDEX_SUMMARY_KNOWN)
        return false;
    summary->version = (int)version;
    summary->damage.kind = (enum wal_damage_kind)damage;
    summary->damage.why = damage_text(summary->damage.kind);
    if (damage != 0)
        summary->damage.lsn = summary->start_lsn + (uint64_t)wal_varint_read_signed(&cursor);
    index->missing = cursor_u8(&cursor);
    index->system_id = summary->system_id;
    return is_at_end(&cursor) && index->missing < 2 * WAL_INDEX_NO_MINUTES;
}

/* `edge` may be NULL: pass over it. */
static void
read_edge(struct cursor *cursor, struct wal_edge *edge)
{
    uint32_t size = wal_varint_read_u32(cursor);
    uint32_t kept = MIN_OF(size, (uint32_t)WAL_EDGE_KEPT);
    const uint8_t *bytes = cursor_bytes(cursor, kept);
    uint32_t crc = kept < size ? cursor_u32_be(cursor) : 0;

    if (edge == NULL || bytes == NULL)
        return;
    edge->size = size;
    edge->kept = kept;
    edge->crc = crc;
    memcpy(edge->bytes, bytes, kept);
}

static bool
prove_edges(struct span edges)
{
    struct cursor cursor = over(edges);

    if (edges.size == 0)
        return true;
    read_edge(&cursor, NULL);
    read_edge(&cursor, NULL);
    return is_at_end(&cursor);
}

static void
read_span_of_ends(struct cursor *cursor, struct wal_index_totals *totals)
{
    if (totals->commits > 0) {
        totals->first_commit.lsn = wal_varint_read(cursor);
        totals->first_commit.time = wal_varint_read_signed(cursor);
        totals->last_commit.lsn = totals->first_commit.lsn + wal_varint_read(cursor);
        totals->last_commit.time = (int64_t)((uint64_t)totals->first_commit.time +
                                             (uint64_t)wal_varint_read_signed(cursor));
    }
    if (totals->commits > 0 || totals->aborts > 0) {
        totals->time_min = wal_varint_read_signed(cursor);
        totals->time_max = (int64_t)((uint64_t)totals->time_min + wal_varint_read(cursor));
        totals->xid_min = wal_varint_read_u32(cursor);
        totals->xid_max = totals->xid_min + wal_varint_read_u32(cursor);
        if (totals->time_max < totals->time_min || totals->xid_max < totals->xid_min)
            cursor->failed = true;
    }
}

static bool
read_totals(struct span span, struct wal_index_totals *totals)
{
    struct cursor cursor = over(span);

    totals->commits = wal_varint_read(&cursor);
    totals->aborts = wal_varint_read(&cursor);
    read_span_of_ends(&cursor, totals);
    totals->inserted = wal_varint_read(&cursor);
    totals->loaded = wal_varint_read(&cursor);
    totals->updated = wal_varint_read(&cursor);
    totals->deleted = wal_varint_read(&cursor);
    totals->custom = wal_varint_read(&cursor);
    totals->unread = wal_varint_read(&cursor);
    if (totals->unread > 0)
        totals->unread_lsn = wal_varint_read(&cursor);
    return is_at_end(&cursor);
}

/* Add a signed difference to a number of 32 bits. */
static uint32_t
apply(struct cursor *cursor, uint32_t before, int64_t difference)
{
    int64_t value = (int64_t)before + difference;

    if (difference > UINT32_MAX || difference < -(int64_t)UINT32_MAX || value < 0 ||
        value > UINT32_MAX) {
        cursor->failed = true;
        return 0;
    }
    return (uint32_t)value;
}

static void
read_relation(struct cursor *cursor, struct wal_relation *relation)
{
    uint64_t coded = wal_varint_read(cursor);
    uint64_t doubled = coded >> 1;
    int64_t difference = (int64_t)((doubled >> 1) ^ (~(doubled & 1) + 1));

    relation->number = apply(cursor, relation->number, difference);
    if ((coded & 1) == 0)
        return;
    relation->tablespace = apply(cursor, relation->tablespace, wal_varint_read_signed(cursor));
    relation->database = apply(cursor, relation->database, wal_varint_read_signed(cursor));
}

/* How many there are is found by reading them. */
static int
read_relations(struct span span, struct wal_index *index, struct err *err)
{
    struct cursor cursor = over(span);
    struct wal_relation relation = {0, 0, 0};
    size_t n = 0;

    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        read_relation(&cursor, &relation);
        n++;
    }
    if (cursor.failed || n > WAL_INDEX_RELATIONS_MAX)
        return refuse("relations", err);
    if (n == 0)
        return 0;
    index->relations = malloc(n * sizeof(*index->relations));
    if (index->relations == NULL)
        return err_memory(err, "segment index");
    index->n_relations = n;
    cursor = over(span);
    relation = (struct wal_relation){0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        read_relation(&cursor, &relation);
        index->relations[i] = relation;
    }
    return 0;
}

/* Cut the bytes into sections. */
static bool
read_sections(struct span bytes, struct span *sections)
{
    struct cursor cursor = over(bytes);
    unsigned before = 0;

    while (cursor_left(&cursor) > 0 && !cursor.failed) {
        unsigned id = cursor_u8(&cursor);
        uint32_t size = wal_varint_read_u32(&cursor);
        const uint8_t *body = cursor_bytes(&cursor, size);
        bool known = id <= WAL_INDEX_SECTION_BLOCKS;

        if (body == NULL || id <= before || size == 0 ||
            (!known && id < WAL_INDEX_SECTION_OPTIONAL))
            return false;
        if (known)
            sections[id] = (struct span){body, size};
        before = id;
    }
    return !cursor.failed;
}

/* The bytes of the edges, which are nearly all of it, count only as far as `kept` says. */
static void
clear_summary(struct wal_summary *summary)
{
    memset(summary, 0, offsetof(struct wal_summary, head));
    summary->head.size = summary->head.kept = summary->head.crc = 0;
    summary->tail.size = summary->tail.kept = summary->tail.crc = 0;
}

static int
prove(struct wal_index *index, const struct span *sections, struct err *err)
{
    AUTO(ptr) struct wal_summary *summary = malloc(sizeof(*summary));

    if (summary == NULL)
        return err_memory(err, "segment index");
    clear_summary(summary);
    if (!read_summary(index, summary))
        return refuse("summary", err);
    if (!prove_edges(index->edges))
        return refuse("edges", err);
    if (!read_totals(sections[WAL_INDEX_SECTION_TOTALS], &index->totals))
        return refuse("totals", err);
    if (read_relations(sections[WAL_INDEX_SECTION_RELATIONS], index, err) < 0)
        return -1;
    const char *what = wal_index_walk_all(index);
    return what == NULL ? 0 : refuse(what, err);
}

int
wal_index_open(uint32_t version, const void *bytes, size_t size, struct wal_index *ret,
               struct err *err)
{
    struct span sections[WAL_INDEX_SECTION_BLOCKS + 1] = {{NULL, 0}};
    AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;

    if (version != WAL_INDEX_VERSION)
        return WAL_INDEX_UNKNOWN;
    if (size > WAL_INDEX_MAX || !read_sections((struct span){bytes, size}, sections))
        return refuse("sections", err);
    index.summary = sections[WAL_INDEX_SECTION_SUMMARY];
    index.edges = sections[WAL_INDEX_SECTION_EDGES];
    index.minutes = sections[WAL_INDEX_SECTION_MINUTES];
    index.events = sections[WAL_INDEX_SECTION_EVENTS];
    index.ends = sections[WAL_INDEX_SECTION_ENDS];
    index.work = sections[WAL_INDEX_SECTION_WORK];
    index.committed = sections[WAL_INDEX_SECTION_COMMITTED];
    index.aborted = sections[WAL_INDEX_SECTION_ABORTED];
    index.blocks = sections[WAL_INDEX_SECTION_BLOCKS];
    if (prove(&index, sections, err) < 0)
        return -1;
    *ret = index;
    index.relations = NULL;
    return 0;
}

void
wal_index_summary(const struct wal_index *index, struct wal_summary *ret)
{
    struct wal_index scratch = *index;
    struct cursor edges = over(index->edges);

    clear_summary(ret);
    (void)read_summary(&scratch, ret);
    if (index->edges.size == 0)
        return;
    read_edge(&edges, &ret->head);
    read_edge(&edges, &ret->tail);
}

void
wal_index_done(struct wal_index *index)
{
    free(index->relations);
    index->relations = NULL;
    index->n_relations = 0;
}
