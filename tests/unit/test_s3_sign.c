/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "s3_sign_vectors.h"
#include "store/s3_sign.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define DATE "20261122T153600Z"
#define BUCKET_HOST "bucket.s3.eu-west-3.amazonaws.com"

static const struct s3_identity amazon = {
    .access_key_id = "AKIAIOSFODNN7EXAMPLE",
    .secret_access_key = SECRET,
    .region = "us-east-1",
    .service = "s3",
};

static const struct s3_identity paris = {
    .access_key_id = "AKIAIOSFODNN7EXAMPLE",
    .secret_access_key = SECRET,
    .region = "eu-west-3",
    .service = "s3",
};

static const struct s3_request plain = {
    .method = "GET", .host = BUCKET_HOST, .path = "/k", .payload_hash = EMPTY_HASH};

/* The whole of what s3_sign() appends. */
static const char *
signed_lines(const struct s3_request *request, const struct s3_identity *identity, const char *date,
             struct buf *lines)
{
    struct err err = ERR_INIT;

    buf_clear(lines);
    assert_int_equal(s3_sign(request, identity, date, lines, &err), 0);
    const char *text = buf_text(lines, &err);
    assert_non_null(text);
    return text;
}

static void
assert_signature(const struct s3_request *request, const struct s3_identity *identity,
                 const char *date, const char *signature)
{
    AUTO(buf) struct buf lines = BUF_INIT(BUF_LIMIT_DEFAULT);
    const char *text = signed_lines(request, identity, date, &lines);
    const char *found = strstr(text, "Signature=");

    assert_non_null(found);
    assert_int_equal(strlen(found), strlen("Signature=") + 64 + 1);
    assert_memory_equal(found + strlen("Signature="), signature, 64);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void
amazons_four_examples_for_s3_are_reproduced(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        struct s3_request request = examples[i].request;

        request.host = "examplebucket.s3.amazonaws.com";
        assert_signature(&request, &amazon, "20130524T000000Z", examples[i].signature);
    }
}

static void
the_lines_to_send_are_those_of_the_documentation(void **state)
{
    AUTO(buf) struct buf lines = BUF_INIT(BUF_LIMIT_DEFAULT);
    struct s3_request request = {.method = "GET",
                                 .host = "examplebucket.s3.amazonaws.com",
                                 .path = "/test.txt",
                                 .payload_hash = EMPTY_HASH,
                                 .headers = {{"range", "bytes=0-9"}},
                                 .n_headers = 1};

    (void)state;
    assert_string_equal(
        signed_lines(&request, &amazon, "20130524T000000Z", &lines),
        "x-amz-content-sha256: " EMPTY_HASH "\n"
        "x-amz-date: 20130524T000000Z\n"
        "range: bytes=0-9\n"
        "authorization: AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41\n");
}

static void
remove_text(char *text, const char *piece)
{
    char *at = strstr(text, piece);

    assert_non_null(at);
    memmove(at, at + strlen(piece), strlen(at + strlen(piece)) + 1);
}

static void
canonical_requests_of_the_general_suite_are_reproduced(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(suite); i++) {
        AUTO(buf) struct buf canonical = BUF_INIT(BUF_LIMIT_DEFAULT);
        struct s3_request request = suite[i].request;
        struct s3_identity identity = amazon;
        struct err err = ERR_INIT;
        char text[2048];

        request.host = "example.amazonaws.com";
        request.payload_hash = EMPTY_HASH;
        identity.service = "service";
        identity.session_token = suite[i].token;
        assert_int_equal(
            s3_canonical_request(&request, &identity, "20150830T123600Z", &canonical, &err), 0);
        (void)snprintf(text, sizeof(text), "%.*s", (int)canonical.size,
                       (const char *)canonical.data);
        remove_text(text, "x-amz-content-sha256:" EMPTY_HASH "\n");
        remove_text(text, "x-amz-content-sha256;");
        if (strcmp(text, suite[i].expected) != 0)
            fail_msg("%s: \"%s\"", suite[i].name, text);
    }
}

static void
hostile_keys_are_encoded_exactly_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        AUTO(buf) struct buf encoded = BUF_INIT(BUF_LIMIT_DEFAULT);
        struct s3_request request = plain;
        struct err err = ERR_INIT;

        request.method = "PUT";
        request.path = keys[i].path;
        assert_int_equal(s3_encode(&encoded, keys[i].path, true, &err), 0);
        assert_string_equal(buf_text(&encoded, &err), keys[i].encoded);
        assert_signature(&request, &paris, DATE, keys[i].signature);
    }
}

static void
queries_are_sorted_by_encoded_name_and_then_value(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(queries); i++) {
        AUTO(buf) struct buf encoded = BUF_INIT(BUF_LIMIT_DEFAULT);
        struct s3_request request = plain;
        struct err err = ERR_INIT;

        request.path = "/";
        request.n_query = queries[i].n_query;
        memcpy(request.query, queries[i].query, sizeof(request.query));
        assert_int_equal(s3_encode_query(&encoded, &request, &err), 0);
        assert_string_equal(buf_text(&encoded, &err), queries[i].encoded);
        assert_signature(&request, &paris, DATE, queries[i].signature);
    }
}

