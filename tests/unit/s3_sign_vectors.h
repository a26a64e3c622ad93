/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_sign_vectors.h: requests and what their signatures must be, for test_s3_sign.c alone.
 *
 * Signatures are those Amazon publishes ("Authenticating Requests: Using the Authorization
 * Header" in the S3 API reference) or were computed beforehand by another implementation that
 * reproduces these and Amazon's general test suite (aws-sig-v4-test-suite). That suite's requests
 * lack the x-amz-content-sha256 header S3 wants; they are canonical requests without it.
 */
#ifndef TESTS_S3_SIGN_VECTORS_H
#define TESTS_S3_SIGN_VECTORS_H

#include "store/s3_sign.h"

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TOKEN "IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaCXVzLWVhc3QtMSJHMEUCIQ=="
#define SUITE_HEAD "host:example.amazonaws.com\n"
#define SUITE_TAIL "x-amz-date:20150830T123600Z\n\nhost;x-amz-date\n" EMPTY_HASH

/* Amazon's four examples; host examplebucket.s3.amazonaws.com, 20130524T000000Z, us-east-1. */
static const struct {
    const char *signature;
    struct s3_request request;
} examples[] = {
    {"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
     {.method = "GET",
      .path = "/test.txt",
      .payload_hash = EMPTY_HASH,
      .headers = {{"range", "bytes=0-9"}},
      .n_headers = 1}},
    {"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
     {.method = "PUT",
      .path = "/test$file.text",
      .payload_hash = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                  {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
      .n_headers = 2}},
    {"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
     {.method = "GET",
      .path = "/",
      .payload_hash = EMPTY_HASH,
      .query = {{"lifecycle", ""}},
      .n_query = 1}},
    {"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
     {.method = "GET",
      .path = "/",
      .payload_hash = EMPTY_HASH,
      .query = {{"prefix", "J"}, {"max-keys", "2"}},
      .n_query = 2}},
};

/* Canonical requests of the general suite, host example.amazonaws.com, 20150830T123600Z. */
static const struct {
    const char *name;
    struct s3_request request;
    const char *token;
    const char *expected;
} suite[] = {
    {"get-vanilla", {.method = "GET", .path = "/"}, NULL, "GET\n/\n\n" SUITE_HEAD SUITE_TAIL},
    {"get-vanilla-query-order-key-case",
     {.method = "GET",
      .path = "/",
      .n_query = 2,
      .query = {{"Param2", "value2"}, {"Param1", "value1"}}},
     NULL,
     "GET\n/\nParam1=value1&Param2=value2\n" SUITE_HEAD SUITE_TAIL},
    {"get-vanilla-query-order-value",
     {.method = "GET",
      .path = "/",
      .n_query = 2,
      .query = {{"Param1", "value2"}, {"Param1", "value1"}}},
     NULL,
     "GET\n/\nParam1=value1&Param1=value2\n" SUITE_HEAD SUITE_TAIL},
    {"get-vanilla-utf8-query",
     {.method = "GET", .path = "/", .n_query = 1, .query = {{"\341\210\264", "bar"}}},
     NULL,
     "GET\n/\n%E1%88%B4=bar\n" SUITE_HEAD SUITE_TAIL},
    {"get-utf8",
     {.method = "GET", .path = "/\341\210\264"},
     NULL,
     "GET\n/%E1%88%B4\n\n" SUITE_HEAD SUITE_TAIL},
    {"get-space",
     {.method = "GET", .path = "/example space/"},
     NULL,
     "GET\n/example%20space/\n\n" SUITE_HEAD SUITE_TAIL},
    {"get-header-value-trim",
     {.method = "GET",
      .path = "/",
      .n_headers = 2,
      .headers = {{"my-header2", " \"a   b   c\""}, {"my-header1", " value1"}}},
     NULL,
     "GET\n/\n\n" SUITE_HEAD "my-header1:value1\nmy-header2:\"a b c\"\n"
     "x-amz-date:20150830T123600Z\n\nhost;my-header1;my-header2;x-amz-date\n" EMPTY_HASH},
    {"post-sts-header-before",
     {.method = "POST", .path = "/"},
     TOKEN,
     "POST\n/\n\n" SUITE_HEAD "x-amz-date:20150830T123600Z\nx-amz-security-token:" TOKEN
     "\n\nhost;x-amz-date;x-amz-security-token\n" EMPTY_HASH},
};

/* PUT of these keys with an empty body, 20261122T153600Z, eu-west-3. */
static const struct {
    const char *path;
    const char *encoded;
    const char *signature;
} keys[] = {
    {"/", "/", "751b14f6ee538d814375317757ee0178b102af640104830a6b2b321d323d14cc"},
    {"/pg/main/a b", "/pg/main/a%20b",
     "57591f7c9677b11ab3fbca5e63815c8bfcbe9059acd119cd0a9d36282e944188"},
    {"/a  b/ c ", "/a%20%20b/%20c%20",
     "3e6b66e5865742ac7a475fb30214e15bb4a46978e30a3b1bfe3886b04a30e1ad"},
    {"/100%", "/100%25", "64f25b620aba86dc1d02ec00ce1522dc95ebe45b8fa03181d9ceca4b84b27c0c"},
    {"/a%20b", "/a%2520b", "69c4ccbba32e13752dfb899b9d004c79d560890dde5319717492469babfe569f"},
    {"/%2f..%2F", "/%252f..%252F",
     "a0f1c0554ff972398b58884b24eb4faa9a4878f043a07520793290b28f679e3e"},
    {"/a+b", "/a%2Bb", "19bfe50210dde85870113ebfdd70385ac04db9b121f568282185cdd49e8f3d1e"},
    {"/a=b&c=d", "/a%3Db%26c%3Dd",
     "64425fdac0fb912780ec50cb678adfc8b6e7d6513908762badc68127b927b73e"},
    {"/a~b-c_d.e", "/a~b-c_d.e",
     "879afe75261607296608d9ed9dbd1e49c887edfd0038e191828c4b32570b65fe"},
    {"/a?b#c", "/a%3Fb%23c", "e9f40a79a92cf7041b4e4a846bd8daf8d64d48fd4c63111f4632a78df0c3aed3"},
    {"/a:b@c;d,e", "/a%3Ab%40c%3Bd%2Ce",
     "4be8661d55036cf0b3747e0ebfb44864e87f737fa36d6b20dad628d24e0075ec"},
    {"/!'()*", "/%21%27%28%29%2A",
     "7a6eec429dfd3c9bdde91fe8ce85393e085812a34c78563efa0bb3904867e6ae"},
    {"/[]{}|\\^`\"<>", "/%5B%5D%7B%7D%7C%5C%5E%60%22%3C%3E",
     "5db29c486a689f16e4f98bf7a609810cb66bdad0a37cecba79ec28ac5b9ad8ce"},
    {"/$", "/%24", "c1f8e346b788b818ebbdb88ce065b0148c9072bbed72de9613ad71d2bd0c4a90"},
    {"/gr\303\274\303\237", "/gr%C3%BC%C3%9F",
     "a74a7dcf3fa221dad073e4d3ddebd2add33f31966e4a087360c8f11686bf0551"},
    {"/\341\210\264\360\237\230\200", "/%E1%88%B4%F0%9F%98%80",
     "56339e67d9355c9171eb8dbef4412f799e793d80a21d695dabd7404c0482710d"},
    {"/\377\376\200", "/%FF%FE%80",
     "273ea8faec0e095df52d956d196c905bd9359e629f6261c4573209b21fae7bd8"},
    {"/\001\011\012\015\177", "/%01%09%0A%0D%7F",
     "532955013bb8419ace9fa241b5bb87689869e7fdbd593d4aaf3c82bc41294da9"},
    {"//a//b/", "//a//b/", "667ddbb9387bba7b6ed75a4b53289999516244a47ea7c6394ec0ab4c15a02199"},
    {"/a/./b/../c", "/a/./b/../c",
     "84ce33e12d801327ea297a41bda6bf7df2b57fe18a2a702dfe9ee902fcaa39fd"},
    {"/0123456789ABCXYZabcxyz", "/0123456789ABCXYZabcxyz",
     "cf9a0edf204c1b92229c5eb6afa80a36cab6d91b20f5c6ae92f52544f143715d"},
};

/* GET / with these queries, the same otherwise. */
static const struct {
    struct s3_pair query[S3_SIGN_PAIRS_MAX];
    size_t n_query;
    const char *encoded;
    const char *signature;
} queries[] = {
    {{{"list-type", "2"},
      {"prefix", "pg/main/"},
      {"max-keys", "1000"},
      {"start-after", "pg/main/a b"}},
     4,
     "?list-type=2&max-keys=1000&prefix=pg%2Fmain%2F&start-after=pg%2Fmain%2Fa%20b",
     "a0f64fd884ffade261bca953d67747bec2826d0d11fc95b44ad16c31e3bd60be"},
    {{{"continuation-token", "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="}, {"list-type", "2"}},
     2,
     "?continuation-token=1ueGcxLPRx1Tr%2FXYExHnhbYLgveDs2J%2Fwm36Hy4vbOwM%3D&list-type=2",
     "25b6dd5c42485fac67d07f53b433970947a2b1cbb75be6353a3b784953f05770"},
    {{{"a-b", "1"}, {"a", "2"}, {"a.b", "3"}, {"A", "4"}},
     4,
     "?A=4&a=2&a-b=1&a.b=3",
     "7fc7c65932698ddd36413a116fe9e13bacd5a4ebe01daffadc735e989db712a1"},
    {{{"a", "2"}, {"a", "1"}, {"a", "10"}},
     3,
     "?a=1&a=10&a=2",
     "64fb70dcaa61d9c612b1ac4f9bf5e48a6065e513aab191dee66461573104c6a2"},
    {{{"x", "a+b c%20~*/=&?"}, {"\303\274", "\341\210\264"}},
     2,
     "?%C3%BC=%E1%88%B4&x=a%2Bb%20c%2520~%2A%2F%3D%26%3F",
     "284e4fbf226705721c774c90856d2ca0828a746ef85f11afb66069e379815ad5"},
    {{{"b", ""}, {"a b", ""}},
     2,
     "?a%20b=&b=",
     "dad99b8a35bf5857f260b417f95e45760aa7448776ac634798ccde2262afe3df"},
    {{{"a", "~"}, {"a", "\303\251"}, {"a", "z"}},
     3,
     "?a=%C3%A9&a=z&a=~",
     "a9740372620cc9d7353a6977234a599f9c45958ba821c56f4cf7a7651de979d9"},
};

#endif
