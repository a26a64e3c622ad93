/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_session.h: the session in which a server knows that a base backup is being taken.
 *
 * The server ends the backup when the session is gone, so the session is asked between parts
 * whether it still lives. It never waits in the server for archiving: whether the WAL is in the
 * stores, we know better.
 */
#ifndef ARCHIVE_BACKUP_SESSION_H
#define ARCHIVE_BACKUP_SESSION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define BACKUP_VERSION_MIN 13
#define BACKUP_VERSION_MAX 18

struct backup_facts {
    int server_version; /* 150020 */
    int major;
    uint64_t system_id;
    bool standby;
    bool data_checksums;
    uint32_t segment_size; /* of WAL, bytes */
    uint32_t block_size;
    uint32_t relation_segment_pages; /* of a relation's files */
    bool archiving;                  /* archive_mode; a standby's says nothing about its primary */
    int64_t started_s;               /* when the server was started, seconds since 1970 */
    char data_directory[PATH_MAX];   /* as the server sees it */
};

struct backup_session; /* opaque */

/*
 * Connect, prepare the session and learn the facts. 0 or -1: ERR_CONFIG (another version than
 * BACKUP_VERSION_*), ERR_DENIED (the role may not see data_directory), and what pg_client.h says.
 */
int backup_session_open(const char *conninfo, struct backup_session **ret_session, struct err *err)
    MUST_USE;
void backup_session_close(struct backup_session *session);

const struct backup_facts *backup_session_facts(const struct backup_session *session);

/*
 * Tell the server that a backup begins; returns when its starting checkpoint is done. `label` is a
 * backup's label (backup_name.h).
 */
int backup_session_start(struct backup_session *session, const char *label, bool fast,
                         uint64_t *ret_lsn, struct err *err) MUST_USE;

/* Is everything as it was? 0 or -1 (ERR_TRANSIENT: connection lost, promoted). */
int backup_session_check(struct backup_session *session, struct err *err) MUST_USE;

struct backup_stop {
    uint64_t lsn;
    uint32_t timeline;
    char *label_text;          /* backup_label, as it must stand in the restored directory */
    char *tablespace_map_text; /* NULL: there are no tablespaces */
};

#define BACKUP_STOP_INIT ((struct backup_stop){.lsn = 0})

/* End it. *ret is the caller's to release. 0 or -1. */
int backup_session_stop(struct backup_session *session, struct backup_stop *ret, struct err *err)
    MUST_USE;
void backup_stop_done(struct backup_stop *stop);

DEFINE_POINTER_CLEANUP(backup_session, struct backup_session, backup_session_close);
DEFINE_CLEANUP(backup_stop, struct backup_stop, backup_stop_done);

#endif
