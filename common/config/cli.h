/* SPDX-License-Identifier: PostgreSQL */
/*
 * cli.h: the command line of every program, from one small table each.
 *
 * "--name value", "--name=value" and flags; "--" ends the options; --help and --version are
 * known everywhere. Help goes to stdout and is made from the table, so it cannot disagree with
 * the parser; the man pages are compared with it by the lint suite.
 */
#ifndef CONFIG_CLI_H
#define CONFIG_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct cli_option {
    const char *name;     /* "--config" */
    const char *argument; /* "FILE" in the help; NULL: a flag */
    const char *help;
    const char **value;   /* set to the argument; or */
    bool *flag;           /* set to true */
};

struct cli {
    const char *program;  /* "seawall-push" */
    const char *synopsis; /* "[--config FILE] PATH" */
    const char *summary;  /* one sentence */
    const struct cli_option *options; /* ended by {NULL} */
    int min_arguments;
    int max_arguments;
    const char *epilogue; /* more help text (exit codes), or NULL */
};

enum cli_outcome {
    CLI_HELP = 1,    /* --help was printed: the caller exits 0 */
    CLI_VERSION = 2, /* --version was printed: the caller exits 0 */
};

/*
 * Parse. *ret_arguments points into argv at the positional arguments, *ret_n counts them.
 * 0, CLI_HELP, CLI_VERSION, or -1 (ERR_CONFIG, with "Try ... --help" as hint). An option given twice,
 * an empty value, or an argument that looks like an option is an error.
 */
int cli_parse(const struct cli *cli, int argc, char **argv, char ***ret_arguments, int *ret_n,
              struct err *err) MUST_USE;

#endif
