/* SPDX-License-Identifier: PostgreSQL */
#include "base/notice_log.h"

#include <stdlib.h>
#include <string.h>

static bool
is_last(const struct notice_log *log, enum log_level level, const char *text)
{
    const struct kept_notice *last = log->n == 0 ? NULL : &log->kept[log->n - 1];

    return last != NULL && last->level == level &&
           strncmp(last->text, text, NOTICE_TEXT_SIZE - 1) == 0;
}

static void
keep(struct notices *notices, enum log_level level, const char *text)
{
    struct notice_log *log = (struct notice_log *)notices;
    char *copy = NULL;

    if (is_last(log, level, text)) {
        log->kept[log->n - 1].times++;
        return;
    }
    if (log->n < NOTICE_LOG_MAX)
        copy = strndup(text, NOTICE_TEXT_SIZE - 1);
    if (copy == NULL) {
        log->dropped++;
        return;
    }
    log->kept[log->n++] = (struct kept_notice){.level = level, .times = 1, .text = copy};
}

void
notice_log_init(struct notice_log *log)
{
    *log = (struct notice_log){.notices.notice = keep};
}

void
notice_log_flush(struct notice_log *log, struct notices *to)
{
    for (size_t i = 0; i < log->n; i++) {
        const struct kept_notice *kept = &log->kept[i];

        if (kept->times > 1)
            notice(to, kept->level, "%s (%u times)", kept->text, kept->times);
        else
            to->notice(to, kept->level, kept->text);
    }
    if (log->dropped > 0)
        notice(to, LOG_WARNING, "%llu further messages were dropped",
               (unsigned long long)log->dropped);
    notice_log_done(log);
    notice_log_init(log);
}

void
notice_log_done(struct notice_log *log)
{
    for (size_t i = 0; i < log->n; i++)
        free(log->kept[i].text);
    log->n = 0;
    log->dropped = 0;
}
