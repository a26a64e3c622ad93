/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/complete_fields.h"

#include <stddef.h>
#include <string.h>

#include "catalog/manifest_check.h"

#define CLUSTER_MAX 63
#define TABLESPACE_PATH_MAX 4095
#define TIME_MAX ((int64_t)253402300799) /* the end of the year 9999 */

#define AT(member) offsetof(struct backup_complete, member)

const struct complete_field complete_fields[COMPLETE_FIELDS] = {
    {"server_version", COMPLETE_INT, AT(server_version), 90000, 99999999},
    {"catalog_version", COMPLETE_U32, AT(catalog_version), 1, UINT32_MAX},
    {"control_version", COMPLETE_U32, AT(control_version), 1, UINT32_MAX},
    {"segment_size", COMPLETE_U32, AT(segment_size), WAL_SEGMENT_SIZE_MIN, WAL_SEGMENT_SIZE_MAX},
    {"block_size", COMPLETE_U32, AT(block_size), 1, UINT32_MAX},
    {"data_checksums", COMPLETE_BOOL, AT(data_checksums), 0, 0},
    {"from_standby", COMPLETE_BOOL, AT(from_standby), 0, 0},
    {"start_lsn", COMPLETE_LSN, AT(start_lsn), 0, 0},
    {"start_timeline", COMPLETE_U32, AT(start_timeline), 1, UINT32_MAX},
    {"start_time", COMPLETE_TIME, AT(start_time), 0, TIME_MAX},
    {"checkpoint_lsn", COMPLETE_LSN, AT(checkpoint_lsn), 0, 0},
    {"stop_lsn", COMPLETE_LSN, AT(stop_lsn), 0, 0},
    {"stop_timeline", COMPLETE_U32, AT(stop_timeline), 1, UINT32_MAX},
    {"stop_time", COMPLETE_TIME, AT(stop_time), 0, TIME_MAX},
    {"first_wal", COMPLETE_SEGMENT, AT(first_wal), 0, 0},
    {"last_wal", COMPLETE_SEGMENT, AT(last_wal), 0, 0},
    {"parts", COMPLETE_U32, AT(n_parts), 1, BACKUP_NUMBER_MAX},
    {"manifests", COMPLETE_U32, AT(n_manifests), 1, BACKUP_MANIFESTS_MAX},
    {"files", COMPLETE_U64, AT(n_files), 0, INT64_MAX},
    {"bytes", COMPLETE_U64, AT(n_bytes), 0, INT64_MAX},
    {"stored_bytes", COMPLETE_U64, AT(stored_bytes), 0, INT64_MAX},
    {"damage_count", COMPLETE_U64, AT(damage_count), 0, INT64_MAX},
};

static bool
cluster_valid(const char *cluster)
{
    static const char begins[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    static const char goes_on[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strnlen(cluster, CLUSTER_MAX + 1);

    return length >= 1 && length <= CLUSTER_MAX && strchr(begins, cluster[0]) != NULL &&
           strspn(cluster, goes_on) == length && strstr(cluster, "..") == NULL;
}

static int
check_wal(const struct backup_complete *complete, struct err *err)
{
    struct wal_name first;
    struct wal_name last;

    if (!wal_segment_size_valid(complete->segment_size))
        return err_set(err, ERR_CORRUPT, "\"segment_size\" cannot be %u", complete->segment_size);
    if (complete->start_lsn > complete->checkpoint_lsn ||
        complete->checkpoint_lsn >= complete->stop_lsn)
        return err_set(
            err, ERR_CORRUPT,
            "\"start_lsn\", \"checkpoint_lsn\" and \"stop_lsn\" do not follow each other");
    if (complete->start_timeline > complete->stop_timeline)
        return err_set(err, ERR_CORRUPT, "\"stop_timeline\" is before \"start_timeline\"");
    wal_name_of_lsn(complete->start_timeline, complete->start_lsn, complete->segment_size, &first);
    wal_name_of_lsn(complete->stop_timeline, complete->stop_lsn - 1, complete->segment_size, &last);
    if (strcmp(first.text, complete->first_wal.text) != 0)
        return err_set(err, ERR_CORRUPT, "\"first_wal\" does not hold \"start_lsn\"");
    if (strcmp(last.text, complete->last_wal.text) != 0)
        return err_set(err, ERR_CORRUPT, "\"last_wal\" does not hold the end of the backup");
    return 0;
}

static int
check_lists(const struct backup_complete *complete, struct err *err)
{
    if (complete->n_tablespaces > BACKUP_TABLESPACES_MAX ||
        complete->n_damage > BACKUP_DAMAGE_MAX || complete->n_damage > complete->damage_count)
        return err_set(err, ERR_CORRUPT, "\"tablespaces\" or \"damage\" has too many elements");
    for (size_t i = 0; i < complete->n_tablespaces; i++) {
        size_t length = strnlen(complete->tablespaces[i].path, TABLESPACE_PATH_MAX + 1);

        if (complete->tablespaces[i].oid == 0 || length == 0 || length > TABLESPACE_PATH_MAX)
            return err_set(err, ERR_CORRUPT, "tablespace %zu has no oid or no path", i + 1);
        for (size_t j = 0; j < i; j++)
            if (complete->tablespaces[j].oid == complete->tablespaces[i].oid)
                return err_set(err, ERR_CORRUPT, "tablespace %u is there twice",
                               complete->tablespaces[i].oid);
    }
    for (size_t i = 0; i < complete->n_damage; i++)
        if (!manifest_path_valid(complete->damage[i].path, strlen(complete->damage[i].path)))
            return err_set(err, ERR_CORRUPT, "damage %zu is in no file of the backup", i + 1);
    return 0;
}

int
complete_fields_check(const struct backup_complete *complete, struct err *err)
{
    if (!backup_label_valid(complete->label, strnlen(complete->label, BACKUP_LABEL_SIZE)))
        return err_set(err, ERR_CORRUPT, "\"label\" is not that of a backup");
    if (!cluster_valid(complete->cluster))
        return err_set(err, ERR_CORRUPT, "\"cluster\" is not the name of one");
    if (complete->backup_label_text == NULL || complete->manifest_digests == NULL)
        return err_set(err, ERR_CORRUPT, "\"backup_label\" or \"manifest_digests\" is missing");
    if (!manifest_block_size_valid(complete->block_size))
        return err_set(err, ERR_CORRUPT, "\"block_size\" cannot be %u", complete->block_size);
    return check_wal(complete, err) < 0 ? -1 : check_lists(complete, err);
}
