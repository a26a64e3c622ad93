/* SPDX-License-Identifier: PostgreSQL */
/*
 * Every list has one function that reads the next element. It serves the proof of the index, where
 * its failure counts, and the walk later, where it cannot fail.
 */
#include "wal/wal_index_list.h"

#define ROWS_KNOWN 63

typedef bool (*step)(struct cursor *cursor, struct wal_index_list *list, void *ret);

/* Prove `n` elements and leave the list that begins with them. */
static void
prove(struct cursor *cursor, struct wal_index_list *list, step next, void *scratch)
{
    struct wal_index_list start = *list;

    start.at = cursor->data + cursor->offset;
    for (uint32_t i = 0; i < start.n && !cursor->failed; i++) {
        if (!next(cursor, list, scratch))
            cursor->failed = true;
    }
    start.end = cursor->data + cursor->offset;
    *list = start;
}

static bool
walk(struct wal_index_list *list, step next, void *ret)
{
    struct cursor cursor;

    if (list->n == 0)
        return false;
    cursor_init(&cursor, list->at, (size_t)(list->end - list->at));
    if (!next(&cursor, list, ret))
        return false;
    list->at += cursor.offset;
    list->n--;
    return true;
}

/* A list's number of elements stands before it, and is not 0. */
static uint32_t
read_count(struct cursor *cursor)
{
    uint32_t n = wal_varint_read_u32(cursor);

    if (n == 0)
        cursor->failed = true;
    return n;
}

/* The value that differs so much from the one before, below `limit`. */
static bool
read_difference(struct cursor *cursor, uint64_t *before, uint64_t limit)
{
    *before += (uint64_t)wal_varint_read_signed(cursor);
    return !cursor->failed && *before < limit;
}

static bool
next_u32(struct cursor *cursor, struct wal_index_list *list, void *ret)
{
    if (!read_difference(cursor, &list->before, (uint64_t)UINT32_MAX + 1))
        return false;
    *(uint32_t *)ret = (uint32_t)list->before;
    return true;
}

void
wal_index_list_read_u32(struct cursor *cursor, uint32_t n, uint32_t before,
                        struct wal_index_list *ret)
{
    uint32_t scratch;

    *ret = (struct wal_index_list){.n = n, .before = before};
    prove(cursor, ret, next_u32, &scratch);
}

bool
wal_index_list_u32(struct wal_index_list *list, uint32_t *ret)
{
    return walk(list, next_u32, ret);
}

/* The number of a relation; how many there are is checked by the caller. */
void
wal_index_list_read_relations(struct cursor *cursor, size_t n_relations,
                              struct wal_index_list *ret)
{
    uint32_t n = read_count(cursor);
    uint64_t number = 0;

    *ret = (struct wal_index_list){.at = cursor->data + cursor->offset, .n = n};
    for (uint32_t i = 0; i < n && !cursor->failed; i++) {
        if (!read_difference(cursor, &number, n_relations))
            cursor->failed = true;
    }
    ret->end = cursor->data + cursor->offset;
}

bool
wal_index_list_relation(const struct wal_index *index, struct wal_index_list *list,
                        struct wal_relation *ret)
{
    uint32_t number;

    if (!walk(list, next_u32, &number))
        return false;
    *ret = index->relations[number];
    return true;
}

static bool
next_stats(struct cursor *cursor, struct wal_index_list *list, void *ret)
{
    struct wal_dropped_stats *stats = ret;

    stats->kind = wal_varint_read_u32(cursor);
    if (!read_difference(cursor, &list->before, (uint64_t)UINT32_MAX + 1))
        return false;
    stats->database = (uint32_t)list->before;
    list->other += (uint64_t)wal_varint_read_signed(cursor);
    stats->object = list->other;
    return !cursor->failed;
}

void
wal_index_list_read_stats(struct cursor *cursor, struct wal_index_list *ret)
{
    struct wal_dropped_stats scratch;

    *ret = (struct wal_index_list){.n = read_count(cursor)};
    prove(cursor, ret, next_stats, &scratch);
}

bool
wal_index_list_stats(struct wal_index_list *list, struct wal_dropped_stats *ret)
{
    return walk(list, next_stats, ret);
}

