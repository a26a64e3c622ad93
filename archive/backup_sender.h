/* SPDX-License-Identifier: PostgreSQL */
/*
 * backup_sender.h: the objects of a base backup into all stores at once.
 *
 * A store that fails for good is dropped with a warning and gets nothing more, so its backup never
 * becomes complete; the backup goes on while `acknowledge` stores are left. An object that is
 * already there is read back and compared byte for byte: it can be ours whose acknowledgement was
 * lost, and nothing else may bear a name of this backup.
 */
#ifndef ARCHIVE_BACKUP_SENDER_H
#define ARCHIVE_BACKUP_SENDER_H

#include "base/log.h"
#include "catalog/archive.h"

struct backup_sender; /* opaque */

/* One object on its way. Zeroed before backup_sender_put(); the bytes must live until it is done.
 */
struct outgoing {
    const char *name;
    const struct span *spans; /* two */
    bool
        claim; /* other content under the name is an answer (taken), not a reason to drop a store */
    bool taken;
    size_t n_holding; /* stores that have it */
    struct {
        int step;
        struct store_task *task;
    } to[SETTINGS_STORES_MAX];
};

/*
 * Prove of every store that it does not replace objects, and drop those that fail. 0 or -1: fewer
 * than `acknowledge` are left (the gravest one's error).
 */
int backup_sender_new(struct archive *archive, struct notices *notices,
                      struct backup_sender **ret_sender, struct err *err) MUST_USE;
void backup_sender_free(struct backup_sender *sender);

/* Is store i still with us? */
bool backup_sender_has(const struct backup_sender *sender, size_t i);

/* 0 while enough stores are left, else -1 with the gravest error. */
int backup_sender_check(const struct backup_sender *sender, struct err *err) MUST_USE;

void backup_sender_put(struct backup_sender *sender, struct outgoing *object);

/* Take up what the loop has brought. True: every store that is left has answered. */
bool backup_sender_advance(struct backup_sender *sender, struct outgoing *object);

/* Put and wait. 0 or -1: fewer than `acknowledge` stores are left, or a stop request. */
int backup_sender_put_now(struct backup_sender *sender, struct outgoing *object, struct err *err)
    MUST_USE;

void outgoing_done(struct outgoing *object);

DEFINE_POINTER_CLEANUP(backup_sender, struct backup_sender, backup_sender_free);
DEFINE_CLEANUP(outgoing, struct outgoing, outgoing_done);

#endif
