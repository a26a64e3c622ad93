/* SPDX-License-Identifier: PostgreSQL */
/*
 * What lists may say, whose answer they are, and what becomes of deletions.
 */
#include <string.h>

#include "base/macros.h"
#include "cmocka_all.h"
#include "s3_scenario.h"
#include "store/s3_list.h"

#define NEXT "<NextContinuationToken>t</NextContinuationToken>"

static const struct scenario listing[] = {
    {"names are listed",
     LIST,
     {{.status = 200, .body = PAGE("false", KEY("root/wal/a") KEY("root/wal/b"))}},
     .text = "wal/a wal/b",
     .last = "GET /bucket?list-type=2&max-keys=3&prefix=root%2Fwal%2F"
             "&start-after=root%2Fwal%2F0%21"},
    {"more names are said to follow",
     LIST,
     {{.status = 200, .body = PAGE("true", NEXT KEY("root/wal/a"))}},
     .text = "wal/a ..."},
    {"a list may come in chunks",
     LIST,
     {{.raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
              "31\r\n<ListBucketResult><IsTruncated>false</IsTruncated\r\n"
              "14\r\n></ListBucketResult>\r\n0\r\n\r\n"}},
     .text = ""},
    {"a cut list is asked for again",
     LIST,
     {{.raw = "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult><IsTruncated>false</IsTruncated>",
       .way = FAKE_CLOSE},
      {.status = 200, .body = PAGE("false", KEY("root/wal/a"))}},
     .text = "wal/a",
     .n_requests = 2},
    {"an error with status 200 is asked for again",
     LIST,
     {ERROR(200, "InternalError"), {.status = 200, .body = PAGE("false", KEY("root/wal/a"))}},
     .text = "wal/a",
     .n_requests = 2},
    {"a page for people is no list",
     LIST,
     {{.status = 200, .body = "<html/>"}},
     FAILS(ERR_TRANSIENT, "could not list \"wal/\""),
     .n_requests = 99},
    {"disorder is corrupt",
     LIST,
     {{.status = 200, .body = PAGE("false", KEY("root/wal/b") KEY("root/wal/a"))}},
     FAILS(ERR_CORRUPT, "not in order")},
    {"repetition is corrupt",
     LIST,
     {{.status = 200, .body = PAGE("false", KEY("root/wal/a") KEY("root/wal/a"))}},
     FAILS(ERR_CORRUPT, "not in order")},
    {"a key before the beginning is corrupt",
     LIST,
     {{.status = 200, .body = PAGE("false", KEY("root/wal/0"))}},
     FAILS(ERR_CORRUPT, "not in order")},
    {"a key outside the root is corrupt",
     LIST,
     {{.status = 200, .body = PAGE("false", KEY("root0/wal/a"))}},
     FAILS(ERR_CORRUPT, "outside the root")},
    {"a key outside the prefix is corrupt",
     LIST,
     {{.status = 200, .body = PAGE("false", KEY("root/wam/a"))}},
     FAILS(ERR_CORRUPT, "not asked for")},
    {"more keys than asked for are corrupt",
     LIST,
     {{.status = 200,
       .body =
           PAGE("false", KEY("root/wal/a") KEY("root/wal/b") KEY("root/wal/c") KEY("root/wal/d"))}},
     FAILS(ERR_CORRUPT, "more than the 3 names")},
    {"foreign names are left out",
     LIST,
     {{.status = 200,
       .body = PAGE("false", KEY("root/wal/a b") KEY("root/wal/b") KEY("root/wal/c/../d")
                                 KEY("root/wal/d/"))}},
     .text = "wal/b"},
    {"a page of foreign names only is passed over",
     LIST,
     {{.status = 200, .body = PAGE("true", NEXT KEY("root/wal/a b"))},
      {.status = 200, .body = PAGE("false", KEY("root/wal/b"))}},
     .text = "wal/b",
     .n_requests = 2,
     .last = "start-after=root%2Fwal%2Fa%20b%21"},
    {"a list cut off before its first key is asked for again",
     LIST,
     {{.status = 200, .body = PAGE("true", NEXT)},
      {.status = 200, .body = PAGE("false", KEY("root/wal/b"))}},
     .text = "wal/b",
     .n_requests = 2},
    {"a missing bucket has no list",
     LIST,
     {ERROR(404, "NoSuchBucket")},
     FAILS(ERR_DENIED, "NoSuchBucket")},
    {"an endless list is cut",
     LIST,
     {{.raw = "HTTP/1.1 200 OK\r\n\r\n<ListBucketResult>", .padding = 9000000, .way = FAKE_CLOSE}},
     FAILS(ERR_CORRUPT, "more bytes than there may be")},
    {"an object is deleted",
     DELETE,
     {{.raw = "HTTP/1.1 204 No Content\r\n\r\n"}},
     .last = "DELETE /bucket/root/wal/x HTTP/1.1"},
    {"deleted may be said with 200", DELETE, {{.status = 200}}, .outcome = 0},
    {"what is absent is deleted", DELETE, {ERROR(404, "NoSuchKey")}, .outcome = 0},
    {"a plain 404 deletes nothing",
     DELETE,
     {PLAIN(404)},
     FAILS(ERR_TRANSIENT, "a proxy?"),
     .n_requests = 99},
    {"a missing bucket is no deletion",
     DELETE,
     {ERROR(404, "NoSuchBucket")},
     FAILS(ERR_DENIED, "NoSuchBucket")},
};