static void
no_query_is_no_question_mark(void **state)
{
    AUTO(buf) struct buf encoded = BUF_INIT(16);
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(s3_encode_query(&encoded, &plain, &err), 0);
    assert_int_equal(encoded.size, 0);
}

static void
every_byte_but_the_unreserved_is_encoded(void **state)
{
    static const char unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    (void)state;
    for (unsigned byte = 1; byte < 256; byte++) {
        AUTO(buf) struct buf encoded = BUF_INIT(16);
        const char text[2] = {(char)(unsigned char)byte, '\0'};
        struct err err = ERR_INIT;
        char expected[4];

        if (strchr(unreserved, text[0]) != NULL)
            memcpy(expected, text, sizeof(text));
        else
            (void)snprintf(expected, sizeof(expected), "%%%02X", byte & 255);
        assert_int_equal(s3_encode(&encoded, text, false, &err), 0);
        assert_string_equal(buf_text(&encoded, &err), expected);
    }
}

static void
a_session_token_is_sent_and_signed(void **state)
{
    AUTO(buf) struct buf lines = BUF_INIT(BUF_LIMIT_DEFAULT);
    struct s3_identity identity = paris;

    (void)state;
    identity.session_token = TOKEN;
    assert_signature(&plain, &identity, DATE,
                     "07e2f0c6d1c12e60be9cbaf66b1aea16f47f402ae6284b5c1ef9cff524ba1dd2");
    assert_non_null(strstr(signed_lines(&plain, &identity, DATE, &lines),
                           "\nx-amz-security-token: " TOKEN "\n"));
    identity.session_token = "";
    assert_null(strstr(signed_lines(&plain, &identity, DATE, &lines), "security-token"));
}

static void
headers_are_sent_exactly_as_they_are_signed(void **state)
{
    AUTO(buf) struct buf lines = BUF_INIT(BUF_LIMIT_DEFAULT);
    struct s3_identity identity = paris;
    struct s3_request request = {.method = "PUT",
                                 .host = "minio.example:9000",
                                 .path = "/b/k",
                                 .payload_hash = EMPTY_HASH,
                                 .headers = {{"if-none-match", "*"},
                                             {"content-type", "application/octet-stream"},
                                             {"x-amz-meta-note", "  a   b  \"c   d\" "}},
                                 .n_headers = 3};

    (void)state;
    identity.region = "RegionOne";
    assert_signature(&request, &identity, DATE,
                     "1c78acd844b7c9025f02c9e822f9f710459299b0f51fa268c47ea25a199718b0");
    assert_non_null(strstr(signed_lines(&request, &identity, DATE, &lines),
                           "\nx-amz-meta-note: a b \"c d\"\n"));
}

static void
assert_refused(const struct s3_request *request, const struct s3_identity *identity,
               const char *date, const char *what)
{
    AUTO(buf) struct buf ret = BUF_INIT(BUF_LIMIT_DEFAULT);
    struct err err = ERR_INIT;

    assert_int_equal(buf_append_text(&ret, "before", &err), 0);
    if (s3_sign(request, identity, date, &ret, &err) != -1)
        fail_msg("accepted: %s", what);
    assert_int_equal(err.kind, ERR_INTERNAL);
    assert_null(strstr(err.text, "wJalr"));
    assert_int_equal(s3_canonical_request(request, identity, date, &ret, &err), -1);
    assert_int_equal(ret.size, strlen("before"));
}

