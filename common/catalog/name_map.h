/* SPDX-License-Identifier: PostgreSQL */
/*
 * name_map.h: what databases and relations were called at one moment (docs/format.md section 14).
 *
 * WAL knows numbers only. A map written now and then, and with every backup, lets a person read
 * names where the numbers of dropped tables stand.
 */
#ifndef CATALOG_NAME_MAP_H
#define CATALOG_NAME_MAP_H

#include "base/buf.h"
#include "catalog/backup_name.h"

#define NAME_MAP_FILE_MAX ((size_t)256 << 20)
#define NAME_MAP_TEXT_MAX 256 /* of a name; PostgreSQL's have at most 63 bytes, some builds more */

/* "<cluster>/<system id>/names/", and the map of a label (backup_name.h). */
void name_map_prefix(const struct object_owner *owner, char *ret);
void name_map_name(const struct object_owner *owner, const char *label, char *ret);
bool name_map_parse_name(const struct object_owner *owner, const char *name, char *ret_label);

/* When it was made, and where WAL was then: names are those of this moment or a little later. */
struct name_map_head {
    char label[BACKUP_LABEL_SIZE];
    uint64_t system_id;
    uint32_t timeline;
    uint64_t lsn;
};

struct name_map_database {
    uint32_t oid;
    uint32_t tablespace; /* its default one */
    const char *name;
};

struct name_map_relation {
    uint32_t database; /* 0: shared by all */
    uint32_t oid;
    uint32_t file;     /* number of its files; 0: it has none (a view, a partitioned table) */
    uint32_t tablespace;
    uint32_t toast_of; /* oid of the table whose long values are in it; 0: none */
    char kind;         /* pg_class.relkind */
    const char *schema;
    const char *name;
};

/* ---- writing: head, then each database followed by its relations, then the end ---- */

struct name_map_counts {
    uint64_t databases;
    uint64_t relations;
};

/* Each appends one line. 0, BUF_FULL (nothing was appended) or -1 (ERR_INTERNAL). */
int name_map_write_head(const struct name_map_head *head, struct buf *text, struct err *err)
    MUST_USE;
int name_map_write_database(const struct name_map_database *database,
                            struct name_map_counts *counts, struct buf *text,
                            struct err *err) MUST_USE;
int name_map_write_relation(const struct name_map_relation *relation,
                            struct name_map_counts *counts, struct buf *text,
                            struct err *err) MUST_USE;
int name_map_write_end(const struct name_map_counts *counts, struct buf *text, struct err *err)
    MUST_USE;

/* ---- reading ---- */

struct name_map; /* opaque */

/*
 * Read a whole map, strictly. 0, or -1: ERR_CORRUPT, ERR_CONFIG (a newer version), ERR_INTERNAL.
 */
int name_map_read(const char *text, size_t size, struct name_map **ret_map, struct err *err)
    MUST_USE;

const struct name_map_head *name_map_head(const struct name_map *map);

/* NULL: not in the map. Borrowed from it. */
const struct name_map_database *name_map_database(const struct name_map *map, uint32_t oid);
const struct name_map_database *name_map_database_named(const struct name_map *map,
                                                        const char *name);
const struct name_map_relation *name_map_by_oid(const struct name_map *map, uint32_t database,
                                                uint32_t oid);
/* tablespace 0: any. */
const struct name_map_relation *name_map_by_file(const struct name_map *map, uint32_t tablespace,
                                                 uint32_t database, uint32_t file);

void name_map_free(struct name_map *map);

DEFINE_POINTER_CLEANUP(name_map, struct name_map, name_map_free);

#endif
