/* SPDX-License-Identifier: PostgreSQL */
#include "agent/library_push.h"

#include <stdio.h>

#include "agent/hook.h"

/* Below the 60 seconds that pg_ctl waits for a server to stop. */
#define STANDARD_MS 45000

/* Notices for the server. */
struct listener {
    struct notices notices;
    const struct library_push *push;
};

static void
take_notice(struct notices *notices, enum log_level level, const char *text)
{
    const struct listener *listener = (const struct listener *)notices;

    if (level > LOG_DEBUG)
        listener->push->note(level >= LOG_WARNING, text);
}

static int
ask(const struct library_push *push, struct err *err)
{
    AUTO(hook_answer) struct hook_answer answer = HOOK_ANSWER_INIT;
    struct listener listener = {{take_notice}, push};
    const struct hook hook = {
        .config = push->config,
        .runtime_dir = push->runtime_dir,
        .timeout = push->timeout,
        .verb = WIRE_PUSH,
        .path = push->path,
        .standard_ms = STANDARD_MS,
        .start = true,
        .agent = push->agent,
        .stop = push->stop,
    };

    int rc = hook_ask(&hook, &answer, &listener.notices, err);
    if (rc != HOOK_OFF)
        return rc;
    (void)err_set(err, ERR_CONFIG, "the configuration says agent = false, and the archive library "
                  "cannot do without the agent");
    return err_hint(err, "Remove that line, or use seawall-push as archive_command.");
}

int
library_push(const struct library_push *push, char *ret_text, char *ret_hint)
{
    struct err err = ERR_INIT;

    if (ask(push, &err) == 0)
        return 0;
    (void)snprintf(ret_text, LIBRARY_TEXT_SIZE, "%s", err.text);
    (void)snprintf(ret_hint, LIBRARY_TEXT_SIZE, "%s", err.hint);
    return -1;
}
