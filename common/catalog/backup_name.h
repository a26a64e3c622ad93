/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_name.h: what the objects of a base backup are called (docs/format.md section 12).
 */
#ifndef CATALOG_BACKUP_NAME_H
#define CATALOG_BACKUP_NAME_H

#include "catalog/object_name.h"

#define BACKUP_LABEL_SIZE 17       /* "20261122T153600Z" and a NUL */
#define BACKUP_NUMBER_MAX 99999999 /* of a part or manifest object; the first is 1 */

enum backup_object_kind {
    BACKUP_PART,
    BACKUP_MANIFEST,
    BACKUP_COMPLETE,
};

/* The label of a backup that begins at this time; is this text a label (a real time from 1970 on)?
 */
void backup_label_of_time(int64_t real_us, char *ret_label);
bool backup_label_valid(const char *text, size_t length);

/* "<cluster>/<system id>/backup/", and the prefix of one backup, ending in '/'. */
void backup_name_prefix(const struct object_owner *owner, char *ret);
void backup_name_label_prefix(const struct object_owner *owner, const char *label, char *ret);

/* number: 1 to BACKUP_NUMBER_MAX; ignored for BACKUP_COMPLETE. */
void backup_name_of(const struct object_owner *owner, const char *label,
                    enum backup_object_kind kind, uint32_t number, char *ret);

/* Take such a name apart (number 0: BACKUP_COMPLETE). False if it is none of this owner's. */
bool backup_name_parse(const struct object_owner *owner, const char *name, char *ret_label,
                       enum backup_object_kind *ret_kind, uint32_t *ret_number);

#endif
