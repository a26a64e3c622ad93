/* SPDX-License-Identifier: PostgreSQL */
#include "agent/promotion.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "wal/wal_name.h"

#define DESTINATION "pg_wal/RECOVERYHISTORY"

/* Only what certainly is not there counts. */
static bool
is_gone(const char *path)
{
    struct stat st;

    return lstat(path, &st) < 0 && errno == ENOENT;
}

bool
promotion_has(const char *name, const char *path)
{
    struct wal_name wal;
    struct stat st;
    char own[sizeof("pg_wal/") + WAL_NAME_SIZE];

    if (strcmp(path, DESTINATION) != 0 || !wal_name_parse(name, strlen(name), &wal) ||
        wal.kind != WAL_NAME_HISTORY)
        return false;
    /* a person who tries the hook somewhere else is no server */
    if (!is_gone("recovery.signal") || !is_gone("standby.signal") || is_gone("global/pg_control"))
        return false;
    if (wal.timeline == 1)
        return true;
    (void)snprintf(own, sizeof(own), "pg_wal/%s", wal.text);
    return lstat(own, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0;
}
