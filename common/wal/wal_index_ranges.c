/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_index_list.h"
#include "wal/wal_index_write.h"

enum step {
    STEP_RANGE,
    STEP_END,
    STEP_BAD,
};

static bool
begin_chunk(struct cursor *cursor, struct wal_index_ranges *ranges)
{
    uint64_t chunk = ranges->chunk + (uint64_t)wal_varint_read_u32(cursor);

    ranges->form = cursor_u8(cursor);
    ranges->left = wal_varint_read_u32(cursor);
    if (cursor->failed || chunk >= WAL_INDEX_CHUNKS || ranges->left == 0 ||
        ranges->form > WAL_INDEX_FORM_BITS)
        return false;
    ranges->chunk = (uint32_t)chunk + 1;
    ranges->origin = (uint32_t)chunk * WAL_INDEX_CHUNK_BLOCKS;
    ranges->next = 0;
    ranges->chunks--;
    if (ranges->form != WAL_INDEX_FORM_BITS)
        return true;
    /* The bits stay where they are while they are looked at. */
    return ranges->left <= WAL_INDEX_CHUNK_BLOCKS / 8 && cursor_left(cursor) >= ranges->left &&
           cursor->data[cursor->offset + ranges->left - 1] != 0;
}

static bool
next_listed(struct cursor *cursor, struct wal_index_ranges *ranges, struct wal_index_range *ret)
{
    bool runs = ranges->form == WAL_INDEX_FORM_RUNS;
    uint64_t block = ranges->next + (uint64_t)wal_varint_read_u32(cursor);
    uint64_t n = runs ? (uint64_t)wal_varint_read_u32(cursor) + 1 : 1;

    if (cursor->failed || block + n > WAL_INDEX_CHUNK_BLOCKS)
        return false;
    *ret = (struct wal_index_range){ranges->origin + (uint32_t)block, (uint32_t)n};
    /* Between two runs there is a gap. */
    ranges->next = (uint32_t)(block + n) + (runs ? 1 : 0);
    ranges->left--;
    return true;
}

static bool
bit(const struct cursor *cursor, uint32_t i)
{
    return (cursor->data[cursor->offset + i / 8] >> (i % 8) & 1) != 0;
}

/* There is a set bit at or behind `next`: the last byte has one. */
static void
next_bits(struct cursor *cursor, struct wal_index_ranges *ranges, struct wal_index_range *ret)
{
    uint32_t end = ranges->left * 8;
    uint32_t first = ranges->next;
    uint32_t last;

    while (!bit(cursor, first))
        first++;
    for (last = first + 1; last < end && bit(cursor, last); last++)
        ;
    *ret = (struct wal_index_range){ranges->origin + first, last - first};
    ranges->next = last;
    while (last < end && !bit(cursor, last))
        last++;
    if (last < end)
        return;
    (void)cursor_bytes(cursor, ranges->left);
    ranges->left = 0;
}

static enum step
step(struct cursor *cursor, struct wal_index_ranges *ranges, struct wal_index_range *ret)
{
    if (ranges->left == 0) {
        if (ranges->chunks == 0)
            return STEP_END;
        if (!begin_chunk(cursor, ranges))
            return STEP_BAD;
    }
    if (ranges->form == WAL_INDEX_FORM_BITS) {
        next_bits(cursor, ranges, ret);
        return STEP_RANGE;
    }
    return next_listed(cursor, ranges, ret) ? STEP_RANGE : STEP_BAD;
}

bool
wal_index_next_range(struct wal_index_ranges *ranges, struct wal_index_range *ret)
{
    struct cursor cursor;

    cursor_init(&cursor, ranges->at, (size_t)(ranges->end - ranges->at));
    if (step(&cursor, ranges, ret) != STEP_RANGE)
        return false;
    ranges->at += cursor.offset;
    return true;
}

void
wal_index_list_read_ranges(struct cursor *cursor, struct wal_index_ranges *ret)
{
    struct wal_index_ranges ranges = {.chunks = wal_varint_read_u32(cursor)};
    struct wal_index_range scratch;
    enum step result = STEP_RANGE;

    *ret = ranges;
    ret->at = cursor->data + cursor->offset;
    while (result == STEP_RANGE && !cursor->failed)
        result = step(cursor, &ranges, &scratch);
    if (result == STEP_BAD)
        cursor->failed = true;
    ret->end = cursor->data + cursor->offset;
}
