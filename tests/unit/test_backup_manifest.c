/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/backup_manifest.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

#define LABEL "20261122T153600Z"
#define OLDER "20261121T000000Z"
#define HEAD                                        \
    "{\"seawall_manifest\": 1, \"label\": \"" LABEL \
    "\", \"system_id\": \"18446744073709551615\", " \
    "\"block_size\": 8192}\n"
#define DIR_LINE "{\"type\":\"dir\",\"path\":\"base/5\",\"mode\":448}\n"
#define FILE_WITH(path, size, runs)                                                \
    "{\"type\":\"file\"," path ",\"mode\":384,\"mtime\":1795361760,\"size\":" size \
    ",\"crc32c\":\"9ae0daaf\",\"runs\":[" runs "]}\n"
#define FILE_RUNS(size, runs) FILE_WITH("\"path\":\"base/5/1\"", size, runs)
#define FILE_LINE FILE_RUNS("100", "[0,100,\"" LABEL "\",3,1536]")
#define EMPTY_FILE(path) FILE_WITH(path, "0", "")
#define END(files, dirs, bytes) \
    "{\"type\":\"end\",\"files\":" files ",\"dirs\":" dirs ",\"bytes\":" bytes "}\n"

#define SEEN_MAX 8

struct seen {
    size_t n;
    struct manifest_entry entries[SEEN_MAX];
    struct manifest_run first_runs[SEEN_MAX];
};

static int
see(void *context, const struct manifest_entry *entry, struct err *err)
{
    struct seen *seen = context;

    (void)err;
    assert_true(seen->n < SEEN_MAX);
    seen->entries[seen->n] = *entry;
    if (entry->n_runs > 0)
        seen->first_runs[seen->n] = entry->runs[0];
    seen->n++;
    return 0;
}

/* Feed the text in pieces of this size. */
static int
read_text(const char *text, size_t size, size_t piece, struct seen *seen, struct err *err)
{
    AUTO(manifest_reader) struct manifest_reader *reader = NULL;

    *err = ERR_INIT;
    memset(seen, 0, sizeof(*seen));
    assert_int_equal(manifest_reader_new(&reader, err), 0);
    for (size_t at = 0; at < size; at += piece) {
        size_t part = MIN_OF(piece, size - at);
        uint8_t *copy = malloc(part);

        assert_non_null(copy);
        memcpy(copy, text + at, part);
        int rc = manifest_reader_feed(reader, copy, part, see, seen, err);
        free(copy);
        if (rc != 0)
            return rc;
    }
    return manifest_reader_finish(reader, err);
}

static void
a_manifest_is_read_in_pieces_of_every_size(void **state)
{
    static const char text[] = HEAD DIR_LINE FILE_LINE END("1", "1", "100");
    static struct seen seen;
    struct err err;

    (void)state;
    for (size_t piece = 1; piece <= sizeof(text); piece++) {
        if (read_text(text, sizeof(text) - 1, piece, &seen, &err) != 0)
            fail_msg("pieces of %zu: %s", piece, err.text);
        assert_int_equal(seen.n, 4);
        assert_int_equal(seen.entries[0].type, MANIFEST_HEAD);
        assert_string_equal(seen.entries[0].label, LABEL);
        assert_true(seen.entries[0].system_id == UINT64_MAX);
        assert_int_equal(seen.entries[0].block_size, 8192);
        assert_int_equal(seen.entries[1].type, MANIFEST_DIR);
        assert_string_equal(seen.entries[1].path, "base/5");
        assert_int_equal(seen.entries[1].mode, 0700);
        assert_int_equal(seen.entries[2].type, MANIFEST_FILE);
        assert_string_equal(seen.entries[2].path, "base/5/1");
        assert_int_equal(seen.entries[2].mode, 0600);
        assert_int_equal(seen.entries[2].mtime, 1795361760);
        assert_int_equal(seen.entries[2].size, 100);
        assert_true(seen.entries[2].crc32c == 0x9ae0daaf);
        assert_int_equal(seen.entries[2].n_runs, 1);
        assert_int_equal(seen.first_runs[2].length, 100);
        assert_string_equal(seen.first_runs[2].label, LABEL);
        assert_int_equal(seen.first_runs[2].part, 3);
        assert_int_equal(seen.first_runs[2].part_offset, 1536);
        assert_int_equal(seen.entries[3].type, MANIFEST_END);
    }
}

