/* SPDX-License-Identifier: PostgreSQL */
#include "store/http_head.h"

#include <stdio.h>
#include <string.h>

#include "cmocka_all.h"

/* Take lines up to the first complaint, which is returned. */
static const char *
take(struct http_head *head, const char *const *lines)
{
    const char *wrong = NULL;

    *head = (struct http_head){0};
    for (size_t i = 0; wrong == NULL && lines[i] != NULL; i++)
        wrong = http_head_line(head, lines[i], strlen(lines[i]));
    return wrong;
}

static void
the_facts_of_an_answer_are_kept(void **state UNUSED)
{
    static const char *const lines[] = {
        "HTTP/1.1 206 Partial Content\r\n",
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
        "CONTENT-LENGTH:100\r\n",
        "Content-Range: bytes 200-299/1000\r\n",
        "ETag: \t \"abc\" \r\n",
        "x-amz-bucket-region: eu-west-3\r\n",
        "X-Amz-Server-Side-Encryption: aws:kms\r\n",
        "Content-Type: application/xml\r\n",
        "Retry-After: 120\r\n",
        "x-unknown:\r\n",
        "\r\n",
        NULL,
    };
    struct http_head head;

    assert_null(take(&head, lines));
    assert_int_equal(head.status, 206);
    assert_true(head.complete);
    assert_true(head.length_known);
    assert_int_equal(head.length, 100);
    assert_true(head.range_known);
    assert_int_equal(head.range_first, 200);
    assert_int_equal(head.range_last, 299);
    assert_int_equal(head.range_total, 1000);
    assert_true(head.date_known);
    assert_int_equal(head.date_s, 784111777);
    assert_int_equal(head.retry_after_ms, 120000);
    assert_string_equal(head.etag, "\"abc\"");
    assert_string_equal(head.bucket_region, "eu-west-3");
    assert_string_equal(head.encryption, "aws:kms");
    assert_string_equal(head.content_type, "application/xml");
    assert_false(head.chunked);
    assert_false(head.coded);
    assert_false(head.deleted);
}

static void
interim_answers_leave_nothing_behind(void **state UNUSED)
{
    static const char *const lines[] = {
        "HTTP/1.1 103 Early Hints\r\n",
        "Content-Length: 5\r\n",
        "ETag: \"x\"\r\n",
        "\r\n",
        "HTTP/1.1 200 OK\r\n",
        "Content-Length: 7\r\n",
        "\r\n",
        NULL,
    };
    struct http_head head;

    assert_null(take(&head, lines));
    assert_int_equal(head.status, 200);
    assert_int_equal(head.length, 7);
    assert_string_equal(head.etag, "");
}

static void
trailers_change_nothing(void **state UNUSED)
{
    static const char *const lines[] = {
        "HTTP/1.1 200 OK\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "Content-Length: 7\r\n",
        "ETag: \"x\"\r\n",
        "\r\n",
        NULL,
    };
    struct http_head head;

    assert_null(take(&head, lines));
    assert_true(head.chunked);
    assert_false(head.coded);
    assert_false(head.length_known);
    assert_string_equal(head.etag, "");
}

