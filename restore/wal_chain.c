/* SPDX-License-Identifier: PostgreSQL */
#include "restore/wal_chain.h"

#include <inttypes.h>
#include <string.h>

#include "base/io.h"

#define SHORT_PART 16 /* magic, flags, timeline, address */

void
wal_chain_init(struct wal_chain *chain, const struct wal_name *name, uint64_t system_id,
               uint64_t file_size)
{
    *chain = (struct wal_chain){
        .name = name,
        .system_id = system_id,
        .file_size = file_size,
        .first_only = name->kind != WAL_NAME_SEGMENT,
    };
}

static int
check_first(struct wal_chain *chain, struct err *err)
{
    struct wal_name segment = *chain->name;

    segment.kind = WAL_NAME_SEGMENT;
    if (!wal_page_read_header(chain->header, chain->n_header, &chain->first) ||
        wal_page_check_segment(&chain->first, &segment, chain->system_id, chain->file_size, err) <
            0) {
        err->kind = ERR_CORRUPT;
        return -1;
    }
    return 0;
}

static int
check_page(struct wal_chain *chain, uint64_t at, struct err *err)
{
    static const uint8_t nothing[SHORT_PART] = {0};
    struct cursor cursor;

    if (memcmp(chain->header, nothing, SHORT_PART) == 0) {
        chain->zero = true;
        return 0;
    }
    cursor_init(&cursor, chain->header, chain->n_header);
    uint16_t magic = cursor_u16_host(&cursor);
    (void)cursor_u16_host(&cursor);
    (void)cursor_u32_host(&cursor);
    uint64_t address = cursor_u64_host(&cursor);
    if (magic == chain->first.magic && address == chain->first.address + at)
        return 0;
    return err_set(err, ERR_CORRUPT,
                   "WAL file \"%s\": the page at offset %" PRIu64 " has magic %04" PRIX16
                   " and address %" PRIX64 ", wanted %04" PRIX16 " and %" PRIX64,
                   chain->name->text, at, magic, address, chain->first.magic,
                   chain->first.address + at);
}

static int
check_zero(const struct wal_chain *chain, const uint8_t *bytes, size_t size, struct err *err)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return err_set(err, ERR_CORRUPT,
                           "WAL file \"%s\": the page at offset %" PRIu64
                           " is not zero, and one before it is",
                           chain->name->text,
                           (chain->offset + i) / chain->first.page_size * chain->first.page_size);
    return 0;
}

int
wal_chain_add(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    struct wal_chain *chain = context;

    while (size > 0) {
        bool first = chain->offset < WAL_LONG_HEADER_SIZE;
        uint64_t page_size = first ? WAL_PAGE_SIZE_DEFAULT : chain->first.page_size;
        uint64_t within = chain->offset % page_size;
        size_t wanted = first ? WAL_LONG_HEADER_SIZE : SHORT_PART;
        size_t piece = 0;

        if (chain->zero || (chain->first_only && !first)) {
            if (chain->zero && check_zero(chain, bytes, size, err) < 0)
                return -1;
            chain->offset += size;
            return 0;
        }
        if (within < wanted) {
            piece = MIN_OF(size, wanted - (size_t)within);
            memcpy(chain->header + within, bytes, piece);
            chain->n_header = (size_t)within + piece;
            chain->offset += piece;
            if (chain->n_header == wanted &&
                (first ? check_first(chain, err)
                       : check_page(chain, chain->offset - wanted, err)) < 0)
                return -1;
        } else {
            piece = MIN_OF(size, (size_t)(page_size - within));
            chain->offset += piece;
        }
        bytes += piece;
        size -= piece;
    }
    return 0;
}

int
wal_chain_finish(const struct wal_chain *chain, struct err *err)
{
    if (chain->offset != chain->file_size || chain->offset < WAL_LONG_HEADER_SIZE)
        return err_set(err, ERR_CORRUPT, "WAL file \"%s\" has %" PRIu64 " bytes",
                       chain->name->text, chain->offset);
    return 0;
}
