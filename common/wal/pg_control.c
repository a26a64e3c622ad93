/* SPDX-License-Identifier: PostgreSQL */
#include "wal/pg_control.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/io.h"
#include "wal/crc32c.h"
#include "wal/wal_name.h"

/* Where the control file of one layout has what we read; the identifier and versions never move. */
struct layout {
    uint32_t control_version;
    size_t timeline; /* checkPointCopy.ThisTimeLineID */
    size_t segment_size;
    size_t crc; /* over all bytes before it */
};

static const struct layout layouts[] = {
    {.control_version = 1300, .timeline = 48, .segment_size = 228, .crc = 288},
    {.control_version = 1700, .timeline = 48, .segment_size = 228, .crc = 288},
    {.control_version = 1800, .timeline = 48, .segment_size = 228, .crc = 292},
};

static const struct {
    uint32_t control_version;
    uint32_t catalog_version;
    int server_version;
} releases[] = {
    {1300, 202007201, 13}, {1300, 202107181, 14}, {1300, 202209061, 15},
    {1300, 202307071, 16}, {1700, 202406281, 17}, {1800, 202506291, 18},
};

static const struct layout *
find_layout(uint32_t control_version)
{
    for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
        if (layouts[i].control_version == control_version)
            return &layouts[i];
    }
    return NULL;
}

static int
find_server_version(const struct pg_control *control)
{
    for (size_t i = 0; i < ARRAY_SIZE(releases); i++) {
        if (releases[i].control_version == control->control_version &&
            releases[i].catalog_version == control->catalog_version)
            return releases[i].server_version;
    }
    return 0;
}

static int
unknown_version(uint32_t version, struct err *err)
{
    /* Versions are far below 65536, so a swapped one has nothing but its upper half. */
    if (version != 0 && version % 65536 == 0)
        return err_set(err, ERR_CORRUPT,
                       "pg_control was written on a machine of the other byte order "
                       "(its version reads %" PRIu32 ")",
                       version);
    (void)err_set(err, ERR_CORRUPT,
                  "pg_control has version %" PRIu32 ", wanted one of PostgreSQL 13 to 18 "
                  "(1300, 1700, 1800)",
                  version);
    return err_hint(err, "The server is older or newer than this version of Seawall knows, or "
                         "the file is damaged; see what pg_controldata says.");
}

static uint32_t
u32_at(const void *bytes, size_t size, size_t offset)
{
    struct cursor cursor;

    cursor_init(&cursor, bytes, size);
    (void)cursor_bytes(&cursor, offset);
    return cursor_u32_host(&cursor);
}

/* The checksum holds, so these are what the server wrote; none of it may be nonsense all the same.
 */
static int
check_values(const struct pg_control *control, struct err *err)
{
    if (control->system_id == 0)
        return err_set(err, ERR_CORRUPT, "pg_control has the system identifier 0");
    if (!wal_segment_size_valid(control->segment_size))
        return err_set(err, ERR_CORRUPT,
                       "pg_control names an impossible WAL segment size: %" PRIu32
                       " bytes, wanted a power of two from %" PRIu32 " to %" PRIu32,
                       control->segment_size, WAL_SEGMENT_SIZE_MIN, WAL_SEGMENT_SIZE_MAX);
    if (control->timeline == 0)
        return err_set(err, ERR_CORRUPT, "pg_control names timeline 0");
    return 0;
}

int
pg_control_parse(const void *bytes, size_t size, struct pg_control *ret, struct err *err)
{
    struct cursor cursor;

    if (size < PG_CONTROL_MIN_SIZE)
        return err_set(err, ERR_CORRUPT, "pg_control has %zu bytes, wanted at least %d", size,
                       PG_CONTROL_MIN_SIZE);
    cursor_init(&cursor, bytes, size);
    struct pg_control control = {.system_id = cursor_u64_host(&cursor)};
    control.control_version = cursor_u32_host(&cursor);
    control.catalog_version = cursor_u32_host(&cursor);

    const struct layout *layout = find_layout(control.control_version);
    if (layout == NULL)
        return unknown_version(control.control_version, err);
    if (crc32c(0, bytes, layout->crc) != u32_at(bytes, size, layout->crc))
        return PG_CONTROL_TORN;
    control.timeline = u32_at(bytes, size, layout->timeline);
    control.segment_size = u32_at(bytes, size, layout->segment_size);
    control.server_version = find_server_version(&control);
    if (check_values(&control, err) < 0)
        return -1;
    *ret = control;
    return 0;
}
