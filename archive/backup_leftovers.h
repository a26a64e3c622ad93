/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_leftovers.h: what backups that never became complete left in the stores.
 */
#ifndef ARCHIVE_BACKUP_LEFTOVERS_H
#define ARCHIVE_BACKUP_LEFTOVERS_H

#include "archive/backup_sender.h"
#include "catalog/backup_name.h"

/*
 * Tell in notices which labels older than a day have no completion object, per store; one request
 * a label. Best effort: a store that does not answer is passed over.
 */
void backup_leftovers_report(struct archive *archive, const struct backup_sender *sender,
                             const struct object_owner *owner, struct notices *notices);

#endif
