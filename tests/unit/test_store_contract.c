/* SPDX-License-Identifier: PostgreSQL */
/*
 * The contract of store.h on a directory, always, and on an S3 store if the environment names one:
 * SEAWALL_TEST_S3_URL (s3://bucket or s3://bucket/root), _ENDPOINT, _REGION, _CA_FILE,
 * _ACCESS_KEY_ID, _SECRET_ACCESS_KEY, and _PATH_STYLE=1, _ALLOW_HTTP=1.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/retry.h"
#include "scratch.h"
#include "store_contract.h"

#define URL_SIZE 512

static const char *
setting(const char *name)
{
    char variable[64];

    (void)snprintf(variable, sizeof(variable), "SEAWALL_TEST_S3_%s", name);
    const char *value = getenv(variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static struct contract_place
directory_place(const struct scratch *scratch, char *ret_url, char *ret_missing)
{
    (void)snprintf(ret_url, URL_SIZE, "file://%s", scratch->path);
    (void)snprintf(ret_missing, URL_SIZE, "file://%s/missing", scratch->path);
    return (struct contract_place){
        .label = "dir",
        .config = {.name = "cellar", .url = ret_url},
        .missing = {.name = "cellar", .url = ret_missing},
        .n_names = 2500,
        .page = 1000,
    };
}

/* A root that nobody used before, and a bucket that nobody made. */
static struct contract_place
s3_place(const char *url, char *ret_url, char *ret_missing)
{
    size_t bucket = strlen("s3://") + strcspn(url + strlen("s3://"), "/");
    unsigned random = retry_random();
    struct contract_place place = {
        .label = "s3",
        .config =
            {
                .name = "paris",
                .url = ret_url,
                .region = setting("REGION"),
                .endpoint = setting("ENDPOINT"),
                .path_style = setting("PATH_STYLE") != NULL,
                .ca_file = setting("CA_FILE"),
                .access_key_id = setting("ACCESS_KEY_ID"),
                .secret_access_key = setting("SECRET_ACCESS_KEY"),
                .allow_http = setting("ALLOW_HTTP") != NULL,
                .connect_timeout_ms = 5000,
                .stall_timeout_ms = 20000,
            },
        .n_names = 60,
        .page = 7,
    };

    (void)snprintf(ret_url, URL_SIZE, "%s/test-%08x", url, random);
    (void)snprintf(ret_missing, URL_SIZE, "%.*s-none-%08x/x", (int)bucket, url, random);
    place.missing = place.config;
    place.missing.url = ret_missing;
    return place;
}

int
main(void)
{
    static char urls[2][2][URL_SIZE];
    struct contract_place places[2];
    struct scratch scratch;
    size_t n = 0;

    scratch_new(&scratch);
    places[n++] = directory_place(&scratch, urls[0][0], urls[0][1]);
    if (setting("URL") != NULL)
        places[n++] = s3_place(setting("URL"), urls[1][0], urls[1][1]);
    int failures = contract_run(places, n);
    scratch_remove(&scratch);
    return failures;
}
