/* SPDX-License-Identifier: PostgreSQL */
/*
 * indextool.c: segment indexes, for tests.
 *
 *      indextool make SEGMENT INDEX       the index of a WAL file
 *      indextool show INDEX               what an index says, one element a line:
 *                                         a word for its kind, then name=value
 *      indextool sizes INDEX              the bytes of each section
 *      indextool seam FIRST... LAST INDEX the index of the record that goes from one segment into
 *                                         the next, or through several, and ends in the last
 *
 * Exit code 0; 2: there is no such record; 3: it does not end there; 1 with the reason on stderr.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "base/io.h"
#include "wal/wal_index_write.h"
#include "wal/wal_indexer.h"
#include "wal/wal_name.h"
#include "wal/wal_seam.h"

#define INPUT_MAX (2 * GIB)
#define PIECE (256 * KIB)
#define NO_RECORD 2
#define RECORD_GOES_ON 3

static int
read_file(const char *path, struct buf *ret, struct err *err)
{
    struct stat st;
    size_t got = 0;
    AUTO(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 0)
        return err_set(err, ERR_LOCAL, "could not open \"%s\"", path);
    if (buf_reserve(ret, (size_t)st.st_size + 1, err) != 0)
        return err_memory(err, path);
    if (io_read_full(fd, ret->data, (size_t)st.st_size, &got, path, err) != 0)
        return err_set(err, ERR_LOCAL, "could not read \"%s\"", path);
    ret->size = got;
    return 0;
}

static int
write_file(const char *path, const struct buf *bytes, struct err *err)
{
    AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return err_set(err, ERR_LOCAL, "could not create \"%s\"", path);
    return io_write_full(fd, bytes->data, bytes->size, path, err);
}

static int
make(const char *in, const char *out, struct err *err)
{
    AUTO(wal_indexer) struct wal_indexer *indexer = NULL;
    AUTO(buf) struct buf file = BUF_INIT(INPUT_MAX);
    AUTO(buf) struct buf index = BUF_INIT(WAL_INDEX_MAX);
    struct wal_damage damage;

    if (read_file(in, &file, err) < 0 || wal_indexer_new(&indexer, err) < 0)
        return -1;
    for (size_t at = 0; at < file.size; at += PIECE)
        wal_indexer_feed(indexer, file.data + at, MIN_OF(PIECE, file.size - at));
    if (wal_indexer_finish(indexer, &index, &damage, err) < 0)
        return -1;
    return write_file(out, &index, err);
}

static void
print_lsn(const char *name, uint64_t lsn)
{
    char text[WAL_LSN_TEXT_SIZE];

    (void)printf(" %s=%s", name, wal_lsn_text(lsn, text));
}

static void
print_relation(const char *name, const struct wal_relation *relation)
{
    (void)printf(" %s=%u/%u/%u", name, relation->tablespace, relation->database, relation->number);
}

static void
print_text(const char *name, struct span text)
{
    char hex[2 * 256 + 1];

    (void)printf(" %s=%s", name, hex_text(text.data, MIN_OF(text.size, (size_t)256), hex));
}

static int
show_summary(const struct wal_index *index, struct err *err)
{
    AUTO(ptr) struct wal_summary *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return err_memory(err, "summary");
    wal_index_summary(index, s);
    (void)printf("summary version=%d magic=%04X system_id=%" PRIu64 " page_size=%u records=%" PRIu64
                 " timelines=%u,%u switched=%d zero_end=%d damage=%d missing=%u",
                 s->version, index->magic, s->system_id, s->page_size, s->n_records,
                 s->timeline_first, s->timeline_last, s->switched, s->zero_end,
                 (int)s->damage.kind, index->missing);
    print_lsn("start", s->start_lsn);
    print_lsn("end", s->end_lsn);
    print_lsn("first", s->first_lsn);
    print_lsn("prev", s->first_prev_lsn);
    print_lsn("last", s->last_lsn);
    print_lsn("open", s->open_lsn);
    (void)printf(" head=%u tail=%u\n", s->head.size, s->tail.size);
    return 0;
}

static void
show_totals(const struct wal_index *index)
{
    const struct wal_index_totals *t = &index->totals;

    (void)printf("totals commits=%" PRIu64 " aborts=%" PRIu64 " inserted=%" PRIu64
                 " loaded=%" PRIu64 " updated=%" PRIu64 " deleted=%" PRIu64 " custom=%" PRIu64
                 " unread=%" PRIu64 " time_min=%" PRId64 " time_max=%" PRId64 " xids=%u-%u",
                 t->commits, t->aborts, t->inserted, t->loaded, t->updated, t->deleted, t->custom,
                 t->unread, t->time_min, t->time_max, t->xid_min, t->xid_max);
    print_lsn("first_commit", t->first_commit.lsn);
    print_lsn("last_commit", t->last_commit.lsn);
    (void)printf(" relations=%zu\n", index->n_relations);
}

static void
show_minutes(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_minute minute;

    wal_index_walk_minutes(index, &walk);
    while (wal_index_next_minute(&walk, &minute))
        (void)printf("minute minute=%" PRId64 " commits=%" PRIu64 "\n", minute.minute,
                     minute.commits);
}

static const char *const event_names[] = {
    [WAL_INDEX_RESTORE_POINT] = "restore_point",
    [WAL_INDEX_CHECKPOINT] = "checkpoint",
    [WAL_INDEX_REDO] = "redo",
    [WAL_INDEX_END_OF_RECOVERY] = "end_of_recovery",
    [WAL_INDEX_BACKUP_END] = "backup_end",
    [WAL_INDEX_PARAMETERS] = "parameters",
    [WAL_INDEX_FULL_PAGES] = "full_pages",
    [WAL_INDEX_OVERWRITTEN] = "overwritten",
    [WAL_INDEX_PREPARE] = "prepare",
    [WAL_INDEX_DATABASE_CREATE] = "database_create",
    [WAL_INDEX_DATABASE_DROP] = "database_drop",
    [WAL_INDEX_DATABASE_ROW] = "database_row",
    [WAL_INDEX_TABLESPACE_CREATE] = "tablespace_create",
    [WAL_INDEX_TABLESPACE_DROP] = "tablespace_drop",
    [WAL_INDEX_RELATION_MAP] = "relation_map",
};

static void
print_event(struct wal_index_event *event)
{
    uint32_t number;

    (void)printf("event kind=%s", event_names[event->kind]);
    print_lsn("lsn", event->lsn);
    (void)printf(" xid=%u time=%" PRId64 " database=%u tablespace=%u from=%u/%u level=%d on=%d",
                 event->xid, event->time, event->database, event->tablespace,
                 event->from_tablespace, event->from_database, event->wal_level, event->on);
    print_lsn("other", event->other_lsn);
    print_lsn("redo", event->checkpoint.redo);
    (void)printf(" shutdown=%d next_xid=%" PRIu64 " timelines=%u,%u max_connections=%u",
                 event->checkpoint.shutdown, event->checkpoint.next_xid,
                 event->checkpoint.prev_timeline, event->checkpoint.timeline,
                 event->parameters.max_connections);
    (void)printf(" row=%d:%u:%u:%u", (int)event->row.kind, event->row.number, event->row.block,
                 event->row.offset);
    print_text("text", event->text);
    (void)printf(" list=");
    while (wal_index_list_u32(&event->list, &number))
        (void)printf("%u,", number);
    (void)printf("\n");
}

static void
print_end(const struct wal_index *index, struct wal_index_end *end)
{
    uint32_t xid;
    struct wal_relation relation;
    struct wal_dropped_stats stats;

    (void)printf("end commit=%d prepared=%d cut=%d xid=%u database=%u time=%" PRId64, end->commit,
                 end->prepared, end->cut, end->xid, end->database, end->time);
    print_lsn("lsn", end->lsn);
    (void)printf(" subxids=");
    while (wal_index_list_u32(&end->subxids, &xid))
        (void)printf("%u,", xid);
    (void)printf(" relations=");
    while (wal_index_list_relation(index, &end->relations, &relation))
        (void)printf("%u/%u/%u,", relation.tablespace, relation.database, relation.number);
    (void)printf(" stats=");
    while (wal_index_list_stats(&end->stats, &stats))
        (void)printf("%u:%u:%" PRIu64 ",", stats.kind, stats.database, stats.object);
    (void)printf("\n");
}

static void
print_objects(const char *name, struct wal_index_list *list)
{
    struct wal_index_object object;

    (void)printf(" %s=", name);
    while (wal_index_list_object(list, &object))
        (void)printf("%u:%u,", object.database, object.oid);
}

static void
print_storage(const struct wal_index *index, const char *name, struct wal_index_list *list)
{
    struct wal_index_storage storage;

    (void)printf(" %s=", name);
    while (wal_index_list_storage(index, list, &storage))
        (void)printf("%u/%u/%u:%u:%u,", storage.relation.tablespace, storage.relation.database,
                     storage.relation.number, storage.fork, storage.block);
}

static void
print_work(const struct wal_index *index, struct wal_index_work *work)
{
    struct wal_index_rows rows;

    (void)printf("work xid=%u top=%u", work->xid, work->top_xid);
    print_lsn("first", work->first_lsn);
    print_lsn("last", work->last_lsn);
    (void)printf(" rows=");
    while (wal_index_list_rows(index, &work->rows, &rows))
        (void)printf("%u/%u/%u:i%" PRIu64 ":l%" PRIu64 ":u%" PRIu64 ":d%" PRIu64 ":m%" PRIu64
                     ":p%" PRIu64 ",",
                     rows.relation.tablespace, rows.relation.database, rows.relation.number,
                     rows.inserted, rows.loaded, rows.updated, rows.deleted, rows.moved,
                     rows.pages);
    print_storage(index, "creates", &work->creates);
    print_storage(index, "truncates", &work->truncates);
    print_objects("locks", &work->locks);
    print_objects("emptied", &work->emptied);
    (void)printf("\n");
}

static void
show_forks(const struct wal_index *index)
{
    struct wal_index_walk walk;
    struct wal_index_fork fork;
    struct wal_index_range range;

    wal_index_walk_forks(index, &walk);
    while (wal_index_next_fork(&walk, &fork)) {
        (void)printf("fork");
        print_relation("relation", &fork.relation);
        (void)printf(" fork=%u limit=%" PRId64 " blocks=", fork.fork,
                     fork.limit == WAL_INDEX_NO_LIMIT ? (int64_t)-1 : (int64_t)fork.limit);
        while (wal_index_next_range(&fork.ranges, &range))
            (void)printf("%u+%u,", range.block, range.n);
        (void)printf("\n");
    }
}

static int
open_index(const char *path, struct buf *bytes, struct wal_index *ret, struct err *err)
{
    if (read_file(path, bytes, err) < 0)
        return -1;
    return wal_index_open(WAL_INDEX_VERSION, bytes->data, bytes->size, ret, err);
}

static int
show(const char *path, struct err *err)
{
    AUTO(buf) struct buf bytes = BUF_INIT(INPUT_MAX);
    AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;
    struct wal_index_walk walk;
    struct wal_index_event event;
    struct wal_index_end end;
    struct wal_index_work work;

    if (open_index(path, &bytes, &index, err) < 0 || show_summary(&index, err) < 0)
        return -1;
    show_totals(&index);
    show_minutes(&index);
    wal_index_walk_events(&index, &walk);
    while (wal_index_next_event(&walk, &event))
        print_event(&event);
    wal_index_walk_ends(&index, &walk);
    while (wal_index_next_end(&walk, &end))
        print_end(&index, &end);
    wal_index_walk_work(&index, &walk);
    while (wal_index_next_work(&walk, &work))
        print_work(&index, &work);
    show_forks(&index);
    return 0;
}

static int
sizes(const char *path, struct err *err)
{
    AUTO(buf) struct buf bytes = BUF_INIT(INPUT_MAX);
    AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;

    if (open_index(path, &bytes, &index, err) < 0)
        return -1;
    (void)printf("all %zu\nedges %zu\nminutes %zu\nevents %zu\nends %zu\nwork %zu\ncommitted %zu\n"
                 "aborted %zu\nblocks %zu\nrelations %zu\n",
                 bytes.size, index.edges.size, index.minutes.size, index.events.size,
                 index.ends.size, index.work.size, index.committed.size, index.aborted.size,
                 index.blocks.size, index.n_relations);
    return 0;
}

/* Everything for a seam; large, so on the heap. */
struct border {
    struct wal_summary summary;
    struct wal_seam seam;
    struct wal_record record;
};

