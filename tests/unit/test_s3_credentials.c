/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/macros.h"
#include "s3_credentials_cases.h"
#include "store/s3_credentials.h"

static void
assert_no_secret(const struct err *err)
{
    if (strstr(err->text, MARK) != NULL || strstr(err->hint, MARK) != NULL)
        fail_msg("a secret is in \"%s\" \"%s\"", err->text, err->hint);
    assert_null(strchr(err->text, '\n'));
    assert_null(strstr(err->text, "wJalr"));
    assert_null(strstr(err->hint, "wJalr"));
}

/* ---- the file's grammar ---- */

static void
files_are_read_as_amazons_tools_read_them(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        AUTO(s3_credentials) struct s3_credentials found;
        struct err err = ERR_INIT;

        if (s3_credentials_parse(good[i].text, good[i].size, "/f", "default", &found, &err) != 0)
            fail_msg("refused: %s: %s", good[i].name, err.text);
        assert_string_equal(found.access_key_id, good[i].id);
        assert_string_equal(found.secret_access_key, good[i].secret);
        assert_string_equal(found.session_token, good[i].token);
        assert_string_equal(found.source, "file \"/f\", profile \"default\"");
    }
}

static void
mistakes_are_named_by_line_and_never_quoted(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct s3_credentials found;
        struct err err = ERR_INIT;

        memset(&found, 'u', sizeof(found));
        if (s3_credentials_parse(bad[i].text, bad[i].size, "/f", "default", &found, &err) != -1)
            fail_msg("accepted: %s", bad[i].text);
        assert_int_equal(err.kind, ERR_CONFIG);
        assert_string_equal(err.text, bad[i].message);
        assert_no_secret(&err);
        assert_int_equal(found.secret_access_key[0], 'u');
    }
}

static void
a_file_cut_anywhere_is_never_read_past_its_end(void **state)
{
    static const char text[] = "# c\n[default]\r\n" BOTH "aws_session_token = " TOKEN "\n[x]\n";

    (void)state;
    for (size_t size = 0; size < sizeof(text); size++) {
        AUTO(s3_credentials) struct s3_credentials found;
        AUTO(ptr) char *copy = malloc(size == 0 ? 1 : size);
        struct err err = ERR_INIT;

        assert_non_null(copy);
        memcpy(copy, text, size);
        if (s3_credentials_parse(copy, size, "/f", "default", &found, &err) == -1)
            assert_no_secret(&err);
        else
            assert_string_equal(found.access_key_id, ID);
    }
}

static void
the_profile_asked_for_is_taken(void **state)
{
    static const char text[] = "[default]\naws_access_key_id=d\naws_secret_access_key=ds\n"
                               "[two words]\naws_access_key_id=w\naws_secret_access_key=ws\n"
                               "[gr\xc3\xbcn]\naws_access_key_id=g\naws_secret_access_key=gs\n";
    static const struct {
        const char *profile;
        const char *id;
        const char *source;
    } cases[] = {
        {"default", "d", "file \"/f\", profile \"default\""},
        {"two words", "w", "file \"/f\", profile \"two words\""},
        {"gr\xc3\xbcn", "g", "file \"/f\", profile \"gr\\xc3\\xbcn\""},
    };
    AUTO(s3_credentials) struct s3_credentials found;
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        assert_int_equal(s3_credentials_parse(TEXT(text), "/f", cases[i].profile, &found, &err), 0);
        assert_string_equal(found.access_key_id, cases[i].id);
        assert_string_equal(found.source, cases[i].source);
    }
    assert_int_equal(s3_credentials_parse(TEXT(text), "/f", "a\n\x1b", &found, &err), -1);
    assert_string_equal(err.text, "credentials file \"/f\" has no profile \"a\\x0a\\x1b\"");
}

static void
values_have_a_ceiling(void **state)
{
    static const struct {
        const char *key;
        size_t max;
    } cases[] = {
        {"aws_access_key_id", 255},
        {"aws_secret_access_key", 255},
        {"aws_session_token", S3_CREDENTIAL_MAX - 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t over = 0; over < 3; over++) {
            AUTO(s3_credentials) struct s3_credentials found;
            AUTO(buf) struct buf text = BUF_INIT(2 * MIB);
            size_t length = over == 2 ? MIB : cases[i].max + over;
            struct err err = ERR_INIT;

            assert_int_equal(buf_printf(&text, &err, "[p]\n%s=", cases[i].key), 0);
            for (size_t k = 0; k < length; k++)
                assert_int_equal(buf_append_text(&text, "v", &err), 0);
            for (size_t k = 0; k < 2; k++) {
                if (k != i)
                    assert_int_equal(buf_printf(&text, &err, "\n%s=v", cases[k].key), 0);
            }
            int rc =
                s3_credentials_parse((const char *)text.data, text.size, "/f", "p", &found, &err);
            assert_int_equal(rc, over == 0 ? 0 : -1);
            if (over > 0)
                assert_non_null(strstr(err.text, "is too long"));
        }
    }
}

/* ---- where they come from ---- */

