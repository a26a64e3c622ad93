/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_record.h"

#include <string.h>

#define ID_MAIN_SHORT 255
#define ID_MAIN_LONG 254
#define ID_ORIGIN 253
#define ID_TOP_XID 252
#define TOP_XID_SINCE 14

#define BLOCK_FORK 0x0f
#define BLOCK_HAS_IMAGE 0x10
#define BLOCK_HAS_DATA 0x20
#define BLOCK_WILL_INIT 0x40
#define BLOCK_SAME_RELATION 0x80
#define FORK_MAX 3

#define IMAGE_HAS_HOLE 0x01
#define MANY_METHODS_SINCE 15 /* of compression; the bits moved with them */
#define IMAGE_APPLIES_13 0x04
#define IMAGE_COMPRESSED_13 0x02
#define IMAGE_APPLIES_15 0x02
#define IMAGE_COMPRESSED_15 0x1c /* pglz, lz4, zstd */

#define RELATION_PAGE_MIN 1024

#define INFO_OF_RMGR 0xf0
#define XLOG_SWITCH 0x40

#define RMGR_XLOG 0
#define RMGR_BUILTIN_MAX 21
#define RMGR_CUSTOM_MIN 128
#define RMGR_CUSTOM_SINCE 15

/*
 * The cursor of the hot path: millions of records a second go through it, so it is inlined, and it
 * reads in host order as cursor_*_host() do.
 */
struct view {
    const uint8_t *at;
    const uint8_t *end;
};

static inline bool
take(struct view *view, void *ret, size_t size)
{
    if ((size_t)(view->end - view->at) < size)
        return false;
    memcpy(ret, view->at, size);
    view->at += size;
    return true;
}

/* NULL, or what is wrong. */
static const char *
take_image(struct view *view, int version, struct wal_block *block)
{
    uint16_t sizes[2];
    uint8_t info;

    if (!take(view, sizes, sizeof(sizes)) || !take(view, &info, sizeof(info)))
        return "a page image's header is cut off";
    bool later = version >= MANY_METHODS_SINCE;
    bool compressed = (info & (later ? IMAGE_COMPRESSED_15 : IMAGE_COMPRESSED_13)) != 0;
    bool hole = (info & IMAGE_HAS_HOLE) != 0;

    block->image_size = sizes[0];
    block->hole_offset = sizes[1];
    block->hole_size = 0;
    block->image_info = info;
    block->image_applies = (info & (later ? IMAGE_APPLIES_15 : IMAGE_APPLIES_13)) != 0;
    if (compressed && hole) {
        if (!take(view, &block->hole_size, sizeof(block->hole_size)))
            return "a page image's header is cut off";
        if (block->hole_size == 0)
            return "a page image's hole is empty";
    }
    if (hole != (block->hole_offset != 0))
        return "a page image contradicts itself about its hole";
    if (block->image_size == 0)
        return "a page image is empty";
    if (!compressed && !hole &&
        (block->image_size < RELATION_PAGE_MIN ||
         (block->image_size & (block->image_size - 1)) != 0))
        return "a page image is no whole page";
    return NULL;
}

/* NULL, or what is wrong. A block of the same relation as the one before does not repeat it. */
static inline const char *
take_block(struct view *view, uint8_t id, struct wal_record *record)
{
    struct wal_block *block = &record->blocks[record->n_blocks];
    uint8_t flags;

    if (record->n_blocks > 0 && id <= block[-1].id)
        return "block references are out of order";
    block->image_size = 0;
    if (!take(view, &flags, sizeof(flags)) ||
        !take(view, &block->data_size, sizeof(block->data_size)))
        return "a block reference is cut off";
    if ((flags & BLOCK_FORK) > FORK_MAX)
        return "a block reference names no fork that there is";
    if (((flags & BLOCK_HAS_DATA) != 0) != (block->data_size != 0))
        return "a block reference contradicts itself about its data";
    block->id = id;
    block->fork = flags & BLOCK_FORK;
    block->will_init = (flags & BLOCK_WILL_INIT) != 0;
    block->has_image = (flags & BLOCK_HAS_IMAGE) != 0;
    if (block->has_image) {
        const char *why = take_image(view, record->version, block);

        if (why != NULL)
            return why;
    } else {
        block->image_applies = false;
        block->image_info = 0;
        block->hole_offset = 0;
        block->hole_size = 0;
    }
    if ((flags & BLOCK_SAME_RELATION) == 0) {
        if (!take(view, &block->relation, sizeof(block->relation)))
            return "a block reference is cut off";
    } else {
        if (record->n_blocks == 0)
            return "the first block reference leaves out its relation";
        block->relation = block[-1].relation;
    }
    if (!take(view, &block->block, sizeof(block->block)))
        return "a block reference is cut off";
    record->n_blocks++;
    return NULL;
}

