/* SPDX-License-Identifier: PostgreSQL */
/*
 * rmgr_module.c: a module for the servers of tests (shared_preload_libraries) that registers two
 * resource managers, of the first and of the last number an extension may have.
 *
 *     seawall_rmgr_write(rmgr, info, relation, first, blocks, how, seed, size) -> end of the record
 *
 * writes one record: `size` bytes made of `seed`, and so many pages of the relation from `first`
 * on, which get a content made of `seed` too. `how`: 0 pages are new, and made anew by redo; 1 they
 * are in the record as images; 2 they exist and are changed, in the record if the server wants it.
 * Redo proves every byte and page, and says at its end how much that was. Nobody may read the
 * relation as a table.
 */
#include <postgres.h>

#include <access/bufmask.h>
#include <access/relation.h>
#include <access/xlog.h>
#include <access/xlog_internal.h>
#include <access/xlogutils.h>
#include <access/xloginsert.h>
#include <access/xlogreader.h>
#include <fmgr.h>
#include <miscadmin.h>
#include <storage/bufmgr.h>
#include <storage/bufpage.h>
#include <utils/pg_lsn.h>
#include <utils/rel.h>

PG_MODULE_MAGIC;

#define PAGES_MAX (XLR_MAX_BLOCK_ID + 1)

enum how { NEW_PAGES, AS_IMAGES, CHANGED };

struct order {
    uint32 seed;
    uint32 size;
};

struct written {
    int rmgr;
    int info;
    int first;
    int blocks;
    enum how how;
    struct order order;
};

static uint64 n_records;
static uint64 n_bytes;
static uint64 n_pages;

