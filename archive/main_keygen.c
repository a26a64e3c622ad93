/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-keygen: makes the keys of a new archive and prints the lines to paste.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive/keygen.h"
#include "base/exit.h"
#include "base/log.h"
#include "base/process.h"
#include "config/cli.h"

static const char *directory;

static const struct cli_option options[] = {
    {"--dir", "DIR", "directory for identity.txt and writer.key (required)", &directory, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-keygen",
    .synopsis = "--dir DIR",
    .summary = "Make the keys of a new archive and print the configuration lines to paste.",
    .options = options,
    .epilogue =
        "Writes DIR/identity.txt (decrypts; keep a copy in a safe) and DIR/writer.key (signs),\n"
        "both readable by you alone. Existing files are never overwritten.\n"
        "Exit status: 0 made; 13 they exist or could not be written; 14 usage.",
};

static int
run(struct err *err)
{
    struct keygen_result keys;
    char path[PATH_MAX];

    if (directory == NULL) {
        (void)err_set(err, ERR_CONFIG, "--dir is missing");
        return err_hint(err, "Try \"seawall keygen --help\".");
    }
    if (keygen_write(directory, &keys, err) < 0)
        return -1;
    const char *absolute = realpath(directory, path) != NULL ? path : directory;
    (void)printf(
        "# Keys made in %s. Keep a copy of identity.txt in a safe place: without it\n"
        "# nothing can be restored. Paste these lines into seawall.conf:\n"
        "encryption = { recipients = ( \"%s\" );\n"
        "               identity_file = \"%s/identity.txt\"; };  # not on write-only hosts\n"
        "writer_key_file = \"%s/writer.key\";\n"
        "writers = ( \"%s\" );\n",
        absolute, keys.recipient, absolute, absolute, keys.writer);
    if (fflush(stdout) != 0)
        return err_set(err, ERR_LOCAL, "could not write to standard output");
    return 0;
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
    if (rc == 0)
        rc = run(&err);
    if (rc == 0)
        return exit_approve(EXIT_DONE);
    log_err(&err);
    return exit_approve(exit_code(EXIT_SIDE_ARCHIVE, err.kind));
}
