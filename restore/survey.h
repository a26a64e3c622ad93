/* SPDX-License-Identifier: PostgreSQL */
/*
 * survey.h: what all stores together hold of one server, as their listings tell: WAL, history
 * files, backups.
 *
 * A store that cannot be listed has an open_err in the archive from then on and is left out; who
 * draws conclusions from absence asks survey_all_asked().
 */
#ifndef RESTORE_SURVEY_H
#define RESTORE_SURVEY_H

#include "catalog/inventory.h"
#include "restore/backups.h"

struct survey {
    struct object_owner owner;
    struct inventory stores[SETTINGS_STORES_MAX];
    struct inventory together;
    struct backups backups;
};

/* The system identifiers below the cluster's name in any of the stores, each once. Returns how
 * many; `ret_systems` has INVENTORY_SYSTEMS_MAX. */
size_t survey_systems(struct archive *archive, int64_t deadline_ms, uint64_t *ret_systems);

/*
 * Read everything. Completions of backups are read if the archive's keys allow it. 0 or -1
 * (ERR_INTERNAL; ERR_CORRUPT: stores disagree about the size of a segment).
 */
int survey_read(struct archive *archive, uint64_t system_id, int64_t deadline_ms,
                struct notices *notices, struct survey *ret, struct err *err) MUST_USE;

/* Can the archive's keys open what is in it? */
bool survey_can_decrypt(const struct archive *archive);

/* Bit i: store i was listed. */
uint32_t survey_asked(const struct archive *archive);
bool survey_all_asked(const struct archive *archive);

/* The timeline's entry, or NULL. */
const struct inventory_timeline *survey_timeline(const struct inventory *inventory,
                                                 uint32_t timeline);

/*
 * The first segment of [first, last] that is not in the inventory; last + 1 if all are there.
 * ret_missing, which may be NULL: how many are not.
 */
uint64_t survey_first_missing(const struct inventory *inventory, uint32_t timeline, uint64_t first,
                              uint64_t last, uint64_t *ret_missing);

void survey_done(struct survey *survey);

DEFINE_CLEANUP(survey, struct survey, survey_done);

#endif
