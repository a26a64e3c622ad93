/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_index_event.h"
#include "wal/wal_index_list.h"
#include "wal/wal_index_write.h"

static void
begin(const struct wal_index *index, struct span span, struct wal_index_walk *walk)
{
    memset(walk, 0, sizeof(*walk));
    walk->index = index;
    walk->at = span.data;
    walk->end = span.size == 0 ? span.data : span.data + span.size;
}

/* The rest of the section as a cursor. False: nothing is left. */
static bool
resume(const struct wal_index_walk *walk, struct cursor *cursor)
{
    if (walk->bad || walk->at == walk->end)
        return false;
    cursor_init(cursor, walk->at, (size_t)(walk->end - walk->at));
    return true;
}

static bool
settle(struct wal_index_walk *walk, const struct cursor *cursor, bool good)
{
    if (!good || cursor->failed) {
        walk->bad = true;
        return false;
    }
    walk->at += cursor->offset;
    return true;
}

void
wal_index_walk_minutes(const struct wal_index *index, struct wal_index_walk *walk)
{
    begin(index, index->minutes, walk);
    walk->time = INT64_MIN;
}

bool
wal_index_next_minute(struct wal_index_walk *walk, struct wal_index_minute *ret)
{
    struct cursor cursor;
    struct wal_index_minute minute;

    if (!resume(walk, &cursor))
        return false;
    if (walk->time == INT64_MIN)
        minute.minute = wal_varint_read_signed(&cursor);
    else
        minute.minute = walk->time + (int64_t)wal_varint_read_u32(&cursor);
    minute.commits = wal_varint_read(&cursor);
    /* No time has a minute beyond these. */
    bool good = minute.commits > 0 && minute.minute >= INT64_MIN / 60000000 - 1 &&
                minute.minute <= INT64_MAX / 60000000;
    if (!settle(walk, &cursor, good))
        return false;
    walk->time = minute.minute + 1;
    *ret = minute;
    return true;
}

void
wal_index_walk_events(const struct wal_index *index, struct wal_index_walk *walk)
{
    begin(index, index->events, walk);
}

bool
wal_index_next_event(struct wal_index_walk *walk, struct wal_index_event *ret)
{
    struct cursor cursor;
    struct wal_index_event event;

    if (!resume(walk, &cursor) ||
        !settle(walk, &cursor, wal_index_event_read(&cursor, &event)))
        return false;
    walk->lsn += event.lsn;
    *ret = event;
    ret->lsn = walk->lsn;
    return true;
}

void
wal_index_walk_ends(const struct wal_index *index, struct wal_index_walk *walk)
{
    begin(index, index->ends, walk);
}

static void
read_end_lists(struct cursor *cursor, unsigned flags, size_t n_relations,
               struct wal_index_end *end)
{
    if ((flags & WAL_INDEX_END_DATABASE) != 0)
        end->database = wal_varint_read_u32(cursor);
    if ((flags & WAL_INDEX_END_SUBXIDS) != 0)
        wal_index_list_read_u32(cursor, wal_varint_read_u32(cursor), end->xid, &end->subxids);
    if ((flags & WAL_INDEX_END_RELATIONS) != 0)
        wal_index_list_read_relations(cursor, n_relations, &end->relations);
    if ((flags & WAL_INDEX_END_STATS) != 0)
        wal_index_list_read_stats(cursor, &end->stats);
}

bool
wal_index_next_end(struct wal_index_walk *walk, struct wal_index_end *ret)
{
    struct cursor cursor;
    struct wal_index_end end;

    if (!resume(walk, &cursor))
        return false;
    memset(&end, 0, sizeof(end));
    unsigned flags = cursor_u8(&cursor);
    end.commit = (flags & WAL_INDEX_END_COMMIT) != 0;
    end.prepared = (flags & WAL_INDEX_END_PREPARED) != 0;
    end.cut = (flags & WAL_INDEX_END_CUT) != 0;
    end.lsn = walk->lsn + wal_varint_read(&cursor);
    uint64_t xid = walk->number + (uint64_t)wal_varint_read_signed(&cursor);
    end.xid = (uint32_t)xid;
    end.time = (int64_t)((uint64_t)walk->time + (uint64_t)wal_varint_read_signed(&cursor));
    read_end_lists(&cursor, flags, walk->index->n_relations, &end);
    if (!settle(walk, &cursor, flags <= WAL_INDEX_END_KNOWN && xid <= UINT32_MAX))
        return false;
    walk->lsn = end.lsn;
    walk->number = end.xid;
    walk->time = end.time;
    *ret = end;
    return true;
}

