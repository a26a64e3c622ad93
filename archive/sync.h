/* SPDX-License-Identifier: PostgreSQL */
/*
 * sync.h: seawall sync: what one store lacks and another has is copied, as it is.
 *
 * All stores are listed at the same time and their names walked together, in order, so memory does
 * not grow with the archive. Everything below the cluster's name belongs to it, kinds of objects
 * that this version does not know included: the seal decides. No identity is needed.
 *
 * Nothing is replaced or removed. A copy that does not verify is not spread; it is named, and so is
 * a name under which two stores have different content. The completion of a backup is copied after
 * everything else, into stores that hold all other objects of the backup; objects of a backup that
 * is complete nowhere are left alone. An interrupted run is continued by the next.
 */
#ifndef ARCHIVE_SYNC_H
#define ARCHIVE_SYNC_H

#include "catalog/archive.h"

enum sync_kind {
    SYNC_DAMAGED,  /* this copy does not verify */
    SYNC_CONFLICT, /* this copy has other content than another store's */
    SYNC_FOREIGN,  /* this copy is signed by nobody we know */
    SYNC_UNHEALED, /* no store has what this one lacks in a state to be spread */
    SYNC_FAILED,   /* a request failed; the next run tries again */
};

#define SYNC_KINDS 5

/* "damaged", "conflict", ... */
const char *sync_kind_name(enum sync_kind kind);

/* Of one store. */
struct sync_totals {
    bool away;             /* it could not be listed to the end, or was given up */
    uint64_t n_objects;    /* listed */
    uint64_t n_others;     /* names that are none of Seawall's; left alone */
    uint64_t n_lacking;    /* another store has them */
    uint64_t n_copied;     /* into it */
    uint64_t copied_bytes;
    uint64_t n_found[SYNC_KINDS];
};

/* WAL before this is passed over, and all but WAL and history files. */
struct sync_since {
    bool given;
    bool by_name;  /* log and seg are known; else lsn */
    uint32_t log;
    uint32_t seg;
    uint64_t lsn;
};

/* An LSN or the name of a segment. False if it is neither. */
bool sync_since_parse(const char *text, struct sync_since *ret);

struct sync_request {
    uint32_t targets; /* bit i: store i may be written to */
    bool deep;        /* compare content also where sizes agree */
    bool dry_run;     /* write nothing */
    struct sync_since since;
    int64_t deadline_ms;
    /* Something a person must know of `name` in this store. */
    void (*finding)(void *context, enum sync_kind kind, const char *store, const char *name,
                    const char *why);
    /* It was copied; in a dry run it would be. */
    void (*copied)(void *context, const char *from, const char *to, const char *name,
                   uint64_t size);
    void *context;
};

/*
 * 0: the stores that may be written to hold everything any store holds (in a dry run: nothing but
 * missing objects was found). -1: ERR_CORRUPT (damaged copies), ERR_CONFLICT (conflicts, copies of
 * unknown writers, objects of which there is no good copy), a store's error, or ERR_TRANSIENT.
 * ret_totals[archive->n_stores] and *ret_incomplete (backups that are complete nowhere) are filled
 * in any case.
 */
int sync_archive(struct archive *archive, const struct sync_request *request,
                 struct notices *notices, struct sync_totals *ret_totals,
                 uint64_t *ret_incomplete, struct err *err) MUST_USE;

#endif
