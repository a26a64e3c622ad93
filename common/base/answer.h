/* SPDX-License-Identifier: PostgreSQL */
/*
 * answer.h: what a half of the agent says to one who asked.
 */
#ifndef BASE_ANSWER_H
#define BASE_ANSWER_H

#include "base/notice_log.h"

struct answer {
    uint64_t ticket; /* the asker's number */
    int rc;          /* 0 done; -1 *err; >0 the half's named outcome */
    struct err err;
    int file;        /* an open, verified file without a name (fetch, rc 0), or -1 */
    struct notice_log notices;
};

/* Empty, for `ticket`. */
void answer_init(struct answer *answer, uint64_t ticket);

/* Closes the file, frees the notices. */
void answer_done(struct answer *answer);

DEFINE_CLEANUP(answer, struct answer, answer_done);

#endif
