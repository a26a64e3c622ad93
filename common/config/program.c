/* SPDX-License-Identifier: PostgreSQL */
#include "config/program.h"

#include "base/log.h"
#include "base/process.h"

static int
start(const struct program *program, struct err *err)
{
    if (exit_guard(program->side, err) < 0 || process_init(err) < 0)
        return -1;
    if (program->first_deadline_ms == 0)
        return 0;
    return process_watchdog(program->first_deadline_ms, exit_code(program->side, ERR_TRANSIENT),
                            err);
}

int
program_main(const struct program *program, int argc, char **argv)
{
    struct err err = ERR_INIT;
    char **arguments = NULL;
    int n = 0;

    log_init(program->cli->program, false);
    int rc = start(program, &err);
    if (rc == 0)
        rc = cli_parse(program->cli, argc, argv, &arguments, &n, &err);
    if (rc > 0)
        return exit_approve(EXIT_DONE);
    if (rc == 0) {
        log_init(program->cli->program, program->verbose != NULL && *program->verbose);
        rc = program->run(arguments, n, &err);
    }
    if (rc >= 0)
        return exit_approve(rc);
    log_err(&err);
    if (program->die_by_signal && process_stop_requested() != 0)
        process_die_by(process_stop_requested());
    return exit_approve(exit_code(program->side, err.kind));
}
