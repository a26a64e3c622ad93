/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/agent_parts.h"
#include "base/clock.h"
#include "restore/standby.h"

#define STATUS_MAX MIB

/* ---- places ---- */

void
agent_clients_init(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        agent->clients[i] = (struct agent_client){.fd = -1};
}

static struct agent_client *
free_place(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        if (agent->clients[i].fd < 0)
            return &agent->clients[i];
    return NULL;
}

static void
release(struct agent_client *client)
{
    if (client->fd >= 0)
        (void)close(client->fd);
    *client = (struct agent_client){.fd = -1};
}

static struct agent_client *
find(struct agent *agent, uint64_t ticket)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        if (agent->clients[i].fd >= 0 && agent->clients[i].ticket == ticket)
            return &agent->clients[i];
    return NULL;
}

size_t
agent_clients_waiting(const struct agent *agent)
{
    size_t n = 0;

    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        n += agent->clients[i].fd >= 0 && agent->clients[i].ticket != 0;
    return n;
}

size_t
agent_clients_watch(struct agent *agent)
{
    struct pollfd *watched = agent->watched;
    bool room = free_place(agent) != NULL;

    watched[WATCH_LISTENER] = (struct pollfd){.fd = room ? agent->listener : -1, .events = POLLIN};
    watched[WATCH_SIGNALS] = (struct pollfd){.fd = agent->signals, .events = POLLIN};
    watched[WATCH_SERVER] = (struct pollfd){.fd = agent->server.fd, .events = POLLIN};
    watched[WATCH_WORKERS] = (struct pollfd){
        .fd = agent->workers == NULL ? -1 : workers_fd(agent->workers), .events = POLLIN};
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        watched[WATCH_CLIENTS + i] = (struct pollfd){.fd = agent->clients[i].fd, .events = POLLIN};
    return ARRAY_SIZE(agent->watched);
}

/* ---- saying ---- */

/* False: nobody hears it any more. */
static bool
say(const struct agent_client *client, const struct wire_answer *answer, int file)
{
    struct wire_message message;
    struct err err = ERR_INIT;

    wire_write_answer(answer, &message);
    return wire_send(client->fd, &message, file, &err) == 0;
}

/* The last word to this client. */
static void
finish(struct agent_client *client, enum wire_answer_kind kind, int file)
{
    struct wire_answer answer = {.kind = kind};

    (void)say(client, &answer, file);
    release(client);
}

static void
finish_failed(struct agent *agent, struct agent_client *client, const struct err *err)
{
    struct wire_answer answer = {.kind = WIRE_ANSWER_FAILED, .err = *err};

    if (agent->options->foreground)
        log_err(err);
    (void)say(client, &answer, -1);
    release(client);
}

/* Notices that go to a hook, and to our own log where somebody reads that. */
struct teller {
    struct notices notices;
    const struct agent_client *client; /* NULL: gone */
    bool log;
};

static void
tell(struct notices *notices, enum log_level level, const char *text)
{
    const struct teller *teller = (const struct teller *)notices;
    struct wire_answer answer = {.kind = WIRE_ANSWER_NOTE, .level = level};

    (void)snprintf(answer.text, sizeof(answer.text), "%s", text);
    if (teller->client != NULL)
        (void)say(teller->client, &answer, -1);
    if (teller->log)
        log_notices.notice(&log_notices, level, text);
}

/* ---- requests ---- */

static void
give_status(struct agent *agent, struct agent_client *client)
{
    AUTO(buf) struct buf text = BUF_INIT(STATUS_MAX);
    struct wire_answer answer = {.kind = WIRE_ANSWER_DATA};
    struct err err = ERR_INIT;

    if (agent_status_write(agent, &text, &err) < 0) {
        finish_failed(agent, client, &err);
        return;
    }
    for (size_t at = 0; at < text.size;) {
        size_t piece = MIN_OF(text.size - at, (size_t)WIRE_DATA_MAX);

        memcpy(answer.text, text.data + at, piece);
        answer.text[piece] = '\0';
        at += piece;
        if (!say(client, &answer, -1))
            break;
    }
    finish(client, WIRE_ANSWER_OK, -1);
}

