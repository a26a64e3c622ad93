/* SPDX-License-Identifier: PostgreSQL */
/*
 * names.h: what the server's databases and relations are called now, into all stores.
 *
 * One connection after the other, one a database, reads the catalog. A database that cannot be read
 * is a warning, and its relations will be shown as numbers.
 */
#ifndef ARCHIVE_NAMES_H
#define ARCHIVE_NAMES_H

#include "archive/backup_sender.h"
#include "catalog/name_map.h"

struct names_request {
    struct archive *archive;      /* opened with ARCHIVE_WRITE */
    struct backup_sender *sender; /* into these stores */
    struct notices *notices;
    const char *conninfo;
    const char *label; /* the backup's; NULL: of this moment */
};

struct names_result {
    struct name_map_head head;
    struct name_map_counts counts;
};

/*
 * Read and store. 0; or -1: ERR_CONFLICT (there is another map of this label), what pg_client.h and
 * backup_sender.h say.
 */
int names_store(const struct names_request *request, struct names_result *ret,
                struct err *err) MUST_USE;

#endif
