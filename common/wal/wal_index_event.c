/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_index_event.h"

#include <string.h>

#define SHARED_TABLESPACE 1664
#define PG_TABLESPACE 1213
#define PG_TYPE 1247
#define PG_CLASS 1259
#define PG_DATABASE 1262
#define FIRST_NORMAL_OID 16384

static void
begin(struct wal_output *output, enum wal_index_event_kind kind, uint64_t lsn, uint64_t *last_lsn)
{
    wal_output_u8(output, (uint8_t)kind);
    wal_output_number(output, lsn - *last_lsn);
    *last_lsn = lsn;
}

static void
put_level(struct wal_output *output, int level)
{
    wal_output_number(output, (uint64_t)(level + 1));
}

static void
put_checkpoint(struct wal_output *output, const struct wal_fact_checkpoint *checkpoint)
{
    int flags = (checkpoint->shutdown ? WAL_INDEX_FLAG_SHUTDOWN : 0) |
                (checkpoint->full_pages ? WAL_INDEX_FLAG_FULL_PAGES : 0);

    wal_output_u8(output, (uint8_t)flags);
    put_level(output, checkpoint->wal_level);
    wal_output_number(output, checkpoint->redo);
    wal_output_number(output, checkpoint->timeline);
    wal_output_number(output, checkpoint->prev_timeline);
    wal_output_number(output, checkpoint->next_xid);
    wal_output_signed(output, checkpoint->time);
}

static void
put_parameters(struct wal_output *output, const struct wal_fact_parameters *parameters)
{
    int flags = (parameters->wal_log_hints ? WAL_INDEX_FLAG_LOG_HINTS : 0) |
                (parameters->track_commit_timestamp ? WAL_INDEX_FLAG_COMMIT_TIMES : 0);

    wal_output_number(output, parameters->max_connections);
    wal_output_number(output, parameters->max_worker_processes);
    wal_output_number(output, parameters->max_wal_senders);
    wal_output_number(output, parameters->max_prepared_transactions);
    wal_output_number(output, parameters->max_locks_per_transaction);
    put_level(output, parameters->wal_level);
    wal_output_u8(output, (uint8_t)flags);
}

static void
put_text(struct wal_output *output, const char *text, uint32_t size)
{
    wal_output_number(output, size);
    wal_output_bytes(output, text, size);
}

static void
put_prepare(struct wal_output *output, const struct wal_fact_prepare *prepare)
{
    wal_output_number(output, prepare->xid);
    wal_output_signed(output, prepare->time);
    wal_output_number(output, prepare->database);
    put_text(output, prepare->gid, MIN_OF(prepare->gid_size, (uint32_t)WAL_INDEX_GID_MAX));
}

static void
put_database_create(struct wal_output *output, uint32_t xid, const struct wal_fact *fact)
{
    wal_output_number(output, xid);
    wal_output_number(output, fact->database.database);
    wal_output_number(output, fact->database.tablespace);
    wal_output_number(output, fact->database.from_database);
    wal_output_number(output, fact->database.from_tablespace);
}

static void
put_database_drop(struct wal_output *output, uint32_t xid, const struct wal_fact *fact)
{
    const struct wal_list *tablespaces = &fact->database.tablespaces;
    uint32_t n = MIN_OF(tablespaces->n, (uint32_t)WAL_INDEX_EVENT_LIST_MAX);

    wal_output_number(output, xid);
    wal_output_number(output, fact->database.database);
    wal_output_number(output, n);
    for (uint32_t i = 0, before = 0; i < n; i++) {
        uint32_t tablespace = wal_fact_u32(tablespaces, i);

        wal_output_signed(output, (int64_t)tablespace - before);
        before = tablespace;
    }
}

static bool
is_followed(uint32_t catalog)
{
    return catalog == PG_TABLESPACE || catalog == PG_TYPE || catalog == PG_CLASS ||
           catalog == PG_DATABASE;
}

static void
put_relation_map(struct wal_output *output, uint32_t xid, const struct wal_fact *fact)
{
    uint32_t n = 0;
    uint32_t oid;
    uint32_t number;

    for (uint32_t i = 0; i < fact->map.entries.n; i++) {
        wal_fact_map_entry(&fact->map.entries, i, &oid, &number);
        n += is_followed(oid) ? 1 : 0;
    }
    wal_output_number(output, xid);
    wal_output_number(output, fact->map.database);
    wal_output_number(output, fact->map.tablespace);
    wal_output_number(output, n);
    for (uint32_t i = 0, before = 0; i < fact->map.entries.n; i++) {
        wal_fact_map_entry(&fact->map.entries, i, &oid, &number);
        if (!is_followed(oid))
            continue;
        wal_output_signed(output, (int64_t)oid - before);
        wal_output_signed(output, (int64_t)number - oid);
        before = number;
    }
}

/* Rows of pg_database, under whatever number its file goes. */
static bool
write_row(struct wal_output *output, const struct wal_record *record, const struct wal_fact *fact,
          enum wal_index_row_kind kind, uint64_t *last_lsn)
{
    const struct wal_block *block = &record->blocks[0];
    const struct wal_relation *relation = &block->relation;

    if (relation->tablespace != SHARED_TABLESPACE || relation->database != 0 ||
        (relation->number != PG_DATABASE && relation->number < FIRST_NORMAL_OID))
        return false;
    if (kind == WAL_INDEX_ROW_UPDATE && record->n_blocks > 1 && record->blocks[1].id == 1 &&
        record->blocks[1].fork == 0)
        block = &record->blocks[1]; /* the page the row comes from */
    begin(output, WAL_INDEX_DATABASE_ROW, record->lsn, last_lsn);
    wal_output_number(output, record->xid);
    wal_output_u8(output, (uint8_t)kind);
    wal_output_number(output, relation->number);
    wal_output_number(output, block->block);
    wal_output_number(output, kind == WAL_INDEX_ROW_INSERT ? 0 : fact->rows.offset);
    return true;
}