static void
obey_stop(struct agent *agent, struct agent_client *client)
{
    struct err err = ERR_INIT;

    if (agent->options->foreground) {
        (void)err_set(&err, ERR_CONFLICT, "the agent (process %ld) runs in the foreground",
                      (long)getpid());
        (void)err_hint(&err, "Stop it where it was started.");
        finish_failed(agent, client, &err);
        return;
    }
    finish(client, WIRE_ANSWER_OK, -1);
    agent_leave(agent, "somebody asked for it");
}

/* push and fetch */
static void
begin(struct agent *agent, struct agent_client *client, const struct wire_request *request)
{
    struct err err = ERR_INIT;
    int rc = agent_origin_pgdata(agent, &client->standby, &err);

    if (rc == AGENT_OTHER_SERVER) {
        agent_leave(agent, "another server is in the data directory");
        finish(client, WIRE_ANSWER_AGAIN, -1);
        return;
    }
    agent->asked_ms = clock_boot_ms();
    agent->n_requests++;
    client->asked_ms = agent->asked_ms;
    client->verb = request->verb;
    client->ticket = ++agent->last_ticket;
    memcpy(client->name, request->name, sizeof(client->name));
    if (rc < 0 || agent_halves_ask(agent, request, client, &err) < 0)
        finish_failed(agent, client, &err);
}

static void
take_request(struct agent *agent, struct agent_client *client, const struct wire_request *request,
             int directory)
{
    const char *why = NULL;

    if (!agent->leaving && agent_origin_changed(agent, &why))
        agent_leave(agent, why);
    /* Leaving has released everybody who had not asked. */
    if (client->fd < 0)
        return;
    switch (request->verb) {
    case WIRE_STATUS:
        give_status(agent, client);
        return;
    case WIRE_STOP:
        obey_stop(agent, client);
        return;
    case WIRE_PUSH:
    case WIRE_FETCH:
        break;
    }
    if (!agent_origin_serves(agent, directory))
        finish(client, WIRE_ANSWER_AGAIN, -1);
    else
        begin(agent, client, request);
}

static void
fail_foreign(struct agent *agent, struct agent_client *client)
{
    struct err err = ERR_INIT;

    (void)err_set(&err, ERR_CONFIG, "the agent is of version %s and does not understand this one",
                  SEAWALL_VERSION);
    (void)err_hint(&err, "Install all programs of one version.");
    finish_failed(agent, client, &err);
}

/* Who has asked has nothing more to say: a message or an end means that he is gone. */
static void
listen_to(struct agent *agent, struct agent_client *client)
{
    struct wire_message message;
    struct wire_request request;
    struct err err = ERR_INIT;
    AUTO(fd) int directory = -1;
    int rc = wire_receive(client->fd, &message, &directory, &err);

    if (rc == WIRE_NOTHING)
        return;
    if (client->ticket != 0) {
        agent_halves_withdraw(agent, client);
        release(client);
        return;
    }
    if (rc == 0)
        rc = wire_read_request(&message, &request, &err);
    if (rc == 0)
        take_request(agent, client, &request, directory);
    else if (rc == WIRE_FOREIGN)
        fail_foreign(agent, client);
    else
        release(client);
}

/* False: nobody else wants in. */
static bool
admit(struct agent *agent)
{
    struct agent_client *client = free_place(agent);

    if (client == NULL || agent->listener < 0)
        return false;
    int fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return errno == EINTR || errno == ECONNABORTED;
    if (!rendezvous_admits(fd)) {
        (void)close(fd);
        return true;
    }
    *client = (struct agent_client){.fd = fd};
    /* Mostly the request is there already. */
    listen_to(agent, client);
    return true;
}