static const char *const variables[] = {
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",       "AWS_SESSION_TOKEN",
    "AWS_PROFILE",       "AWS_SHARED_CREDENTIALS_FILE", "HOME",
};

struct place {
    char directory[64];
    char file[128];
    char shared[128];
};

static void
write_file(const char *path, const char *text, mode_t mode)
{
    (void)unlink(path);
    AUTO(fd) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
}

static int
set_up(void **state)
{
    static struct place place;
    char aws[96];

    for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
        (void)unsetenv(variables[i]);
    (void)snprintf(place.directory, sizeof(place.directory), "/tmp/test_s3_credentials.XXXXXX");
    if (mkdtemp(place.directory) == NULL)
        return -1;
    (void)snprintf(aws, sizeof(aws), "%s/.aws", place.directory);
    (void)snprintf(place.file, sizeof(place.file), "%s/file", place.directory);
    (void)snprintf(place.shared, sizeof(place.shared), "%s/credentials", aws);
    *state = &place;
    return mkdir(aws, 0700);
}

static int
tear_down(void **state)
{
    struct place *place = *state;
    char aws[96];

    (void)snprintf(aws, sizeof(aws), "%s/.aws", place->directory);
    (void)unlink(place->file);
    (void)unlink(place->shared);
    (void)rmdir(aws);
    return rmdir(place->directory);
}

static void
assert_found(const struct store_config *config, const char *id, const char *source)
{
    AUTO(s3_credentials) struct s3_credentials found;
    struct err err = ERR_INIT;

    if (s3_credentials_load(config, &found, &err) != 0)
        fail_msg("not found: %s", err.text);
    assert_string_equal(found.access_key_id, id);
    if (strstr(found.source, source) == NULL)
        fail_msg("source is %s", found.source);
}

