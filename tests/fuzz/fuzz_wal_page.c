/* SPDX-License-Identifier: PostgreSQL */
/* The input is a page, then (8 bytes each) the server's identifier and the file's size, then a
 * name. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wal/wal_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

static uint64_t
u64_at(const uint8_t *data, size_t size, size_t offset)
{
    uint64_t value = 0;

    if (size >= offset + sizeof(value))
        memcpy(&value, data + offset, sizeof(value));
    return value;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t name_at = WAL_LONG_HEADER_SIZE + 16;
    struct wal_page_header header;
    struct wal_name name;
    struct err err = ERR_INIT;

    if (!wal_page_read_header(data, size, &header)) {
        require(size < WAL_LONG_HEADER_SIZE);
        return 0;
    }
    uint64_t system_id = u64_at(data, size, WAL_LONG_HEADER_SIZE);
    uint64_t file_size = u64_at(data, size, WAL_LONG_HEADER_SIZE + 8);
    if (size < name_at || !wal_name_parse((const char *)data + name_at, size - name_at, &name))
        wal_name_of_segment(1, 7, 1 << 24, &name);

    if (wal_page_check_segment(&header, &name, system_id, file_size, &err) != 0) {
        require((err.kind == ERR_CORRUPT || err.kind == ERR_LOCAL) && err.text[0] != '\0');
        return 0;
    }
    require(wal_page_version(header.magic) >= 13 && header.system_id == system_id);
    require(wal_segment_size_valid(file_size) && header.segment_size == file_size);
    require(wal_name_fits(&name, header.segment_size));
    require(header.address == wal_name_start_lsn(&name, header.segment_size));
    require(header.timeline > 0 && header.timeline <= name.timeline);
    return 0;
}
