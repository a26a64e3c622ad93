/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_index_write.h"

/* Sorted keys of blocks that lie in one chunk. */
struct chunk {
    const uint64_t *keys;
    size_t n;
};

static uint32_t
offset_of(const struct chunk *chunk, size_t i)
{
    return (uint32_t)chunk->keys[i] % WAL_INDEX_CHUNK_BLOCKS;
}

static size_t
number_size(uint32_t value)
{
    return value < 0x80 ? 1 : value < 0x4000 ? 2 : 3;
}

/* Behind the run that begins with the chunk's block i. */
static size_t
run_end(const struct chunk *chunk, size_t i)
{
    size_t end = i + 1;

    while (end < chunk->n && chunk->keys[end] == chunk->keys[end - 1] + 1)
        end++;
    return end;
}

static size_t
list_size(const struct chunk *chunk)
{
    size_t size = number_size((uint32_t)chunk->n);
    uint32_t lowest = 0;

    for (size_t i = 0; i < chunk->n; i++) {
        size += number_size(offset_of(chunk, i) - lowest);
        lowest = offset_of(chunk, i) + 1;
    }
    return size;
}

static void
write_list(const struct chunk *chunk, struct wal_output *output)
{
    uint32_t lowest = 0;

    wal_output_number(output, chunk->n);
    for (size_t i = 0; i < chunk->n; i++) {
        wal_output_number(output, offset_of(chunk, i) - lowest);
        lowest = offset_of(chunk, i) + 1;
    }
}

static size_t
runs_size(const struct chunk *chunk, size_t *ret_runs)
{
    size_t runs = 0;
    size_t size = 0;
    uint32_t lowest = 0;

    for (size_t i = 0, end; i < chunk->n; i = end) {
        end = run_end(chunk, i);
        size += number_size(offset_of(chunk, i) - lowest);
        size += number_size((uint32_t)(end - i - 1));
        lowest = offset_of(chunk, end - 1) + 2;
        runs++;
    }
    *ret_runs = runs;
    return size + number_size((uint32_t)runs);
}

static void
write_runs(const struct chunk *chunk, size_t runs, struct wal_output *output)
{
    uint32_t lowest = 0;

    wal_output_number(output, runs);
    for (size_t i = 0, end; i < chunk->n; i = end) {
        end = run_end(chunk, i);
        wal_output_number(output, offset_of(chunk, i) - lowest);
        wal_output_number(output, end - i - 1);
        lowest = offset_of(chunk, end - 1) + 2;
    }
}

static void
write_bits(const struct chunk *chunk, struct wal_output *output)
{
    uint8_t bits[WAL_INDEX_CHUNK_BLOCKS / 8];
    size_t size = offset_of(chunk, chunk->n - 1) / 8 + 1;

    memset(bits, 0, size);
    for (size_t i = 0; i < chunk->n; i++)
        bits[offset_of(chunk, i) / 8] |= (uint8_t)(1 << offset_of(chunk, i) % 8);
    wal_output_number(output, size);
    wal_output_bytes(output, bits, size);
}

/* In the form that takes least. */
static void
write_chunk(const struct chunk *chunk, struct wal_output *output)
{
    size_t runs;
    size_t as_list = list_size(chunk);
    size_t as_runs = runs_size(chunk, &runs);
    uint32_t bytes = offset_of(chunk, chunk->n - 1) / 8 + 1;
    size_t as_bits = number_size(bytes) + bytes;

    if (as_list <= as_runs && as_list <= as_bits) {
        wal_output_u8(output, WAL_INDEX_FORM_LIST);
        write_list(chunk, output);
    } else if (as_runs <= as_bits) {
        wal_output_u8(output, WAL_INDEX_FORM_RUNS);
        write_runs(chunk, runs, output);
    } else {
        wal_output_u8(output, WAL_INDEX_FORM_BITS);
        write_bits(chunk, output);
    }
}

/* How many of the `n` keys share everything above the lowest `bits` bits with the first. */
static size_t
count_alike(const uint64_t *keys, size_t n, unsigned bits)
{
    size_t alike = 0;

    while (alike < n && keys[alike] >> bits == keys[0] >> bits)
        alike++;
    return alike;
}

/* All blocks of one fork. */
static void
write_chunks(const uint64_t *keys, size_t n, struct wal_output *output)
{
    struct chunk chunk = {.keys = keys};
    uint32_t chunks = 0;
    uint32_t lowest = 0;

    for (size_t i = 0; i < n; i += count_alike(keys + i, n - i, 16))
        chunks++;
    wal_output_number(output, chunks);
    for (size_t i = 0; i < n; i += chunk.n) {
        uint32_t number = (uint32_t)keys[i] / WAL_INDEX_CHUNK_BLOCKS;

        chunk = (struct chunk){keys + i, count_alike(keys + i, n - i, 16)};
        wal_output_number(output, number - lowest);
        write_chunk(&chunk, output);
        lowest = number + 1;
    }
}

/* Which forks there is something to say of. */
static unsigned
forks_of(const struct wal_relation_entry *entry, const uint64_t *keys, size_t n)
{
    unsigned forks = entry->whole ? WAL_INDEX_FORKS_WHOLE : 0;

    for (unsigned fork = 0; fork < WAL_RELATION_FORKS && !entry->whole; fork++) {
        if (entry->limits[fork] != WAL_INDEX_NO_LIMIT)
            forks |= 1U << fork;
    }
    for (size_t i = 0; i < n; i += count_alike(keys + i, n - i, 32))
        forks |= 1U << (keys[i] >> 32 & 3);
    return forks & (WAL_INDEX_FORKS_STORED | WAL_INDEX_FORKS_WHOLE);
}

static void
write_relation(const struct wal_relation_entry *entry, const uint64_t *keys, size_t n,
               unsigned forks, struct wal_output *output)
{
    size_t at = 0;

    wal_output_u8(output, (uint8_t)forks);
    for (unsigned fork = 0; fork < WAL_RELATION_FORKS; fork++) {
        size_t alike = 0;

        while (at + alike < n && (keys[at + alike] >> 32 & 3) == fork)
            alike++;
        if ((forks & 1U << fork) != 0) {
            uint32_t limit = entry->limits[fork];

            if (!entry->whole)
                wal_output_number(output, limit == WAL_INDEX_NO_LIMIT ? 0 : (uint64_t)limit + 1);
            write_chunks(n > 0 ? keys + at : NULL, alike, output);
        }
        at += alike;
    }
}

void
wal_index_write_blocks(const struct wal_index_parts *parts, struct wal_output *output)
{
    const struct wal_relation_table *table = parts->relations;
    const uint64_t *keys = parts->blocks->keys;
    size_t left = parts->blocks->n;
    uint32_t lowest = 0;

    for (uint32_t i = 0; i < table->entries.n; i++) {
        const struct wal_relation_entry *entry = wal_relation_table_at(table, i);
        size_t n = left > 0 && keys[0] >> 34 == i ? count_alike(keys, left, 34) : 0;
        unsigned forks = forks_of(entry, keys, n);

        if (forks != 0) {
            wal_output_number(output, i - lowest);
            write_relation(entry, keys, n, forks, output);
            lowest = i + 1;
        }
        if (n > 0)
            keys += n;
        left -= n;
    }
}