static void
assert_not_found(const struct store_config *config, const char *text, const char *hint)
{
    struct s3_credentials found;
    struct err err = ERR_INIT;

    memset(&found, 'u', sizeof(found));
    assert_int_equal(s3_credentials_load(config, &found, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
    assert_no_secret(&err);
    if (strstr(err.text, text) == NULL || strstr(err.hint, hint) == NULL)
        fail_msg("\"%s\" \"%s\"", err.text, err.hint);
    assert_int_equal(found.access_key_id[0], 'u');
}

static void
sources_are_asked_in_order(void **state)
{
    const struct place *place = *state;
    struct store_config config = {.name = "paris",
                                  .access_key_id = "static",
                                  .secret_access_key = SECRET,
                                  .credentials_file = place->file};

    write_file(place->file, "[default]\naws_access_key_id=file\naws_secret_access_key=s\n", 0600);
    write_file(place->shared,
               "[default]\naws_access_key_id=shared\naws_secret_access_key=s\n"
               "[p]\naws_access_key_id=sharedp\naws_secret_access_key=s\n",
               0600);
    (void)setenv("HOME", place->directory, 1);
    (void)setenv("AWS_ACCESS_KEY_ID", "env", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    assert_found(&config, "static", "configuration");
    config.access_key_id = NULL;
    config.secret_access_key = "";
    assert_found(&config, "file", "/file\", profile \"default\"");
    config.credentials_file = NULL;
    assert_found(&config, "env", "environment");
    config.profile = "p";
    assert_found(&config, "sharedp", "/.aws/credentials\", profile \"p\"");
    config.profile = "";
    (void)unsetenv("AWS_ACCESS_KEY_ID");
    (void)setenv("AWS_SECRET_ACCESS_KEY", "", 1);
    assert_found(&config, "shared", "/.aws/credentials\", profile \"default\"");
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", place->file, 1);
    assert_found(&config, "file", "/file\", profile \"default\"");
    (void)unsetenv("HOME");
    assert_found(&config, "file", "/file\", profile \"default\"");
}

static void
the_profile_is_the_stores_then_the_environments(void **state)
{
    const struct place *place = *state;
    struct store_config config = {.name = "paris", .credentials_file = place->file};

    write_file(place->file,
               "[default]\naws_access_key_id=d\naws_secret_access_key=s\n"
               "[a]\naws_access_key_id=a\naws_secret_access_key=s\n"
               "[b]\naws_access_key_id=b\naws_secret_access_key=s\n",
               0600);
    (void)setenv("AWS_PROFILE", "", 1);
    assert_found(&config, "d", "profile \"default\"");
    (void)setenv("AWS_PROFILE", "a", 1);
    assert_found(&config, "a", "profile \"a\"");
    config.profile = "b";
    assert_found(&config, "b", "profile \"b\"");
    config.profile = "c";
    assert_not_found(&config, "has no profile \"c\"", "[c]");
}

static void
half_a_pair_is_an_error_and_no_other_source_is_tried(void **state)
{
    const struct place *place = *state;
    struct store_config config = {.name = "paris", .access_key_id = ID};

    write_file(place->shared, "[default]\n" BOTH, 0600);
    (void)setenv("HOME", place->directory, 1);
    assert_not_found(&config, "secret_access_key is not set", "Set both access_key_id");
    config.access_key_id = NULL;
    config.secret_access_key = SECRET;
    assert_not_found(&config, "access_key_id is not set", "Set both access_key_id");
    config.secret_access_key = NULL;
    (void)setenv("AWS_ACCESS_KEY_ID", ID, 1);
    assert_not_found(&config, "AWS_SECRET_ACCESS_KEY is not set", "Set both AWS_ACCESS_KEY_ID");
    (void)unsetenv("AWS_ACCESS_KEY_ID");
    (void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    assert_not_found(&config, "AWS_ACCESS_KEY_ID is not set", "Set both AWS_ACCESS_KEY_ID");
    (void)unsetenv("AWS_SECRET_ACCESS_KEY");
    (void)setenv("AWS_SESSION_TOKEN", TOKEN, 1);
    assert_found(&config, ID, "/.aws/credentials");
}

static void
the_environments_values_are_checked_and_its_token_taken(void **state)
{
    struct store_config config = {.name = "paris"};
    AUTO(s3_credentials) struct s3_credentials found;
    struct err err = ERR_INIT;
    char long_value[400];

    (void)state;
    (void)setenv("AWS_ACCESS_KEY_ID", ID, 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", SECRET, 1);
    (void)setenv("AWS_SESSION_TOKEN", TOKEN, 1);
    assert_int_equal(s3_credentials_load(&config, &found, &err), 0);
    assert_string_equal(found.secret_access_key, SECRET);
    assert_string_equal(found.session_token, TOKEN);
    (void)setenv("AWS_SESSION_TOKEN", TOKEN "\nx-evil: 1", 1);
    assert_not_found(&config, "AWS_SESSION_TOKEN contains a control character", "");
    (void)setenv("AWS_SECRET_ACCESS_KEY", SECRET "\n", 1);
    assert_not_found(&config, "AWS_SECRET_ACCESS_KEY contains a control character", "");
    memset(long_value, 'v', sizeof(long_value) - 1);
    long_value[sizeof(long_value) - 1] = '\0';
    config.access_key_id = long_value;
    config.secret_access_key = SECRET;
    assert_not_found(&config, "access_key_id is too long", "");
}

static void
a_file_others_can_read_is_refused(void **state)
{
    static const mode_t modes[] = {0604, 0644, 0660, 0666, 0601};
    const struct place *place = *state;
    struct store_config config = {.name = "paris", .credentials_file = place->file};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        write_file(place->file, "[default]\n" BOTH, modes[i]);
        assert_not_found(&config, "can be accessed by others", "chmod 0600");
    }
    write_file(place->file, "[default]\n" BOTH, 0400);
    assert_found(&config, ID, "/file");
    assert_int_equal(symlink(place->file, place->shared), 0);
    config.credentials_file = place->shared;
    assert_not_found(&config, "could not open credentials file", "symbolic link");
    config.credentials_file = place->directory;
    assert_not_found(&config, "is not a regular file", "");
}

static void
a_missing_file_says_where_was_looked_and_what_to_do(void **state)
{
    const struct place *place = *state;
    struct store_config config = {.name = "paris", .credentials_file = place->file};

    assert_not_found(&config, "could not open credentials file", "\"credentials_file\"");
    config.credentials_file = NULL;
    (void)setenv("HOME", place->directory, 1);
    assert_not_found(&config, "/.aws/credentials\" does not exist", "AWS_SECRET_ACCESS_KEY");
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/x", 1);
    assert_not_found(&config, "\"/nowhere/x\" does not exist", "AWS_SECRET_ACCESS_KEY");
    (void)unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    (void)unsetenv("HOME");
    assert_not_found(&config, "without HOME", "AWS_SECRET_ACCESS_KEY");
    (void)setenv("HOME", "", 1);
    assert_not_found(&config, "without HOME", "AWS_SECRET_ACCESS_KEY");
}

static void
nothing_is_left_when_they_are_done_with(void **state)
{
    static const struct s3_credentials zero;
    struct s3_credentials found;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(s3_credentials_parse(TEXT("[default]\n" BOTH), "/f", "default", &found, &err),
                     0);
    s3_credentials_done(&found);
    assert_memory_equal(&found, &zero, sizeof(zero));
}

#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_read_as_amazons_tools_read_them),
        cmocka_unit_test(mistakes_are_named_by_line_and_never_quoted),
        cmocka_unit_test(a_file_cut_anywhere_is_never_read_past_its_end),
        cmocka_unit_test(the_profile_asked_for_is_taken),
        cmocka_unit_test(values_have_a_ceiling),
        WITH_PLACE(sources_are_asked_in_order),
        WITH_PLACE(the_profile_is_the_stores_then_the_environments),
        WITH_PLACE(half_a_pair_is_an_error_and_no_other_source_is_tried),
        WITH_PLACE(the_environments_values_are_checked_and_its_token_taken),
        WITH_PLACE(a_file_others_can_read_is_refused),
        WITH_PLACE(a_missing_file_says_where_was_looked_and_what_to_do),
        cmocka_unit_test(nothing_is_left_when_they_are_done_with),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