#define OF(mark) "<StartAfter>" mark "</StartAfter>"

/* "!7" was asked with. */
static const struct {
    const char *body;
    bool marked_request;
    bool trusted; /* a new connection */
    int expected;
} origins[] = {
    {PAGE("false", OF("!7")), true, false, 0},
    {PAGE("false", OF("!7") KEY("wal/a")), true, false, 0},
    {PAGE("false", OF("!6")), true, false, S3_LIST_DOUBTED},
    {PAGE("false", OF("!6") KEY("wal/a")), true, false, S3_LIST_DOUBTED},
    {PAGE("false", OF("!6") KEY("of/another/request")), true, false, S3_LIST_DOUBTED},
    {PAGE("false", OF("!77")), true, false, S3_LIST_DOUBTED},
    {PAGE("false", OF("")), true, false, S3_LIST_DOUBTED},
    {PAGE("false", ""), true, false, S3_LIST_DOUBTED},
    {PAGE("false", ""), false, false, S3_LIST_DOUBTED},
    {PAGE("false", OF("")), false, false, S3_LIST_DOUBTED},
    {PAGE("false", KEY("wal/a")), true, false, 0},
    {PAGE("false", KEY("wal/a")), false, false, 0},
    {PAGE("false", ""), false, true, 0},
    {PAGE("false", OF("!6")), true, true, 0},
};

static void
there_is_nothing_only_if_the_list_says_that_to_us(void **state UNUSED)
{
    for (size_t i = 0; i < ARRAY_SIZE(origins); i++) {
        struct store_task task = {.kind = TASK_LIST, .name = "wal/", .max = 3};
        struct s3_list_asked asked = {.root = "",
                                      .mark = origins[i].marked_request ? "!7" : "",
                                      .trusted = origins[i].trusted};
        struct buf body = BUF_INIT(1000);
        char last_key[S3_KEY_MAX + 1] = "";
        bool more = true, marked = false;
        struct err err = ERR_INIT;

        task.page_memory = BUF_INIT(1000);
        assert_int_equal(buf_append(&body, origins[i].body, strlen(origins[i].body), &err), 0);
        int rc = s3_list_read(&task, &asked, &body, last_key, &more, &marked, &err);
        if (rc != origins[i].expected)
            fail_msg("%zu: %d", i, rc);
        if (rc == 0) {
            assert_false(more);
            assert_int_equal(marked, strstr(origins[i].body, OF("!7")) != NULL);
        }
        buf_done(&body);
        buf_done(&task.page_memory);
    }
}

int
main(void)
{
    static const struct scenarios tables[] = {{listing, ARRAY_SIZE(listing)}};
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_nothing_only_if_the_list_says_that_to_us),
    };
    int failed = scenarios_run("s3_list", tables, ARRAY_SIZE(tables));

    return failed + cmocka_run_group_tests_name("s3_list, origins", tests, NULL, NULL);
}
