/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_indexer.h"

#include <stdlib.h>
#include <string.h>

#include "wal/wal_index_end.h"
#include "wal/wal_index_event.h"
#include "wal/wal_index_write.h"
#include "wal/wal_page.h"

#define BLOCKS_MAX ((size_t)1 << 20)
#define XID_RUNS_MAX 131072

#define FORK_MAIN 0
#define FORK_FREE_SPACE 1
#define FORK_MAP 2
#define TRUNCATES_MAIN 1
#define TRUNCATES_MAP 2

#define PG_TABLESPACE 1213
#define PG_TYPE 1247
#define PG_CLASS 1259
#define PG_DATABASE 1262

/* What records add up to. */
struct collection {
    struct wal_tally tally;
    struct wal_relation_table relations;
    struct wal_block_set blocks;
    struct wal_transactions transactions;
    struct wal_xid_runs committed;
    struct wal_xid_runs aborted;
    struct wal_output events;
    struct wal_output ends;
    uint64_t event_lsn;
    struct wal_index_end_before end_before;
    unsigned missing;
};

struct wal_indexer {
    struct wal_reader *reader;
    struct collection collection;
    uint8_t header[WAL_LONG_HEADER_SIZE]; /* of the first page */
    size_t header_size;
};

static void
collection_init(struct collection *all)
{
    wal_tally_init(&all->tally);
    wal_relation_table_init(&all->relations, WAL_INDEX_RELATIONS_MAX);
    wal_block_set_init(&all->blocks, BLOCKS_MAX);
    wal_transactions_init(&all->transactions);
    wal_xid_runs_init(&all->committed, XID_RUNS_MAX);
    wal_xid_runs_init(&all->aborted, XID_RUNS_MAX);
    all->events = WAL_OUTPUT_INIT(WAL_INDEX_EVENTS_SIZE_MAX);
    all->ends = WAL_OUTPUT_INIT(WAL_INDEX_ENDS_SIZE_MAX);
    all->event_lsn = 0;
    all->end_before = (struct wal_index_end_before){.lsn = 0};
    all->missing = 0;
}

static void
collection_done(struct collection *all)
{
    wal_tally_done(&all->tally);
    wal_relation_table_done(&all->relations);
    wal_block_set_done(&all->blocks);
    wal_transactions_done(&all->transactions);
    wal_xid_runs_done(&all->committed);
    wal_xid_runs_done(&all->aborted);
    wal_output_done(&all->events);
    wal_output_done(&all->ends);
}

DEFINE_CLEANUP(collection, struct collection, collection_done);

/* Its number; a relation for which there is no room makes what is said of blocks incomplete. */
static uint32_t
number_of(struct collection *all, const struct wal_relation *relation)
{
    uint32_t number = wal_relation_table_number(&all->relations, relation);

    if (number == WAL_RELATION_NONE)
        all->missing |= WAL_INDEX_NO_BLOCKS;
    return number;
}

static void
collect_blocks(struct collection *all, const struct wal_record *record)
{
    uint32_t map[2];

    for (uint8_t i = 0; i < record->n_blocks; i++) {
        const struct wal_block *block = &record->blocks[i];

        if (block->fork == FORK_FREE_SPACE || block->fork >= WAL_RELATION_FORKS)
            continue;
        uint32_t number = number_of(all, &block->relation);
        if (number != WAL_RELATION_NONE)
            wal_block_set_add(&all->blocks, wal_block_key(number, block->fork, block->block));
    }
    size_t n = wal_facts_map_blocks(record, map);
    if (n == 0)
        return;
    uint32_t number = number_of(all, &record->blocks[0].relation);
    for (size_t i = 0; i < n && number != WAL_RELATION_NONE; i++)
        wal_block_set_add(&all->blocks, wal_block_key(number, FORK_MAP, map[i]));
}

/* Old content of these forks is void. */
static void
collect_limits(struct collection *all, const struct wal_fact *fact)
{
    uint32_t number = number_of(all, &fact->storage.relation);
    uint32_t block = fact->storage.block;

    if (number == WAL_RELATION_NONE)
        return;
    if (fact->kind == WAL_FACT_CREATE) {
        wal_relation_table_limit(&all->relations, number, fact->storage.fork, 0);
        return;
    }
    if ((fact->storage.flags & TRUNCATES_MAIN) != 0)
        wal_relation_table_limit(&all->relations, number, FORK_MAIN, block);
    if ((fact->storage.flags & TRUNCATES_MAP) == 0)
        return;
    uint32_t kept = block / WAL_HEAP_BLOCKS_PER_VM_BLOCK;
    if (block % WAL_HEAP_BLOCKS_PER_VM_BLOCK != 0) {
        /* The end of its last page is cleared. */
        wal_block_set_add(&all->blocks, wal_block_key(number, FORK_MAP, kept));
        kept++;
    }
    wal_relation_table_limit(&all->relations, number, FORK_MAP, kept);
}