static struct manifest_entry
entry_of(enum manifest_type type)
{
    struct manifest_entry entry;

    memset(&entry, 0, sizeof(entry));
    entry.type = type;
    if (type == MANIFEST_HEAD) {
        memcpy(entry.label, LABEL, sizeof(LABEL));
        entry.system_id = 7413305566020948123;
        entry.block_size = 8192;
    }
    if (type == MANIFEST_DIR || type == MANIFEST_FILE)
        (void)snprintf(entry.path, sizeof(entry.path), "base");
    return entry;
}

static void
written(struct buf *text, const struct manifest_entry *entry)
{
    struct err err = ERR_INIT;

    if (manifest_write(text, entry, &err) != 0)
        fail_msg("%s", err.text);
}

static void
lines_are_written_as_the_format_says(void **state)
{
    struct manifest_entry head = entry_of(MANIFEST_HEAD);
    struct manifest_entry dir = entry_of(MANIFEST_DIR);
    struct manifest_entry file = entry_of(MANIFEST_FILE);
    struct manifest_entry end = entry_of(MANIFEST_END);
    const struct manifest_run runs[] = {{0, 60, OLDER, 7, 0}, {60, 40, LABEL, 8, 512}};
    AUTO(buf) struct buf text = BUF_INIT(MANIFEST_OBJECT_MAX);
    struct err err = ERR_INIT;

    (void)state;
    dir.mode = 0700;
    file.mode = 0600;
    file.mtime = -1;
    file.size = 100;
    file.crc32c = 0xaf;
    file.runs = runs;
    file.n_runs = 2;
    end.n_files = 1;
    end.n_dirs = 1;
    end.n_bytes = 100;
    written(&text, &head);
    written(&text, &dir);
    written(&text, &file);
    written(&text, &end);
    assert_string_equal(
        buf_text(&text, &err),
        "{\"seawall_manifest\":1,\"label\":\"" LABEL
        "\",\"system_id\":\"7413305566020948123\",\"block_size\":8192}\n"
        "{\"type\":\"dir\",\"path\":\"base\",\"mode\":448}\n"
        "{\"type\":\"file\",\"path\":\"base\",\"mode\":384,\"mtime\":-1,\"size\":100,"
        "\"crc32c\":\"000000af\",\"runs\":[[0,60,\"" OLDER "\",7,0],[60,40,\"" LABEL "\",8,512]]}\n"
        "{\"type\":\"end\",\"files\":1,\"dirs\":1,\"bytes\":100}\n");
}

static void
every_name_a_file_can_have_comes_back(void **state)
{
    static const char *const paths[] = {
        "a",
        " leading and trailing ",
        "new\nline\r\ttab",
        "back\\slash \"quoted\" \\u0041 \\n",
        "\x01\x02\x1f\x7f",
        "caf\xc3\xa9/\xe2\x82\xac/\xf0\x9f\x98\x80",
        "latin\xe9",
        "\xff\xfe",
        "\xed\xa0\x80 surrogate",
        "...",
        "..a/.b/c.",
        "{\"type\":\"end\"}",
    };
    static struct seen seen;
    struct manifest_entry head = entry_of(MANIFEST_HEAD);
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        for (enum manifest_type type = MANIFEST_DIR; type <= MANIFEST_FILE; type++) {
            AUTO(buf) struct buf text = BUF_INIT(MANIFEST_OBJECT_MAX);
            struct manifest_entry entry = entry_of(type);
            struct manifest_entry end = entry_of(MANIFEST_END);

            (void)snprintf(entry.path, sizeof(entry.path), "%s", paths[i]);
            end.n_files = type == MANIFEST_FILE;
            end.n_dirs = type == MANIFEST_DIR;
            written(&text, &head);
            written(&text, &entry);
            written(&text, &end);
            if (read_text((const char *)text.data, text.size, text.size, &seen, &err) != 0)
                fail_msg("%s", err.text);
            assert_int_equal(seen.n, 3);
            assert_int_equal(seen.entries[1].type, type);
            assert_string_equal(seen.entries[1].path, paths[i]);
        }
}

