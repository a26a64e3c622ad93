/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_block_set.h: which blocks of which relations have changed.
 */
#ifndef WAL_WAL_BLOCK_SET_H
#define WAL_WAL_BLOCK_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One block: relation's number (below 2^16), fork (below 4), block. They sort in that order. */
static inline uint64_t
wal_block_key(uint32_t relation, uint32_t fork, uint32_t block)
{
    return (uint64_t)relation << 34 | (uint64_t)fork << 32 | block;
}

struct wal_block_set {
    uint64_t *keys; /* an open table; UINT64_MAX: free */
    size_t n_slots;
    size_t n;
    size_t max;
    uint64_t last;
    bool full; /* a block was left out */
};

void wal_block_set_init(struct wal_block_set *set, size_t max);
void wal_block_set_done(struct wal_block_set *set);
void wal_block_set_add(struct wal_block_set *set, uint64_t key);

/*
 * The keys in ascending order, n of them, in place of the table: nothing may be added any more.
 * False: no memory.
 */
bool wal_block_set_sort(struct wal_block_set *set);

#endif
