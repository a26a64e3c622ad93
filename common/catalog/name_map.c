/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/name_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"

#define LSN_TEXT WAL_LSN_TEXT_SIZE

void
name_map_prefix(const struct object_owner *owner, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/names/", owner->cluster,
                   owner->system_id);
}

void
name_map_name(const struct object_owner *owner, const char *label, char *ret)
{
    (void)snprintf(ret, OBJECT_NAME_SIZE, "%s/%" PRIu64 "/names/%s", owner->cluster,
                   owner->system_id, label);
}

bool
name_map_parse_name(const struct object_owner *owner, const char *name, char *ret_label)
{
    char prefix[OBJECT_NAME_SIZE];

    name_map_prefix(owner, prefix);
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0 ||
        !backup_label_valid(name + length, strlen(name + length)))
        return false;
    memcpy(ret_label, name + length, BACKUP_LABEL_SIZE);
    return true;
}

/* The document as a line: all of it or nothing. */
static int
write_line(const struct json *json, struct buf *text, struct err *err)
{
    size_t before = text->size;
    int rc = json_write(json, text, err);

    if (rc == 0)
        rc = buf_append(text, "\n", 1, err);
    if (rc != 0)
        text->size = before;
    return rc;
}

int
name_map_write_head(const struct name_map_head *head, struct buf *text, struct err *err)
{
    AUTO(json) struct json *json = json_new();
    char system_id[24];
    char lsn[LSN_TEXT];

    (void)snprintf(system_id, sizeof(system_id), "%" PRIu64, head->system_id);
    json_add_number(json, "seawall_names", 1);
    json_add_text(json, "label", head->label);
    json_add_text(json, "system_id", system_id);
    json_add_number(json, "timeline", head->timeline);
    json_add_text(json, "lsn", wal_lsn_text(head->lsn, lsn));
    return write_line(json, text, err);
}

int
name_map_write_database(const struct name_map_database *database, struct name_map_counts *counts,
                        struct buf *text, struct err *err)
{
    AUTO(json) struct json *json = json_new();

    json_add_number(json, "database", database->oid);
    json_add_number(json, "tablespace", database->tablespace);
    json_add_text(json, "name", database->name);
    int rc = write_line(json, text, err);
    if (rc == 0)
        counts->databases++;
    return rc;
}

int
name_map_write_relation(const struct name_map_relation *relation, struct name_map_counts *counts,
                        struct buf *text, struct err *err)
{
    AUTO(json) struct json *json = json_new();
    const char kind[] = {relation->kind, '\0'};

    json_add_number(json, "relation", relation->oid);
    json_add_text(json, "kind", kind);
    json_add_number(json, "file", relation->file);
    json_add_number(json, "tablespace", relation->tablespace);
    if (relation->database == 0)
        json_add_bool(json, "shared", true);
    if (relation->toast_of != 0)
        json_add_number(json, "toast_of", relation->toast_of);
    json_add_text(json, "schema", relation->schema);
    json_add_text(json, "name", relation->name);
    int rc = write_line(json, text, err);
    if (rc == 0)
        counts->relations++;
    return rc;
}

int
name_map_write_end(const struct name_map_counts *counts, struct buf *text, struct err *err)
{
    AUTO(json) struct json *json = json_new();

    json_add_text(json, "type", "end");
    json_add_number(json, "databases", (int64_t)counts->databases);
    json_add_number(json, "relations", (int64_t)counts->relations);
    return write_line(json, text, err);
}
