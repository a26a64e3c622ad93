/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"

static int
load_writer_key(const struct settings *settings, struct writer_key *ret, struct err *err)
{
    AUTO(secret_buf) struct buf content = BUF_INIT(0);

    if (secret_read_file(settings->writer_key_file, "writer key file", &content, err) < 0)
        return -1;
    return writer_key_parse((const char *)content.data, content.size, settings->writer_key_file,
                            ret, err);
}

/* The configured writers, or else the public half of the writer key. */
static int
load_writers(struct archive *archive, struct err *err)
{
    const struct settings_list *writers = &archive->settings->writers;

    for (size_t i = 0; i < writers->n; i++) {
        struct writer_public writer;

        if (writer_public_parse(writers->items[i], &writer, err) < 0 ||
            keyring_add_writer(&archive->keyring, &writer, err) < 0)
            return err_wrap(err, "\"%s\": writers", archive->settings->file);
    }
    if (writers->n > 0)
        return 0;

    AUTO(writer_key) struct writer_key key = {.seed = {0}};
    if (load_writer_key(archive->settings, &key, err) < 0) {
        (void)err_hint(err, "Set writers to the public writer key that \"seawall keygen\" printed, "
                            "or provide the writer key file.");
        return -1;
    }
    return keyring_add_writer(&archive->keyring, &key.public_half, err);
}

/* The writer always accepts its own objects, also when `writers` names others only. */
static int
add_own_writer(struct archive *archive, struct err *err)
{
    for (size_t i = 0; i < archive->keyring.n_writers; i++)
        if (memcmp(archive->keyring.writers[i].public_key, archive->writer.public_half.public_key,
                   KEY_SIZE) == 0)
            return 0;
    return keyring_add_writer(&archive->keyring, &archive->writer.public_half, err);
}

static int
load_identities(struct archive *archive, struct err *err)
{
    const char *file = archive->settings->identity_file;
    AUTO(secret_buf) struct buf content = BUF_INIT(0);

    if (file == NULL) {
        (void)err_set(err, ERR_CONFIG, "\"%s\": encryption has no identity_file",
                      archive->settings->file);
        return err_hint(err, "Reading the archive needs the identity that \"seawall keygen\" (or "
                             "age-keygen) made.");
    }
    if (secret_read_file(file, "identity file", &content, err) < 0)
        return -1;
    return keyring_add_identities(&archive->keyring, (const char *)content.data, content.size, file,
                                  err);
}

static int
load_recipients(struct archive *archive, struct err *err)
{
    const struct settings_list *recipients = &archive->settings->recipients;

    for (size_t i = 0; i < recipients->n; i++)
        if (age_recipient_parse(recipients->items[i], &archive->recipients[i], err) < 0)
            return err_wrap(err, "\"%s\": recipients", archive->settings->file);
    archive->format.recipients = archive->recipients;
    archive->format.n_recipients = recipients->n;
    return 0;
}

static int
load_keys(struct archive *archive, enum archive_purpose purpose, struct err *err)
{
    bool encrypted = archive->settings->encrypted;
    struct err ignored = ERR_INIT;

    if (purpose == ARCHIVE_WRITE) {
        if (load_writer_key(archive->settings, &archive->writer, err) < 0 ||
            load_recipients(archive, err) < 0)
            return -1;
    }
    if (load_writers(archive, err) < 0)
        return -1;
    if (purpose == ARCHIVE_WRITE && add_own_writer(archive, err) < 0)
        return -1;
    if (purpose == ARCHIVE_READ && encrypted)
        return load_identities(archive, err);
    /* A writer that happens to have an identity can compare objects of other writers. */
    if (purpose == ARCHIVE_WRITE && encrypted && archive->settings->identity_file != NULL)
        (void)!load_identities(archive, &ignored);
    return 0;
}

static void
set_format(struct archive *archive)
{
    const struct settings *settings = archive->settings;

    archive->format.level = (int)settings->compression_level;
    archive->format.encryption = settings->encrypted ? ENCRYPTION_AGE : ENCRYPTION_NONE;
    switch (settings->compression) {
    case SETTINGS_COMPRESSION_LZ4:
        archive->format.compression = COMPRESSION_LZ4;
        break;
    case SETTINGS_COMPRESSION_ZSTD:
        archive->format.compression = COMPRESSION_ZSTD;
        break;
    case SETTINGS_COMPRESSION_NONE:
        archive->format.compression = COMPRESSION_NONE;
        break;
    }
}

