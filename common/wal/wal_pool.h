/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_pool.h: items of one size in an array that grows, up to a ceiling.
 *
 * Items are called by their number, which stays when the array moves.
 */
#ifndef WAL_WAL_POOL_H
#define WAL_WAL_POOL_H

#include <stddef.h>
#include <stdint.h>

struct wal_pool {
    uint8_t *items;
    size_t item_size;
    uint32_t n;
    uint32_t capacity;
    uint32_t max;
};

#define WAL_POOL_INIT(type, ceiling)                                                               \
    ((struct wal_pool){.item_size = sizeof(type), .max = (ceiling)})

/* The number of a new item, all zeros; UINT32_MAX: the ceiling, or no memory. */
uint32_t wal_pool_add(struct wal_pool *pool);

/* Valid until the next wal_pool_add(). */
static inline void *
wal_pool_at(const struct wal_pool *pool, uint32_t number)
{
    return pool->items + (size_t)number * pool->item_size;
}

void wal_pool_done(struct wal_pool *pool);

#endif
