/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_source.h: the data directory a base backup is taken of, and that it is the server's.
 */
#ifndef ARCHIVE_BACKUP_SOURCE_H
#define ARCHIVE_BACKUP_SOURCE_H

#include "archive/backup_session.h"
#include "catalog/backup_complete.h"
#include "catalog/pgdata.h"

/*
 * Open the data directory: the setting pgdata, or else what the server says. The server behind the
 * session must be the one that runs in it: same system identifier, and postmaster.pid names the
 * directory the server knows and its start. 0 or -1 (ERR_CONFIG, ERR_LOCAL, ERR_CORRUPT).
 */
int backup_source_open(const struct settings *settings, const struct backup_facts *facts,
                       struct pgdata *ret, struct err *err) MUST_USE;

#define SOURCE_TABLESPACES_MAX BACKUP_TABLESPACES_MAX

/* The tablespaces that are there now: symbolic links in pg_tblspc, ascending. 0 or -1. */
int backup_source_tablespaces(const struct pgdata *pgdata, uint32_t **ret_oids, size_t *ret_n,
                              struct err *err) MUST_USE;

/*
 * global/pg_control, read until its checksum is right. *ret_bytes is on the heap. 0 or -1.
 */
int backup_source_control(const struct pgdata *pgdata, uint8_t **ret_bytes, size_t *ret_size,
                          struct err *err) MUST_USE;

#endif
