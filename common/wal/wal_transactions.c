/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_transactions.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 65536
#define ROWS_MAX 262144
#define STORAGE_MAX 65536
#define OBJECTS_MAX 131072
#define FIRST_SLOTS 1024

void
wal_transactions_init(struct wal_transactions *all)
{
    memset(all, 0, sizeof(*all));
    all->items = WAL_POOL_INIT(struct wal_transaction, ITEMS_MAX);
    all->rows = WAL_POOL_INIT(struct wal_rows_item, ROWS_MAX);
    all->storage = WAL_POOL_INIT(struct wal_storage_item, STORAGE_MAX);
    all->objects = WAL_POOL_INIT(struct wal_object_item, OBJECTS_MAX);
    all->last = WAL_NOBODY;
}

void
wal_transactions_done(struct wal_transactions *all)
{
    wal_pool_done(&all->items);
    wal_pool_done(&all->rows);
    wal_pool_done(&all->storage);
    wal_pool_done(&all->objects);
    free(all->slots);
    all->slots = NULL;
    all->n_slots = 0;
}

static struct wal_rows_item *
rows_at(const struct wal_transactions *all, uint32_t number)
{
    return wal_pool_at(&all->rows, number);
}

/* Is a before b, as ids go around? */
static bool
is_older(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

/* Where xid is among the oldest, or would be. */
static uint32_t
oldest_place(const struct wal_transactions *all, uint32_t xid)
{
    uint32_t low = 0;
    uint32_t high = all->n_oldest;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (is_older(all->oldest[middle], xid))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_among_oldest(const struct wal_transactions *all, uint32_t xid)
{
    uint32_t place = oldest_place(all, xid);

    return place < all->n_oldest && all->oldest[place] == xid;
}

static void
note_oldest(struct wal_transactions *all, uint32_t xid)
{
    uint32_t n = all->n_oldest;

    if (n == WAL_INDEX_OLDEST && is_older(all->oldest[n - 1], xid))
        return;
    uint32_t place = oldest_place(all, xid);
    if (place < n && all->oldest[place] == xid)
        return;
    if (n == WAL_INDEX_OLDEST)
        n--; /* the youngest of them makes room */
    memmove(&all->oldest[place + 1], &all->oldest[place], (n - place) * sizeof(all->oldest[0]));
    all->oldest[place] = xid;
    all->n_oldest = n + 1;
}

static uint32_t
home_slot(const struct wal_transactions *all, uint32_t xid)
{
    return (uint32_t)((xid * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (all->n_slots - 1);
}

/* The slot that has it, or the empty one where it would be. */
static uint32_t
find_slot(const struct wal_transactions *all, uint32_t xid)
{
    uint32_t slot = home_slot(all, xid);

    while (all->slots[slot] != 0 && wal_transactions_at(all, all->slots[slot] - 1)->xid != xid)
        slot = (slot + 1) & (all->n_slots - 1);
    return slot;
}

static uint32_t
find(struct wal_transactions *all, uint32_t xid)
{
    if (all->last != WAL_NOBODY && wal_transactions_at(all, all->last)->xid == xid)
        return all->last;
    if (all->n_slots == 0)
        return WAL_NOBODY;
    uint32_t slot = find_slot(all, xid);
    return all->slots[slot] == 0 ? WAL_NOBODY : all->slots[slot] - 1;
}

/* At most half of the slots are taken. */
static bool
make_room(struct wal_transactions *all)
{
    if (all->n_slots > 0 && all->n_live < all->n_slots / 2)
        return true;
    uint32_t n_slots = all->n_slots == 0 ? FIRST_SLOTS : all->n_slots * 2;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(all->slots);
    all->slots = slots;
    all->n_slots = n_slots;
    for (uint32_t i = 0; i < all->items.n; i++) {
        const struct wal_transaction *item = wal_transactions_at(all, i);

        if (item->first_lsn != 0)
            slots[find_slot(all, item->xid)] = i + 1;
    }
    return true;
}

static uint32_t
take_item(struct wal_transactions *all)
{
    uint32_t number = all->free_item;

    if (number == 0)
        return wal_pool_add(&all->items);
    all->free_item = wal_transactions_at(all, number - 1)->rows.first;
    memset(wal_transactions_at(all, number - 1), 0, sizeof(struct wal_transaction));
    return number - 1;
}

uint32_t
wal_transactions_touch(struct wal_transactions *all, uint32_t xid, uint64_t lsn)
{
    uint32_t number = find(all, xid);

    if (number == WAL_NOBODY) {
        number = make_room(all) ? take_item(all) : WAL_NOBODY;
        if (number == WAL_NOBODY) {
            all->incomplete = true;
            return WAL_NOBODY;
        }
        struct wal_transaction *item = wal_transactions_at(all, number);
        item->xid = xid;
        item->first_lsn = lsn;
        all->slots[find_slot(all, xid)] = number + 1;
        all->n_live++;
        if (xid != 0)
            note_oldest(all, xid);
    }
    wal_transactions_at(all, number)->last_lsn = lsn;
    all->last = number;
    return number;
}

/* Items behind a hole move into it if that is nearer to where they belong. */
static void
free_slot(struct wal_transactions *all, uint32_t slot)
{
    uint32_t mask = all->n_slots - 1;
    uint32_t hole = slot;

    for (uint32_t next = (hole + 1) & mask; all->slots[next] != 0; next = (next + 1) & mask) {
        uint32_t home = home_slot(all, wal_transactions_at(all, all->slots[next] - 1)->xid);

        if (((next - home) & mask) >= ((next - hole) & mask)) {
            all->slots[hole] = all->slots[next];
            hole = next;
        }
    }
    all->slots[hole] = 0;
}

static void
free_rows(struct wal_transactions *all, struct wal_transaction *item)
{
    if (item->rows.first == 0)
        return;
    rows_at(all, item->rows.last - 1)->next = all->free_rows;
    all->free_rows = item->rows.first;
}

/* Storage and objects stay where they are: who has them is rarely forgotten. */
static void
forget(struct wal_transactions *all, uint32_t number)
{
    struct wal_transaction *item = wal_transactions_at(all, number);

    free_slot(all, find_slot(all, item->xid));
    free_rows(all, item);
    item->first_lsn = 0;
    item->rows.first = all->free_item;
    all->free_item = number + 1;
    all->n_live--;
    all->last = WAL_NOBODY;
}

void
wal_transactions_assign(struct wal_transactions *all, uint32_t xid, uint32_t top_xid)
{
    uint32_t number = find(all, xid);

    if (number != WAL_NOBODY && xid != top_xid)
        wal_transactions_at(all, number)->top_xid = top_xid;
}

static uint32_t
take_rows(struct wal_transactions *all)
{
    uint32_t number = all->free_rows;

    if (number == 0)
        return wal_pool_add(&all->rows);
    all->free_rows = rows_at(all, number - 1)->next;
    memset(rows_at(all, number - 1), 0, sizeof(struct wal_rows_item));
    return number - 1;
}

/* The transaction's rows of this relation, made if there are none; NULL: no room. */
static struct wal_rows_item *
rows_of(struct wal_transactions *all, uint32_t number, uint32_t relation)
{
    struct wal_item_list *list = &wal_transactions_at(all, number)->rows;

    for (uint32_t i = list->first; i != 0; i = rows_at(all, i - 1)->next) {
        if (rows_at(all, i - 1)->relation == relation)
            return rows_at(all, i - 1);
    }
    uint32_t added = take_rows(all);
    if (added == UINT32_MAX) {
        all->incomplete = true;
        return NULL;
    }
    rows_at(all, added)->relation = relation;
    if (list->first == 0)
        list->first = added + 1;
    else
        rows_at(all, list->last - 1)->next = added + 1;
    list->last = added + 1;
    return rows_at(all, added);
}

void
wal_transactions_count(struct wal_transactions *all, uint32_t number, uint32_t relation,
                       enum wal_row_count count, uint64_t n)
{
    struct wal_rows_item *rows = rows_of(all, number, relation);

    if (rows != NULL)
        rows->counts[count] += n;
}

void
wal_transactions_store(struct wal_transactions *all, struct wal_item_list *list,
                       const struct wal_storage_item *item)
{
    uint32_t added = wal_pool_add(&all->storage);
    struct wal_storage_item *place;

    if (added == UINT32_MAX) {
        all->incomplete = true;
        return;
    }
    place = wal_pool_at(&all->storage, added);
    *place = *item;
    place->next = 0;
    if (list->first == 0) {
        list->first = added + 1;
    } else {
        struct wal_storage_item *before = wal_pool_at(&all->storage, list->last - 1);

        before->next = added + 1;
    }
    list->last = added + 1;
}

void
wal_transactions_name(struct wal_transactions *all, struct wal_item_list *list, uint32_t database,
                      uint32_t oid)
{
    uint32_t added = wal_pool_add(&all->objects);

    if (added == UINT32_MAX) {
        all->incomplete = true;
        return;
    }
    struct wal_object_item *item = wal_pool_at(&all->objects, added);
    item->database = database;
    item->oid = oid;
    if (list->first == 0) {
        list->first = added + 1;
    } else {
        struct wal_object_item *before = wal_pool_at(&all->objects, list->last - 1);

        before->next = added + 1;
    }
    list->last = added + 1;
}

static bool
has_many_rows(const struct wal_transactions *all, const struct wal_transaction *item)
{
    for (uint32_t i = item->rows.first; i != 0; i = rows_at(all, i - 1)->next) {
        const uint64_t *counts = rows_at(all, i - 1)->counts;

        if (counts[WAL_ROW_UPDATED] >= WAL_INDEX_ROWS_CHANGED ||
            counts[WAL_ROW_DELETED] >= WAL_INDEX_ROWS_CHANGED ||
            counts[WAL_ROW_MOVED] >= WAL_INDEX_ROWS_CHANGED ||
            counts[WAL_ROW_INSERTED] + counts[WAL_ROW_LOADED] >= WAL_INDEX_ROWS_ADDED)
            return true;
    }
    return false;
}

static void
append_storage(const struct wal_transactions *all, struct wal_item_list *list,
               const struct wal_item_list *from)
{
    if (list->first == 0) {
        *list = *from;
    } else if (from->first != 0) {
        struct wal_storage_item *last = wal_pool_at(&all->storage, list->last - 1);

        last->next = from->first;
        list->last = from->last;
    }
}

static void
append_objects(const struct wal_transactions *all, struct wal_item_list *list,
               const struct wal_item_list *from)
{
    if (list->first == 0) {
        *list = *from;
    } else if (from->first != 0) {
        struct wal_object_item *last = wal_pool_at(&all->objects, list->last - 1);

        last->next = from->first;
        list->last = from->last;
    }
}

/* The work of a subtransaction becomes its top transaction's. */
static void
fold(struct wal_transactions *all, uint32_t sub, uint32_t top)
{
    struct wal_transaction *from = wal_transactions_at(all, sub);
    struct wal_transaction *to = wal_transactions_at(all, top);

    for (uint32_t i = from->rows.first; i != 0; i = rows_at(all, i - 1)->next) {
        for (unsigned count = 0; count < WAL_ROW_COUNTS; count++) {
            uint64_t n = rows_at(all, i - 1)->counts[count];

            if (n > 0)
                wal_transactions_count(all, top, rows_at(all, i - 1)->relation,
                                       (enum wal_row_count)count, n);
        }
    }
    append_storage(all, &to->creates, &from->creates);
    append_storage(all, &to->truncates, &from->truncates);
    append_objects(all, &to->locks, &from->locks);
    append_objects(all, &to->emptied, &from->emptied);
    to->notable |= from->notable;
    to->first_lsn = MIN_OF(to->first_lsn, from->first_lsn);
    to->last_lsn = MAX_OF(to->last_lsn, from->last_lsn);
}

/* Take subtransactions out: their work goes to `top`, or nowhere. Was any of them one to keep? */
static bool
end_subtransactions(struct wal_transactions *all, const struct wal_list *subxids, uint32_t top)
{
    bool keep = false;

    for (uint32_t i = 0; i < subxids->n; i++) {
        uint32_t xid = wal_fact_u32(subxids, i);
        uint32_t number = find(all, xid);

        if (number == WAL_NOBODY || number == top)
            continue;
        keep |= is_among_oldest(all, xid) || wal_transactions_at(all, number)->notable;
        if (top != WAL_NOBODY)
            fold(all, number, top);
        forget(all, number);
    }
    return keep;
}

/* The transaction itself, also if it did nothing yet but has subtransactions that did. */
static uint32_t
find_top(struct wal_transactions *all, const struct wal_fact_end *end)
{
    uint32_t number = find(all, end->xid);

    for (uint32_t i = 0; number == WAL_NOBODY && i < end->subxids.n; i++) {
        uint32_t sub = find(all, wal_fact_u32(&end->subxids, i));

        if (sub != WAL_NOBODY)
            number = wal_transactions_touch(all, end->xid,
                                            wal_transactions_at(all, sub)->first_lsn);
    }
    return number;
}

bool
wal_transactions_end(struct wal_transactions *all, const struct wal_fact_end *end, bool commit,
                     bool notable)
{
    uint32_t top = commit ? find_top(all, end) : find(all, end->xid);

    note_oldest(all, end->xid);
    bool keep = end_subtransactions(all, &end->subxids, commit ? top : WAL_NOBODY);
    keep |= notable || is_among_oldest(all, end->xid);
    if (top == WAL_NOBODY)
        return keep;
    keep |= wal_transactions_at(all, top)->notable;
    keep |= commit && has_many_rows(all, wal_transactions_at(all, top));
    if (!commit || !keep)
        forget(all, top);
    return keep;
}
