/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent_parts.h"

#define CONTROL_FILE "global/pg_control"
#define DIRECTORY_URL "file://"

static void
note_stat(struct agent_file *file, const struct stat *st)
{
    file->device = st->st_dev;
    file->inode = st->st_ino;
    file->size = st->st_size;
    file->modified = st->st_mtim;
    file->changed = st->st_ctim;
}

/* What is at the path now, links followed: they are how configuration tools replace files. */
static struct agent_file
look(int directory, const char *path)
{
    struct agent_file file = {.path = path};
    struct stat st;

    if (fstatat(directory, path, &st, 0) == 0)
        note_stat(&file, &st);
    return file;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool
same_file(const struct agent_file *now, const struct agent_file *before)
{
    if (now->device != before->device || now->inode != before->inode)
        return false;
    return before->place || (now->size == before->size &&
                             same_time(&now->modified, &before->modified) &&
                             same_time(&now->changed, &before->changed));
}

static void
note_file(struct agent_origin *origin, const char *path)
{
    if (path != NULL && origin->n_files < AGENT_FILES_MAX)
        origin->files[origin->n_files++] = look(AT_FDCWD, path);
}

/* A directory that was unmounted, or another one in its place, must not stay open for ever. */
static void
note_place(struct agent_origin *origin, const char *url)
{
    if (strncmp(url, DIRECTORY_URL, strlen(DIRECTORY_URL)) != 0)
        return;
    note_file(origin, url + strlen(DIRECTORY_URL));
    origin->files[origin->n_files - 1].place = true;
}

int
agent_origin_note(struct agent *agent, struct err *err)
{
    struct agent_origin *origin = &agent->origin;
    ssize_t n = readlink("/proc/self/exe", origin->program, sizeof(origin->program) - 1);

    if (n < 0)
        return err_sys(err, errno, "could not read \"/proc/self/exe\"");
    origin->program[n] = '\0';
    if (stat(".", &origin->directory) < 0)
        return err_sys(err, errno, "could not look at the working directory");
    note_file(origin, origin->program);
    note_file(origin, agent->config_path);
    return 0;
}

void
agent_origin_note_settings(struct agent *agent)
{
    const struct settings *settings = agent->settings;

    note_file(&agent->origin, settings->writer_key_file);
    note_file(&agent->origin, settings->identity_file);
    for (size_t i = 0; i < settings->n_stores; i++) {
        note_file(&agent->origin, settings->stores[i].ca_file);
        note_place(&agent->origin, settings->stores[i].url);
    }
}

bool
agent_origin_changed(const struct agent *agent, const char **ret_why)
{
    const struct agent_origin *origin = &agent->origin;
    struct stat st;

    for (size_t i = 0; i < origin->n_files; i++) {
        struct agent_file now = look(AT_FDCWD, origin->files[i].path);

        if (same_file(&now, &origin->files[i]))
            continue;
        *ret_why = i == 0                    ? "the program was replaced"
                   : origin->files[i].place ? "a store's directory is another one"
                                            : "configuration or keys have changed";
        return true;
    }
    if (stat(".", &st) < 0 || st.st_nlink == 0) {
        *ret_why = "the data directory is gone";
        return true;
    }
    return false;
}

bool
agent_origin_serves(const struct agent *agent, int directory)
{
    struct stat st;

    return directory >= 0 && fstat(directory, &st) == 0 &&
           st.st_dev == agent->origin.directory.st_dev &&
           st.st_ino == agent->origin.directory.st_ino;
}

/* ---- the server ---- */

static int
control_directory(const struct pgdata *pgdata)
{
    return pgdata->directory >= 0 ? pgdata->directory : AT_FDCWD;
}

/* What workers and halves rely on stays as long as a server does. */
static bool
same_server(const struct pgdata *a, const struct pgdata *b)
{
    return a->has_control == b->has_control && a->system_id == b->system_id &&
           a->control.segment_size == b->control.segment_size &&
           a->control.server_version == b->control.server_version;
}

/* Read again what may have been written anew. 0, AGENT_OTHER_SERVER, or -1. */
static int
look_again(struct agent *agent, const struct agent_file *control, struct err *err)
{
    AUTO(pgdata) struct pgdata now = PGDATA_INIT;

    if (pgdata_open(agent->settings, &now, err) < 0)
        return -1;
    if (!same_server(&now, &agent->pgdata))
        return AGENT_OTHER_SERVER;
    agent->origin.control = *control;
    return 0;
}

int
agent_origin_pgdata(struct agent *agent, bool *ret_standby, struct err *err)
{
    int rc = 0;

    if (!agent->has_pgdata) {
        if (pgdata_open(agent->settings, &agent->pgdata, err) < 0)
            return -1;
        agent->has_pgdata = true;
        agent->origin.control = (struct agent_file){.path = CONTROL_FILE};
    }

    /* Looked at before it is read: what changes in between is seen next time. */
    struct agent_file control = look(control_directory(&agent->pgdata), CONTROL_FILE);
    if (!same_file(&control, &agent->origin.control))
        rc = look_again(agent, &control, err);
    *ret_standby = agent->pgdata.directory >= 0 &&
                   faccessat(agent->pgdata.directory, "standby.signal", F_OK, 0) == 0;
    return rc;
}