/* One segment more in the chain. An outcome of wal_seam_next() or -1. */
static int
seam_step(struct border *border, const char *path, bool first, struct err *err)
{
    AUTO(buf) struct buf bytes = BUF_INIT(INPUT_MAX);
    AUTO(wal_index) struct wal_index index = WAL_INDEX_INIT;
    const char *why = "";

    if (open_index(path, &bytes, &index, err) < 0)
        return -1;
    wal_index_summary(&index, &border->summary);
    if (first) {
        wal_seam_begin(&border->seam, &border->summary);
        return WAL_SEAM_NONE;
    }
    int rc = wal_seam_next(&border->seam, &border->summary, &border->record, &why);
    return rc == WAL_SEAM_BROKEN ? err_set(err, ERR_CORRUPT, "%s: %s", path, why) : rc;
}

static int
seam(const char *const *paths, int n, const char *out, struct err *err)
{
    AUTO(buf) struct buf joined = BUF_INIT(WAL_INDEX_MAX);
    AUTO(ptr) struct border *border = calloc(1, sizeof(*border));
    int rc = WAL_SEAM_NONE;

    if (border == NULL)
        return err_memory(err, "seam");
    for (int i = 0; i < n; i++) {
        rc = seam_step(border, paths[i], i == 0, err);
        if (rc < 0)
            return -1;
    }
    if (rc != 0)
        return rc == WAL_SEAM_OPEN ? RECORD_GOES_ON : NO_RECORD;
    if (wal_index_of_record(&border->record, &joined, err) < 0)
        return -1;
    return write_file(out, &joined, err);
}

static int
run(int argc, const char *const *argv, struct err *err)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0)
        return make(argv[2], argv[3], err);
    if (argc == 3 && strcmp(argv[1], "show") == 0)
        return show(argv[2], err);
    if (argc == 3 && strcmp(argv[1], "sizes") == 0)
        return sizes(argv[2], err);
    if (argc >= 5 && strcmp(argv[1], "seam") == 0)
        return seam(argv + 2, argc - 3, argv[argc - 1], err);
    return err_set(err, ERR_CONFIG, "usage: indextool make|show|sizes|seam ...");
}

int
main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    int rc = run(argc, (const char *const *)argv, &err);

    if (rc < 0)
        (void)fprintf(stderr, "indextool: %s: %s\n", err_kind_name(err.kind), err.text);
    return rc < 0 ? 1 : rc;
}
