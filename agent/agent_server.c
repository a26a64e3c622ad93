/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/agent_parts.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/io.h"

#define LOCK_FILE "postmaster.pid"
#define LINE_MAX_SIZE 32

/* The process its lock file names: the first line; 0: none. One by itself (initdb) has a '-'. */
static pid_t
read_lock_file(void)
{
    char text[LINE_MAX_SIZE];
    struct err ignored = ERR_INIT;
    uint64_t pid = 0;
    size_t size = 0;
    AUTO(fd) int fd = open(LOCK_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || io_read_full(fd, text, sizeof(text), &size, LOCK_FILE, &ignored) < 0)
        return 0;
    const char *end = memchr(text, '\n', size);
    if (end == NULL || !decimal_read(text, (size_t)(end - text), INT_MAX, &pid))
        return 0;
    return (pid_t)pid;
}

static bool
has_ended(const struct agent_server *server)
{
    struct pollfd fd = {.fd = server->fd, .events = POLLIN};

    if (server->fd < 0)
        return kill(server->pid, 0) < 0 && errno == ESRCH;
    return poll(&fd, 1, 0) > 0;
}

static void
forget(struct agent_server *server)
{
    cleanup_fd(&server->fd);
    server->pid = 0;
}

/* A descriptor stays with its process whoever gets the number later; old kernels have none. */
static void
find(struct agent_server *server)
{
    pid_t pid = read_lock_file();

    if (pid <= 0)
        return;
    *server = (struct agent_server){
        .pid = pid, .fd = (int)syscall(SYS_pidfd_open, pid, 0), .ended_ms = server->ended_ms};
    if (has_ended(server))
        forget(server);
    else
        server->ended_ms = 0;
}

void
agent_server_look(struct agent *agent)
{
    struct agent_server *server = &agent->server;

    if (agent->options->foreground)
        return;
    if (server->pid != 0 && has_ended(server)) {
        forget(server);
        server->ended_ms = clock_boot_ms();
    }
    if (server->pid == 0)
        find(server);
}

bool
agent_server_ended(const struct agent *agent, int64_t *ret_since_ms)
{
    *ret_since_ms = agent->server.ended_ms;
    return agent->server.ended_ms != 0;
}

void
agent_server_done(struct agent *agent)
{
    forget(&agent->server);
}
