/* SPDX-License-Identifier: PostgreSQL */
/*
 * notice_log.h: notices that are kept until somebody can be told.
 *
 * At most NOTICE_LOG_MAX of NOTICE_TEXT_SIZE; a further one is counted and dropped, a repetition of
 * the last one is counted only.
 */
#ifndef BASE_NOTICE_LOG_H
#define BASE_NOTICE_LOG_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/log.h"

#define NOTICE_LOG_MAX 32
#define NOTICE_TEXT_SIZE 1024

struct kept_notice {
    enum log_level level;
    unsigned times;
    char *text;
};

struct notice_log {
    struct notices notices; /* what is passed on; must stay the first member */
    size_t n;
    uint64_t dropped;
    struct kept_notice kept[NOTICE_LOG_MAX];
};

void notice_log_init(struct notice_log *log);

/* Say all to `to`, then forget. */
void notice_log_flush(struct notice_log *log, struct notices *to);

void notice_log_done(struct notice_log *log);

DEFINE_CLEANUP(notice_log, struct notice_log, notice_log_done);

#endif
