/* SPDX-License-Identifier: PostgreSQL */
/*
 * oneshot.h: a hook's request done in this process, without an agent.
 */
#ifndef AGENT_ONESHOT_H
#define AGENT_ONESHOT_H

#include <stdint.h>

#include "base/err.h"

struct oneshot {
    const char *config; /* --config, or NULL */
    int64_t timeout_ms; /* at most this long; 0: as configured */
    int64_t elapsed_ms; /* of what is configured this much has passed; some seconds are left */
};

/* Archive the file at `path`. 0 or -1. */
int oneshot_push(const struct oneshot *oneshot, const char *path, struct err *err) MUST_USE;

/* Bring file `name` to `path`. 0, EXIT_PROVEN_ABSENT, or -1. */
int oneshot_fetch(const struct oneshot *oneshot, const char *name, const char *path,
                  struct err *err) MUST_USE;

#endif
