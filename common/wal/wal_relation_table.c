/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_relation_table.h"

#include <stdlib.h>

#define FIRST_SLOTS 256

void
wal_relation_table_init(struct wal_relation_table *table, uint32_t max)
{
    *table = (struct wal_relation_table){
        .entries = WAL_POOL_INIT(struct wal_relation_entry, max),
        .last = WAL_RELATION_NONE,
    };
}

void
wal_relation_table_done(struct wal_relation_table *table)
{
    wal_pool_done(&table->entries);
    free(table->slots);
    table->slots = NULL;
    table->n_slots = 0;
}

static bool
is_same(const struct wal_relation *a, const struct wal_relation *b)
{
    return a->number == b->number && a->database == b->database && a->tablespace == b->tablespace;
}

static uint32_t
first_slot(const struct wal_relation_table *table, const struct wal_relation *relation)
{
    uint64_t hash = (relation->number * UINT64_C(0x9E3779B97F4A7C15)) ^
                    (relation->database * UINT64_C(0xC2B2AE3D27D4EB4F)) ^
                    (relation->tablespace * UINT64_C(0x165667B19E3779F9));

    return (uint32_t)(hash >> 32) & (table->n_slots - 1);
}

/* The slot that has it, or the empty one where it would be. */
static uint32_t
find_slot(const struct wal_relation_table *table, const struct wal_relation *relation)
{
    uint32_t slot = first_slot(table, relation);

    while (table->slots[slot] != 0 &&
           !is_same(&wal_relation_table_at(table, table->slots[slot] - 1)->relation, relation))
        slot = (slot + 1) & (table->n_slots - 1);
    return slot;
}

/* At most half of the slots are taken. */
static bool
make_room(struct wal_relation_table *table)
{
    if (table->n_slots > 0 && table->entries.n < table->n_slots / 2)
        return true;
    uint32_t n_slots = table->n_slots == 0 ? FIRST_SLOTS : table->n_slots * 2;
    uint32_t *slots = calloc(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    free(table->slots);
    table->slots = slots;
    table->n_slots = n_slots;
    for (uint32_t i = 0; i < table->entries.n; i++)
        slots[find_slot(table, &wal_relation_table_at(table, i)->relation)] = i + 1;
    return true;
}

uint32_t
wal_relation_table_number(struct wal_relation_table *table, const struct wal_relation *relation)
{
    if (table->last != WAL_RELATION_NONE &&
        is_same(&wal_relation_table_at(table, table->last)->relation, relation))
        return table->last;
    if (!make_room(table))
        return WAL_RELATION_NONE;
    uint32_t slot = find_slot(table, relation);
    if (table->slots[slot] == 0) {
        uint32_t number = wal_pool_add(&table->entries);

        if (number == UINT32_MAX)
            return WAL_RELATION_NONE;
        *wal_relation_table_at(table, number) = (struct wal_relation_entry){
            .relation = *relation,
            .limits = {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        };
        table->slots[slot] = number + 1;
    }
    table->last = table->slots[slot] - 1;
    return table->last;
}

void
wal_relation_table_limit(struct wal_relation_table *table, uint32_t number, uint32_t fork,
                         uint32_t limit)
{
    struct wal_relation_entry *entry = wal_relation_table_at(table, number);

    if (fork < WAL_RELATION_FORKS && limit < entry->limits[fork])
        entry->limits[fork] = limit;
}
