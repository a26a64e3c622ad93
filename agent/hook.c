/* SPDX-License-Identifier: PostgreSQL */
#include "agent/hook.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "agent/hook_parts.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/process.h"
#include "config/settings.h"

#define FIRST_PAUSE_MS 2
#define PAUSE_MAX_MS 250
#define TIMEOUT_MAX_S 3600
#define GLANCE_MS 1000 /* instead of HOOK_SILENCE_MS, where another hook has waited for it */
#define MISSING_MS 10000 /* how long a standby waits for the agent's program to be there */

static int
read_timeout(const char *text, int64_t *ret_ms, struct err *err)
{
    uint64_t seconds = 0;

    if (text == NULL) {
        *ret_ms = 0;
        return 0;
    }
    if (!decimal_read(text, strlen(text), TIMEOUT_MAX_S, &seconds) || seconds == 0)
        return err_set(err, ERR_CONFIG, "--timeout must be between 1 and %d seconds",
                       TIMEOUT_MAX_S);
    *ret_ms = (int64_t)seconds * 1000;
    return 0;
}

/* ---- silence ---- */

/* How long may an agent be silent? */
static void
look_for_mark(struct hook_run *run, int64_t wait_ms)
{
    enum rendezvous_mark mark = RENDEZVOUS_MARK_NONE;

    run->heard_ms = run->start_ms;
    if (!run->hook->alone)
        return;
    mark = rendezvous_look_mark(&run->rendezvous);
    run->marked = mark != RENDEZVOUS_MARK_NONE;
    run->patience_ms = MIN_OF((int64_t)HOOK_SILENCE_MS, wait_ms / 2);
    run->silence_ms = run->patience_ms;
    if (run->marked)
        run->silence_ms = mark == RENDEZVOUS_MARK_FRESH
                              ? 0
                              : MIN_OF((int64_t)GLANCE_MS, run->patience_ms);
}

/* Nobody listens, so what the mark was about is over: the agent that comes is given its time. */
static void
forget_mark(struct hook_run *run)
{
    if (!run->marked)
        return;
    hook_heard(run);
    run->silence_ms = run->patience_ms;
}

static int
fail_marked(struct hook_run *run, struct err *err)
{
    run->silent = true;
    (void)err_set(err, ERR_TRANSIENT, "the agent was silent when somebody waited for it last");
    return run->agent == 0 ? -1 : hook_hint_silent(run, err);
}

/* ---- asking ---- */

/* Connect and ask once. 0, a hook_outcome, HOOK_TALK_AGAIN, or -1. */
static int
attempt(struct hook_run *run, struct hook_answer *ret, struct notices *notices, struct err *err)
{
    AUTO(fd) int socket = -1;
    int rc = rendezvous_connect(&run->rendezvous, &socket, &run->agent, err);

    if ((rc == 0 || rc == RENDEZVOUS_BUSY) && run->silence_ms == 0)
        return fail_marked(run, err);
    if (rc == 0)
        return hook_talk(run, socket, ret, notices, err);
    if (rc < 0)
        return -1;
    if (rc == RENDEZVOUS_BUSY)
        return HOOK_TALK_AGAIN;
    run->agent = 0;
    forget_mark(run);
    if (!run->hook->start)
        return HOOK_NOBODY;
    rc = hook_start(run, &ret->decided, err);
    return rc == 0 ? HOOK_TALK_AGAIN : rc;
}

static int
ask(struct hook_run *run, struct hook_answer *ret, struct notices *notices, struct err *err)
{
    int64_t pause_ms = 0;

    for (;;) {
        int rc = attempt(run, ret, notices, err);

        if (rc != HOOK_TALK_AGAIN)
            return rc;
        if (hook_time_left(run, err) < 0)
            return -1;
        /* At once the first time: an agent was started, or leaves and has made room. */
        if (pause_ms > 0)
            clock_sleep_until(MIN_OF(clock_boot_ms() + pause_ms, run->deadline_ms));
        pause_ms = MIN_OF(pause_ms == 0 ? FIRST_PAUSE_MS : pause_ms * 2, (int64_t)PAUSE_MAX_MS);
    }
}

int
hook_ask(const struct hook *hook, struct hook_answer *ret, struct notices *notices,
         struct err *err)
{
    struct hook_run run = {
        .hook = hook,
        .rendezvous = RENDEZVOUS_INIT,
        .start_ms = clock_boot_ms(),
        .silence_ms = INT64_MAX,
    };