static void
collect_storage(struct collection *all, const struct wal_record *record,
                const struct wal_fact *fact)
{
    struct wal_transactions *transactions = &all->transactions;
    bool create = fact->kind == WAL_FACT_CREATE;

    collect_limits(all, fact);
    uint32_t number = number_of(all, &fact->storage.relation);
    uint32_t who = wal_transactions_touch(transactions, record->xid, record->lsn);
    if (who == WAL_NOBODY)
        return;
    if (number == WAL_RELATION_NONE) {
        transactions->incomplete = true;
        return;
    }
    struct wal_transaction *transaction = wal_transactions_at(transactions, who);
    struct wal_storage_item item = {
        .relation = number,
        .block = fact->storage.block,
        .kind = (create ? fact->storage.fork : fact->storage.flags) & 0xFF,
        .lsn = record->lsn,
    };
    transaction->notable = true;
    wal_transactions_store(transactions,
                           create ? &transaction->creates : &transaction->truncates, &item);
}

static void
collect_locks(struct collection *all, const struct wal_record *record, const struct wal_list *locks)
{
    struct wal_transactions *transactions = &all->transactions;

    for (uint32_t i = 0; i < locks->n; i++) {
        struct wal_lock lock = wal_fact_lock(locks, i);
        uint32_t who = wal_transactions_touch(transactions, lock.xid, record->lsn);

        if (who == WAL_NOBODY)
            return;
        struct wal_transaction *transaction = wal_transactions_at(transactions, who);
        transaction->notable = true;
        wal_transactions_name(transactions, &transaction->locks, lock.database, lock.oid);
    }
    if (locks->n < locks->stated)
        transactions->incomplete = true;
}

static void
collect_emptied(struct collection *all, const struct wal_record *record,
                const struct wal_fact *fact)
{
    struct wal_transactions *transactions = &all->transactions;
    const struct wal_list *oids = &fact->heap_truncate.oids;
    uint32_t who = wal_transactions_touch(transactions, record->xid, record->lsn);

    if (who == WAL_NOBODY)
        return;
    struct wal_transaction *transaction = wal_transactions_at(transactions, who);
    transaction->notable = true;
    for (uint32_t i = 0; i < oids->n; i++)
        wal_transactions_name(transactions, &transaction->emptied, fact->heap_truncate.database,
                              wal_fact_u32(oids, i));
    if (oids->n < oids->stated)
        transactions->incomplete = true;
}

static void
collect_assignment(struct collection *all, const struct wal_fact *fact)
{
    const struct wal_list *subxids = &fact->assignment.subxids;

    for (uint32_t i = 0; i < subxids->n; i++)
        wal_transactions_assign(&all->transactions, wal_fact_u32(subxids, i),
                                fact->assignment.top_xid);
}

/* Deleting from these is what tells dropping from rewriting. */
static bool
tells_of_drop(const struct wal_relation *relation)
{
    return relation->number == PG_CLASS || relation->number == PG_TYPE ||
           relation->number == PG_DATABASE || relation->number == PG_TABLESPACE;
}

static enum wal_row_count
row_count(enum wal_fact_kind kind)
{
    static const uint8_t counts[WAL_FACT_HEAP_TRUNCATE + 1] = {
        [WAL_FACT_INSERT] = WAL_ROW_INSERTED, [WAL_FACT_LOAD] = WAL_ROW_LOADED,
        [WAL_FACT_UPDATE] = WAL_ROW_UPDATED,  [WAL_FACT_DELETE] = WAL_ROW_DELETED,
        [WAL_FACT_MOVE] = WAL_ROW_MOVED,      [WAL_FACT_PAGES] = WAL_ROW_PAGES,
    };

    return (enum wal_row_count)counts[kind];
}

