/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive/check.h"
#include "archive/check_switch.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/process.h"
#include "catalog/pgdata.h"

#define QUESTION_MS 30000
#define CONNECT_MS 120000 /* all addresses and the resolver */
#define SWITCH_MS 150000  /* on top of push_timeout: its margin and four questions */
#define VERSION_MIN 13
#define VERSION_MAX 18
#define LIBRARY_EXCLUSIVE 16 /* from here on archive_command excludes archive_library */
#define QUOTED_SIZE 400
#define PUSH "seawall-push"
#define LIBRARY "seawall_archive"

struct server {
    struct archive *archive;
    const struct settings *settings;
    struct check_report *report;
    struct pg_client *client;
    struct pg_answer rows; /* of pg_settings: name, setting */
    bool standby;
    bool archives; /* as far as its settings tell, segments come to us */
    bool belongs;  /* its system identifier does not contradict the configuration */
    uint64_t system_id;
    uint32_t segment_size;
};

/* A setting as the server has it; NULL: there is none, or this role must not see it. */
static const char *
setting(const struct server *server, const char *name)
{
    for (int i = 0; i < server->rows.n_rows; i++) {
        const char *found = pg_answer_value(&server->rows, i, 0);

        if (found != NULL && strcmp(found, name) == 0)
            return pg_answer_value(&server->rows, i, 1);
    }
    return NULL;
}

static bool
setting_is(const struct server *server, const char *name, const char *value)
{
    const char *found = setting(server, name);

    return found != NULL && strcmp(found, value) == 0;
}

static const char *
quote(const char *text, char *quoted)
{
    return text == NULL ? "?" : err_quote(text, strlen(text), quoted, QUOTED_SIZE);
}

static int
ask(struct server *server, const char *question, int n_columns, struct pg_answer *ret,
    struct err *err)
{
    return pg_client_ask(server->client, question, n_columns, clock_boot_ms() + QUESTION_MS, ret,
                         err);
}

/* ---- who it is ---- */

static void
check_version(const struct server *server)
{
    int version = pg_client_version(server->client);
    struct err err = ERR_INIT;

    if (version >= VERSION_MIN && version <= VERSION_MAX) {
        check_report_ok(server->report, "version", "connected to a %s of PostgreSQL %d",
                        server->standby ? "standby" : "primary", version);
        return;
    }
    (void)err_set(&err, ERR_CONFIG, "the server is PostgreSQL %d; known are %d to %d", version,
                  VERSION_MIN, VERSION_MAX);
    check_report_warning(server->report, "version", &err);
}

/* What the configuration says whose WAL this is. 0: it says; 1: nothing does; -1. */
static int
expected_system(const struct server *server, uint64_t *ret_system_id, struct err *err)
{
    const struct settings *settings = server->settings;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;

    if (pgdata_open(settings, &pgdata, err) == 0) {
        *ret_system_id = pgdata.system_id;
        return 0;
    }
    if (settings->system_id != NULL && err->kind == ERR_LOCAL &&
        decimal_read(settings->system_id, strlen(settings->system_id), UINT64_MAX, ret_system_id))
        return 0;
    if (settings->system_id == NULL && settings->pgdata == NULL &&
        (err->kind == ERR_LOCAL || err->kind == ERR_CONFIG))
        return 1;
    return -1;
}

static void
check_system(struct server *server)
{
    uint64_t expected = 0;
    struct err err = ERR_INIT;
    int rc = expected_system(server, &expected, &err);

    server->belongs = true;
    if (rc < 0) {
        if (err.kind == ERR_LOCAL) {
            /* pgdata may be on the server's machine, and the check not run there. */
            (void)err_wrap(&err, "could not compare system identifiers");
            check_report_warning(server->report, "system-identifier", &err);
            return;
        }
        server->belongs = false;
        check_report_failed(server->report, "system-identifier", &err);
    } else if (rc == 0 && expected != server->system_id) {
        server->belongs = false;
        (void)err_set(&err, ERR_CORRUPT,
                      "the server has system identifier %" PRIu64 ", the data directory or "
                      "system_id of this configuration has %" PRIu64,
                      server->system_id, expected);
        (void)err_hint(&err, "conninfo leads to another server than pgdata; correct one of them.");
        check_report_failed(server->report, "system-identifier", &err);
    } else {
        check_report_ok(server->report, "system-identifier", "system identifier %" PRIu64 "%s",
                        server->system_id, rc == 0 ? ", as expected" : "");
    }
}

