/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/object_name.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void
object_name_system_prefix(const struct object_owner *owner, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/", owner->cluster, owner->system_id);
}

void
object_name_wal_prefix(const struct object_owner *owner, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/wal/", owner->cluster, owner->system_id);
}

void
object_name_timeline_prefix(const struct object_owner *owner, uint32_t timeline, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/wal/%08" PRIX32 "/", owner->cluster,
                   owner->system_id, timeline);
}

void
object_name_history_prefix(const struct object_owner *owner, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/history/", owner->cluster,
                   owner->system_id);
}

void
object_name_of_wal(const struct object_owner *owner, const struct wal_name *wal, char *ret)
{
    if (wal->kind == WAL_NAME_HISTORY)
        (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/history/%s", owner->cluster,
                       owner->system_id, wal->text);
    else
        (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/wal/%08" PRIX32 "/%08" PRIX32 "/%s",
                       owner->cluster, owner->system_id, wal->timeline, wal->log, wal->text);
}

void
object_name_after_segment(const struct object_owner *owner, const struct wal_name *wal, char *ret)
{
    /* "z" sorts behind ".partial" and ".OFFSET.backup", and the next segment differs before it. */
    (void)snprintf(ret, OBJECT_NAME_SIZE,
                   "%s/%" PRIu64 "/wal/%08" PRIX32 "/%08" PRIX32 "/%.24s.z", owner->cluster,
                   owner->system_id, wal->timeline, wal->log, wal->text);
}

void
object_name_probe(const char *cluster, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/probe/conditional", cluster);
}

bool
object_name_parse_wal(const struct object_owner *owner, const char *name, struct wal_name *ret)
{
    char again[OBJECT_NAME_SIZE];
    struct wal_name wal;
    const char *slash = strrchr(name, '/');

    if (slash == NULL || !wal_name_parse(slash + 1, strlen(slash + 1), &wal))
        return false;
    object_name_of_wal(owner, &wal, again);
    if (strcmp(again, name) != 0)
        return false;
    *ret = wal;
    return true;
}
