/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-check: prove that stores, keys and the server's settings work, before a disaster does.
 */
#include "archive/check.h"
#include "config/program.h"

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

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    struct check_options wanted = {config_file, as_json, !no_server};

    return check_run(&wanted, err);
}

static const struct program program = {
    .cli = &cli,
    .side = EXIT_SIDE_ARCHIVE,
    .run = run,
};

int
main(int argc, char **argv)
{
    return program_main(&program, argc, argv);
}
