/* SPDX-License-Identifier: PostgreSQL */
/*
 * backups.h: the complete backups of one server, in whichever stores they are.
 */
#ifndef RESTORE_BACKUPS_H
#define RESTORE_BACKUPS_H

#include "base/log.h"
#include "catalog/archive.h"
#include "catalog/backup_complete.h"

#define BACKUPS_MAX 4096

struct backup_found {
    char label[BACKUP_LABEL_SIZE];
    uint32_t stores;  /* bit i: its completion is in store i */
    bool readable;    /* the completion verified; if not, a notice said why */
    /* What the completion says, if readable; without the strings and arrays it owns. */
    struct backup_complete complete;
};

struct backups {
    struct backup_found *items; /* by label: oldest first */
    size_t n;
    size_t capacity;
};

#define BACKUPS_INIT ((struct backups){.items = NULL})

/* Where backups are read from. */
struct backups_source {
    struct archive *archive;
    const struct object_owner *owner; /* borrowed */
    struct notices *notices;
    int64_t deadline_ms;
};

/*
 * Find the completions in every store whose open_err is clear, one request for each backup. A store
 * that fails gets its open_err, and adds nothing. 0 or -1 (ERR_INTERNAL; ERR_CORRUPT: more than
 * BACKUPS_MAX).
 */
int backups_find(const struct backups_source *source, struct backups *ret,
                 struct err *err) MUST_USE;

/* Read and verify every completion found. One that does not is a notice. 0 or -1 (ERR_INTERNAL). */
int backups_read(const struct backups_source *source, struct backups *backups,
                 struct err *err) MUST_USE;

/* One completion with everything in it, from these stores. 0 or -1. */
int backups_read_one(const struct backups_source *source, const char *label, uint32_t stores,
                     struct backup_complete *ret, struct err *err) MUST_USE;

void backups_done(struct backups *backups);

DEFINE_CLEANUP(backups, struct backups, backups_done);

#endif