static void
collect_rows(struct collection *all, const struct wal_record *record, const struct wal_fact *fact)
{
    struct wal_transactions *transactions = &all->transactions;
    const struct wal_relation *relation = &record->blocks[0].relation;

    wal_tally_rows(&all->tally, fact->kind, fact->rows.n);
    /* An element of the index without any row would not be read again. */
    if (record->xid == 0 || fact->rows.n == 0)
        return;
    uint32_t number = number_of(all, relation);
    uint32_t who = wal_transactions_touch(transactions, record->xid, record->lsn);
    if (who == WAL_NOBODY || number == WAL_RELATION_NONE) {
        transactions->incomplete = true;
        return;
    }
    wal_transactions_count(transactions, who, number, row_count(fact->kind), fact->rows.n);
    if (fact->kind == WAL_FACT_DELETE && tells_of_drop(relation))
        wal_transactions_at(transactions, who)->notable = true;
}

/* Events of a transaction make its end worth keeping. */
static void
collect_event(struct collection *all, const struct wal_record *record, const struct wal_fact *fact)
{
    size_t size = all->events.buf.size;

    if ((all->missing & WAL_INDEX_NO_EVENTS) != 0 ||
        !wal_index_event_write(&all->events, record, fact, &all->event_lsn))
        return;
    if (all->events.full) {
        /* Databases that came or went are events: without them, blocks mean little. */
        wal_output_cut(&all->events, size);
        all->missing |= WAL_INDEX_NO_EVENTS | WAL_INDEX_NO_BLOCKS;
    }
    if (record->xid == 0)
        return;
    uint32_t who = wal_transactions_touch(&all->transactions, record->xid, record->lsn);
    if (who != WAL_NOBODY)
        wal_transactions_at(&all->transactions, who)->notable = true;
}

/* Files that go away, and their numbers may be given to others. */
static void
collect_dropped(struct collection *all, const struct wal_fact_end *end)
{
    for (uint32_t i = 0; i < end->relations.n; i++) {
        struct wal_relation relation = wal_fact_relation(&end->relations, i);
        uint32_t number = number_of(all, &relation);

        if (number != WAL_RELATION_NONE)
            wal_relation_table_at(&all->relations, number)->whole = true;
    }
    if (end->relations.n < end->relations.stated)
        all->missing |= WAL_INDEX_NO_BLOCKS;
}

static void
collect_end(struct collection *all, const struct wal_record *record, const struct wal_fact *fact,
            bool commit)
{
    const struct wal_fact_end *end = &fact->end;
    bool prepared = fact->kind == WAL_FACT_COMMIT_PREPARED || fact->kind == WAL_FACT_ABORT_PREPARED;
    bool notable = prepared || end->relations.stated > 0 || end->stats.stated > 0;
    size_t size = all->ends.buf.size;

    wal_tally_end(&all->tally, end, commit, record->lsn);
    wal_xid_runs_add(commit ? &all->committed : &all->aborted, end->xid);
    collect_dropped(all, end);
    /* What a huge record hides may be relations. */
    if (record->main_available < record->main_size)
        all->missing |= WAL_INDEX_NO_BLOCKS;
    if (!wal_transactions_end(&all->transactions, end, commit, notable) ||
        (all->missing & WAL_INDEX_NO_ENDS) != 0)
        return;
    wal_index_end_write(&all->ends, record, fact, &all->relations, &all->end_before);
    if (!all->ends.full)
        return;
    wal_output_cut(&all->ends, size);
    all->missing |= WAL_INDEX_NO_ENDS;
}

static void
collect_fact(struct collection *all, const struct wal_record *record, const struct wal_fact *fact)
{
    switch (fact->kind) {
    case WAL_FACT_COMMIT:
    case WAL_FACT_COMMIT_PREPARED:
        collect_end(all, record, fact, true);
        break;
    case WAL_FACT_ABORT:
    case WAL_FACT_ABORT_PREPARED:
        collect_end(all, record, fact, false);
        break;
    case WAL_FACT_ASSIGNMENT:
        collect_assignment(all, fact);
        break;
    case WAL_FACT_CREATE:
    case WAL_FACT_TRUNCATE:
        collect_storage(all, record, fact);
        break;
    case WAL_FACT_LOCKS:
        collect_locks(all, record, &fact->locks);
        break;
    case WAL_FACT_HEAP_TRUNCATE:
        collect_emptied(all, record, fact);
        break;
    case WAL_FACT_INSERT:
    case WAL_FACT_LOAD:
    case WAL_FACT_UPDATE:
    case WAL_FACT_DELETE:
    case WAL_FACT_MOVE:
    case WAL_FACT_PAGES:
        collect_rows(all, record, fact);
        break;
    case WAL_FACT_NONE:
    case WAL_FACT_PREPARE:
    case WAL_FACT_CHECKPOINT:
    case WAL_FACT_REDO:
    case WAL_FACT_SWITCH:
    case WAL_FACT_BACKUP_END:
    case WAL_FACT_PARAMETERS:
    case WAL_FACT_RESTORE_POINT:
    case WAL_FACT_FULL_PAGES:
    case WAL_FACT_END_OF_RECOVERY:
    case WAL_FACT_OVERWRITTEN:
    case WAL_FACT_DATABASE_CREATE:
    case WAL_FACT_DATABASE_DROP:
    case WAL_FACT_TABLESPACE_CREATE:
    case WAL_FACT_TABLESPACE_DROP:
    case WAL_FACT_RELATION_MAP:
    case WAL_FACT_RUNNING:
    case WAL_FACT_INPLACE:
        break;
    }
}

