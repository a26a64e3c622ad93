/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/macros.h"
#include "store/s3_xml.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""
#define COMPLETE "<IsTruncated>false</IsTruncated>"
#define LIST(content) "<ListBucketResult>" content "</ListBucketResult>"
#define ENTRY(key, size) "<Contents><Key>" key "</Key><Size>" size "</Size></Contents>"
#define TEXT(literal) (literal), sizeof(literal) - 1

/* Writes down what it is given, as "key=size;". */
struct recorder {
    struct s3_list_sink sink;
    char text[4096];
    size_t used;
    unsigned calls;
    unsigned fail_at;
};

static int
record(struct s3_list_sink *sink, const char *key, size_t length, uint64_t size, struct err *err)
{
    struct recorder *recorder = (struct recorder *)sink;

    assert_int_equal(strlen(key), length);
    recorder->calls++;
    if (recorder->calls == recorder->fail_at)
        return err_set(err, ERR_CONFLICT, "enough");
    int n = snprintf(recorder->text + recorder->used, sizeof(recorder->text) - recorder->used,
                     "%s=%llu;", key, (unsigned long long)size);
    assert_true(n > 0);
    if ((size_t)n < sizeof(recorder->text) - recorder->used)
        recorder->used += (size_t)n;
    return 0;
}

#define RECORDER_INIT ((struct recorder){.sink = {.entry = record}})

static void
assert_list_refused(const char *name, const void *body, size_t size)
{
    struct recorder recorder = RECORDER_INIT;
    struct s3_list list = {.key_count = 77};
    struct err err = ERR_INIT;

    if (s3_list_parse(body, size, &recorder.sink, &list, &err) != -1)
        fail_msg("accepted: %s", name);
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_int_equal(list.key_count, 77);
}

/* ---- errors ---- */

static const struct {
    const char *body;
    size_t size;
    const char *code;
    const char *message;
    const char *region;
} errors[] = {
    {TEXT(DECLARATION "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist."
                      "</Message><Key>pg/x</Key><RequestId>4442587FB7D0A2F9</RequestId>"
                      "<HostId>h+Q=</HostId></Error>"),
     "NoSuchKey", "The specified key does not exist.", ""},
    {TEXT(DECLARATION "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization "
                      "header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-3'"
                      "</Message><Region>eu-west-3</Region><RequestId>1</RequestId></Error>"),
     "AuthorizationHeaderMalformed",
     "The authorization header is malformed; the region 'us-east-1' is wrong; expecting "
     "'eu-west-3'",
     "eu-west-3"},
    /* Ceph */
    {TEXT("<?xml version=\"1.0\" "
          "encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code><Message></Message>"
          "<BucketName>b</BucketName><RequestId>tx0-default</RequestId><HostId>a-default-default"
          "</HostId></Error>"),
     "NoSuchKey", "", ""},
    {TEXT("<?xml version='1.0' encoding='utf-8'?><Error" NAMESPACE "><Code>A</Code></Error>\n"),
     "A", "", ""},
    {TEXT("<s:Error xmlns:s='urn:x'><s:Code>A</s:Code></s:Error>"), "A", "", ""},
    {TEXT("<Error xmlns='urn:wrong'><Code>A</Code></Error>"), "A", "", ""},
    {TEXT("\xef\xbb\xbf<Error><Code>A</Code></Error>"), "A", "", ""},
    {TEXT("<Error><Code><![CDATA[A<b>]]></Code></Error>"), "A<b>", "", ""},
    {TEXT("<Error><Code>A&amp;&#x42;&lt;</Code></Error>"), "A&B<", "", ""},
    {TEXT("<Error/>"), "", "", ""},
    {TEXT("<Error><!-- c --><Code>A<!-- d -->B</Code><?pi x?></Error>"), "AB", "", ""},
    {TEXT("<Error><Detail><Code>Inner</Code></Detail><Code>Outer</Code></Error>"), "Outer", "", ""},
    /* Nothing of this may be taken for the code without. */
    {TEXT("<Error><Code>NoSuchKey\n</Code></Error>"), "NoSuchKey\\x0a", "", ""},
    {TEXT("<Error><Code>A</Code><Message>a\nb\r\x7f \"\\ %n%s\xc3\xbc\xc2\x9b</Message></Error>"),
     "A", "a\\x0ab\\x0a\\x7f \\x22\\x5c %n%s\\xc3\\xbc\\xc2\\x9b", ""},
};

