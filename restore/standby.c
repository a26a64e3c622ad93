/* SPDX-License-Identifier: PostgreSQL */
#include "restore/standby.h"

#define CONTINUE_MS 10000

int64_t
standby_fetch_deadline(const struct settings *settings, const struct pgdata *pgdata, int64_t now_ms)
{
    int64_t timeout_ms = settings->fetch_timeout * 1000;

    if (pgdata->standby && settings->standby_on_error == SETTINGS_STANDBY_CONTINUE)
        timeout_ms = MIN_OF(timeout_ms, (int64_t)CONTINUE_MS);
    return now_ms + timeout_ms;
}

bool
standby_softens(const struct settings *settings, const struct pgdata *pgdata, enum err_kind kind)
{
    if (!pgdata->standby || settings->standby_on_error == SETTINGS_STANDBY_STOP)
        return false;
    return kind == ERR_TRANSIENT || kind == ERR_CORRUPT || kind == ERR_CONFLICT ||
           kind == ERR_LOCAL;
}
