/* SPDX-License-Identifier: PostgreSQL */
/*
 * absence.h: is a file that no store has truly not there?
 *
 * "Not there" ends recovery, so it is proven per store: the store must hold something of this
 * server at all (otherwise it may be the wrong bucket or prefix, or a directory that is not
 * mounted), and nothing may say that the file existed: a later file of its timeline; for a
 * history file also a later history, or WAL of the very timeline.
 */
#ifndef RESTORE_ABSENCE_H
#define RESTORE_ABSENCE_H

#include "catalog/archive.h"

#define ABSENCE_LISTS 3

enum absence_outcome {
    ABSENCE_GAP = 1,   /* something later exists: named in ret_evidence */
    ABSENCE_EMPTY = 2, /* the store holds nothing of this server: it proves nothing */
};

struct absence_question {
    const struct object_owner *owner;
    const struct wal_name *wal;
    int64_t deadline_ms;
    int64_t retry_ms;
};

/* One store is asked, with all questions at once. */
struct absence {
    struct store_task *lists[ABSENCE_LISTS];
    size_t n; /* of them; the last one asks whether the store knows the server */
    int rc;   /* -1: not even begun, for the reason in err */
    struct err err;
};

#define ABSENCE_INIT ((struct absence){.n = 0})

/*
 * Ask a store about a file that it has just said not to have, or is being asked for. The question
 * is not needed any longer.
 */
void absence_begin(struct absence *absence, struct store *store,
                   const struct absence_question *question);

/* Is enough answered for absence_result()? */
bool absence_ended(const struct absence *absence);

/*
 * 0: nothing there says otherwise; ABSENCE_GAP (ret_evidence, OBJECT_NAME_SIZE bytes, names the
 * later object); ABSENCE_EMPTY; -1.
 */
int absence_result(const struct absence *absence, char *ret_evidence, struct err *err) MUST_USE;

void absence_done(struct absence *absence);

#endif
