/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-list: what the archive holds: backups, timelines, WAL ranges and gaps, per store.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "config/program.h"
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
    .summary = "List what the archive holds: backups, timelines, WAL ranges and gaps, per store.",
    .options = options,
    .epilogue = "Exit status: 0 listed; 10 to 16 a store could not be listed or the configuration\n"
                "is wrong (the others are listed all the same).",
};

/* Backups tell about themselves to who has the identity only; WAL is listed without it. */
static enum archive_purpose
purpose_of(const struct settings *settings)
{
    bool readable = !settings->encrypted || (settings->identity_file != NULL &&
                                             access(settings->identity_file, R_OK) == 0);

    return readable ? ARCHIVE_READ : ARCHIVE_LOOK;
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;

    if (settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, purpose_of(settings), &archive, err) < 0)
        return -1;
    int rc = list_archive(archive, as_json, clock_boot_ms() + LIST_TIMEOUT_MS, err);
    if (fflush(stdout) != 0 && rc == 0)
        return err_set(err, ERR_LOCAL, "could not write to standard output");
    return rc;
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
    .verbose = &verbose,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
