/* SPDX-License-Identifier: PostgreSQL */
/*
 * plan.h: from which backup, along which timelines, with which WAL - and is all of it there?
 *
 * Made from the stores before anything is written anywhere. A plan that exists can be carried out;
 * what cannot is an error that says what is missing where, which is the last healthy segment, and
 * up to which LSN a recovery would be safe.
 */
#ifndef RESTORE_PLAN_H
#define RESTORE_PLAN_H

#include "base/json.h"
#include "catalog/archive.h"
#include "catalog/backup_complete.h"
#include "restore/target.h"
#include "wal/wal_history.h"

#define PLAN_TIMELINES_MAX (WAL_HISTORY_ENTRIES_MAX + 1)
#define PLAN_STORE_NAME_SIZE 33
#define PLAN_CLUSTER_SIZE 65
#define PLAN_EVENT_SIZE 720
#define PLAN_FILE_MAX (256 * KIB)

/* A stretch of the path: WAL of this timeline from begin_lsn (included) to end_lsn (excluded). */
struct plan_stretch {
    uint32_t timeline;
    uint64_t begin_lsn; /* 0: of the first timeline of a path */
    uint64_t end_lsn;   /* UINT64_MAX: open */
};

/* Where recovery can go at most. */
enum plan_safe {
    PLAN_SAFE_NOTHING = 0, /* not even the backup becomes consistent */
    PLAN_SAFE_BACKUP_END,
    PLAN_SAFE_LSN,
};

/*
 * Up to where WAL is whole from the backup on. Of one store: by its listing, and by those of its
 * copies that were read. `last` is "" if not even the first segment is healthy.
 */
struct plan_health {
    bool known;
    bool whole;           /* up to the target: nothing else needs to be safe */
    struct wal_name last; /* the last healthy segment; whole: the last needed one */
    enum plan_safe safe;  /* unless whole: the latest safe target */
    uint64_t safe_lsn;    /* of PLAN_SAFE_LSN */
};

#define PLAN_HEALTH_TEXT_SIZE 40

/* What one store has of it. */
struct plan_store {
    char name[PLAN_STORE_NAME_SIZE];
    bool asked;          /* false: it was away, nothing is known */
    bool has_backup;     /* the backup is complete there */
    uint64_t n_segments; /* of the needed ones */
    struct plan_health health;
};

/* Whence a rate is known. */
enum plan_rate {
    PLAN_RATE_UNKNOWN = 0,
    PLAN_RATE_ASSUMED,
    PLAN_RATE_CONFIGURED,
    PLAN_RATE_SEGMENT, /* measured with one segment */
    PLAN_RATE_INDEXES, /* measured when all indexes were read */
};

/* What the archive has and recovery leaves behind. Times are microseconds since 1970, 0: none. */
struct plan_loss {
    uint64_t commits; /* behind the target */
    bool more;        /* there may be more: not all WAL behind it could be read */
    int64_t kept_us;  /* the last commit that is kept */
    int64_t last_us;  /* the last one that is not */
};

