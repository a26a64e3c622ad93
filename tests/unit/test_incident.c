/* SPDX-License-Identifier: PostgreSQL */
#include "restore/incident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"

#define DATABASE 5
#define SPACE 1663
#define AT INT64_C(1795361760000000)

/* ---- a book of our own ---- */

/* The linker takes these in place of those that read the archive's maps. */
static const struct {
    uint32_t file;
    struct name_map_relation relation;
} pages[] = {
    {100, {.oid = 16390, .kind = 'r', .file = 100, .schema = "public", .name = "users"}},
    {101, {.oid = 16391, .kind = 'i', .file = 101, .schema = "public", .name = "users_pkey"}},
    {102, {.oid = 16392, .kind = 't', .file = 102, .schema = "pg_toast", .name = "pg_toast_16390"}},
    {110, {.oid = 16400, .kind = 'r', .file = 110, .schema = "shop", .name = "orders"}},
    {111, {.oid = 16401, .kind = 'm', .file = 111, .schema = "shop", .name = "totals"}},
    {112, {.oid = 16402, .kind = 'S', .file = 112, .schema = "shop", .name = "orders_id_seq"}},
};

static const struct name_map_database database = {.oid = DATABASE, .name = "app"};

const struct name_map_database *
name_book_database(struct name_book *book UNUSED, int64_t time_us, uint32_t oid)
{
    return time_us == AT && oid == DATABASE ? &database : NULL;
}

const struct name_map_relation *
name_book_by_file(struct name_book *book UNUSED, int64_t time_us,
                  const struct wal_relation *relation)
{
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
        if (time_us == AT && relation->database == DATABASE && pages[i].file == relation->number)
            return &pages[i].relation;
    return NULL;
}

const struct name_map_relation *
name_book_by_oid(struct name_book *book UNUSED, int64_t time_us, uint32_t at, uint32_t oid)
{
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++)
        if (time_us == AT && at == DATABASE && pages[i].relation.oid == oid)
            return &pages[i].relation;
    return NULL;
}

/* ---- events ---- */

#define MOST 100

struct made {
    struct wal_event event;
    struct wal_relation relations[MOST];
    struct wal_index_object objects[MOST];
};

static void
make(struct made *made, enum wal_event_kind kind)
{
    *made = (struct made){
        .event = {.kind = kind, .lsn = 0x5000100, .stop_lsn = 0x5000080, .first_lsn = 0x5000040,
                  .xid = 731, .has_time = true, .time = AT, .database = DATABASE},
    };
    made->event.relations = made->relations;
    made->event.objects = made->objects;
}

static void
add_file(struct made *made, uint32_t number)
{
    made->relations[made->event.n_relations++] = (struct wal_relation){SPACE, DATABASE, number};
}

static void
add_object(struct made *made, uint32_t oid)
{
    made->objects[made->event.n_objects++] = (struct wal_index_object){DATABASE, oid};
}

static const char *
described(const struct made *made)
{
    static struct incident incident;

    assert_true(incident_describe(&made->event, 3, NULL, &incident));
    return incident.what;
}

static bool
is_none(const struct made *made)
{
    struct incident incident;

    return !incident_describe(&made->event, 3, NULL, &incident);
}

/* ---- tables ---- */

static void
a_dropped_table_is_named_and_what_follows_from_it_is_not(void **state UNUSED)
{
    struct incident incident;
    struct made made;

    make(&made, WAL_EVENT_DROP_TABLE);
    add_file(&made, 102);
    add_file(&made, 101);
    add_file(&made, 100);
    add_file(&made, 112);
    assert_true(incident_describe(&made.event, 3, NULL, &incident));
    assert_string_equal(incident.what, "public.users");
    assert_string_equal(incident.database, "app");
    assert_int_equal(incident.n_relations, 1);
    assert_int_equal(incident.lsn, 0x5000100);
    assert_int_equal(incident.stop_lsn, 0x5000080);
    assert_int_equal(incident.first_lsn, 0x5000040);
    assert_int_equal(incident.xid, 731);
    assert_int_equal(incident.timeline, 3);
    assert_true(incident.has_time && incident.time_us == AT);
}

