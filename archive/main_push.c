/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-push: PostgreSQL's archive_command. Exit 0 means stored; every failure is 10 to 16, for
 * PostgreSQL does not count what passes 125.
 */
#include "archive/push.h"
#include "base/clock.h"
#include "base/process.h"
#include "config/program.h"

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
    .program = "seawall-push",
    .synopsis = "[--config FILE] PATH",
    .summary = "Archive one WAL file: archive_command = 'seawall-push %p'.",
    .options = options,
    .min_arguments = 1,
    .max_arguments = 1,
    .epilogue = "Exit status: 0 stored; 10 transient; 11 refused by the store; 12 other content\n"
                "under this name; 13 local file; 14 configuration; 15 integrity; 16 internal.",
};

static int
run(char **arguments, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;
    AUTO(archive) struct archive *archive = NULL;

    if (settings_read(config_file, &settings, err) < 0)
        return -1;

    int64_t timeout_ms = settings->push_timeout * 1000;
    int64_t deadline_ms = clock_boot_ms() + timeout_ms;
    int late = exit_code(EXIT_SIDE_ARCHIVE, ERR_TRANSIENT);
    if (process_watchdog(timeout_ms + GRACE_MS, late, err) < 0 ||
        pgdata_open(settings, &pgdata, err) < 0 ||
        archive_open(settings, ARCHIVE_WRITE, &archive, err) < 0)
        return -1;
    return push_file(archive, &pgdata, arguments[0], deadline_ms, &log_notices, err);
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
    .verbose = &verbose,
    .first_deadline_ms = FIRST_DEADLINE_MS,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