static void
error_documents_of_amazon_and_others_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
        struct s3_error error = {.code = "x"};

        if (!s3_error_parse(errors[i].body, errors[i].size, &error))
            fail_msg("refused: %s", errors[i].body);
        assert_string_equal(error.code, errors[i].code);
        assert_string_equal(error.message, errors[i].message);
        assert_string_equal(error.region, errors[i].region);
    }
}

static const struct {
    const char *name;
    const char *body;
    size_t size;
} no_errors[] = {
    {"empty", TEXT("")},
    {"blank", TEXT(" ")},
    {"text", TEXT("404 not found")},
    {"HTML", TEXT("<html><head><title>404</title></head></html>")},
    {"wrong root", TEXT("<Errors><Code>A</Code></Errors>")},
    {"wrong case", TEXT("<error><Code>A</Code></error>")},
    {"nested", TEXT("<ErrorResponse><Error><Code>A</Code></Error></ErrorResponse>")},
    {"list", TEXT(LIST(COMPLETE))},
    {"DOCTYPE", TEXT("<!DOCTYPE Error><Error><Code>A</Code></Error>")},
    {"DOCTYPE system", TEXT("<!DOCTYPE Error SYSTEM 'file:///etc/passwd'><Error/>")},
    {"internal entity",
     TEXT("<!DOCTYPE Error [<!ENTITY a 'NoSuchKey'>]><Error><Code>&a;</Code></Error>")},
    {"external entity",
     TEXT("<!DOCTYPE Error [<!ENTITY a SYSTEM '/etc/passwd'>]><Error><Code>&a;</Code></Error>")},
    {"laughs",
     TEXT("<!DOCTYPE E [<!ENTITY a 'x'><!ENTITY b '&a;&a;'>]><Error><Code>&b;</Code></Error>")},
    {"unknown entity", TEXT("<Error><Code>&nbsp;</Code></Error>")},
    {"ISO-8859-1",
     TEXT("<?xml version='1.0' encoding='ISO-8859-1'?><Error><Code>A</Code></Error>")},
    {"US-ASCII", TEXT("<?xml version='1.0' encoding='US-ASCII'?><Error><Code>A</Code></Error>")},
    {"UTF-16 declared", TEXT("<?xml version='1.0' encoding='UTF-16'?><Error/>")},
    {"unknown encoding", TEXT("<?xml version='1.0' encoding='x-bomb'?><Error/>")},
    {"UTF-16LE", TEXT("\xff\xfe<\0E\0r\0r\0o\0r\0/\0>\0")},
    {"UTF-16BE", TEXT("\xfe\xff\0<\0E\0r\0r\0o\0r\0/\0>")},
    {"UTF-16 without mark", TEXT("<\0E\0r\0r\0o\0r\0/\0>\0")},
    {"NUL", TEXT("<Error><Code>NoSuchKey\0x</Code></Error>")},
    {"NUL behind", TEXT("<Error><Code>A</Code></Error>\0")},
    {"NUL reference", TEXT("<Error><Code>&#0;</Code></Error>")},
    {"control reference", TEXT("<Error><Code>&#27;[1m</Code></Error>")},
    {"escape", TEXT("<Error><Code>\x1b[1m</Code></Error>")},
    {"not UTF-8", TEXT("<Error><Code>\xff</Code></Error>")},
    {"overlong UTF-8", TEXT("<Error><Code>\xc0\xbc</Code></Error>")},
    {"surrogate", TEXT("<Error><Code>\xed\xa0\x80</Code></Error>")},
    {"code twice", TEXT("<Error><Code>NoSuchKey</Code><Code>AccessDenied</Code></Error>")},
    {"code with prefix twice", TEXT("<Error><Code>NoSuchKey</Code><a:Code>B</a:Code></Error>")},
    {"markup in code", TEXT("<Error><Code>NoSuch<b/>Key</Code></Error>")},
    {"two roots", TEXT("<Error/><Error/>")},
    {"text behind", TEXT("<Error><Code>A</Code></Error>x")},
    {"text before", TEXT("x<Error><Code>A</Code></Error>")},
    {"crossed", TEXT("<Error><Code>A</Error></Code>")},
};