static void
a_dropped_index_is_named_by_itself(void **state UNUSED)
{
    struct made made;

    make(&made, WAL_EVENT_DROP_INDEX);
    add_file(&made, 101);
    assert_string_equal(described(&made), "public.users_pkey");
}

static void
without_a_name_there_is_the_file(void **state UNUSED)
{
    struct made made;

    make(&made, WAL_EVENT_DROP_TABLE);
    add_file(&made, 900);
    assert_string_equal(described(&made), "file 1663/5/900");
    made.event.time = AT + 1; /* nothing is known for that moment */
    made.relations[0].number = 100;
    assert_string_equal(described(&made), "file 1663/5/100");
}

static void
a_table_with_a_new_file_is_found_by_its_oid(void **state UNUSED)
{
    struct made made;

    make(&made, WAL_EVENT_DROP_TABLE);
    add_file(&made, 900);
    add_object(&made, 16390);
    add_object(&made, 16391);
    assert_string_equal(described(&made), "public.users");
}

static void
what_was_only_locked_counts_if_nothing_else_is_known(void **state UNUSED)
{
    struct made made;

    make(&made, WAL_EVENT_TRUNCATE);
    made.event.objects_locked = true;
    add_file(&made, 100);
    add_object(&made, 16390);
    add_object(&made, 16400); /* refers to it, and was locked too */
    assert_string_equal(described(&made), "public.users");
    made.relations[0].number = 900;
    assert_string_equal(described(&made), "public.users, shop.orders");
    made.event.objects_locked = false;
    made.relations[0].number = 100;
    made.objects[0].oid = 16400;
    assert_string_equal(described(&made), "public.users, shop.orders");
}

static void
an_index_that_was_rebuilt_is_no_truncated_table(void **state UNUSED)
{
    struct made made;

    make(&made, WAL_EVENT_TRUNCATE);
    add_file(&made, 101);
    assert_true(is_none(&made));
    /* Its file is new, but all that was locked is known. */
    made.relations[0].number = 900;
    add_object(&made, 16391);
    assert_true(is_none(&made));
    /* One unknown among them may be the table. */
    made.event.objects_locked = true;
    add_object(&made, 19999);
    assert_string_equal(described(&made), "file 1663/5/900 (or REINDEX of an empty table)");
    /* A record that says TRUNCATE leaves no doubt. */
    made.event.objects_locked = false;
    assert_string_equal(described(&made), "file 1663/5/900");
    /* A dropped one stays an event: nothing else drops files. */
    make(&made, WAL_EVENT_DROP_TABLE);
    add_file(&made, 101);
    assert_string_equal(described(&made), "file 1663/5/101");
}

static void
three_are_shown_and_the_rest_is_counted(void **state UNUSED)
{
    struct incident incident;
    struct made made;

    make(&made, WAL_EVENT_DROP_SCHEMA);
    for (uint32_t i = 0; i < MOST; i++)
        add_file(&made, 1000 + i);
    add_object(&made, 16400);
    add_object(&made, 16401);
    add_object(&made, 16401);
    assert_true(incident_describe(&made.event, 3, NULL, &incident));
    assert_string_equal(incident.what, "shop.orders, shop.totals");
    made.event.n_objects = 0;
    assert_true(incident_describe(&made.event, 3, NULL, &incident));
    assert_string_equal(incident.what,
                        "file 1663/5/1000, file 1663/5/1001, file 1663/5/1002 and 97 more");
    assert_int_equal(incident.n_relations, MOST);
    assert_int_equal(incident.n_names, MIN_OF(MOST, INCIDENT_NAMES_MAX));
}

/* ---- rows ---- */

