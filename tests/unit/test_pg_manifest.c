/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hex.h"
#include "cmocka_all.h"
#include "restore/pg_manifest.h"

static char written[64 * 1024];

/* One file, one range; the text is in `written`. */
static void
write_manifest(int server_version, const char *path)
{
    const struct pg_manifest_range ranges[] = {
        {2, 0x3000060, 0x30000a0},
        {1, 0x2000028, 0x3000060},
    };
    struct err err = ERR_INIT;
    AUTO(pg_manifest) struct pg_manifest manifest = PG_MANIFEST_INIT;
    AUTO(fd) int fd = memfd_create("manifest", MFD_CLOEXEC);

    assert_int_not_equal(fd, -1);
    assert_int_equal(pg_manifest_begin(&manifest, fd, server_version, 7413305566020948123, &err),
                     0);
    assert_int_equal(pg_manifest_add(&manifest, path, 3, 1795361760, 0x05024464, &err), 0);
    assert_int_equal(pg_manifest_add(&manifest, "b", 0, 0, 0, &err), 0);
    assert_int_equal(pg_manifest_end(&manifest, ranges, ARRAY_SIZE(ranges), &err), 0);
    ssize_t n = pread(fd, written, sizeof(written) - 1, 0);
    assert_true(n > 0);
    written[n] = '\0';
}

static void
the_text_is_that_of_postgresql(void **state UNUSED)
{
    static const char expected[] =
        "{ \"PostgreSQL-Backup-Manifest-Version\": 1,\n"
        "\"Files\": [\n"
        "{ \"Path\": \"base/5/1\", \"Size\": 3, \"Last-Modified\": \"2026-11-22 15:36:00 GMT\", "
        "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"64440205\" },\n"
        "{ \"Path\": \"b\", \"Size\": 0, \"Last-Modified\": \"1970-01-01 00:00:00 GMT\", "
        "\"Checksum-Algorithm\": \"CRC32C\", \"Checksum\": \"00000000\" }\n"
        "],\n"
        "\"WAL-Ranges\": [\n"
        "{ \"Timeline\": 2, \"Start-LSN\": \"0/3000060\", \"End-LSN\": \"0/30000A0\" },\n"
        "{ \"Timeline\": 1, \"Start-LSN\": \"0/2000028\", \"End-LSN\": \"0/3000060\" }\n"
        "],\n"
        "\"Manifest-Checksum\": \"";

    write_manifest(160004, "base/5/1");
    assert_memory_equal(written, expected, sizeof(expected) - 1);
    assert_string_equal(written + sizeof(expected) - 1 + 64, "\"}\n");
}

static void
from_17_on_the_system_identifier_is_in_it(void **state UNUSED)
{
    static const char expected[] = "{ \"PostgreSQL-Backup-Manifest-Version\": 2,\n"
                                   "\"System-Identifier\": 7413305566020948123,\n\"Files\": [\n";

    write_manifest(170000, "x");
    assert_memory_equal(written, expected, sizeof(expected) - 1);
}

static void
odd_paths_are_escaped_or_encoded(void **state UNUSED)
{
    static const struct {
        const char *path;
        const char *text;
    } cases[] = {
        {"a\"b\\c\n", "{ \"Path\": \"a\\\"b\\\\c\\u000a\","},
        {"\xc3\xa9", "{ \"Path\": \"\xc3\xa9\","},
        {"a\xff", "{ \"Encoded-Path\": \"61ff\","},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        write_manifest(150000, cases[i].path);
        assert_non_null(strstr(written, cases[i].text));
    }
}

static void
a_long_manifest_is_written_in_pieces_and_summed_as_a_whole(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(pg_manifest) struct pg_manifest manifest = PG_MANIFEST_INIT;
    AUTO(fd) int fd = memfd_create("manifest", MFD_CLOEXEC);
    uint8_t digest[DIGEST_SIZE];
    char hex[2 * DIGEST_SIZE + 1];

    assert_int_equal(pg_manifest_begin(&manifest, fd, 150000, 1, &err), 0);
    for (int i = 0; i < 20000; i++)
        assert_int_equal(pg_manifest_add(&manifest, "base/5/16384", 8192, 0, 1, &err), 0);
    assert_true(manifest.text.size < 128 * KIB);
    assert_int_equal(pg_manifest_end(&manifest, NULL, 0, &err), 0);

    size_t size = (size_t)lseek(fd, 0, SEEK_END);
    AUTO(ptr) uint8_t *text = malloc(size);
    assert_int_equal(pread(fd, text, size, 0), (ssize_t)size);
    size_t tail = strlen("\"Manifest-Checksum\": \"\"}\n") + 64;
    const struct span covered = {text, size - tail};
    assert_int_equal(digest_sha256(&covered, 1, digest, &err), 0);
    assert_memory_equal(text + size - 3 - 64, hex_text(digest, DIGEST_SIZE, hex), 64);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_that_of_postgresql),
        cmocka_unit_test(from_17_on_the_system_identifier_is_in_it),
        cmocka_unit_test(odd_paths_are_escaped_or_encoded),
        cmocka_unit_test(a_long_manifest_is_written_in_pieces_and_summed_as_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
