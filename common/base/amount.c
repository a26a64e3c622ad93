/* SPDX-License-Identifier: PostgreSQL */
#include "base/amount.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/macros.h"

const char *
amount_text(uint64_t bytes, char *text)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    size_t unit = 0;
    uint64_t tenths = bytes;

    if (bytes < KIB) {
        (void)snprintf(text, AMOUNT_SIZE, "%" PRIu64 " bytes", bytes);
        return text;
    }
    for (; tenths >= KIB * KIB; tenths /= KIB)
        unit++;
    tenths = tenths * 10 / KIB;
    unit++;
    (void)snprintf(text, AMOUNT_SIZE, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
                   units[unit]);
    return text;
}
