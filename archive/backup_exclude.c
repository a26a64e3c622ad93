/* SPDX-License-Identifier: PostgreSQL */
#include "archive/backup_exclude.h"

#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "wal/page_checksum.h"

static bool
is_one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool
backup_exclude_file(const char *name)
{
    static const char *const names[] = {
        "postgresql.auto.conf.tmp", "current_logfiles.tmp", "backup_label",    "tablespace_map",
        "backup_manifest",          "postmaster.pid",       "postmaster.opts", ".DS_Store",
    };

    return is_one_of(name, names, ARRAY_SIZE(names)) ||
           strncmp(name, "pg_internal.init", strlen("pg_internal.init")) == 0;
}

bool
backup_exclude_content(const char *name)
{
    static const char *const names[] = {
        "pg_dynshmem",  "pg_notify",   "pg_replslot", "pg_serial",
        "pg_snapshots", "pg_stat_tmp", "pg_subtrans",
    };

    return is_one_of(name, names, ARRAY_SIZE(names));
}

bool
backup_exclude_temporary(const char *name)
{
    uint32_t segment = 0;
    size_t number = 0;
    bool init = false;

    if (name[0] != 't')
        return false;
    size_t digits = strspn(name + 1, "0123456789");
    return digits > 0 && name[1 + digits] == '_' &&
           page_checksum_relation_name(name + digits + 2, &segment, &number, &init);
}
