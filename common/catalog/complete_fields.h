/* SPDX-License-Identifier: PostgreSQL */
/*
 * complete_fields.h: what the completion of a backup may say (docs/format.md section 12.3), for the
 * writer and the reader alike.
 */
#ifndef CATALOG_COMPLETE_FIELDS_H
#define CATALOG_COMPLETE_FIELDS_H

#include "catalog/backup_complete.h"

#define COMPLETE_VERSION 1
#define COMPLETE_KEY_SIZE 64 /* room for a key with "_hex" behind it */

enum complete_kind {
    COMPLETE_INT,
    COMPLETE_U32,
    COMPLETE_U64,
    COMPLETE_TIME,
    COMPLETE_BOOL,
    COMPLETE_LSN,
    COMPLETE_SEGMENT,
};

struct complete_field {
    const char *key;
    enum complete_kind kind;
    size_t offset;
    int64_t min; /* COMPLETE_INT, COMPLETE_U32, COMPLETE_U64, COMPLETE_TIME */
    int64_t max;
};

#define COMPLETE_FIELDS 22

/* The members whose form says all; in the order in which they are written. */
extern const struct complete_field complete_fields[COMPLETE_FIELDS];

/* What the members say together, beyond the ranges of the table. 0 or -1 (ERR_CORRUPT). */
int complete_fields_check(const struct backup_complete *complete, struct err *err) MUST_USE;

#endif
