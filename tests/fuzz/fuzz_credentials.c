/* SPDX-License-Identifier: PostgreSQL */
/* The input is a shared credentials file; the profiles "default" and "a b" are looked up. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3_credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
insist(bool condition)
{
    if (!condition)
        abort();
}

static void
insist_text(const char *field, size_t size, bool may_be_empty, bool visible)
{
    insist(memchr(field, '\0', size) != NULL);
    insist(may_be_empty || field[0] != '\0');
    for (const char *c = field; *c != '\0'; c++) {
        unsigned char byte = (unsigned char)*c;

        insist(byte >= 0x20 && byte != 0x7f);
        insist(!visible || (byte > 0x20 && byte < 0x7f));
    }
}

static void
look_up(const uint8_t *data, size_t size, const char *profile)
{
    AUTO(s3_credentials) struct s3_credentials found;
    struct s3_credentials before;
    struct err err = ERR_INIT;

    memset(&found, 'u', sizeof(found));
    memcpy(&before, &found, sizeof(before));
    if (s3_credentials_parse((const char *)data, size, "/f", profile, &found, &err) < 0) {
        insist(err.kind == ERR_CONFIG);
        insist(memcmp(&found, &before, sizeof(found)) == 0);
        insist_text(err.text, sizeof(err.text), false, false);
        insist_text(err.hint, sizeof(err.hint), true, false);
        return;
    }
    insist_text(found.access_key_id, sizeof(found.access_key_id), false, true);
    insist_text(found.secret_access_key, sizeof(found.secret_access_key), false, false);
    insist_text(found.session_token, sizeof(found.session_token), true, true);
    insist_text(found.source, sizeof(found.source), false, false);
    /* What was found stands in the file as it is. */
    insist(memmem(data, size, found.access_key_id, strlen(found.access_key_id)) != NULL);
    insist(memmem(data, size, found.secret_access_key, strlen(found.secret_access_key)) != NULL);
    insist(memmem(data, size, found.session_token, strlen(found.session_token)) != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    look_up(data, size, "default");
    look_up(data, size, "a b");
    return 0;
}
