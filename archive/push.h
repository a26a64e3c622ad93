/* SPDX-License-Identifier: PostgreSQL */
/*
 * push.h: archive one file. The work behind archive_command, callable by the hook and by an
 * agent alike.
 */
#ifndef ARCHIVE_PUSH_H
#define ARCHIVE_PUSH_H

#include "base/log.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"

/*
 * Archive the file at `path` (relative to the working directory, as PostgreSQL's %p). Returns 0
 * only when `acknowledge` stores hold bytes that decode to the file. -1: *err, kinds as in
 * wal_source.h and delivery.h; ERR_TRANSIENT when `deadline_ms` passes. Any number of repetitions,
 * in parallel, of the same file end in 0 and one stored version.
 */
int push_file(struct archive *archive, const struct pgdata *pgdata, const char *path,
              int64_t deadline_ms, struct notices *notices, struct err *err) MUST_USE;

#endif
