/* SPDX-License-Identifier: PostgreSQL */
/* What is taken for a name is one: it is written back as it was read, from every view of it. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

static void
check_numbers(const struct wal_name *name, uint32_t segment_size)
{
    struct wal_name again;

    if (!wal_name_fits(name, segment_size))
        return;
    uint64_t number = wal_name_segment_number(name, segment_size);
    uint64_t start = wal_name_start_lsn(name, segment_size);

    require(start / segment_size == number && start % segment_size == 0);
    wal_name_of_segment(name->timeline, number, segment_size, &again);
    require(again.log == name->log && again.seg == name->seg);
    require(memcmp(again.text, name->text, WAL_SEGMENT_NAME_LENGTH) == 0);
    wal_name_of_lsn(name->timeline, start + name->offset, segment_size, &again);
    require(again.log == name->log && again.seg == name->seg);
}

static void
check_name(const char *text, size_t length)
{
    struct wal_name name;
    struct wal_name again;

    if (!wal_name_parse(text, length, &name))
        return;
    require(length == 16 || length == 24 || length == 32 || length == 40);
    require(strlen(name.text) == length && memcmp(name.text, text, length) == 0);
    require(name.timeline != 0 && strspn(name.text, "./") == 0 && strchr(name.text, '/') == NULL);
    require(wal_name_parse(name.text, length, &again) && again.kind == name.kind);
    if (name.kind == WAL_NAME_HISTORY) {
        wal_name_of_history(name.timeline, &again);
        require(strcmp(again.text, name.text) == 0);
        return;
    }
    for (uint32_t size = WAL_SEGMENT_SIZE_MIN; size <= WAL_SEGMENT_SIZE_MAX; size *= 2)
        check_numbers(&name, size);
}

static void
check_lsn(const char *text, size_t length)
{
    char written[WAL_LSN_TEXT_SIZE];
    uint64_t lsn;
    uint64_t again;

    if (!wal_lsn_parse(text, length, &lsn))
        return;
    (void)wal_lsn_text(lsn, written);
    require(wal_lsn_parse(written, strlen(written), &again) && again == lsn);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_name((const char *)data, size);
    check_lsn((const char *)data, size);
    return 0;
}
