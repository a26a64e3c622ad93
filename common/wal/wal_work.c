/* SPDX-License-Identifier: PostgreSQL */
#include "wal/wal_work.h"

#include <stdlib.h>
#include <string.h>

#define FORK_MAIN 0

static int
compare_u32(uint32_t left, uint32_t right)
{
    return (left > right) - (left < right);
}

int
wal_relation_compare(const struct wal_relation *left, const struct wal_relation *right)
{
    int order = compare_u32(left->tablespace, right->tablespace);

    if (order == 0)
        order = compare_u32(left->database, right->database);
    return order != 0 ? order : compare_u32(left->number, right->number);
}

static int
compare_created(const void *left, const void *right)
{
    return wal_relation_compare(left, right);
}

static int
compare_objects(const void *left, const void *right)
{
    const struct wal_index_object *a = left;
    const struct wal_index_object *b = right;
    int order = compare_u32(a->database, b->database);

    return order != 0 ? order : compare_u32(a->oid, b->oid);
}

/* Where rows of this relation stand, or should stand. */
static size_t
rows_place(const struct wal_work *work, const struct wal_relation *relation)
{
    size_t low = 0;
    size_t high = work->n_rows;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (wal_relation_compare(&work->rows[middle].relation, relation) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct wal_index_rows *
wal_work_rows(const struct wal_work *work, const struct wal_relation *relation)
{
    size_t at = rows_place(work, relation);

    return at < work->n_rows && wal_relation_compare(&work->rows[at].relation, relation) == 0
               ? &work->rows[at]
               : NULL;
}

bool
wal_work_created(const struct wal_work *work, const struct wal_relation *relation)
{
    return work->n_created > 0 && bsearch(relation, work->created, work->n_created,
                                          sizeof(*relation), compare_created) != NULL;
}

static void
settle_objects(struct wal_index_object *items, size_t *n)
{
    size_t kept = 0;

    if (*n == 0)
        return;
    qsort(items, *n, sizeof(*items), compare_objects);
    for (size_t i = 0; i < *n; i++)
        if (i == 0 || compare_objects(&items[kept - 1], &items[i]) != 0)
            items[kept++] = items[i];
    *n = kept;
}

void
wal_work_settle(struct wal_work *work)
{
    if (work->n_created > 0)
        qsort(work->created, work->n_created, sizeof(*work->created), compare_created);
    settle_objects(work->locked, &work->n_locked);
    settle_objects(work->emptied, &work->n_emptied);
}

void
wal_work_done(struct wal_work *work)
{
    free(work->rows);
    free(work->created);
    free(work->locked);
    free(work->emptied);
    *work = (struct wal_work){.xid = 0};
}

/* ---- growing ---- */

/* Room for one more in an array of a work. 0, 1 (the ceiling of all is reached) or -1. */
static int
grow(struct wal_works *works, void **items, size_t n, size_t *capacity, size_t size,
     struct err *err)
{
    if (works->n_elements >= works->elements_max) {
        works->incomplete = true;
        return 1;
    }
    if (n == *capacity) {
        size_t wanted = MAX_OF(*capacity * 2, (size_t)8);
        void *more = reallocarray(*items, wanted, size);

        if (more == NULL)
            return err_memory(err, "events");
        *items = more;
        *capacity = wanted;
    }
    works->n_elements++;
    return 0;
}

static int
add_rows(struct wal_works *works, struct wal_work *work, const struct wal_index_rows *rows,
         struct err *err)
{
    size_t at = rows_place(work, &rows->relation);
    struct wal_index_rows *have = work->rows == NULL ? NULL : &work->rows[at];

    if (at < work->n_rows && wal_relation_compare(&have->relation, &rows->relation) == 0) {
        have->inserted += rows->inserted;
        have->loaded += rows->loaded;
        have->updated += rows->updated;
        have->deleted += rows->deleted;
        have->moved += rows->moved;
        have->pages += rows->pages;
        return 0;
    }
    int rc = grow(works, (void **)&work->rows, work->n_rows, &work->rows_capacity,
                  sizeof(*work->rows), err);
    if (rc != 0)
        return rc < 0 ? -1 : 0;
    memmove(&work->rows[at + 1], &work->rows[at], (work->n_rows - at) * sizeof(*work->rows));
    work->rows[at] = *rows;
    work->n_rows++;
    return 0;
}

static int
add_created(struct wal_works *works, struct wal_work *work, const struct wal_relation *relation,
            struct err *err)
{
    int rc = grow(works, (void **)&work->created, work->n_created, &work->created_capacity,
                  sizeof(*work->created), err);

    if (rc == 0)
        work->created[work->n_created++] = *relation;
    return rc < 0 ? -1 : 0;
}

static int
add_object(struct wal_works *works, struct wal_index_object **items, size_t *n, size_t *capacity,
           const struct wal_index_object *object, struct err *err)
{
    int rc = grow(works, (void **)items, *n, capacity, sizeof(**items), err);
    if (rc == 0)
        (*items)[(*n)++] = *object;
    return rc < 0 ? -1 : 0;
}

static int
add_lists(struct wal_works *works, struct wal_work *into, const struct wal_index *index,
          const struct wal_index_work *work, struct err *err)
{
    struct wal_index_list list = work->rows;
    struct wal_index_rows rows;
    struct wal_index_storage storage;
    struct wal_index_object object;

    while (wal_index_list_rows(index, &list, &rows))
        if (add_rows(works, into, &rows, err) < 0)
            return -1;
    list = work->creates;
    while (wal_index_list_storage(index, &list, &storage))
        if (storage.fork == FORK_MAIN && add_created(works, into, &storage.relation, err) < 0)
            return -1;
    list = work->locks;
    while (wal_index_list_object(&list, &object))
        if (add_object(works, &into->locked, &into->n_locked, &into->locked_capacity, &object,
                       err) < 0)
            return -1;
    list = work->emptied;
    while (wal_index_list_object(&list, &object))
        if (add_object(works, &into->emptied, &into->n_emptied, &into->emptied_capacity, &object,
                       err) < 0)
            return -1;
    return 0;
}

/* ---- the table ---- */

/* Where this xid stands, or should stand. */
static size_t
place_of(const struct wal_works *works, uint32_t xid)
{
    size_t low = 0;
    size_t high = works->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (works->items[middle]->xid < xid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct wal_work *
wal_works_find(const struct wal_works *works, uint32_t xid)
{
    size_t at = place_of(works, xid);

    return at < works->n && works->items[at]->xid == xid ? works->items[at] : NULL;
}

static size_t
elements(const struct wal_work *work)
{
    return work->n_rows + work->n_created + work->n_locked + work->n_emptied;
}

/* 0 and the work; 1: no room; or -1. */
static int
find_or_make(struct wal_works *works, uint32_t xid, struct wal_work **ret, struct err *err)
{
    size_t at = place_of(works, xid);

    if (at < works->n && works->items[at]->xid == xid) {
        *ret = works->items[at];
        return 0;
    }
    if (works->n >= works->transactions_max) {
        works->incomplete = true;
        return 1;
    }
    if (works->n == works->capacity) {
        size_t wanted = MAX_OF(works->capacity * 2, (size_t)64);
        struct wal_work **more =
            (struct wal_work **)reallocarray(works->items, wanted, sizeof(*more));

        if (more == NULL)
            return err_memory(err, "events");
        works->items = more;
        works->capacity = wanted;
    }
    struct wal_work *work = calloc(1, sizeof(*work));
    if (work == NULL)
        return err_memory(err, "events");
    work->xid = xid;
    memmove(&works->items[at + 1], &works->items[at], (works->n - at) * sizeof(*works->items));
    works->items[at] = work;
    works->n++;
    *ret = work;
    return 0;
}

int
wal_works_add(struct wal_works *works, const struct wal_index *index,
              const struct wal_index_work *work, struct err *err)
{
    struct wal_work *into = NULL;
    int rc = find_or_make(works, work->xid, &into, err);

    if (rc != 0 || into == NULL)
        return rc < 0 ? -1 : 0;
    if (into->first_lsn == 0 || work->first_lsn < into->first_lsn)
        into->first_lsn = work->first_lsn;
    return add_lists(works, into, index, work, err);
}

static int
fold_lists(struct wal_works *works, struct wal_work *into, const struct wal_work *from,
           struct err *err)
{
    for (size_t i = 0; i < from->n_rows; i++)
        if (add_rows(works, into, &from->rows[i], err) < 0)
            return -1;
    for (size_t i = 0; i < from->n_created; i++)
        if (add_created(works, into, &from->created[i], err) < 0)
            return -1;
    for (size_t i = 0; i < from->n_locked; i++)
        if (add_object(works, &into->locked, &into->n_locked, &into->locked_capacity,
                       &from->locked[i], err) < 0)
            return -1;
    for (size_t i = 0; i < from->n_emptied; i++)
        if (add_object(works, &into->emptied, &into->n_emptied, &into->emptied_capacity,
                       &from->emptied[i], err) < 0)
            return -1;
    return 0;
}

int
wal_works_fold(struct wal_works *works, struct wal_work *into, uint32_t from, struct err *err)
{
    struct wal_work *work = wal_works_find(works, from);
    size_t before = works->n_elements;

    if (work == NULL)
        return 0;
    if (into->first_lsn == 0 || work->first_lsn < into->first_lsn)
        into->first_lsn = work->first_lsn;
    int rc = fold_lists(works, into, work, err);
    /* What stands alone is nobody's burden. */
    works->n_elements = before;
    wal_works_forget(works, from);
    return rc;
}

void
wal_works_forget(struct wal_works *works, uint32_t xid)
{
    size_t at = place_of(works, xid);

    if (at == works->n || works->items[at]->xid != xid)
        return;
    works->n_elements -= elements(works->items[at]);
    wal_work_done(works->items[at]);
    free(works->items[at]);
    works->n--;
    memmove(&works->items[at], &works->items[at + 1], (works->n - at) * sizeof(*works->items));
}

void
wal_works_clear(struct wal_works *works)
{
    for (size_t i = 0; i < works->n; i++) {
        wal_work_done(works->items[i]);
        free(works->items[i]);
    }
    free(works->items);
    works->items = NULL;
    works->n = 0;
    works->capacity = 0;
    works->n_elements = 0;
}
