/* SPDX-License-Identifier: PostgreSQL */
#include "agent/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/agent_parts.h"
#include "agent/hook.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/process.h"

#define DISPLACE_MS 60000 /* how long another agent may take to make room for us */
#define DISPLACE_PAUSE_MS 50

/* ---- beginning ---- */

/* Tell whoever started us, and let go of what is his. */
static int
say_beginning(const struct agent *agent, const struct wire_answer *answer, struct err *err)
{
    struct wire_message message;

    if (agent->options->foreground)
        return 0;
    wire_write_answer(answer, &message);
    /* Nobody may be listening any more; that is no reason not to serve. */
    (void)!io_write_full(STDOUT_FILENO, message.text, message.size, "standard output", err);
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, errno, "could not open \"/dev/null\"");
    (void)dup2(fd, STDOUT_FILENO);
    (void)dup2(fd, STDERR_FILENO);
    (void)close(fd);
    return process_watchdog(0, 0, err);
}

static int
open_signals(struct agent *agent, struct err *err)
{
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGQUIT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    agent->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (agent->signals >= 0)
        return 0;
    (void)err_sys(err, errno, "could not create a signal descriptor");
    err->kind = ERR_INTERNAL;
    return -1;
}

/* Ask the agent in the background to leave, and wait for its lock. 0, RENDEZVOUS_TAKEN, or -1. */
static int
displace(struct agent *agent, struct err *err)
{
    AUTO(hook_answer) struct hook_answer answer = HOOK_ANSWER_INIT;
    struct hook hook = {
        .config = agent->config_path,
        .runtime_dir = agent->rendezvous.path,
        .verb = WIRE_STOP,
        .standard_ms = DISPLACE_MS,
    };
    int64_t until_ms = clock_boot_ms() + DISPLACE_MS;
    int rc = hook_ask(&hook, &answer, &log_notices, err);

    if (rc < 0)
        return -1;
    for (rc = RENDEZVOUS_TAKEN; rc == RENDEZVOUS_TAKEN && clock_boot_ms() < until_ms;) {
        clock_sleep_until(clock_boot_ms() + DISPLACE_PAUSE_MS);
        if (process_stop_requested() != 0)
            return err_set(err, ERR_TRANSIENT, "stopped while another agent was in the way");
        rc = rendezvous_lock(&agent->rendezvous, "lock", &agent->lock, err);
    }
    return rc;
}

/* 0, RENDEZVOUS_TAKEN, or -1. */
static int
take_lock(struct agent *agent, struct err *err)
{
    int rc = rendezvous_lock(&agent->rendezvous, "lock", &agent->lock, err);

    if (rc == RENDEZVOUS_TAKEN && agent->options->foreground) {
        rc = displace(agent, err);
        if (rc == RENDEZVOUS_TAKEN)
            return err_set(err, ERR_TRANSIENT, "another agent does not make room");
    }
    return rc;
}

enum begin_outcome {
    BEGIN_LOCKED = 1,
    BEGIN_OFF = 2,
};

static int
begin(struct agent *agent, struct err *err)
{
    if (settings_file_path(agent->options->config, &agent->config_path, err) < 0 ||
        rendezvous_open(agent->options->runtime_dir, agent->config_path, &agent->rendezvous, err) <
            0 ||
        agent_origin_note(agent, err) < 0)
        return -1;
    int rc = take_lock(agent, err);
    if (rc != 0)
        return rc == RENDEZVOUS_TAKEN ? BEGIN_LOCKED : -1;
    if (settings_read(agent->config_path, &agent->settings, err) < 0)
        return -1;
    if (!agent->settings->agent && !agent->options->foreground)
        return BEGIN_OFF;
    agent_origin_note_settings(agent);
    if (store_loop_new(&agent->loop, err) < 0 || open_signals(agent, err) < 0)
        return -1;
    return rendezvous_listen(&agent->rendezvous, &agent->listener, &agent->socket, err);
}

/* ---- leaving ---- */

void
agent_leave(struct agent *agent, const char *why)
{
    if (agent->leaving)
        return;
    agent->leaving = true;
    (void)snprintf(agent->why, sizeof(agent->why), "%s", why);
    if (agent->options->foreground)
        log_line(LOG_INFO, "leaving: %s", why);
    /* In this order: nobody new finds us, who has found us is sent on, another one may come. */
    rendezvous_remove(&agent->rendezvous, &agent->socket);
    agent_clients_turn_away(agent);
    (void)close(take_fd(&agent->listener));
    (void)close(take_fd(&agent->lock));
}

static void
heed_signals(struct agent *agent)
{
    struct signalfd_siginfo info;
    char why[AGENT_TEXT_SIZE];

    while (agent->watched[WATCH_SIGNALS].revents != 0) {
        ssize_t n = read(agent->signals, &info, sizeof(info));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        /* A signal that cannot be read has come all the same: all of them tell us to stop. */
        if (n != (ssize_t)sizeof(info))
            info.ssi_signo = SIGTERM;
        /* The first one lets those finish who wait, a second one does not. */
        if (agent->leaving)
            process_request_stop((int)info.ssi_signo);
        (void)snprintf(why, sizeof(why), "signal %u", info.ssi_signo);
        agent_leave(agent, why);
        if (n != (ssize_t)sizeof(info))
            return;
    }
}

