/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/json_read.h"
#include "catalog/name_map.h"

#define VERSION 1
#define LINE_MAX 8192
#define COUNT_MAX 100000000

static const struct json_read_bounds line_bounds = {.size = LINE_MAX, .depth = 2};

/* Where relations of a database can be found by the number of their files. */
struct by_file {
    uint32_t database;
    uint32_t file;
    uint32_t tablespace;
    size_t at; /* in relations */
};

struct name_map {
    struct name_map_head head;
    struct name_map_database *databases; /* by oid */
    size_t n_databases;
    size_t databases_capacity;
    struct name_map_relation *relations; /* by database and oid */
    size_t n_relations;
    size_t relations_capacity;
    struct by_file *by_file; /* by database, file, tablespace */
    size_t n_by_file;
    bool ended;
};

/* ---- lines ---- */

static int
read_u32(const struct json_t *line, const char *key, uint32_t *ret, struct err *err)
{
    int64_t number = 0;

    if (json_read_integer(json_read_member(line, key), key, 0, UINT32_MAX, &number, err) < 0)
        return -1;
    *ret = (uint32_t)number;
    return 0;
}

static int
read_text(const struct json_t *line, const char *key, size_t min, const char **ret,
          struct err *err)
{
    const char *text = NULL;

    if (json_read_string(json_read_member(line, key), key, min, NAME_MAP_TEXT_MAX, &text, err) < 0)
        return -1;
    *ret = strdup(text);
    return *ret != NULL ? 0 : err_memory(err, "name map");
}

static int
read_head(struct name_map_head *head, const struct json_t *line, struct err *err)
{
    const char *text = NULL;
    int64_t version = 0;

    if (json_read_integer(json_read_member(line, "seawall_names"), "seawall_names", 1, INT64_MAX,
                          &version, err) < 0)
        return -1;
    if (version > VERSION) {
        (void)err_set(err, ERR_CONFIG, "the name map has version %lld, newer than %d",
                      (long long)version, VERSION);
        return err_hint(err, "Use the version of Seawall that wrote it, or a later one.");
    }
    if (json_read_string(json_read_member(line, "label"), "label", BACKUP_LABEL_SIZE - 1,
                         BACKUP_LABEL_SIZE - 1, &text, err) < 0)
        return -1;
    if (!backup_label_valid(text, strlen(text)))
        return err_set(err, ERR_CORRUPT, "\"label\" is not a label");
    memcpy(head->label, text, BACKUP_LABEL_SIZE);
    if (json_read_string(json_read_member(line, "system_id"), "system_id", 1, 20, &text, err) < 0)
        return -1;
    if (!decimal_read(text, strlen(text), UINT64_MAX, &head->system_id))
        return err_set(err, ERR_CORRUPT, "\"system_id\" is not a number");
    if (read_u32(line, "timeline", &head->timeline, err) < 0 ||
        json_read_string(json_read_member(line, "lsn"), "lsn", 3, WAL_LSN_TEXT_SIZE, &text, err) <
            0)
        return -1;
    return wal_lsn_parse(text, strlen(text), &head->lsn)
               ? 0
               : err_set(err, ERR_CORRUPT, "\"lsn\" is not a WAL position");
}

static int
grow(void **items, size_t n, size_t *capacity, size_t item_size, struct err *err)
{
    if (n < *capacity)
        return 0;
    size_t wanted = MAX_OF(*capacity * 2, (size_t)256);
    void *more = reallocarray(*items, wanted, item_size);
    if (more == NULL)
        return err_memory(err, "name map");
    *items = more;
    *capacity = wanted;
    return 0;
}

static int
read_database(struct name_map *map, const struct json_t *line, struct err *err)
{
    struct name_map_database database = {.name = NULL};

    if (grow((void **)&map->databases, map->n_databases, &map->databases_capacity,
             sizeof(*map->databases), err) < 0 ||
        read_u32(line, "database", &database.oid, err) < 0 ||
        read_u32(line, "tablespace", &database.tablespace, err) < 0 ||
        read_text(line, "name", 1, &database.name, err) < 0)
        return -1;
    map->databases[map->n_databases++] = database;
    return 0;
}

