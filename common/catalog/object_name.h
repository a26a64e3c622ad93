/* SPDX-License-Identifier: PostgreSQL */
/*
 * object_name.h: what objects are called (docs/format.md section 1).
 *
 * The cluster name comes from the settings, which check its grammar; everything else
 * is made of numbers and parsed WAL names, so a name made here is always legal.
 */
#ifndef CATALOG_OBJECT_NAME_H
#define CATALOG_OBJECT_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "wal/wal_name.h"

#define OBJECT_NAME_SIZE 256 /* cluster 64, system id 20, directories and file 70 */

/* Whose objects: the beginning of all their names. */
struct object_owner {
    const char *cluster; /* borrowed */
    uint64_t system_id;
};

/* "<cluster>/<system id>/wal/00000001/00000000/0000...", or ".../history/00000002.history". */
void object_name_of_wal(const struct object_owner *owner, const struct wal_name *wal, char *ret);

/* Prefixes for listings, ending in '/': all of the system; WAL; of one timeline; histories. */
void object_name_system_prefix(const struct object_owner *owner, char *ret);
void object_name_wal_prefix(const struct object_owner *owner, char *ret);
void object_name_timeline_prefix(const struct object_owner *owner, uint32_t timeline, char *ret);
void object_name_history_prefix(const struct object_owner *owner, char *ret);

/* A name that sorts behind every object of this segment and before the next segment's. */
void object_name_after_segment(const struct object_owner *owner, const struct wal_name *wal,
                               char *ret);

/* "<cluster>/probe/conditional" and the content it has. */
#define OBJECT_PROBE_CONTENT "seawall-probe-1\n"
void object_name_probe(const char *cluster, char *ret);

/*
 * The WAL name at the end of an object name of this owner, with directories that agree with it.
 * False if the name is anything else.
 */
bool object_name_parse_wal(const struct object_owner *owner, const char *name,
                           struct wal_name *ret);

#endif