void
wal_index_walk_work(const struct wal_index *index, struct wal_index_walk *walk)
{
    begin(index, index->work, walk);
}

static void
read_work_lists(struct cursor *cursor, unsigned flags, size_t n, struct wal_index_work *work)
{
    if ((flags & WAL_INDEX_WORK_ROWS) != 0)
        wal_index_list_read_rows(cursor, n, &work->rows);
    if ((flags & WAL_INDEX_WORK_CREATES) != 0)
        wal_index_list_read_storage(cursor, n, work->first_lsn, &work->creates);
    if ((flags & WAL_INDEX_WORK_TRUNCATES) != 0)
        wal_index_list_read_storage(cursor, n, work->first_lsn, &work->truncates);
    if ((flags & WAL_INDEX_WORK_LOCKS) != 0)
        wal_index_list_read_objects(cursor, &work->locks);
    if ((flags & WAL_INDEX_WORK_EMPTIED) != 0)
        wal_index_list_read_objects(cursor, &work->emptied);
}

bool
wal_index_next_work(struct wal_index_walk *walk, struct wal_index_work *ret)
{
    struct cursor cursor;
    struct wal_index_work work;
    bool first = walk->at == (walk->index->work.data);

    if (!resume(walk, &cursor))
        return false;
    memset(&work, 0, sizeof(work));
    uint64_t gap = wal_varint_read(&cursor);
    uint64_t xid = walk->number + gap;
    unsigned flags = cursor_u8(&cursor);
    work.xid = (uint32_t)xid;
    if ((flags & WAL_INDEX_WORK_TOP) != 0)
        work.top_xid = work.xid - (uint32_t)wal_varint_read_signed(&cursor);
    work.first_lsn = walk->lsn + (uint64_t)wal_varint_read_signed(&cursor);
    work.last_lsn = work.first_lsn + wal_varint_read(&cursor);
    read_work_lists(&cursor, flags, walk->index->n_relations, &work);
    if (!settle(walk, &cursor, gap <= UINT32_MAX && xid <= UINT32_MAX && (first || gap > 0) &&
                                   flags <= WAL_INDEX_WORK_KNOWN &&
                                   (flags & ~(unsigned)WAL_INDEX_WORK_TOP) != 0))
        return false;
    walk->number = work.xid;
    walk->lsn = work.first_lsn;
    *ret = work;
    return true;
}

/* Runs of xids: ret->block is the first one. */
static bool
next_run(struct wal_index_walk *walk, struct wal_xid_run *ret)
{
    struct cursor cursor;

    if (!resume(walk, &cursor))
        return false;
    uint64_t first = walk->lsn + wal_varint_read_u32(&cursor);
    uint64_t last = first + wal_varint_read_u32(&cursor);
    if (!settle(walk, &cursor, last <= UINT32_MAX))
        return false;
    walk->lsn = last + 2;
    *ret = (struct wal_xid_run){(uint32_t)first, (uint32_t)last};
    return true;
}

static bool
has_xid(const struct wal_index *index, struct span span, uint32_t xid)
{
    struct wal_index_walk walk;
    struct wal_xid_run run;

    if ((index->missing & WAL_INDEX_NO_XIDS) != 0)
        return index->totals.commits + index->totals.aborts > 0 &&
               xid >= index->totals.xid_min && xid <= index->totals.xid_max;
    begin(index, span, &walk);
    while (next_run(&walk, &run)) {
        if (xid <= run.last)
            return xid >= run.first;
    }
    return false;
}

bool
wal_index_has_commit(const struct wal_index *index, uint32_t xid)
{
    return has_xid(index, index->committed, xid);
}