static void
check_directory(const struct server *server)
{
    const char *configured = server->settings->pgdata;
    const char *actual = setting(server, "data_directory");
    char configured_path[PATH_MAX];
    char actual_path[PATH_MAX];
    char quoted[QUOTED_SIZE];
    struct err err = ERR_INIT;

    if (configured == NULL || actual == NULL)
        return;
    bool same = strcmp(configured, actual) == 0;
    if (!same && realpath(configured, configured_path) != NULL &&
        realpath(actual, actual_path) != NULL)
        same = strcmp(configured_path, actual_path) == 0;
    if (same) {
        check_report_ok(server->report, "data-directory", "pgdata is the server's data_directory");
        return;
    }
    (void)err_set(&err, ERR_CONFIG, "the server's data_directory is \"%s\", not pgdata (\"%s\")",
                  quote(actual, quoted), configured);
    check_report_warning(server->report, "data-directory", &err);
}

/* ---- does it archive ---- */

static void
check_mode(struct server *server)
{
    bool always = setting_is(server, "archive_mode", "always");
    char quoted[QUOTED_SIZE];
    struct err err = ERR_INIT;

    if (always || setting_is(server, "archive_mode", "on")) {
        server->archives = true;
        check_report_ok(server->report, "archive-mode", "archive_mode = %s",
                        always ? "always" : "on");
        return;
    }
    (void)err_set(&err, ERR_CONFIG, "archive_mode is %s: the server archives nothing",
                  quote(setting(server, "archive_mode"), quoted));
    (void)err_hint(&err, "Set archive_mode = on in postgresql.conf and restart the server.");
    check_report_failed(server->report, "archive-mode", &err);
}

static void
check_level(struct server *server)
{
    char quoted[QUOTED_SIZE];
    struct err err = ERR_INIT;

    if (setting_is(server, "wal_level", "replica") || setting_is(server, "wal_level", "logical")) {
        check_report_ok(server->report, "wal-level", "wal_level = %s",
                        setting(server, "wal_level"));
        return;
    }
    server->archives = false;
    (void)err_set(&err, ERR_CONFIG, "wal_level is %s: its WAL cannot be recovered from",
                  quote(setting(server, "wal_level"), quoted));
    (void)err_hint(&err, "Set wal_level = replica in postgresql.conf and restart the server.");
    check_report_failed(server->report, "wal-level", &err);
}

static bool
is_plain(const char *path)
{
    return path[strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                             "/._+-")] == '\0';
}

/* The line to put into postgresql.conf, with our own installation and configuration. */
static void
hint_command(const struct server *server, struct err *err)
{
    const char *file = server->settings->file;
    bool standard = strcmp(file, SETTINGS_DEFAULT_FILE) == 0;
    char directory[PATH_MAX];
    char program[PATH_MAX + sizeof("/" PUSH)];
    struct err ignored = ERR_INIT;

    (void)snprintf(program, sizeof(program), "%s", PUSH);
    if (process_directory(directory, sizeof(directory), &ignored) == 0 && is_plain(directory)) {
        (void)snprintf(program, sizeof(program), "%s/%s", directory, PUSH);
        if (access(program, X_OK) < 0)
            (void)snprintf(program, sizeof(program), "%s", PUSH);
    }
    if (!standard && !is_plain(file))
        (void)err_hint(err, "Set archive_command = '%s --config FILE %%p' and reload the server.",
                       program);
    else
        (void)err_hint(err, "Set archive_command = '%s%s%s %%p' and reload the server.", program,
                       standard ? "" : " --config ", standard ? "" : file);
}

/* Does the command hand over the file's path? "%%" is a percent sign. */
static bool
has_path(const char *command)
{
    for (const char *at = strchr(command, '%'); at != NULL; at = strchr(at, '%')) {
        if (at[1] == 'p')
            return true;
        at += at[1] == '\0' ? 1 : 2;
    }
    return false;
}

