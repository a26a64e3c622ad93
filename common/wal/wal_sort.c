/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_sort.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS 256
#define PASSES 8

/* By one byte of the values, keeping the order of equal ones. */
static void
sort_by_byte(const uint64_t *from, size_t n, unsigned shift, const size_t *counts, uint64_t *to)
{
    size_t places[DIGITS];
    size_t place = 0;

    for (unsigned digit = 0; digit < DIGITS; digit++) {
        places[digit] = place;
        place += counts[digit];
    }
    for (size_t i = 0; i < n; i++)
        to[places[(from[i] >> shift) & 0xFF]++] = from[i];
}

bool
wal_sort_u64(uint64_t *values, size_t n)
{
    size_t counts[PASSES][DIGITS] = {{0}};
    uint64_t *copy = n < 2 ? NULL : malloc(n * sizeof(*copy));
    uint64_t *from = values;
    uint64_t *to = copy;

    if (copy == NULL)
        return n < 2;
    for (size_t i = 0; i < n; i++) {
        for (unsigned pass = 0; pass < PASSES; pass++)
            counts[pass][(values[i] >> (8 * pass)) & 0xFF]++;
    }
    for (unsigned pass = 0; pass < PASSES; pass++) {
        unsigned shift = 8 * pass;

        if (counts[pass][(from[0] >> shift) & 0xFF] == n)
            continue; /* all alike */
        sort_by_byte(from, n, shift, counts[pass], to);
        uint64_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != values)
        memcpy(values, from, n * sizeof(*values));
    free(copy);
    return true;
}
