/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/hook_parts.h"
#include "base/clock.h"
#include "base/process.h"

#define NAP_MS 1000

void
hook_heard(struct hook_run *run)
{
    run->heard_ms = clock_boot_ms();
    if (run->marked)
        rendezvous_unmark(&run->rendezvous);
    run->marked = false;
}

int
hook_hint_silent(const struct hook_run *run, struct err *err)
{
    return err_hint(err, "If it stays so, end it with \"kill -KILL %ld\": another one is started, "
                         "and nothing is lost.", (long)run->agent);
}

/* A stopped agent, or one whose disk hangs: connected, and not a word. */
static int
fail_silent(struct hook_run *run, struct err *err)
{
    long long silent_s = (long long)(clock_boot_ms() - run->heard_ms) / 1000;

    run->silent = true;
    rendezvous_mark(&run->rendezvous);
    if (run->agent == 0)
        return err_set(err, ERR_TRANSIENT, "no agent has said anything for %lld s", silent_s);
    (void)err_set(err, ERR_TRANSIENT, "the agent (process %ld) has said nothing for %lld s",
                  (long)run->agent, silent_s);
    return hook_hint_silent(run, err);
}

int
hook_time_left(struct hook_run *run, struct err *err)
{
    int number = process_stop_requested();

    if (number != 0)
        return err_set(err, ERR_TRANSIENT, "stopped by signal %d", number);
    if (run->hook->stop != NULL && run->hook->stop())
        return err_set(err, ERR_TRANSIENT, "the server stops");
    if (clock_boot_ms() - run->heard_ms >= run->silence_ms)
        return fail_silent(run, err);
    if (clock_boot_ms() < run->deadline_ms)
        return 0;
    if (run->agent == 0) {
        (void)err_set(err, ERR_TRANSIENT, "no agent could be reached within %lld s",
                      (long long)(run->deadline_ms - run->start_ms) / 1000);
        return err_hint(err, "The runtime directory is \"%s\".", run->rendezvous.path);
    }
    return err_set(err, ERR_TRANSIENT, "the agent (process %ld) did not answer within %lld s",
                   (long)run->agent, (long long)(run->deadline_ms - run->start_ms) / 1000);
}

int
hook_wait(struct hook_run *run, int fd, struct err *err)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    if (hook_time_left(run, err) < 0)
        return -1;
    int64_t left = MIN_OF(run->deadline_ms - clock_boot_ms(),
                          run->silence_ms - (clock_boot_ms() - run->heard_ms));
    /* A signal that came just before is not slept through. */
    (void)poll(&poll_fd, 1, (int)MAX_OF(MIN_OF(left, (int64_t)NAP_MS), (int64_t)0));
    return 0;
}

/* Copy into the request; what is too long is refused when the request is written. */
static void
put_text(char *place, size_t size, const char *text)
{
    size_t length = text == NULL ? 0 : strnlen(text, size);

    memset(place, 0, size);
    memcpy(place, text == NULL ? "" : text, length);
}

static int
send_request(const struct hook_run *run, int socket, struct err *err)
{
    const struct hook *hook = run->hook;
    struct wire_message message;
    struct wire_request request = {
        .verb = hook->verb,
        .version = SEAWALL_VERSION,
        .elapsed_ms = clock_boot_ms() - run->start_ms,
        .timeout_ms = run->timeout_ms,
    };
    AUTO(fd) int directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    put_text(request.name, sizeof(request.name), hook->name);
    put_text(request.path, sizeof(request.path), hook->path);
    if (wire_write_request(&request, &message, err) < 0) {
        /* PostgreSQL's own names never are like that. */
        if (hook->verb == WIRE_PUSH)
            err->kind = ERR_LOCAL;
        return -1;
    }
    if (directory < 0)
        return err_sys(err, errno, "could not open the working directory");
    int rc = wire_send(socket, &message, directory, err);
    return rc == WIRE_FULL || rc == WIRE_ENDED ? HOOK_TALK_AGAIN : rc;
}

