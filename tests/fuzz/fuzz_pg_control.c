/* SPDX-License-Identifier: PostgreSQL */
/* The checksum is made to match, or the fuzzer would never get behind it. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "wal/crc32c.h"
#include "wal/pg_control.h"
#include "wal/wal_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
require(bool property)
{
    if (!property)
        abort();
}

static void
check(const uint8_t *data, size_t size)
{
    struct pg_control control;
    struct err err = ERR_INIT;
    int result = pg_control_parse(data, size, &control, &err);

    if (result == PG_CONTROL_TORN) {
        require(err.kind == ERR_NONE);
        return;
    }
    if (result != 0) {
        require(result == -1 && err.kind == ERR_CORRUPT && err.text[0] != '\0');
        return;
    }
    require(size >= PG_CONTROL_MIN_SIZE && memcmp(data, &control.system_id, 8) == 0);
    require(control.system_id != 0 && control.timeline != 0);
    require(wal_segment_size_valid(control.segment_size));
    require(control.server_version == 0 ||
            (control.server_version >= 13 && control.server_version <= 18));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t crc_offsets[] = {288, 292};
    uint8_t sealed[PG_CONTROL_MIN_SIZE];

    check(data, size);
    if (size < sizeof(sealed))
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(crc_offsets); i++) {
        memcpy(sealed, data, sizeof(sealed));
        uint32_t crc = crc32c(0, sealed, crc_offsets[i]);
        memcpy(sealed + crc_offsets[i], &crc, sizeof(crc));
        check(sealed, sizeof(sealed));
    }
    return 0;
}
