/* SPDX-License-Identifier: PostgreSQL */
/*
 * fuzz_settings.c: any bytes as a configuration file. What is accepted keeps the promises of
 * settings.h; what is refused has a message that names the file.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it has just read when a syntax error follows; programs end then.
 */
const char *
__lsan_default_suppressions(void)
{
    return "leak:libconfig.so\n";
}

static void
insist(bool promise)
{
    if (!promise)
        abort();
}

static void
check_accepted(const struct settings *settings)
{
    insist(settings->cluster != NULL && settings->cluster[0] != '\0');
    insist(settings->n_stores >= 1 && settings->n_stores <= SETTINGS_STORES_MAX);
    insist(settings->acknowledge >= 1 && (uint64_t)settings->acknowledge <= settings->n_stores);
    insist(settings->encrypted == (settings->recipients.n > 0));
    insist(settings->push_timeout >= 5 && settings->push_timeout <= 3600);
    insist(settings->writer_key_file[0] == '/');
    for (size_t i = 0; i < settings->n_stores; i++) {
        const struct settings_store *store = &settings->stores[i];

        insist(store->name != NULL && store->url != NULL && store->region != NULL);
        insist((store->access_key_id == NULL) == (store->secret_access_key == NULL));
    }
    for (size_t i = 0; i < settings->recipients.n; i++)
        insist(settings->recipients.items[i][0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char prefix[] = "\"/fuzz/seawall.conf\":";
    AUTO(settings) struct settings *settings = NULL;
    struct err err = ERR_INIT;

    if (settings_parse((const char *)data, size, "/fuzz/seawall.conf", &settings, &err) == 0) {
        check_accepted(settings);
    } else {
        insist(settings == NULL && err.kind == ERR_CONFIG);
        insist(strncmp(err.text, prefix, sizeof(prefix) - 1) == 0);
    }
    return 0;
}