static void
rows_are_those_of_a_table(void **state UNUSED)
{
    struct incident incident;
    struct made made;

    make(&made, WAL_EVENT_DELETE);
    made.event.rows = 2500;
    add_file(&made, 110);
    assert_true(incident_describe(&made.event, 3, NULL, &incident));
    assert_string_equal(incident.what, "shop.orders");
    assert_int_equal(incident.rows, 2500);
    made.event.kind = WAL_EVENT_UPDATE;
    made.relations[0].number = 102;
    assert_true(is_none(&made)); /* TOAST: its table says it */
    made.relations[0].number = 900;
    assert_string_equal(described(&made), "file 1663/5/900");
}

/* ---- everything else ---- */

static void
databases_have_names_or_numbers(void **state UNUSED)
{
    struct made made;

    make(&made, WAL_EVENT_DROP_DATABASE);
    assert_string_equal(described(&made), "app");
    made.event.database = 17000;
    assert_string_equal(described(&made), "17000");
    made.event.kind = WAL_EVENT_CREATE_DATABASE;
    assert_string_equal(described(&made), "17000");
    make(&made, WAL_EVENT_DROP_TABLESPACE);
    made.event.tablespace = 16999;
    assert_string_equal(described(&made), "16999");
}

static void
a_promotion_stands_on_the_new_timeline(void **state UNUSED)
{
    struct incident incident;
    struct made made;

    make(&made, WAL_EVENT_PROMOTION);
    made.event.database = 0;
    made.event.timeline = 12;
    made.event.prev_timeline = 3;
    assert_true(incident_describe(&made.event, 3, NULL, &incident));
    assert_string_equal(incident.what, "timeline 3 to 12");
    assert_string_equal(incident.database, "");
    assert_int_equal(incident.timeline, 12);
    assert_int_equal(incident.prev_timeline, 3);
    make(&made, WAL_EVENT_SHUTDOWN);
    assert_string_equal(described(&made), "");
}

static void
a_restore_point_has_64_bytes_at_most(void **state UNUSED)
{
    char name[80];
    struct made made;

    memset(name, 'x', sizeof(name));
    make(&made, WAL_EVENT_RESTORE_POINT);
    made.event.text = (struct span){(const uint8_t *)"before release", 14};
    assert_string_equal(described(&made), "before release");
    made.event.text = (struct span){(const uint8_t *)name, sizeof(name)};
    assert_int_equal(strlen(described(&made)), 64);
}

static void
a_relation_is_meant_with_and_without_its_schema(void **state UNUSED)
{
    struct incident incident;
    struct made made;

    make(&made, WAL_EVENT_DROP_TABLE);
    add_file(&made, 100);
    add_file(&made, 110);
    assert_true(incident_describe(&made.event, 3, NULL, &incident));
    assert_true(incident_has_relation(&incident, "users"));
    assert_true(incident_has_relation(&incident, "public.users"));
    assert_true(incident_has_relation(&incident, "shop.orders"));
    assert_false(incident_has_relation(&incident, "shop.users"));
    assert_false(incident_has_relation(&incident, "public"));
    assert_false(incident_has_relation(&incident, "user"));
    assert_false(incident_has_relation(&incident, ""));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dropped_table_is_named_and_what_follows_from_it_is_not),
        cmocka_unit_test(a_dropped_index_is_named_by_itself),
        cmocka_unit_test(without_a_name_there_is_the_file),
        cmocka_unit_test(a_table_with_a_new_file_is_found_by_its_oid),
        cmocka_unit_test(what_was_only_locked_counts_if_nothing_else_is_known),
        cmocka_unit_test(an_index_that_was_rebuilt_is_no_truncated_table),
        cmocka_unit_test(three_are_shown_and_the_rest_is_counted),
        cmocka_unit_test(rows_are_those_of_a_table),
        cmocka_unit_test(databases_have_names_or_numbers),
        cmocka_unit_test(a_promotion_stands_on_the_new_timeline),
        cmocka_unit_test(a_restore_point_has_64_bytes_at_most),
        cmocka_unit_test(a_relation_is_meant_with_and_without_its_schema),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
