/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_exclude.h: names that do not belong into a base backup.
 *
 * Pure. Source: src/backend/backup/basebackup.c of PostgreSQL 13 to 18, which copies the same.
 */
#ifndef ARCHIVE_BACKUP_EXCLUDE_H
#define ARCHIVE_BACKUP_EXCLUDE_H

#include <stdbool.h>

/* A file that is of the running server only, or that the backup brings itself. */
bool backup_exclude_file(const char *name);

/* A directory of the data directory that a server must find, and must find empty. */
bool backup_exclude_content(const char *name);

/* A file of a temporary relation: t3_16384, with a fork and a segment perhaps. */
bool backup_exclude_temporary(const char *name);

#endif
