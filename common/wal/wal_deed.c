/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_deed.h"

#include <stdlib.h>

#define PG_CLASS 1259
#define PG_TYPE 1247
#define PG_NAMESPACE 2615
#define STATS_RELATION 2

/* ---- what pg_class is called ---- */

uint32_t
wal_classes_number(const struct wal_classes *classes, uint32_t database)
{
    for (size_t i = 0; i < classes->n; i++)
        if (classes->items[i].database == database)
            return classes->items[i].number;
    return PG_CLASS;
}

/* The database's place, made if it has none. NULL: memory is out. */
static struct wal_class_file *
place_of(struct wal_classes *classes, uint32_t database)
{
    for (size_t i = 0; i < classes->n; i++)
        if (classes->items[i].database == database)
            return &classes->items[i];
    struct wal_class_file *more =
        reallocarray(classes->items, classes->n + 1, sizeof(*classes->items));
    if (more == NULL)
        return NULL;
    classes->items = more;
    more[classes->n].database = database;
    return &more[classes->n++];
}

int
wal_classes_note(struct wal_classes *classes, const struct wal_index_event *event, struct err *err)
{
    struct wal_index_list list = event->list;
    uint32_t catalog = 0;
    uint32_t number = 0;

    while (wal_index_list_u32(&list, &catalog) && wal_index_list_u32(&list, &number)) {
        if (catalog != PG_CLASS)
            continue;
        struct wal_class_file *place = place_of(classes, event->database);
        if (place == NULL)
            return err_memory(err, "events");
        place->number = number;
    }
    return 0;
}

void
wal_classes_done(struct wal_classes *classes)
{
    free(classes->items);
    *classes = (struct wal_classes){.items = NULL};
}

/* ---- a transaction's deed ---- */

static void
count_catalogs(const struct wal_classes *classes, struct wal_deed *deed)
{
    for (size_t i = 0; i < deed->work.n_rows; i++) {
        const struct wal_index_rows *rows = &deed->work.rows[i];
        uint32_t number = rows->relation.number;

        if (number == wal_classes_number(classes, rows->relation.database)) {
            deed->class_deleted += (int64_t)(rows->deleted - rows->inserted - rows->loaded);
            deed->class_touched |= rows->deleted + rows->inserted + rows->loaded > 0;
        } else if (number == PG_TYPE) {
            deed->type_deleted += rows->deleted;
        } else if (number == PG_NAMESPACE) {
            deed->schema_deleted += rows->deleted;
        }
    }
}

static int
take_dropped(struct wal_deed *deed, const struct wal_index *index, struct err *err)
{
    struct wal_index_list list = deed->end->relations;
    struct wal_relation relation;

    if (list.n == 0)
        return 0;
    deed->dropped = calloc(list.n, sizeof(*deed->dropped));
    if (deed->dropped == NULL)
        return err_memory(err, "events");
    while (wal_index_list_relation(index, &list, &relation))
        if (!wal_work_created(&deed->work, &relation))
            deed->dropped[deed->n_dropped++] = relation;
    return 0;
}

static int
take_objects(struct wal_deed *deed, struct err *err)
{
    struct wal_index_list list = deed->end->stats;
    struct wal_dropped_stats stats;

    if (list.n == 0)
        return 0;
    deed->objects = calloc(list.n, sizeof(*deed->objects));
    if (deed->objects == NULL)
        return err_memory(err, "events");
    while (wal_index_list_stats(&list, &stats))
        if (stats.kind == STATS_RELATION)
            deed->objects[deed->n_objects++] =
                (struct wal_index_object){stats.database, (uint32_t)stats.object};
    return 0;
}

int
wal_deed_take(struct wal_deed *deed, const struct wal_deed_source *source,
              const struct wal_index_end *end, struct err *err)
{
    struct wal_index_list list = end->subxids;
    uint32_t xid = 0;

    deed->end = end;
    if (wal_works_fold(source->works, &deed->work, end->xid, err) < 0)
        return -1;
    while (wal_index_list_u32(&list, &xid))
        if (wal_works_fold(source->works, &deed->work, xid, err) < 0)
            return -1;
    wal_work_settle(&deed->work);
    if (take_dropped(deed, source->index, err) < 0 || take_objects(deed, err) < 0)
        return -1;
    count_catalogs(source->classes, deed);
    deed->new_files = deed->work.n_created > 0;
    for (size_t i = 0; i < deed->work.n_created && !deed->new_content; i++) {
        const struct wal_index_rows *rows = wal_work_rows(&deed->work, &deed->work.created[i]);

        deed->new_content = rows != NULL && rows->inserted + rows->loaded + rows->pages > 0;
    }
    return 0;
}

void
wal_deed_done(struct wal_deed *deed)
{
    wal_work_done(&deed->work);
    free(deed->dropped);
    free(deed->objects);
}
