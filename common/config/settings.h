/* SPDX-License-Identifier: PostgreSQL */
/*
 * settings.h: the configuration file, read strictly into one struct.
 *
 * The file is --config, else $SEAWALL_CONFIG, else /etc/seawall/seawall.conf, in
 * libconfig syntax without "@include". settings.def is the table of everything it may say.
 * Unknown and double names, wrong types and values out of bounds are errors with file and
 * line; values are never echoed. What libconfig would silently misread (numbers beyond 32
 * bits, an open comment, escapes) is refused before it sees the text. Relative file names
 * count from the directory of the file as it was named. Nothing here opens the files that
 * settings name.
 */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

#define SETTINGS_DEFAULT_FILE "/etc/seawall/seawall.conf"
#define SETTINGS_FILE_MAX (256 * KIB)
#define SETTINGS_STORES_MAX 8

enum settings_compression {
    SETTINGS_COMPRESSION_LZ4,
    SETTINGS_COMPRESSION_ZSTD,
    SETTINGS_COMPRESSION_NONE,
};

enum settings_wal_check {
    SETTINGS_WAL_CHECK_REFUSE,
    SETTINGS_WAL_CHECK_WARN,
};

enum settings_standby_on_error {
    SETTINGS_STANDBY_CONTINUE, /* a WARNING and 1 after a short time */
    SETTINGS_STANDBY_WAIT,     /* a WARNING and 1 only after fetch_timeout */
    SETTINGS_STANDBY_STOP,     /* the true code: the standby goes down */
};

struct settings_list {
    const char *const *items;
    size_t n;
};

/* All strings and lists are owned by the struct settings. */
struct settings_store {
#define STRING(setting, field, standard, required, help) const char *field;
#define FILEPATH(setting, field, standard, help) const char *field;
#define BOOLEAN(setting, field, standard, help) bool field;
#define SETTINGS_STORE
#include "config/settings.def"
#undef SETTINGS_STORE
#undef STRING
#undef FILEPATH
#undef BOOLEAN
};

struct settings {
    char *file; /* where it was read from */
#define STRING(setting, field, standard, required, help) const char *field;
#define FILEPATH(setting, field, standard, help) const char *field;
#define LIST(setting, field, max, help) struct settings_list field;
#define NUMBER(setting, field, standard, min, max, help) int64_t field;
#define SECONDS(setting, field, standard, min, max, help) int64_t field;
#define SIZE(setting, field, standard, min, max, help) int64_t field;
#define BOOLEAN(setting, field, standard, help) bool field;
#define CHOICE(setting, field, standard, choices, help) enum settings_##field field;
#define SETTINGS_TOP
#define SETTINGS_OBJECTIVES
#define SETTINGS_ENCRYPTION
#include "config/settings.def"
#undef SETTINGS_TOP
#undef SETTINGS_OBJECTIVES
#undef SETTINGS_ENCRYPTION
#undef STRING
#undef FILEPATH
#undef LIST
#undef NUMBER
#undef SECONDS
#undef SIZE
#undef BOOLEAN
#undef CHOICE
    bool encrypted; /* encryption = { ... } rather than "none"; one of them must be there */
    struct settings_store stores[SETTINGS_STORES_MAX];
    size_t n_stores;
    struct settings_memory *memory; /* opaque: owns the strings */
};

/*
 * Read and check the file. `file` NULL: $SEAWALL_CONFIG if set and not empty, then the default;
 * settings->file is absolute. The file must be a regular one, must not be writable by group or
 * others and must belong to us or to root; if it holds a secret_access_key, or a conninfo with a
 * password, it must be private as base/secret.h says. A symbolic link is followed if link and
 * directory belong to us or root and nobody else can replace it. Cross checks: cluster's grammar
 * (docs/format.md section 1), store names [a-z0-9-]{1,32} and unique, no two stores with the same
 * url and endpoint, acknowledge <= number of stores, both static credentials or none,
 * recipients present if encrypted, system_id decimal, compression_level <= 12 for lz4.
 * 0 or -1: ERR_CONFIG, "file:line: ..." (or ERR_INTERNAL: out of memory).
 */
int settings_read(const char *file, struct settings **ret_settings, struct err *err) MUST_USE;

/*
 * Which file settings_read() reads: `file`, else $SEAWALL_CONFIG, else the default; a relative name
 * is put behind the working directory. The caller frees *ret_path. Needs no more than libc.
 */
int settings_file_path(const char *file, char **ret_path, struct err *err) MUST_USE;

/* The parser behind it, for bytes already in memory (tests, fuzzing). No permission checks;
 * `file` names the text and gives the directory of relative file names. */
int settings_parse(const char *text, size_t size, const char *file,
                   struct settings **ret_settings, struct err *err) MUST_USE;

/* Wipes secrets. NULL is fine. */
void settings_free(struct settings *settings);

DEFINE_POINTER_CLEANUP(settings, struct settings, settings_free);

#endif
