/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/backup_complete.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define HEX_32 "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct member {
    const char *key;
    const char *value;
};

/* A complete document; a case replaces one value. */
static const struct member good[] = {
    {"seawall_backup", "1"},
    {"label", "\"20261122T153600Z\""},
    {"system_id", "\"7413305566020948123\""},
    {"cluster", "\"main\""},
    {"kind", "\"full\""},
    {"server_version", "150020"},
    {"catalog_version", "202209061"},
    {"control_version", "1300"},
    {"segment_size", "16777216"},
    {"block_size", "8192"},
    {"data_checksums", "true"},
    {"from_standby", "false"},
    {"start_lsn", "\"0/5000028\""},
    {"start_timeline", "1"},
    {"start_time", "1795361760"},
    {"checkpoint_lsn", "\"0/5000060\""},
    {"stop_lsn", "\"0/6000000\""},
    {"stop_timeline", "1"},
    {"stop_time", "1795361765"},
    {"first_wal", "\"000000010000000000000005\""},
    {"last_wal", "\"000000010000000000000005\""},
    {"parts", "7"},
    {"manifests", "2"},
    {"files", "1203"},
    {"bytes", "974112345"},
    {"stored_bytes", "212345678"},
    {"manifest_digests", "[\"" HEX_32 "\",\"" HEX_32 "\"]"},
    {"parts_digest", "\"" HEX_32 "\""},
    {"backup_label", "\"START WAL LOCATION: 0/5000028\\n\""},
    {"tablespaces", "[{\"oid\":16384,\"path\":\"/srv/ts1\"}]"},
    {"damage", "[{\"path\":\"base/5/16384\",\"block\":12}]"},
    {"damage_count", "3"},
};

/* The document with that member's value replaced (NULL: without the member), and more behind. */
static void
build(const char *key, const char *value, const char *more, struct buf *ret)
{
    struct err err = ERR_INIT;
    const char *separator = "{";

    buf_clear(ret);
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        const char *use = strcmp(good[i].key, key) == 0 ? value : good[i].value;

        if (use == NULL)
            continue;
        assert_int_equal(buf_printf(ret, &err, "%s\"%s\":%s", separator, good[i].key, use), 0);
        separator = ",";
    }
    assert_int_equal(buf_printf(ret, &err, "%s}", more), 0);
}

static void
completes_are_equal(const struct backup_complete *left, const struct backup_complete *right)
{
    AUTO(buf) struct buf left_text = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(buf) struct buf right_text = BUF_INIT(BACKUP_COMPLETE_MAX);
    struct err err = ERR_INIT;

    assert_int_equal(backup_complete_write(left, &left_text, &err), 0);
    assert_int_equal(backup_complete_write(right, &right_text, &err), 0);
    assert_int_equal(left_text.size, right_text.size);
    assert_memory_equal(left_text.data, right_text.data, left_text.size);
}

static void
a_completion_is_read(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    build("", NULL, ",\"tablespace_map\":\"16384 /srv/ts1\\n\"", &text);
    if (backup_complete_read(text.data, text.size, &complete, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(complete.label, "20261122T153600Z");
    assert_true(complete.system_id == 7413305566020948123);
    assert_string_equal(complete.cluster, "main");
    assert_false(complete.incremental);
    assert_int_equal(complete.server_version, 150020);
    assert_int_equal(complete.catalog_version, 202209061);
    assert_int_equal(complete.control_version, 1300);
    assert_int_equal(complete.segment_size, 16777216);
    assert_int_equal(complete.block_size, 8192);
    assert_true(complete.data_checksums);
    assert_false(complete.from_standby);
    assert_int_equal(complete.start_lsn, 0x5000028);
    assert_int_equal(complete.start_timeline, 1);
    assert_int_equal(complete.start_time, 1795361760);
    assert_int_equal(complete.checkpoint_lsn, 0x5000060);
    assert_int_equal(complete.stop_lsn, 0x6000000);
    assert_int_equal(complete.stop_timeline, 1);
    assert_int_equal(complete.stop_time, 1795361765);
    assert_string_equal(complete.first_wal.text, "000000010000000000000005");
    assert_int_equal(complete.last_wal.seg, 5);
    assert_int_equal(complete.n_parts, 7);
    assert_int_equal(complete.n_manifests, 2);
    assert_int_equal(complete.n_files, 1203);
    assert_int_equal(complete.n_bytes, 974112345);
    assert_int_equal(complete.stored_bytes, 212345678);
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        assert_int_equal(complete.manifest_digests[1][i], i);
        assert_int_equal(complete.parts_digest[i], i);
    }
    assert_string_equal(complete.backup_label_text, "START WAL LOCATION: 0/5000028\n");
    assert_string_equal(complete.tablespace_map_text, "16384 /srv/ts1\n");
    assert_int_equal(complete.n_tablespaces, 1);
    assert_int_equal(complete.tablespaces[0].oid, 16384);
    assert_string_equal(complete.tablespaces[0].path, "/srv/ts1");
    assert_int_equal(complete.n_damage, 1);
    assert_string_equal(complete.damage[0].path, "base/5/16384");
    assert_int_equal(complete.damage[0].block, 12);
    assert_int_equal(complete.damage_count, 3);
}

static char *
copy_of(const char *text)
{
    char *copy = strdup(text);

    assert_non_null(copy);
    return copy;
}

/* The good document as a struct that may be changed. */
static void
read_good(struct backup_complete *ret)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    struct err err = ERR_INIT;

    build("", NULL, "", &text);
    if (backup_complete_read(text.data, text.size, ret, &err) != 0)
        fail_msg("%s", err.text);
}