static bool
is_ours(const char *library)
{
    const char *slash = strrchr(library, '/');
    const char *name = slash == NULL ? library : slash + 1;

    return strcmp(name, LIBRARY) == 0 || strcmp(name, LIBRARY ".so") == 0;
}

/* 0 or -1: not archived by us, and why. */
static int
judge_command(const struct server *server, struct err *err)
{
    const char *command = setting(server, "archive_command");
    const char *library = setting(server, "archive_library");
    bool has_library = library != NULL && library[0] != '\0';
    bool has_command = command != NULL && command[0] != '\0';
    char quoted[QUOTED_SIZE];

    if (has_library && has_command && pg_client_version(server->client) >= LIBRARY_EXCLUSIVE) {
        (void)err_set(err, ERR_CONFIG,
                      "archive_command and archive_library are both set: the server refuses to "
                      "archive");
        return err_hint(err, "Set one of them to ''.");
    }
    if (has_library) {
        if (is_ours(library))
            return 0;
        (void)err_set(err, ERR_CONFIG, "archive_library is \"%s\": the server archives elsewhere",
                      quote(library, quoted));
        return err_hint(err, "Set archive_library = ''; archive_command calls seawall-push.");
    }
    if (!has_command) {
        (void)err_set(err, ERR_CONFIG, "archive_command is empty: WAL piles up in pg_wal");
        hint_command(server, err);
        return -1;
    }
    if (strstr(command, PUSH) == NULL) {
        (void)err_set(err, ERR_CONFIG, "archive_command does not call seawall-push: \"%s\"",
                      quote(command, quoted));
        hint_command(server, err);
        return -1;
    }
    if (!has_path(command)) {
        (void)err_set(err, ERR_CONFIG, "archive_command does not hand over the file (%%p): \"%s\"",
                      quote(command, quoted));
        hint_command(server, err);
        return -1;
    }
    return 0;
}

static void
check_command(struct server *server)
{
    struct err err = ERR_INIT;

    if (judge_command(server, &err) == 0) {
        check_report_ok(server->report, "archive-command", "the server archives with Seawall");
        return;
    }
    server->archives = false;
    check_report_failed(server->report, "archive-command", &err);
}

static void
check_page_writes(const struct server *server)
{
    struct err err = ERR_INIT;

    if (setting_is(server, "full_page_writes", "on")) {
        check_report_ok(server->report, "full-page-writes", "full_page_writes = on");
        return;
    }
    (void)err_set(&err, ERR_CONFIG, "full_page_writes is off: torn pages cannot be recovered");
    (void)err_hint(&err, "Set full_page_writes = on and reload the server.");
    check_report_warning(server->report, "full-page-writes", &err);
}

static void
check_timeout(const struct server *server)
{
    const char *text = setting(server, "archive_timeout");
    int64_t rpo = server->settings->rpo;
    uint64_t timeout = 0;
    struct err err = ERR_INIT;

    if (text == NULL || !decimal_read(text, strlen(text), INT32_MAX, &timeout)) {
        (void)err_set(&err, ERR_INTERNAL, "the server's archive_timeout is no number");
    } else if (timeout != 0 && (int64_t)timeout <= rpo) {
        check_report_ok(server->report, "archive-timeout",
                        "archive_timeout = %" PRIu64 " s, within objectives.rpo = %" PRId64 " s",
                        timeout, rpo);
        return;
    } else {
        (void)err_set(&err, ERR_CONFIG,
                      "archive_timeout is %" PRIu64 "%s: a server that writes little keeps WAL "
                      "unarchived for longer than objectives.rpo = %" PRId64 " s",
                      timeout, timeout == 0 ? " (never)" : " s", rpo);
        (void)err_hint(&err, "Set archive_timeout to at most %" PRId64 " s, and reload the server.",
                       rpo);
    }
    check_report_warning(server->report, "archive-timeout", &err);
}

