/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_writer.h: one part unpacked, and the runs in it written. What a thread of
 * restore_parts.h does.
 */
#ifndef RESTORE_RESTORE_WRITER_H
#define RESTORE_RESTORE_WRITER_H

#include "codec/object.h"
#include "restore/restore_parts.h"

enum writer_outcome {
    WRITER_DONE,
    WRITER_UNREADABLE, /* the object does not unpack; nothing was written; *err says why */
    WRITER_FAILED,     /* *err says why */
};

/* A run is written and this is its sum. Returns whether all of its file is written now. */
typedef bool (*writer_note)(void *context, const struct restore_run *run, uint32_t crc);

struct restore_writer {
    struct restore_place place;
    struct buf part;              /* memory is kept from part to part */
    uint8_t digest[DIGEST_SIZE]; /* WRITER_DONE: SHA-256 of the part's file, by its writer */
    writer_note note;
    void *context;
};

void restore_writer_init(struct restore_writer *writer, const struct restore_tree *tree,
                         writer_note note, void *context);

/*
 * The last run of a file checks the sum of the file and gives it mode and time. Failures:
 * ERR_CORRUPT (a run ends behind the part, a sum does not match), ERR_LOCAL.
 */
enum writer_outcome restore_writer_run(struct restore_writer *writer, const struct object *object,
                                       const struct keyring *keyring, const struct restore_job *job,
                                       struct err *err);

void restore_writer_done(struct restore_writer *writer);

#endif
