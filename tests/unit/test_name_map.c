/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/name_map.h"

#include "cmocka_all.h"

#include <string.h>

#define HEAD                                                                                       \
    "{\"seawall_names\": 1, \"label\": \"20261122T153600Z\", \"system_id\": \"7413\","             \
    " \"timeline\": 1, \"lsn\": \"0/5000028\"}\n"
#define DATABASE "{\"database\": 5, \"tablespace\": 1663, \"name\": \"postgres\"}\n"
#define USERS                                                                                      \
    "{\"relation\": 16390, \"kind\": \"r\", \"file\": 16401, \"tablespace\": 1663,"               \
    " \"schema\": \"public\", \"name\": \"users\"}\n"
#define END(databases, relations)                                                                  \
    "{\"type\": \"end\", \"databases\": " databases ", \"relations\": " relations "}\n"

static const struct object_owner owner = {"main", 7413};

static int
read_text(const char *text, struct name_map **ret, struct err *err)
{
    return name_map_read(text, strlen(text), ret, err);
}

static void
write_map(struct buf *text)
{
    const struct name_map_head head = {"20261122T153600Z", 7413, 3, 0x5000028};
    const struct name_map_database postgres = {5, 1663, "postgres"};
    const struct name_map_database app = {16384, 1663, "the \"app\"\n"};
    const struct name_map_relation relations[] = {
        {5, 16390, 16401, 1663, 0, 'r', "public", "users"},
        {5, 16388, 0, 1663, 0, 'v', "public", "view"},
        {0, 1262, 16500, 1664, 0, 'r', "pg_catalog", "pg_database"},
        {5, 16395, 16402, 1663, 16390, 't', "pg_toast", "pg_toast_16390"},
        {5, 16399, 16402, 16700, 0, 'i', "public", "elsewhere"},
    };
    struct name_map_counts counts = {0, 0};
    struct err err = ERR_INIT;

    assert_int_equal(name_map_write_head(&head, text, &err), 0);
    assert_int_equal(name_map_write_database(&postgres, &counts, text, &err), 0);
    for (size_t i = 0; i < ARRAY_SIZE(relations); i++)
        assert_int_equal(name_map_write_relation(&relations[i], &counts, text, &err), 0);
    assert_int_equal(name_map_write_database(&app, &counts, text, &err), 0);
    assert_int_equal(name_map_write_end(&counts, text, &err), 0);
}

static void
what_is_written_is_found_again(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(KIB * 64);
    AUTO(name_map) struct name_map *map = NULL;
    struct err err = ERR_INIT;

    (void)state;
    write_map(&text);
    assert_int_equal(name_map_read((const char *)text.data, text.size, &map, &err), 0);
    assert_string_equal(name_map_head(map)->label, "20261122T153600Z");
    assert_int_equal(name_map_head(map)->timeline, 3);
    assert_int_equal(name_map_head(map)->lsn, 0x5000028);
    assert_string_equal(name_map_database(map, 16384)->name, "the \"app\"\n");
    assert_int_equal(name_map_database_named(map, "postgres")->oid, 5);
    assert_null(name_map_database(map, 6));
    assert_string_equal(name_map_by_oid(map, 5, 16390)->name, "users");
    assert_int_equal(name_map_by_oid(map, 5, 16388)->kind, 'v');
    assert_null(name_map_by_oid(map, 16384, 16390));
    assert_string_equal(name_map_by_oid(map, 0, 1262)->name, "pg_database");
    assert_string_equal(name_map_by_file(map, 1663, 5, 16401)->name, "users");
    assert_string_equal(name_map_by_file(map, 0, 5, 16401)->name, "users");
    assert_string_equal(name_map_by_file(map, 16700, 5, 16402)->name, "elsewhere");
    assert_int_equal(name_map_by_file(map, 1663, 5, 16402)->toast_of, 16390);
    assert_null(name_map_by_file(map, 1664, 5, 16401));
    assert_null(name_map_by_file(map, 0, 5, 0));
}

