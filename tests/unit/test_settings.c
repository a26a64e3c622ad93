/* SPDX-License-Identifier: PostgreSQL */
#include "config/settings.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define FILE_NAME "/etc/seawall/seawall.conf"
#define CLUSTER "cluster = \"main\";\n"
#define STORES "stores = ( { name = \"a\"; url = \"file:///a\"; } );\n"
#define PLAIN "encryption = \"none\";\n"
#define MINIMAL CLUSTER STORES PLAIN
#define LONG_60 "123456789012345678901234567890123456789012345678901234567890"
#define CANARY "CANARY"

static struct settings *
parsed(const char *text)
{
    struct settings *settings = NULL;
    struct err err = ERR_INIT;

    if (settings_parse(text, strlen(text), FILE_NAME, &settings, &err) != 0)
        fail_msg("%s\n%s", err.text, text);
    return settings;
}

static void
three_settings_suffice_and_the_others_have_their_defaults(void **state)
{
    AUTO(settings) struct settings *settings = parsed(MINIMAL);

    (void)state;
    assert_string_equal(settings->file, FILE_NAME);
    assert_string_equal(settings->cluster, "main");
    assert_null(settings->pgdata);
    assert_null(settings->system_id);
    assert_string_equal(settings->conninfo, "");
    assert_int_equal(settings->acknowledge, 1);
    assert_int_equal(settings->compression, SETTINGS_COMPRESSION_LZ4);
    assert_int_equal(settings->compression_level, 0);
    assert_string_equal(settings->writer_key_file, "/etc/seawall/writer.key");
    assert_int_equal(settings->writers.n, 0);
    assert_int_equal(settings->wal_check, SETTINGS_WAL_CHECK_REFUSE);
    assert_int_equal(settings->standby_on_error, SETTINGS_STANDBY_CONTINUE);
    assert_int_equal(settings->push_timeout, 45);
    assert_int_equal(settings->fetch_timeout, 120);
    assert_int_equal(settings->lag_wait, 5);
    assert_int_equal(settings->connect_timeout, 5);
    assert_int_equal(settings->stall_timeout, 20);
    assert_true(settings->agent);
    assert_int_equal(settings->agent_memory, 40 * MIB);
    assert_int_equal(settings->spool_max, 256 * MIB);
    assert_null(settings->spool_dir);
    assert_false(settings->encrypted);
    assert_int_equal(settings->recipients.n, 0);
    assert_null(settings->identity_file);
    assert_int_equal(settings->rpo, 3600);
    assert_int_equal(settings->rto, 14400);
    assert_int_equal(settings->retention, 2592000);
    assert_int_equal(settings->drill_every, 7776000);
    assert_int_equal(settings->replay_rate, 0);
    assert_int_equal(settings->n_stores, 1);
    assert_string_equal(settings->stores[0].name, "a");
    assert_string_equal(settings->stores[0].url, "file:///a");
    assert_string_equal(settings->stores[0].region, "us-east-1");
    assert_null(settings->stores[0].endpoint);
    assert_null(settings->stores[0].ca_file);
    assert_null(settings->stores[0].secret_access_key);
    assert_false(settings->stores[0].path_style);
    assert_false(settings->stores[0].allow_http);
    assert_false(settings->stores[0].eventually_consistent);
}

static const char full_text[] =
    "cluster: \"a.b-c_1\"; pgdata = \"data\"; system_id = \"18446744073709551615\";\r\n"
    "conninfo = \"host='/a \\\"b\\\\c' # no comment // nor this\"; acknowledge = 2;\r\n"
    "stores = (\r\n"
    "  { name = \"s1\"; url = \"s3://b/r\"; region = \"eu-west-3\"; path_style = TRUE;\r\n"
    "    endpoint = \"https://e:9000\", ca_file = \"/ca.pem\"; allow_http = true;\r\n"
    "    eventually_consistent = true; access_key_id = \"AK\"; secret_access_key = \"a b/+=\"; "
    "},\r\n"
    "  { name = \"s2\"; url = \"s3://b/r\"; credentials_file = \"fra\"; profile = \"p\" } );\r\n"
    "compression = \"zstd\" compression_level = 19 /* = 5 \" */ writer_key_file = \"/k\" // x "
    "\"\r\n"
    "writers = [ \"w1\", \"w2\" ]; wal_check = \"warn\"; standby_on_error = \"stop\";\r\n"
    "push_timeout = \"5min\"; fetch_timeout = \"1h\"; lag_wait = 0; connect_timeout = \"60s\";\r\n"
    "agent = false; agent_idle = \"2min\"; agent_workers = 3; agent_memory = 1048577;\r\n"
    "spool_max = \"2GiB\"; spool_dir = \"spool\";\r\n"
    "stall_timeout = 1; encryption = { recipients = (\"r1\", \"r2\"); identity_file = \"id\"; "
    "};\r\n"
    "objectives = { rpo = \"365d\"; rto = 1; retention = 86400; drill_every = \"3650d\"; "
    "replay_rate = \"64MiB\"; }; # end";

