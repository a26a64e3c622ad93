/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall-verify: is everything in the archive what it should be, in every store?
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "config/program.h"
#include "restore/report.h"
#include "restore/verify.h"
#include "wal/wal_name.h"

#define VERIFY_TIMEOUT_MS (30 * 24 * 3600 * (int64_t)1000)
#define FINDINGS_MAX 10000 /* in a JSON document */

static const char *config_file;
static const char *label;
static const char *since;
static bool as_json;
static bool verbose;

static const struct cli_option options[] = {
    {"--backup", "LABEL", "only the objects of this backup", &label, NULL},
    {"--since", "LSN", "only WAL from this position on, and history files", &since, NULL},
    {"--config", "FILE", "configuration file", &config_file, NULL},
    {"--json", NULL, "print one JSON document", NULL, &as_json},
    {"--verbose", NULL, "say more", NULL, &verbose},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct cli cli = {
    .program = "seawall-verify",
    .synopsis = "[--backup LABEL | --since LSN] [OPTION]...",
    .summary = "Read the whole archive and verify every object in every store.",
    .options = options,
    .epilogue =
        "Exit status: 0 all is well; 15 damage was found; 12 objects are missing in a store,\n"
        "foreign, or other ones in another store; 10 a store is away; 11 to 16 other failures.",
};

struct output {
    struct json *json; /* NULL: text */
    size_t n;
};

static void
finding(void *context, enum verify_kind kind, const char *store, const char *name, const char *why)
{
    struct output *output = context;

    if (output->json == NULL) {
        (void)printf("%s in store \"%s\": %s: %s\n", verify_kind_name(kind), store, name, why);
        return;
    }
    if (++output->n > FINDINGS_MAX)
        return;
    json_open_object(output->json, NULL);
    json_add_text(output->json, "kind", verify_kind_name(kind));
    json_add_text(output->json, "store", store);
    json_add_text(output->json, "object", name);
    json_add_text(output->json, "reason", why);
    json_close(output->json);
}

static void
print_totals(const struct archive *archive, const struct verify_totals *totals)
{
    for (size_t i = 0; i < archive->n_stores; i++) {
        const struct verify_totals *at = &totals[i];
        char place[512];
        char size[REPORT_TEXT_SIZE];

        (void)printf("%s: %" PRIu64 " objects, %s", archive_store_text(archive, i, place,
                                                                      sizeof(place)),
                     at->n_objects, report_size(at->n_bytes, size));
        for (size_t kind = 0; kind < ARRAY_SIZE(at->n_found); kind++)
            if (at->n_found[kind] > 0)
                (void)printf(", %" PRIu64 " %s", at->n_found[kind],
                             verify_kind_name((enum verify_kind)kind));
        (void)printf("%s\n", at->away ? ", AWAY" : "");
    }
    if (!verify_is_deep(archive))
        (void)printf("Without an identity only seals and payload hashes were verified.\n");
}

static void
json_totals(struct json *json, const struct archive *archive, const struct verify_totals *totals)
{
    json_open_array(json, "stores");
    for (size_t i = 0; i < archive->n_stores; i++) {
        json_open_object(json, NULL);
        json_add_text(json, "name", archive->stores[i].settings->name);
        json_add_bool(json, "away", totals[i].away);
        json_add_number(json, "objects", (int64_t)totals[i].n_objects);
        json_add_number(json, "bytes", (int64_t)totals[i].n_bytes);
        for (size_t kind = 0; kind < ARRAY_SIZE(totals[i].n_found); kind++)
            json_add_number(json, verify_kind_name((enum verify_kind)kind),
                            (int64_t)totals[i].n_found[kind]);
        json_close(json);
    }
    json_close(json);
    json_add_bool(json, "decoded", verify_is_deep(archive));
}

/* Verify and print, whatever was found. 0 or -1: the verdict. */
static int
verify(struct archive *archive, struct verify_request *request, struct err *err)
{
    struct verify_totals totals[SETTINGS_STORES_MAX];
    AUTO(json) struct json *json = as_json ? json_new() : NULL;
    struct output output = {json, 0};
    struct err print_err = ERR_INIT;

    if (as_json && json == NULL)
        return err_memory(err, "JSON");
    if (as_json)
        json_open_array(json, "findings");
    request->finding = finding;
    request->context = &output;
    int rc = verify_archive(archive, request, &log_notices, totals, err);
    if (!as_json) {
        print_totals(archive, totals);
        if (fflush(stdout) != 0 && rc == 0)
            return err_set(err, ERR_LOCAL, "could not write to standard output");
        return rc;
    }
    json_close(json);
    json_add_number(json, "findings_left_off",
                    output.n > FINDINGS_MAX ? (int64_t)(output.n - FINDINGS_MAX) : 0);
    json_totals(json, archive, totals);
    if (json_print(json, &print_err) < 0 && rc == 0) {
        *err = print_err;
        return -1;
    }
    return rc;
}

/* Whatever can be verified without the identity is, if there is none on this host. */
static enum archive_purpose
purpose_of(const struct settings *settings)
{
    bool readable = !settings->encrypted || (settings->identity_file != NULL &&
                                             access(settings->identity_file, R_OK) == 0);

    return readable ? ARCHIVE_READ : ARCHIVE_LOOK;
}

static int
run(char **arguments UNUSED, int n UNUSED, struct err *err)
{
    struct verify_request request = {
        .label = label,
        .deadline_ms = clock_boot_ms() + VERIFY_TIMEOUT_MS,
        .wal_since = since != NULL,
    };
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;

    if (label != NULL && since != NULL)
        return err_set(err, ERR_CONFIG, "--backup and --since cannot both be given");
    if (since != NULL && !wal_lsn_parse(since, strlen(since), &request.since))
        return err_set(err, ERR_CONFIG, "--since is not a WAL position");
    if (settings_read(config_file, &settings, err) < 0 ||
        archive_open(settings, purpose_of(settings), &archive, err) < 0)
        return -1;
    return verify(archive, &request, err);
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