    ret->decided = true;
    if (read_timeout(hook->timeout, &run.timeout_ms, err) < 0)
        return -1;
    int64_t wait_ms = run.timeout_ms != 0 ? run.timeout_ms : hook->standard_ms;
    run.deadline_ms = run.start_ms + wait_ms;
    if (hook->late_code != 0 &&
        process_watchdog(wait_ms + HOOK_GRACE_MS, hook->late_code, err) < 0)
        return -1;
    if (settings_file_path(hook->config, &run.config_path, err) < 0)
        return -1;
    ret->decided = false;
    int rc = rendezvous_open(hook->runtime_dir, run.config_path, &run.rendezvous, err);
    if (rc == 0) {
        look_for_mark(&run, wait_ms);
        rc = ask(&run, ret, notices, err);
    }
    rendezvous_done(&run.rendezvous);
    free(run.config_path);
    return rc < 0 && run.silent ? HOOK_SILENT : rc;
}

/*
 * exec() forgets handlers: a stop request that comes before the new program has its own would end
 * it without a word. What is blocked waits for process_init().
 */
static int
become(const char *path, const char *const *arguments, struct err *err)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        (void)sigaddset(&set, signals[i]);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    if (process_stop_requested() == 0)
        (void)execv(path, (char *const *)(uintptr_t)arguments);
    int reason = errno;
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
    if (process_stop_requested() != 0)
        return err_set(err, ERR_TRANSIENT, "stopped by signal %d", process_stop_requested());
    (void)err_sys(err, reason, "could not run \"%s\"", path);
    return err->sys != ENOENT ? -1 : err_hint(err, "It belongs beside this program.");
}

int
hook_become(const struct hook *hook, bool verbose, struct err *err)
{
    char path[PATH_MAX + 32];
    char elapsed[32];
    const char *arguments[18] = {HOOK_AGENT, "--one-shot",
                                 hook->verb == WIRE_FETCH ? "fetch" : "push"};
    size_t n = 3;
    int64_t ignored = 0;

    if (read_timeout(hook->timeout, &ignored, err) < 0 || hook_agent_path(hook, path, err) < 0)
        return -1;
    if (hook->config != NULL) {
        arguments[n++] = "--config";
        arguments[n++] = hook->config;
    }
    if (hook->timeout != NULL) {
        arguments[n++] = "--timeout";
        arguments[n++] = hook->timeout;
    }
    if (hook->elapsed_ms > 0) {
        (void)snprintf(elapsed, sizeof(elapsed), "%lld", (long long)hook->elapsed_ms);
        arguments[n++] = "--elapsed";
        arguments[n++] = elapsed;
    }
    if (verbose)
        arguments[n++] = "--verbose";
    arguments[n++] = "--";
    if (hook->verb == WIRE_FETCH)
        arguments[n++] = hook->name;
    arguments[n++] = hook->path;
    arguments[n] = NULL;
    return become(path, arguments, err);
}

/* What is left of --timeout, as text in whole seconds; returned in milliseconds. */
static int64_t
write_rest(const char *timeout, int64_t start_ms, char *ret_text, size_t size)
{
    uint64_t seconds = 0;

    (void)decimal_read(timeout, strlen(timeout), TIMEOUT_MAX_S, &seconds);
    int64_t left_ms = start_ms + (int64_t)seconds * 1000 - clock_boot_ms();
    (void)snprintf(ret_text, size, "%lld", (long long)MAX_OF(left_ms / 1000, (int64_t)1));
    return MAX_OF(left_ms, (int64_t)0);
}

int
hook_become_instead(const struct hook *hook, int64_t start_ms, bool verbose, struct err *err)
{
    struct hook rest = *hook;
    int64_t left_ms = MISSING_MS;
    char timeout[32];

    if (process_stop_requested() != 0)
        return -1;
    notice_err(&log_notices, LOG_WARNING, err, "going on without an agent");
    rest.elapsed_ms = MIN_OF(clock_boot_ms() - start_ms, (int64_t)TIMEOUT_MAX_S * 1000);
    if (hook->timeout != NULL) {
        left_ms = MIN_OF(left_ms, write_rest(hook->timeout, start_ms, timeout, sizeof(timeout)));
        rest.timeout = timeout;
    }
    if (process_watchdog(left_ms + HOOK_GRACE_MS, hook->late_code, err) < 0)
        return -1;
    for (int64_t until_ms = clock_boot_ms() + left_ms;;) {
        int rc = hook_become(&rest, verbose, err);

        /* Whoever replaces programs may remove the old one before he writes the new one. */
        if ((err->sys != ENOENT && err->sys != ETXTBSY) || clock_boot_ms() >= until_ms)
            return rc;
        clock_sleep_until(clock_boot_ms() + PAUSE_MAX_MS);
        if (process_stop_requested() != 0)
            return rc;
    }
}

void
hook_answer_done(struct hook_answer *answer)
{
    if (answer->file >= 0)
        (void)close(answer->file);
    answer->file = -1;
    buf_done(&answer->data);
}
