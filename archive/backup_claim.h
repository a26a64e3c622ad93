/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_claim.h: a label that no other backup has.
 */
#ifndef ARCHIVE_BACKUP_CLAIM_H
#define ARCHIVE_BACKUP_CLAIM_H

#include "archive/backup_record.h"
#include "archive/backup_sender.h"

struct backup_claim {
    const struct object_owner *owner;
    struct backup_workers *workers;
    struct backup_sender *sender;
    const struct walk_options *walk;
    uint32_t block_size;
};

/*
 * Put the first part, which has PG_VERSION alone, under the label of this second. Where the name is
 * taken there is another backup of this second, of a primary and its standby perhaps, and the next
 * second is tried. *ret_record has the first part recorded. 0 or -1.
 */
int backup_claim_label(const struct backup_claim *claim, char *ret_label, int64_t *ret_time_s,
                       struct backup_record **ret_record, struct err *err) MUST_USE;

#endif
