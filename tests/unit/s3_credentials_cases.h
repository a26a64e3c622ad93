/* SPDX-License-Identifier: PostgreSQL */
/*
 * s3_credentials_cases.h: credentials files and what is found in them, for test_s3_credentials.c
 * alone. The profile is "default", the file "/f".
 */
#ifndef TESTS_S3_CREDENTIALS_CASES_H
#define TESTS_S3_CREDENTIALS_CASES_H

#include <stddef.h>

#define TEXT(literal) (literal), sizeof(literal) - 1

/* Every value that must stay out of messages contains this. */
#define MARK "Zq9SECRET"
#define ID "AKIAZq9SECRETID"
#define SECRET "wJalrZq9SECRET/K7MDENG+bPx=="
#define TOKEN "IQoJbZq9SECRET//8wEaCXVz=="
#define BOTH "aws_access_key_id = " ID "\naws_secret_access_key = " SECRET "\n"

static const struct {
    const char *name;
    const char *text;
    size_t size;
    const char *id;
    const char *secret;
    const char *token;
} good[] = {
    {"plain", TEXT("[default]\n" BOTH), ID, SECRET, ""},
    {"token", TEXT("[default]\n" BOTH "aws_session_token=" TOKEN "\n"), ID, SECRET, TOKEN},
    {"empty token", TEXT("[default]\n" BOTH "aws_session_token =\n"), ID, SECRET, ""},
    {"no end of line", TEXT("[default]\naws_secret_access_key=" SECRET "\naws_access_key_id=" ID),
     ID, SECRET, ""},
    {"CRLF",
     TEXT("[default]\r\naws_access_key_id = " ID "\r\naws_secret_access_key=" SECRET "\r\n\r\n"),
     ID, SECRET, ""},
    {"blanks",
     TEXT("[ default\t]  # ours\n\n \t\naws_access_key_id\t=\t" ID " \t\n"
          "aws_secret_access_key   =   " SECRET "  \n"),
     ID, SECRET, ""},
    {"comments",
     TEXT("# aws_access_key_id = x\n; y\n[default] ; z\n #\n" BOTH "  ; aws_access_key_id = x\n"),
     ID, SECRET, ""},
    {"upper case", TEXT("[default]\nAWS_Access_Key_ID = " ID "\nAWS_SECRET_ACCESS_KEY = " SECRET),
     ID, SECRET, ""},
    {"other profiles",
     TEXT("[a]\naws_access_key_id=x\naws_secret_access_key=y\n[default]\n" BOTH
          "[b]\naws_access_key_id=z\naws_access_key_id=z\naws_secret_access_key=\n[b]\n"),
     ID, SECRET, ""},
    {"other keys", TEXT("[default]\nregion = eu-west-3\noutput=\n" BOTH "x=y=z\n"), ID, SECRET, ""},
    {"nested keys",
     TEXT("[default]\n" BOTH "s3 =\n  aws_access_key_id = x\n\n\taws_secret_access_key = x\n"
          "  [default]\n  plain text\nregion = x\n"),
     ID, SECRET, ""},
    {"all indented",
     TEXT("[default]\n  aws_access_key_id=" ID "\n  aws_secret_access_key=" SECRET "\n"), ID,
     SECRET, ""},
    {"less indented",
     TEXT("[default]\n    aws_access_key_id=" ID "\n  aws_secret_access_key=" SECRET "\n"), ID,
     SECRET, ""},
    {"comment signs without blank",
     TEXT("[default]\naws_access_key_id=a#b\naws_secret_access_key=#;x"), "a#b", "#;x", ""},
    {"quotes are kept", TEXT("[default]\naws_access_key_id=\"a\"\naws_secret_access_key='b c'"),
     "\"a\"", "'b c'", ""},
    {"secret with other characters",
     TEXT("[default]\naws_access_key_id=a\naws_secret_access_key=\xc3\xbc b=c, d"), "a",
     "\xc3\xbc b=c, d", ""},
};

#define AT(line) "credentials file \"/f\", line " line ": "

