/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/macros.h"

#define DIGITS 8 /* of one number in a name */

static const char suffix_partial[] = ".partial";
static const char suffix_backup[] = ".backup";
static const char suffix_history[] = ".history";

static bool
read_number(const char *text, uint32_t *ret_value)
{
    uint64_t value;

    if (!hex_read_upper(text, DIGITS, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

/* Is text[0..length) exactly this suffix? */
static bool
is_suffix(const char *text, size_t length, const char *suffix)
{
    return length == strlen(suffix) && memcmp(text, suffix, length) == 0;
}

/* What stands behind the 24 digits of a segment. */
static bool
read_behind_segment(const char *text, size_t length, struct wal_name *name)
{
    name->kind = WAL_NAME_SEGMENT;
    if (length == 0)
        return true;
    name->kind = WAL_NAME_PARTIAL;
    if (is_suffix(text, length, suffix_partial))
        return true;
    name->kind = WAL_NAME_BACKUP_HISTORY;
    return length > 1 + DIGITS && text[0] == '.' && read_number(text + 1, &name->offset) &&
           is_suffix(text + 1 + DIGITS, length - 1 - DIGITS, suffix_backup);
}

bool
wal_name_parse(const char *text, size_t length, struct wal_name *ret)
{
    struct wal_name name = {.kind = WAL_NAME_HISTORY};

    if (length < DIGITS || length >= sizeof(name.text))
        return false;
    if (!read_number(text, &name.timeline) || name.timeline == 0)
        return false;
    if (!is_suffix(text + DIGITS, length - DIGITS, suffix_history)) {
        if (length < WAL_SEGMENT_NAME_LENGTH)
            return false;
        if (!read_number(text + DIGITS, &name.log) || !read_number(text + 2 * DIGITS, &name.seg))
            return false;
        if (!read_behind_segment(text + WAL_SEGMENT_NAME_LENGTH, length - WAL_SEGMENT_NAME_LENGTH,
                                 &name))
            return false;
    }
    memcpy(name.text, text, length);
    *ret = name;
    return true;
}

bool
wal_segment_size_valid(uint64_t size)
{
    return size >= WAL_SEGMENT_SIZE_MIN && size <= WAL_SEGMENT_SIZE_MAX && (size & (size - 1)) == 0;
}

static uint64_t
segments_per_log(uint32_t segment_size)
{
    return ((uint64_t)1 << 32) / segment_size;
}

bool
wal_name_fits(const struct wal_name *name, uint32_t segment_size)
{
    return name->seg < segments_per_log(segment_size) && name->offset < segment_size;
}

uint64_t
wal_name_start_lsn(const struct wal_name *name, uint32_t segment_size)
{
    return ((uint64_t)name->log << 32) + (uint64_t)name->seg * segment_size;
}

uint64_t
wal_name_segment_number(const struct wal_name *name, uint32_t segment_size)
{
    return wal_name_start_lsn(name, segment_size) / segment_size;
}

void
wal_name_of_segment(uint32_t timeline, uint64_t number, uint32_t segment_size, struct wal_name *ret)
{
    uint64_t per_log = segments_per_log(segment_size);

    *ret = (struct wal_name){
        .kind = WAL_NAME_SEGMENT,
        .timeline = timeline,
        .log = (uint32_t)(number / per_log),
        .seg = (uint32_t)(number % per_log),
    };
    (void)snprintf(ret->text, sizeof(ret->text), "%08" PRIX32 "%08" PRIX32 "%08" PRIX32,
                   ret->timeline, ret->log, ret->seg);
}

void
wal_name_of_lsn(uint32_t timeline, uint64_t lsn, uint32_t segment_size, struct wal_name *ret)
{
    wal_name_of_segment(timeline, lsn / segment_size, segment_size, ret);
}

void
wal_name_of_history(uint32_t timeline, struct wal_name *ret)
{
    *ret = (struct wal_name){.kind = WAL_NAME_HISTORY, .timeline = timeline};
    (void)snprintf(ret->text, sizeof(ret->text), "%08" PRIX32 "%s", timeline, suffix_history);
}

const char *
wal_lsn_text(uint64_t lsn, char *text)
{
    (void)snprintf(text, WAL_LSN_TEXT_SIZE, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32),
                   (uint32_t)lsn);
    return text;
}

/* The value of a hexadecimal digit of either case, or -1. */
static int
digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

static bool
read_lsn_half(const char *text, size_t length, uint32_t *ret_value)
{
    uint32_t value = 0;

    if (length == 0 || length > DIGITS)
        return false;
    for (size_t i = 0; i < length; i++) {
        int digit = digit_value(text[i]);

        if (digit < 0)
            return false;
        value = value << 4 | (uint32_t)digit;
    }
    *ret_value = value;
    return true;
}

bool
wal_lsn_parse(const char *text, size_t length, uint64_t *ret_lsn)
{
    const char *slash = length == 0 ? NULL : memchr(text, '/', length);
    uint32_t high;
    uint32_t low;

    if (slash == NULL)
        return false;
    size_t before = (size_t)(slash - text);
    if (!read_lsn_half(text, before, &high) || !read_lsn_half(slash + 1, length - before - 1, &low))
        return false;
    *ret_lsn = (uint64_t)high << 32 | low;
    return true;
}
