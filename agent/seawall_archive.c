/* SPDX-License-Identifier: PostgreSQL */
/*
 * seawall_archive: the archive library for PostgreSQL 15 and later,
 * archive_library = 'seawall_archive'. What seawall-push does, in the archiver itself: no process
 * for each file.
 *
 * Everything that could go wrong happens in the agent's process. Here a file is asked for, and an
 * answer waited for, interruptibly. An ERROR is never raised: it would end the archiver of
 * PostgreSQL 15 and 16.
 */
#include <postgres.h>

#include <sys/wait.h>

#include <fmgr.h>
#include <miscadmin.h>
#include <postmaster/interrupt.h>
#if PG_VERSION_NUM >= 160000
#include <archive/archive_module.h>
#else
#include <postmaster/pgarch.h>
#endif
#include <storage/pmsignal.h>
#include <storage/procsignal.h>
#include <utils/guc.h>
#include <utils/timestamp.h>

#include "agent/library_push.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/* PostgreSQL writes the values of settings into variables. */
static char *config_file = NULL;
static char *runtime_dir = NULL;
static char *agent_program = NULL;
static int timeout = 0;

/*
 * A server that shuts down has its archiver try three times, and whoever stops it waits a minute.
 * Once an answer did not come in time, the next attempts are short: the agent works on meanwhile.
 */
#define LATE_MS 20000
#define HURRY_MS 10000
#define HURRY_S 2
static TimestampTz hurry_until = 0;

static void
define(const char *name, const char *what, const char *standard, char **place)
{
    DefineCustomStringVariable(name, what, NULL, place, standard, PGC_SIGHUP, 0, NULL, NULL, NULL);
}

void
_PG_init(void)
{
    define("seawall.config_file",
           "Configuration file of Seawall; empty: $SEAWALL_CONFIG, else the default.", "",
           &config_file);
    define("seawall.runtime_dir", "Directory of the agent's socket; empty: the default.", "",
           &runtime_dir);
    define("seawall.agent_program", "The agent that is started when none answers.",
           SEAWALL_AGENT_PROGRAM, &agent_program);
    DefineCustomIntVariable("seawall.timeout",
                            "Wait this long for one file to be archived; 0: as the agent says.",
                            NULL, &timeout, 0, 0, 3600, PGC_SIGHUP, GUC_UNIT_S, NULL, NULL, NULL);
    MarkGUCPrefixReserved("seawall");
}

/* A barrier must be passed by every process of the server, however long this one waits. */
static bool
must_stop(void)
{
    if (ProcSignalBarrierPending)
        ProcessProcSignalBarrier();
    return ShutdownRequestPending || !PostmasterIsAlive();
}

static void
note(bool warning, const char *text)
{
    ereport(warning ? WARNING : LOG, errmsg_internal("seawall: %s", text));
}

static const char *
value_of(const char *setting)
{
    return setting == NULL || setting[0] == '\0' ? NULL : setting;
}

/* How long this attempt may take, as text; NULL: as the agent says. */
static const char *
timeout_text(TimestampTz now, char *text, size_t size)
{
    int seconds = timeout;

    if (now < hurry_until)
        seconds = timeout == 0 ? HURRY_S : Min(timeout, HURRY_S);
    if (seconds == 0)
        return NULL;
    (void)snprintf(text, size, "%d", seconds);
    return text;
}

static bool
archive(const char *path)
{
    TimestampTz begun = GetCurrentTimestamp();
    char seconds[16];
    const struct library_push push = {
        .config = value_of(config_file),
        .runtime_dir = value_of(runtime_dir),
        .agent = value_of(agent_program),
        .timeout = timeout_text(begun, seconds, sizeof(seconds)),
        .path = path,
        .stop = must_stop,
        .note = note,
    };
    char text[LIBRARY_TEXT_SIZE];
    char hint[LIBRARY_TEXT_SIZE];

    /* An agent that we started and that has left; the archiver has no other children. */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        continue;
    if (library_push(&push, text, hint) == 0) {
        hurry_until = 0;
        return true;
    }
    TimestampTz now = GetCurrentTimestamp();
    if (now < hurry_until || TimestampDifferenceExceeds(begun, now, LATE_MS))
        hurry_until = TimestampTzPlusMilliseconds(now, HURRY_MS);
    ereport(ShutdownRequestPending ? LOG : WARNING,
            (errmsg_internal("seawall: %s", text),
             hint[0] == '\0' ? 0 : errhint("%s", hint)));
    return false;
}

/*
 * Always: there is a default for everything. What is wrong with the configuration is told, and
 * counted in pg_stat_archiver, with the first file.
 */
#if PG_VERSION_NUM >= 160000

static bool
check_configured(ArchiveModuleState *state)
{
    (void)state;
    return true;
}

static bool
archive_file(ArchiveModuleState *state, const char *file, const char *path)
{
    (void)state;
    (void)file;
    return archive(path);
}

extern PGDLLEXPORT const ArchiveModuleCallbacks *_PG_archive_module_init(void);

const ArchiveModuleCallbacks *
_PG_archive_module_init(void)
{
    static const ArchiveModuleCallbacks callbacks = {
        .check_configured_cb = check_configured,
        .archive_file_cb = archive_file,
    };

    return &callbacks;
}

#else

static bool
check_configured(void)
{
    return true;
}

static bool
archive_file(const char *file, const char *path)
{
    (void)file;
    return archive(path);
}

extern PGDLLEXPORT void _PG_archive_module_init(ArchiveModuleCallbacks *callbacks);

void
_PG_archive_module_init(ArchiveModuleCallbacks *callbacks)
{
    callbacks->check_configured_cb = check_configured;
    callbacks->archive_file_cb = archive_file;
}

#endif