void
agent_clients_serve(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++) {
        const struct pollfd *watched = &agent->watched[WATCH_CLIENTS + i];

        if (watched->revents != 0 && watched->fd == agent->clients[i].fd)
            listen_to(agent, &agent->clients[i]);
    }
    if (agent->watched[WATCH_LISTENER].revents != 0)
        while (admit(agent))
            continue;
}

/* ---- answers ---- */

static bool
softens(const struct agent *agent, const struct agent_client *client, const struct answer *answer)
{
    struct pgdata now = agent->pgdata;

    now.standby = client->standby;
    return answer->rc < 0 && client->verb == WIRE_FETCH &&
           standby_softens(agent->settings, &now, answer->err.kind);
}

static void
deliver(struct agent *agent, struct answer *answer)
{
    struct agent_client *client = find(agent, answer->ticket);
    struct teller teller = {
        .notices.notice = tell, .client = client, .log = agent->options->foreground};

    notice_log_flush(&answer->notices, &teller.notices);
    if (client == NULL)
        return;
    if (softens(agent, client, answer)) {
        notice_err(&teller.notices, LOG_WARNING, &answer->err,
                   "the standby is told that \"%s\" is not there yet", client->name);
        finish(client, WIRE_ANSWER_ABSENT, -1);
    } else if (answer->rc < 0) {
        finish_failed(agent, client, &answer->err);
    } else if (answer->rc == 0) {
        finish(client, WIRE_ANSWER_OK, answer->file);
    } else if (client->verb == WIRE_FETCH && answer->rc == FETCH_ABSENT) {
        finish(client, WIRE_ANSWER_ABSENT, -1);
    } else {
        (void)err_set(&answer->err, ERR_INTERNAL, "the agent found something nobody asked for");
        finish_failed(agent, client, &answer->err);
    }
}

/*
 * When must this client be told to wait? Most answers are there before the first time; after that
 * it is told again and again that we live, until we should have answered.
 */
static int64_t
tell_ms(const struct agent_client *client)
{
    if (client->fd < 0 || client->ticket == 0 || client->told_ms >= client->deadline_ms)
        return INT64_MAX;
    return client->told_ms == 0 ? client->asked_ms + AGENT_PATIENCE_MS
                                : client->told_ms + AGENT_BEAT_MS;
}

int64_t
agent_clients_due_ms(const struct agent *agent)
{
    int64_t due_ms = INT64_MAX;

    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        due_ms = MIN_OF(due_ms, tell_ms(&agent->clients[i]));
    return due_ms;
}

void
agent_clients_answer(struct agent *agent)
{
    struct answer answer;

    while (agent_halves_take(agent, &answer)) {
        deliver(agent, &answer);
        answer_done(&answer);
    }
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++) {
        struct agent_client *client = &agent->clients[i];
        struct wire_answer wait = {.kind = WIRE_ANSWER_WAIT};

        if (clock_boot_ms() < tell_ms(client))
            continue;
        client->told_ms = clock_boot_ms();
        wait.wait_ms = MAX_OF(client->deadline_ms - client->told_ms, (int64_t)0);
        (void)say(client, &wait, -1);
    }
}

/* ---- leaving ---- */

void
agent_clients_turn_away(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        if (agent->clients[i].fd >= 0 && agent->clients[i].ticket == 0)
            finish(&agent->clients[i], WIRE_ANSWER_AGAIN, -1);
    for (;;) {
        struct agent_client late = {
            .fd = accept4(agent->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)};

        if (late.fd < 0)
            return;
        finish(&late, WIRE_ANSWER_AGAIN, -1);
    }
}

void
agent_clients_fail(struct agent *agent, const struct err *err)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        if (agent->clients[i].fd >= 0)
            finish_failed(agent, &agent->clients[i], err);
}

void
agent_clients_done(struct agent *agent)
{
    for (size_t i = 0; i < AGENT_CLIENTS_MAX; i++)
        release(&agent->clients[i]);
}
