/* SPDX-License-Identifier: PostgreSQL */
/*
 * list_backups.h: the backups in a listing: what each is, where it is complete, and whether the WAL
 * it needs is there.
 */
#ifndef RESTORE_LIST_BACKUPS_H
#define RESTORE_LIST_BACKUPS_H

#include "base/json.h"
#include "restore/survey.h"

void list_backups_print(const struct archive *archive, const struct survey *survey);

/* As the member "backups" of the open object. */
void list_backups_json(struct json *json, const struct archive *archive,
                       const struct survey *survey);

#endif
