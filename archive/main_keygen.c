/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-keygen: makes the keys of a new archive and prints the lines to paste.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "archive/keygen.h"
#include "config/program.h"

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

/* As it stands between quotes in the configuration; ret has twice PATH_MAX. */
static void
config_text(const char *path, char *ret)
{
    for (size_t i = 0; path[i] != '\0' && i < PATH_MAX; i++) {
        if (path[i] == '"' || path[i] == '\\')
            *ret++ = '\\';
        *ret++ = path[i];
    }
    *ret = '\0';
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    struct keygen_result keys;
    char path[PATH_MAX];
    char absolute[2 * PATH_MAX + 1];

    if (directory == NULL) {
        (void)err_set(err, ERR_CONFIG, "--dir is missing");
        return err_hint(err, "Try \"seawall keygen --help\".");
    }
    if (keygen_write(directory, &keys, err) < 0)
        return -1;
    config_text(realpath(directory, path) != NULL ? path : directory, absolute);
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
