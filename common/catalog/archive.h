/* SPDX-License-Identifier: PostgreSQL */
/*
 * archive.h: the archive as it is configured: its stores, how many must acknowledge,
 * its keys and its format. What every program opens first.
 *
 * A store that cannot be opened for a reason that may pass (a directory that is not mounted)
 * does not stop the others: it counts as a store that fails every request.
 */
#ifndef CATALOG_ARCHIVE_H
#define CATALOG_ARCHIVE_H

#include "base/cleanup.h"
#include "base/log.h"
#include "catalog/object_name.h"
#include "codec/object.h"
#include "config/settings.h"
#include "store/store.h"

enum archive_purpose {
    ARCHIVE_WRITE, /* needs the writer key; identities are loaded if they are there */
    ARCHIVE_READ,  /* needs public writer keys, and identities if the archive is encrypted */
    ARCHIVE_LOOK,  /* needs public writer keys only: seals are verified, nothing is decrypted */
};

struct archive_store {
    const struct settings_store *settings;
    struct store *store;  /* NULL: could not be opened, and open_err says why */
    struct err open_err;
    int64_t told_ms; /* when it was last said that it is away and waited for; 0: never */
};

struct archive {
    const struct settings *settings; /* borrowed */
    struct store_loop *loop;
    bool loop_is_shared; /* somebody else's */
    struct archive_store stores[SETTINGS_STORES_MAX];
    size_t n_stores;
    size_t acknowledge;
    struct keyring keyring;
    struct writer_key writer; /* ARCHIVE_WRITE */
    struct age_recipient recipients[KEYS_MAX];
    struct object_format format;
};

/*
 * Open everything. `settings` must outlive the archive. 0 or -1 (ERR_CONFIG: keys, URLs;
 * ERR_INTERNAL). Connections are made later.
 */
int archive_open(const struct settings *settings, enum archive_purpose purpose,
                 struct archive **ret_archive, struct err *err) MUST_USE;

/* The same on a loop that others use too and that outlives the archive. */
int archive_open_on(struct store_loop *loop, const struct settings *settings,
                    enum archive_purpose purpose, struct archive **ret_archive,
                    struct err *err) MUST_USE;

/* Wipes keys, closes stores. NULL is fine. */
void archive_close(struct archive *archive);

/*
 * Try again to open a store that could not be opened; nothing happens to an open one. The
 * store's open_err tells how it went.
 */
void archive_reopen_store(struct archive *archive, size_t i);

/*
 * How many stores must prove an absence before it is one: N - K + 1, so that at least one of
 * them would have acknowledged the object if it had ever been archived.
 */
size_t archive_absence_quorum(const struct archive *archive);

/* Store `i` by name and place, for messages: `store "paris" (s3://bucket/root)`. */
const char *archive_store_text(const struct archive *archive, size_t i, char *text, size_t size);

/* A warning for each store that has refused our clock since this was called last. */
void archive_notice_clocks(const struct archive *archive, struct notices *notices);

DEFINE_POINTER_CLEANUP(archive, struct archive, archive_close);

#endif
