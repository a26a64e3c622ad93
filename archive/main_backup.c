/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-backup: take a base backup into all stores.
 */
#include <string.h>

#include "archive/backup.h"
#include "base/exit.h"
#include "base/process.h"
#include "config/cli.h"

static const char *config_file;
static const char *checkpoint;
static bool full;
static bool as_json;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--checkpoint", "HOW", "fast (the default) or spread", &checkpoint, NULL},
    {"--full", NULL, "a full backup (the only kind so far)", NULL, &full},
    {"--json", NULL, "print events, one JSON object a line", NULL, &as_json},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-backup",
    .synopsis = "[--config FILE] [--checkpoint HOW] [--full] [--json]",
    .summary = "Take a base backup of the running server into all stores.",
    .options = options,
    .epilogue = "The last line on the standard output is the backup's label.\n"
                "Exit status: 0 complete; 17 complete, but damaged pages are in it; 10 transient; "
                "11 refused; 12 conflict; 13 local file; 14 configuration; 15 integrity; 16 "
                "internal.",
};

static int
run(struct backup_report *report, struct err *err)
{
    struct backup_options wanted = {config_file, true};

    if (checkpoint != NULL && strcmp(checkpoint, "fast") != 0) {
        if (strcmp(checkpoint, "spread") != 0) {
            (void)err_set(err, ERR_CONFIG, "--checkpoint is neither \"fast\" nor \"spread\"");
            return err_hint(err, "Try \"seawall backup --help\".");
        }
        wanted.fast = false;
    }
    return backup_run(&wanted, report, err);
}

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    struct backup_report report;
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
        backup_report_init(&report, as_json);
        rc = run(&report, &err);
        if (rc < 0)
            backup_report_failed(&report, &err);
    }
    if (rc >= 0)
        return exit_approve(rc == BACKUP_DAMAGED ? EXIT_DAMAGED : EXIT_DONE);
    log_err(&err);
    return exit_approve(exit_code(EXIT_SIDE_ARCHIVE, err.kind));
}