bool
wal_index_has_abort(const struct wal_index *index, uint32_t xid)
{
    return has_xid(index, index->aborted, xid);
}

void
wal_index_walk_forks(const struct wal_index *index, struct wal_index_walk *walk)
{
    begin(index, index->blocks, walk);
}

/* The next relation, unless forks of the one before are left. */
static void
begin_relation(struct wal_index_walk *walk, struct cursor *cursor)
{
    unsigned flags;

    if (walk->mask != 0)
        return;
    walk->lsn += wal_varint_read_u32(cursor);
    flags = cursor_u8(cursor);
    if (flags == 0 || (flags & ~(unsigned)(WAL_INDEX_FORKS_STORED | WAL_INDEX_FORKS_WHOLE)) != 0 ||
        walk->lsn >= walk->index->n_relations) {
        cursor->failed = true;
        return;
    }
    walk->number = (uint32_t)walk->lsn;
    walk->lsn++;
    walk->time = flags;
    walk->mask = (flags & WAL_INDEX_FORKS_WHOLE) != 0 ? WAL_INDEX_FORKS_STORED : flags;
}

static void
read_fork(struct wal_index_walk *walk, struct cursor *cursor, struct wal_index_fork *ret)
{
    unsigned stored = (unsigned)walk->time;
    bool whole = (stored & WAL_INDEX_FORKS_WHOLE) != 0;
    uint8_t fork = (uint8_t)__builtin_ctz(walk->mask);

    walk->mask &= walk->mask - 1;
    *ret = (struct wal_index_fork){.fork = fork, .limit = whole ? 0 : WAL_INDEX_NO_LIMIT};
    ret->relation = walk->index->relations[walk->number];
    if ((stored & 1U << fork) == 0)
        return;
    if (!whole) {
        uint64_t limit = wal_varint_read(cursor);

        if (limit > UINT32_MAX)
            cursor->failed = true;
        if (limit > 0)
            ret->limit = (uint32_t)(limit - 1);
    }
    wal_index_list_read_ranges(cursor, &ret->ranges);
    if (ret->limit == WAL_INDEX_NO_LIMIT && ret->ranges.chunks == 0)
        cursor->failed = true;
}

bool
wal_index_next_fork(struct wal_index_walk *walk, struct wal_index_fork *ret)
{
    struct cursor cursor;
    struct wal_index_fork fork;

    if (walk->bad || (walk->at == walk->end && walk->mask == 0))
        return false;
    cursor_init(&cursor, walk->at, (size_t)(walk->end - walk->at));
    begin_relation(walk, &cursor);
    if (cursor.failed) {
        walk->bad = true;
        return false;
    }
    read_fork(walk, &cursor, &fork);
    if (!settle(walk, &cursor, true))
        return false;
    *ret = fork;
    return true;
}

static bool
proves_xids(const struct wal_index *index, struct span span)
{
    struct wal_index_walk walk;
    struct wal_xid_run run;

    begin(index, span, &walk);
    while (next_run(&walk, &run))
        ;
    return !walk.bad;
}

static bool
proves_transactions(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_end end;
    struct wal_index_work work;

    wal_index_walk_ends(index, &walk);
    while (wal_index_next_end(&walk, &end))
        ;
    if (walk.bad)
        return false;
    wal_index_walk_work(index, &walk);
    while (wal_index_next_work(&walk, &work))
        ;
    return !walk.bad;
}

const char *
wal_index_walk_all(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_minute minute;
    struct wal_index_event event;
    struct wal_index_fork fork;

    wal_index_walk_minutes(index, &walk);
    while (wal_index_next_minute(&walk, &minute))
        ;
    if (walk.bad)
        return "minutes";
    wal_index_walk_events(index, &walk);
    while (wal_index_next_event(&walk, &event))
        ;
    if (walk.bad)
        return "events";
    if (!proves_transactions(index))
        return "transactions";
    if (!proves_xids(index, index->committed) || !proves_xids(index, index->aborted))
        return "xids";
    wal_index_walk_forks(index, &walk);
    while (wal_index_next_fork(&walk, &fork))
        ;
    return walk.bad ? "blocks" : NULL;
}
