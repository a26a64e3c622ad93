/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-names: what databases and relations are called now, for events to show names.
 */
#include <inttypes.h>
#include <stdio.h>

#include "archive/names.h"
#include "base/json.h"
#include "config/program.h"

static const char *config_file;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-names",
    .synopsis = "[--config FILE] [--json] [--verbose]",
    .summary = "Store what the server's databases and relations are called now.",
    .options = options,
    .epilogue = "Exit status: 0 stored; 10 transient; 11 refused; 12 other content under this\n"
                "name; 13 local file; 14 configuration; 16 internal.",
};

static int
show(const struct names_result *result, struct err *err)
{
    AUTO(json) struct json *json = NULL;
    char lsn[WAL_LSN_TEXT_SIZE];

    if (!as_json) {
        (void)printf("%s: %" PRIu64 " databases, %" PRIu64 " relations at %s\n",
                     result->head.label, result->counts.databases, result->counts.relations,
                     wal_lsn_text(result->head.lsn, lsn));
        return fflush(stdout) == 0
                   ? 0
                   : err_set(err, ERR_LOCAL, "could not write to standard output");
    }
    json = json_new();
    json_add_text(json, "label", result->head.label);
    json_add_text(json, "lsn", wal_lsn_text(result->head.lsn, lsn));
    json_add_number(json, "timeline", result->head.timeline);
    json_add_number(json, "databases", (int64_t)result->counts.databases);
    json_add_number(json, "relations", (int64_t)result->counts.relations);
    return json_print(json, err);
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;
    AUTO(backup_sender) struct backup_sender *sender = NULL;
    struct names_result result;

    if (settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, ARCHIVE_WRITE, &archive, err) < 0 ||
        backup_sender_new(archive, &log_notices, &sender, err) < 0)
        return -1;
    const struct names_request request = {
        .archive = archive,
        .sender = sender,
        .notices = &log_notices,
        .conninfo = settings->conninfo,
    };
    if (names_store(&request, &result, err) < 0)
        return -1;
    return show(&result, err);
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
