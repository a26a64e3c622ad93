/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_page.h"

#include <inttypes.h>

#include "base/io.h"

static const struct {
    uint16_t magic;
    int version;
} magics[] = {
    {0xD106, 13}, {0xD10D, 14}, {0xD110, 15}, {0xD113, 16}, {0xD116, 17}, {0xD118, 18},
};

/* Not supported, but a message can say what they are. */
static const struct {
    uint16_t magic;
    const char *version;
} foreign_magics[] = {
    {0xD097, "10"},
    {0xD098, "11"},
    {0xD101, "12"},
    {0xD120, "19 beta"},
};

bool
wal_page_read_header(const void *bytes, size_t size, struct wal_page_header *ret)
{
    struct cursor cursor;
    struct wal_page_header header;

    cursor_init(&cursor, bytes, size);
    header.magic = cursor_u16_host(&cursor);
    header.info = cursor_u16_host(&cursor);
    header.timeline = cursor_u32_host(&cursor);
    header.address = cursor_u64_host(&cursor);
    header.remaining = cursor_u32_host(&cursor);
    (void)cursor_u32_host(&cursor); /* alignment */
    header.system_id = cursor_u64_host(&cursor);
    header.segment_size = cursor_u32_host(&cursor);
    header.page_size = cursor_u32_host(&cursor);
    if (cursor.failed)
        return false;
    *ret = header;
    return true;
}

int
wal_page_version(uint16_t magic)
{
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        if (magics[i].magic == magic)
            return magics[i].version;
    }
    return 0;
}

static int
unknown_magic(uint16_t magic, const struct wal_name *name, struct err *err)
{
    uint16_t swapped = (uint16_t)(magic >> 8 | magic << 8);

    for (size_t i = 0; i < ARRAY_SIZE(foreign_magics); i++) {
        if (foreign_magics[i].magic == magic)
            return err_set(err, ERR_CORRUPT,
                           "WAL file \"%s\" was written by PostgreSQL %s, which is not supported "
                           "(magic number %04" PRIX16 "; wanted PostgreSQL %d to %d)",
                           name->text, foreign_magics[i].version, magic, magics[0].version,
                           magics[ARRAY_SIZE(magics) - 1].version);
    }
    if (wal_page_version(swapped) != 0)
        return err_set(err, ERR_CORRUPT,
                       "WAL file \"%s\" was written on a machine of the other byte order "
                       "(magic number %04" PRIX16 ", wanted %04" PRIX16 ")",
                       name->text, magic, swapped);
    (void)err_set(err, ERR_CORRUPT,
                  "\"%s\" does not begin like a WAL file: its magic number is %04" PRIX16
                  ", wanted %04" PRIX16 " (PostgreSQL %d) to %04" PRIX16 " (PostgreSQL %d)",
                  name->text, magic, magics[0].magic, magics[0].version,
                  magics[ARRAY_SIZE(magics) - 1].magic, magics[ARRAY_SIZE(magics) - 1].version);
    return err_hint(err, "The file is damaged or not WAL, or its PostgreSQL is newer than this "
                         "version of Seawall knows.");
}

static int
check_origin(const struct wal_page_header *header, const struct wal_name *name, uint64_t system_id,
             struct err *err)
{
    if (wal_page_version(header->magic) == 0)
        return unknown_magic(header->magic, name, err);
    if ((header->info & WAL_PAGE_LONG_HEADER) == 0)
        return err_set(
            err, ERR_CORRUPT,
            "WAL file \"%s\" does not begin with a segment's first page: flags %04" PRIX16
            " of its first page lack %04X",
            name->text, header->info, (unsigned)WAL_PAGE_LONG_HEADER);
    if ((header->info & ~WAL_PAGE_FLAGS_KNOWN) != 0)
        return err_set(err, ERR_CORRUPT,
                       "WAL file \"%s\" has unknown flags %04" PRIX16
                       " on its first page, wanted none but %04X",
                       name->text, header->info, (unsigned)WAL_PAGE_FLAGS_KNOWN);
    if (header->system_id != system_id) {
        (void)err_set(err, ERR_CORRUPT,
                      "WAL file \"%s\" is of another server: its system identifier is %" PRIu64
                      ", this server's is %" PRIu64,
                      name->text, header->system_id, system_id);
        return err_hint(err, "Look whether the file was copied here from another server, or "
                             "remained from before initdb, pg_upgrade or pg_resetwal.");
    }
    return 0;
}

static int
check_sizes(const struct wal_page_header *header, const struct wal_name *name, uint64_t file_size,
            struct err *err)
{
    uint32_t page_size = header->page_size;

    if (!wal_segment_size_valid(header->segment_size))
        return err_set(err, ERR_CORRUPT,
                       "WAL file \"%s\" names an impossible segment size: %" PRIu32
                       " bytes, wanted a power of two from %" PRIu32 " to %" PRIu32,
                       name->text, header->segment_size, WAL_SEGMENT_SIZE_MIN,
                       WAL_SEGMENT_SIZE_MAX);
    if (page_size < WAL_PAGE_SIZE_MIN || page_size > WAL_PAGE_SIZE_MAX ||
        (page_size & (page_size - 1)) != 0)
        return err_set(err, ERR_CORRUPT,
                       "WAL file \"%s\" names an impossible page size: %" PRIu32
                       " bytes, wanted a power of two from %d to %d",
                       name->text, page_size, WAL_PAGE_SIZE_MIN, WAL_PAGE_SIZE_MAX);
    if (header->segment_size != file_size) {
        (void)err_set(err, ERR_LOCAL,
                      "WAL file \"%s\" has %" PRIu64 " bytes, but its segment size is %" PRIu32,
                      name->text, file_size, header->segment_size);
        return err_hint(err, "Look whether the file was truncated or its copy was interrupted.");
    }
    if (!wal_name_fits(name, header->segment_size))
        return err_set(err, ERR_CORRUPT,
                       "there is no WAL file \"%s\" with segments of %" PRIu32
                       " bytes: its last eight digits are %08" PRIX32 ", wanted at most %08" PRIX32,
                       name->text, header->segment_size, name->seg,
                       (uint32_t)(((uint64_t)1 << 32) / header->segment_size - 1));
    return 0;
}

static int
check_place(const struct wal_page_header *header, const struct wal_name *name, struct err *err)
{
    uint64_t start = wal_name_start_lsn(name, header->segment_size);
    char found[WAL_LSN_TEXT_SIZE];
    char wanted[WAL_LSN_TEXT_SIZE];

    if (header->address != start) {
        (void)err_set(err, ERR_CORRUPT, "page address %s does not belong to segment \"%s\" (%s)",
                      wal_lsn_text(header->address, found), name->text,
                      wal_lsn_text(start, wanted));
        return err_hint(err, "The file is another segment's content under this name: a recycled "
                             "segment that was never filled, or a mistaken copy.");
    }
    if (header->timeline == 0 || header->timeline > name->timeline)
        return err_set(err, ERR_CORRUPT,
                       "timeline %" PRIu32 " of the first page does not belong to segment \"%s\": "
                       "wanted 1 to %" PRIu32,
                       header->timeline, name->text, name->timeline);
    return 0;
}

int
wal_page_check_segment(const struct wal_page_header *header, const struct wal_name *name,
                       uint64_t system_id, uint64_t file_size, struct err *err)
{
    if (check_origin(header, name, system_id, err) < 0)
        return -1;
    if (check_sizes(header, name, file_size, err) < 0)
        return -1;
    return check_place(header, name, err);
}
