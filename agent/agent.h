/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent.h: the process that serves the hooks of one data directory (docs/agent.md).
 *
 * One thread with one loop; workers for what costs processor time. It owns nothing that counts and
 * may be killed at any instant.
 */
#ifndef AGENT_AGENT_H
#define AGENT_AGENT_H

#include <stdbool.h>

#include "base/err.h"

struct agent_options {
    const char *config;      /* --config, or NULL */
    const char *runtime_dir; /* --runtime-dir, or NULL */
    bool foreground;
};

/*
 * Serve the data directory that is the working directory, until it is time to leave.
 *
 * In the background the beginning is told on standard output (wire.h: ready, locked, off, done),
 * and always 0 is returned: where the server is process 1 of a container it inherits us, and would
 * take another exit code for a crash of its own. In the foreground: 0 or -1; an agent in the
 * background is asked to leave.
 */
int agent_run(const struct agent_options *options, struct err *err) MUST_USE;

#endif
