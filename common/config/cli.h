/* SPDX-License-Identifier: PostgreSQL */
/*
 * cli.h: the command line of every program, from one small table each.
 *
 * "--name value", "--name=value" and flags; options and arguments may be mixed; "--" ends the
 * options; --help and --version are known everywhere. Help goes to stdout and is made from the
 * table, so it cannot disagree with the parser; the man pages are compared with it by the lint
 * suite.
 */
#ifndef CONFIG_CLI_H
#define CONFIG_CLI_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

#define CLI_OPTIONS_MAX 64
#define CLI_HELP_WIDTH 80

/* As max_arguments: the first argument ends the options, and all behind it is another program's. */
#define CLI_REST (-1)

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
    const struct cli_option *options; /* ended by {NULL}; at most CLI_OPTIONS_MAX */
    int min_arguments;
    int max_arguments;    /* or CLI_REST */
    const char *epilogue; /* more help text (exit codes), or NULL; lines are wrapped one by one */
};

enum cli_outcome {
    CLI_HELP = 1,    /* --help was printed: the caller exits 0 */
    CLI_VERSION = 2, /* --version was printed: the caller exits 0 */
};

/*
 * Parse. *ret_arguments points into argv at the positional arguments, ended by NULL, *ret_n counts
 * them; argv is reordered for that. 0, CLI_HELP, CLI_VERSION, or -1: ERR_CONFIG with
 * "Try ... --help" as hint, or ERR_LOCAL when the help could not be written. An option given twice,
 * an empty value or argument, or an argument that looks like an option (begins with "-" and is
 * longer) is an error; as a value the latter can be given with "--name=-value". Messages name
 * options, never values.
 */
int cli_parse(const struct cli *cli, int argc, char **argv, char ***ret_arguments, int *ret_n,
              struct err *err) MUST_USE;

#endif