static void
bad_heads_are_refused(void **state UNUSED)
{
    static const struct {
        const char *lines[4];
        const char *wrong;
    } rows[] = {
        {{"HTTP/1.1 20 OK\r\n"}, "an unreadable status line"},
        {{"HTTP/1.1 2000 OK\r\n"}, "an unreadable status line"},
        {{"HTTP/2 200\r\n"}, "an unreadable status line"},
        {{"HTTP/1.1 099 OK\r\n"}, "an unreadable status line"},
        {{"HTTP/1.1 600 OK\r\n"}, "an unreadable status line"},
        {{"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n"}, "a second status line"},
        {{"HTTP/1.1 200 OK\r\n", "\r\n", "HTTP/1.1 200 OK\r\n"}, "a second status line"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length: 5\r\n", "Content-Length: 5\r\n"},
         "more than one Content-Length"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length: -5\r\n"}, "an unreadable Content-Length"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length: 5, 5\r\n"}, "an unreadable Content-Length"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length: 0x5\r\n"}, "an unreadable Content-Length"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length:\r\n"}, "an unreadable Content-Length"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length: 9223372036854775808\r\n"},
         "an unreadable Content-Length"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length : 5\r\n"}, "a malformed header line"},
        {{"HTTP/1.1 200 OK\r\n", " Content-Length: 5\r\n"}, "a malformed header line"},
        {{"HTTP/1.1 200 OK\r\n", "Content-Length\r\n"}, "a malformed header line"},
        {{"HTTP/1.1 200 OK\r\n", ": 5\r\n"}, "a malformed header line"},
        {{"HTTP/1.1 206 OK\r\n", "Content-Range: bytes 0-1/2\r\n", "Content-Range: x\r\n"},
         "more than one Content-Range"},
    };
    struct http_head head;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *wrong = take(&head, rows[i].lines);

        if (wrong == NULL)
            fail_msg("row %zu was taken", i);
        assert_string_equal(wrong, rows[i].wrong);
    }
}

static void
floods_are_refused(void **state UNUSED)
{
    static char line[HTTP_HEAD_MAX];
    struct http_head head = {0};
    const char *wrong = NULL;

    memset(line, 'x', sizeof(line));
    line[1] = ':';
    assert_null(http_head_line(&head, "HTTP/1.1 200 OK\r\n", 17));
    assert_null(http_head_line(&head, line, sizeof(line) - 17));
    assert_string_equal(http_head_line(&head, "\r\n", 2), "more than 64 KiB of headers");

    head = (struct http_head){0};
    for (unsigned i = 0; i < HTTP_INTERIM_MAX; i++)
        assert_null(http_head_line(&head, "HTTP/1.1 100 A\r\n", 16));
    wrong = http_head_line(&head, "HTTP/1.1 100 A\r\n", 16);
    assert_string_equal(wrong, "an endless row of 1xx answers");
}

