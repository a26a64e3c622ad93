/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_complete.h: the object that makes a backup exist (docs/format.md section 12.3).
 */
#ifndef CATALOG_BACKUP_COMPLETE_H
#define CATALOG_BACKUP_COMPLETE_H

#include "base/buf.h"
#include "catalog/backup_name.h"
#include "codec/seal.h"
#include "wal/wal_name.h"

#define BACKUP_COMPLETE_MAX ((size_t)16 << 20)
#define BACKUP_DAMAGE_MAX 1000
#define BACKUP_TABLESPACES_MAX 4096
#define BACKUP_MANIFESTS_MAX 16384

struct backup_tablespace {
    uint32_t oid;
    char *path;
};

struct backup_damage {
    char *path;
    uint32_t block;
};

/* Strings and arrays are owned by the struct, on the heap. */
struct backup_complete {
    char label[BACKUP_LABEL_SIZE];
    uint64_t system_id;
    char cluster[65];   /* as the settings check it */
    bool incremental;   /* "kind" */
    int server_version; /* 150020 */
    uint32_t catalog_version;
    uint32_t control_version;
    uint32_t segment_size;
    uint32_t block_size;
    bool data_checksums;
    bool from_standby;
    uint64_t start_lsn;
    uint32_t start_timeline;
    int64_t start_time; /* seconds since 1970 */
    uint64_t checkpoint_lsn;
    uint64_t stop_lsn;
    uint32_t stop_timeline;
    int64_t stop_time;
    struct wal_name first_wal;
    struct wal_name last_wal;
    uint32_t n_parts;
    uint32_t n_manifests;
    uint64_t n_files;
    uint64_t n_bytes;
    uint64_t stored_bytes;
    uint8_t (*manifest_digests)[DIGEST_SIZE]; /* n_manifests */
    uint8_t parts_digest[DIGEST_SIZE];
    char *backup_label_text;
    char *tablespace_map_text; /* NULL: none */
    struct backup_tablespace *tablespaces;
    size_t n_tablespaces;
    struct backup_damage *damage;
    size_t n_damage;
    uint64_t damage_count;
};

#define BACKUP_COMPLETE_INIT ((struct backup_complete){.n_parts = 0})

/*
 * Append it as the text of the object. 0 or -1 (ERR_INTERNAL, also for what backup_complete_read()
 * would refuse). backup_label_text must be there; strings need not be UTF-8.
 */
int backup_complete_write(const struct backup_complete *complete, struct buf *text, struct err *err)
    MUST_USE;

/*
 * Strict: every member must be there and in its range, positions and segments agree, no
 * tablespace is there twice, paths of damage are as manifest_path_valid() says. Unknown members are
 * passed over. 0 or -1 (ERR_CORRUPT; ERR_CONFIG: a newer version). What `ret` held is not released.
 */
int backup_complete_read(const uint8_t *text, size_t size, struct backup_complete *ret,
                         struct err *err) MUST_USE;

void backup_complete_done(struct backup_complete *complete);

DEFINE_CLEANUP(backup_complete, struct backup_complete, backup_complete_done);

#endif
