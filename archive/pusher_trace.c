/* SPDX-License-Identifier: PostgreSQL */
#include "archive/pusher_private.h"

#include "base/clock.h"

/* Since the pusher was made; -1: that did not happen. */
static long long
since(const struct pusher *pusher, int64_t ms)
{
    return ms == 0 ? -1 : (long long)(ms - pusher->made_ms);
}

void
pusher_trace(const struct job *job, const char *what)
{
    const struct pusher *pusher = job->pusher;
    struct store_sending sending = {0};
    size_t packing = 0, sending_now = 0;

    if (pusher->options.trace == NULL)
        return;
    if (job->delivery != NULL)
        sending = *delivery_sending(job->delivery, 0);
    for (const struct job *other = pusher->jobs; other != NULL; other = other->next) {
        packing += other->step == JOB_PACKING;
        sending_now += other->step == JOB_SENDING || other->step == JOB_LAGGING;
    }
    notice(pusher->options.trace, LOG_DEBUG,
           "%s: %s: made %lld begun %lld packed %lld first %lld last %lld now %lld ms; "
           "%llu of %zu bytes out; packing %zu sending %zu window %zu memory %zu KiB",
           job->wal.text, what, since(pusher, job->made_ms), since(pusher, job->begun_ms),
           since(pusher, job->packed_ms), since(pusher, sending.first_ms),
           since(pusher, sending.last_ms), since(pusher, clock_boot_ms()),
           (unsigned long long)sending.bytes, job->memory, packing, sending_now,
           pusher->window.size, pusher->memory / 1024);
}