static void
collect(void *context, const struct wal_record *record)
{
    struct collection *all = context;
    struct wal_fact fact;

    collect_blocks(all, record);
    if (record->rmgr >= WAL_RMGR_CUSTOM_FIRST)
        all->tally.totals.custom++;
    if (wal_facts_read(record, &fact) == WAL_FACTS_UNREAD) {
        wal_tally_unread(&all->tally, record->lsn);
        return;
    }
    if (fact.kind == WAL_FACT_NONE)
        return;
    collect_event(all, record, &fact);
    collect_fact(all, record, &fact);
    if (record->top_xid != 0)
        wal_transactions_assign(&all->transactions, record->xid, record->top_xid);
}

static unsigned
missing_of(const struct collection *all)
{
    return all->missing | (all->blocks.full ? WAL_INDEX_NO_BLOCKS : 0U) |
           (all->transactions.incomplete ? WAL_INDEX_NO_WORK : 0U) |
           (all->committed.full || all->aborted.full ? WAL_INDEX_NO_XIDS : 0U) |
           (all->tally.full ? WAL_INDEX_NO_MINUTES : 0U);
}

static int
write_collection(struct collection *all, const struct wal_summary *summary, uint16_t magic,
                 struct buf *ret_index, struct err *err)
{
    struct wal_index_parts parts = {
        .magic = magic,
        .summary = summary,
        .tally = &all->tally,
        .relations = &all->relations,
        .events = &all->events,
        .ends = &all->ends,
        .transactions = &all->transactions,
        .committed = &all->committed,
        .aborted = &all->aborted,
        .blocks = &all->blocks,
    };

    if (!wal_block_set_sort(&all->blocks))
        return err_memory(err, "segment index");
    parts.missing = missing_of(all);
    return wal_index_write(&parts, ret_index, err);
}

int
wal_indexer_new(struct wal_indexer **ret_indexer, struct err *err)
{
    AUTO(wal_indexer) struct wal_indexer *indexer = calloc(1, sizeof(*indexer));

    if (indexer == NULL)
        return err_memory(err, "segment index");
    collection_init(&indexer->collection);
    if (wal_reader_new(collect, &indexer->collection, &indexer->reader, err) < 0)
        return -1;
    *ret_indexer = TAKE_PTR(indexer);
    return 0;
}

void
wal_indexer_feed(struct wal_indexer *indexer, const uint8_t *bytes, size_t size)
{
    size_t wanted = MIN_OF(sizeof(indexer->header) - indexer->header_size, size);

    if (wanted > 0)
        memcpy(indexer->header + indexer->header_size, bytes, wanted);
    indexer->header_size += wanted;
    wal_reader_feed(indexer->reader, bytes, size);
}

int
wal_indexer_finish(struct wal_indexer *indexer, struct buf *ret_index,
                   struct wal_damage *ret_damage, struct err *err)
{
    const struct wal_summary *summary = wal_reader_finish(indexer->reader);
    struct wal_page_header header = {.magic = 0};

    (void)wal_page_read_header(indexer->header, indexer->header_size, &header);
    if (write_collection(&indexer->collection, summary, header.magic, ret_index, err) < 0)
        return -1;
    *ret_damage = summary->damage;
    return 0;
}

void
wal_indexer_free(struct wal_indexer *indexer)
{
    if (indexer == NULL)
        return;
    wal_reader_free(indexer->reader);
    collection_done(&indexer->collection);
    free(indexer);
}

int
wal_index_of_record(const struct wal_record *record, struct buf *ret_index, struct err *err)
{
    AUTO(collection) struct collection all;
    AUTO(ptr) struct wal_summary *summary = calloc(1, sizeof(*summary));

    collection_init(&all);
    if (summary == NULL)
        return err_memory(err, "segment index");
    summary->version = record->version;
    collect(&all, record);
    return write_collection(&all, summary, 0, ret_index, err);
}
