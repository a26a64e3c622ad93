/* SPDX-License-Identifier: PostgreSQL */
#include "archive/sync_parts.h"

void
sync_backup_saw(struct sync_backup *backup, enum backup_object_kind kind, uint32_t number)
{
    uint32_t *seen = kind == BACKUP_PART ? &backup->n_parts : &backup->n_manifests;

    if (kind == BACKUP_COMPLETE)
        return;
    /* They are numbered from 1 and come in order. */
    backup->hole = backup->hole || number != *seen + 1;
    *seen = number;
}

const char *
sync_backup_withheld(const struct sync_backup *backup, size_t store, enum sync_kind *ret_kind)
{
    uint32_t bit = (uint32_t)1 << store;

    *ret_kind = SYNC_UNHEALED;
    if (backup->hole || backup->n_parts == 0 || backup->n_manifests == 0)
        return "withheld: a part of the backup is in no store";
    if (backup->lacking & bit)
        return "withheld: not all objects of the backup are good in this store";
    *ret_kind = SYNC_FAILED;
    if (backup->failed & bit)
        return "withheld: not all objects of the backup could be copied this time";
    return NULL;
}
