/* SPDX-License-Identifier: PostgreSQL */
/*
 * check_switch.h: the proof of the whole way: the server finishes a WAL segment, archives it, and
 * it is seen in the stores.
 */
#ifndef ARCHIVE_CHECK_SWITCH_H
#define ARCHIVE_CHECK_SWITCH_H

#include "archive/check_report.h"
#include "archive/pg_client.h"
#include "catalog/archive.h"

/*
 * Which segment did pg_switch_wal() finish, when it returned `lsn`? False: no such position.
 * It returns the end of the switch record, or where the current segment begins if there was
 * nothing to switch. A record that ends with its segment is reported behind the next one's page
 * header, which no record's end can be inside of.
 */
bool check_switched_segment(uint64_t lsn, uint32_t timeline, uint32_t segment_size,
                            struct wal_name *ret);

/* Make the server switch, and wait for the segment in the stores. For a primary that archives. */
void check_switch(struct archive *archive, struct pg_client *client, uint64_t system_id,
                  uint32_t segment_size, struct check_report *report);

#endif
