/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_record.h: what a base backup has put where: manifest text and the sums of `complete`.
 *
 * Parts are recorded in their order. Memory is one manifest object's text, and the runs of one
 * file. Pure: whoever records sends the texts.
 */
#ifndef ARCHIVE_BACKUP_RECORD_H
#define ARCHIVE_BACKUP_RECORD_H

#include "archive/backup_workers.h"

struct backup_record; /* opaque */

/* Begins the manifest. 0 or -1. */
int backup_record_new(const char *label, uint64_t system_id, uint32_t block_size,
                      struct backup_record **ret_record, struct err *err) MUST_USE;
void backup_record_free(struct backup_record *record);

enum record_outcome {
    RECORD_TEXT = 1, /* done, and a manifest object is full: backup_record_take_text() */
};

/* A part that was packed. 0, RECORD_TEXT or -1. */
int backup_record_part(struct backup_record *record, const struct backup_job *job, struct err *err)
    MUST_USE;

/* All parts were recorded: ends the manifest. 0, RECORD_TEXT (take both texts) or -1. */
int backup_record_end(struct backup_record *record, struct err *err) MUST_USE;

/* The oldest text that was not taken yet; false: there is none. The caller owns it. */
bool backup_record_take_text(struct backup_record *record, struct buf *ret_text);

/* A manifest object that was packed, in their order. 0 or -1. */
int backup_record_manifest(struct backup_record *record, const struct backup_job *job,
                           struct err *err) MUST_USE;

/*
 * Fill in what was counted: sums, digests, damage (which moves over). 0 or -1.
 */
int backup_record_complete(struct backup_record *record, struct backup_complete *complete,
                           struct err *err) MUST_USE;

uint64_t backup_record_bytes(const struct backup_record *record);
uint64_t backup_record_damage(const struct backup_record *record);

DEFINE_POINTER_CLEANUP(backup_record, struct backup_record, backup_record_free);

#endif
