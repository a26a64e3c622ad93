/* SPDX-License-Identifier: PostgreSQL */
/*
 * restore_settings.h: what is added to postgresql.auto.conf so that a restored server recovers to
 * its target, and the tablespace_map. Pure: text out.
 */
#ifndef RESTORE_RESTORE_SETTINGS_H
#define RESTORE_RESTORE_SETTINGS_H

#include "base/buf.h"
#include "restore/restore_tree.h"
#include "restore/target.h"

enum restore_action {
    RESTORE_PAUSE,
    RESTORE_PROMOTE,
    RESTORE_SHUTDOWN,
};

struct restore_settings {
    const struct recovery_target *target;
    enum restore_action action;
    uint32_t timeline; /* to follow */
    int server_version;
    bool gap_behind; /* of the plan: the server must not read ahead of the target */
    const char *fetch_program; /* absolute */
    const char *config_file;   /* absolute */
};

/* What is done at the target if nobody says: promote at an end, look at a point first. */
enum restore_action restore_settings_action(enum target_kind kind);
const char *restore_settings_action_name(enum restore_action action);

/* The value of restore_command, as the shell gets it. 0 or -1 (ERR_CONFIG: control characters). */
int restore_settings_command(const struct restore_settings *settings, struct buf *text,
                             struct err *err) MUST_USE;

/*
 * Append the settings. Settings of an earlier life that would disturb (other targets, the primary
 * of a standby, commands) are emptied; archiving stays as it was. 0 or -1.
 */
int restore_settings_text(const struct restore_settings *settings, struct buf *text,
                          struct err *err) MUST_USE;

/* Append the lines of tablespace_map: "oid path", with \n, \r and \ escaped. 0 or -1. */
int restore_settings_map(const struct restore_tree *tree, struct buf *text,
                         struct err *err) MUST_USE;

/* A word for a POSIX shell, in quotes if it needs them. 0, BUF_FULL or -1. */
int restore_settings_shell_word(const char *word, struct buf *text, struct err *err) MUST_USE;

#endif