/* What is neither a block nor main data. NULL, or what is wrong. */
static const char *
take_other(struct view *view, uint8_t id, struct wal_record *record)
{
    if (id == ID_ORIGIN)
        return take(view, &record->origin, sizeof(record->origin)) ? NULL : "the origin is cut off";
    if (id == ID_TOP_XID && record->version >= TOP_XID_SINCE)
        return take(view, &record->top_xid, sizeof(record->top_xid))
                   ? NULL
                   : "the top-level transaction is cut off";
    return "a part of the record is of an unknown kind";
}

static bool
take_main_size(struct view *view, uint8_t id, uint32_t *ret)
{
    uint8_t little;

    if (id == ID_MAIN_LONG)
        return take(view, ret, sizeof(*ret));
    if (!take(view, &little, sizeof(little)))
        return false;
    *ret = little;
    return true;
}

static void
read_header(const uint8_t *bytes, struct wal_record *ret)
{
    memcpy(&ret->size, bytes, sizeof(ret->size));
    memcpy(&ret->xid, bytes + 4, sizeof(ret->xid));
    memcpy(&ret->prev_lsn, bytes + 8, sizeof(ret->prev_lsn));
    ret->info = bytes[16];
    ret->rmgr = bytes[17];
    ret->top_xid = 0;
    ret->origin = 0;
    ret->n_blocks = 0;
    ret->main_size = 0;
}

static const char *
check_header(const struct wal_record *record)
{
    if (record->size < WAL_RECORD_HEADER_SIZE)
        return "the record is shorter than its header";
    if (record->rmgr > RMGR_BUILTIN_MAX &&
        (record->rmgr < RMGR_CUSTOM_MIN || record->version < RMGR_CUSTOM_SINCE))
        return "the record is of a resource manager that this version does not have";
    return NULL;
}

/* The parts up to the payloads. NULL, or what is wrong. */
static const char *
take_parts(struct view *view, const uint8_t *bytes, struct wal_record *record)
{
    uint64_t payloads = 0; /* of what was described so far */
    uint64_t left = record->size - WAL_RECORD_HEADER_SIZE;
    const char *why = NULL;
    bool over = false;

    while (!over && left > payloads) {
        uint8_t id;

        if (!take(view, &id, sizeof(id)))
            return "the description of its parts is cut off";
        if (id < WAL_BLOCKS_MAX) {
            why = take_block(view, id, record);
            if (why == NULL)
                payloads += (uint64_t)record->blocks[record->n_blocks - 1].image_size +
                            record->blocks[record->n_blocks - 1].data_size;
        } else if (id >= ID_MAIN_LONG) {
            over = true;
            if (!take_main_size(view, id, &record->main_size))
                return "the length of its main data is cut off";
            payloads += record->main_size;
        } else {
            why = take_other(view, id, record);
        }
        if (why != NULL)
            return why;
        left = record->size - (uint64_t)(view->at - bytes);
    }
    return left == payloads ? NULL : "the lengths of its parts do not add up";
}

int
wal_record_parse(const uint8_t *bytes, size_t available, int version, struct wal_record *ret,
                 const char **ret_why)
{
    const char *why = "the record's header is cut off";

    if (available >= WAL_RECORD_HEADER_SIZE) {
        read_header(bytes, ret);
        ret->version = version;
        available = MIN_OF(available, ret->size);
        why = check_header(ret);
        if (why == NULL) {
            struct view view = {.at = bytes + WAL_RECORD_HEADER_SIZE, .end = bytes + available};

            why = take_parts(&view, bytes, ret);
        }
    }
    if (why != NULL) {
        *ret_why = why;
        return WAL_RECORD_BAD;
    }
    size_t main_at = ret->size - ret->main_size;
    ret->main_available = (uint32_t)(available > main_at ? available - main_at : 0);
    ret->main_data = ret->main_available > 0 ? bytes + main_at : NULL;
    return 0;
}

bool
wal_record_is_switch(const struct wal_record *record)
{
    return record->rmgr == RMGR_XLOG && (record->info & INFO_OF_RMGR) == XLOG_SWITCH;
}
