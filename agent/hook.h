/* SPDX-License-Identifier: PostgreSQL */
/*
 * hook.h: what a hook does: finds its agent, starts one if there is none, asks, and waits.
 *
 * Links nothing but libc. An agent that dies or leaves is followed by another one, as long as the
 * deadline allows.
 */
#ifndef AGENT_HOOK_H
#define AGENT_HOOK_H

#include "agent/wire.h"
#include "base/buf.h"

#define HOOK_GRACE_MS 2000 /* beyond what the agent promised */

struct hook {
    const char *config;      /* --config, or NULL */
    const char *runtime_dir; /* --runtime-dir, or NULL */
    const char *timeout;     /* --timeout, or NULL */
    enum wire_verb verb;
    const char *name;        /* fetch */
    const char *path;        /* push, fetch */
    int64_t elapsed_ms;      /* hook_become: of its time this much has passed */
    int64_t standard_ms;     /* how long to wait while nobody has said it */
    int late_code;           /* the watchdog's exit code; 0: no watchdog */
    bool start;              /* start an agent if there is none */
    bool alone;              /* the caller can do without: do not wait for a silent agent */
    const char *agent;       /* the agent's program; NULL: the one beside our own */
    bool (*stop)(void);      /* asked every second and after every signal: give up? May be NULL */
};

struct hook_answer {
    int file;        /* fetch: the verified file, without a name; else -1 */
    struct buf data; /* status */
    bool decided;    /* a failure is the agent's verdict, or would be the same without an agent */
};

#define HOOK_DATA_MAX MIB
#define HOOK_ANSWER_INIT ((struct hook_answer){.file = -1, .data = BUF_INIT(HOOK_DATA_MAX)})

enum hook_outcome {
    HOOK_ABSENT = 1, /* a fetch: proven */
    HOOK_OFF = 2,    /* the configuration says agent = false */
    HOOK_NOBODY = 3, /* there is no agent, and none was to be started */
    HOOK_SILENT = 4, /* `alone`: there is an agent and it says nothing; *err says for how long */
};

/*
 * Ask. What the agent has to say besides goes to `notices`. 0, a hook_outcome, or -1: what the
 * agent answered, ERR_TRANSIENT (deadline, stop request), ERR_CONFIG, ERR_LOCAL (the agent cannot
 * be started).
 *
 * An agent that lives says something every two seconds. With `alone` one that has been silent for
 * eight (half of `timeout`, if that is less) is not waited for any longer, and a mark in the
 * runtime directory spares the next hooks that wait. Whatever it was asked it may still do.
 */
int hook_ask(const struct hook *hook, struct hook_answer *ret, struct notices *notices,
             struct err *err) MUST_USE;

/*
 * Become `seawall-agent --one-shot` with the same request: the same work in this process. Only
 * failures return.
 */
int hook_become(const struct hook *hook, bool verbose, struct err *err) MUST_USE;

/*
 * The same where an agent is silent; and for the hook of a standby whose agent cannot be reached,
 * which goes down if it is told so: only who reads the configuration knows what it is to be told.
 * *err, which is why, becomes a warning. Deadlines count from `start_ms` on, but a second of
 * --timeout is left at least. An agent's program that is missing is waited for, for ten seconds at
 * most.
 */
int hook_become_instead(const struct hook *hook, int64_t start_ms, bool verbose, struct err *err)
    MUST_USE;

void hook_answer_done(struct hook_answer *answer);

DEFINE_CLEANUP(hook_answer, struct hook_answer, hook_answer_done);

#endif