static void
what_is_written_is_read_again(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    AUTO(backup_complete) struct backup_complete again = BACKUP_COMPLETE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    read_good(&complete);
    complete.incremental = true;
    complete.system_id = UINT64_MAX;
    complete.data_checksums = false;
    complete.from_standby = true;
    complete.n_bytes = INT64_MAX;
    complete.control_version = UINT32_MAX;
    free(complete.backup_label_text);
    complete.backup_label_text = copy_of("a\tb\n\"\\ caf\xc3\xa9");
    complete.tablespace_map_text = copy_of("16384 /srv/latin\xe9\n");
    free(complete.tablespaces[0].path);
    complete.tablespaces[0].path = copy_of("/srv/latin\xe9");
    free(complete.damage[0].path);
    complete.damage[0].path = copy_of("\xff/\n");
    complete.damage[0].block = UINT32_MAX;
    if (backup_complete_write(&complete, &text, &err) != 0 ||
        backup_complete_read(text.data, text.size, &again, &err) != 0)
        fail_msg("%s", err.text);
    completes_are_equal(&complete, &again);
    assert_true(again.system_id == UINT64_MAX);
    assert_true(again.n_bytes == INT64_MAX);
    assert_true(again.incremental && again.from_standby && !again.data_checksums);
    assert_string_equal(again.backup_label_text, complete.backup_label_text);
    assert_string_equal(again.tablespace_map_text, complete.tablespace_map_text);
    assert_string_equal(again.tablespaces[0].path, complete.tablespaces[0].path);
    assert_string_equal(again.damage[0].path, complete.damage[0].path);
    assert_true(again.damage[0].block == UINT32_MAX);
}

