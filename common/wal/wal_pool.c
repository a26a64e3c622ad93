/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/macros.h"

#define FIRST_CAPACITY 64

uint32_t
wal_pool_add(struct wal_pool *pool)
{
    if (pool->n == pool->max)
        return UINT32_MAX;
    if (pool->n == pool->capacity) {
        uint32_t wanted = MAX_OF(pool->capacity * 2, (uint32_t)FIRST_CAPACITY);
        uint32_t capacity = MIN_OF(wanted, pool->max);
        uint8_t *items = realloc(pool->items, capacity * pool->item_size);

        if (items == NULL)
            return UINT32_MAX;
        pool->items = items;
        pool->capacity = capacity;
    }
    memset(wal_pool_at(pool, pool->n), 0, pool->item_size);
    return pool->n++;
}

void
wal_pool_done(struct wal_pool *pool)
{
    free(pool->items);
    pool->items = NULL;
    pool->n = 0;
    pool->capacity = 0;
}
