/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_block_set.h"

#include <stdlib.h>
#include <string.h>

#include "wal/wal_sort.h"

#define FIRST_SLOTS 4096
#define FREE UINT64_MAX

void
wal_block_set_init(struct wal_block_set *set, size_t max)
{
    *set = (struct wal_block_set){.max = max, .last = FREE};
}

void
wal_block_set_done(struct wal_block_set *set)
{
    free(set->keys);
    set->keys = NULL;
    set->n_slots = 0;
    set->n = 0;
}

static size_t
find_slot(const uint64_t *keys, size_t n_slots, uint64_t key)
{
    size_t slot = (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 32) & (n_slots - 1);

    while (keys[slot] != FREE && keys[slot] != key)
        slot = (slot + 1) & (n_slots - 1);
    return slot;
}

/* At most half of the slots are taken. */
static bool
make_room(struct wal_block_set *set)
{
    if (set->n < set->n_slots / 2)
        return true;
    size_t n_slots = set->n_slots == 0 ? FIRST_SLOTS : set->n_slots * 2;
    uint64_t *keys = set->n == set->max ? NULL : malloc(n_slots * sizeof(*keys));
    if (keys == NULL)
        return false;
    memset(keys, 0xFF, n_slots * sizeof(*keys));
    for (size_t i = 0; i < set->n_slots; i++) {
        if (set->keys[i] != FREE)
            keys[find_slot(keys, n_slots, set->keys[i])] = set->keys[i];
    }
    free(set->keys);
    set->keys = keys;
    set->n_slots = n_slots;
    return true;
}

void
wal_block_set_add(struct wal_block_set *set, uint64_t key)
{
    if (key == set->last || set->full)
        return;
    if (!make_room(set)) {
        set->full = true;
        return;
    }
    size_t slot = find_slot(set->keys, set->n_slots, key);
    if (set->keys[slot] == FREE) {
        if (set->n == set->max) {
            set->full = true;
            return;
        }
        set->keys[slot] = key;
        set->n++;
    }
    set->last = key;
}

bool
wal_block_set_sort(struct wal_block_set *set)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n_slots; i++) {
        if (set->keys[i] != FREE)
            set->keys[n++] = set->keys[i];
    }
    return wal_sort_u64(set->keys, n);
}
