/* SPDX-License-Identifier: PostgreSQL */
#include "archive/check.h"

#include <string.h>

#include "base/clock.h"
#include "base/exit.h"
#include "base/process.h"
#include "base/secret.h"

#define GRACE_MS 2000
#define SAMPLE_SIZE (64 * KIB)
#define SAMPLE_SYSTEM_ID 1

void
check_guard(int64_t after_ms)
{
    struct err ignored = ERR_INIT;

    (void)!process_watchdog(after_ms, exit_code(EXIT_SIDE_ARCHIVE, ERR_TRANSIENT), &ignored);
}

/* ---- configuration and keys ---- */

/*
 * The keys a host that restores with this very configuration has: the configured writers and no
 * others, and the identities.
 */
static int
reader_keys(const struct archive *archive, struct keyring *ret, struct err *err)
{
    const struct settings_list *writers = &archive->settings->writers;

    for (size_t i = 0; i < writers->n; i++) {
        struct writer_public writer;

        if (writer_public_parse(writers->items[i], &writer, err) < 0 ||
            keyring_add_writer(ret, &writer, err) < 0)
            return -1;
    }
    if (writers->n == 0)
        return keyring_add_writer(ret, &archive->writer.public_half, err);
    return 0;
}

static int
read_identities(const struct settings *settings, struct keyring *keyring, struct err *err)
{
    AUTO(secret_buf) struct buf content = BUF_INIT(0);

    if (secret_read_file(settings->identity_file, "identity file", &content, err) < 0)
        return -1;
    return keyring_add_identities(keyring, (const char *)content.data, content.size,
                                  settings->identity_file, err);
}

/* Pack `sample` as push would, into one piece of memory. */
static int
pack_sample(const struct archive *archive, const char *name, const struct span *sample,
            struct buf *packed, struct err *err)
{
    AUTO(object_packer) struct object_packer *packer = NULL;
    struct object_label label = {
        .name = name, .system_id = SAMPLE_SYSTEM_ID, .created_us = clock_real_us()};
    struct object_index no_index = {.version = 0};
    struct span spans[2];

    if (object_packer_new(&archive->format, &archive->writer, sample->size, &packer, err) < 0 ||
        object_packer_write(packer, sample->data, sample->size, err) < 0 ||
        object_packer_finish(packer, &label, &no_index, spans, NULL, err) < 0)
        return -1;
    for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
        int rc = buf_append(packed, spans[i].data, spans[i].size, err);

        if (rc != 0)
            return rc < 0 ? -1 : err_set(err, ERR_INTERNAL, "an object is larger than its bound");
    }
    return 0;
}

/* Where unpacked bytes are held against the sample. */
struct comparison {
    struct span sample;
    size_t at;
};

static int
compare_piece(void *context, const uint8_t *bytes, size_t size, struct err *err)
{
    struct comparison *comparison = context;

    if (size > comparison->sample.size - comparison->at ||
        memcmp(comparison->sample.data + comparison->at, bytes, size) != 0)
        return err_set(err, ERR_CORRUPT, "what was packed is not what is unpacked");
    comparison->at += size;
    return 0;
}

static void
check_decryption(const struct archive *archive, const struct object *object,
                 struct keyring *keyring, const struct span *sample, struct check_report *report)
{
    struct comparison comparison = {.sample = *sample};
    char recipient[KEY_TEXT_SIZE];
    struct err err = ERR_INIT;

    if (archive->settings->encrypted && archive->settings->identity_file == NULL) {
        check_report_ok(report, "decryption",
                        "write-only host: no identity_file, so it cannot read what it writes");
        return;
    }
    if (archive->settings->encrypted && read_identities(archive->settings, keyring, &err) < 0) {
        check_report_failed(report, "decryption", &err);
        return;
    }
    int rc = object_unpack(object, keyring, compare_piece, &comparison, NULL, &err);
    if (rc == 0 && comparison.at != sample->size)
        rc = err_set(&err, ERR_CORRUPT, "what was packed does not unpack to its end");
    if (rc == 0) {
        check_report_ok(report, "decryption", "%s",
                        archive->settings->encrypted
                            ? "an identity of this host decrypts what it writes"
                            : "what this host writes unpacks (encryption = \"none\": whoever reads "
                              "a store reads the data)");
        return;
    }
    if (err.kind == ERR_CONFIG) {
        age_recipient_text(keyring->identities[0].public_key, recipient);
        (void)err_set(&err, ERR_CONFIG, "no configured identity can decrypt what this host writes");
        (void)err_hint(&err,
                       "Add the recipient of the identity file (its first: \"%s\") to "
                       "recipients, or configure the identity file that belongs to them.",
                       recipient);
    }
    check_report_failed(report, "decryption", &err);
}