static void
write_time_and_lsn(struct wal_output *output, int64_t time, uint64_t lsn)
{
    wal_output_signed(output, time);
    wal_output_number(output, lsn);
}

static void
put_end_of_recovery(struct wal_output *output, const struct wal_fact *fact)
{
    wal_output_signed(output, fact->end_of_recovery.time);
    wal_output_number(output, fact->end_of_recovery.timeline);
    wal_output_number(output, fact->end_of_recovery.prev_timeline);
    put_level(output, fact->end_of_recovery.wal_level);
}

static void
put_tablespace(struct wal_output *output, uint32_t xid, uint32_t oid)
{
    wal_output_number(output, xid);
    wal_output_number(output, oid);
}

/* Which event a fact is, if its kind alone says so; else 0. */
static enum wal_index_event_kind
event_kind(enum wal_fact_kind kind)
{
    static const uint8_t kinds[WAL_FACT_HEAP_TRUNCATE + 1] = {
        [WAL_FACT_PREPARE] = WAL_INDEX_PREPARE,
        [WAL_FACT_CHECKPOINT] = WAL_INDEX_CHECKPOINT,
        [WAL_FACT_REDO] = WAL_INDEX_REDO,
        [WAL_FACT_BACKUP_END] = WAL_INDEX_BACKUP_END,
        [WAL_FACT_PARAMETERS] = WAL_INDEX_PARAMETERS,
        [WAL_FACT_RESTORE_POINT] = WAL_INDEX_RESTORE_POINT,
        [WAL_FACT_FULL_PAGES] = WAL_INDEX_FULL_PAGES,
        [WAL_FACT_END_OF_RECOVERY] = WAL_INDEX_END_OF_RECOVERY,
        [WAL_FACT_OVERWRITTEN] = WAL_INDEX_OVERWRITTEN,
        [WAL_FACT_DATABASE_CREATE] = WAL_INDEX_DATABASE_CREATE,
        [WAL_FACT_DATABASE_DROP] = WAL_INDEX_DATABASE_DROP,
        [WAL_FACT_TABLESPACE_CREATE] = WAL_INDEX_TABLESPACE_CREATE,
        [WAL_FACT_TABLESPACE_DROP] = WAL_INDEX_TABLESPACE_DROP,
        [WAL_FACT_RELATION_MAP] = WAL_INDEX_RELATION_MAP,
    };

    return (enum wal_index_event_kind)kinds[kind];
}

static void
put_fields(struct wal_output *output, const struct wal_record *record,
           const struct wal_fact *fact, enum wal_index_event_kind kind)
{
    switch (kind) {
    case WAL_INDEX_RESTORE_POINT:
        wal_output_signed(output, fact->restore_point.time);
        put_text(output, fact->restore_point.name, fact->restore_point.size);
        break;
    case WAL_INDEX_CHECKPOINT:
        put_checkpoint(output, &fact->checkpoint);
        break;
    case WAL_INDEX_REDO:
        put_level(output, fact->wal_level);
        break;
    case WAL_INDEX_END_OF_RECOVERY:
        put_end_of_recovery(output, fact);
        break;
    case WAL_INDEX_BACKUP_END:
        wal_output_number(output, fact->backup_end.lsn);
        break;
    case WAL_INDEX_PARAMETERS:
        put_parameters(output, &fact->parameters);
        break;
    case WAL_INDEX_FULL_PAGES:
        wal_output_u8(output, fact->on ? 1 : 0);
        break;
    case WAL_INDEX_OVERWRITTEN:
        write_time_and_lsn(output, fact->overwritten.time, fact->overwritten.lsn);
        break;
    case WAL_INDEX_PREPARE:
        put_prepare(output, &fact->prepare);
        break;
    case WAL_INDEX_DATABASE_CREATE:
        put_database_create(output, record->xid, fact);
        break;
    case WAL_INDEX_DATABASE_DROP:
        put_database_drop(output, record->xid, fact);
        break;
    case WAL_INDEX_TABLESPACE_CREATE:
    case WAL_INDEX_TABLESPACE_DROP:
        put_tablespace(output, record->xid, fact->oid);
        break;
    case WAL_INDEX_RELATION_MAP:
        put_relation_map(output, record->xid, fact);
        break;
    case WAL_INDEX_DATABASE_ROW:
        break; /* write_row() */
    }
}

bool
wal_index_event_write(struct wal_output *output, const struct wal_record *record,
                      const struct wal_fact *fact, uint64_t *last_lsn)
{
    enum wal_index_event_kind kind = event_kind(fact->kind);

    if (fact->kind == WAL_FACT_INSERT)
        return write_row(output, record, fact, WAL_INDEX_ROW_INSERT, last_lsn);
    if (fact->kind == WAL_FACT_UPDATE)
        return write_row(output, record, fact, WAL_INDEX_ROW_UPDATE, last_lsn);
    if (fact->kind == WAL_FACT_DELETE)
        return write_row(output, record, fact, WAL_INDEX_ROW_DELETE, last_lsn);
    if (fact->kind == WAL_FACT_INPLACE)
        return write_row(output, record, fact, WAL_INDEX_ROW_INPLACE, last_lsn);
    if (kind == 0)
        return false;
    begin(output, kind, record->lsn, last_lsn);
    put_fields(output, record, fact, kind);
    return true;
}