static void
a_cut_map_is_refused_wherever_it_ends(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(KIB * 64);

    (void)state;
    write_map(&text);
    for (size_t size = 0; size < text.size; size++) {
        AUTO(name_map) struct name_map *map = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(name_map_read((const char *)text.data, size, &map, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

static void
a_wrong_map_is_refused(void **state)
{
    static const struct {
        const char *text;
        enum err_kind kind;
    } samples[] = {
        {HEAD END("0", "1"), ERR_CORRUPT},
        {HEAD USERS END("0", "1"), ERR_CORRUPT},
        {HEAD DATABASE END("1", "0") "\n", ERR_CORRUPT},
        {HEAD DATABASE END("1", "0") DATABASE, ERR_CORRUPT},
        {HEAD DATABASE DATABASE END("1", "0"), ERR_CORRUPT},
        {DATABASE END("1", "0"), ERR_CORRUPT},
        {HEAD "[]\n" END("0", "0"), ERR_CORRUPT},
        {HEAD "{\"database\": -1, \"tablespace\": 1663, \"name\": \"x\"}\n" END("1", "0"),
         ERR_CORRUPT},
        {HEAD "{\"database\": 5, \"tablespace\": 1663, \"name\": \"\"}\n" END("1", "0"),
         ERR_CORRUPT},
        {"{\"seawall_names\": 2}\n", ERR_CONFIG},
        {"{\"seawall_names\": 1, \"label\": \"20261322T153600Z\", \"system_id\": \"7413\","
         " \"timeline\": 1, \"lsn\": \"0/5000028\"}\n" END("0", "0"),
         ERR_CORRUPT},
        {"{\"seawall_names\": 1, \"label\": \"20261122T153600Z\", \"system_id\": \"7413\","
         " \"timeline\": 1, \"lsn\": \"050000028\"}\n" END("0", "0"),
         ERR_CORRUPT},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        AUTO(name_map) struct name_map *map = NULL;
        struct err err = ERR_INIT;

        assert_int_equal(read_text(samples[i].text, &map, &err), -1);
        assert_int_equal(err.kind, samples[i].kind);
    }
}

static void
unknown_members_are_ignored(void **state)
{
    AUTO(name_map) struct name_map *map = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(read_text(HEAD "{\"database\": 5, \"tablespace\": 1663, \"name\": \"x\","
                                    " \"new\": 1}\n" USERS END("1", "1"),
                               &map, &err),
                     0);
    assert_string_equal(name_map_by_oid(map, 5, 16390)->schema, "public");
}

static void
a_line_that_has_no_room_is_not_begun(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(100);
    const struct name_map_database database = {5, 1663, "postgres"};
    struct name_map_counts counts = {0, 0};
    struct err err = ERR_INIT;
    int rc = 0;

    (void)state;
    while (rc == 0)
        rc = name_map_write_database(&database, &counts, &text, &err);
    assert_int_equal(rc, BUF_FULL);
    assert_int_equal(counts.databases, 1);
    assert_int_equal(text.data[text.size - 1], '\n');
}

static void
names_of_maps_carry_a_label(void **state)
{
    char name[OBJECT_NAME_SIZE];
    char label[BACKUP_LABEL_SIZE] = "";

    (void)state;
    name_map_name(&owner, "20261122T153600Z", name);
    assert_string_equal(name, "main/7413/names/20261122T153600Z");
    assert_true(name_map_parse_name(&owner, name, label));
    assert_string_equal(label, "20261122T153600Z");
    assert_false(name_map_parse_name(&owner, "main/7413/names/x", label));
    assert_false(name_map_parse_name(&owner, "main/7414/names/20261122T153600Z", label));
    assert_false(name_map_parse_name(&owner, "main/7413/names/20261122T153600Z/x", label));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_found_again),
        cmocka_unit_test(a_cut_map_is_refused_wherever_it_ends),
        cmocka_unit_test(a_wrong_map_is_refused),
        cmocka_unit_test(unknown_members_are_ignored),
        cmocka_unit_test(a_line_that_has_no_room_is_not_begun),
        cmocka_unit_test(names_of_maps_carry_a_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
