/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "wal/wal_events.h"

static const char *const kind_names[WAL_EVENT_KINDS] = {
    "drop_table", "drop_index",      "drop_schema",   "truncate",        "rewrite",
    "drop_database", "create_database", "drop_tablespace", "delete",       "update",
    "restore_point", "promotion",       "shutdown",
};

const char *
wal_event_kind_name(enum wal_event_kind kind)
{
    return kind_names[kind];
}

bool
wal_event_kind_parse(const char *name, enum wal_event_kind *ret)
{
    for (size_t i = 0; i < ARRAY_SIZE(kind_names); i++)
        if (strcmp(kind_names[i], name) == 0) {
            *ret = (enum wal_event_kind)i;
            return true;
        }
    return false;
}