static void
what_is_no_error_document_is_told_apart(void **state)
{
    static const struct s3_error zero;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(no_errors); i++) {
        struct s3_error error;

        memset(&error, 'x', sizeof(error));
        if (s3_error_parse(no_errors[i].body, no_errors[i].size, &error))
            fail_msg("accepted: %s", no_errors[i].name);
        assert_memory_equal(&error, &zero, sizeof(error));
        if (strcmp(no_errors[i].name, "list") != 0)
            assert_list_refused(no_errors[i].name, no_errors[i].body, no_errors[i].size);
    }
    struct s3_error error;
    assert_false(s3_error_parse(NULL, 0, &error));
}

static void
a_huge_error_message_is_cut_to_one_safe_line(void **state)
{
    static const char head[] = "<Error><Code>SlowDown</Code><Message>";
    static const char tail[] = "</Message></Error>";
    static const char *const pieces[] = {"a", "\n", "%n", "\xc3\xbc", "&#10;", "&quot;", "\\"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        AUTO(buf) struct buf body = BUF_INIT(2 * MIB);
        struct s3_error error;
        struct err err = ERR_INIT;

        assert_int_equal(buf_append_text(&body, head, &err), 0);
        while (body.size < MIB)
            assert_int_equal(buf_append_text(&body, pieces[i], &err), 0);
        assert_int_equal(buf_append_text(&body, tail, &err), 0);
        assert_true(s3_error_parse(body.data, body.size, &error));
        assert_string_equal(error.code, "SlowDown");
        size_t length = strlen(error.message);
        assert_true(length > 190 && length <= 200);
        assert_string_equal(error.message + length - 3, "...");
        for (size_t k = 0; k < length; k++)
            assert_true(error.message[k] >= 0x20 && error.message[k] < 0x7f);
    }
}

/* ---- lists ---- */

#define AMAZON_LIST                                                                         \
    DECLARATION                                                                             \
        "<ListBucketResult" NAMESPACE "><Name>bucket</Name><Prefix>pg/</Prefix>"            \
        "<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="              \
        "</NextContinuationToken><KeyCount>2</KeyCount><MaxKeys>2</MaxKeys>"                \
        "<IsTruncated>true</IsTruncated><Contents><Key>pg/a</Key>"                          \
        "<LastModified>2014-11-21T19:40:05.000Z</LastModified>"                             \
        "<ETag>&quot;70ee1738b6b21e2c8a43f3a5ab0eee71&quot;</ETag>"                         \
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><Size>1111</Size>"                 \
        "<Owner><ID>1</ID><DisplayName>Key</DisplayName></Owner>"                           \
        "<StorageClass>STANDARD</StorageClass></Contents><Contents><Key>pg/b &amp; c</Key>" \
        "<Size>0</Size></Contents></ListBucketResult>"

