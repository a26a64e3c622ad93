/* SPDX-License-Identifier: PostgreSQL */
/*
 * hook_parts.h: what the files behind hook.h share.
 */
#ifndef AGENT_HOOK_PARTS_H
#define AGENT_HOOK_PARTS_H

#include "agent/hook.h"
#include "agent/rendezvous.h"

#define HOOK_AGENT "seawall-agent"
#define HOOK_SILENCE_MS 8000 /* an agent that lives and works says something every two seconds */

/* One hook at work. */
struct hook_run {
    const struct hook *hook;
    struct rendezvous rendezvous;
    char *config_path;  /* absolute */
    int64_t timeout_ms; /* 0: not given */
    int64_t start_ms;
    int64_t deadline_ms;
    int64_t heard_ms;   /* when an agent showed that it lives */
    int64_t silence_ms; /* how long it may be silent after that; INT64_MAX: to the deadline */
    int64_t patience_ms; /* ... where no mark says anything */
    bool marked;        /* another hook has waited in vain */
    bool silent;        /* so have we */
    bool told;          /* this agent has said until when it will have answered */
    pid_t agent;        /* who was asked last, or 0 */
};

/*
 * Is there time, has the agent not been silent for too long (run->silent), and did nobody ask us
 * to stop? 0 or -1 (ERR_TRANSIENT).
 */
int hook_time_left(struct hook_run *run, struct err *err) MUST_USE;

/* Wait until fd can be read, for a second at most. 0 or -1 (ERR_TRANSIENT). */
int hook_wait(struct hook_run *run, int fd, struct err *err) MUST_USE;

/* What a person can do about run->agent. Returns -1. */
int hook_hint_silent(const struct hook_run *run, struct err *err);

/* An agent lives: it has said something, or its end was seen. */
void hook_heard(struct hook_run *run);

enum hook_talk_outcome {
    HOOK_TALK_AGAIN = 10, /* it leaves, or has died: ask another one */
};

/* One conversation on a connected socket. 0, HOOK_ABSENT, HOOK_TALK_AGAIN, or -1. */
int hook_talk(struct hook_run *run, int socket, struct hook_answer *ret, struct notices *notices,
              struct err *err) MUST_USE;

/*
 * Start an agent, unless somebody else is about to. 0 (try to connect), HOOK_OFF, or -1: what the
 * agent says is wrong, or ERR_LOCAL. *ret_decided: it is the configuration that is.
 */
int hook_start(struct hook_run *run, bool *ret_decided, struct err *err) MUST_USE;

/* The agent's program. `ret_path` has PATH_MAX + 32 bytes. */
int hook_agent_path(const struct hook *hook, char *ret_path, struct err *err) MUST_USE;

#endif