static void
encodings_are_noticed(void **state UNUSED)
{
    static const struct {
        const char *lines[4];
        bool coded;
    } rows[] = {
        {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n"}, false},
        {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: gzip, chunked\r\n"}, true},
        {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: identity\r\n"}, true},
        {{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\n"},
         true},
        {{"HTTP/1.1 200 OK\r\n", "Content-Encoding: gzip\r\n"}, true},
        {{"HTTP/1.1 200 OK\r\n", "Content-Encoding: identity\r\n"}, false},
        {{"HTTP/1.1 200 OK\r\n", "Content-Encoding:\r\n"}, false},
    };
    struct http_head head;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_null(take(&head, rows[i].lines));
        assert_int_equal(head.coded, rows[i].coded);
    }
}

static void
only_a_usable_range_is_one(void **state UNUSED)
{
    static const char *const values[] = {
        "bytes 0-9/9",
        "bytes 9-0/20",
        "bytes */20",
        "bytes 0-9/*",
        "bytes 0-9",
        "bytes 0/9-9",
        "bytes -9/20",
        "items 0-9/20",
        "bytes",
        "bytes 00-9/20",
        "bytes 0-9/20 ,",
        "",
        "bytes 0-9223372036854775808/9223372036854775809",
    };

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        struct http_head head = {0};
        char line[128];

        (void)snprintf(line, sizeof(line), "Content-Range: %s\r\n", values[i]);
        assert_null(http_head_line(&head, line, strlen(line)));
        if (head.range_known)
            fail_msg("\"%s\" was taken", values[i]);
    }
}

static void
a_delete_marker_is_anything_but_false(void **state UNUSED)
{
    static const struct {
        const char *lines[3];
        bool deleted;
    } rows[] = {
        {{"x-amz-delete-marker: true\r\n"}, true},
        {{"X-AMZ-DELETE-MARKER: True\r\n"}, true},
        {{"x-amz-delete-marker:\r\n"}, true},
        {{"x-amz-delete-marker: false\r\n"}, false},
        {{"x-amz-delete-marker: false\r\n", "x-amz-delete-marker: true\r\n"}, true},
        {{"x-amz-delete-marker: true\r\n", "x-amz-delete-marker: false\r\n"}, true},
    };
    struct http_head head;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_null(take(&head, rows[i].lines));
        assert_int_equal(head.deleted, rows[i].deleted);
    }
}

static void
a_date_to_wait_for_counts_from_the_servers_own(void **state UNUSED)
{
    static const char *const lines[] = {"HTTP/1.1 503 Busy\r\n",
                                        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
                                        "Retry-After: Sun, 06 Nov 1994 08:49:40 GMT\r\n", NULL};
    static const char *const dateless[] = {"HTTP/1.1 503 Busy\r\n",
                                           "Retry-After: Sun, 06 Nov 1994 08:49:40 GMT\r\n", NULL};
    struct http_head head;

    assert_null(take(&head, lines));
    assert_int_equal(head.retry_after_ms, 3000);
    assert_null(take(&head, dateless));
    assert_int_equal(head.retry_after_ms, 0);
}

static void
dates_are_read_strictly(void **state UNUSED)
{
    static const struct {
        const char *text;
        int64_t date_s; /* -1: refused */
    } rows[] = {
        {"Thu, 01 Jan 1970 00:00:00 GMT", 0},
        {"Tue, 29 Feb 2000 23:59:59 GMT", 951868799},
        {"Sun, 22 Nov 2026 15:36:00 GMT", 1795361760},
        {"Sun, 22 Nov 2026 15:36:00 UTC", -1},
        {"Sun, 22 Nov 2026 15:36:00", -1},
        {"Sun, 22 nov 2026 15:36:00 GMT", -1},
        {"Sun, 00 Nov 2026 15:36:00 GMT", -1},
        {"Sun, 32 Nov 2026 15:36:00 GMT", -1},
        {"Sun, 22 Nov 2026 24:36:00 GMT", -1},
        {"Sun, 22 Nov 2026 15:60:00 GMT", -1},
        {"Sun, 22 Nov 2026 15:36:61 GMT", -1},
        {"Sun, 22 Nov -026 15:36:00 GMT", -1},
        {"Sun, 22 Nov 1969 15:36:00 GMT", -1},
        {"Sunday, 06-Nov-94 08:49:37 GMT", -1},
        {"Sun Nov  6 08:49:37 1994", -1},
        {"", -1},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        int64_t date_s = -1;

        assert_int_equal(http_head_date(rows[i].text, strlen(rows[i].text), &date_s),
                         rows[i].date_s >= 0);
        assert_int_equal(date_s, rows[i].date_s);
    }
}

static void
texts_that_cannot_be_right_are_not_kept(void **state UNUSED)
{
    struct http_head head = {0};
    char line[300];

    (void)snprintf(line, sizeof(line), "ETag: %0200d\r\n", 0);
    assert_null(http_head_line(&head, line, strlen(line)));
    assert_string_equal(head.etag, "");
    assert_null(http_head_line(&head, "ETag: a\x01z\r\n", 11));
    assert_string_equal(head.etag, "");
    assert_null(http_head_line(&head, "ETag: a\0z\r\n", 11));
    assert_string_equal(head.etag, "");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_facts_of_an_answer_are_kept),
        cmocka_unit_test(interim_answers_leave_nothing_behind),
        cmocka_unit_test(trailers_change_nothing),
        cmocka_unit_test(bad_heads_are_refused),
        cmocka_unit_test(floods_are_refused),
        cmocka_unit_test(encodings_are_noticed),
        cmocka_unit_test(only_a_usable_range_is_one),
        cmocka_unit_test(a_delete_marker_is_anything_but_false),
        cmocka_unit_test(a_date_to_wait_for_counts_from_the_servers_own),
        cmocka_unit_test(dates_are_read_strictly),
        cmocka_unit_test(texts_that_cannot_be_right_are_not_kept),
    };

    return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