static const struct {
    const char *body;
    const char *entries;
    const char *token;
    uint32_t count;
} lists[] = {
    {AMAZON_LIST, "pg/a=1111;pg/b & c=0;", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=", 2},
    /* Ceph, without an end of line and with the count behind */
    {"<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult" NAMESPACE "><Name>b</Name>"
     "<Prefix></Prefix><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated><Contents><Key>k</"
     "Key>"
     "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag><Size>5</Size>"
     "<StorageClass>STANDARD</StorageClass><Owner><ID>u</ID><DisplayName>U</DisplayName></Owner>"
     "<Type>Normal</Type></Contents><KeyCount>1</KeyCount></ListBucketResult>",
     "k=5;", "", 1},
    {LIST(COMPLETE), "", "", 0},
    {LIST(COMPLETE "<NextContinuationToken>x</NextContinuationToken>"), "", "", 0},
    {LIST(ENTRY("a", "1") COMPLETE ENTRY("b", "2")), "a=1;b=2;", "", 2},
    {LIST(COMPLETE "<Contents>\n <Size>3</Size>\n <Key>a</Key>\n</Contents>\n"), "a=3;", "", 1},
    {LIST(COMPLETE ENTRY("<![CDATA[a<&]]>b", "1")), "a<&b=1;", "", 1},
    {LIST(COMPLETE ENTRY("a+b%41", "1")), "a+b%41=1;", "", 1},
    {LIST(COMPLETE "<EncodingType></EncodingType>" ENTRY("a+b%41", "1")), "a+b%41=1;", "", 1},
    {LIST("<EncodingType>url</EncodingType>" COMPLETE ENTRY("a+b%41%2b%2F%0a", "1")), "a bA+/\n=1;",
     "", 1},
    /* MinIO says it last */
    {LIST(COMPLETE ENTRY("a%20b", "1") "<EncodingType>url</EncodingType>"), "a b=1;", "", 1},
    {LIST(COMPLETE ENTRY("../../x", "9223372036854775807")), "../../x=9223372036854775807;", "", 1},
    {LIST(COMPLETE ENTRY("gr&#252;\xc3\x9f", "1")), "gr\xc3\xbc\xc3\x9f=1;", "", 1},
    {LIST(COMPLETE "<CommonPrefixes><Prefix>Key</Prefix></CommonPrefixes>"), "", "", 0},
};

static void
lists_of_amazon_and_others_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        struct recorder recorder = RECORDER_INIT;
        struct s3_list list;
        struct err err = ERR_INIT;

        if (s3_list_parse(lists[i].body, strlen(lists[i].body), &recorder.sink, &list, &err) != 0)
            fail_msg("refused: %s: %s", err.text, lists[i].body);
        assert_string_equal(recorder.text, lists[i].entries);
        assert_string_equal(list.next_token, lists[i].token);
        assert_int_equal(list.truncated, lists[i].token[0] != '\0');
        assert_int_equal(list.key_count, lists[i].count);
    }
}

