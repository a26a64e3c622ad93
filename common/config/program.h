/* SPDX-License-Identifier: PostgreSQL */
/*
 * program.h: what every main() does around its one piece of work.
 *
 * Exit guard, process manners, command line, the error printed once, and its kind turned into an
 * exit code. A program is a table (struct cli), a run function, and this.
 */
#ifndef CONFIG_PROGRAM_H
#define CONFIG_PROGRAM_H

#include <stdint.h>

#include "base/exit.h"
#include "config/cli.h"

struct program {
    const struct cli *cli;
    enum exit_side side;
    /*
     * The work, with the positional arguments. 0 done; -1 *err; >0 an exit code of its own that the
     * program documents (1 of seawall-fetch: proven absent).
     */
    int (*run)(char **arguments, int n, struct err *err);
    const bool *verbose; /* the --verbose flag, or NULL */
    /* The watchdog until the configuration has said otherwise; 0: none. */
    int64_t first_deadline_ms;
    /* Die by the signal that asked to stop: PostgreSQL knows its restore_command by that. */
    bool die_by_signal;
};

/* Returns what main() returns. */
int program_main(const struct program *program, int argc, char **argv);

#endif