static void
no_tablespaces_and_no_damage_are_fine(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    AUTO(backup_complete) struct backup_complete again = BACKUP_COMPLETE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    read_good(&complete);
    free(complete.tablespaces[0].path);
    complete.n_tablespaces = 0;
    free(complete.damage[0].path);
    complete.n_damage = 0;
    complete.damage_count = 0;
    if (backup_complete_write(&complete, &text, &err) != 0 ||
        backup_complete_read(text.data, text.size, &again, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(again.n_tablespaces, 0);
    assert_int_equal(again.n_damage, 0);
    assert_null(again.tablespace_map_text);
}

static void
assert_refused(const struct buf *text, const char *reason)
{
    struct backup_complete complete = {.n_parts = 77};
    struct err err = ERR_INIT;

    if (backup_complete_read(text->data, text->size, &complete, &err) != -1)
        fail_msg("accepted: %.*s", (int)text->size, (const char *)text->data);
    assert_int_equal(err.kind, ERR_CORRUPT);
    if (strstr(err.text, reason) == NULL)
        fail_msg("no \"%s\" in: %s", reason, err.text);
    assert_int_equal(complete.n_parts, 77);
    assert_null(complete.backup_label_text);
}

static void
a_missing_member_is_named(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        char reason[64];

        (void)snprintf(reason, sizeof(reason), "\"%s\" is missing", good[i].key);
        build(good[i].key, NULL, "", &text);
        assert_refused(&text, reason);
    }
}

static void
a_member_of_another_type_is_named(void **state)
{
    static const char *const others[] = {"null", "{}", "1.5"};
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        for (size_t j = 0; j < ARRAY_SIZE(others); j++) {
            char reason[64];

            (void)snprintf(reason, sizeof(reason), "\"%s\" is ", good[i].key);
            build(good[i].key, others[j], "", &text);
            assert_refused(&text, reason);
        }
}

static void
values_out_of_range_are_refused(void **state)
{
    static const struct {
        const char *key;
        const char *value;
        const char *reason;
    } bad[] = {
        {"seawall_backup", "0", "\"seawall_backup\" is 0"},
        {"seawall_backup", "-1", "\"seawall_backup\" is -1"},
        {"label", "\"20261122T153660Z\"", "\"label\" is not that of a backup"},
        {"label", "\"\"", "\"label\" has 0 bytes"},
        {"system_id", "\"18446744073709551616\"", "\"system_id\" is not a number"},
        {"system_id", "\"-1\"", "\"system_id\" is not a number"},
        {"cluster", "\"a/b\"", "\"cluster\" is not the name of one"},
        {"cluster", "\"..\"", "\"cluster\" is not"},
        {"cluster", "\"a..b\"", "\"cluster\" is not"},
        {"cluster", "\"Main\"", "\"cluster\" is not"},
        {"cluster", "\"1234567890123456789012345678901234567890123456789012345678901234\"",
         "\"cluster\" is not"},
        {"kind", "\"other\"", "\"kind\" is neither"},
        {"server_version", "0", "\"server_version\" is 0"},
        {"server_version", "4294967296", "\"server_version\" is"},
        {"catalog_version", "0", "\"catalog_version\" is 0"},
        {"catalog_version", "4294967296", "\"catalog_version\" is 4294967296"},
        {"control_version", "-1", "\"control_version\" is -1"},
        {"segment_size", "16777215", "\"segment_size\" cannot be"},
        {"segment_size", "33554432", "\"first_wal\" does not hold"},
        {"block_size", "8000", "\"block_size\" cannot be 8000"},
        {"start_lsn", "\"5000028\"", "\"start_lsn\" is not a WAL position"},
        {"start_lsn", "\"0/5000061\"", "do not follow each other"},
        {"start_lsn", "\"0/4FFFFFF\"", "\"first_wal\" does not hold"},
        {"checkpoint_lsn", "\"0/6000000\"", "do not follow each other"},
        {"stop_lsn", "\"0/6000001\"", "\"last_wal\" does not hold"},
        {"start_timeline", "0", "\"start_timeline\" is 0"},
        {"start_timeline", "2", "\"stop_timeline\" is before"},
        {"stop_timeline", "2", "\"last_wal\" does not hold"},
        {"start_time", "-1", "\"start_time\" is -1"},
        {"stop_time", "253402300800", "\"stop_time\" is"},
        {"first_wal", "\"00000001000000000000000g\"", "\"first_wal\" is not the name"},
        {"first_wal", "\"000000010000000000000004\"", "\"first_wal\" does not hold"},
        {"last_wal", "\"00000002.history\"", "\"last_wal\" has 16 bytes"},
        {"parts", "0", "\"parts\" is 0"},
        {"parts", "100000000", "\"parts\" is 100000000"},
        {"manifests", "0", "\"manifests\" is 0"},
        {"manifests", "16385", "\"manifests\" is 16385"},
        {"manifests", "1", "\"manifest_digests\" has 2 elements"},
        {"manifests", "3", "\"manifest_digests\" has 2 elements"},
        {"files", "-1", "\"files\" is -1"},
        {"bytes", "9223372036854775808", "not JSON"},
        {"manifest_digests", "[\"" HEX_32 "\",\"00\"]", "\"manifest_digests\" has 2 bytes"},
        {"manifest_digests", "[\"" HEX_32 "\",7]", "\"manifest_digests\" is an integer"},
        {"parts_digest", "\"X" HEX_32 "\"", "\"parts_digest\" has 65 bytes"},
        {"parts_digest", "\"00010203040506070809 a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"",
         "\"parts_digest\" is not a digest"},
        {"backup_label", "\"a\\u0000b\"", "not JSON"},
        {"tablespaces", "[7]", "tablespace 1: \"element\" is an integer"},
        {"tablespaces", "[{\"path\":\"/a\"}]", "tablespace 1: \"oid\" is missing"},
        {"tablespaces", "[{\"oid\":1}]", "tablespace 1: \"path\" is missing"},
        {"tablespaces", "[{\"oid\":0,\"path\":\"/a\"}]", "tablespace 1 has no oid or no path"},
        {"tablespaces", "[{\"oid\":1,\"path\":\"\"}]", "tablespace 1 has no oid or no path"},
        {"tablespaces", "[{\"oid\":1,\"path\":\"/a\"},{\"oid\":1,\"path\":\"/b\"}]", "there twice"},
        {"tablespaces", "[{\"oid\":1,\"path\":\"/a\"},{\"oid\":4294967296,\"path\":\"/b\"}]",
         "tablespace 2: \"oid\" is 4294967296"},
        {"damage", "[{\"path\":\"../a\",\"block\":1}]", "damage 1 is in no file"},
        {"damage", "[{\"path\":\"a\"}]", "damage 1: \"block\" is missing"},
        {"damage", "[{\"path\":\"a\",\"path_hex\":\"61\",\"block\":1}]", "both"},
        {"damage", "[{\"path_hex\":\"6100\",\"block\":1}]", "is not text in hexadecimal"},
        {"damage", "[{\"path_hex\":\"616\",\"block\":1}]", "is not text in hexadecimal"},
        {"damage_count", "0", "too many elements"},
    };
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        build(bad[i].key, bad[i].value, "", &text);
        assert_refused(&text, bad[i].reason);
    }
    build("", NULL, ",\"tablespace_map\":null", &text);
    assert_refused(&text, "\"tablespace_map\" is null");
    build("", NULL, ",\"backup_label_hex\":\"61\"", &text);
    assert_refused(&text, "both");
    build("", NULL, ",\"label\":\"20261122T153600Z\"", &text);
    assert_refused(&text, "duplicate");
}