static const struct {
    const char *name;
    const char *body;
} bad_lists[] = {
    {"not said whether complete", LIST(ENTRY("a", "1"))},
    {"truncated without token", LIST("<IsTruncated>true</IsTruncated>" ENTRY("a", "1"))},
    {"truncated with empty token",
     LIST("<IsTruncated>true</IsTruncated><NextContinuationToken/>" ENTRY("a", "1"))},
    {"IsTruncated in an entry",
     LIST("<Contents><IsTruncated>false</IsTruncated><Key>a</Key><Size>1</Size></Contents>")},
    {"IsTruncated empty", LIST("<IsTruncated/>")},
    {"IsTruncated TRUE", LIST("<IsTruncated>TRUE</IsTruncated>")},
    {"IsTruncated with blank", LIST("<IsTruncated> false</IsTruncated>")},
    {"IsTruncated falsey", LIST("<IsTruncated>falsey</IsTruncated>")},
    {"IsTruncated twice", LIST(COMPLETE COMPLETE)},
    {"key missing", LIST(COMPLETE "<Contents><Size>1</Size></Contents>")},
    {"size missing", LIST(COMPLETE "<Contents><Key>a</Key></Contents>")},
    {"entry empty", LIST(COMPLETE "<Contents/>")},
    {"of the entry before", LIST(COMPLETE ENTRY("a", "1") "<Contents><Key>b</Key></Contents>")},
    {"key twice", LIST(COMPLETE "<Contents><Key>a</Key><Key>b</Key><Size>1</Size></Contents>")},
    {"size twice", LIST(COMPLETE "<Contents><Key>a</Key><Size>1</Size><Size>1</Size></Contents>")},
    {"key empty", LIST(COMPLETE ENTRY("", "1"))},
    {"markup in key", LIST(COMPLETE ENTRY("a<b/>", "1"))},
    {"entity in key", LIST(COMPLETE ENTRY("&x;", "1"))},
    {"control in key", LIST(COMPLETE ENTRY("a\x01", "1"))},
    {"size empty", LIST(COMPLETE ENTRY("a", ""))},
    {"size negative", LIST(COMPLETE ENTRY("a", "-1"))},
    {"size signed", LIST(COMPLETE ENTRY("a", "+1"))},
    {"size with blank", LIST(COMPLETE ENTRY("a", " 1"))},
    {"size hexadecimal", LIST(COMPLETE ENTRY("a", "0x1"))},
    {"size with exponent", LIST(COMPLETE ENTRY("a", "1e3"))},
    {"size with zero ahead", LIST(COMPLETE ENTRY("a", "01"))},
    {"size 2^63", LIST(COMPLETE ENTRY("a", "9223372036854775808"))},
    {"size 2^64", LIST(COMPLETE ENTRY("a", "18446744073709551616"))},
    {"size long", LIST(COMPLETE ENTRY("a", "000000000000000000000000000000000000001"))},
    {"encoding unknown", LIST("<EncodingType>rot13</EncodingType>" COMPLETE)},
    {"percent cut", LIST("<EncodingType>url</EncodingType>" COMPLETE ENTRY("a%4", "1"))},
    {"percent alone", LIST("<EncodingType>url</EncodingType>" COMPLETE ENTRY("a%", "1"))},
    {"percent not hex", LIST("<EncodingType>url</EncodingType>" COMPLETE ENTRY("a%g1", "1"))},
    {"percent NUL", LIST("<EncodingType>url</EncodingType>" COMPLETE ENTRY("a%00", "1"))},
    {"entity declared", "<!DOCTYPE x [<!ENTITY a 'b'>]>" LIST(COMPLETE ENTRY("&a;", "1"))},
    {"error", "<Error><Code>SlowDown</Code></Error>"},
    {"version 1", "<ListAllMyBucketsResult/>"},
};

static void
a_list_in_doubt_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad_lists); i++)
        assert_list_refused(bad_lists[i].name, bad_lists[i].body, strlen(bad_lists[i].body));
}

static void
a_list_cut_at_any_byte_is_refused_and_nothing_of_it_is_used(void **state)
{
    static const char body[] = AMAZON_LIST;

    (void)state;
    for (size_t size = 0; size < sizeof(body) - 1; size++) {
        struct recorder recorder = RECORDER_INIT;
        struct s3_list list;
        struct err err = ERR_INIT;
        /* Its own memory, so that a sanitizer sees every byte read past it. */
        AUTO(ptr) char *copy = malloc(size == 0 ? 1 : size);

        assert_non_null(copy);
        memcpy(copy, body, size);
        assert_int_equal(s3_list_parse(copy, size, &recorder.sink, &list, &err), -1);
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(recorder.calls, 0);
    }
}

/* "<head>" then n times `piece`, then `tail`. */
static void
repeat(struct buf *body, const char *head, const char *piece, size_t n, const char *tail)
{
    struct err err = ERR_INIT;

    assert_int_equal(buf_append_text(body, head, &err), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_append_text(body, piece, &err), 0);
    assert_int_equal(buf_append_text(body, tail, &err), 0);
}

#define LIST_HEAD "<ListBucketResult>" COMPLETE
#define LIST_TAIL "</ListBucketResult>"
#define URL "<EncodingType>url</EncodingType>"

