/* SPDX-License-Identifier: PostgreSQL */
/*
 * text_object.h: a text of ours, sealed and put into all stores in one step.
 */
#ifndef ARCHIVE_TEXT_OBJECT_H
#define ARCHIVE_TEXT_OBJECT_H

#include "archive/backup_sender.h"

enum text_object_outcome {
    TEXT_OBJECT_TAKEN = 1, /* with `claim`: other content has the name */
};

struct text_object {
    const char *name;
    uint64_t system_id;
    struct span text;
    bool claim; /* see struct outgoing */
};

/* 0: enough stores hold it; TEXT_OBJECT_TAKEN; or -1 (as backup_sender_put_now()). */
int text_object_put(const struct archive *archive, struct backup_sender *sender,
                    const struct text_object *object, struct err *err) MUST_USE;

#endif
