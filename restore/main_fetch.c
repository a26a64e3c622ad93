/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-fetch: PostgreSQL's restore_command. Exit 0: the file is there, verified; 1: proven that
 * it does not exist. Every doubt passes 125, so that PostgreSQL stops instead of promoting short.
 */
#include "base/clock.h"
#include "base/process.h"
#include "config/program.h"
#include "restore/fetch.h"
#include "restore/standby.h"

#define GRACE_MS 2000
/* Until the configuration has said otherwise: reading it is local and quick. */
#define FIRST_DEADLINE_MS 60000

static const char *config_file;
static bool verbose;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-fetch",
    .synopsis = "[--config FILE] NAME PATH",
    .summary = "Bring one WAL file back: restore_command = 'seawall-fetch %f %p'.",
    .options = options,
    .min_arguments = 2,
    .max_arguments = 2,
    .epilogue =
        "Exit status: 0 restored and verified; 1 proven absent; 200 transient;\n"
        "201 integrity; 202 configuration, keys or refused by the store; 203 gap, deleted or\n"
        "stores disagree; 204 local file; 205 internal.",
};

static int
run(char **arguments, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;
    AUTO(archive) struct archive *archive = NULL;

    if (settings_read(config_file, &settings, err) < 0 ||
        pgdata_open(settings, &pgdata, err) < 0)
        return -1;

    int64_t now_ms = clock_boot_ms();
    struct fetch_request request = {
        .name = arguments[0],
        .path = arguments[1],
        .deadline_ms = standby_fetch_deadline(settings, &pgdata, now_ms),
    };
    if (process_watchdog(request.deadline_ms - now_ms + GRACE_MS,
                         exit_code(EXIT_SIDE_RESTORE, ERR_TRANSIENT), err) < 0 ||
        archive_open(settings, ARCHIVE_READ, &archive, err) < 0)
        return -1;

    int rc = fetch_file(archive, &pgdata, &request, &log_notices, err);
    if (rc < 0 && process_stop_requested() == 0 && standby_softens(settings, &pgdata, err->kind)) {
        notice_err(&log_notices, LOG_WARNING, err,
                   "the standby is told that \"%s\" is not there yet", request.name);
        return EXIT_PROVEN_ABSENT;
    }
    return rc == FETCH_ABSENT ? EXIT_PROVEN_ABSENT : rc;
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_RESTORE,
    .run = run,
    .verbose = &verbose,
    .first_deadline_ms = FIRST_DEADLINE_MS,
    .die_by_signal = true,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