/* Does nobody wait, and is nothing under way? */
static bool
is_idle(const struct agent *agent)
{
    return agent_clients_waiting(agent) == 0 && agent_halves_idle(agent);
}

/*
 * Who stops a server wants to unmount or remove its directory. What a store still lacks of what was
 * archived is finished, but not waited for without end.
 */
static bool
is_left_alone(const struct agent *agent, int64_t now_ms)
{
    int64_t since_ms = 0;

    return agent_server_ended(agent, &since_ms) &&
           (is_idle(agent) || now_ms - since_ms >= AGENT_FAREWELL_MS);
}

/* Is it still wanted, and still the one that hooks find? */
static void
look_around(struct agent *agent)
{
    int64_t now_ms = clock_boot_ms();
    int64_t ended_ms = 0;
    const char *why = NULL;

    if (agent->leaving ||
        (now_ms < agent->look_ms && agent->watched[WATCH_SERVER].revents == 0))
        return;
    agent_server_look(agent);
    bool ended = agent_server_ended(agent, &ended_ms);
    rendezvous_unmark(&agent->rendezvous);
    agent->look_ms = now_ms + (ended ? AGENT_SOON_MS : AGENT_LOOK_MS);
    if (!rendezvous_is_mine(&agent->rendezvous, &agent->socket))
        agent_leave(agent, "the socket is gone");
    else if (agent_origin_changed(agent, &why))
        agent_leave(agent, why);
    else if (is_left_alone(agent, now_ms))
        agent_leave(agent, "its server has ended");
    else if (!agent->options->foreground && is_idle(agent) &&
             now_ms - agent->asked_ms >= agent->settings->agent_idle * 1000)
        agent_leave(agent, "nobody asks");
}

/* ---- serving ---- */

static int
serve(struct agent *agent, struct err *err)
{
    rendezvous_unmark(&agent->rendezvous);
    agent->asked_ms = clock_boot_ms();
    agent->look_ms = agent->asked_ms + AGENT_LOOK_MS;
    agent_server_look(agent);
    while (!agent->leaving || agent_clients_waiting(agent) > 0) {
        int64_t until_ms = MIN_OF(agent_clients_due_ms(agent), agent_halves_due_ms(agent));
        size_t n = agent_clients_watch(agent);

        if (!agent->leaving)
            until_ms = MIN_OF(until_ms, agent->look_ms);
        store_loop_watch(agent->loop, agent->watched, n);
        int rc = store_loop_run(agent->loop, until_ms, err);
        store_loop_watch(agent->loop, NULL, 0);
        if (rc < 0) {
            agent_leave(agent, err->text);
            agent_clients_fail(agent, err);
            return -1;
        }
        heed_signals(agent);
        agent_clients_serve(agent);
        agent_halves_advance(agent);
        agent_clients_answer(agent);
        look_around(agent);
    }
    return 0;
}

static int
run(struct agent *agent, struct err *err)
{
    struct wire_answer answer = {.kind = WIRE_ANSWER_READY};
    int rc = begin(agent, err);

    if (rc < 0 && agent->options->foreground)
        return -1;
    if (rc < 0)
        answer = (struct wire_answer){.kind = WIRE_ANSWER_FAILED, .err = *err};
    else if (rc != 0)
        answer.kind = rc == BEGIN_LOCKED ? WIRE_ANSWER_LOCKED : WIRE_ANSWER_OFF;
    if (say_beginning(agent, &answer, err) == 0 && rc == 0)
        rc = serve(agent, err);
    /* A signal is how a service is stopped; it is no failure. */
    return agent->options->foreground && process_stop_requested() == 0 ? rc : 0;
}

static void
agent_free(struct agent *agent)
{
    if (agent->listener >= 0)
        agent_leave(agent, "it has failed");
    agent_clients_done(agent);
    agent_halves_done(agent);
    agent_server_done(agent);
    store_loop_free(agent->loop);
    settings_free(agent->settings);
    rendezvous_done(&agent->rendezvous);
    free(agent->config_path);
    if (agent->signals >= 0)
        (void)close(agent->signals);
    if (agent->lock >= 0)
        (void)close(agent->lock);
    free(agent);
}

int
agent_run(const struct agent_options *options, struct err *err)
{
    struct agent *agent = calloc(1, sizeof(*agent));

    if (agent == NULL)
        return err_memory(err, "agent");
    agent->options = options;
    agent->rendezvous = RENDEZVOUS_INIT;
    agent->pgdata = PGDATA_INIT;
    agent->lock = -1;
    agent->listener = -1;
    agent->signals = -1;
    agent->server.fd = -1;
    agent->since_us = clock_real_us();
    agent_clients_init(agent);
    int rc = run(agent, err);
    agent_free(agent);
    return rc;
}
