/* SPDX-License-Identifier: PostgreSQL */
/*
 * agent_parts.h: what the files behind agent.h share: all state of the agent, in one struct.
 *
 * agent.c lives and leaves; agent_clients.c speaks with hooks; agent_origin.c notices that what it
 * was started from has changed; agent_server.c, that its server has ended; agent_halves.c knows
 * pusher and fetcher; agent_status.c tells about all of it.
 */
#ifndef AGENT_AGENT_PARTS_H
#define AGENT_AGENT_PARTS_H

#include <limits.h>
#include <poll.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "agent/rendezvous.h"
#include "agent/wire.h"
#include "archive/pusher.h"
#include "base/answer.h"
#include "base/workers.h"
#include "catalog/archive.h"
#include "catalog/pgdata.h"
#include "restore/fetcher.h"

#define AGENT_CLIENTS_MAX 64
#define AGENT_LOOK_MS 2000    /* how often it looks whether it is still wanted */
#define AGENT_SOON_MS 200     /* ... once its server has ended */
#define AGENT_FAREWELL_MS 30000 /* what is under way then has this long to be finished */
#define AGENT_TEXT_SIZE 256
#define AGENT_PATIENCE_MS 200 /* who waits longer than this is told how long it may take */
#define AGENT_BEAT_MS 2000    /* ... and again, so that he knows that we live */

/* Who is connected. */
struct agent_client {
    int fd;                 /* -1: a free place */
    uint64_t ticket;        /* 0: has not asked yet */
    enum wire_verb verb;
    int64_t told_ms;        /* when it was told last how long it may take, or 0 */
    int64_t asked_ms;
    int64_t deadline_ms;
    bool standby;           /* fetch: the server is one, just now */
    char name[WIRE_NAME_SIZE];
};

/* Whether a file is what it was: its path and identity, ino 0 if it was not there. */
struct agent_file {
    const char *path;
    bool place; /* a store's directory: whatever is made in it, it stays the same one */
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified;
    struct timespec changed;
};

#define AGENT_FILES_MAX (4 + 2 * SETTINGS_STORES_MAX)

/* What it was started from. */
struct agent_origin {
    char program[PATH_MAX];
    struct agent_file files[AGENT_FILES_MAX];
    size_t n_files;
    struct stat directory; /* the working directory */
    struct agent_file control;
};

/* The server in the working directory. */
struct agent_server {
    pid_t pid;        /* 0: none is known */
    int fd;           /* of that process, readable when it has ended; or -1 */
    int64_t ended_ms; /* when the one that was there was found gone (clock_boot_ms()), or 0 */
};

/* What agent->watched has first; behind it the clients. */
enum agent_watch { WATCH_LISTENER, WATCH_SIGNALS, WATCH_WORKERS, WATCH_SERVER, WATCH_CLIENTS };

struct agent {
    const struct agent_options *options;
    char *config_path;
    struct rendezvous rendezvous;
    struct settings *settings;
    struct agent_origin origin;
    int lock;
    int listener;
    struct stat socket;
    int signals;
    struct agent_server server;

    struct store_loop *loop;
    struct workers *workers;
    struct pgdata pgdata; /* never changes once it is open: workers read it */
    bool has_pgdata;
    struct archive *writing;
    struct archive *reading;
    struct pusher *pusher;
    struct fetcher *fetcher;

    struct agent_client clients[AGENT_CLIENTS_MAX];
    struct pollfd watched[WATCH_CLIENTS + AGENT_CLIENTS_MAX];
    uint64_t last_ticket;
    uint64_t n_requests;
    int64_t since_us;
    int64_t asked_ms; /* the last time somebody did */
    int64_t look_ms;
    bool leaving;
    char why[AGENT_TEXT_SIZE];
};

/* ---- agent.c ---- */

/* Begin to leave: no new requests. `why` is for the log. */
void agent_leave(struct agent *agent, const char *why);

/* ---- agent_clients.c ---- */

void agent_clients_init(struct agent *agent);

/* Fill agent->watched; how many. */
size_t agent_clients_watch(struct agent *agent);

/* Look at who is ready: accept, read requests, notice who has gone. */
void agent_clients_serve(struct agent *agent);

/* Send what the halves have answered, and to who still waits how long it may take. */
void agent_clients_answer(struct agent *agent);

/* When that must be done again at the latest (clock_boot_ms()). */
int64_t agent_clients_due_ms(const struct agent *agent);

/* Tell everybody who has connected and not been listened to that this agent leaves. */
void agent_clients_turn_away(struct agent *agent);

/* How many wait for an answer. */
size_t agent_clients_waiting(const struct agent *agent);

/* The stop request, or an error of the loop: answer everybody who waits. */
void agent_clients_fail(struct agent *agent, const struct err *err);

void agent_clients_done(struct agent *agent);

/* ---- agent_origin.c ---- */

/* Before anything of it is read. 0 or -1. */
int agent_origin_note(struct agent *agent, struct err *err) MUST_USE;

/* After the settings are known: their keys and certificates too. */
void agent_origin_note_settings(struct agent *agent);

/* Has any of it changed? Then *ret_why says what. */
bool agent_origin_changed(const struct agent *agent, const char **ret_why);

/* Is this open directory the one we serve? */
bool agent_origin_serves(const struct agent *agent, int directory);

/*
 * Make sure that agent->pgdata is open and is still of the server that is there. *ret_standby: is
 * it a standby just now? 0, AGENT_OTHER_SERVER, or -1.
 */
enum agent_pgdata_outcome {
    AGENT_OTHER_SERVER = 1,
};
int agent_origin_pgdata(struct agent *agent, bool *ret_standby, struct err *err) MUST_USE;

/* ---- agent_server.c ---- */

/*
 * Find the server by its postmaster.pid, and notice its end. What was never there - somebody calls
 * hooks by hand - does not end. Nothing in the foreground.
 */
void agent_server_look(struct agent *agent);

/* Was there a server, and is there none any more? */
bool agent_server_ended(const struct agent *agent, int64_t *ret_since_ms);

void agent_server_done(struct agent *agent);

/* ---- agent_halves.c ---- */

/* Hand a request to its half, opening that first. 0 (there will be an answer) or -1. */
int agent_halves_ask(struct agent *agent, const struct wire_request *request,
                     struct agent_client *client, struct err *err) MUST_USE;

void agent_halves_withdraw(struct agent *agent, const struct agent_client *client);
void agent_halves_advance(struct agent *agent);

/* The next answer of either half. */
bool agent_halves_take(struct agent *agent, struct answer *ret);

int64_t agent_halves_due_ms(const struct agent *agent);
bool agent_halves_idle(const struct agent *agent);
void agent_halves_done(struct agent *agent);

/* ---- agent_status.c ---- */

/* All about it as JSON on one line. 0 or -1 (ERR_INTERNAL). */
int agent_status_write(const struct agent *agent, struct buf *text, struct err *err) MUST_USE;

#endif