static void
every_byte_but_nul_and_slash_comes_back(void **state)
{
    static struct seen seen;
    AUTO(buf) struct buf text = BUF_INIT(MANIFEST_OBJECT_MAX);
    struct manifest_entry head = entry_of(MANIFEST_HEAD);
    struct manifest_entry dir = entry_of(MANIFEST_DIR);
    struct err err;

    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        if (byte == '/')
            continue;
        struct manifest_entry end = entry_of(MANIFEST_END);
        (void)snprintf(dir.path, sizeof(dir.path), "x%cy", (char)byte);
        end.n_dirs = 1;
        buf_clear(&text);
        written(&text, &head);
        written(&text, &dir);
        written(&text, &end);
        if (read_text((const char *)text.data, text.size, 7, &seen, &err) != 0)
            fail_msg("%u: %s", byte, err.text);
        assert_string_equal(seen.entries[1].path, dir.path);
    }
}

struct bad {
    const char *text;
    const char *reason;
};

static void
assert_bad(const struct bad *bad)
{
    static struct seen seen;
    struct err err;

    for (size_t piece = 1; piece < 2000; piece += 1999 / 2)
        if (read_text(bad->text, strlen(bad->text), piece, &seen, &err) != -1)
            fail_msg("accepted: %s", bad->text);
    assert_int_equal(err.kind, ERR_CORRUPT);
    if (strstr(err.text, bad->reason) == NULL)
        fail_msg("no \"%s\" in: %s", bad->reason, err.text);
}

#define HEAD_WITH(label, id, block_size)                                                          \
    "{\"seawall_manifest\":1,\"label\":" label ",\"system_id\":" id ",\"block_size\":" block_size \
    "}\n"