/* Relations ascend: `before` is the lowest number that may follow. */
struct counted {
    uint32_t relation;
    struct wal_index_rows rows;
};

static bool
next_rows(struct cursor *cursor, struct wal_index_list *list, void *ret)
{
    struct counted *counted = ret;
    struct wal_index_rows *rows = &counted->rows;
    uint64_t *places[] = {&rows->inserted, &rows->loaded, &rows->updated,
                          &rows->deleted,  &rows->moved,  &rows->pages};
    uint64_t number = list->before + wal_varint_read_u32(cursor);
    unsigned mask = cursor_u8(cursor);

    if (cursor->failed || number > UINT32_MAX || mask == 0 || mask > ROWS_KNOWN)
        return false;
    for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
        *places[i] = 0;
        if ((mask & (1U << i)) == 0)
            continue;
        *places[i] = wal_varint_read(cursor);
        if (*places[i] == 0)
            return false;
    }
    counted->relation = (uint32_t)number;
    list->before = number + 1;
    return !cursor->failed;
}

void
wal_index_list_read_rows(struct cursor *cursor, size_t n_relations, struct wal_index_list *ret)
{
    struct counted scratch = {.relation = 0};

    *ret = (struct wal_index_list){.n = read_count(cursor)};
    prove(cursor, ret, next_rows, &scratch);
    /* They ascend, so the last is the highest. */
    if (scratch.relation >= n_relations)
        cursor->failed = true;
}

bool
wal_index_list_rows(const struct wal_index *index, struct wal_index_list *list,
                    struct wal_index_rows *ret)
{
    struct counted counted;

    if (!walk(list, next_rows, &counted))
        return false;
    *ret = counted.rows;
    ret->relation = index->relations[counted.relation];
    return true;
}

struct stored {
    uint64_t relation;
    struct wal_index_storage storage;
};

static bool
next_storage(struct cursor *cursor, struct wal_index_list *list, void *ret)
{
    struct stored *stored = ret;

    if (!read_difference(cursor, &list->before, WAL_INDEX_RELATIONS_MAX))
        return false;
    stored->relation = list->before;
    stored->storage.fork = cursor_u8(cursor);
    stored->storage.block = wal_varint_read_u32(cursor);
    list->other += (uint64_t)wal_varint_read_signed(cursor);
    stored->storage.lsn = list->other;
    return !cursor->failed;
}

void
wal_index_list_read_storage(struct cursor *cursor, size_t n_relations, uint64_t first_lsn,
                            struct wal_index_list *ret)
{
    uint32_t n = read_count(cursor);
    struct wal_index_list list = {.n = n, .other = first_lsn};
    struct stored scratch;

    *ret = list;
    ret->at = cursor->data + cursor->offset;
    for (uint32_t i = 0; i < n && !cursor->failed; i++) {
        if (!next_storage(cursor, &list, &scratch) || scratch.relation >= n_relations)
            cursor->failed = true;
    }
    ret->end = cursor->data + cursor->offset;
}

bool
wal_index_list_storage(const struct wal_index *index, struct wal_index_list *list,
                       struct wal_index_storage *ret)
{
    struct stored stored;

    if (!walk(list, next_storage, &stored))
        return false;
    *ret = stored.storage;
    ret->relation = index->relations[stored.relation];
    return true;
}

static bool
next_object(struct cursor *cursor, struct wal_index_list *list, void *ret)
{
    struct wal_index_object *object = ret;

    if (!read_difference(cursor, &list->before, (uint64_t)UINT32_MAX + 1) ||
        !read_difference(cursor, &list->other, (uint64_t)UINT32_MAX + 1))
        return false;
    object->database = (uint32_t)list->before;
    object->oid = (uint32_t)list->other;
    return true;
}

void
wal_index_list_read_objects(struct cursor *cursor, struct wal_index_list *ret)
{
    struct wal_index_object scratch;

    *ret = (struct wal_index_list){.n = read_count(cursor)};
    prove(cursor, ret, next_object, &scratch);
}

bool
wal_index_list_object(struct wal_index_list *list, struct wal_index_object *ret)
{
    return walk(list, next_object, ret);
}