static const struct {
    const char *text;
    size_t size;
    const char *message;
} bad[] = {
    {TEXT(""), "credentials file \"/f\" has no profile \"default\""},
    {TEXT("\n# x\n"), "credentials file \"/f\" has no profile \"default\""},
    {TEXT("[Default]\n" BOTH), "credentials file \"/f\" has no profile \"default\""},
    {TEXT("[profile default]\n" BOTH), "credentials file \"/f\" has no profile \"default\""},
    {TEXT("[defaul]\n[default2]\n" BOTH), "credentials file \"/f\" has no profile \"default\""},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\n"),
     "credentials file \"/f\": profile \"default\" has no aws_access_key_id"},
    {TEXT("[default]\naws_access_key_id=" ID "\n[b]\naws_secret_access_key=" SECRET "\n"),
     "credentials file \"/f\": profile \"default\" has no aws_secret_access_key"},
    {TEXT("[default]\nrole_arn = x\n"),
     "credentials file \"/f\": profile \"default\" has no aws_access_key_id"},
    {TEXT("[default]\naws_access_key_id=\n"), AT("2") "aws_access_key_id has no value"},
    {TEXT("[default]\naws_secret_access_key = \t\r\n"),
     AT("2") "aws_secret_access_key has no value"},
    {TEXT("[default]\n" BOTH "aws_access_key_id=" ID "\n"),
     AT("4") "aws_access_key_id is given twice"},
    {TEXT("[default]\n" BOTH "AWS_SECRET_ACCESS_KEY=" SECRET "2\n"),
     AT("4") "aws_secret_access_key is given twice"},
    {TEXT("[default]\naws_session_token=\naws_session_token=" TOKEN "\n"),
     AT("3") "aws_session_token is given twice"},
    {TEXT("[default]\n" BOTH "[default]\nregion=x\n"), AT("4") "the profile is given twice"},
    {TEXT(BOTH), AT("1") "a profile must come first, as in [default]"},
    {TEXT(SECRET "\n"), AT("1") "a profile must come first, as in [default]"},
    {TEXT("[default]\n" MARK "\n"), AT("2") "\"=\" is missing"},
    {TEXT("[default]\naws_access_key_id " ID "\n"), AT("2") "\"=\" is missing"},
    {TEXT("[default]\n=" SECRET "\n"), AT("2") "the name before \"=\" is missing"},
    {TEXT("[default\n" BOTH), AT("1") "\"]\" is missing"},
    {TEXT("[]\n" BOTH), AT("1") "the name of the profile is missing"},
    {TEXT("[ ]\n" BOTH), AT("1") "the name of the profile is missing"},
    {TEXT("[default] " SECRET "\n"), AT("1") "unexpected text behind \"]\""},
    {TEXT("[default]" BOTH), AT("1") "unexpected text behind \"]\""},
    {TEXT("\xef\xbb\xbf[default]\n" BOTH), AT("1") "the file begins with a byte order mark"},
    {TEXT("\xff\xfe[\0d\0"), AT("1") "a control character"},
    {TEXT("[default]\n" BOTH "\0"), AT("4") "a control character"},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\0x\n"), AT("2") "a control character"},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\rx\n"), AT("2") "a control character"},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\r\r\n"), AT("2") "a control character"},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\r"), AT("2") "a control character"},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\x1b[0m\n"), AT("2") "a control character"},
    {TEXT("[default]\naws_secret_access_key=" SECRET "\x7f\n"), AT("2") "a control character"},
    {TEXT("[default]\n# \x01\n"), AT("2") "a control character"},
    {TEXT("[default]\naws_secret_access_key=wJalr\t" MARK "\n"),
     AT("2") "aws_secret_access_key contains a control character"},
    {TEXT("[default]\naws_access_key_id=A " MARK "\n"),
     AT("2") "aws_access_key_id contains a blank or a character that is not ASCII"},
    {TEXT("[default]\naws_access_key_id=A\xc3\xbc" MARK "\n"),
     AT("2") "aws_access_key_id contains a blank or a character that is not ASCII"},
    {TEXT("[default]\naws_access_key_id=A," MARK "\n"),
     AT("2") "aws_access_key_id contains a comma"},
    {TEXT("[default]\naws_session_token=A " MARK "\n"),
     AT("2") "aws_session_token contains a blank or a character that is not ASCII"},
    {TEXT("[default]\naws_secret_access_key=" SECRET " # mine\n"),
     AT("2") "aws_secret_access_key has a comment behind its value"},
    {TEXT("[default]\naws_secret_access_key=" SECRET " ;\n"),
     AT("2") "aws_secret_access_key has a comment behind its value"},
    {TEXT("[default]\n" BOTH "  " MARK "\n"),
     AT("4") "an indented line would continue the value before it"},
    {TEXT("[default]\naws_access_key_id=" ID "\n aws_secret_access_key=" SECRET "\n"),
     AT("3") "an indented line would continue the value before it"},
};

#endif
