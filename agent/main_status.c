/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-status: how archiving and recovery go just now.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/status.h"
#include "base/clock.h"
#include "base/io.h"
#include "catalog/pgdata.h"
#include "config/program.h"

#define STORES_MS 60000

static const char *config_file;
static const char *pgdata_directory;
static const char *runtime_dir;
static bool ask_stores;
static bool as_json;
static bool as_prometheus;
static bool verbose;

static const struct cli_option options[] = {
    {"--pgdata", "DIR", "the data directory; default: the setting pgdata, else this directory",
     &pgdata_directory, NULL},
    {"--stores", NULL, "ask each store for its newest segment", NULL, &ask_stores},
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--runtime-dir", "DIR", "where the agent's socket is", &runtime_dir, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--prometheus", NULL, "print Prometheus' text format", NULL, &as_prometheus},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-status",
    .synopsis = "[--pgdata DIR] [--stores] [--json | --prometheus] [OPTION]...",
    .summary = "Show the agent, the files that wait to be archived, and the lag of each store.",
    .options = options,
    .epilogue = "Exit status: 0 within the objective; 10 a file waits, or a store lags, for longer "
                "than objectives.rpo, or a store did not answer; 13 the data directory cannot be "
                "read; 11 to 16 other failures.",
};

static int
print(const struct status *status, struct err *err)
{
    AUTO(buf) struct buf text = BUF_INIT(BUF_LIMIT_DEFAULT);

    if (as_json)
        return status_print_json(status, err);
    if (!as_prometheus)
        return status_print(status, err);
    if (status_prometheus(status, &text, err) < 0)
        return -1;
    return io_write_full(STDOUT_FILENO, text.data, text.size, "standard output", err);
}

/* Their newest segments. Public keys suffice. */
static int
look_into_stores(struct status *status, struct err *err)
{
    AUTO(archive) struct archive *archive = NULL;
    AUTO(pgdata) struct pgdata pgdata = PGDATA_INIT;

    if (pgdata_open(status->settings, &pgdata, err) < 0 ||
        archive_open(status->settings, ARCHIVE_LOOK, &archive, err) < 0)
        return -1;
    status_ask_stores(status, archive, pgdata.system_id, clock_boot_ms() + STORES_MS);
    return 0;
}

/* The agent's data directory is its working directory, and so is ours. */
static int
enter(const struct settings *settings, char *ret_path, struct err *err)
{
    const char *path = pgdata_directory != NULL ? pgdata_directory : settings->pgdata;

    if (path != NULL && chdir(path) < 0)
        return err_sys(err, errno, "could not enter data directory \"%s\"", path);
    if (getcwd(ret_path, PATH_MAX) == NULL)
        return err_sys(err, errno, "could not find the working directory");
    if (access("global/pg_control", F_OK) == 0)
        return 0;
    (void)err_sys(err, errno, "\"%s\" is not a data directory", ret_path);
    return err_hint(err, "Give --pgdata, or set pgdata in \"%s\".", settings->file);
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(ptr) struct status *status = calloc(1, sizeof(*status));
    char path[PATH_MAX];

    if (status == NULL)
        return err_memory(err, "status");
    if (as_json && as_prometheus)
        return err_set(err, ERR_CONFIG, "--json and --prometheus cannot both be given");
    if (settings_read(config_file, &settings, err) < 0 || enter(settings, path, err) < 0)
        return -1;
    status_init(status, settings, path);
    if (status_read_queue(status, err) < 0)
        return -1;
    status_ask_agent(status, runtime_dir);
    if (ask_stores && look_into_stores(status, err) < 0)
        return -1;
    status_judge(status);
    if (print(status, err) < 0)
        return -1;
    if (status->verdict == STATUS_BEHIND || status->verdict == STATUS_AWAY)
        return err_set(err, ERR_TRANSIENT, "%s", status->why);
    return 0;
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
