/* SPDX-License-Identifier: PostgreSQL */
#include "fake_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/macros.h"

#define TRICKLE_US 200000

static void
need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

/* False: the client is gone. */
static bool
send_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

        if (n <= 0)
            return false;
        bytes += n;
        size -= (size_t)n;
    }
    return true;
}

static bool
trickle(int fd, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        (void)usleep(TRICKLE_US);
        if (!send_all(fd, bytes + i, 1))
            return false;
    }
    return true;
}

static size_t
content_length(const char *head)
{
    uint64_t length = 0;

    for (const char *line = head; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n' ? 1 : 0;
        if (strncasecmp(line, "content-length: ", 16) == 0)
            (void)decimal_read(line + 16, strcspn(line + 16, "\r"), SIZE_MAX, &length);
        if (*line == '\0')
            break;
    }
    return (size_t)length;
}

/* One request into `seen`. False: the connection has ended. */
static bool
read_request(int fd, struct fake_seen *seen)
{
    static char head[FAKE_HEAD_MAX];
    size_t size = 0;

    memset(head, 0, sizeof(head));
    while (strstr(head, "\r\n\r\n") == NULL) {
        if (size >= sizeof(head) - 1 || recv(fd, head + size, 1, 0) != 1)
            return false;
        size++;
    }
    size_t length = content_length(head);
    for (size_t left = length; left > 0;) {
        char bytes[65536];
        ssize_t n = recv(fd, bytes, MIN_OF(left, sizeof(bytes)), 0);

        if (n <= 0)
            return false;
        left -= (size_t)n;
    }
    if (seen->n < FAKE_SEEN_MAX) {
        memcpy(seen->requests[seen->n].head, head, sizeof(head));
        seen->requests[seen->n].body_size = length;
    }
    return true;
}

static bool
send_padding(int fd, size_t size)
{
    static char bytes[65536];

    memset(bytes, 'x', sizeof(bytes));
    for (size_t left = size; left > 0; left -= MIN_OF(left, sizeof(bytes))) {
        if (!send_all(fd, bytes, MIN_OF(left, sizeof(bytes))))
            return false;
    }
    return true;
}

/* False: the connection is not to be used again. */
static bool
answer(int fd, const struct fake_step *step)
{
    static char text[256 * 1024];
    const char *body = step->body != NULL ? step->body : "";
    const char *raw = step->raw != NULL ? step->raw : "";
    struct linger reset = {1, 0};
    char end;

    if (step->status != 0)
        (void)snprintf(text, sizeof(text),
                       "HTTP/1.1 %d Some Reason\r\nContent-Length: %zu\r\n%s\r\n%s", step->status,
                       strlen(body), step->headers != NULL ? step->headers : "", body);
    else
        (void)snprintf(text, sizeof(text), "%s", raw);
    if (step->way == FAKE_TRICKLE ? !trickle(fd, text, strlen(text))
                                  : !send_all(fd, text, strlen(text)))
        return false;
    if (!send_padding(fd, step->padding))
        return false;
    switch (step->way) {
    case FAKE_WHOLE:
    case FAKE_TRICKLE:
        return true;
    case FAKE_HANG:
        (void)recv(fd, &end, 1, 0);
        return false;
    case FAKE_RESET:
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        return false;
    case FAKE_CLOSE:
    case FAKE_BLIND:
        break;
    }
    return false;
}

static void
serve(int listener, const struct fake_step *steps, size_t n_steps, struct fake_seen *seen)
{
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        bool more = fd >= 0;

        while (more) {
            const struct fake_step *step = &steps[MIN_OF((size_t)seen->n, n_steps - 1)];

            if (step->way != FAKE_BLIND && !read_request(fd, seen))
                break;
            seen->n++;
            more = answer(fd, step);
        }
        if (fd >= 0)
            (void)close(fd);
    }
}

void
fake_server_start(struct fake_server *server, const struct fake_step *steps, size_t n_steps)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    need(listener >= 0, "socket");
    need(bind(listener, (struct sockaddr *)&address, size) == 0, "bind");
    need(listen(listener, 16) == 0, "listen");
    need(getsockname(listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    server->port = ntohs(address.sin_port);
    server->seen = mmap(NULL, sizeof(*server->seen), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    need(server->seen != MAP_FAILED, "mmap");

    pid_t parent = getpid();
    server->pid = fork();
    need(server->pid >= 0, "fork");
    if (server->pid == 0) {
        /* A test that fails leaves no server behind. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == parent)
            serve(listener, steps, n_steps, server->seen);
        _exit(0);
    }
    (void)close(listener);
}

void
fake_server_stop(struct fake_server *server)
{
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)munmap(server->seen, sizeof(*server->seen));
}