static int
read_optional(const struct json_t *line, struct name_map_relation *relation, struct err *err)
{
    const struct json_t *shared = json_read_member(line, "shared");
    bool is_shared = false;

    if (shared != NULL && json_read_bool(shared, "shared", &is_shared, err) < 0)
        return -1;
    if (is_shared)
        relation->database = 0;
    if (json_read_member(line, "toast_of") != NULL)
        return read_u32(line, "toast_of", &relation->toast_of, err);
    return 0;
}

static void
relation_done(struct name_map_relation *relation)
{
    free((void *)(uintptr_t)relation->schema);
    free((void *)(uintptr_t)relation->name);
}

static int
read_relation(struct name_map *map, const struct json_t *line, struct err *err)
{
    struct name_map_relation relation = {.schema = NULL};
    const char *kind = NULL;

    if (map->n_databases == 0)
        return err_set(err, ERR_CORRUPT, "a relation stands before the first database");
    relation.database = map->databases[map->n_databases - 1].oid;
    if (grow((void **)&map->relations, map->n_relations, &map->relations_capacity,
             sizeof(*map->relations), err) < 0 ||
        read_u32(line, "relation", &relation.oid, err) < 0 ||
        read_u32(line, "file", &relation.file, err) < 0 ||
        read_u32(line, "tablespace", &relation.tablespace, err) < 0 ||
        read_optional(line, &relation, err) < 0 ||
        json_read_string(json_read_member(line, "kind"), "kind", 1, 1, &kind, err) < 0)
        return -1;
    relation.kind = *kind;
    if (read_text(line, "schema", 1, &relation.schema, err) < 0 ||
        read_text(line, "name", 1, &relation.name, err) < 0) {
        relation_done(&relation);
        return -1;
    }
    map->relations[map->n_relations++] = relation;
    return 0;
}

static int
read_end(struct name_map *map, const struct json_t *line, struct err *err)
{
    int64_t databases = 0;
    int64_t relations = 0;

    if (json_read_integer(json_read_member(line, "databases"), "databases", 0, COUNT_MAX,
                          &databases, err) < 0 ||
        json_read_integer(json_read_member(line, "relations"), "relations", 0, COUNT_MAX,
                          &relations, err) < 0)
        return -1;
    if ((uint64_t)databases != map->n_databases || (uint64_t)relations != map->n_relations)
        return err_set(err, ERR_CORRUPT, "its counts are not those of its end");
    map->ended = true;
    return 0;
}

static int
read_line(struct name_map *map, uint64_t number, const char *text, size_t size, struct err *err)
{
    AUTO(json_document) struct json_t *line = NULL;

    if (map->ended)
        return err_set(err, ERR_CORRUPT, "there is something behind its end");
    if (json_read_object(text, size, &line_bounds, &line, err) < 0)
        return -1;
    if (number == 1)
        return read_head(&map->head, line, err);
    if (json_read_member(line, "database") != NULL)
        return read_database(map, line, err);
    if (json_read_member(line, "relation") != NULL)
        return read_relation(map, line, err);
    return read_end(map, line, err);
}

/* ---- order ---- */

static int
compare_u32(uint32_t left, uint32_t right)
{
    return (left > right) - (left < right);
}

static int
compare_databases(const void *left, const void *right)
{
    return compare_u32(((const struct name_map_database *)left)->oid,
                       ((const struct name_map_database *)right)->oid);
}

static int
compare_relations(const void *left, const void *right)
{
    const struct name_map_relation *a = left;
    const struct name_map_relation *b = right;
    int order = compare_u32(a->database, b->database);

    return order != 0 ? order : compare_u32(a->oid, b->oid);
}

