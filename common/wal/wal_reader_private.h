/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_reader_private.h: what wal_reader.c (records) and wal_reader_page.c (page headers) share.
 */
#ifndef WAL_WAL_READER_PRIVATE_H
#define WAL_WAL_READER_PRIVATE_H

#include "wal/wal_page.h"
#include "wal/wal_reader.h"

#define WAL_RECORD_SIZE_MAX ((uint32_t)0x3fffffff) /* what a server can take into memory */

enum wal_reader_state {
    WAL_READER_START,   /* in the first page header */
    WAL_READER_BETWEEN, /* where a record or its padding may begin */
    WAL_READER_RECORD,  /* within a record */
    WAL_READER_HEAD,    /* within one that began before the segment */
    WAL_READER_ZEROS,   /* behind the end of WAL or a switch */
    WAL_READER_STOPPED, /* damaged */
};

struct wal_reader {
    wal_record_sink sink;
    void *context;
    enum wal_reader_state state;
    uint64_t segment_size;
    uint64_t offset;    /* in the segment, of the next byte */
    uint32_t page_left; /* bytes of this page, header apart; 0: a page header comes */
    uint32_t padding;   /* still to be passed over */
    size_t page_header_got;
    uint8_t page_header[WAL_LONG_HEADER_SIZE];
    uint16_t magic;
    bool says_overwritten;  /* the next record must say that abandoned_lsn is abandoned */
    uint64_t abandoned_lsn; /* 0: it began before the segment */
    uint64_t begun_lsn;     /* of the record at hand; of WAL's end */
    uint32_t begun_timeline;
    uint32_t total; /* of the record at hand; 0: not there yet */
    uint32_t got;
    uint32_t crc; /* of it, its header apart */
    struct wal_record record;
    struct wal_summary summary;
    uint8_t kept[WAL_READER_KEPT];
};

extern const char wal_reader_abandons_unnamed[];

void wal_reader_damage(struct wal_reader *reader, enum wal_damage_kind kind, uint64_t lsn,
                       const char *why);

/* Nothing but zeros may follow. */
void wal_reader_end_of_wal(struct wal_reader *reader, uint64_t lsn);

/* The next bytes belong to a page header. Returns how many were taken. */
size_t wal_reader_take_page(struct wal_reader *reader, const uint8_t *bytes, size_t size);

#endif
