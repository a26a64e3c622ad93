/* SPDX-License-Identifier: PostgreSQL */
#include "wal/page_checksum.h"

#include <string.h>

#include "base/hex.h"
#include "base/macros.h"

#define LANES 32
#define ROW_SIZE (LANES * sizeof(uint32_t))
#define FNV_PRIME 16777619
#define CHECKSUM_AT 8
#define UPPER_AT 14

static const uint32_t seeds[LANES] = {
    0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c,
    0xf8d4474f, 0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb,
    0xe58f764b, 0x187636bc, 0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4,
    0x783125bb, 0x6ca8eaa2, 0xe407eac6, 0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
};

static inline void
fold_row(uint32_t *lanes, const uint32_t *words)
{
    for (size_t i = 0; i < LANES; i++) {
        uint32_t mixed = lanes[i] ^ words[i];

        lanes[i] = mixed * FNV_PRIME ^ mixed >> 17;
    }
}

/* The columns come to this word. Inlined twice, so that each copy uses its processor's vectors. */
static inline __attribute__((always_inline)) uint32_t
fold_page(const uint8_t *page, size_t page_size)
{
    uint32_t lanes[LANES];
    uint32_t row[LANES];
    uint32_t word = 0;

    memcpy(lanes, seeds, sizeof(lanes));
    for (size_t at = 0; at + ROW_SIZE <= page_size; at += ROW_SIZE) {
        memcpy(row, page + at, ROW_SIZE);
        /* The checksum is not part of what it sums up. */
        if (at == 0)
            memset((uint8_t *)row + CHECKSUM_AT, 0, sizeof(uint16_t));
        fold_row(lanes, row);
    }
    memset(row, 0, sizeof(row));
    fold_row(lanes, row);
    fold_row(lanes, row);
    for (size_t i = 0; i < LANES; i++)
        word ^= lanes[i];
    return word;
}

static uint32_t
fold_plain(const uint8_t *page, size_t page_size)
{
    return fold_page(page, page_size);
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static uint32_t
fold_avx2(const uint8_t *page, size_t page_size)
{
    return fold_page(page, page_size);
}

static uint32_t
fold(const uint8_t *page, size_t page_size)
{
    return __builtin_cpu_supports("avx2") ? fold_avx2(page, page_size)
                                          : fold_plain(page, page_size);
}

#else

static uint32_t
fold(const uint8_t *page, size_t page_size)
{
    return fold_plain(page, page_size);
}

#endif

uint16_t
page_checksum(const uint8_t *page, size_t page_size, uint32_t block)
{
    /* Never 0, which would mean that there is none. */
    return (uint16_t)((fold(page, page_size) ^ block) % 65535 + 1);
}

enum page_verdict
page_checksum_judge(const uint8_t *page, size_t page_size, uint32_t block, uint64_t start_lsn)
{
    uint32_t lsn[2];
    uint16_t stored = 0;
    uint16_t upper = 0;

    memcpy(lsn, page, sizeof(lsn));
    memcpy(&stored, page + CHECKSUM_AT, sizeof(stored));
    memcpy(&upper, page + UPPER_AT, sizeof(upper));
    if (upper == 0 || ((uint64_t)lsn[0] << 32 | lsn[1]) >= start_lsn)
        return PAGE_UNCHECKED;
    return page_checksum(page, page_size, block) == stored ? PAGE_GOOD : PAGE_BAD;
}

bool
page_checksum_relation_name(const char *name, uint32_t *ret_segment, size_t *ret_number,
                            bool *ret_init)
{
    static const char *const forks[] = {"_fsm", "_vm", "_init"};
    size_t number = strspn(name, "0123456789");
    const char *rest = name + number;
    uint64_t segment = 0;
    bool init = false;

    if (number == 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(forks); i++) {
        size_t length = strlen(forks[i]);

        if (strncmp(rest, forks[i], length) == 0) {
            init = i == 2;
            rest += length;
            break;
        }
    }
    if (rest[0] == '.') {
        if (!decimal_read(rest + 1, strlen(rest + 1), UINT32_MAX, &segment))
            return false;
    } else if (rest[0] != '\0') {
        return false;
    }
    *ret_segment = (uint32_t)segment;
    *ret_number = number;
    *ret_init = init;
    return true;
}
