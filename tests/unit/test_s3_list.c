/* SPDX-License-Identifier: PostgreSQL */
/*
 * What lists may say, and what becomes of deletions.
 */
#include "base/macros.h"
#include "s3_scenario.h"

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

int
main(void)
{
    static const struct scenarios tables[] = {{listing, ARRAY_SIZE(listing)}};

    return scenarios_run("s3_list", tables, ARRAY_SIZE(tables));
}
