/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "cmocka_all.h"
#include "restore/restore_settings.h"

static const struct recovery_target lsn = {.kind = TARGET_LSN, .lsn = 0x5000028};

static struct restore_settings
settings_of(const struct recovery_target *target)
{
    return (struct restore_settings){
        .target = target,
        .action = restore_settings_action(target->kind),
        .timeline = 11,
        .server_version = 150020,
        .fetch_program = "/usr/bin/seawall-fetch",
        .config_file = "/etc/seawall/seawall.conf",
    };
}

static const char *
text_of(const struct restore_settings *settings, struct buf *text)
{
    struct err err = ERR_INIT;

    assert_int_equal(restore_settings_text(settings, text, &err), 0);
    return buf_text(text, &err);
}

static size_t
count_of(const char *text, const char *piece)
{
    size_t n = 0;

    for (const char *at = strstr(text, piece); at != NULL; at = strstr(at + 1, piece))
        n++;
    return n;
}

static void
the_target_stands_last_and_all_others_are_emptied(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(64 * KIB);
    struct restore_settings settings = settings_of(&lsn);
    const char *text = text_of(&settings, &buf);
    static const char last[] = "\nrecovery_target_lsn = '0/5000028'\n";

    assert_string_equal(text + strlen(text) - strlen(last), last);
    assert_int_equal(count_of(text, "\nrecovery_target_lsn ="), 1);
    assert_int_equal(count_of(text, "\nrecovery_target_time = ''\n"), 1);
    assert_int_equal(count_of(text, "\nrecovery_target = ''\n"), 1);
    assert_int_equal(count_of(text, "\nrecovery_target_inclusive = 'off'\n"), 1);
    assert_int_equal(count_of(text, "\nrecovery_target_action = 'pause'\n"), 1);
    assert_int_equal(count_of(text, "\nrecovery_target_timeline = '11'\n"), 1);
    assert_int_equal(count_of(text, "\nprimary_conninfo = ''\n"), 1);
    assert_int_equal(count_of(text, "\npromote_trigger_file = ''\n"), 1);
    assert_int_equal(count_of(text, "recovery_prefetch"), 0);
    assert_int_equal(count_of(text, "\nrestore_command = '/usr/bin/seawall-fetch --config "
                                    "/etc/seawall/seawall.conf \"%f\" \"%p\"'\n"),
                     1);
}

static void
what_a_version_does_not_know_is_not_set(void **state UNUSED)
{
    AUTO(buf) struct buf buf = BUF_INIT(64 * KIB);
    struct restore_settings settings = settings_of(&lsn);

    settings.server_version = 160000;
    settings.gap_behind = true;
    const char *text = text_of(&settings, &buf);
    assert_int_equal(count_of(text, "promote_trigger_file"), 0);
    assert_int_equal(count_of(text, "\nrecovery_prefetch = 'off'\n"), 1);

    buf_clear(&buf);
    settings.server_version = 140000;
    assert_int_equal(count_of(text_of(&settings, &buf), "recovery_prefetch"), 0);
}

static void
latest_has_no_target(void **state UNUSED)
{
    const struct recovery_target latest = {.kind = TARGET_LATEST};
    AUTO(buf) struct buf buf = BUF_INIT(64 * KIB);
    struct restore_settings settings = settings_of(&latest);
    const char *text = text_of(&settings, &buf);

    assert_int_equal(count_of(text, "\nrecovery_target_lsn = ''\n"), 1);
    assert_int_equal(count_of(text, "\nrecovery_target = ''\n"), 1);
    assert_int_equal(count_of(text, "\nrecovery_target_action = 'promote'\n"), 1);
}

static void
names_survive_shell_percent_signs_and_the_configuration(void **state UNUSED)
{
    struct err err = ERR_INIT;
    AUTO(buf) struct buf buf = BUF_INIT(64 * KIB);
    struct restore_settings settings = settings_of(&lsn);

    settings.config_file = "/a b/it's 100%\\.conf";
    const char *text = text_of(&settings, &buf);
    assert_int_equal(count_of(text, "--config ''/a b/it''\\\\''''s 100%%\\\\.conf'' \"%f\""), 1);

    settings.config_file = "/a\nb";
    assert_int_equal(restore_settings_text(&settings, &buf, &err), -1);
    assert_int_equal(err.kind, ERR_CONFIG);
}

static void
lines_of_the_tablespace_map_are_escaped(void **state UNUSED)
{
    char odd[] = "/a\nb\\c\rd";
    char plain[] = "/srv/ts";
    struct restore_space spaces[] = {{16384, odd, -1}, {16385, plain, -1}};
    const struct restore_tree tree = {.fd = -1, .spaces = spaces, .n_spaces = 2};
    struct err err = ERR_INIT;
    AUTO(buf) struct buf buf = BUF_INIT(KIB);

    assert_int_equal(restore_settings_map(&tree, &buf, &err), 0);
    assert_string_equal(buf_text(&buf, &err),
                        "16384 /a\\\nb\\\\c\\\rd\n16385 /srv/ts\n");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_target_stands_last_and_all_others_are_emptied),
        cmocka_unit_test(what_a_version_does_not_know_is_not_set),
        cmocka_unit_test(latest_has_no_target),
        cmocka_unit_test(names_survive_shell_percent_signs_and_the_configuration),
        cmocka_unit_test(lines_of_the_tablespace_map_are_escaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
