/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup.h: a base backup, from the first question to the object that makes it exist.
 */
#ifndef ARCHIVE_BACKUP_H
#define ARCHIVE_BACKUP_H

#include "archive/backup_report.h"

struct backup_options {
    const char *config_file; /* NULL: the usual one */
    bool fast;               /* the starting checkpoint at once, not spread over time */
};

enum backup_outcome {
    BACKUP_DAMAGED = 1, /* complete, but pages with wrong checksums are in it */
};

/*
 * Take one. 0, BACKUP_DAMAGED or -1; after -1 there is no such backup in any store that could be
 * reached to the end: what was put is left over and nobody takes it for one.
 */
int backup_run(const struct backup_options *options, struct backup_report *report, struct err *err)
    MUST_USE;

#endif
