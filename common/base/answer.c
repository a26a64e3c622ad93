/* SPDX-License-Identifier: PostgreSQL */
#include "base/answer.h"

#include <unistd.h>

void
answer_init(struct answer *answer, uint64_t ticket)
{
    *answer = (struct answer){.ticket = ticket, .file = -1};
    notice_log_init(&answer->notices);
}

void
answer_done(struct answer *answer)
{
    if (answer->file >= 0)
        (void)close(answer->file);
    answer->file = -1;
    notice_log_done(&answer->notices);
}