static int
compare_files(const void *left, const void *right)
{
    const struct by_file *a = left;
    const struct by_file *b = right;
    int order = compare_u32(a->database, b->database);

    if (order == 0)
        order = compare_u32(a->file, b->file);
    return order != 0 ? order : compare_u32(a->tablespace, b->tablespace);
}

static int
put_in_order(struct name_map *map, struct err *err)
{
    if (map->n_databases > 0)
        qsort(map->databases, map->n_databases, sizeof(*map->databases), compare_databases);
    if (map->n_relations == 0)
        return 0;
    qsort(map->relations, map->n_relations, sizeof(*map->relations), compare_relations);
    map->by_file = calloc(map->n_relations, sizeof(*map->by_file));
    if (map->by_file == NULL)
        return err_memory(err, "name map");
    for (size_t i = 0; i < map->n_relations; i++) {
        const struct name_map_relation *relation = &map->relations[i];

        if (relation->file != 0)
            map->by_file[map->n_by_file++] = (struct by_file){
                relation->database, relation->file, relation->tablespace, i};
    }
    if (map->n_by_file > 0)
        qsort(map->by_file, map->n_by_file, sizeof(*map->by_file), compare_files);
    return 0;
}

/* ---- the map ---- */

int
name_map_read(const char *text, size_t size, struct name_map **ret_map, struct err *err)
{
    AUTO(name_map) struct name_map *map = calloc(1, sizeof(*map));
    const char *end = text + size;

    if (map == NULL)
        return err_memory(err, "name map");
    for (uint64_t number = 1; text < end; number++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));

        if (newline == NULL)
            return err_set(err, ERR_CORRUPT, "name map: its last line does not end");
        if (read_line(map, number, text, (size_t)(newline - text), err) < 0)
            return err_wrap(err, "name map, line %llu", (unsigned long long)number);
        text = newline + 1;
    }
    if (!map->ended)
        return err_set(err, ERR_CORRUPT, "the name map has no end");
    if (put_in_order(map, err) < 0)
        return -1;
    *ret_map = TAKE_PTR(map);
    return 0;
}

const struct name_map_head *
name_map_head(const struct name_map *map)
{
    return &map->head;
}

const struct name_map_database *
name_map_database(const struct name_map *map, uint32_t oid)
{
    const struct name_map_database key = {.oid = oid};

    if (map->n_databases == 0)
        return NULL;
    return bsearch(&key, map->databases, map->n_databases, sizeof(key), compare_databases);
}

const struct name_map_database *
name_map_database_named(const struct name_map *map, const char *name)
{
    for (size_t i = 0; i < map->n_databases; i++)
        if (strcmp(map->databases[i].name, name) == 0)
            return &map->databases[i];
    return NULL;
}

const struct name_map_relation *
name_map_by_oid(const struct name_map *map, uint32_t database, uint32_t oid)
{
    const struct name_map_relation key = {.database = database, .oid = oid};

    if (map->n_relations == 0)
        return NULL;
    return bsearch(&key, map->relations, map->n_relations, sizeof(key), compare_relations);
}

const struct name_map_relation *
name_map_by_file(const struct name_map *map, uint32_t tablespace, uint32_t database, uint32_t file)
{
    size_t low = 0;
    size_t high = map->n_by_file;
    const struct by_file key = {database, file, tablespace, 0};

    /* The first that is not before the key. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_files(&map->by_file[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == map->n_by_file)
        return NULL;
    const struct by_file *found = &map->by_file[low];
    if (found->database != database || found->file != file ||
        (tablespace != 0 && found->tablespace != tablespace))
        return NULL;
    return &map->relations[found->at];
}

void
name_map_free(struct name_map *map)
{
    if (map == NULL)
        return;
    for (size_t i = 0; i < map->n_databases; i++)
        free((void *)(uintptr_t)map->databases[i].name);
    for (size_t i = 0; i < map->n_relations; i++)
        relation_done(&map->relations[i]);
    free(map->databases);
    free(map->relations);
    free(map->by_file);
    free(map);
}