/* The agent has said until when it will have answered; a --timeout has the last word. */
static int
extend(struct hook_run *run, int64_t wait_ms, struct err *err)
{
    int64_t deadline_ms = clock_boot_ms() + wait_ms + HOOK_GRACE_MS;

    /* It says so again and again to show that it lives; that gives it no more time. */
    if (run->told)
        deadline_ms = MIN_OF(deadline_ms, run->deadline_ms);
    run->told = true;
    if (run->hook->alone)
        run->silence_ms = HOOK_SILENCE_MS;
    if (run->timeout_ms != 0)
        deadline_ms = MIN_OF(deadline_ms, run->start_ms + run->timeout_ms + HOOK_GRACE_MS);
    run->deadline_ms = deadline_ms;
    if (run->hook->late_code == 0)
        return 0;
    return process_watchdog(deadline_ms - clock_boot_ms() + HOOK_GRACE_MS, run->hook->late_code,
                            err);
}

/* A piece of something longer. */
static int
add_data(struct hook_answer *answer, const char *text, struct err *err)
{
    int rc = buf_append_text(&answer->data, text, err);

    return rc == BUF_FULL ? err_set(err, ERR_INTERNAL, "the agent's answer is too long") : rc;
}

/* 0: go on listening; 1: *ret_rc is the end of the conversation. */
static int
take_answer(struct hook_run *run, const struct wire_answer *answer, int *ret_rc,
            struct hook_answer *ret, struct notices *notices, struct err *err)
{
    *ret_rc = 0;
    switch (answer->kind) {
    case WIRE_ANSWER_WAIT:
        *ret_rc = extend(run, answer->wait_ms, err);
        return *ret_rc < 0;
    case WIRE_ANSWER_NOTE:
        notices->notice(notices, answer->level, answer->text);
        return 0;
    case WIRE_ANSWER_DATA:
        *ret_rc = add_data(ret, answer->text, err);
        return *ret_rc < 0;
    case WIRE_ANSWER_OK:
        return 1;
    case WIRE_ANSWER_ABSENT:
        *ret_rc = HOOK_ABSENT;
        return 1;
    case WIRE_ANSWER_FAILED:
        *err = answer->err;
        ret->decided = true;
        *ret_rc = -1;
        return 1;
    case WIRE_ANSWER_AGAIN:
        *ret_rc = HOOK_TALK_AGAIN;
        return 1;
    case WIRE_ANSWER_READY:
    case WIRE_ANSWER_LOCKED:
    case WIRE_ANSWER_OFF:
        break;
    }
    *ret_rc = err_set(err, ERR_INTERNAL, "hook and agent do not understand each other");
    return 1;
}

static int
listen_to(struct hook_run *run, int socket, struct hook_answer *ret, struct notices *notices,
          struct err *err)
{
    struct wire_message message;
    struct wire_answer answer;

    for (;;) {
        AUTO(fd) int file = -1;
        int end = 0;
        int rc = wire_receive(socket, &message, &file, err);

        if (rc == WIRE_NOTHING) {
            if (hook_wait(run, socket, err) < 0)
                return -1;
            continue;
        }
        hook_heard(run);
        if (rc == WIRE_ENDED)
            return HOOK_TALK_AGAIN;
        if (rc < 0 || wire_read_answer(&message, &answer, err) < 0)
            return -1;
        if (take_answer(run, &answer, &end, ret, notices, err) == 0)
            continue;
        if (end == 0 && run->hook->verb == WIRE_FETCH && file < 0)
            return err_set(err, ERR_INTERNAL, "the agent sent no file");
        if (end == HOOK_ABSENT && run->hook->verb != WIRE_FETCH)
            return err_set(err, ERR_INTERNAL, "the agent answered something else");
        if (end == 0 && run->hook->verb == WIRE_FETCH)
            ret->file = take_fd(&file);
        return end;
    }
}

int
hook_talk(struct hook_run *run, int socket, struct hook_answer *ret, struct notices *notices,
          struct err *err)
{
    int rc = send_request(run, socket, err);

    run->told = false;
    if (rc == 0)
        rc = listen_to(run, socket, ret, notices, err);
    if (rc == HOOK_TALK_AGAIN)
        buf_clear(&ret->data);
    return rc;
}