static void
every_setting_is_read(void **state)
{
    AUTO(settings) struct settings *settings = parsed(full_text);

    (void)state;
    assert_string_equal(settings->cluster, "a.b-c_1");
    assert_string_equal(settings->pgdata, "/etc/seawall/data");
    assert_string_equal(settings->system_id, "18446744073709551615");
    assert_string_equal(settings->conninfo, "host='/a \"b\\c' # no comment // nor this");
    assert_int_equal(settings->acknowledge, 2);
    assert_int_equal(settings->compression, SETTINGS_COMPRESSION_ZSTD);
    assert_int_equal(settings->compression_level, 19);
    assert_string_equal(settings->writer_key_file, "/k");
    assert_int_equal(settings->writers.n, 2);
    assert_string_equal(settings->writers.items[1], "w2");
    assert_int_equal(settings->wal_check, SETTINGS_WAL_CHECK_WARN);
    assert_int_equal(settings->standby_on_error, SETTINGS_STANDBY_STOP);
    assert_int_equal(settings->push_timeout, 300);
    assert_int_equal(settings->fetch_timeout, 3600);
    assert_false(settings->agent);
    assert_int_equal(settings->agent_idle, 120);
    assert_int_equal(settings->agent_workers, 3);
    assert_int_equal(settings->agent_memory, 1048577);
    assert_int_equal(settings->spool_max, 2 * (int64_t)GIB);
    assert_string_equal(settings->spool_dir, "/etc/seawall/spool");
    assert_int_equal(settings->lag_wait, 0);
    assert_int_equal(settings->connect_timeout, 60);
    assert_int_equal(settings->stall_timeout, 1);
    assert_true(settings->encrypted);
    assert_int_equal(settings->recipients.n, 2);
    assert_string_equal(settings->recipients.items[0], "r1");
    assert_string_equal(settings->identity_file, "/etc/seawall/id");
    assert_int_equal(settings->rpo, 31536000);
    assert_int_equal(settings->rto, 1);
    assert_int_equal(settings->retention, 86400);
    assert_int_equal(settings->drill_every, 315360000);
    assert_int_equal(settings->replay_rate, 64 * MIB);
    assert_int_equal(settings->n_stores, 2);
    assert_string_equal(settings->stores[0].region, "eu-west-3");
    assert_string_equal(settings->stores[0].endpoint, "https://e:9000");
    assert_string_equal(settings->stores[0].ca_file, "/ca.pem");
    assert_string_equal(settings->stores[0].access_key_id, "AK");
    assert_string_equal(settings->stores[0].secret_access_key, "a b/+=");
    assert_true(settings->stores[0].path_style);
    assert_true(settings->stores[0].allow_http);
    assert_true(settings->stores[0].eventually_consistent);
    assert_string_equal(settings->stores[1].credentials_file, "/etc/seawall/fra");
    assert_string_equal(settings->stores[1].profile, "p");
    assert_false(settings->stores[1].path_style);
}

struct refusal {
    const char *text;
    const char *error; /* behind the file name */
    const char *hint;  /* part of it, or NULL */
};

static void
assert_refused(const struct refusal *refusal)
{
    struct settings *settings = NULL;
    struct err err = ERR_INIT;
    const char *name = "\"" FILE_NAME "\":";

    if (settings_parse(refusal->text, strlen(refusal->text), FILE_NAME, &settings, &err) != -1)
        fail_msg("accepted: %s", refusal->text);
    assert_null(settings);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_memory_equal(err.text, name, strlen(name));
    assert_string_equal(err.text + strlen(name), refusal->error);
    if (refusal->hint != NULL && strstr(err.hint, refusal->hint) == NULL)
        fail_msg("hint \"%s\" instead of \"%s\"", err.hint, refusal->hint);
    assert_null(strstr(err.text, CANARY));
    assert_null(strstr(err.hint, CANARY));
}

static void
assert_all_refused(const struct refusal *refusals, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_refused(&refusals[i]);
}