extern PGDLLEXPORT void _PG_init(void);
extern PGDLLEXPORT Datum seawall_rmgr_write(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(seawall_rmgr_write);

/* Half of it can be compressed. */
static uint8
byte_of(uint32 seed, uint32 place)
{
    uint32 mixed = (seed + (place & 1 ? place : 1)) * 2654435761U;

    return (uint8)(mixed >> 24);
}

static void
fill_page(Page page, uint32 seed)
{
    uint32 length = 2000 + seed % 5000;

    PageInit(page, BLCKSZ, 0);
    for (uint32 i = 0; i < length; i++)
        page[SizeOfPageHeaderData + i] = (char)byte_of(seed, i);
    ((PageHeader)page)->pd_lower = (LocationIndex)(SizeOfPageHeaderData + length);
}

static void
prove_page(Page page, uint32 seed, BlockNumber block)
{
    PGAlignedBlock want;

    fill_page(want.data, seed);
    PageSetLSN(want.data, PageGetLSN(page));
    ((PageHeader)want.data)->pd_checksum = ((PageHeader)page)->pd_checksum;
    if (memcmp(want.data, page, BLCKSZ) != 0)
        elog(PANIC, "seawall_rmgr: block %u is not what was written", block);
}

static void
redo_page(XLogReaderState *record, uint8 id)
{
    const DecodedBkpBlock *block = XLogRecGetBlock(record, id);
    Buffer buffer;
    uint32 seed;
    Size size;
    XLogRedoAction action;
    char *data = XLogRecGetBlockData(record, id, &size);

    if (data == NULL || size != sizeof(seed))
        elog(PANIC, "seawall_rmgr: a block of a record lacks its data");
    memcpy(&seed, data, sizeof(seed));
    if (block->flags & BKPBLOCK_WILL_INIT) {
        buffer = XLogInitBufferForRedo(record, id);
        action = BLK_NEEDS_REDO;
    } else {
        action = XLogReadBufferForRedo(record, id, &buffer);
    }
    if (action == BLK_NEEDS_REDO) {
        fill_page(BufferGetPage(buffer), seed);
        PageSetLSN(BufferGetPage(buffer), record->EndRecPtr);
        MarkBufferDirty(buffer);
    }
    if (action == BLK_NEEDS_REDO || action == BLK_RESTORED)
        prove_page(BufferGetPage(buffer), seed, block->blkno);
    if (BufferIsValid(buffer))
        UnlockReleaseBuffer(buffer);
    n_pages++;
}

static void
redo(XLogReaderState *record)
{
    struct order order;
    const char *data = XLogRecGetData(record);

    if (XLogRecGetDataLen(record) < sizeof(order))
        elog(PANIC, "seawall_rmgr: a record of %u bytes", XLogRecGetDataLen(record));
    memcpy(&order, data, sizeof(order));
    if (XLogRecGetDataLen(record) - sizeof(order) != order.size)
        elog(PANIC, "seawall_rmgr: a record of another size");
    for (uint32 i = 0; i < order.size; i++) {
        if ((uint8)data[sizeof(order) + i] != byte_of(order.seed, i))
            elog(PANIC, "seawall_rmgr: byte %u of a record is not what was written", i);
    }
    for (int id = 0; id <= XLogRecMaxBlockId(record); id++)
        redo_page(record, (uint8)id);
    n_records++;
    n_bytes += order.size;
}

static void
describe(StringInfo text, XLogReaderState *record)
{
    appendStringInfo(text, "%u bytes", XLogRecGetDataLen(record));
}

static const char *
identify(uint8 info)
{
    return (info & XLR_INFO_MASK) == 0 ? "WRITTEN" : NULL;
}

static void
report(void)
{
    if (n_records > 0)
        elog(LOG, "seawall_rmgr: " UINT64_FORMAT " records, " UINT64_FORMAT " bytes, " UINT64_FORMAT
                  " pages proven",
             n_records, n_bytes, n_pages);
    n_records = 0;
}

static void
mask(char *page, BlockNumber block)
{
    (void)block;
    mask_page_lsn_and_checksum(page);
}

void
_PG_init(void)
{
    static RmgrData first = {.rm_name = "seawall_first", .rm_redo = redo, .rm_desc = describe,
                             .rm_identify = identify, .rm_cleanup = report, .rm_mask = mask};
    static RmgrData last = {.rm_name = "seawall_last", .rm_redo = redo, .rm_desc = describe,
                            .rm_identify = identify, .rm_mask = mask};

    if (!process_shared_preload_libraries_in_progress)
        return;
    RegisterCustomRmgr(RM_MIN_CUSTOM_ID, &first);
    RegisterCustomRmgr(RM_MAX_CUSTOM_ID, &last);
}

static void
lock_pages(Relation relation, const struct written *what, Buffer *buffers)
{
    for (int i = 0; i < what->blocks; i++) {
        BlockNumber block = (BlockNumber)(what->first + i);

        while (RelationGetNumberOfBlocks(relation) <= block)
            ReleaseBuffer(ReadBuffer(relation, P_NEW));
        buffers[i] = ReadBuffer(relation, block);
        LockBuffer(buffers[i], BUFFER_LOCK_EXCLUSIVE);
        if (what->how == CHANGED && PageIsNew(BufferGetPage(buffers[i])))
            elog(ERROR, "block %u was not written before", block);
    }
}

static XLogRecPtr
insert(const struct written *what, char *data, Buffer *buffers)
{
    static const uint8 flags[] = {
        [NEW_PAGES] = REGBUF_WILL_INIT | REGBUF_STANDARD,
        [AS_IMAGES] = REGBUF_FORCE_IMAGE | REGBUF_KEEP_DATA | REGBUF_STANDARD,
        [CHANGED] = REGBUF_KEEP_DATA | REGBUF_STANDARD,
    };
    uint32 seeds[PAGES_MAX];

    XLogEnsureRecordSpace(Max(what->blocks - 1, 0), what->blocks + 1);
    START_CRIT_SECTION();
    for (int i = 0; i < what->blocks; i++) {
        seeds[i] = what->order.seed + (uint32)i;
        fill_page(BufferGetPage(buffers[i]), seeds[i]);
        MarkBufferDirty(buffers[i]);
    }
    XLogBeginInsert();
    XLogRegisterData(data, (int)(sizeof(what->order) + what->order.size));
    for (int i = 0; i < what->blocks; i++) {
        XLogRegisterBuffer((uint8)i, buffers[i], flags[what->how]);
        XLogRegisterBufData((uint8)i, (char *)&seeds[i], sizeof(seeds[i]));
    }
    XLogRecPtr end = XLogInsert((RmgrId)what->rmgr, (uint8)what->info);
    for (int i = 0; i < what->blocks; i++)
        PageSetLSN(BufferGetPage(buffers[i]), end);
    END_CRIT_SECTION();
    return end;
}

Datum
seawall_rmgr_write(PG_FUNCTION_ARGS)
{
    const struct written what = {
        .rmgr = PG_GETARG_INT32(0),
        .info = PG_GETARG_INT32(1),
        .first = PG_GETARG_INT32(3),
        .blocks = PG_GETARG_INT32(4),
        .how = (enum how)PG_GETARG_INT32(5),
        .order = {.seed = (uint32)PG_GETARG_INT32(6), .size = (uint32)PG_GETARG_INT32(7)},
    };
    Buffer buffers[PAGES_MAX];
    Relation relation = NULL;

    if ((what.rmgr != RM_MIN_CUSTOM_ID && what.rmgr != RM_MAX_CUSTOM_ID) || what.blocks < 0 ||
        what.blocks > PAGES_MAX || what.first < 0 || (what.info & XLR_INFO_MASK) != 0)
        elog(ERROR, "seawall_rmgr_write() cannot do that");
    char *data = palloc(sizeof(what.order) + what.order.size);
    memcpy(data, &what.order, sizeof(what.order));
    for (uint32 i = 0; i < what.order.size; i++)
        data[sizeof(what.order) + i] = (char)byte_of(what.order.seed, i);
    if (what.blocks > 0) {
        relation = relation_open(PG_GETARG_OID(2), AccessExclusiveLock);
        lock_pages(relation, &what, buffers);
    }
    XLogRecPtr end = insert(&what, data, buffers);
    for (int i = 0; i < what.blocks; i++)
        UnlockReleaseBuffer(buffers[i]);
    if (relation != NULL)
        relation_close(relation, NoLock);
    PG_RETURN_LSN(end);
}
