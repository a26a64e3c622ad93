/* SPDX-License-Identifier: PostgreSQL */
/*
 * verify_parts.h: between the files of seawall verify. Private to them.
 */
#ifndef RESTORE_VERIFY_PARTS_H
#define RESTORE_VERIFY_PARTS_H

#include "base/progress.h"
#include "restore/muster.h"
#include "restore/survey.h"
#include "restore/verify.h"

#define VERIFY_REASON_SIZE ERR_TEXT_SIZE

/* A verification while it goes on, of one server. */
struct verify_work {
    struct archive *archive;
    const struct verify_request *request;
    struct notices *notices;
    struct verify_totals *totals;
    struct survey survey;
    struct progress progress;
    size_t store;           /* the one being read */
    unsigned failures;      /* in a row */
    uint64_t expected;      /* stored bytes of everything, as listings and backups say */
    uint64_t done;          /* of them */
};

/* What is kept of the objects of one backup in one store. */
struct verify_backup {
    const char *label;
    const struct backup_complete *complete; /* whole; NULL: not complete there, or not readable */
    uint8_t (*part_digests)[DIGEST_SIZE];   /* n_parts, with the next */
    uint32_t *part_sizes;                   /* 0: not seen or not good */
    uint32_t n_manifests_good;
};

/* ---- verify_report part of verify.c ---- */

/* Count a finding and hand it on. */
void verify_found(struct verify_work *work, enum verify_kind kind, const char *name,
                  const char *why);

/* ---- verify_agree.c ---- */

#define VERIFY_COPIES 1000

/* An object of the current store, to be held against another store's of that name. */
struct verify_copy {
    struct seal seal;
    uint8_t digest[DIGEST_SIZE]; /* of the file; decoded */
    bool decoded;
    bool unknown; /* the seals do not tell: the content of store `other` must */
    size_t other;
};

/* Some of them; all zero in the beginning. */
struct verify_copies {
    struct verify_copy *items; /* VERIFY_COPIES, or NULL */
    size_t n;
};

/* Keep a copy whose seal is good; digest: of its file, or NULL. 0 or -1 (ERR_INTERNAL). */
int verify_copies_note(struct verify_copies *copies, const struct seal *seal,
                       const uint8_t *digest, struct err *err) MUST_USE;

/*
 * Compare each with the first good one in the stores before the current one, by the rule of
 * seal_compare(), and forget them. Files have at most max_file bytes. 0 or -1.
 */
int verify_copies_compare(struct verify_copies *copies, struct verify_work *work,
                          uint64_t max_file, struct err *err) MUST_USE;
void verify_copies_done(struct verify_copies *copies);

/* ---- verify_object.c ---- */

/* Names to be verified in the current store. */
struct verify_walk {
    struct verify_work *work;
    struct verify_backup *backup; /* NULL: WAL and histories */
    bool names;                   /* name maps */
    char prefix[OBJECT_NAME_SIZE];
    uint64_t max_file;            /* of one file */
    struct store_task *page;      /* the names at hand */
    size_t at;
    struct verify_copies copies;
    size_t n_asked; /* since copies were compared last */
    char after[OBJECT_NAME_SIZE * 3];
};

/* Verify everything below the walk's prefix. 0 or -1. */
int verify_walk_run(struct verify_walk *walk, struct err *err) MUST_USE;
void verify_walk_done(struct verify_walk *walk);

DEFINE_CLEANUP(verify_walk, struct verify_walk, verify_walk_done);

/* ---- verify_missing.c ---- */

/* Objects that the current store should have, and in its listings had not. */
struct verify_wanted {
    struct verify_work *work;
    /* The name of the next one. 0, MUSTER_END, or -1. */
    int (*next)(void *context, char *ret_name, struct err *err);
    void *context;
    const char *why; /* what a finding says of one that is truly not there */
};

/* Ask for each: it may have come meanwhile; what has not is found. 0 or -1. */
int verify_wanted_run(struct verify_wanted *wanted, struct err *err) MUST_USE;

/* What other stores have of WAL and histories, and the current one has not. 0 or -1. */
int verify_missing_wal(struct verify_work *work, struct err *err) MUST_USE;

/* ---- verify_backup.c ---- */

/* The backups in the current store. 0 or -1. */
int verify_backups(struct verify_work *work, struct err *err) MUST_USE;

#endif
