/* SPDX-License-Identifier: PostgreSQL */
/*
 * list.h: seawall list: what the archive holds, per store and together.
 */
#ifndef RESTORE_LIST_H
#define RESTORE_LIST_H

#include "catalog/archive.h"

/*
 * Print it, as a table or as JSON. 0; -1: the error of a store that could not be listed (what the
 * others hold is printed all the same).
 */
int list_archive(struct archive *archive, bool as_json, int64_t deadline_ms,
                 struct err *err) MUST_USE;

#endif
