/* SPDX-License-Identifier: PostgreSQL */
#include "restore/restore_settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define COMMAND_MAX (16 * KIB)

enum restore_action
restore_settings_action(enum target_kind kind)
{
    return kind == TARGET_LATEST || kind == TARGET_BACKUP_END ? RESTORE_PROMOTE : RESTORE_PAUSE;
}

const char *
restore_settings_action_name(enum restore_action action)
{
    switch (action) {
    case RESTORE_PAUSE:
        return "pause";
    case RESTORE_PROMOTE:
        return "promote";
    case RESTORE_SHUTDOWN:
        return "shutdown";
    }
    return "pause";
}

static int
full_is_error(int rc, struct err *err)
{
    return rc == BUF_FULL ? err_set(err, ERR_CONFIG, "the recovery settings are too long") : rc;
}

int
restore_settings_shell_word(const char *word, struct buf *text, struct err *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_./-+:,@";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0')
        return buf_append_text(text, word, err);
    int rc = buf_append_text(text, "'", err);
    for (; *word != '\0' && rc == 0; word++)
        rc = *word == '\'' ? buf_append_text(text, "'\\''", err) : buf_append(text, word, 1, err);
    return rc != 0 ? rc : buf_append_text(text, "'", err);
}

/* A word of a command of PostgreSQL's: a percent sign of its own is doubled. */
static int
add_word(struct buf *text, const char *word, struct err *err)
{
    AUTO(buf) struct buf quoted = BUF_INIT(COMMAND_MAX);
    int rc = 0;

    for (const char *at = word; *at != '\0'; at++)
        if (*at > 0 && *at < 0x20)
            return err_set(err, ERR_CONFIG,
                           "the name of program or configuration file has a control character");
    rc = restore_settings_shell_word(word, &quoted, err);
    for (size_t i = 0; i < quoted.size && rc == 0; i++) {
        rc = buf_append(text, quoted.data + i, 1, err);
        if (rc == 0 && quoted.data[i] == '%')
            rc = buf_append_text(text, "%", err);
    }
    return rc;
}

int
restore_settings_command(const struct restore_settings *settings, struct buf *text,
                         struct err *err)
{
    int rc = add_word(text, settings->fetch_program, err);

    if (rc == 0)
        rc = buf_append_text(text, " --config ", err);
    if (rc == 0)
        rc = add_word(text, settings->config_file, err);
    if (rc == 0)
        rc = buf_append_text(text, " \"%f\" \"%p\"", err);
    return full_is_error(rc, err);
}

/* A string of postgresql.conf: quotes are doubled, and so are backslashes. */
static int
add_setting(struct buf *text, const char *name, const char *value, struct err *err)
{
    int rc = buf_printf(text, err, "%s = '", name);

    for (; *value != '\0' && rc == 0; value++) {
        rc = buf_append(text, value, 1, err);
        if (rc == 0 && (*value == '\'' || *value == '\\'))
            rc = buf_append(text, value, 1, err);
    }
    return rc != 0 ? rc : buf_append_text(text, "'\n", err);
}

/*
 * The server refuses two targets, and its check of one setting fires if another is set when it is
 * emptied: so the empty ones stand first and the target last.
 */
static int
add_empty(const struct restore_settings *settings, struct buf *text, struct err *err)
{
    static const char *const names[] = {
        "recovery_target", "recovery_target_name", "recovery_target_time", "recovery_target_xid",
        "recovery_target_lsn", "recovery_end_command", "archive_cleanup_command",
        "primary_conninfo", "primary_slot_name",
    };
    char line[TARGET_SETTING_SIZE];
    int rc = 0;

    (void)target_setting(settings->target, line, sizeof(line));
    size_t length = strcspn(line, " ");
    for (size_t i = 0; i < ARRAY_SIZE(names) && rc == 0; i++)
        if (strlen(names[i]) != length || memcmp(names[i], line, length) != 0)
            rc = add_setting(text, names[i], "", err);
    if (rc == 0 && settings->server_version < 160000)
        rc = add_setting(text, "promote_trigger_file", "", err);
    if (rc == 0)
        rc = add_setting(text, "recovery_min_apply_delay", "0", err);
    if (rc == 0 && settings->gap_behind && settings->server_version >= 150000)
        rc = add_setting(text, "recovery_prefetch", "off", err);
    return rc;
}

int
restore_settings_text(const struct restore_settings *settings, struct buf *text, struct err *err)
{
    char line[TARGET_SETTING_SIZE];
    char number[16];
    char date[CLOCK_TEXT_SIZE];
    uint64_t stop_lsn = 0;
    AUTO(buf) struct buf command = BUF_INIT(COMMAND_MAX);

    if (restore_settings_command(settings, &command, err) < 0)
        return -1;
    const char *command_text = buf_text(&command, err);
    if (command_text == NULL)
        return -1;
    (void)snprintf(number, sizeof(number), "%" PRIu32, settings->timeline);
    int rc = buf_printf(text, err, "\n# Recovery settings of seawall restore, %s\n",
                        clock_text(clock_real_us(), date));
    if (rc == 0)
        rc = add_setting(text, "restore_command", command_text, err);
    if (rc == 0)
        rc = add_empty(settings, text, err);
    if (rc == 0)
        rc = add_setting(text, "recovery_target_timeline", number, err);
    if (rc == 0)
        rc = add_setting(text, "recovery_target_inclusive",
                         target_stops_at(settings->target, &stop_lsn) ? "off" : "on", err);
    if (rc == 0)
        rc = add_setting(text, "recovery_target_action",
                         restore_settings_action_name(settings->action), err);
    if (rc == 0)
        rc = buf_append_text(text, target_setting(settings->target, line, sizeof(line)), err);
    return full_is_error(rc, err);
}

int
restore_settings_map(const struct restore_tree *tree, struct buf *text, struct err *err)
{
    for (size_t i = 0; i < tree->n_spaces; i++) {
        int rc = buf_printf(text, err, "%" PRIu32 " ", tree->spaces[i].oid);

        for (const char *at = tree->spaces[i].path; *at != '\0' && rc == 0; at++) {
            if (*at == '\n' || *at == '\r' || *at == '\\')
                rc = buf_append_text(text, "\\", err);
            if (rc == 0)
                rc = buf_append(text, at, 1, err);
        }
        if (rc == 0)
            rc = buf_append_text(text, "\n", err);
        if (rc != 0)
            return full_is_error(rc, err);
    }
    return 0;
}