static void
what_libconfig_would_misread_is_refused_with_its_line(void **state)
{
    static const struct refusal refusals[] = {
        {MINIMAL "push_timeout = 4294967341;",
         "4: a number that is not a whole decimal one, or is "
         "too large",
         "at most 2147483647"},
        {MINIMAL "push_timeout = 99999999999999999999;",
         "4: a number that is not a whole decimal one, or is too large", NULL},
        {MINIMAL "push_timeout = 010;",
         "4: a number that is not a whole decimal one, or is too large", NULL},
        {MINIMAL "push_timeout = 0x2d;",
         "4: a number that is not a whole decimal one, or is too large", NULL},
        {MINIMAL "push_timeout = 45L;",
         "4: a number that is not a whole decimal one, or is too large", NULL},
        {MINIMAL "push_timeout = 4.5e1;",
         "4: a number that is not a whole decimal one, or is too large", NULL},
        {MINIMAL "\n/* open\n\n * / \"", "5: the comment is not closed", NULL},
        {MINIMAL "/*/ x", "4: the comment is not closed", NULL},
        {CLUSTER "conninfo = \"" CANARY "\n" STORES PLAIN,
         "2: the string is not closed on its line", NULL},
        {MINIMAL "conninfo = \"" CANARY, "4: the string is not closed on its line", NULL},
        {MINIMAL "conninfo = \"" CANARY "\\", "4: unknown escape in a string", NULL},
        {MINIMAL "conninfo = \"a\\x00b\";", "4: unknown escape in a string", "doubled"},
        {MINIMAL "conninfo = \"a\\nb\";", "4: unknown escape in a string", NULL},
        {MINIMAL "conninfo = \"a\\qb\";", "4: unknown escape in a string", NULL},
        {MINIMAL "writers = ( \"" CANARY "\"\n \"b\" );",
         "5: two strings in a row: a comma or semicolon is missing", NULL},
        {MINIMAL "writers = ( \"a\" # x\n /* y */ \"b\" );",
         "5: two strings in a row: a comma or semicolon is missing", NULL},
        {MINIMAL "@include \"/etc/passwd\"", "4: @include is not supported", NULL},
        {MINIMAL " \t@include \"/etc/passwd\"", "4: @include is not supported", NULL},
        {"/*\n@include \"x\"\n*/" MINIMAL, "2: @include is not supported", NULL},
        {MINIMAL "/**/ @include \"x\"", "4: @include is not supported", NULL},
        {MINIMAL "conninfo = \"a\tb\x01\";", "4: the line contains a control character", NULL},
        {MINIMAL "# \x7f", "4: the line contains a control character", NULL},
        {MINIMAL "\r", "4: the line contains a control character", NULL},
        {"cluster\r = \"main\";\n", "1: the line contains a control character", NULL},
        {MINIMAL "((((((((((((((()", "4: groups and lists are nested too deep", NULL},
        {"\xef\xbb\xbf" MINIMAL, "1: the file begins with a byte order mark", "UTF-8"},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

static void
syntax_errors_are_reported_with_their_line(void **state)
{
    static const struct refusal refusals[] = {
        {MINIMAL "push_timeout 45;", "4: syntax error", NULL},
        {MINIMAL "\n\npush_timeout = ;", "6: syntax error", NULL},
        {MINIMAL "conninfo = " CANARY ";", "4: syntax error", NULL},
        {MINIMAL "secret_access_key " CANARY ";", "4: syntax error", NULL},
        {MINIMAL ";", "4: syntax error", NULL},
        {MINIMAL "\xc3\xa4 = 1;", "4: syntax error", NULL},
        {MINIMAL "writers = [ \"a\", 1 ];", "4: mismatched element type in array", NULL},
        {CLUSTER MINIMAL, "2: duplicate setting name", NULL},
        {CLUSTER PLAIN "stores = ( { name = \"a\";\n url = \"u\";\n name = \"b\"; } );",
         "5: duplicate setting name", NULL},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

static void
unknown_and_misplaced_settings_are_refused_with_a_hint(void **state)
{
    static const struct refusal refusals[] = {
        {MINIMAL "push_timeot = 5;", "4: unknown setting \"push_timeot\"",
         "Did you mean \"push_timeout\"?"},
        {MINIMAL "Cluster = \"" CANARY "\";", "4: unknown setting \"Cluster\"",
         "Did you mean \"cluster\"?"},
        {MINIMAL "encription = { x = 1; };", "4: unknown setting \"encription\"",
         "Did you mean \"encryption\"?"},
        {MINIMAL "nonsense = \"" CANARY "\";", "4: unknown setting \"nonsense\"", ""},
        {MINIMAL "region = \"x\";", "4: unknown setting \"region\"", "belongs into \"stores\"."},
        {MINIMAL "recipients = ();", "4: unknown setting \"recipients\"",
         "belongs into \"encryption\"."},
        {MINIMAL "objectives = {\n wal_check = \"warn\"; };", "5: unknown setting \"wal_check\"",
         "belongs outside of groups and lists."},
        {MINIMAL "objectives = { objectives = 1; };", "4: unknown setting \"objectives\"", ""},
        {MINIMAL "objectives = { rpoo = 1; };", "4: unknown setting \"rpoo\"", "\"rpo\""},
        {CLUSTER PLAIN "stores = ( { name = \"a\";\n uri = \"" CANARY "\"; } );",
         "4: unknown setting \"uri\"", "Did you mean \"url\"?"},
        {MINIMAL "a23456789a123456789a123456789a123456789a123456789a123456789a123456789a1234567"
                 "89a123456789 = 1;",
         "4: unknown setting \"a23456789a123456789a123456789a123456789a123456789a123456789a1234567"
         "89a123456...\"",
         ""},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

static void
missing_settings_are_named(void **state)
{
    static const struct refusal refusals[] = {
        {"", " \"cluster\" is missing", NULL},
        {STORES PLAIN, " \"cluster\" is missing", NULL},
        {CLUSTER PLAIN, " \"stores\" is missing", "Write: stores = ("},
        {CLUSTER STORES, " \"encryption\" is missing", "encryption = \"none\";"},
        {CLUSTER PLAIN "stores = (\n{ name = \"a\"; });", "4: the store's \"url\" is missing",
         NULL},
        {CLUSTER PLAIN "stores = (\n{ url = \"a\"; });", "4: the store's \"name\" is missing",
         NULL},
        {CLUSTER STORES "encryption = { identity_file = \"x\"; };",
         "3: \"encryption\" has no \"recipients\"", NULL},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

static void
values_of_the_wrong_type_are_refused(void **state)
{
    static const struct refusal refusals[] = {
        {STORES PLAIN "cluster = 5;", "3: \"cluster\" must be a string", "cluster = \"...\";"},
        {STORES PLAIN "cluster = \"\";", "3: \"cluster\" must not be empty", NULL},
        {MINIMAL "pgdata = \"\";", "4: \"pgdata\" must not be empty", NULL},
        {MINIMAL "pgdata = (\"x\");", "4: \"pgdata\" must be a string", NULL},
        {MINIMAL "system_id = 123;", "4: \"system_id\" must be a string", NULL},
        {MINIMAL "conninfo = true;", "4: \"conninfo\" must be a string", NULL},
        {MINIMAL "acknowledge = \"1\";", "4: \"acknowledge\" must be a number without quotes",
         NULL},
        {MINIMAL "acknowledge = true;", "4: \"acknowledge\" must be a number without quotes", NULL},
        {MINIMAL "spool_max = true;", "4: \"spool_max\" must be a size", "\"64MiB\""},
        {MINIMAL "spool_max = \"64MB\";", "4: \"spool_max\" must be a size", NULL},
        {MINIMAL "spool_max = \"64\";", "4: \"spool_max\" must be a size", NULL},
        {MINIMAL "spool_max = \"8589934592GiB\";", "4: \"spool_max\" must be a size", NULL},
        {MINIMAL "agent_memory = \"1023KiB\";",
         "4: \"agent_memory\" must be between 1MiB and 16GiB", NULL},
        {MINIMAL "agent = 1;", "4: \"agent\" must be true or false, without quotes", NULL},
        {MINIMAL "push_timeout = true;", "4: \"push_timeout\" must be a time", "\"90s\""},
        {MINIMAL "push_timeout = \"90\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"90 s\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"1m\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"-1min\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"01min\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"s\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"1h30min\";", "4: \"push_timeout\" must be a time", NULL},
        {MINIMAL "push_timeout = \"213503982334602d\";", "4: \"push_timeout\" must be a time",
         NULL},
        {MINIMAL "writers = \"w\";", "4: \"writers\" must be a list of strings", "writers = ( "},
        {MINIMAL "writers = { };", "4: \"writers\" must be a list of strings", NULL},
        {MINIMAL "writers = ( );", "4: \"writers\" must have 1 to 20 entries", NULL},
        {MINIMAL "writers = ( \"w\", 1 );",
         "4: entry 2 of \"writers\" must be a string that is not empty", NULL},
        {MINIMAL "writers = ( \"\" );",
         "4: entry 1 of \"writers\" must be a string that is not empty", NULL},
        {MINIMAL "writers = ( ( \"w\" ) );",
         "4: entry 1 of \"writers\" must be a string that is not empty", NULL},
        {MINIMAL "compression = \"" CANARY "\";",
         "4: \"compression\" is none of its possible values", "lz4 zstd none"},
        {MINIMAL "compression = \"lz\";", "4: \"compression\" is none of its possible values",
         NULL},
        {MINIMAL "compression = \"\";", "4: \"compression\" is none of its possible values", NULL},
        {MINIMAL "compression = \"lz4 zstd\";", "4: \"compression\" is none of its possible values",
         NULL},
        {MINIMAL "wal_check = 1;", "4: \"wal_check\" is none of its possible values", NULL},
        {MINIMAL "objectives = \"x\";", "4: \"objectives\" must be a group", NULL},
        {CLUSTER STORES "encryption = \"" CANARY "\";",
         "3: \"encryption\" must be a group or \"none\"", "encryption = \"none\";"},
        {CLUSTER STORES "encryption = false;", "3: \"encryption\" must be a group or \"none\"",
         NULL},
        {CLUSTER STORES "encryption = ( );", "3: \"encryption\" must be a group or \"none\"", NULL},
        {CLUSTER PLAIN "stores = { name = \"a\"; };",
         "3: \"stores\" must be a list of 1 to 8 groups", "Write: stores = ("},
        {CLUSTER PLAIN "stores = ( );", "3: \"stores\" must be a list of 1 to 8 groups", NULL},
        {CLUSTER PLAIN "stores = \"file:///a\";", "3: \"stores\" must be a list of 1 to 8 groups",
         NULL},
        {CLUSTER PLAIN "stores = ( { }, { }, { }, { }, { }, { }, { }, { }, { } );",
         "3: \"stores\" must be a list of 1 to 8 groups", NULL},
        {CLUSTER PLAIN "stores = ( \"file:///a\" );", "3: entry 1 of \"stores\" is not a group",
         NULL},
        {CLUSTER PLAIN "stores = ( { name = \"a\"; url = \"u\";\n path_style = 1; } );",
         "4: \"path_style\" must be true or false, without quotes", NULL},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

static void
values_out_of_bounds_are_refused(void **state)
{
    static const struct refusal refusals[] = {
        {MINIMAL "acknowledge = 0;", "4: \"acknowledge\" must be between 1 and 8", NULL},
        {MINIMAL "acknowledge = 9;", "4: \"acknowledge\" must be between 1 and 8", NULL},
        {MINIMAL "acknowledge = -1;", "4: \"acknowledge\" must be between 1 and 8", NULL},
        {MINIMAL "compression_level = 20;", "4: \"compression_level\" must be between 0 and 19",
         NULL},
        {MINIMAL "push_timeout = 4;", "4: \"push_timeout\" must be between 5s and 1h", NULL},
        {MINIMAL "push_timeout = \"61min\";", "4: \"push_timeout\" must be between 5s and 1h",
         NULL},
        {MINIMAL "push_timeout = -2147483647;", "4: \"push_timeout\" must be between 5s and 1h",
         NULL},
        {MINIMAL "lag_wait = \"2h\";", "4: \"lag_wait\" must be between 0s and 1h", NULL},
        {MINIMAL "push_timeout = \"106751991167300d\";",
         "4: \"push_timeout\" must be between 5s and 1h", NULL},
        {MINIMAL "objectives = { retention = \"23h\"; };",
         "4: \"retention\" must be between 1d and 3650d", NULL},
        {MINIMAL "writers = ( \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
                 "\"12\",\"13\",\"14\",\"15\",\"16\",\"17\",\"18\",\"19\",\"20\",\"21\" );",
         "4: \"writers\" must have 1 to 20 entries", NULL},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

#define STORE(name, more) "{ name = \"" name "\"; " more " }"
#define TWO_STORES(first, second) CLUSTER PLAIN "stores = (\n" first ",\n" second "\n);\n"

static void
values_that_do_not_fit_together_are_refused(void **state)
{
    static const struct refusal refusals[] = {
        {STORES PLAIN "cluster = \"Main\";", "3: \"cluster\" is not a valid name", "a-z"},
        {STORES PLAIN "cluster = \"a/b\";", "3: \"cluster\" is not a valid name", NULL},
        {STORES PLAIN "cluster = \"a..b\";", "3: \"cluster\" is not a valid name", NULL},
        {STORES PLAIN "cluster = \".a\";", "3: \"cluster\" is not a valid name", NULL},
        {STORES PLAIN "cluster = \"-a\";", "3: \"cluster\" is not a valid name", NULL},
        {STORES PLAIN "cluster = \"\xc3\xa4\";", "3: \"cluster\" is not a valid name", NULL},
        {STORES PLAIN "cluster = \"" LONG_60 "abcd\";", "3: \"cluster\" is not a valid name", NULL},
        {MINIMAL "system_id = \"0\";", "4: \"system_id\" is not a system identifier", NULL},
        {MINIMAL "system_id = \"01\";", "4: \"system_id\" is not a system identifier", NULL},
        {MINIMAL "system_id = \"1x\";", "4: \"system_id\" is not a system identifier", NULL},
        {MINIMAL "system_id = \"18446744073709551616\";",
         "4: \"system_id\" is not a system identifier", "pg_controldata"},
        {MINIMAL "acknowledge = 2;", "4: \"acknowledge\" is larger than the number of stores (1)",
         NULL},
        {MINIMAL "compression_level = 13;", "4: \"compression_level\" of lz4 is at most 12", NULL},
        {CLUSTER PLAIN "stores = (\n" STORE("A", "url = \"u\";") ");",
         "4: the store's \"name\" is not valid", "a-z"},
        {CLUSTER PLAIN "stores = (\n" STORE("a_b", "url = \"u\";") ");",
         "4: the store's \"name\" is not valid", NULL},
        {CLUSTER PLAIN
         "stores = (\n" STORE("123456789012345678901234567890123", "url = \"u\";") ");",
         "4: the store's \"name\" is not valid", NULL},
        {TWO_STORES(STORE("a", "url = \"u\";"), STORE("a", "url = \"v\";")),
         "5: two stores have the same \"name\"", NULL},
        {TWO_STORES(STORE("a", "url = \"u\";"), STORE("b", "url = \"u\";")),
         "5: two stores have the same \"url\"", NULL},
        {TWO_STORES(STORE("a", "url = \"file:///u//\";"), STORE("b", "url = \"file:///u\";")),
         "5: two stores have the same \"url\"", NULL},
        {TWO_STORES(STORE("a", "url = \"s3://u\"; endpoint = \"https://e/\";"),
                    STORE("b", "url = \"s3://u/\"; endpoint = \"https://e\"; region = \"x\";")),
         "5: two stores have the same \"url\"", NULL},
        {CLUSTER PLAIN "stores = (\n" STORE("a", "url = \"u\";\n access_key_id = \"CANARY\";") ");",
         "5: \"access_key_id\" without \"secret_access_key\"", NULL},
        {CLUSTER PLAIN
         "stores = (\n" STORE("a", "url = \"u\"; secret_access_key = \"CANARY\";") ");",
         "4: \"secret_access_key\" without \"access_key_id\"", NULL},
    };

    (void)state;
    assert_all_refused(refusals, ARRAY_SIZE(refusals));
}

static void
limits_are_reached_and_not_passed(void **state)
{
    static const char *const texts[] = {
        STORES PLAIN "cluster = \"" LONG_60 "abc\";",
        MINIMAL "compression_level = 12;",
        MINIMAL "compression_level = 19; compression = \"none\";",
        MINIMAL "push_timeout = 5; fetch_timeout = 3600; connect_timeout = +1;",
        CLUSTER PLAIN "stores = (" STORE("12345678901234567890123456789012", "url = \"u\";") ");",
        TWO_STORES(STORE("a", "url = \"s3://u\";"),
                   STORE("b", "url = \"s3://u\"; endpoint = \"https://e\";")),
        TWO_STORES(STORE("a", "url = \"s3://u\";"), STORE("b", "url = \"s3://u/v\";")),
        MINIMAL "writers = ( \"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\",\"8\",\"9\",\"10\",\"11\","
                "\"12\",\"13\",\"14\",\"15\",\"16\",\"17\",\"18\",\"19\",\"20\" );",
        MINIMAL "conninfo = \"\"; // @include \"x\"\n# don't\n/**/",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        settings_free(parsed(texts[i]));
}

/* MINIMAL, then `head`, `n` times `unit`, and `tail`. The caller frees it. */
static char *
repeated(const char *head, const char *unit, size_t n, const char *tail)
{
    size_t size = strlen(MINIMAL) + strlen(head) + n * strlen(unit) + strlen(tail) + 1;
    char *text = malloc(size);
    char *at = text;

    assert_non_null(text);
    at = stpcpy(at, MINIMAL);
    at = stpcpy(at, head);
    for (size_t i = 0; i < n; i++)
        at = stpcpy(at, unit);
    (void)stpcpy(at, tail);
    return text;
}

static void
large_texts_are_refused_before_they_cost_anything(void **state)
{
    static const struct {
        const char *head;
        const char *unit;
        size_t n;
        const char *tail;
        const char *error;
    } cases[] = {
        {"#", "x", 4096, "", "4: the line is too long (more than 4096 bytes)"},
        {"", "#\n", 131072, "", " the file is too large (more than 262144 bytes)"},
        {"", "x = 1;\n", 1000, "", "999: too many settings"},
        {"", "x = { ", 9, "", "4: groups and lists are nested too deep"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        AUTO(ptr) char *text = repeated(cases[i].head, cases[i].unit, cases[i].n, cases[i].tail);

        assert_refused(&(struct refusal){text, cases[i].error, NULL});
    }

    AUTO(ptr) char *longest = repeated("#", "x", 4095, "\n");
    settings_free(parsed(longest));
    AUTO(ptr) char *largest = repeated("", "#\n", (SETTINGS_FILE_MAX - strlen(MINIMAL)) / 2, "");
    settings_free(parsed(largest));
}

static void
nul_bytes_are_refused_wherever_they_stand(void **state)
{
    static const char text[] = MINIMAL "# comment\n";

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++) {
        struct settings *settings = NULL;
        struct err err = ERR_INIT;
        char copy[sizeof(text)];

        memcpy(copy, text, sizeof(text));
        copy[i] = '\0';
        assert_int_equal(settings_parse(copy, sizeof(text), FILE_NAME, &settings, &err), -1);
        assert_non_null(strstr(err.text, "the line contains a NUL byte"));
    }
}

static void
file_names_are_quoted_in_messages(void **state)
{
    struct settings *settings = NULL;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(settings_parse("x", 1, "/a\n\"b", &settings, &err), -1);
    assert_string_equal(err.text, "\"/a\\x0a\\x22b\":1: syntax error");
}

/* ---- files ---- */

static char directory[64];

static int
make_directory(void **state)
{
    (void)state;
    (void)snprintf(directory, sizeof(directory), "/tmp/test_settings.XXXXXX");
    return mkdtemp(directory) == NULL || chdir(directory) < 0;
}

static int
remove_directory(void **state)
{
    DIR *dir = opendir(directory);

    (void)state;
    if (dir == NULL || chdir("/") < 0)
        return -1;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        (void)unlinkat(dirfd(dir), entry->d_name, 0);
    (void)closedir(dir);
    return rmdir(directory);
}

static void
write_file(const char *name, const char *text, mode_t mode)
{
    (void)unlink(name);
    FILE *file = fopen(name, "w");

    assert_non_null(file);
    assert_int_equal(fputs(text, file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(name, mode), 0);
}

static void
assert_not_read(const char *name, const char *text, const char *hint)
{
    struct settings *settings = NULL;
    struct err err = ERR_INIT;

    assert_int_equal(settings_read(name, &settings, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    if (strstr(err.text, text) == NULL || strstr(err.hint, hint) == NULL)
        fail_msg("\"%s\", hint \"%s\" instead of \"%s\", \"%s\"", err.text, err.hint, text, hint);
    assert_null(strstr(err.text, CANARY));
}

static struct settings *
read_ok(const char *name)
{
    struct settings *settings = NULL;
    struct err err = ERR_INIT;

    if (settings_read(name, &settings, &err) != 0)
        fail_msg("%s", err.text);
    return settings;
}

static void
files_are_found_by_argument_then_environment(void **state)
{
    char path[128];

    (void)state;
    write_file("a.conf", MINIMAL, 0644);
    write_file("b.conf", MINIMAL "push_timeout = 7;", 0644);
    (void)snprintf(path, sizeof(path), "%s/b.conf", directory);
    assert_int_equal(setenv("SEAWALL_CONFIG", path, 1), 0);

    AUTO(settings) struct settings *named = read_ok("a.conf");
    assert_int_equal(named->push_timeout, 45);
    AUTO(settings) struct settings *found = read_ok(NULL);
    assert_int_equal(found->push_timeout, 7);
    assert_string_equal(found->file, path);
    assert_int_equal(unsetenv("SEAWALL_CONFIG"), 0);
}

static void
relative_file_names_count_from_the_directory_of_the_file(void **state)
{
    char expected[128];

    (void)state;
    write_file("a.conf", MINIMAL, 0644);
    AUTO(settings) struct settings *settings = read_ok("a.conf");
    (void)snprintf(expected, sizeof(expected), "%s/writer.key", directory);
    assert_string_equal(settings->writer_key_file, expected);
    (void)snprintf(expected, sizeof(expected), "%s/a.conf", directory);
    assert_string_equal(settings->file, expected);
}

static void
files_others_could_have_written_are_refused(void **state)
{
    (void)state;
    write_file("a.conf", MINIMAL, 0664);
    assert_not_read("a.conf", "can be written by others (mode 0664)", "chmod go-w");
    write_file("a.conf", MINIMAL, 0646);
    assert_not_read("a.conf", "can be written by others (mode 0646)", "chmod go-w");
    assert_not_read("absent.conf", "No such file or directory", "--config");
    assert_not_read(".", "is not a regular file", "");
    assert_int_equal(mkfifo("fifo", 0600), 0);
    assert_not_read("fifo", "is not a regular file", "");
    write_file("a.conf", MINIMAL "x\n", 0600);
    assert_not_read("a.conf", "a.conf\":4: syntax error", "");

    if (geteuid() == 0) {
        write_file("a.conf", MINIMAL, 0644);
        assert_int_equal(chown("a.conf", 12345, 12345), 0);
        assert_not_read("a.conf", "belongs to another user (uid 12345)", "root");
    }
}

static void
files_with_secrets_must_be_private(void **state)
{
    static const char *const texts[] = {
        CLUSTER PLAIN "stores = ( { name = \"a\"; url = \"u\"; access_key_id = \"i\";"
                      " secret_access_key = \"" CANARY "\"; } );",
        MINIMAL "conninfo = \"host=/run password=" CANARY "\";",
        MINIMAL "conninfo = \"host=/run sslPassword=" CANARY "\";",
        MINIMAL "conninfo = \"postgresql://u:" CANARY "@host/db\";",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        write_file("a.conf", texts[i], 0644);
        assert_not_read("a.conf", i == 0 ? "a secret (secret_access_key)" : "a secret (conninfo)",
                        "chmod 0600");
        write_file("a.conf", texts[i], 0600);
        settings_free(read_ok("a.conf"));
    }
    write_file("a.conf", MINIMAL "conninfo = \"host=/run passfile=/x\";", 0644);
    settings_free(read_ok("a.conf"));
}

static void
links_are_followed_where_nobody_else_can_make_them(void **state)
{
    (void)state;
    write_file("a.conf", MINIMAL, 0644);
    assert_int_equal(symlink("a.conf", "link.conf"), 0);
    settings_free(read_ok("link.conf"));

    assert_int_equal(chmod(".", 0777), 0);
    assert_not_read("link.conf", "is a symbolic link that others could have made", "directory");
    settings_free(read_ok("a.conf"));
    assert_int_equal(chmod(".", 01777), 0);
    settings_free(read_ok("link.conf"));
    if (geteuid() == 0) {
        assert_int_equal(lchown("link.conf", 12345, 12345), 0);
        assert_not_read("link.conf", "is a symbolic link that others could have made", "root");
    }
    assert_int_equal(chmod(".", 0700), 0);

    assert_int_equal(symlink("absent", "broken.conf"), 0);
    assert_not_read("broken.conf", "No such file or directory", "--config");
}

static void
files_over_the_limit_are_refused(void **state)
{
    AUTO(ptr) char *text = repeated("", "#\n", SETTINGS_FILE_MAX / 2, "");

    (void)state;
    write_file("a.conf", text, 0644);
    assert_not_read("a.conf", "the file is too large (more than 262144 bytes)", "");
}

/* The examples we ship; the directory comes from meson.build. */
static void
every_file_in_conf_parses(void **state)
{
    const char *conf = getenv("SEAWALL_TEST_CONF");
    AUTO(dir) DIR *dir = conf == NULL ? NULL : opendir(conf);
    char path[4096];
    char text[16384];
    int files = 0;

    (void)state;
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strstr(entry->d_name, ".conf") == NULL)
            continue;
        assert_true(snprintf(path, sizeof(path), "%s/%s", conf, entry->d_name) < (int)sizeof(path));
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        (void)fclose(file);
        settings_free(parsed(text));
        files++;
    }
    assert_true(files >= 2);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_settings_suffice_and_the_others_have_their_defaults),
        cmocka_unit_test(every_setting_is_read),
        cmocka_unit_test(what_libconfig_would_misread_is_refused_with_its_line),
        cmocka_unit_test(syntax_errors_are_reported_with_their_line),
        cmocka_unit_test(unknown_and_misplaced_settings_are_refused_with_a_hint),
        cmocka_unit_test(missing_settings_are_named),
        cmocka_unit_test(values_of_the_wrong_type_are_refused),
        cmocka_unit_test(values_out_of_bounds_are_refused),
        cmocka_unit_test(values_that_do_not_fit_together_are_refused),
        cmocka_unit_test(limits_are_reached_and_not_passed),
        cmocka_unit_test(large_texts_are_refused_before_they_cost_anything),
        cmocka_unit_test(nul_bytes_are_refused_wherever_they_stand),
        cmocka_unit_test(file_names_are_quoted_in_messages),
        cmocka_unit_test(files_are_found_by_argument_then_environment),
        cmocka_unit_test(relative_file_names_count_from_the_directory_of_the_file),
        cmocka_unit_test(files_others_could_have_written_are_refused),
        cmocka_unit_test(files_with_secrets_must_be_private),
        cmocka_unit_test(links_are_followed_where_nobody_else_can_make_them),
        cmocka_unit_test(files_over_the_limit_are_refused),
        cmocka_unit_test(every_file_in_conf_parses),
    };

    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
