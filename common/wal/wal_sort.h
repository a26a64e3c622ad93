/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_sort.h: many numbers in ascending order, in linear time.
 */
#ifndef WAL_WAL_SORT_H
#define WAL_WAL_SORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False: no memory for a second copy; nothing was changed. */
bool wal_sort_u64(uint64_t *values, size_t n);

#endif
