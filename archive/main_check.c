/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-check: prove that stores, keys and the server's settings work, before a disaster does.
 */
#include "archive/check.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/process.h"
#include "config/cli.h"

static const char *config_file;
static bool as_json;
static bool no_server;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--no-server", NULL, "do not connect to the PostgreSQL server", NULL, &no_server},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-check",
    .synopsis = "[--config FILE] [--json] [--no-server]",
    .summary = "Prove that configuration, keys, stores and the server's settings work together.",
    .options = options,
    .epilogue = "The server is asked to switch to a new WAL segment, and the finished one must "
                "arrive in the stores.\n"
                "Exit status: 0 nothing failed (there may be warnings); else that of the first "
                "failure: 10 transient; 11 refused; 12 conflict; 13 local file; 14 configuration; "
                "15 integrity; 16 internal.",
};

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    char **arguments = NULL;
    int n = 0;

    log_init(cli.program, false);
    int rc = process_init(&err);
    if (rc == 0)
        rc = cli_parse(&cli, argc, argv, &arguments, &n, &err);
    if (rc > 0)
        return EXIT_DONE;
    if (rc == 0) {
        struct check_options wanted = {config_file, as_json, !no_server};

        rc = check_run(&wanted, &err);
    }
    if (rc == 0)
        return EXIT_DONE;
    log_err(&err);
    return exit_code(EXIT_SIDE_ARCHIVE, err.kind);
}
