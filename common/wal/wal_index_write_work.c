/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "wal/wal_index_write.h"
#include "wal/wal_sort.h"

/* Items of a list, gathered to be put in order. */
struct gathered {
    uint64_t *values;
    size_t n;
    size_t capacity;
};

static void
gathered_done(struct gathered *gathered)
{
    free(gathered->values);
}

DEFINE_CLEANUP(gathered, struct gathered, gathered_done);

static bool
gather(struct gathered *gathered, uint64_t value)
{
    if (gathered->n == gathered->capacity) {
        size_t capacity = MAX_OF(gathered->capacity * 2, (size_t)64);
        uint64_t *values = realloc(gathered->values, capacity * sizeof(*values));

        if (values == NULL)
            return false;
        gathered->values = values;
        gathered->capacity = capacity;
    }
    gathered->values[gathered->n++] = value;
    return true;
}

static unsigned
rows_mask(const struct wal_rows_item *rows)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < WAL_ROW_COUNTS; i++)
        mask |= rows->counts[i] > 0 ? 1U << i : 0;
    return mask;
}

/* What is gathered of rows: relation, and the item's number behind it. */
static bool
write_rows(const struct wal_transactions *all, const struct wal_item_list *list,
           struct gathered *gathered, struct wal_output *output)
{
    const struct wal_rows_item *rows;
    uint32_t lowest = 0;

    gathered->n = 0;
    for (uint32_t i = list->first; i != 0; i = rows->next) {
        rows = wal_pool_at(&all->rows, i - 1);
        if (!gather(gathered, (uint64_t)rows->relation << 32 | (i - 1)))
            return false;
    }
    if (!wal_sort_u64(gathered->values, gathered->n))
        return false;
    wal_output_number(output, gathered->n);
    for (size_t i = 0; i < gathered->n; i++) {
        rows = wal_pool_at(&all->rows, (uint32_t)gathered->values[i]);
        wal_output_number(output, rows->relation - lowest);
        wal_output_u8(output, (uint8_t)rows_mask(rows));
        for (unsigned count = 0; count < WAL_ROW_COUNTS; count++) {
            if (rows->counts[count] > 0)
                wal_output_number(output, rows->counts[count]);
        }
        lowest = rows->relation + 1;
    }
    return true;
}

static void
write_storage(const struct wal_transactions *all, const struct wal_item_list *list, uint64_t lsn,
              struct wal_output *output)
{
    const struct wal_storage_item *item;
    uint32_t before = 0;
    uint32_t n = 0;

    for (uint32_t i = list->first; i != 0; i = item->next) {
        item = wal_pool_at(&all->storage, i - 1);
        n++;
    }
    wal_output_number(output, n);
    for (uint32_t i = list->first; i != 0; i = item->next) {
        item = wal_pool_at(&all->storage, i - 1);
        wal_output_signed(output, (int64_t)item->relation - before);
        wal_output_u8(output, (uint8_t)item->kind);
        wal_output_number(output, item->block);
        wal_output_difference(output, item->lsn, lsn);
        before = item->relation;
        lsn = item->lsn;
    }
}

/* In order, each once. */
static bool
write_objects(const struct wal_transactions *all, const struct wal_item_list *list,
              struct gathered *gathered, struct wal_output *output)
{
    const struct wal_object_item *item;
    uint64_t before = 0;
    size_t n = 0;

    gathered->n = 0;
    for (uint32_t i = list->first; i != 0; i = item->next) {
        item = wal_pool_at(&all->objects, i - 1);
        if (!gather(gathered, (uint64_t)item->database << 32 | item->oid))
            return false;
    }
    if (!wal_sort_u64(gathered->values, gathered->n))
        return false;
    for (size_t i = 0; i < gathered->n; i++) {
        if (i == 0 || gathered->values[i] != gathered->values[n - 1])
            gathered->values[n++] = gathered->values[i];
    }
    wal_output_number(output, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t value = gathered->values[i];

        wal_output_signed(output, (int64_t)(value >> 32) - (int64_t)(before >> 32));
        wal_output_signed(output, (int64_t)(uint32_t)value - (int64_t)(uint32_t)before);
        before = value;
    }
    return true;
}

static unsigned
work_flags(const struct wal_transaction *item)
{
    return (item->top_xid != 0 ? WAL_INDEX_WORK_TOP : 0U) |
           (item->rows.first != 0 ? WAL_INDEX_WORK_ROWS : 0U) |
           (item->creates.first != 0 ? WAL_INDEX_WORK_CREATES : 0U) |
           (item->truncates.first != 0 ? WAL_INDEX_WORK_TRUNCATES : 0U) |
           (item->locks.first != 0 ? WAL_INDEX_WORK_LOCKS : 0U) |
           (item->emptied.first != 0 ? WAL_INDEX_WORK_EMPTIED : 0U);
}

static bool
write_lists(const struct wal_transactions *all, const struct wal_transaction *item,
            struct gathered *gathered, struct wal_output *output)
{
    if (item->rows.first != 0 && !write_rows(all, &item->rows, gathered, output))
        return false;
    if (item->creates.first != 0)
        write_storage(all, &item->creates, item->first_lsn, output);
    if (item->truncates.first != 0)
        write_storage(all, &item->truncates, item->first_lsn, output);
    if (item->locks.first != 0 && !write_objects(all, &item->locks, gathered, output))
        return false;
    return item->emptied.first == 0 || write_objects(all, &item->emptied, gathered, output);
}

void
wal_index_write_work(const struct wal_transactions *transactions, struct wal_output *output)
{
    AUTO(gathered) struct gathered order = {.values = NULL};
    AUTO(gathered) struct gathered scratch = {.values = NULL};
    uint32_t xid = 0;
    uint64_t lsn = 0;

    for (uint32_t i = 0; i < transactions->items.n; i++) {
        const struct wal_transaction *item = wal_transactions_at(transactions, i);

        if (item->first_lsn != 0 && (work_flags(item) & ~(unsigned)WAL_INDEX_WORK_TOP) != 0 &&
            !gather(&order, (uint64_t)item->xid << 32 | i))
            output->full = true;
    }
    if (!wal_sort_u64(order.values, order.n))
        output->full = true;
    for (size_t i = 0; i < order.n && !output->full; i++) {
        const struct wal_transaction *item =
            wal_transactions_at(transactions, (uint32_t)order.values[i]);

        wal_output_number(output, item->xid - xid);
        wal_output_u8(output, (uint8_t)work_flags(item));
        if (item->top_xid != 0)
            wal_output_signed(output, (int64_t)item->xid - item->top_xid);
        wal_output_difference(output, item->first_lsn, lsn);
        wal_output_number(output, item->last_lsn - item->first_lsn);
        if (!write_lists(transactions, item, &scratch, output))
            output->full = true;
        xid = item->xid;
        lsn = item->first_lsn;
    }
}