void
archive_reopen_store(struct archive *archive, size_t i)
{
    const struct settings_store *from = &archive->settings->stores[i];
    struct archive_store *to = &archive->stores[i];
    struct store_config config = {
        .name = from->name,
        .url = from->url,
        .region = from->region,
        .endpoint = from->endpoint,
        .path_style = from->path_style,
        .ca_file = from->ca_file,
        .access_key_id = from->access_key_id,
        .secret_access_key = from->secret_access_key,
        .credentials_file = from->credentials_file,
        .profile = from->profile,
        .allow_http = from->allow_http,
        .connect_timeout_ms = (uint32_t)(archive->settings->connect_timeout * 1000),
        .stall_timeout_ms = (uint32_t)(archive->settings->stall_timeout * 1000),
    };

    if (to->store != NULL)
        return;
    to->settings = from;
    err_clear(&to->open_err);
    if (store_open(archive->loop, &config, &to->store, &to->open_err) == 0)
        return;
    /* A directory that is not mounted may be there next time; it is not this host's own disk. */
    if (to->open_err.kind == ERR_LOCAL)
        to->open_err.kind = ERR_TRANSIENT;
    to->store = NULL;
}

static int
open_store(struct archive *archive, size_t i, struct err *err)
{
    const struct err *why = &archive->stores[i].open_err;

    archive->n_stores = i + 1;
    archive_reopen_store(archive, i);
    if (why->kind != ERR_CONFIG && why->kind != ERR_INTERNAL)
        return 0;
    *err = *why;
    return -1;
}

int
archive_open(const struct settings *settings, enum archive_purpose purpose,
             struct archive **ret_archive, struct err *err)
{
    return archive_open_on(NULL, settings, purpose, ret_archive, err);
}

int
archive_open_on(struct store_loop *loop, const struct settings *settings,
                enum archive_purpose purpose, struct archive **ret_archive, struct err *err)
{
    AUTO(archive) struct archive *archive = calloc(1, sizeof(*archive));

    if (archive == NULL)
        return err_memory(err, "archive");
    archive->settings = settings;
    archive->loop = loop;
    archive->loop_is_shared = loop != NULL;
    archive->acknowledge = (size_t)settings->acknowledge;
    set_format(archive);
    if (load_keys(archive, purpose, err) < 0 ||
        (loop == NULL && store_loop_new(&archive->loop, err) < 0))
        return -1;
    for (size_t i = 0; i < settings->n_stores; i++)
        if (open_store(archive, i, err) < 0)
            return -1;
    *ret_archive = TAKE_PTR(archive);
    return 0;
}

void
archive_close(struct archive *archive)
{
    if (archive == NULL)
        return;
    for (size_t i = 0; i < archive->n_stores; i++)
        store_close(archive->stores[i].store);
    if (!archive->loop_is_shared)
        store_loop_free(archive->loop);
    writer_key_done(&archive->writer);
    keyring_done(&archive->keyring);
    free(archive);
}

size_t
archive_absence_quorum(const struct archive *archive)
{
    return archive->n_stores - archive->acknowledge + 1;
}

const char *
archive_store_text(const struct archive *archive, size_t i, char *text, size_t size)
{
    const struct archive_store *at = &archive->stores[i];

    (void)snprintf(text, size, "store \"%s\" (%s)", at->settings->name,
                   at->store != NULL ? store_place(at->store) : at->settings->url);
    return text;
}

void
archive_notice_clocks(const struct archive *archive, struct notices *notices)
{
    for (size_t i = 0; i < archive->n_stores; i++) {
        const struct archive_store *at = &archive->stores[i];
        char ours[CLOCK_TEXT_SIZE];
        char theirs[CLOCK_TEXT_SIZE];
        int64_t ours_us = 0;
        int64_t theirs_us = 0;

        if (at->store == NULL || !store_clock_taken(at->store, &ours_us, &theirs_us))
            continue;
        notice(notices, LOG_WARNING,
               "the clocks of this machine (%s) and of store \"%s\" (%s) differ by %lld s: the "
               "store refused our requests until they had its time",
               clock_text(ours_us, ours), at->settings->name, clock_text(theirs_us, theirs),
               (long long)(ours_us < theirs_us ? theirs_us - ours_us : ours_us - theirs_us) /
                   1000000);
    }
}
