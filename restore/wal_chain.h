/* SPDX-License-Identifier: PostgreSQL */
/*
 * wal_chain.h: do the pages of a segment follow each other?
 *
 * Fed with the file in pieces of any size. The first page must be that of the segment; every other
 * one has the same magic and the address of its place; behind a switch of segments all pages are
 * zero to the end.
 */
#ifndef RESTORE_WAL_CHAIN_H
#define RESTORE_WAL_CHAIN_H

#include "wal/wal_page.h"

struct wal_chain {
    const struct wal_name *name; /* borrowed */
    uint64_t system_id;
    uint64_t file_size;
    bool first_only; /* a .partial file: what stands behind its end may be old */
    uint64_t offset; /* bytes seen */
    uint8_t header[WAL_LONG_HEADER_SIZE];
    size_t n_header; /* bytes of the page's header seen */
    struct wal_page_header first;
    bool zero;       /* pages are zero from here on */
};

void wal_chain_init(struct wal_chain *chain, const struct wal_name *name, uint64_t system_id,
                    uint64_t file_size);

/* The next piece. 0 or -1 (ERR_CORRUPT). It is an object_sink. */
int wal_chain_add(void *chain, const uint8_t *bytes, size_t size, struct err *err);

/* Was it all of a segment? 0 or -1 (ERR_CORRUPT). */
int wal_chain_finish(const struct wal_chain *chain, struct err *err) MUST_USE;

#endif
