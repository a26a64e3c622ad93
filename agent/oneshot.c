/* SPDX-License-Identifier: PostgreSQL */
#include "agent/oneshot.h"

#include "archive/push.h"
#include "base/clock.h"
#include "base/exit.h"
#include "base/process.h"
#include "restore/fetch.h"
#include "restore/standby.h"

#define GRACE_MS 2000
#define LEAST_MS 3000 /* left, however much has passed */

static int64_t
earlier(const struct oneshot *oneshot, int64_t now_ms, int64_t deadline_ms)
{
    int64_t whole_ms = deadline_ms - now_ms;

    deadline_ms = now_ms + MAX_OF(whole_ms - oneshot->elapsed_ms,
                                  MIN_OF(whole_ms, (int64_t)LEAST_MS));
    return oneshot->timeout_ms == 0 ? deadline_ms
                                    : MIN_OF(deadline_ms, now_ms + oneshot->timeout_ms);
}

int
oneshot_push(const struct oneshot *oneshot, const char *path, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;
    AUTO(archive) struct archive *archive = NULL;

    if (settings_read(oneshot->config, &settings, err) < 0)
        return -1;

    int64_t now_ms = clock_boot_ms();
    int64_t deadline_ms = earlier(oneshot, now_ms, now_ms + settings->push_timeout * 1000);
    int late = exit_code(EXIT_SIDE_ARCHIVE, ERR_TRANSIENT);
    if (process_watchdog(deadline_ms - now_ms + GRACE_MS, late, err) < 0 ||
        pgdata_open(settings, &pgdata, err) < 0 ||
        archive_open(settings, ARCHIVE_WRITE, &archive, err) < 0)
        return -1;
    return push_file(archive, &pgdata, path, deadline_ms, &log_notices, err);
}

int
oneshot_fetch(const struct oneshot *oneshot, const char *name, const char *path, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;
    AUTO(archive) struct archive *archive = NULL;

    if (settings_read(oneshot->config, &settings, err) < 0 ||
        pgdata_open(settings, &pgdata, err) < 0)
        return -1;

    int64_t now_ms = clock_boot_ms();
    struct fetch_request request = {
        .name = name,
        .path = path,
        .deadline_ms =
            earlier(oneshot, now_ms, standby_fetch_deadline(settings, &pgdata, now_ms)),
    };
    if (process_watchdog(request.deadline_ms - now_ms + GRACE_MS,
                         exit_code(EXIT_SIDE_RESTORE, ERR_TRANSIENT), err) < 0 ||
        archive_open(settings, ARCHIVE_READ, &archive, err) < 0)
        return -1;

    int rc = fetch_file(archive, &pgdata, &request, &log_notices, err);
    if (rc < 0 && process_stop_requested() == 0 && standby_softens(settings, &pgdata, err->kind)) {
        notice_err(&log_notices, LOG_WARNING, err,
                   "the standby is told that \"%s\" is not there yet", request.name);
        return EXIT_PROVEN_ABSENT;
    }
    return rc == FETCH_ABSENT ? EXIT_PROVEN_ABSENT : rc;
}