static const struct {
    const char *head;
    const char *piece;
    const char *tail;
    size_t most; /* pieces that are accepted */
    size_t too_many;
} ceilings[] = {
    {LIST_HEAD, ENTRY("k", "1"), LIST_TAIL, 1000, 1001},
    {LIST_HEAD "<Contents><Key>", "k", "</Key><Size>1</Size></Contents>" LIST_TAIL, 1024, 1025},
    {LIST_HEAD "<Contents><Key>", "k", "</Key><Size>1</Size></Contents>" LIST_TAIL, 1, 1000000},
    {LIST_HEAD URL "<Contents><Key>", "%41", "</Key><Size>1</Size></Contents>" LIST_TAIL, 1024,
     1025},
    {"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>", "t",
     "</NextContinuationToken>" LIST_TAIL, 2047, 2048},
    {LIST_HEAD, "<a/>", LIST_TAIL, 65536 - 2, 65536 - 1},
    {LIST_HEAD, " ", LIST_TAIL, MIB, 9 * MIB},
    {LIST_HEAD "<x a='", "v", "'/>" LIST_TAIL, MIB, 9 * MIB},
    {LIST_HEAD, "<Contents>", LIST_TAIL, 0, 1000000},
    {LIST_HEAD, "<a>", LIST_TAIL, 0, 1000000},
};

static void
everything_has_a_ceiling(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(ceilings); i++) {
        AUTO(buf) struct buf body = BUF_INIT(20 * MIB);
        struct recorder recorder = RECORDER_INIT;
        struct s3_list list;
        struct err err = ERR_INIT;

        repeat(&body, ceilings[i].head, ceilings[i].piece, ceilings[i].most, ceilings[i].tail);
        if (s3_list_parse(body.data, body.size, &recorder.sink, &list, &err) != 0)
            fail_msg("ceiling %zu: %s", i, err.text);
        buf_clear(&body);
        repeat(&body, ceilings[i].head, ceilings[i].piece, ceilings[i].too_many, ceilings[i].tail);
        assert_list_refused(ceilings[i].head, body.data, body.size);
    }
}

static void
sixteen_levels_are_enough(void **state)
{
    struct s3_error error;

    (void)state;
    for (size_t depth = 1; depth <= 40; depth++) {
        AUTO(buf) struct buf body = BUF_INIT(MIB);

        repeat(&body, "<Error>", "<a>", depth - 1, "");
        repeat(&body, "", "</a>", depth - 1, "</Error>");
        assert_int_equal(s3_error_parse(body.data, body.size, &error), depth <= 16);
    }
}

static void
the_sink_stops_the_reading_with_its_own_error(void **state)
{
    static const char body[] = AMAZON_LIST;

    (void)state;
    for (unsigned fail_at = 1; fail_at <= 2; fail_at++) {
        struct recorder recorder = RECORDER_INIT;
        struct s3_list list = {.key_count = 77};
        struct err err = ERR_INIT;

        recorder.fail_at = fail_at;
        assert_int_equal(s3_list_parse(body, strlen(body), &recorder.sink, &list, &err), -1);
        assert_int_equal(err.kind, ERR_CONFLICT);
        assert_string_equal(err.text, "enough");
        assert_int_equal(recorder.calls, fail_at);
        assert_int_equal(list.key_count, 77);
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_documents_of_amazon_and_others_are_understood),
        cmocka_unit_test(what_is_no_error_document_is_told_apart),
        cmocka_unit_test(a_huge_error_message_is_cut_to_one_safe_line),
        cmocka_unit_test(lists_of_amazon_and_others_are_understood),
        cmocka_unit_test(a_list_in_doubt_is_refused),
        cmocka_unit_test(a_list_cut_at_any_byte_is_refused_and_nothing_of_it_is_used),
        cmocka_unit_test(everything_has_a_ceiling),
        cmocka_unit_test(sixteen_levels_are_enough),
        cmocka_unit_test(the_sink_stops_the_reading_with_its_own_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