struct plan {
    struct recovery_target target;
    char event[PLAN_EVENT_SIZE]; /* of TARGET_BEFORE: what it is that is undone */
    char cluster[PLAN_CLUSTER_SIZE];
    uint64_t system_id;
    char label[BACKUP_LABEL_SIZE];
    uint64_t backup_start_lsn;
    uint64_t backup_stop_lsn;
    uint32_t backup_timeline;
    int64_t backup_start_time; /* seconds since 1970 */
    int64_t backup_stop_time;
    uint32_t segment_size;
    uint32_t timeline; /* the one to follow: recovery_target_timeline, always as a number */
    /* Oldest first, from the backup's timeline to `timeline`; no stretch is empty. */
    struct plan_stretch path[PLAN_TIMELINES_MAX];
    size_t n_path;
    struct wal_name first_wal; /* needed: from here ... */
    struct wal_name last_wal;  /* ... to here, all archived and healthy */
    uint64_t n_segments;
    /*
     * The segment behind last_wal is missing although later ones are archived. seawall-fetch
     * answers 203 for it, so the server must not read ahead: recovery_prefetch = off (from 15 on).
     */
    bool gap_behind;
    uint64_t backup_bytes; /* restored size */
    uint64_t fetch_bytes;  /* stored size of backup and WAL, without the headers of objects */
    uint64_t fetch_rate;   /* bytes a second; 0: not measured */
    enum plan_rate fetch_source;
    char fetch_store[PLAN_STORE_NAME_SIZE]; /* "": several */
    int64_t fetch_s;       /* seconds, at that rate */
    uint64_t replay_rate;  /* bytes of WAL a second */
    enum plan_rate replay_source;
    int64_t replay_s;
    uint64_t n_requests;   /* what planning itself has read of WAL */
    uint64_t read_bytes;
    struct plan_loss loss;
    int64_t rpo_s;         /* the objectives of the configuration */
    int64_t rto_s;
    /*
     * Recovery along this path can go to any point from the end of the oldest backup whose WAL
     * leads here without a gap, as listings tell, to the end of the last segment before the first
     * gap.
     */
    uint64_t window_begin_lsn;
    uint64_t window_end_lsn;
    int64_t window_begin_time; /* when that backup ended */
    int64_t window_end_time; /* when last_wal was archived: no commit in it is later */
    struct plan_store stores[SETTINGS_STORES_MAX];
    size_t n_stores;
    bool refused;              /* no plan: WAL is not whole, `health` says how far it is */
    struct plan_health health; /* of all stores together */
};

struct plan_request {
    struct recovery_target target;
    uint64_t system_id; /* 0: the only one in the archive, or an error that lists them */
    const char *label;  /* insist on this backup; NULL: the newest complete one before the target */
    bool deep;          /* read and decode every segment and part, not only the seals */
    int64_t deadline_ms;
};

/*
 * Needs an archive opened for reading. 0 or -1: ERR_CONFIG (no such backup or timeline, target
 * outside the window: the text gives the window), ERR_CONFLICT (a gap, a missing history file,
 * stores disagree), ERR_CORRUPT (a segment that verifies in no store), ERR_TRANSIENT (a store that
 * is needed could not be asked). ret_complete is the chosen backup's. With -1 ret_plan is left
 * alone unless WAL is missing or damaged: then `refused`, `health`, `label` and `stores` are
 * filled.
 */
int plan_make(struct archive *archive, const struct plan_request *request, struct notices *notices,
              struct plan *ret_plan, struct backup_complete *ret_complete,
              struct err *err) MUST_USE;

/* One screen for a person, on stdout. */
void plan_print(const struct archive *archive, const struct plan *plan);

/* "--lsn 0/7002D8", "--backup-end" or "nothing": the latest safe target. Returns text. */
const char *plan_health_text(const struct plan_health *health, char *text, size_t size);

/* Of a refused one what is known, as members of the open object. */
void plan_json_refused(const struct plan *plan, const struct err *err, struct json *json);

/* As members of the open object, for --json and --output. */
void plan_json(const struct plan *plan, struct json *json);

/* Into a new file, 0600. 0 or -1 (ERR_LOCAL; ERR_CONFIG: there is something of that name). */
int plan_write(const struct plan *plan, const char *file, struct err *err) MUST_USE;

/* Back from the text of such a file, strictly. 0, or -1: ERR_CORRUPT, ERR_CONFIG (a newer version),
 * ERR_INTERNAL. */
int plan_parse(const void *bytes, size_t size, struct plan *ret_plan, struct err *err) MUST_USE;

/* Back from a file that plan_write() made, strictly. 0, or -1: ERR_LOCAL, ERR_CORRUPT, or
 * ERR_CONFIG (a newer version). */
int plan_read(const char *file, struct plan *ret_plan, struct err *err) MUST_USE;

#endif