/* Does what this host writes open with the keys the configuration gives a reader? */
static void
check_format(const struct archive *archive, struct check_report *report)
{
    uint8_t content[SAMPLE_SIZE];
    struct span sample = {content, sizeof(content)};
    AUTO(keyring) struct keyring keyring = KEYRING_INIT;
    AUTO(buf) struct buf packed = BUF_INIT((size_t)object_size_bound(SAMPLE_SIZE));
    struct object object;
    char name[OBJECT_NAME_SIZE];
    char writer[KEY_TEXT_SIZE];
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (uint8_t)(i * i >> 7);
    object_name_probe(archive->settings->cluster, name);
    if (reader_keys(archive, &keyring, &err) < 0 ||
        pack_sample(archive, name, &sample, &packed, &err) < 0) {
        check_report_failed(report, "format", &err);
        return;
    }
    if (object_open(packed.data, packed.size, name, SAMPLE_SYSTEM_ID, &keyring, &object, &err) <
        0) {
        if (err.kind == ERR_CONFIG) {
            writer_public_text(&archive->writer.public_half, writer);
            (void)err_set(&err, ERR_CONFIG,
                          "writers does not list the public half of writer_key_file: hosts that "
                          "restore would refuse what this host writes");
            (void)err_hint(&err, "Add \"%s\" to writers on every host.", writer);
        }
        check_report_failed(report, "format", &err);
        return;
    }
    check_report_ok(report, "format",
                    "an object packed as configured is accepted by its readers (%zu bytes become "
                    "%zu)",
                    sample.size, packed.size);
    check_decryption(archive, &object, &keyring, &sample, report);
}

static void
check_acknowledge(const struct archive *archive, struct check_report *report)
{
    size_t n = archive->n_stores;
    size_t k = archive->acknowledge;

    if (n > 1 && k <= n / 2)
        check_report_ok(report, "acknowledge",
                        "acknowledge = %zu of %zu stores: two primaries that reach different "
                        "stores can both archive; acknowledge = %zu rules that out",
                        k, n, n / 2 + 1);
    else
        check_report_ok(report, "acknowledge", "acknowledge = %zu of %zu stores", k, n);
}

static int
open_configuration(const struct check_options *options, struct settings **ret_settings,
                   struct archive **ret_archive, struct check_report *report)
{
    struct err err = ERR_INIT;

    check_report_group(report, "configuration and keys");
    if (settings_read(options->config_file, ret_settings, &err) < 0) {
        check_report_failed(report, "settings", &err);
        return -1;
    }
    check_report_ok(report, "settings", "\"%s\" is valid, cluster \"%s\"", (*ret_settings)->file,
                    (*ret_settings)->cluster);
    if (archive_open(*ret_settings, ARCHIVE_WRITE, ret_archive, &err) < 0) {
        check_report_failed(report, "keys", &err);
        return -1;
    }
    check_report_ok(report, "keys", "the writer key \"%s\" is private and readable",
                    (*ret_settings)->writer_key_file);
    return 0;
}

/* ---- all of it ---- */

static void
run_checks(const struct check_options *options, struct check_report *report)
{
    AUTO(settings) struct settings *settings = NULL;
    AUTO(archive) struct archive *archive = NULL;
    char text[CHECK_GROUP_SIZE];

    if (open_configuration(options, &settings, &archive, report) < 0)
        return;
    check_format(archive, report);
    check_acknowledge(archive, report);
    for (size_t i = 0; i < archive->n_stores && process_stop_requested() == 0; i++) {
        check_report_group(report, "%s", archive_store_text(archive, i, text, sizeof(text)));
        check_guard(settings->push_timeout * 1000 + GRACE_MS);
        check_store(archive, i, report);
        check_guard(0);
    }
    if (options->with_server && process_stop_requested() == 0) {
        check_report_group(report, "server");
        check_server(archive, report);
    }
}

int
check_run(const struct check_options *options, struct err *err)
{
    struct check_report report;
    AUTO(json) struct json *json = options->as_json ? json_new() : NULL;

    if (options->as_json && json == NULL)
        return err_memory(err, "JSON");
    check_report_begin(&report, json);
    run_checks(options, &report);
    int rc = check_report_end(&report, err);
    if (process_stop_requested() != 0)
        return err_set(err, ERR_TRANSIENT, "interrupted: not everything was checked");
    return rc;
}
