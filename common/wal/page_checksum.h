/* SPDX-License-Identifier: PostgreSQL */
/*
 * page_checksum.h: the checksum in the pages of relations, when a cluster has data checksums.
 *
 * Pure: the caller reads the pages.
 *
 * Source: src/include/storage/checksum_impl.h and bufpage.h of PostgreSQL 13 to 18. A page is
 * read as rows of 32 words of 32 bits, each column is folded by a multiplication by the FNV prime
 * and a shift, and what the columns come to is mixed with the page's number.
 */
#ifndef WAL_PAGE_CHECKSUM_H
#define WAL_PAGE_CHECKSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The sizes PostgreSQL can be built with; every one is a number of whole rows. */
#define PAGE_CHECKSUM_PAGE_MIN 1024
#define PAGE_CHECKSUM_PAGE_MAX 32768

/* The checksum the page should have as page `block` of its relation's fork. */
uint16_t page_checksum(const uint8_t *page, size_t page_size, uint32_t block);

enum page_verdict {
    PAGE_GOOD,
    PAGE_UNCHECKED, /* new, or changed since `start_lsn`: WAL replay writes it anew */
    PAGE_BAD,
};

/*
 * What a base backup that began at `start_lsn` has to think of a page it read while the server may
 * have been writing it. PAGE_BAD may be a torn read: read it once more.
 */
enum page_verdict page_checksum_judge(const uint8_t *page, size_t page_size, uint32_t block,
                                      uint64_t start_lsn);

/*
 * Is `name` the name of a file of a relation: digits, then perhaps _fsm, _vm or _init, then
 * perhaps a dot and the number of the segment? *ret_segment is that number, 0 without one;
 * *ret_number is the length of the first digits, *ret_init tells an init fork.
 */
bool page_checksum_relation_name(const char *name, uint32_t *ret_segment, size_t *ret_number,
                                 bool *ret_init);

#endif