static void
the_order_of_lines_is_insisted_on(void **state)
{
    static const struct bad bad[] = {
        {"", "has no end"},
        {HEAD, "has no end: it was cut off behind line 1"},
        {HEAD DIR_LINE, "cut off behind line 2"},
        {"\n", "line 1 of the manifest"},
        {DIR_LINE, "\"seawall_manifest\" is missing"},
        {END("0", "0", "0"), "\"seawall_manifest\" is missing"},
        {HEAD HEAD, "\"type\" is missing"},
        {HEAD "\n" END("0", "0", "0"), "line 2 of the manifest"},
        {HEAD END("0", "0", "0") END("0", "0", "0"), "line 3 of the manifest: there is something"},
        {HEAD END("0", "0", "0") DIR_LINE, "there is something behind the end"},
        {HEAD END("0", "0", "0") "\n", "there is something behind the end"},
        {HEAD END("0", "0", "0") " ", "ends inside of line 3"},
        {HEAD "{\"type\":\"end\",\"files\":0,\"dirs\":0,\"bytes\":0}", "ends inside of line 2"},
        {HEAD "{\"type\":\"link\",\"path\":\"a\"}\n", "\"type\" is none of"},
        {HEAD DIR_LINE END("0", "0", "0"), "the end counts 0 files, 0 directories"},
        {HEAD DIR_LINE END("1", "1", "0"), "the end counts"},
        {HEAD FILE_LINE END("1", "0", "99"), "the end counts"},
        {HEAD FILE_LINE END("1", "0", "-1"), "\"bytes\" is -1"},
        {HEAD END("0", "0", "0.0"), "\"bytes\" is a number that is not an integer"},
        {HEAD "{\"type\":\"end\",\"files\":0,\"dirs\":0}\n", "\"bytes\" is missing"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_bad(&bad[i]);
}

static void
wrong_heads_are_refused(void **state)
{
    static const struct bad bad[] = {
        {"{\"seawall_manifest\":0}\n", "\"seawall_manifest\" is 0"},
        {"{\"seawall_manifest\":\"1\"}\n", "is a string"},
        {"{\"seawall_manifest\":1}\n", "\"label\" is missing"},
        {HEAD_WITH("\"20261131T153600Z\"", "\"1\"", "8192"), "\"label\" is not that of a backup"},
        {HEAD_WITH("\"x\"", "\"1\"", "8192"), "\"label\" has 1 bytes"},
        {HEAD_WITH("\"" LABEL "\"", "1", "8192"), "\"system_id\" is an integer"},
        {HEAD_WITH("\"" LABEL "\"", "\"18446744073709551616\"", "8192"), "is not a number"},
        {HEAD_WITH("\"" LABEL "\"", "\"01\"", "8192"), "is not a number"},
        {HEAD_WITH("\"" LABEL "\"", "\"1\"", "8191"), "\"block_size\" cannot be 8191"},
        {HEAD_WITH("\"" LABEL "\"", "\"1\"", "65536"), "\"block_size\" cannot be"},
        {HEAD_WITH("\"" LABEL "\"", "\"1\"", "0"), "\"block_size\" cannot be"},
    };
    static struct seen seen;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_bad(&bad[i]);
    assert_int_equal(read_text("{\"seawall_manifest\":2}\n", 23, 23, &seen, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void
hostile_paths_are_refused(void **state)
{
    static const struct bad bad[] = {
        {HEAD EMPTY_FILE("\"path\":\"\""), "\"path\" has 0 bytes"},
        {HEAD EMPTY_FILE("\"path\":\"/etc/passwd\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"..\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"../a\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"a/../b\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"a/..\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\".\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"a/./b\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"a//b\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"a/\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path\":\"a\\u0000b\""), "not JSON"},
        {HEAD EMPTY_FILE("\"path\":7"), "\"path\" is an integer"},
        {HEAD EMPTY_FILE("\"path\":\"a\",\"path_hex\":\"61\""), "both"},
        {HEAD EMPTY_FILE("\"path_hex\":\"2f61\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path_hex\":\"612f2e2e\""), "is not a path below"},
        {HEAD EMPTY_FILE("\"path_hex\":\"610062\""), "not a path in hexadecimal"},
        {HEAD EMPTY_FILE("\"path_hex\":\"616\""), "not a path in hexadecimal"},
        {HEAD EMPTY_FILE("\"path_hex\":\"6G\""), "not a path in hexadecimal"},
        {HEAD EMPTY_FILE("\"path_hex\":\"\""), "\"path_hex\" has 0 bytes"},
        {HEAD EMPTY_FILE("\"no\":1"), "\"path\" is missing"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_bad(&bad[i]);
    assert_true(manifest_path_valid("a/b", 3));
    assert_false(manifest_path_valid("a\0b", 3));
    assert_false(manifest_path_valid("", 0));
}

#define ONE(first, length, label, part, at) "[" first "," length ",\"" label "\"," part "," at "]"

static void
runs_that_do_not_make_up_the_file_are_refused(void **state)
{
    static const struct bad bad[] = {
        {HEAD FILE_RUNS("100", ""), "the runs cover 0 of the file's 100 bytes"},
        {HEAD FILE_RUNS("100", ONE("0", "99", LABEL, "1", "0")), "cover 99"},
        {HEAD FILE_RUNS("100", ONE("0", "101", LABEL, "1", "0")), "run 1 ends behind the file"},
        {HEAD FILE_RUNS("0", ONE("0", "1", LABEL, "1", "0")), "run 1 ends behind the file"},
        {HEAD FILE_RUNS("100", ONE("1", "99", LABEL, "1", "0")), "run 1 begins at byte 1"},
        {HEAD FILE_RUNS("100",
                        ONE("0", "50", LABEL, "1", "0") "," ONE("49", "51", LABEL, "2", "0")),
         "run 2 begins at byte 49 of the file, not where the one before it ends, at 50"},
        {HEAD FILE_RUNS("100",
                        ONE("0", "50", LABEL, "1", "0") "," ONE("51", "49", LABEL, "2", "0")),
         "run 2 begins at byte 51"},
        {HEAD FILE_RUNS("100",
                        ONE("50", "50", LABEL, "2", "0") "," ONE("0", "50", LABEL, "1", "0")),
         "run 1 begins at byte 50"},
        {HEAD FILE_RUNS("100",
                        ONE("0", "100", LABEL, "1", "0") "," ONE("0", "100", LABEL, "1", "0")),
         "run 2 begins at byte 0"},
        {HEAD FILE_RUNS("100", ONE("0", "0", LABEL, "1", "0") "," ONE("0", "100", LABEL, "1", "0")),
         "run 1 names bytes that no part has"},
        {HEAD FILE_RUNS("100", ONE("0", "100", LABEL, "0", "0")), "that no part has"},
        {HEAD FILE_RUNS("100", ONE("0", "100", LABEL, "100000000", "0")), "that no part has"},
        {HEAD FILE_RUNS("100", ONE("0", "100", LABEL, "4294967297", "0")), "number of the part"},
        {HEAD FILE_RUNS("100", ONE("0", "100", LABEL, "1", "33554333")), "that no part has"},
        {HEAD FILE_RUNS("33554433", ONE("0", "33554433", LABEL, "1", "0")), "that no part has"},
        {HEAD FILE_RUNS("100", ONE("0", "100", "20260230T000000Z", "1", "0")), "that no part has"},
        {HEAD FILE_RUNS("100", ONE("0", "100", "x", "1", "0")), "run 1: \"label of the run\""},
        {HEAD FILE_RUNS("100", ONE("0", "100", "20261122T153601Z", "1", "0")), "younger than this"},
        {HEAD FILE_RUNS("100", ONE("0", "-100", LABEL, "1", "0")), "\"length of the run\" is -100"},
        {HEAD FILE_RUNS("100", "[0,100,\"" LABEL "\",1]"), "\"run\" has 4 elements"},
        {HEAD FILE_RUNS("100", "[0,100,\"" LABEL "\",1,0,0]"), "\"run\" has 6 elements"},
        {HEAD FILE_RUNS("100", "7"), "\"run\" is an integer"},
        {HEAD FILE_RUNS("-1", ""), "\"size\" is -1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_bad(&bad[i]);
}

static void
other_wrong_members_are_refused(void **state)
{
#define START "{\"type\":\"file\",\"path\":\"a\","
    static const struct bad bad[] = {
        {HEAD START "\"mtime\":1,\"size\":0,\"crc32c\":\"00000000\",\"runs\":[]}\n",
         "line 2 of the manifest: \"mode\" is missing"},
        {HEAD START "\"mode\":4096,\"mtime\":1,\"size\":0,\"crc32c\":\"00000000\",\"runs\":[]}\n",
         "\"mode\" is 4096"},
        {HEAD START "\"mode\":1,\"size\":0,\"crc32c\":\"00000000\",\"runs\":[]}\n",
         "\"mtime\" is missing"},
        {HEAD START "\"mode\":1,\"mtime\":1,\"crc32c\":\"00000000\",\"runs\":[]}\n",
         "\"size\" is missing"},
        {HEAD START "\"mode\":1,\"mtime\":1,\"size\":0,\"runs\":[]}\n", "\"crc32c\" is missing"},
        {HEAD START "\"mode\":1,\"mtime\":1,\"size\":0,\"crc32c\":\"0000000g\",\"runs\":[]}\n",
         "\"crc32c\" is not hexadecimal"},
        {HEAD START "\"mode\":1,\"mtime\":1,\"size\":0,\"crc32c\":\"0000000\",\"runs\":[]}\n",
         "\"crc32c\" has 7 bytes"},
        {HEAD START "\"mode\":1,\"mtime\":1,\"size\":0,\"crc32c\":\"00000000\"}\n",
         "\"runs\" is missing"},
        {HEAD START "\"mode\":1,\"mode\":1}\n", "duplicate"},
        {HEAD "{\"type\":\"dir\",\"path\":\"a\"}\n", "\"mode\" is missing"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_bad(&bad[i]);
}

static void
members_that_are_not_known_are_passed_over(void **state)
{
    static const char text[] =
        "{\"seawall_manifest\":1,\"label\":\"" LABEL
        "\",\"system_id\":\"1\",\"block_size\":8192,\"new\":[{}]}\n"
        "{\"type\":\"dir\",\"path\":\"a\",\"mode\":448,\"owner\":\"me\"}\n" END("0", "1", "0");
    static struct seen seen;
    struct err err;

    (void)state;
    if (read_text(text, sizeof(text) - 1, 100, &seen, &err) != 0)
        fail_msg("%s", err.text);
}

static void
a_line_may_have_1_mib_and_no_byte_more(void **state)
{
    static const char end[] = END("0", "0", "0");
    static char text[sizeof(HEAD) + MANIFEST_LINE_MAX + 16];
    static const size_t pieces[] = {1000, 65536, sizeof(text)};
    static struct seen seen;
    struct err err;

    (void)state;
    for (size_t more = 0; more <= 1; more++)
        for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
            size_t size = sizeof(HEAD) - 1 + MANIFEST_LINE_MAX + more;

            memset(text, ' ', size);
            memcpy(text, HEAD, sizeof(HEAD) - 1);
            memcpy(text + sizeof(HEAD) - 1, end, sizeof(end) - 2);
            text[size - 1] = '\n';
            int rc = read_text(text, size, pieces[i], &seen, &err);
            assert_int_equal(rc, more == 0 ? 0 : -1);
            if (more > 0)
                assert_string_equal(err.text, "line 2 of the manifest has more than 1048576 bytes");
        }
}

static void
a_full_buffer_is_told_and_left_as_it_was(void **state)
{
    AUTO(buf) struct buf text = BUF_INIT(300);
    struct manifest_entry head = entry_of(MANIFEST_HEAD);
    struct manifest_entry dir = entry_of(MANIFEST_DIR);
    struct err err = ERR_INIT;
    int rc = 0;

    (void)state;
    written(&text, &head);
    for (size_t before = text.size; rc == 0; before = text.size) {
        rc = manifest_write(&text, &dir, &err);
        assert_true(rc == 0 || (rc == BUF_FULL && text.size == before));
        assert_int_equal(text.data[text.size - 1], '\n');
    }
    assert_int_equal(rc, BUF_FULL);
}

static void
the_longest_entry_fits_into_a_line_and_comes_back(void **state)
{
    static struct manifest_run runs[MANIFEST_RUNS_MAX + 1];
    static struct seen seen;
    AUTO(buf) struct buf line = BUF_INIT(MANIFEST_LINE_MAX);
    AUTO(buf) struct buf text = BUF_INIT(MANIFEST_OBJECT_MAX);
    struct manifest_entry head = entry_of(MANIFEST_HEAD);
    struct manifest_entry file = entry_of(MANIFEST_FILE);
    struct manifest_entry end = entry_of(MANIFEST_END);
    const uint64_t length = MANIFEST_PART_MAX - 10000000;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(runs); i++)
        runs[i] = (struct manifest_run){i * length, length, LABEL, BACKUP_NUMBER_MAX, 10000000};
    file.runs = runs;
    file.n_runs = MANIFEST_RUNS_MAX;
    file.size = MANIFEST_RUNS_MAX * length;
    file.mode = 07777;
    file.mtime = INT64_MIN;
    memset(file.path, '\n', sizeof(file.path) - 1);
    written(&line, &file);
    assert_int_equal(manifest_write(&line, &file, &err), BUF_FULL);
    end.n_files = 1;
    end.n_bytes = file.size;
    written(&text, &head);
    written(&text, &file);
    written(&text, &end);
    if (read_text((const char *)text.data, text.size, 1000, &seen, &err) != 0)
        fail_msg("%s", err.text);
    assert_string_equal(seen.entries[1].path, file.path);
    assert_int_equal(seen.entries[1].n_runs, MANIFEST_RUNS_MAX);
    file.n_runs++;
    file.size += length;
    assert_int_equal(manifest_write(&text, &file, &err), -1);
}

static void
what_the_reader_would_refuse_is_not_written(void **state)
{
    static const struct manifest_run short_run = {0, 5, LABEL, 1, 0};
    AUTO(buf) struct buf text = BUF_INIT(MANIFEST_LINE_MAX);
    struct manifest_entry bad[] = {
        entry_of(MANIFEST_HEAD), entry_of(MANIFEST_HEAD), entry_of(MANIFEST_DIR),
        entry_of(MANIFEST_DIR),  entry_of(MANIFEST_FILE), entry_of(MANIFEST_FILE),
        entry_of(MANIFEST_DIR),  entry_of(MANIFEST_END),
    };
    struct err err = ERR_INIT;

    (void)state;
    bad[0].label[0] = 'x';
    bad[1].block_size = 100;
    bad[2].path[0] = '\0';
    bad[3].mode = 010000;
    bad[4].size = 1;
    bad[5].size = 6;
    bad[5].runs = &short_run;
    bad[5].n_runs = 1;
    memset(bad[6].path, 'x', sizeof(bad[6].path));
    bad[7].n_bytes = UINT64_MAX;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(manifest_write(&text, &bad[i], &err), -1);
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(text.size, 0);
    }
}

static int
refuse(void *context, const struct manifest_entry *entry, struct err *err)
{
    (void)context;
    return entry->type == MANIFEST_DIR ? err_set(err, ERR_LOCAL, "disk full") : 0;
}

static void
an_error_of_the_sink_stops_the_reading(void **state)
{
    static const char text[] = HEAD DIR_LINE "not read";
    AUTO(manifest_reader) struct manifest_reader *reader = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(manifest_reader_new(&reader, &err), 0);
    assert_int_equal(
        manifest_reader_feed(reader, (const uint8_t *)text, sizeof(text) - 1, refuse, NULL, &err),
        -1);
    assert_int_equal(err.kind, ERR_LOCAL);
    assert_string_equal(err.text, "disk full");
}

static void
every_beginning_of_a_manifest_is_refused(void **state)
{
    static const char text[] = HEAD DIR_LINE FILE_LINE END("1", "1", "100");
    static struct seen seen;
    struct err err;

    (void)state;
    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        assert_int_equal(read_text(text, size, 64, &seen, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_manifest_is_read_in_pieces_of_every_size),
        cmocka_unit_test(lines_are_written_as_the_format_says),
        cmocka_unit_test(every_name_a_file_can_have_comes_back),
        cmocka_unit_test(every_byte_but_nul_and_slash_comes_back),
        cmocka_unit_test(the_order_of_lines_is_insisted_on),
        cmocka_unit_test(wrong_heads_are_refused),
        cmocka_unit_test(hostile_paths_are_refused),
        cmocka_unit_test(runs_that_do_not_make_up_the_file_are_refused),
        cmocka_unit_test(other_wrong_members_are_refused),
        cmocka_unit_test(members_that_are_not_known_are_passed_over),
        cmocka_unit_test(a_line_may_have_1_mib_and_no_byte_more),
        cmocka_unit_test(a_full_buffer_is_told_and_left_as_it_was),
        cmocka_unit_test(the_longest_entry_fits_into_a_line_and_comes_back),
        cmocka_unit_test(what_the_reader_would_refuse_is_not_written),
        cmocka_unit_test(an_error_of_the_sink_stops_the_reading),
        cmocka_unit_test(every_beginning_of_a_manifest_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
