/* SPDX-License-Identifier: PostgreSQL */
/*
 * standby.h: what a standby is told when the stores are in doubt.
 *
 * A standby asks again for ever and goes down on an exit code above 125. So with standby.signal
 * in the data directory, doubt (transient, integrity, conflict, local) becomes 1 with a WARNING,
 * after bounded retries, as standby_on_error says. A wrong configuration or key stays an error.
 */
#ifndef RESTORE_STANDBY_H
#define RESTORE_STANDBY_H

#include "catalog/pgdata.h"
#include "config/settings.h"

/* The deadline of a fetch: a standby that is to continue is not kept waiting for fetch_timeout. */
int64_t standby_fetch_deadline(const struct settings *settings, const struct pgdata *pgdata,
                               int64_t now_ms);

/* Does this failure become "not there (yet)" for this server? */
bool standby_softens(const struct settings *settings, const struct pgdata *pgdata,
                     enum err_kind kind);

#endif