static void
members_that_are_not_known_are_passed_over(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
    AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    build("", NULL, ",\"new\":[{\"x\":[null]}],\"other\":7.5", &text);
    assert_int_equal(backup_complete_read(text.data, text.size, &complete, &err), 0);
}

static void
a_newer_version_is_told_from_damage(void **state)
{
    static const char newer[] = "{\"seawall_backup\":2}";
    struct backup_complete complete = BACKUP_COMPLETE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(
        backup_complete_read((const uint8_t *)newer, sizeof(newer) - 1, &complete, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_string_not_equal(err.hint, "");
}

static void
every_beginning_is_refused(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);

    (void)state;
    build("", NULL, "", &text);
    for (size_t size = text.size; size-- > 0;) {
        text.size = size;
        assert_refused(&text, "not JSON");
    }
}

static void
what_the_reader_would_refuse_is_not_written(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        AUTO(buf) struct buf text = BUF_INIT(BACKUP_COMPLETE_MAX);
        AUTO(backup_complete) struct backup_complete complete = BACKUP_COMPLETE_INIT;
        struct err err = ERR_INIT;

        read_good(&complete);
        if (i == 0)
            complete.label[0] = 'x';
        if (i == 1)
            complete.n_files = UINT64_MAX;
        if (i == 2)
            complete.start_time = -1;
        if (i == 3)
            complete.n_parts = 0;
        if (i == 4)
            complete.stop_lsn = 0;
        if (i == 5)
            complete.damage[0].path[0] = '/';
        if (i == 6)
            complete.server_version = -1;
        if (i == 7)
            complete.cluster[0] = '\0';
        assert_int_equal(backup_complete_write(&complete, &text, &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(text.size, 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_completion_is_read),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(no_tablespaces_and_no_damage_are_fine),
        cmocka_unit_test(a_missing_member_is_named),
        cmocka_unit_test(a_member_of_another_type_is_named),
        cmocka_unit_test(values_out_of_range_are_refused),
        cmocka_unit_test(members_that_are_not_known_are_passed_over),
        cmocka_unit_test(a_newer_version_is_told_from_damage),
        cmocka_unit_test(every_beginning_is_refused),
        cmocka_unit_test(what_the_reader_would_refuse_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
