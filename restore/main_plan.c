/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-plan: from which backup, with which WAL, to which point - and is all of it there?
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "config/program.h"
#include "restore/plan.h"

#define PLAN_TIMEOUT_MS (24 * 3600 * (int64_t)1000)

static const char *config_file;
static struct target_options target_options;
static const char *label;
static const char *system_id;
static const char *output;
static bool deep;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--time", "TIME", "recover to this time, with its zone", &target_options.time, NULL},
    {"--lsn", "LSN", "recover to this WAL position", &target_options.lsn, NULL},
    {"--xid", "XID", "recover to this transaction", &target_options.xid, NULL},
    {"--name", "NAME", "recover to this restore point", &target_options.name, NULL},
    {"--before", "EVENT", "recover to just before this event: its LSN, or KIND:NAME",
     &target_options.before, NULL},
    {"--latest", NULL, "recover all that is archived", NULL, &target_options.latest},
    {"--backup-end", NULL, "recover no further than the backup", NULL, &target_options.backup_end},
    {"--timeline", "TIMELINE", "latest (default), current (the backup's own) or a number",
     &target_options.timeline, NULL},
    {"--backup", "LABEL", "begin with this backup", &label, NULL},
    {"--system-id", "NUMBER", "which server, if the archive has several", &system_id, NULL},
    {"--deep", NULL, "read and decode everything, not only the seals", NULL, &deep},
    {"--output", "FILE", "write the plan into a new file, for seawall restore --plan",
     &output, NULL},
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-plan",
    .synopsis = "(--time TIME | --lsn LSN | --xid XID | --name NAME | --before EVENT | --latest | "
                "--backup-end) "
                "[OPTION]...",
    .summary = "Say how a recovery would go, and prove that everything it needs is there.",
    .options = options,
    .epilogue =
        "Exit status: 0 the plan can be carried out; 12 a gap, a missing history file or stores\n"
        "that disagree; 14 no such backup or timeline, or a target outside the window; 15 a\n"
        "segment or part that verifies in no store; 10 to 16 other failures.",
};

static int
show(const struct archive *archive, const struct plan *plan, struct err *err)
{
    AUTO(json) struct json *json = NULL;

    if (output != NULL && plan_write(plan, output, err) < 0)
        return -1;
    if (!as_json) {
        plan_print(archive, plan);
        if (output != NULL)
            (void)printf("Or:   seawall restore --plan %s --target-dir DIRECTORY\n", output);
        return fflush(stdout) == 0
                   ? 0
                   : err_set(err, ERR_LOCAL, "could not write to standard output");
    }
    json = json_new();
    if (json == NULL)
        return err_memory(err, "JSON");
    plan_json(plan, json);
    return json_print(json, err);
}

/* For a program what a person reads as error and warnings. */
static void
show_refused(const struct plan *plan, const struct err *why)
{
    AUTO(json) struct json *json = as_json && plan->refused ? json_new() : NULL;
    struct err err = ERR_INIT;

    if (json == NULL)
        return;
    plan_json_refused(plan, why, json);
    if (json_print(json, &err) < 0)
        notice_err(&log_notices, LOG_WARNING, &err, "the refusal as JSON");
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    struct plan_request request = {
        .label = label,
        .deep = deep,
        .deadline_ms = clock_boot_ms() + PLAN_TIMEOUT_MS,
    };
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    AUTO(ptr) struct plan *plan = calloc(1, sizeof(*plan));

    if (plan == NULL)
        return err_memory(err, "plan");
    if (target_parse(&target_options, &request.target, err) < 0)
        return -1;
    if (system_id != NULL && (!decimal_read(system_id, strlen(system_id), UINT64_MAX,
                                            &request.system_id) ||
                              request.system_id == 0))
        return err_set(err, ERR_CONFIG, "--system-id is not a system identifier");
    if (settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, ARCHIVE_READ, &archive, err) < 0)
        return -1;
    if (plan_make(archive, &request, &log_notices, plan, &complete, err) < 0) {
        show_refused(plan, err);
        return -1;
    }
    return show(archive, plan, err);
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