static void
a_header_that_could_change_the_request_is_refused(void **state)
{
    static const struct s3_pair bad[] = {
        {"host", "evil"},
        {"authorization", "x"},
        {"x-amz-date", "x"},
        {"x-amz-content-sha256", "x"},
        {"x-amz-security-token", "x"},
        {"", "x"},
        {"Range", "x"},
        {"a b", "x"},
        {"a:b", "x"},
        {"a\nb", "x"},
        {"\303\274", "x"},
        {"range", "a\r\nx-evil: 1"},
        {"range", "a\nb"},
        {"range", "a\rb"},
        {"range", "a\tb"},
        {"range", "\177"},
        {"range", ""},
        {"range", "  "},
        {"if-match", "again"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct s3_request request = plain;

        request.headers[0] = (struct s3_pair){"if-match", "x"};
        request.headers[1] = bad[i];
        request.n_headers = 2;
        assert_refused(&request, &paris, DATE, bad[i].name);
    }
}

static void
too_many_pairs_are_refused(void **state)
{
    struct s3_request request = plain;

    (void)state;
    request.n_headers = S3_SIGN_PAIRS_MAX + 1;
    assert_refused(&request, &paris, DATE, "headers");
    request.n_headers = 0;
    request.n_query = S3_SIGN_PAIRS_MAX + 1;
    assert_refused(&request, &paris, DATE, "parameters");
}

static void
a_malformed_request_is_refused(void **state)
{
    static const struct s3_request requests[] = {
        {.method = "", .host = "h", .path = "/", .payload_hash = EMPTY_HASH},
        {.method = "GET /", .host = "h", .path = "/", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "", .path = "/", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "h\nx: y", .path = "/", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "user@h", .path = "/", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "h/", .path = "/", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "k", .payload_hash = EMPTY_HASH},
        {.method = "GET", .host = "h", .path = "/", .payload_hash = ""},
        {.method = "GET", .host = "h", .path = "/", .payload_hash = EMPTY_HASH "0"},
        {.method = "GET", .host = "h", .path = "/", .payload_hash = "UNSIGNED-PAYLOAD"},
    };
    static const char *const dates[] = {
        "",
        "20261122",
        "20261122T153600",
        "20261122T153600ZZ",
        "20261122 153600Z",
        "2026-1-22T153600Z",
        "20261122T1536xxZ",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
        assert_refused(&requests[i], &paris, DATE, "request");
    for (size_t i = 0; i < ARRAY_SIZE(dates); i++)
        assert_refused(&plain, &paris, dates[i], dates[i]);
}

static void
an_unusable_identity_is_refused(void **state)
{
    static const struct s3_identity bad[] = {
        {"", SECRET, NULL, "r", "s3"},    {"a b", SECRET, NULL, "r", "s3"},
        {"a,b", SECRET, NULL, "r", "s3"}, {"a\nb", SECRET, NULL, "r", "s3"},
        {"a", "", NULL, "r", "s3"},       {"a", SECRET, NULL, "", "s3"},
        {"a", SECRET, NULL, "r/x", "s3"}, {"a", SECRET, NULL, "r", ""},
        {"a", SECRET, NULL, "r\n", "s3"}, {"a", SECRET, "t\r\nx: y", "r", "s3"},
        {"a", SECRET, " ", "r", "s3"},    {"a", SECRET, NULL, "r, x", "s3"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_refused(&plain, &bad[i], DATE, "identity");
}

static void
a_full_buffer_is_an_error_and_stays_as_it_was(void **state)
{
    (void)state;
    for (size_t limit = 0; limit < 480; limit++) {
        AUTO(buf) struct buf ret = BUF_INIT(limit);
        struct s3_request request = plain;
        struct err err = ERR_INIT;

        request.query[0] = (struct s3_pair){"a", "b"};
        request.n_query = 1;
        if (s3_sign(&request, &paris, DATE, &ret, &err) == 0)
            return;
        assert_int_equal(err.kind, ERR_INTERNAL);
        assert_int_equal(ret.size, 0);
        if (limit < 4)
            assert_int_equal(s3_encode_query(&ret, &request, &err), -1);
        if (limit < 6)
            assert_int_equal(s3_encode(&ret, "  ", true, &err), -1);
        if (limit < 100)
            assert_int_equal(s3_canonical_request(&request, &paris, DATE, &ret, &err), -1);
        assert_true(ret.size == 0 || limit >= 4);
    }
    fail_msg("the signed lines never fit");
}

static void
dates_are_written_in_utc(void **state)
{
    static const struct {
        int64_t real_us;
        const char *text;
    } cases[] = {
        {0, "19700101T000000Z"},
        {INT64_C(1369353600000000), "20130524T000000Z"},
        {INT64_C(1795361760999999), "20261122T153600Z"},
        {INT64_C(951827696000000), "20000229T123456Z"},
        {INT64_C(253402300799999999), "99991231T235959Z"},
        {INT64_C(253402300800000000), "99991231T235959Z"},
        {INT64_MAX, "99991231T235959Z"},
        {-1, "19700101T000000Z"},
        {INT64_MIN, "19700101T000000Z"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char date[S3_SIGN_DATE_SIZE];

        s3_sign_date(cases[i].real_us, date);
        assert_string_equal(date, cases[i].text);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(amazons_four_examples_for_s3_are_reproduced),
        cmocka_unit_test(the_lines_to_send_are_those_of_the_documentation),
        cmocka_unit_test(canonical_requests_of_the_general_suite_are_reproduced),
        cmocka_unit_test(hostile_keys_are_encoded_exactly_once),
        cmocka_unit_test(queries_are_sorted_by_encoded_name_and_then_value),
        cmocka_unit_test(no_query_is_no_question_mark),
        cmocka_unit_test(every_byte_but_the_unreserved_is_encoded),
        cmocka_unit_test(a_session_token_is_sent_and_signed),
        cmocka_unit_test(headers_are_sent_exactly_as_they_are_signed),
        cmocka_unit_test(a_header_that_could_change_the_request_is_refused),
        cmocka_unit_test(too_many_pairs_are_refused),
        cmocka_unit_test(a_malformed_request_is_refused),
        cmocka_unit_test(an_unusable_identity_is_refused),
        cmocka_unit_test(a_full_buffer_is_an_error_and_stays_as_it_was),
        cmocka_unit_test(dates_are_written_in_utc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
