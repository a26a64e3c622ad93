/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>

#include "agent/hook_parts.h"
#include "base/process.h"

extern char **environ;

int
hook_agent_path(const struct hook *hook, char *ret_path, struct err *err)
{
    char directory[PATH_MAX];

    if (hook->agent != NULL) {
        (void)snprintf(ret_path, PATH_MAX + 32, "%s", hook->agent);
        return 0;
    }
    if (process_directory(directory, sizeof(directory), err) < 0)
        return -1;
    (void)snprintf(ret_path, PATH_MAX + 32, "%s/" HOOK_AGENT, directory);
    return 0;
}

/* What the file actions and attributes of a child are; both are released together. */
struct launch {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
};

/*
 * The child has a session of its own and nothing of PostgreSQL's: not its log either, which a pipe
 * stands for until the agent has said how it begins.
 */
static int
prepare(struct launch *launch, int pipe_end)
{
    sigset_t none;
    int rc = 0;

    (void)sigemptyset(&none);
    if (posix_spawn_file_actions_init(&launch->actions) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&launch->attributes) != 0) {
        (void)posix_spawn_file_actions_destroy(&launch->actions);
        return ENOMEM;
    }
    rc = posix_spawn_file_actions_addopen(&launch->actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&launch->actions, pipe_end, STDOUT_FILENO);
    if (rc == 0)
        rc = posix_spawn_file_actions_adddup2(&launch->actions, pipe_end, STDERR_FILENO);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(&launch->attributes, &none);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&launch->attributes,
                                      POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
    return rc;
}

static void
launch_done(struct launch *launch)
{
    (void)posix_spawn_file_actions_destroy(&launch->actions);
    (void)posix_spawnattr_destroy(&launch->attributes);
}

/* 0 and the end of a pipe the agent speaks into, or -1 (ERR_LOCAL). */
static int
launch_agent(struct hook_run *run, int *ret_fd, struct err *err)
{
    char path[PATH_MAX + 32];
    char program[] = HOOK_AGENT;
    char background[] = "--background";
    char config[] = "--config";
    char runtime_dir[] = "--runtime-dir";
    char *const arguments[] = {program,     background,           config, run->config_path,
                               runtime_dir, run->rendezvous.path, NULL};
    struct launch launch;
    pid_t child = 0;
    int ends[2];

    if (hook_agent_path(run->hook, path, err) < 0)
        return -1;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(err, errno, "could not create a pipe");
    int rc = prepare(&launch, ends[1]);
    if (rc == 0) {
        rc = posix_spawn(&child, path, &launch.actions, &launch.attributes, arguments, environ);
        launch_done(&launch);
    }
    (void)close(ends[1]);
    if (rc != 0) {
        (void)close(ends[0]);
        (void)err_sys(err, rc, "could not start \"%s\"", path);
        return rc != ENOENT ? -1 : err_hint(err, "It belongs beside this program.");
    }
    *ret_fd = ends[0];
    return 0;
}

/* All it says until it closes the pipe. 0 or -1 (ERR_TRANSIENT: deadline). */
static int
hear(struct hook_run *run, int fd, struct wire_message *ret, struct err *err)
{
    ret->size = 0;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    for (;;) {
        size_t room = sizeof(ret->text) - ret->size;
        ssize_t n = room == 0 ? 0 : read(fd, ret->text + ret->size, room);

        if (n == 0)
            return 0;
        if (n > 0)
            ret->size += (size_t)n;
        else if (errno != EAGAIN && errno != EINTR)
            return err_sys(err, errno, "could not hear the agent");
        else if (hook_wait(run, fd, err) < 0)
            return -1;
    }
}

/* It did not speak our language: the loader's complaint, or nothing at all. */
static int
fail_mute(const struct wire_message *message, struct err *err)
{
    char quoted[512];

    if (message->size == 0)
        return err_set(err, ERR_LOCAL, "the agent ended at its start without a word");
    size_t size = message->size - (message->text[message->size - 1] == '\n');
    return err_set(err, ERR_LOCAL, "the agent ended at its start: %s",
                   err_quote(message->text, size, quoted, sizeof(quoted)));
}

static int
start_locked(struct hook_run *run, bool *ret_decided, struct err *err)
{
    struct wire_message message;
    struct wire_answer answer;
    struct err ignored = ERR_INIT;
    AUTO(fd) int fd = -1;

    if (launch_agent(run, &fd, err) < 0 || hear(run, fd, &message, err) < 0)
        return -1;
    hook_heard(run);
    if (wire_read_answer(&message, &answer, &ignored) < 0)
        return fail_mute(&message, err);
    if (answer.kind == WIRE_ANSWER_OFF)
        return HOOK_OFF;
    if (answer.kind == WIRE_ANSWER_READY || answer.kind == WIRE_ANSWER_LOCKED)
        return 0;
    if (answer.kind != WIRE_ANSWER_FAILED)
        return fail_mute(&message, err);
    *err = answer.err;
    *ret_decided = err->kind == ERR_CONFIG || err->kind == ERR_DENIED;
    return -1;
}

int
hook_start(struct hook_run *run, bool *ret_decided, struct err *err)
{
    AUTO(fd) int lock = -1;
    AUTO(fd) int socket = -1;
    int rc = rendezvous_lock(&run->rendezvous, "start", &lock, err);

    if (rc == RENDEZVOUS_TAKEN)
        return 0;
    if (rc < 0)
        return -1;
    /* Whoever had the lock before us may have started one. */
    rc = rendezvous_connect(&run->rendezvous, &socket, &run->agent, err);
    return rc == RENDEZVOUS_NOBODY ? start_locked(run, ret_decided, err) : MIN_OF(rc, 0);
}