/* Has archiving failed since it last succeeded? */
static void
check_archiver(struct server *server)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    char name[QUOTED_SIZE];
    char when[QUOTED_SIZE];
    struct err err = ERR_INIT;

    if (ask(server,
            "SELECT last_failed_wal, pg_catalog.to_char(last_failed_time AT TIME ZONE 'UTC',"
            " 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), last_failed_time IS NOT NULL AND"
            " (last_archived_time IS NULL OR last_failed_time > last_archived_time)"
            " FROM pg_catalog.pg_stat_archiver",
            3, &answer, &err) < 0) {
        check_report_warning(server->report, "archiver", &err);
        return;
    }
    const char *failing = pg_answer_value(&answer, 0, 2);
    if (failing == NULL || strcmp(failing, "t") != 0) {
        check_report_ok(server->report, "archiver",
                        "pg_stat_archiver: no failure since the last success");
        return;
    }
    (void)err_set(&err, ERR_TRANSIENT,
                  "pg_stat_archiver: archiving %s failed at %s, and nothing was archived since",
                  quote(pg_answer_value(&answer, 0, 0), name),
                  quote(pg_answer_value(&answer, 0, 1), when));
    (void)err_hint(&err, "The server's log says what archive_command answered.");
    check_report_warning(server->report, "archiver", &err);
}

/* ---- all of it ---- */

static int
connect_server(struct server *server, struct err *err)
{
    /* Resolvers and handshakes have waits of their own, which no deadline of ours reaches. */
    check_guard(CONNECT_MS);
    int rc = pg_client_open(server->settings->conninfo, &server->client, err);
    check_guard(0);
    if (rc < 0 && err->kind == ERR_TRANSIENT)
        (void)err_hint(err, "Set conninfo to the server's connection string, or use --no-server.");
    return rc;
}

static int
read_facts(struct server *server, struct err *err)
{
    AUTO(pg_answer) struct pg_answer answer = PG_ANSWER_INIT;
    uint64_t segment_size = 0;

    if (ask(server,
            "SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ('archive_command',"
            " 'archive_library', 'archive_mode', 'archive_timeout', 'data_directory',"
            " 'full_page_writes', 'wal_level', 'wal_segment_size')",
            2, &server->rows, err) < 0 ||
        ask(server,
            "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.upper(pg_catalog.lpad("
            "pg_catalog.to_hex(system_identifier), 16, '0')) FROM pg_catalog.pg_control_system()",
            2, &answer, err) < 0)
        return -1;
    const char *recovery = pg_answer_value(&answer, 0, 0);
    const char *id = pg_answer_value(&answer, 0, 1);
    const char *size = setting(server, "wal_segment_size");
    if (recovery == NULL || id == NULL || strlen(id) != 16 ||
        !hex_read_upper(id, 16, &server->system_id))
        return err_set(err, ERR_INTERNAL, "the server does not say who it is");
    if (size == NULL || !decimal_read(size, strlen(size), WAL_SEGMENT_SIZE_MAX, &segment_size) ||
        !wal_segment_size_valid(segment_size))
        return err_set(err, ERR_INTERNAL, "the server does not say how large its WAL segments are");
    server->standby = strcmp(recovery, "t") == 0;
    server->segment_size = (uint32_t)segment_size;
    return 0;
}

static void
check_facts(struct server *server)
{
    check_version(server);
    check_system(server);
    check_directory(server);
    check_mode(server);
    check_level(server);
    if (server->archives)
        check_command(server);
    check_page_writes(server);
    check_timeout(server);
    if (server->standby) {
        check_report_ok(server->report, "standby",
                        setting_is(server, "archive_mode", "always")
                            ? "standby: archives what it replays; no segment was finished to try it"
                            : "standby: does not archive before it is promoted");
        return;
    }
    if (!server->archives || !server->belongs)
        return;
    check_archiver(server);
    if (process_stop_requested() != 0)
        return;
    check_guard(server->settings->push_timeout * 1000 + SWITCH_MS);
    check_switch(server->archive, server->client, server->system_id, server->segment_size,
                 server->report);
    check_guard(0);
}

void
check_server(struct archive *archive, struct check_report *report)
{
    struct server server = {.archive = archive,
                            .settings = archive->settings,
                            .report = report,
                            .rows = PG_ANSWER_INIT};
    struct err err = ERR_INIT;

    if (connect_server(&server, &err) < 0)
        check_report_failed(report, "connection", &err);
    else if (read_facts(&server, &err) < 0)
        check_report_failed(report, "facts", &err);
    else
        check_facts(&server);
    pg_answer_done(&server.rows);
    pg_client_close(server.client);
}
