/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-list: what the archive holds: timelines, WAL ranges and gaps, per store and together.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/process.h"
#include "config/cli.h"
#include "restore/list.h"

#define LIST_TIMEOUT_MS (3600 * 1000)

static const char *config_file;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-list",
    .synopsis = "[--config FILE] [--json]",
    .summary = "List what the archive holds: timelines, WAL ranges and gaps, per store.",
    .options = options,
    .epilogue = "Exit status: 0 listed; 10 to 16 a store could not be listed or the configuration\n"
                "is wrong (the others are listed all the same).",
};

static int
run(struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;

    if (settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, ARCHIVE_LOOK, &archive, err) < 0)
        return -1;
    int rc = list_archive(archive, as_json, clock_boot_ms() + LIST_TIMEOUT_MS, err);
    if (fflush(stdout) != 0 && rc == 0)
        return err_set(err, ERR_LOCAL, "could not write to standard output");
    return rc;
}

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    char **arguments = NULL;
    int n = 0;

    log_init(cli.program, false);
    int rc = exit_guard(EXIT_SIDE_ARCHIVE, &err);
    if (rc == 0)
        rc = process_init(&err);
    if (rc == 0)
        rc = cli_parse(&cli, argc, argv, &arguments, &n, &err);
    if (rc > 0)
        return exit_approve(EXIT_DONE);
    if (rc == 0) {
        log_init(cli.program, verbose);
        rc = run(&err);
    }
    if (rc == 0)
        return exit_approve(EXIT_DONE);
    log_err(&err);
    return exit_approve(exit_code(EXIT_SIDE_ARCHIVE, err.kind));
}
